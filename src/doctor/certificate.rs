//! Whether the certificate of the public listener is in force, for how long, under the right name, and with its key.

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509Ref};
use url::Url;

use super::{Finding, Severity};
use crate::clock::Clock;
use crate::config::{Config, Tls};

const SUBJECT: &str = "certificate";

/// Days before its end at which a certificate should have been renewed.
const SOON: i32 = 30;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("it or its key cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("it or its key is not as it should be: {0}")]
    Form(#[from] ErrorStack),
    #[error("there is no certificate in its file")]
    Empty,
    #[error("it is not of the key that is configured")]
    OtherKey,
}

pub(super) fn examine(config: &Config, clock: &Clock, findings: &mut Vec<Finding>) {
    let Some(tls) = &config.api.tls else { return };
    let judged = judge(tls, config.api.public_url.as_deref(), clock);
    findings.extend(judged.unwrap_or_else(|error| {
        vec![Finding::bad(
            Severity::Error,
            SUBJECT,
            format!("{error}: `serve` does not start with it"),
            "name a certificate and its key, both in PEM and readable by this account, in api.tls",
        )]
    }));
}

fn judge(tls: &Tls, public_url: Option<&str>, clock: &Clock) -> Result<Vec<Finding>, Unusable> {
    let chain = X509::stack_from_pem(&std::fs::read(&tls.certificate)?)?;
    let (leaf, others) = chain.split_first().ok_or(Unusable::Empty)?;
    let key = PKey::private_key_from_pem(&std::fs::read(&tls.key)?)?;
    if !leaf.public_key()?.public_eq(&key) {
        return Err(Unusable::OtherKey);
    }
    let mut findings = vec![validity(leaf, clock)?];
    let url = public_url.and_then(|url| Url::parse(url).ok());
    if let Some(host) = url.as_ref().and_then(Url::host_str) {
        findings.push(name(leaf, host));
    }
    let self_signed = leaf.issuer_name().try_cmp(leaf.subject_name())?.is_eq();
    if others.is_empty() && !self_signed {
        findings.push(Finding::bad(
            Severity::Warning,
            SUBJECT,
            "those between it and the root are not in its file: callers may not trust it",
            "use the file that has them all, often called fullchain.pem",
        ));
    }
    Ok(findings)
}

fn validity(leaf: &X509Ref, clock: &Clock) -> Result<Finding, ErrorStack> {
    const RENEW: &str = "renew it; the service takes a new file up by itself";
    let now = Asn1Time::from_unix(clock.now().as_second())?;
    let left = now.diff(leaf.not_after())?;
    let until = leaf.not_after();
    Ok(if leaf.not_before() > now {
        let meaning = format!("it is not in force before {}", leaf.not_before());
        Finding::bad(Severity::Error, SUBJECT, meaning, "see that the machine's clock is right")
    } else if left.days < 0 || left.secs < 0 {
        Finding::bad(Severity::Error, SUBJECT, format!("it expired on {until}: nobody calls any more"), RENEW)
    } else if left.days < SOON {
        let meaning = format!("it expires on {until}, in {} days", left.days);
        Finding::bad(Severity::Warning, SUBJECT, meaning, RENEW)
    } else {
        Finding::ok(SUBJECT, format!("it is in force until {until}"))
    })
}

/// Whether the certificate is for the host in the public address.
fn name(leaf: &X509Ref, host: &str) -> Finding {
    let names: Vec<String> = leaf
        .subject_alt_names()
        .iter()
        .flatten()
        .filter_map(|name| {
            let address = || match name.ipaddress()? {
                [a, b, c, d] => Some(format!("{a}.{b}.{c}.{d}")),
                _ => None,
            };
            name.dnsname().map(str::to_ascii_lowercase).or_else(address)
        })
        .collect();
    let is_for = |name: &String| match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    };
    if names.iter().any(is_for) {
        Finding::ok(SUBJECT, format!("it is for {host}"))
    } else {
        Finding::bad(
            Severity::Error,
            SUBJECT,
            format!(
                "it is not for {host}, where api.public_url says that callers come, but for: {}",
                names.join(", ")
            ),
            "have one issued for that name, or correct api.public_url",
        )
    }
}
