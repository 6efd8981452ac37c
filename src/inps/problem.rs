//! Refusals: whether they have the form of the contract, and what they say.

use serde_json::Value;

use super::check::printable;
use super::client::Answer;

/// Characters of a text in a problem.
const LONGEST_TEXT: usize = 4096;

/// What is wrong with the form of a problem, if anything.
pub(super) fn fault(answer: &Answer) -> Option<String> {
    if answer.media_type != "application/problem+json" {
        return Some(format!("its Content-Type is {:?}", printable(&answer.media_type)));
    }
    let Ok(Value::Object(members)) = serde_json::from_slice(&answer.body) else {
        return Some("its body is not a JSON object".to_owned());
    };
    members.iter().find_map(|(name, value)| {
        let right = match name.as_str() {
            "title" | "detail" | "type" | "instance" => {
                value.as_str().is_some_and(|text| text.chars().count() <= LONGEST_TEXT)
            }
            "status" => value.as_u64() == Some(u64::from(answer.status)),
            _ => return Some(format!("its member {:?} is not in the contract", printable(name))),
        };
        (!right).then(|| format!("its {name} is not what the contract and the HTTP status ask for"))
    })
}

/// The status of an answer, and what it says for itself.
pub(super) fn describe(answer: &Answer) -> String {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let said = body
        .as_ref()
        .and_then(|body| ["detail", "title"].iter().find_map(|name| body.get(name).and_then(Value::as_str)));
    match said {
        Some(said) if !answer.is_success() => format!("status {} ({})", answer.status, printable(said)),
        _ => format!("status {}", answer.status),
    }
}
