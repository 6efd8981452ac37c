//! That the generated documents show everything that the two types can hold.

use std::collections::BTreeSet;

use super::dom;
use super::facts::{self, Content, Kind};

/// Which attributes were seen present and absent, and which values of each enumeration.
#[derive(Default)]
pub(super) struct Coverage(BTreeSet<String>);

impl Coverage {
    pub(super) fn add(&mut self, element: &dom::Element, facts: &'static facts::Element) {
        for attribute in facts.attributes {
            let value = element
                .attributes
                .iter()
                .find(|(name, _)| name == attribute.name)
                .map(|(_, value)| value.as_str());
            self.value(facts.name, attribute.name, attribute.kind, value);
        }
        match facts.content {
            Content::Empty => {}
            Content::Value(kind) => {
                let Some(dom::Node::Text(text)) = element.children.first() else { panic!("no value") };
                self.value(facts.name, "", kind, Some(text));
            }
            Content::Children(children) => {
                for child in children {
                    let present =
                        element.elements().filter(|(_, other)| other.name == child.element.name).count();
                    self.0.insert(format!("{}/{} {}", facts.name, child.element.name, present.min(6)));
                    for (_, other) in element.elements().filter(|(_, other)| other.name == child.element.name)
                    {
                        self.add(other, child.element);
                    }
                }
            }
        }
    }

    fn value(&mut self, element: &str, attribute: &str, kind: Kind, value: Option<&str>) {
        let value = match (kind, value) {
            (_, None) => "absent",
            (Kind::Choice(_) | Kind::Operation, Some(value)) => value,
            (_, Some(_)) => "present",
        };
        self.0.insert(format!("{element}@{attribute} {value}"));
    }

    pub(super) fn assert_complete(&self, facts: &'static facts::Element) {
        let assert_seen = |what: String| assert!(self.0.contains(&what), "never generated: {what}");
        let values = |attribute: &str, kind: Kind| {
            let values = match kind {
                Kind::Choice(last) => (1..=last).map(|value| value.to_string()).collect(),
                Kind::Operation => vec!["I".to_owned(), "C".to_owned()],
                _ => vec!["present".to_owned()],
            };
            for value in values {
                assert_seen(format!("{}@{attribute} {value}", facts.name));
            }
        };
        for attribute in facts.attributes {
            values(attribute.name, attribute.kind);
            if !attribute.required {
                assert_seen(format!("{}@{} absent", facts.name, attribute.name));
            }
        }
        match facts.content {
            Content::Empty => {}
            Content::Value(kind) => values("", kind),
            Content::Children(children) => {
                for child in children {
                    assert_seen(format!("{}/{} {}", facts.name, child.element.name, child.min));
                    if let Some(max) = child.max {
                        assert_seen(format!("{}/{} {max}", facts.name, child.element.name));
                    }
                    self.assert_complete(child.element);
                }
            }
        }
    }
}
