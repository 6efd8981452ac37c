//! From elements to records: the outline of a document, one record at a time.

use std::io::BufRead;

use super::super::element::{Element, STRUCTURE};
use super::super::notice::Notice;
use super::super::record::{EnteErogatore, Flusso, NomeFlusso, Record, read_empty};
use super::parser::{Encoding, Form, Mark, Parser, Text, ill_formed};

/// A part of a document.
#[derive(Debug)]
pub enum Item {
    /// `IdentificazioneFlusso`.
    Identificazione(Element),
    /// A `Beneficiario` with one of its benefits, or a `SINBA`.
    Record(Element),
    /// A fault of the outline; what follows can still be read.
    Fault(Notice),
}

/// Where the reading stands.
enum Place {
    /// Before the root.
    Prolog,
    /// In the root; whether `IdentificazioneFlusso` was seen.
    Flusso { identified: bool },
    /// In a `Beneficiario`: what its benefits have in common, how many there were, and how many bytes of the source
    /// came before.
    Beneficiario { common: Element, benefits: usize, begun: u64 },
    /// After the root, or after an error: there is nothing more to read.
    End,
}

/// A document read piece by piece: an iterator that ends after the first error that makes the rest unreadable.
pub struct Document<R> {
    parser: Parser<R>,
    place: Place,
    fatal: bool,
}

impl<R: BufRead> Document<R> {
    /// Reads `source`, UTF-8.
    pub fn new(source: R, encoding: Encoding) -> Self {
        Self { parser: Parser::new(source, encoding), place: Place::Prolog, fatal: false }
    }

    /// Whether an error made the rest of the document unreadable.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.fatal
    }

    /// The next item; an error ends the document.
    fn advance(&mut self) -> Result<Option<Item>, Notice> {
        loop {
            let (element, open) = match self.parser.next()? {
                Mark::Start(element) => (element, true),
                Mark::Empty(element) => (element, false),
                Mark::Text(text) => match self.text(&text)? {
                    Some(fault) => return Ok(Some(fault)),
                    None => continue,
                },
                Mark::End => match self.leave() {
                    Some(item) => return Ok(Some(item)),
                    None => continue,
                },
                Mark::Eof => return self.finish(),
            };
            if let Some(item) = self.enter(element, open)? {
                return Ok(Some(item));
            }
        }
    }

    /// What the start of `element` means here.
    fn enter(&mut self, element: Element, open: bool) -> Result<Option<Item>, Notice> {
        match &mut self.place {
            Place::Prolog => {
                if element.name != "Flusso" {
                    return Err(other_root(&element));
                }
                let fault = attribute_of_the_root(&element);
                self.place = if open { Place::Flusso { identified: false } } else { Place::End };
                if fault.is_none() && !open {
                    return Ok(Some(Item::Fault(no_identification(element.line))));
                }
                Ok(fault.map(Item::Fault))
            }
            Place::Flusso { identified } => {
                if element.name == "IdentificazioneFlusso" && !*identified {
                    *identified = true;
                    return Ok(Some(Item::Identificazione(self.whole(element, open)?)));
                }
                let fault = (!std::mem::replace(identified, true)).then(|| no_identification(element.line));
                match &*element.name {
                    "Beneficiario" if open => {
                        let begun = self.parser.passed();
                        self.place = Place::Beneficiario { common: element, benefits: 0, begun };
                        Ok(fault.map(Item::Fault))
                    }
                    "Beneficiario" | "SINBA" if fault.is_none() => {
                        Ok(Some(Item::Record(self.whole(element, open)?)))
                    }
                    _ => {
                        let line = element.line;
                        let name = self.whole(element, open)?.name;
                        Ok(Some(Item::Fault(fault.unwrap_or_else(|| misplaced(line, &name, "Flusso")))))
                    }
                }
            }
            Place::Beneficiario { .. } => {
                let line = element.line;
                let element = self.whole(element, open)?;
                let Place::Beneficiario { common, benefits, begun } = &mut self.place else {
                    return Ok(None);
                };
                if element.name == "PrestazioniSociali" {
                    *benefits += 1;
                    let mut record = common.clone();
                    record.line = line;
                    record.children.push(element);
                    Ok(Some(Item::Record(record)))
                } else if *benefits == 0 {
                    self.parser.bound(*begun)?;
                    common.children.push(element);
                    Ok(None)
                } else {
                    Ok(Some(Item::Fault(misplaced(line, &element.name, "Beneficiario"))))
                }
            }
            Place::End => Err(ill_formed(
                element.line,
                "dopo la fine del documento ne comincia un altro, e ognuno va in un file suo",
            )),
        }
    }

    /// `element` with its content.
    fn whole(&mut self, element: Element, open: bool) -> Result<Element, Notice> {
        if open { self.parser.complete(element) } else { Ok(element) }
    }

    /// What the end of the open element means here.
    fn leave(&mut self) -> Option<Item> {
        match std::mem::replace(&mut self.place, Place::End) {
            Place::Beneficiario { common, benefits, .. } => {
                self.place = Place::Flusso { identified: true };
                // A person without benefits is a record that the schema refuses.
                (benefits == 0).then_some(Item::Record(common))
            }
            Place::Flusso { identified: false } => Some(Item::Fault(no_identification(self.parser.line()))),
            Place::Flusso { identified: true } | Place::Prolog | Place::End => None,
        }
    }

    /// What a text means here, where only white space may stand: outside the root as it is, within as no CDATA section.
    fn text(&self, text: &Text) -> Result<Option<Item>, Notice> {
        // What is wrong is not the line break after a tag, but what follows it.
        let breaks = text.content.chars().take_while(|character| character.is_whitespace());
        let breaks = u64::try_from(breaks.filter(|character| *character == '\n').count()).unwrap_or(u64::MAX);
        let line = self.parser.line().saturating_add(breaks);
        match self.place {
            Place::Prolog | Place::End if text.is_blank() && text.form == Form::Literal => Ok(None),
            Place::Prolog | Place::End => Err(ill_formed(line, "c'è un testo fuori dal documento")),
            Place::Flusso { .. } | Place::Beneficiario { .. }
                if text.is_blank() && text.form != Form::Cdata =>
            {
                Ok(None)
            }
            Place::Flusso { .. } | Place::Beneficiario { .. } => Ok(Some(Item::Fault(Notice {
                line: Some(line),
                ..Notice::new(
                    &STRUCTURE,
                    "Flusso",
                    text.content.trim(),
                    "C'è un testo dove lo schema prevede solo elementi.",
                    "Togliere il testo.",
                )
            }))),
        }
    }

    fn finish(&mut self) -> Result<Option<Item>, Notice> {
        match self.place {
            Place::End => Ok(None),
            Place::Prolog => Err(ill_formed(self.parser.line(), "il file è vuoto")),
            Place::Flusso { .. } | Place::Beneficiario { .. } => {
                Err(ill_formed(self.parser.line(), "il file finisce prima della chiusura di un elemento"))
            }
        }
    }
}

