//! A record as its source gave it: elements, attributes and texts by their names in the XML, nothing judged.
//!
//! XML, CSV and JSON all become this tree, and [`super::record`] makes typed records of it; so a rule of the schema is
//! stated once, whatever the source.

use std::borrow::Cow;

use super::notice::{Notice, Rule, Severity};
use super::values::{Value, is_xml_char};

/// An element of the XML, or what stands for it in another source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its local name; `{namespace}name` when its namespace is not that of the flows.
    pub name: Cow<'static, str>,
    /// The line of the source on which it begins, from 1.
    pub line: u64,
    /// Names and values, in the order of the source.
    pub attributes: Vec<(Cow<'static, str>, String)>,
    /// The elements within, in the order of the source.
    pub children: Vec<Element>,
    /// The text within, white space included.
    pub text: String,
    /// Whether some of the text is a CDATA section, which is text even when blank.
    pub cdata: bool,
}

pub(super) static MISSING: Rule = Rule {
    code: "XSD-01",
    severity: Severity::Errore,
    summary: "Ogni attributo ed elemento obbligatorio è presente",
    source: "PS_PSA_SINA201812.xsd, SINBA.xsd",
};
pub(super) static UNKNOWN: Rule = Rule {
    code: "XSD-02",
    severity: Severity::Errore,
    summary: "Non ci sono attributi o elementi che lo schema non prevede",
    source: "PS_PSA_SINA201812.xsd, SINBA.xsd",
};
pub(super) static VALUE: Rule = Rule {
    code: "XSD-03",
    severity: Severity::Errore,
    summary: "Ogni valore ha la forma che lo schema prevede",
    source: "PS_PSA_SINA201812.xsd, SINBA.xsd",
};
pub(super) static STRUCTURE: Rule = Rule {
    code: "XSD-04",
    severity: Severity::Errore,
    summary: "Gli elementi sono nell'ordine e nel numero che lo schema prevede, e il testo solo dove è previsto",
    source: "PS_PSA_SINA201812.xsd, SINBA.xsd",
};

impl Element {
    /// An element with a name and nothing else.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, line: u64) -> Self {
        Self { name: name.into(), line, ..Self::default() }
    }

    /// The value of the attribute `name`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets the attribute `name`, or removes it.
    pub fn set_attribute(&mut self, name: &str, value: Option<String>) {
        let position = self.attributes.iter().position(|(key, _)| key == name);
        match (position.and_then(|index| self.attributes.get_mut(index)), value) {
            (Some(attribute), Some(value)) => attribute.1 = value,
            (Some(_), None) => self.attributes.retain(|(key, _)| key != name),
            (None, Some(value)) => self.attributes.push((name.to_owned().into(), value)),
            (None, None) => {}
        }
    }

    /// The first child called `name`.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first child called `name`, to change it.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.children.iter_mut().find(|child| child.name == name)
    }

    /// Reports text where the schema has elements only: white space between them is none.
    fn check_no_text(&self, notices: &mut Vec<Notice>) {
        self.check_text(self.text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')), notices);
    }

    /// Reports anything within, white space too, where the schema has nothing.
    pub(super) fn check_empty(&self, notices: &mut Vec<Notice>) {
        self.check_text(self.text.is_empty(), notices);
        Sequence::of(self).end(notices);
    }

    fn check_text(&self, fits: bool, notices: &mut Vec<Notice>) {
        if !fits || self.cdata {
            notices.push(at(
                self.line,
                Notice::new(
                    &STRUCTURE,
                    self.name.clone(),
                    self.text.trim(),
                    format!("Dentro {} c'è un testo, che lo schema non prevede.", self.name),
                    "Togliere il testo.",
                ),
            ));
        }
    }
}

/// What is said of the list `field` that holds no value.
pub(super) fn empty_list<T: Value>(element: &Element, field: &'static str) -> Notice {
    let message = format!("Manca {field}: serve almeno un valore.");
    let remedy = format!("Scrivere {}. In un CSV più valori si separano con |.", expected::<T>(field));
    at(element.line, Notice::new(&MISSING, field, "", message, remedy))
}

fn at(line: u64, notice: Notice) -> Notice {
    Notice { line: Some(line), ..notice }
}

/// Reads the attributes of one element, and reports what the schema does not allow.
pub(super) struct Attributes<'a> {
    element: &'a Element,
    /// Where the next one stands, if they are in the order in which they are asked for.
    next: usize,
    notices: &'a mut Vec<Notice>,
}

