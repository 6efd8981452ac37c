//! A JSON object as the [`Element`] that stands for the same record in XML.
//!
//! What is a member of which object is said here; what a value may be, and which members there must be, is said by
//! the schema, once for all sources.

use crate::siuss::element::Element;
use crate::siuss::fields::{self, Field};
use crate::siuss::notice::{Notice, Rule, Severity};

use super::tree::Tree;

pub(in crate::intake) static STRUCTURE: Rule = Rule {
    code: "JSON-02",
    severity: Severity::Errore,
    summary: "Un record JSON ha tipo e la struttura dell'XML: ogni membro una volta sola, valori come testi o numeri, \
              elementi come oggetti, elementi ripetuti come elenchi",
    source: "Interfaccia del prodotto, «Formats»",
};

/// Members of one object: the largest element has under fifty.
const MOST_MEMBERS: usize = 200;

/// An element: its attributes, and what may stand within, in the order of the schema.
struct Shape {
    name: &'static str,
    attributes: &'static [Field],
    children: &'static [Child],
}

enum Child {
    Element(&'static Shape),
    /// An element that holds a text and nothing else.
    Text(&'static str),
}

impl Child {
    fn name(&self) -> &'static str {
        match self {
            Self::Element(shape) => shape.name,
            Self::Text(name) => name,
        }
    }
}

const fn list(name: &'static str, children: &'static [Child]) -> Shape {
    Shape { name, attributes: &[], children }
}

static NECESSITA: Shape = list("NecessitaInterventiSociali", &[Child::Text("CodicePrestazione")]);
static INVALIDITA: Shape = list("InvaliditaCivile", &[Child::Text("InvCiv")]);
static PRESTAZIONI: Shape = list("Prestazioni", &[Child::Text("CodicePrestazione")]);
static FAMIGLIA: Shape = list("Famiglia", &[Child::Text("ComposizioneFamiglia")]);
static SINA: Shape = Shape {
    name: "SINA",
    attributes: fields::SINA,
    children: &[Child::Element(&NECESSITA), Child::Element(&INVALIDITA)],
};
static PRESTAZIONE: Shape =
    Shape { name: "PrestazioniSociali", attributes: fields::PRESTAZIONE, children: &[Child::Element(&SINA)] };
static ANAGRAFICA: Shape = Shape { name: "Anagrafica", attributes: fields::ANAGRAFICA, children: &[] };
static INDIRIZZO: Shape = Shape { name: "Indirizzo", attributes: fields::INDIRIZZO, children: &[] };
static BENEFICIARIO: Shape = Shape {
    name: "Beneficiario",
    attributes: fields::BENEFICIARIO,
    children: &[Child::Element(&ANAGRAFICA), Child::Element(&INDIRIZZO), Child::Element(&PRESTAZIONE)],
};
static SINBA: Shape = Shape {
    name: "SINBA",
    attributes: fields::SINBA,
    children: &[Child::Element(&PRESTAZIONI), Child::Element(&FAMIGLIA)],
};

/// The record that `tree` is, and what is wrong with it as JSON. None when it is no record at all.
pub(super) fn element(tree: Tree, line: u64) -> (Option<Element>, Vec<Notice>) {
    let Tree::Object(members) = tree else {
        let message = "Un record deve essere un oggetto JSON.";
        let remedy = "Scrivere {\"tipo\": \"PS_PSA_SINA\", \"Beneficiario\": {…}}.";
        return (None, vec![Notice::new(&STRUCTURE, "record", "", message, remedy)]);
    };
    let tipo = members.iter().find_map(|(name, value)| match value {
        Tree::Scalar(tipo) if name == "tipo" => Some(tipo.as_str()),
        _ => None,
    });
    let shape = match tipo {
        Some("PS_PSA_SINA") => &BENEFICIARIO,
        Some("SINBA") => &SINBA,
        other => {
            let message = "Manca il tipo del record, o non è ammesso.";
            let remedy =
                "Scrivere \"tipo\": \"PS_PSA_SINA\" (con Beneficiario) o \"tipo\": \"SINBA\" (con SINBA).";
            return (None, vec![Notice::new(&STRUCTURE, "tipo", other.unwrap_or_default(), message, remedy)]);
        }
    };
    let mut notices = Vec::new();
    let mut record = None;
    for (name, value) in once_each(members, "record", &mut notices) {
        match value {
            Tree::Object(members) if name == shape.name => {
                record = Some(read(shape, members, line, &mut notices));
            }
            _ if name == "tipo" => {}
            _ if name == shape.name => notices.push(wrong_kind(shape.name, "un oggetto")),
            _ => {
                let message = format!("Il membro {} non è previsto accanto a tipo.", short(&name));
                let remedy = format!("Toglierlo: il record ha tipo e {}.", shape.name);
                notices.push(Notice::new(&STRUCTURE, short(&name), "", message, remedy));
            }
        }
    }
    if record.is_none() && notices.is_empty() {
        let message = format!("Manca {}, che contiene il record.", shape.name);
        let remedy = format!("Scrivere {} accanto a tipo, o correggere tipo.", shape.name);
        notices.push(Notice::new(&STRUCTURE, shape.name, "", message, remedy));
    }
    (record, notices)
}

fn read(
    shape: &'static Shape,
    members: Vec<(String, Tree)>,
    line: u64,
    notices: &mut Vec<Notice>,
) -> Element {
    let mut element = Element::new(shape.name, line);
    for (name, value) in once_each(members, shape.name, notices) {
        let child = shape.children.iter().find(|child| child.name() == name);
        match (child, value) {
            // A member without a value stands for one that is not there.
            (_, Tree::Null) => {}
            (Some(child), Tree::List(items)) => {
                for item in items {
                    element.children.extend(read_child(child, item, line, notices));
                }
            }
            (Some(child), value) => element.children.extend(read_child(child, value, line, notices)),
            (None, Tree::Scalar(text)) => element.attributes.push((name.into(), text)),
            (None, _) if shape.attributes.iter().any(|field| field.name == name) => {
                notices.push(wrong_kind(name, "un testo o un numero"));
            }
            // Unknown, whatever it holds: the schema says so, and which name is near.
            (None, _) => element.attributes.push((name.into(), String::new())),
        }
    }
    // JSON has no order of members; XML has one of elements.
    element.children.sort_by_key(|child| shape.children.iter().position(|known| known.name() == child.name));
    element
}

fn read_child(child: &'static Child, value: Tree, line: u64, notices: &mut Vec<Notice>) -> Option<Element> {
    match (child, value) {
        (Child::Element(shape), Tree::Object(members)) => Some(read(shape, members, line, notices)),
        (Child::Text(name), Tree::Scalar(text)) => Some(Element { text, ..Element::new(*name, line) }),
        (Child::Element(shape), _) => {
            notices.push(wrong_kind(shape.name, "un oggetto, o un elenco di oggetti"));
            None
        }
        (Child::Text(name), _) => {
            notices.push(wrong_kind(*name, "un testo, o un elenco di testi"));
            None
        }
    }
}

/// The members of an object that has each once, and not too many; what is more is reported and left out.
fn once_each(
    members: Vec<(String, Tree)>,
    object: &'static str,
    notices: &mut Vec<Notice>,
) -> Vec<(String, Tree)> {
    if members.len() > MOST_MEMBERS {
        let message = format!("{object} ha {} membri: al massimo {MOST_MEMBERS}.", members.len());
        notices.push(Notice::new(&STRUCTURE, object, "", message, "Tenere quelli che lo schema prevede."));
        return Vec::new();
    }
    let mut once: Vec<(String, Tree)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        if once.iter().any(|(known, _)| *known == name) {
            let message = format!("Il membro {} compare più volte in {object}.", short(&name));
            let remedy = "Tenerne uno, o scrivere un elenco se l'elemento si può ripetere.";
            notices.push(Notice::new(&STRUCTURE, short(&name), "", message, remedy));
        } else {
            once.push((name, value));
        }
    }
    once
}

fn wrong_kind(name: impl Into<String>, expected: &str) -> Notice {
    let name = name.into();
    let message = format!("{name} non è del tipo giusto.");
    Notice::new(&STRUCTURE, name, "", message, format!("Scrivere {expected}."))
}

/// As much of a name as a message repeats.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}
