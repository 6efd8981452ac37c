//! What AgID's checker demands of a contract published on PDND, its security profile included.

use std::collections::BTreeSet;

use regex::Regex;
use serde_yaml_ng::Value;

use super::{Contract, elements, entries, names};
use crate::support::xmllint;

const RATE_LIMITS: [&str; 3] = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).unwrap().is_match(text)
}

fn is_told(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// Calls `visit` with every mapping of the document and where it stands.
fn walk(value: &Value, at: &str, visit: &mut impl FnMut(&str, &Value)) {
    if value.is_mapping() {
        visit(at, value);
    }
    for (name, child) in entries(value).filter(|(name, _)| !matches!(*name, "example" | "examples")) {
        walk(child, &format!("{at}/{name}"), visit);
    }
    for (index, child) in elements(value).enumerate() {
        walk(child, &format!("{at}/{index}"), visit);
    }
}

#[test]
fn the_service_is_described() {
    let Contract(contract) = Contract::own();
    assert!(matches(r"^3\.0\.\d+$", contract["openapi"].as_str().unwrap()));
    let info = &contract["info"];
    for name in ["title", "description", "x-summary", "x-api-id"] {
        assert!(is_told(&info[name]), "info.{name}");
    }
    assert!(matches(r"^\d+\.\d+\.\d+$", info["version"].as_str().unwrap()), "a semantic version");
    assert!(matches("^https://", info["termsOfService"].as_str().unwrap()));
    assert!(matches("^[^@ ]+@[^@ ]+$", info["contact"]["email"].as_str().unwrap()));
    assert!(info["description"].as_str().unwrap().contains("Cache-Control: no-store"), "caching is stated");

    assert!(elements(&contract["servers"]).count() > 0);
    for server in elements(&contract["servers"]) {
        assert!(matches("^https://.*[^/]$", server["url"].as_str().unwrap()));
        assert!(is_told(&server["description"]));
    }
}

#[test]
fn every_operation_is_described_and_protected() {
    let contract = Contract::own();
    let tags: BTreeSet<&str> = elements(&contract.0["tags"])
        .map(|tag| {
            assert!(is_told(&tag["description"]));
            tag["name"].as_str().unwrap()
        })
        .collect();
    let schemes: BTreeSet<&str> =
        entries(&contract.0["components"]["securitySchemes"]).map(|(name, _)| name).collect();
    assert!(
        elements(&contract.0["security"]).all(|requirement| entries(requirement).count() > 0),
        "protected by default"
    );

    let mut ids = BTreeSet::new();
    for operation in contract.operations() {
        let name = operation.name();
        assert!(matches("^(/[a-z0-9.-]+)+$", operation.path), "{name}: kebab case");
        let id = operation.value["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{name}: {id} is used twice");
        assert!(!matches("(?i)^(get|post|put|delete|patch|head)", id), "{name}: {id} names a method");
        for field in ["summary", "description"] {
            assert!(is_told(&operation.value[field]), "{name}: {field}");
        }
        assert!(names(&operation.value["tags"]).count() > 0, "{name}: a tag");
        assert!(
            names(&operation.value["tags"]).all(|tag| tags.contains(tag)),
            "{name}: a tag that is not declared"
        );
        assert!(operation.method != "get" || operation.value.get("requestBody").is_none(), "{name}: a body");

        let requirements: Vec<&Value> = elements(&operation.value["security"]).collect();
        assert!(!requirements.is_empty(), "{name}: security must be said");
        for requirement in requirements {
            assert_eq!(
                entries(requirement).count() == 0,
                operation.path == "/status",
                "{name}: only the status is public"
            );
            assert!(entries(requirement).all(|(scheme, _)| schemes.contains(scheme)), "{name}");
        }
        for parameter in elements(&operation.value["parameters"]).map(|parameter| contract.resolve(parameter))
        {
            assert!(is_told(&parameter["description"]), "{name}: {parameter:?}");
            assert!(!matches("(?i)password|secret|apikey", parameter["name"].as_str().unwrap()), "{name}");
        }
    }
}

#[test]
fn every_answer_says_thresholds_caching_and_errors() {
    let contract = Contract::own();
    for operation in contract.operations() {
        for (status, response) in contract.responses(&operation) {
            let name = format!("{} {status}", operation.name());
            assert!(is_told(&response["description"]), "{name}");
            let headers: BTreeSet<&str> = entries(&response["headers"]).map(|(header, _)| header).collect();
            for header in &headers {
                assert!(matches("^([A-Z][A-Za-z]*-)*[A-Z][A-Za-z]*$", header), "{name}: {header}");
                assert!(!header.starts_with("X-") || RATE_LIMITS.contains(header), "{name}: {header}");
                assert!(!matches("(?i)^(accept|content-type|authorization)$", header), "{name}: {header}");
            }
            assert!(headers.contains("Cache-Control") && !headers.contains("Expires"), "{name}: caching");
            if status.starts_with(['2', '4']) {
                assert!(RATE_LIMITS.iter().all(|header| headers.contains(header)), "{name}: thresholds");
            }
            if matches!(status, "429" | "503") {
                assert!(headers.contains("Retry-After"), "{name}: when to try again");
            }

            let contents: Vec<_> = entries(&response["content"]).collect();
            assert_eq!(contents.is_empty(), matches!(status, "204" | "304"), "{name}: content");
            let is_problem =
                status == "default" || status.starts_with(['4', '5']) || operation.path == "/status";
            for (media, content) in contents {
                let schema = contract.resolve(&content["schema"]);
                assert_eq!(schema["type"], "object", "{name}: a JSON object");
                assert_eq!(
                    media,
                    if is_problem { "application/problem+json" } else { "application/json" },
                    "{name}"
                );
                for field in ["title", "status", "detail"] {
                    assert!(!is_problem || schema["properties"].get(field).is_some(), "{name}: {field}");
                }
            }
        }
    }
    let statuses: BTreeSet<&str> = contract
        .operations()
        .find(|operation| operation.path == "/status")
        .map(|status| contract.responses(&status).map(|(status, _)| status).collect())
        .unwrap();
    assert!(statuses.contains("200") && statuses.contains("503"));
    let no_store = contract.resolve(&contract.0["components"]["headers"]["NoStore"]);
    assert!(no_store["description"].as_str().unwrap().contains("no-store"), "caching is described");
}

#[test]
fn every_schema_is_bounded() {
    let Contract(contract) = Contract::own();
    walk(&contract, "#", &mut |at, value| {
        if value.get("$ref").is_some() {
            assert_eq!(entries(value).count(), 1, "{at}: nothing stands beside a reference");
        }
        let has = |name: &str| value.get(name).is_some();
        match value.get("type").and_then(Value::as_str) {
            Some("integer") => {
                assert!(matches!(value["format"].as_str(), Some("int32" | "int64")), "{at}: format");
                assert!(has("minimum") && has("maximum"), "{at}: bounds");
            }
            Some("string") => {
                assert!(has("enum") || has("maxLength"), "{at}: maxLength");
                assert!(has("enum") || has("pattern") || has("format"), "{at}: pattern or format");
            }
            Some("array") => assert!(has("minItems") && has("maxItems"), "{at}: bounds"),
            Some("object") => {
                let additional = &value["additionalProperties"];
                let bounded = additional.is_mapping() && has("maxProperties");
                assert!(additional.as_bool() == Some(false) || bounded, "{at}: additional properties");
            }
            Some("number") => panic!("{at}: the contract has no fractional numbers"),
            Some(_) | None => {}
        }
    });
}

#[test]
fn every_component_is_used_and_named_as_a_type() {
    let Contract(contract) = Contract::own();
    let mut used = BTreeSet::new();
    walk(&contract, "#", &mut |_, value| {
        used.extend(value.get("$ref").and_then(Value::as_str).map(str::to_owned));
    });
    for (kind, components) in entries(&contract["components"]).filter(|(kind, _)| *kind != "securitySchemes")
    {
        for (name, component) in entries(components) {
            assert!(used.contains(&format!("#/components/{kind}/{name}")), "{kind}/{name} is not used");
            assert!(matches("^([A-Z][a-z0-9]+)+$", name), "{kind}/{name} is not in Pascal case");
            assert!(is_told(&component["description"]), "{kind}/{name} is not described");
        }
    }
}

#[test]
fn the_use_of_tokens_is_described() {
    let Contract(contract) = Contract::own();
    for (name, scheme) in entries(&contract["components"]["securitySchemes"]) {
        assert_eq!(
            (scheme["type"].as_str(), scheme["scheme"].as_str()),
            (Some("http"), Some("bearer")),
            "{name}"
        );
        assert_eq!(scheme["bearerFormat"], "JWT", "{name}");
        assert!(scheme["description"].as_str().unwrap().contains("RFC8725"), "{name}");
    }
}

/// The lines that are filled in for each e-service can be told from all others.
#[test]
fn what_is_filled_in_stands_on_lines_of_its_own() {
    let text = std::fs::read_to_string(xmllint::own("openapi.yaml")).unwrap();
    for line in [
        "  termsOfService: https://www.comune.example.it/waas/termini-di-servizio",
        "    email: waas@comune.example.it",
        "  - url: https://waas.comune.example.it/waas/v1",
        "          pattern: '^[A-Z][0-9]{3}$'\n          minLength: 4\n          maxLength: 4",
    ] {
        assert_eq!(text.matches(&format!("\n{line}\n")).count(), 1, "{line}");
    }
}
