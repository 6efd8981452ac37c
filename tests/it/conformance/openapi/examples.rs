//! That the examples of the contract are what it says: each is valid, and each flow in them is a flow.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_yaml_ng::Value;

use super::{Contract, elements, entries, names};
use crate::support::xmllint;

/// What is wrong with `value` according to `schema`.
fn faults(contract: &Contract, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = contract.resolve(schema);
    if value.is_null() && schema.get("nullable").and_then(Value::as_bool) == Some(true) {
        return;
    }
    let mut complain = |what: &str| found.push(format!("{at}: {what}"));
    if schema.get("enum").is_some_and(|allowed| !elements(allowed).any(|one| one == value)) {
        complain("enum");
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => {
            let Some(number) = value.as_i64().and_then(|number| number.to_string().parse::<f64>().ok())
            else {
                return complain("integer");
            };
            if bound("minimum").is_some_and(|least| number < least)
                || bound("maximum").is_some_and(|most| number > most)
            {
                complain("bounds");
            }
        }
        Some("string") => {
            let Some(text) = value.as_str() else { return complain("string") };
            let length = f64::from(u32::try_from(text.chars().count()).unwrap());
            if bound("minLength").is_some_and(|least| length < least)
                || bound("maxLength").is_some_and(|most| length > most)
            {
                complain("length");
            }
            if schema
                .get("pattern")
                .is_some_and(|pattern| !Regex::new(pattern.as_str().unwrap()).unwrap().is_match(text))
            {
                complain("pattern");
            }
            let formed = match schema.get("format").and_then(Value::as_str) {
                Some("date-time") => text.parse::<jiff::Timestamp>().is_ok(),
                Some("uri") => url::Url::parse(text).is_ok(),
                Some("byte") => STANDARD.decode(text).is_ok(),
                Some(_) | None => true,
            };
            if !formed {
                complain("format");
            }
        }
        Some("array") => {
            let Some(items) = value.as_sequence() else { return complain("array") };
            for (index, item) in items.iter().enumerate() {
                faults(contract, &schema["items"], item, &format!("{at}[{index}]"), found);
            }
        }
        Some("object") => {
            let Some(mapping) = value.as_mapping() else { return complain("object") };
            for name in
                schema.get("required").into_iter().flat_map(names).filter(|name| !mapping.contains_key(*name))
            {
                complain(&format!("{name} is missing"));
            }
            for (name, value) in entries(value) {
                match schema["properties"].get(name) {
                    Some(property) => faults(contract, property, value, &format!("{at}.{name}"), found),
                    None if schema["additionalProperties"].as_bool() == Some(false) => {
                        found.push(format!("{at}.{name}: unknown"));
                    }
                    None => {}
                }
            }
        }
        Some(other) => complain(&format!("unknown type {other}")),
        None => {}
    }
}

/// Every example of the document with the schema that it illustrates.
fn examples<'a>(value: &'a Value, at: &str, found: &mut Vec<(String, &'a Value, &'a Value)>) {
    let schema = value.get("schema").unwrap_or(value);
    if let Some(example) = value.get("example") {
        found.push((at.to_owned(), schema, example));
    }
    for (name, example) in value.get("examples").into_iter().flat_map(entries) {
        found.push((format!("{at}/{name}"), schema, &example["value"]));
    }
    for (name, child) in entries(value).filter(|(name, _)| !matches!(*name, "example" | "examples")) {
        examples(child, &format!("{at}/{name}"), found);
    }
    for child in elements(value) {
        examples(child, at, found);
    }
}

#[test]
fn every_example_is_valid() {
    let contract = Contract::own();
    let mut all = Vec::new();
    examples(&contract.0, "#", &mut all);
    assert!(all.len() > 10, "the contract has examples");
    let mut wrong = Vec::new();
    for (at, schema, example) in all {
        faults(&contract, schema, example, &at, &mut wrong);
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_flow_in_an_example_is_a_flow() {
    let contract = Contract::own();
    let mut all = Vec::new();
    examples(&contract.0, "#", &mut all);
    let mut types = BTreeSet::new();
    for flow in all.iter().flat_map(|(_, _, example)| elements(&example["elenco_flussi"])) {
        let xml = STANDARD.decode(flow["flusso"].as_str().unwrap()).unwrap();
        let tipo = flow["tipo"].as_str().unwrap();
        let schema = if tipo == "SINBA" { "sinba.xsd" } else { "ps_psa_sina.xsd" };
        assert!(xmllint::judge(&[&xml], &[&xmllint::own(schema)])[0][0].is_valid(), "{tipo}");
        let name = format!("Nome=\"{}\"", flow["id_flusso"].as_str().unwrap());
        assert!(
            String::from_utf8(xml).unwrap().contains(&name),
            "{tipo}: the name inside is the name outside"
        );
        types.insert(tipo);
    }
    assert_eq!(types, BTreeSet::from(["PS_PSA_SINA", "SINBA"]));
}