impl<R: BufRead> Iterator for Document<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.fatal {
            return None;
        }
        match self.advance() {
            Ok(item) => item,
            Err(notice) => {
                self.fatal = true;
                Some(Item::Fault(notice))
            }
        }
    }
}

/// Nothing of a document with another root is what it seems.
fn other_root(root: &Element) -> Notice {
    let name = match root.name.strip_prefix("{}") {
        Some(name) => format!("{name} senza namespace"),
        None => root.name.to_string(),
    };
    let message = format!("L'elemento iniziale è {name}, e non Flusso nel namespace {}.", super::NAMESPACE);
    let remedy = "Controllare che il file sia un flusso SIUSS, e che il namespace sia scritto per intero.";
    Notice { line: Some(root.line), ..Notice::new(&STRUCTURE, "Flusso", "", message, remedy) }
}

fn attribute_of_the_root(root: &Element) -> Option<Notice> {
    root.attributes.first().map(|(name, value)| Notice {
        line: Some(root.line),
        ..Notice::new(
            &STRUCTURE,
            name.clone(),
            value,
            format!("L'attributo {name} non è previsto in Flusso."),
            "Toglierlo.",
        )
    })
}

fn no_identification(line: u64) -> Notice {
    Notice {
        line: Some(line),
        ..Notice::new(
            &STRUCTURE,
            "IdentificazioneFlusso",
            "",
            "Manca IdentificazioneFlusso all'inizio di Flusso.",
            "Scrivere IdentificazioneFlusso come primo elemento, con l'Ente.",
        )
    }
}

fn misplaced(line: u64, name: &str, parent: &str) -> Notice {
    Notice {
        line: Some(line),
        ..Notice::new(
            &STRUCTURE,
            name.to_owned(),
            "",
            format!("L'elemento {name} non è previsto in questo punto di {parent}."),
            "Toglierlo, o spostarlo dove lo schema lo prevede.",
        )
    }
}

/// Reads one flow: one `IdentificazioneFlusso`, one record, nothing else.
pub fn read(xml: &[u8]) -> Result<Flusso, Vec<Notice>> {
    let mut notices = Vec::new();
    let mut identificazione = None;
    let mut records = Vec::new();
    let mut document = Document::new(xml, Encoding::Utf8);
    for item in &mut document {
        match item {
            Item::Identificazione(element) => identificazione = read_identificazione(&element, &mut notices),
            Item::Record(element) => records.push(Record::read(&element, &mut notices)),
            Item::Fault(notice) => notices.push(notice),
        }
    }
    if records.len() != 1 && !document.is_broken() {
        notices.push(Notice::new(
            &STRUCTURE,
            "Flusso",
            &records.len().to_string(),
            "Un flusso porta un solo beneficiario e una sola prestazione.",
            "Dividere il file in un flusso per prestazione.",
        ));
    }
    match (identificazione, records.pop().flatten()) {
        (Some((nome, ente)), Some(record)) if notices.is_empty() => Ok(Flusso { nome, ente, record }),
        _ => Err(notices),
    }
}

/// Reads the name of the flow and its ente.
pub(crate) fn read_identificazione(
    element: &Element,
    notices: &mut Vec<Notice>,
) -> Option<(NomeFlusso, EnteErogatore)> {
    use super::super::element::{Attributes, Sequence};
    let nome = Attributes::new(element, &["Nome"], notices).required::<NomeFlusso>("Nome");
    let mut children = Sequence::new(element, notices);
    let ente = children.take("Ente", 1, 1, notices).first();
    children.end(notices);
    let ente = ente.and_then(|ente| read_empty::<EnteErogatore>(ente, notices));
    Some((nome?, ente?))
}
