//! What a table needs so that a spreadsheet shows what stands in it, and runs none of it. Pure.

/// A cell that a spreadsheet takes for text, never for a formula: it would run what somebody else wrote.
pub(crate) fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
