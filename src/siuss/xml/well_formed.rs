//! What quick-xml lets pass and XML 1.0 does not: characters, spacing of attributes, declarations, instructions.

use quick_xml::events::{BytesDecl, BytesPI, BytesStart};

use super::super::notice::Notice;
use super::super::values::is_xml_char;
use super::parser::{fatal, ill_formed};

/// Refuses attributes that no white space separates.
pub(super) fn check_spacing(tag: &str, line: u64) -> Result<(), Notice> {
    let mut quote = None;
    let mut closed = false;
    for byte in tag.bytes() {
        if let Some(open) = quote {
            closed = byte == open;
            quote = (!closed).then_some(open);
        } else {
            if closed && !byte.is_ascii_whitespace() {
                return Err(ill_formed(line, "tra due attributi manca uno spazio"));
            }
            closed = false;
            quote = matches!(byte, b'"' | b'\'').then_some(byte);
        }
    }
    Ok(())
}

/// `text`, unless it has a character that XML cannot carry.
pub(super) fn checked(text: String, line: u64) -> Result<String, Notice> {
    if text.chars().all(is_xml_char) {
        Ok(text)
    } else {
        Err(ill_formed(line, "c'è un carattere di controllo, che XML non ammette"))
    }
}

/// Refuses an XML declaration without a version 1, or with anything but an encoding and a `standalone` after it.
pub(super) fn check_declaration(declaration: &BytesDecl<'_>, line: u64) -> Result<(), Notice> {
    check_spacing(declaration, line)?;
    let mut expected = ["version", "encoding", "standalone"].into_iter();
    let mut versioned = false;
    for attribute in BytesStart::from_content(&**declaration, "xml".len()).attributes() {
        let attribute = attribute.map_err(|error| fatal(line, &quick_xml::Error::from(error)))?;
        let value = attribute.value.as_ref();
        let fits = match expected.find(|name| *name == attribute.key.as_ref()) {
            Some("version") => {
                versioned = true;
                value
                    .strip_prefix("1.")
                    .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()))
            }
            Some("standalone") => matches!(value, "yes" | "no"),
            Some(_) => true,
            None => false,
        };
        if !fits {
            return Err(ill_formed(line, "la dichiarazione XML è sbagliata"));
        }
    }
    if versioned { Ok(()) } else { Err(ill_formed(line, "la dichiarazione XML è senza versione")) }
}

/// Refuses a processing instruction without a target, or with one that XML keeps for itself.
pub(super) fn check_instruction(instruction: &BytesPI<'_>, line: u64) -> Result<(), Notice> {
    let target = instruction.target();
    let named = target
        .chars()
        .next()
        .is_some_and(|first| !first.is_ascii() || first.is_ascii_alphabetic() || matches!(first, '_' | ':'));
    if !named || target.eq_ignore_ascii_case("xml") {
        return Err(ill_formed(line, "un'istruzione di elaborazione è senza un nome ammesso"));
    }
    checked(instruction.to_string(), line).map(drop)
}