impl<'a> Attributes<'a> {
    /// The attributes of `element`, which may have those of `names` and no others.
    pub(super) fn new(element: &'a Element, names: &[&'static str], notices: &'a mut Vec<Notice>) -> Self {
        // Most sources keep to the order of the schema.
        let mut rest = names;
        for (name, value) in &element.attributes {
            if let Some(place) = rest.iter().position(|known| known == name) {
                rest = rest.get(place + 1..).unwrap_or_default();
            } else if !names.contains(&name.as_ref()) {
                let message = format!("L'attributo {name} non è previsto in {}.", element.name);
                let remedy = match super::fields::nearest(name, names) {
                    Some(near) => format!("Toglierlo, o correggerne il nome: forse {near}."),
                    None => "Toglierlo.".to_owned(),
                };
                notices.push(at(element.line, Notice::new(&UNKNOWN, name.clone(), value, message, remedy)));
            }
        }
        Self { element, next: 0, notices }
    }

    fn text(&mut self, name: &str) -> Option<&'a str> {
        match self.element.attributes.get(self.next) {
            Some((key, text)) if key == name => {
                self.next += 1;
                Some(text)
            }
            _ => self.element.attribute(name),
        }
    }

    /// The value of an attribute that must be there.
    pub(super) fn required<T: Value>(&mut self, name: &'static str) -> Option<T> {
        if let Some(text) = self.text(name) {
            return self.read(name, text);
        }
        self.notices.push(at(
            self.element.line,
            Notice::new(
                &MISSING,
                name,
                "",
                format!("Manca {name}, che è obbligatorio."),
                format!("Scrivere {}.", expected::<T>(name)),
            ),
        ));
        None
    }

    /// The value of an attribute that may be absent. `None` when it is there and wrong.
    #[expect(clippy::option_option, reason = "absent and wrong are different answers")]
    pub(super) fn optional<T: Value>(&mut self, name: &'static str) -> Option<Option<T>> {
        match self.text(name) {
            None => Some(None),
            Some(text) => self.read(name, text).map(Some),
        }
    }

    fn read<T: Value>(&mut self, name: &'static str, text: &str) -> Option<T> {
        let value = T::read(text);
        if value.is_none() {
            self.notices.push(at(self.element.line, wrong_value::<T>(name, text)));
        }
        value
    }
}

/// What is said of `text`, which `T` does not admit.
fn wrong_value<T: Value>(name: &'static str, text: &str) -> Notice {
    if let Some(notice) = super::codice_fiscale::unsendable(name, text) {
        return notice;
    }
    if !text.chars().all(is_xml_char) {
        let message = format!("Il valore di {name} contiene un carattere di controllo, che non si vede.");
        return Notice::new(&VALUE, name, text, message, "Cancellare il valore e scriverlo di nuovo.");
    }
    Notice::new(
        &VALUE,
        name,
        text,
        format!("Il valore di {name} non è ammesso."),
        format!("Scrivere {}.", expected::<T>(name)),
    )
}

/// What a valid value of the field `name` looks like.
fn expected<T: Value>(name: &str) -> String {
    super::fields::expected(name).map_or_else(T::expected, str::to_owned)
}

/// Takes the children of one element in the order of the schema, and reports those that are out of place.
pub(super) struct Sequence<'a> {
    parent: &'a Element,
    rest: &'a [Element],
    /// Those of the rest that were reported already, by their names.
    misplaced: Vec<&'static str>,
}

impl<'a> Sequence<'a> {
    /// The children of `parent`.
    pub(super) fn new(parent: &'a Element, notices: &mut Vec<Notice>) -> Self {
        parent.check_no_text(notices);
        Self::of(parent)
    }

    /// [`Sequence::new`], whatever text there is.
    fn of(parent: &'a Element) -> Self {
        Self { parent, rest: &parent.children, misplaced: Vec::new() }
    }

    /// The next children, as long as they are called `name`: at least `least` and at most `most`.
    pub(super) fn take(
        &mut self,
        name: &'static str,
        least: usize,
        most: usize,
        notices: &mut Vec<Notice>,
    ) -> &'a [Element] {
        let count = self.rest.iter().take_while(|child| child.name == name).count();
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.rest = rest;
        if count < least {
            let message = if rest.iter().any(|child| child.name == name) {
                self.misplaced.push(name);
                format!("{name} è fuori posto in {}.", self.parent.name)
            } else {
                format!("Manca {name} in {}.", self.parent.name)
            };
            let remedy = format!("Scrivere {name} nella posizione che lo schema prevede.");
            notices.push(at(self.parent.line, Notice::new(&MISSING, name, "", message, remedy)));
        } else if let Some(extra) = taken.get(most) {
            notices.push(at(
                extra.line,
                Notice::new(
                    &STRUCTURE,
                    name,
                    "",
                    format!("In {} ci sono {count} elementi {name}: al massimo {most}.", self.parent.name),
                    "Togliere quelli in più, o dividere il record.",
                ),
            ));
        }
        taken
    }

    /// Reports every child that was not taken.
    pub(super) fn end(self, notices: &mut Vec<Notice>) {
        for child in self.rest.iter().filter(|child| !self.misplaced.contains(&child.name.as_ref())) {
            notices.push(at(
                child.line,
                Notice::new(
                    &UNKNOWN,
                    child.name.clone(),
                    child.text.trim(),
                    format!(
                        "L'elemento {} non è previsto in questo punto di {}.",
                        child.name, self.parent.name
                    ),
                    "Toglierlo, o spostarlo dove lo schema lo prevede.",
                ),
            ));
        }
    }
}

/// The values of elements that hold a text and nothing else; `field` is what people call the list. `None` when one of
/// them is wrong.
pub(super) fn texts<T: Value>(
    elements: &[Element],
    field: &'static str,
    notices: &mut Vec<Notice>,
) -> Option<Vec<T>> {
    let before = notices.len();
    let mut values = Vec::with_capacity(elements.len());
    for element in elements {
        Attributes::new(element, &[], notices);
        Sequence::of(element).end(notices);
        match T::read(&element.text) {
            Some(value) => values.push(value),
            None => notices.push(at(element.line, wrong_value::<T>(field, &element.text))),
        }
    }
    (notices.len() == before).then_some(values)
}
