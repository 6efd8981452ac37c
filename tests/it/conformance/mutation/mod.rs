//! Single changes to a valid document, most of which break it.
//!
//! Here: the changes, and what is known of their effect. The verdict is libxml2's.

mod attributes;
mod elements;
mod markup;
mod values;

use super::arbitrary;
use super::dom::{self, Element, Style};
use super::facts::{self, Content};
use super::random::Random;

/// What a mutation certainly does, whoever judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Breaks,
    Keeps,
    /// It depends on the value or place that chance picked.
    Open,
}

pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    pub(crate) effect: Effect,
    change: Change,
}

/// A change answers whether the document had a place for it.
enum Change {
    Tree(fn(&mut Tree, &mut Random) -> bool),
    Bytes(fn(&mut Vec<u8>, &mut Random) -> bool),
}

struct Tree {
    facts: &'static facts::Element,
    root: Element,
    style: Style,
}

/// An element of the document, and what it should be.
struct Site {
    path: Vec<usize>,
    facts: &'static facts::Element,
}

const fn tree(name: &'static str, effect: Effect, change: fn(&mut Tree, &mut Random) -> bool) -> Mutation {
    Mutation { name, effect, change: Change::Tree(change) }
}

const fn bytes(name: &'static str, change: fn(&mut Vec<u8>, &mut Random) -> bool) -> Mutation {
    Mutation { name, effect: Effect::Breaks, change: Change::Bytes(change) }
}

/// A mutation that makes a file for the SIUSS web site of a flow: valid for the schemas, too much for one flow.
pub(crate) const REPEATED_RECORD: &str = "repeated record";
/// A mutation that adds a document type declaration.
pub(crate) const DOCUMENT_TYPE: &str = "document type";
/// A mutation that only one of the two types of document has a place for.
pub(crate) const NOT_A_DATE: &str = "not a date";

pub(crate) static MUTATIONS: &[Mutation] = &[
    tree("missing attribute", Effect::Breaks, attributes::missing),
    tree("missing optional attribute", Effect::Keeps, attributes::missing_optional),
    tree("unknown attribute", Effect::Breaks, attributes::unknown),
    tree("qualified attribute", Effect::Breaks, attributes::qualified),
    tree("repeated attribute", Effect::Breaks, attributes::repeated),
    tree("misplaced attribute", Effect::Open, attributes::misplaced),
    tree("attribute of the schema language", Effect::Open, attributes::schema_instance),
    tree("outside the enumeration", Effect::Breaks, values::outside_enumeration),
    tree("outside the length", Effect::Breaks, values::outside_length),
    tree("outside the pattern", Effect::Breaks, values::outside_pattern),
    tree("not a number", Effect::Breaks, values::not_a_number),
    tree(NOT_A_DATE, Effect::Breaks, values::not_a_date),
    tree("at the edge of its type", Effect::Open, values::at_the_edge),
    tree("empty value", Effect::Open, values::empty),
    tree("missing element", Effect::Breaks, elements::missing),
    tree("missing optional element", Effect::Keeps, elements::missing_optional),
    tree("repeated element", Effect::Breaks, elements::repeated),
    tree(REPEATED_RECORD, Effect::Keeps, elements::repeated_record),
    tree("unknown element", Effect::Breaks, elements::unknown),
    tree("renamed element", Effect::Breaks, elements::renamed),
    tree("wrong order", Effect::Breaks, elements::wrong_order),
    tree("misplaced element", Effect::Breaks, elements::misplaced),
    tree("wrong namespace", Effect::Breaks, elements::wrong_namespace),
    tree("wrong namespace everywhere", Effect::Breaks, elements::wrong_namespace_everywhere),
    tree("wrong root", Effect::Breaks, elements::wrong_root),
    tree("text among elements", Effect::Breaks, elements::text_among_elements),
    tree("content where there is none", Effect::Breaks, elements::content_where_none),
    tree("element inside a value", Effect::Breaks, elements::inside_value),
    tree("remarks", Effect::Keeps, markup::remarks),
    tree(DOCUMENT_TYPE, Effect::Open, markup::document_type),
    tree("broken markup", Effect::Breaks, markup::broken),
    tree("broken declaration", Effect::Breaks, markup::broken_declaration),
    tree("broken namespace", Effect::Breaks, markup::broken_namespace),
    bytes("truncated", markup::truncated),
    bytes("forbidden character", markup::forbidden_character),
    bytes("mismatched end", markup::mismatched_end),
    bytes("before the root", markup::before_the_root),
    bytes("after the root", markup::after_the_root),
];

impl Mutation {
    /// A valid document of one record, changed once; `None` if that type of document has no place for the change.
    pub(crate) fn document(&self, facts: &'static facts::Element, random: &mut Random) -> Option<Vec<u8>> {
        /// A document without optional parts may have no place for a change that the next one has.
        const TRIES: usize = 200;
        (0..TRIES).find_map(|_| self.attempt(facts, random))
    }

    fn attempt(&self, facts: &'static facts::Element, random: &mut Random) -> Option<Vec<u8>> {
        let root = arbitrary::document(facts, random);
        let mut tree = Tree { facts, root, style: Style::arbitrary(random) };
        let mut changed = match self.change {
            Change::Tree(change) => change(&mut tree, random),
            Change::Bytes(_) => true,
        };
        let mut document = dom::write(&tree.root, &tree.style, random).into_bytes();
        if let Change::Bytes(change) = self.change {
            changed = change(&mut document, random);
        }
        changed.then_some(document)
    }
}

impl Tree {
    /// An element that fits, if there is one.
    fn site(
        &self,
        fits: impl Fn(&Element, &'static facts::Element) -> bool,
        random: &mut Random,
    ) -> Option<Site> {
        let mut sites = Vec::new();
        collect(&self.root, self.facts, &mut Vec::new(), &fits, &mut sites);
        (!sites.is_empty()).then(|| sites.swap_remove(random.below(sites.len())))
    }
}

fn collect(
    element: &Element,
    facts: &'static facts::Element,
    path: &mut Vec<usize>,
    fits: &impl Fn(&Element, &'static facts::Element) -> bool,
    sites: &mut Vec<Site>,
) {
    if fits(element, facts) {
        sites.push(Site { path: path.clone(), facts });
    }
    for (index, child) in element.elements() {
        path.push(index);
        let child_facts =
            children(facts).iter().find(|candidate| candidate.element.name == child.name).unwrap();
        collect(child, child_facts.element, path, fits, sites);
        path.pop();
    }
}

fn children(facts: &'static facts::Element) -> &'static [facts::Child] {
    match facts.content {
        Content::Children(children) => children,
        Content::Empty | Content::Value(_) => &[],
    }
}
