//! `specs/openapi.yaml`: that it accepts whatever the official contract does and promises nothing more, and that it
//! passes AgID's checker, whose list of demands is restated here.

mod agreement;
mod examples;
mod guidelines;

use std::fs;
use std::path::Path;

use serde_yaml_ng::Value;

use crate::support::xmllint;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// An OpenAPI document.
struct Contract(Value);

/// One operation of a contract.
struct Operation<'a> {
    path: &'a str,
    method: &'static str,
    value: &'a Value,
}

impl Contract {
    fn own() -> Self {
        Self::read(&xmllint::own("openapi.yaml"))
    }

    fn official() -> Option<Self> {
        xmllint::official("api-comuni.yaml").map(|path| Self::read(&path))
    }

    fn read(path: &Path) -> Self {
        Self(serde_yaml_ng::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    }

    /// `value`, or what it refers to.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let path = reference.strip_prefix("#/").expect("a reference within the document");
                self.resolve(path.split('/').fold(&self.0, |value, name| &value[name]))
            }
            None => value,
        }
    }

    fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        entries(&self.0["paths"]).flat_map(|(path, item)| {
            METHODS
                .iter()
                .filter_map(move |method| item.get(method).map(|value| Operation { path, method, value }))
        })
    }

    /// The answers of an operation: status (or `default`) and what it refers to.
    fn responses<'a>(&'a self, operation: &Operation<'a>) -> impl Iterator<Item = (&'a str, &'a Value)> {
        entries(&operation.value["responses"]).map(|(status, response)| (status, self.resolve(response)))
    }
}

impl Operation<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }
}

/// The entries of a mapping; of anything else, none.
fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_mapping().into_iter().flatten().map(|(name, value)| (name.as_str().unwrap(), value))
}

/// The elements of a sequence; of anything else, none.
fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_sequence().into_iter().flatten()
}

fn names(value: &Value) -> impl Iterator<Item = &str> {
    elements(value).map(|name| name.as_str().unwrap())
}
