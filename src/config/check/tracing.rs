//! What is wrong with or risky about `[[tracing]]`.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Finding, exposed};
use crate::config::tracing::is_safe_address;
use crate::config::{Config, Environment, Tracing};

/// The longest name, in characters: it is a key of the database and a label of metrics.
const LONGEST_NAME: usize = 64;

pub(super) fn check(config: &Config, findings: &mut Vec<Finding>) {
    let mut names = HashSet::new();
    let mut covered: HashMap<&str, &str> = HashMap::new();
    for (index, tracing) in config.tracing.iter().enumerate() {
        let section = format!("tracing[{index}]");
        let key = |name: &str| format!("{section}.{name}");
        if tracing.name.is_empty() || tracing.name.chars().count() > LONGEST_NAME {
            findings.push(Finding::wrong(
                key("name"),
                format!("a name has 1 to {LONGEST_NAME} characters"),
                "name the member and the environment, for example \"produzione\"",
            ));
        }
        if !names.insert(tracing.name.as_str()) {
            findings.push(Finding::wrong(
                key("name"),
                format!("the name {:?} is used by two [[tracing]] sections", tracing.name),
                "give each section a name of its own",
            ));
        }
        for name in &tracing.eservices {
            if !config.eservice.iter().any(|eservice| eservice.name == *name) {
                findings.push(Finding::wrong(
                    key("eservices"),
                    format!("there is no e-service {name:?}"),
                    "write the names that the [[eservice]] sections give",
                ));
            } else if let Some(other) = covered.insert(name, &tracing.name) {
                findings.push(Finding::wrong(
                    key("eservices"),
                    format!("the calls of {name:?} would be counted twice: {other:?} names it too"),
                    "keep each e-service in one [[tracing]] section",
                ));
            }
        }
        check_section(&section, tracing, config, findings);
    }
    for (index, eservice) in config.eservice.iter().enumerate() {
        if eservice.environment == Environment::Produzione && !covered.contains_key(eservice.name.as_str()) {
            findings.push(Finding::risky(
                format!("eservice[{index}]"),
                format!(
                    "the calls of {:?} are not in any daily count, which members of PDND must send",
                    eservice.name
                ),
                "add its name to the `eservices` of a [[tracing]] section",
            ));
        }
    }
}

fn check_section(section: &str, tracing: &Tracing, config: &Config, findings: &mut Vec<Finding>) {
    let key = |name: &str| format!("{section}.{name}");
    if tracing.eservices.is_empty() {
        findings.push(Finding::wrong(
            key("eservices"),
            "no e-service is named: there is nothing to count",
            "write the names that the [[eservice]] sections give",
        ));
    }
    if tracing.client_id.as_deref().is_some_and(|id| Uuid::try_parse(id).is_err()) {
        findings.push(Finding::wrong(
            key("client_id"),
            "it is not a UUID, as all ids of PDND are",
            "copy it from the client's card on PDND",
        ));
    }
    check_key(section, tracing, findings);
    let environment = tracing.environment(config);
    let known = |name: &String| config.eservice.iter().any(|eservice| eservice.name == *name);
    if environment.is_none() && tracing.eservices.iter().any(known) {
        findings.push(Finding::wrong(
            key("eservices"),
            "they are of different environments, and each environment has a count of its own",
            "write one [[tracing]] section for each environment",
        ));
    }
    let Some(environment) = environment else { return };
    let addresses = [
        ("url", tracing.url.as_deref(), environment.tracing_url()),
        ("token_url", tracing.token_url.as_deref(), environment.token_url()),
    ];
    for (name, configured, _) in addresses {
        if configured.is_some_and(|url| !is_safe_address(url, environment)) {
            findings.push(Finding::wrong(
                key(name),
                "a credential would be sent to an address that is not https",
                "use an https: address without a query; http: is for 127.0.0.1 and `locale` alone",
            ));
        }
    }
    if tracing.client_id.is_none() && !tracing.daily {
        return;
    }
    let audience =
        ("assertion_audience", tracing.assertion_audience.as_deref(), environment.assertion_audience());
    for (name, configured, implied) in addresses.into_iter().chain([audience]) {
        if configured.is_none() && implied.is_none() {
            findings.push(Finding::wrong(
                key(name),
                "the environment of the e-services does not imply it, and nothing can be sent without",
                "write it here",
            ));
        }
    }
}

fn check_key(section: &str, tracing: &Tracing, findings: &mut Vec<Finding>) {
    let key = |name: &str| format!("{section}.{name}");
    if tracing.key.is_some() && tracing.key_file.is_some() {
        findings.push(Finding::wrong(key("key"), "key and key_file are both set", "keep one"));
    }
    let has_key = tracing.key.is_some() || tracing.key_file.is_some();
    let needed =
        [("client_id", tracing.client_id.is_some()), ("kid", tracing.kid.is_some()), ("key_file", has_key)];
    let some = needed.iter().any(|(_, given)| *given);
    for (name, _) in needed.iter().filter(|(_, given)| !given && (some || tracing.daily)) {
        findings.push(Finding::wrong(
            key(name),
            "nothing can be sent without it",
            "set client_id, kid and key_file from the client's card on PDND; without all three, and `daily`, the \
             file can still be written",
        ));
    }
    findings.extend(tracing.key_file.as_ref().and_then(|path| exposed(&key("key_file"), path)));
}
