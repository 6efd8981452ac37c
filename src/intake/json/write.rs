//! A published record as JSON: what [`super::record`] reads, so that what was read can be sent back corrected.

use serde_json::{Map, Value, json};

use crate::siuss::element::Element;
use crate::siuss::xml::{Document, Encoding, Item};

/// The record in a flow of ours, without its operation. None when there is none.
#[must_use]
pub fn to_json(flusso: &[u8]) -> Option<Value> {
    let record = Document::new(flusso, Encoding::Utf8).find_map(|item| match item {
        Item::Record(element) => Some(element),
        Item::Identificazione(_) | Item::Fault(_) => None,
    })?;
    let tipo = if record.name == "SINBA" { "SINBA" } else { "PS_PSA_SINA" };
    let mut document = Map::from_iter([("tipo".to_owned(), Value::from(tipo))]);
    document.insert(record.name.clone().into_owned(), object(&record));
    Some(document.into())
}

fn object(element: &Element) -> Value {
    let attributes = element.attributes.iter().filter(|(name, _)| name != "TipoOperazione");
    let mut object: Map<String, Value> =
        attributes.map(|(name, value)| (name.clone().into_owned(), Value::from(value.as_str()))).collect();
    for child in &element.children {
        let is_text = child.attributes.is_empty() && child.children.is_empty();
        let value = if is_text { Value::from(child.text.as_str()) } else { self::object(child) };
        // What may be repeated is an array even when it is not, so that programs meet one form.
        if is_text || child.name == "Indirizzo" {
            if let Value::Array(items) = object.entry(child.name.clone()).or_insert_with(|| json!([])) {
                items.push(value);
            }
        } else {
            object.insert(child.name.clone().into_owned(), value);
        }
    }
    object.into()
}
