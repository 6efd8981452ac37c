//! What is wrong with or risky about the bodies whose benefits an e-service carries.

use std::collections::{HashMap, HashSet};

use super::Finding;
use crate::config::{Config, EService, Environment, is_belfiore};

/// Characters of an ente's code: with kind, day and number it must fit the 50 of a flow's name.
const LONGEST_CODE: usize = 27;

pub(super) fn check(section: &str, eservice: &EService, findings: &mut Vec<Finding>) {
    if eservice.ente.is_empty() {
        findings.push(Finding::wrong(
            format!("{section}.ente"),
            "no ente is named, so no benefit could be published",
            "add an [[eservice.ente]] section",
        ));
    }
    let pattern = regex::Regex::new(&eservice.codice_ente_pattern).ok();
    let mut codes = HashSet::new();
    for (index, ente) in eservice.ente.iter().enumerate() {
        let key = |name: &str| format!("{section}.ente[{index}].{name}");
        if pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&ente.codice)) {
            findings.push(Finding::wrong(
                key("codice"),
                format!("{:?} does not match codice_ente_pattern", ente.codice),
                format!(
                    "write the Belfiore code; for an ATS or a consortium set codice_ente_pattern, for example \
                     \"^({code}|[A-Z][0-9]{{3}})$\", which admits Comuni that delegate it too",
                    code = regex::escape(&ente.codice)
                ),
            ));
        }
        if ente.codice.chars().count() > LONGEST_CODE {
            findings.push(Finding::wrong(
                key("codice"),
                format!("{:?} is too long for the name of a flow", ente.codice),
                format!("write a code of at most {LONGEST_CODE} characters"),
            ));
        }
        if !codes.insert(ente.codice.as_str()) {
            findings.push(Finding::wrong(
                key("codice"),
                format!("{:?} is named twice", ente.codice),
                "keep one section for each ente",
            ));
        }
        if !is_belfiore(&ente.sede) {
            findings.push(Finding::risky(
                key("sede"),
                format!("{:?} is not the Belfiore code of a Comune", ente.sede),
                "write the code of the Comune in which the ente has its legal seat",
            ));
        }
        let flow_ente = ente.erogatore();
        if let Err(names) = flow_ente {
            findings.extend(names.into_iter().map(|name| {
                Finding::wrong(
                    key(name),
                    "no flow can carry it: the schema refuses it",
                    "write a code of 1–32 characters, a name of 1–100, a seat of 4, a fiscal code of 16",
                )
            }));
        }
    }
}

/// Finds enti whose benefits INPS could be given twice: by an e-service of their own, and by one of whom they delegated.
pub(super) fn check_together(config: &Config, findings: &mut Vec<Finding>) {
    let mut known: HashMap<(Environment, &str), &str> = HashMap::new();
    for (index, eservice) in config.eservice.iter().enumerate() {
        if eservice.environment == Environment::Locale {
            continue;
        }
        for (place, ente) in eservice.ente.iter().enumerate() {
            let of = (eservice.environment, ente.codice.as_str());
            let Some(other) = known.insert(of, &eservice.name).filter(|other| *other != eservice.name) else {
                continue;
            };
            findings.push(Finding::risky(
                format!("eservice[{index}].ente[{place}].codice"),
                format!(
                    "{:?} is an ente of {other:?} as well, in the same environment: what is imported into both, INPS \
                     is given twice",
                    ente.codice
                ),
                "keep it where it transmits: in its own e-service, or in that of whom it delegated",
            ));
        }
    }
}
