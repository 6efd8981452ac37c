//! From bytes to elements: well-formedness, namespaces, and the bounds on what a document may cost.
//!
//! quick-xml finds the marks; what it lets pass and XML 1.0 does not is refused by `well_formed`. A DOCTYPE and every
//! entity beyond the five of XML are refused, so that nothing can be expanded or fetched.

use std::borrow::Cow;
use std::io::{self, BufRead};

use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::errors::IllFormedError;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, ResolveResult};

use super::super::element::Element;
use super::super::notice::{Notice, Rule, Severity};
use super::NAMESPACE;
use super::limited::{Limited, TokenTooLong};
use super::well_formed::{check_declaration, check_instruction, check_spacing, checked};

const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Bytes of one tag, text or comment.
const LONGEST_TOKEN: usize = 256 * 1024;
/// Elements within one record, or within one of its parts.
const MOST_ELEMENTS: usize = 10_000;
/// Elements one inside the other.
const DEEPEST: usize = 16;
/// Bytes of one record, or of what the benefits of one person have in common.
const LARGEST_RECORD: u64 = 1024 * 1024;
/// Attributes of one element: the schemas know 49 at most.
const MOST_ATTRIBUTES: usize = 128;

/// The rules of the form of a file of XML.
pub static RULES: &[&Rule] = &[&WELL_FORMED, &PLAIN, &BOUNDED, &ENCODED];

static WELL_FORMED: Rule = Rule {
    code: "XML-01",
    severity: Severity::Errore,
    summary: "Il file è XML ben formato",
    source: "XML 1.0",
};
static PLAIN: Rule = Rule {
    code: "XML-02",
    severity: Severity::Errore,
    summary: "Il file non ha DOCTYPE, né entità oltre alle cinque di XML",
    source: "Difesa da entità esterne e da espansioni",
};
static BOUNDED: Rule = Rule {
    code: "XML-03",
    severity: Severity::Errore,
    summary: "Nessun record supera le dimensioni ammesse",
    source: "Difesa dall'esaurimento della memoria",
};
static ENCODED: Rule = Rule {
    code: "XML-04",
    severity: Severity::Errore,
    summary: "Il file è in una codifica ammessa",
    source: "Tracciato di scambio, codifiche",
};

/// What the XML declaration may say of the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, or nothing.
    Utf8,
    /// Anything: the bytes were converted to UTF-8 on their way here.
    Converted,
}

/// What the parser found next.
pub(super) enum Mark {
    /// The start of an element, whose content comes after.
    Start(Element),
    /// An element without content.
    Empty(Element),
    /// The end of the element that is open.
    End,
    /// A text.
    Text(Text),
    /// The end of the document.
    Eof,
}

/// A piece of text, and how it was written: where only white space may stand, that matters.
pub(super) struct Text {
    pub(super) content: String,
    pub(super) form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it stands.
    Literal,
    /// As a reference to a character.
    Reference,
    /// As a CDATA section.
    Cdata,
}

impl Text {
    /// Whether it is white space only.
    pub(super) fn is_blank(&self) -> bool {
        self.content.trim_matches([' ', '\t', '\r', '\n']).is_empty()
    }
}

/// Reads marks and whole elements.
pub(super) struct Parser<R> {
    reader: NsReader<Limited<R>>,
    buffer: Vec<u8>,
    encoding: Encoding,
    started: bool,
    line: u64,
}

impl<R: BufRead> Parser<R> {
    pub(super) fn new(source: R, encoding: Encoding) -> Self {
        let mut reader = NsReader::from_reader(Limited::new(source, LONGEST_TOKEN));
        reader.config_mut().enable_all_checks(true);
        Self { reader, buffer: Vec::new(), encoding, started: false, line: 1 }
    }

    /// The line that the last mark began on.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// How many bytes of the source were taken so far.
    pub(super) fn passed(&self) -> u64 {
        self.reader.get_ref().passed
    }

    /// Refuses what began after `begun` bytes of the source, if it is longer than a record may be.
    pub(super) fn bound(&self, begun: u64) -> Result<(), Notice> {
        if self.passed().saturating_sub(begun) > LARGEST_RECORD {
            return Err(too_large(self.line, "un record è troppo lungo"));
        }
        Ok(())
    }

    /// The next mark; comments and processing instructions are passed over.
    pub(super) fn next(&mut self) -> Result<Mark, Notice> {
        loop {
            let line = self.reader.get_ref().line;
            self.line = line;
            self.buffer.clear();
            self.reader.get_mut().left = LONGEST_TOKEN;
            let first = !std::mem::replace(&mut self.started, true);
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(error) => return Err(fatal(line, &error)),
            };
            let resolver = self.reader.resolver();
            let resolve = |tag: &BytesStart<'_>| element(tag, resolver, line);
            let text = |content: String, form: Form| {
                checked(content, line).map(|content| Mark::Text(Text { content, form }))
            };
            return Ok(match event {
                Event::Start(tag) => Mark::Start(resolve(&tag)?),
                Event::Empty(tag) => Mark::Empty(resolve(&tag)?),
                Event::End(_) => Mark::End,
                Event::Text(found) => {
                    if found.contains("]]>") {
                        return Err(ill_formed(line, "la sequenza «]]>» non può stare in un testo"));
                    }
                    text(found.xml10_content().into_owned(), Form::Literal)?
                }
                Event::CData(found) => text(found.xml10_content().into_owned(), Form::Cdata)?,
                Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                    Ok(Some(character)) => text(character.to_string(), Form::Reference)?,
                    Ok(None) => match resolve_predefined_entity(&reference) {
                        Some(character) => text(character.to_owned(), Form::Reference)?,
                        None => return Err(unknown_entity(line, &reference)),
                    },
                    Err(error) => return Err(fatal(line, &error)),
                },
                Event::Decl(declaration) if first => {
                    check_declaration(&declaration, line)?;
                    let encoding = declaration
                        .encoding()
                        .transpose()
                        .map_err(|error| fatal(line, &quick_xml::Error::from(error)))?;
                    if let Some(name) = encoding
                        && self.encoding == Encoding::Utf8
                        && !name.eq_ignore_ascii_case("utf-8")
                    {
                        return Err(unsupported_encoding(&name));
                    }
                    continue;
                }
                Event::Decl(_) => {
                    let what =
                        "la dichiarazione XML non è all'inizio, come quando due documenti sono uniti in uno";
                    return Err(ill_formed(line, what));
                }
                Event::DocType(_) => {
                    return Err(at(
                        line,
                        Notice::new(
                            &PLAIN,
                            "DOCTYPE",
                            "",
                            "Il file ha una dichiarazione DOCTYPE, che non è ammessa.",
                            "Togliere la dichiarazione DOCTYPE.",
                        ),
                    ));
                }
                Event::Comment(text) => {
                    checked(text.into_inner().into_owned(), line)?;
                    continue;
                }
                Event::PI(instruction) => {
                    check_instruction(&instruction, line)?;
                    continue;
                }
                Event::Eof => Mark::Eof,
            });
        }
    }

    /// Reads what `element` contains, up to its end.
    pub(super) fn complete(&mut self, mut element: Element) -> Result<Element, Notice> {
        let mut open: Vec<Element> = Vec::new();
        let mut count = 0;
        let begun = self.passed();
        loop {
            match self.next()? {
                Mark::Start(child) => {
                    open.push(std::mem::replace(&mut element, child));
                    if open.len() > DEEPEST {
                        return Err(too_large(self.line, "gli elementi sono annidati troppo in profondità"));
                    }
                }
                Mark::Empty(child) => element.children.push(child),
                Mark::Text(text) => {
                    element.cdata |= text.form == Form::Cdata;
                    element.text.push_str(&text.content);
                }
                Mark::End => match open.pop() {
                    None => return Ok(element),
                    Some(mut parent) => {
                        parent.children.push(std::mem::take(&mut element));
                        element = parent;
                    }
                },
                Mark::Eof => {
                    return Err(ill_formed(self.line, "il file finisce prima della chiusura di un elemento"));
                }
            }
            count += 1;
            if count > MOST_ELEMENTS {
                return Err(too_large(self.line, "un record ha troppi elementi"));
            }
            self.bound(begun)?;
        }
    }
}

/// The element that `tag` opens, its name and attributes resolved.
fn element(
    tag: &BytesStart<'_>,
    resolver: &quick_xml::name::NamespaceResolver,
    line: u64,
) -> Result<Element, Notice> {
    check_spacing(tag, line)?;
    let (namespace, local) = resolver.resolve_element(tag.name());
    let name = match namespace {
        ResolveResult::Bound(namespace) => match namespace_name(namespace.as_ref()).as_ref() {
            NAMESPACE => local.as_ref().to_owned(),
            other => format!("{{{other}}}{}", local.as_ref()),
        },
        ResolveResult::Unbound => format!("{{}}{}", local.as_ref()),
        ResolveResult::Unknown(prefix) => return Err(unknown_prefix(line, &prefix)),
    };
    let mut element = Element::new(name, line);
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| fatal(line, &quick_xml::Error::from(error)))?;
        if attribute.value.contains('<') {
            return Err(ill_formed(line, "il carattere «<» non può stare nel valore di un attributo"));
        }
        if element.attributes.len() >= MOST_ATTRIBUTES {
            return Err(too_large(line, "un elemento ha troppi attributi"));
        }
        let value = match attribute.normalized_value(XmlVersion::Implicit1_0) {
            Ok(value) => checked(value.into_owned(), line)?,
            Err(quick_xml::Error::Escape(quick_xml::escape::EscapeError::UnrecognizedEntity(_, name))) => {
                return Err(unknown_entity(line, &name));
            }
            Err(error) => return Err(fatal(line, &error)),
        };
        match attribute.key.as_namespace_binding() {
            Some(PrefixDeclaration::Named(_)) if value.is_empty() => {
                return Err(ill_formed(line, "un prefisso è dichiarato senza namespace"));
            }
            Some(_) => continue,
            None => {}
        }
        let (namespace, local) = resolver.resolve_attribute(attribute.key);
        let name = match namespace {
            ResolveResult::Unbound => local.as_ref().to_owned(),
            ResolveResult::Bound(namespace) => match namespace_name(namespace.as_ref()).as_ref() {
                SCHEMA_INSTANCE
                    if matches!(local.as_ref(), "schemaLocation" | "noNamespaceSchemaLocation") =>
                {
                    continue;
                }
                other => format!("{{{other}}}{}", local.as_ref()),
            },
            ResolveResult::Unknown(prefix) => return Err(unknown_prefix(line, &prefix)),
        };
        element.attributes.push((name.into(), value));
    }
    Ok(element)
}

/// The name of a namespace, of which quick-xml gives the spelling.
fn namespace_name(spelling: &str) -> Cow<'_, str> {
    unescape(spelling).unwrap_or(Cow::Borrowed(spelling))
}

fn at(line: u64, notice: Notice) -> Notice {
    Notice { line: Some(line), ..notice }
}

pub(super) fn ill_formed(line: u64, what: &str) -> Notice {
    let message = format!("Il file non è XML ben formato: {what}.");
    at(
        line,
        Notice::new(&WELL_FORMED, "XML", "", message, "Correggere il file da questa riga in poi e ripetere."),
    )
}

fn too_large(line: u64, what: &str) -> Notice {
    let message = format!("Il file supera le dimensioni ammesse: {what}.");
    at(line, Notice::new(&BOUNDED, "XML", "", message, "Controllare che il file sia un flusso SIUSS."))
}

/// What is said of a declared encoding that is not read.
pub(super) fn unsupported_encoding(name: &str) -> Notice {
    at(
        1,
        Notice::new(
            &ENCODED,
            "encoding",
            name,
            format!("La codifica {name} non è ammessa."),
            "Salvare il file in UTF-8, UTF-16, ISO-8859-1 o Windows-1252.",
        ),
    )
}

fn wrongly_encoded(line: u64) -> Notice {
    at(
        line,
        Notice::new(
            &ENCODED,
            "encoding",
            "",
            "Il file non è nella codifica che dichiara.",
            "Salvare di nuovo il file in UTF-8.",
        ),
    )
}

fn unknown_entity(line: u64, name: &str) -> Notice {
    at(
        line,
        Notice::new(
            &PLAIN,
            "entità",
            name,
            format!("L'entità &{name}; non è ammessa."),
            "Scrivere il carattere stesso, o una delle entità &amp; &lt; &gt; &quot; &apos;.",
        ),
    )
}

fn unknown_prefix(line: u64, prefix: &str) -> Notice {
    ill_formed(line, &format!("il prefisso {prefix} non è dichiarato"))
}

pub(super) fn fatal(line: u64, error: &quick_xml::Error) -> Notice {
    match error {
        quick_xml::Error::Io(cause)
            if cause.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<TokenTooLong>) =>
        {
            too_large(line, "un solo elemento o testo è troppo lungo")
        }
        quick_xml::Error::Encoding(_) => wrongly_encoded(line),
        quick_xml::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => wrongly_encoded(line),
        quick_xml::Error::Io(_) => ill_formed(line, "la lettura si è interrotta"),
        quick_xml::Error::Syntax(_) => {
            ill_formed(line, "un elemento, un commento o un'istruzione non è chiuso")
        }
        quick_xml::Error::IllFormed(IllFormedError::DoubleHyphenInComment) => {
            ill_formed(line, "in un commento ci sono due trattini di seguito")
        }
        quick_xml::Error::IllFormed(_) => {
            ill_formed(line, "i tag di apertura e di chiusura non si corrispondono")
        }
        quick_xml::Error::InvalidAttr(_) => ill_formed(line, "un attributo è scritto male o ripetuto"),
        quick_xml::Error::Escape(_) => {
            ill_formed(line, "un'entità o il riferimento a un carattere è scritto male")
        }
        quick_xml::Error::Namespace(_) => ill_formed(line, "un prefisso di namespace è usato male"),
    }
}
