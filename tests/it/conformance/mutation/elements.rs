//! Elements that are missing, unknown, repeated or out of place, and content where it does not belong.

use super::super::arbitrary::{self, ONE_PER_FLOW};
use super::super::dom::{CASELLARIO, Element, Node};
use super::super::facts::{self, Content};
use super::super::random::Random;
use super::{Tree, children};

pub(super) fn missing(tree: &mut Tree, random: &mut Random) -> bool {
    remove(tree, |count, least| count == least, random)
}

pub(super) fn missing_optional(tree: &mut Tree, random: &mut Random) -> bool {
    remove(tree, |count, least| count > least, random)
}

/// Removes a child of which there are so many, and must be at least so many.
fn remove(tree: &mut Tree, wanted: fn(usize, usize) -> bool, random: &mut Random) -> bool {
    let removable = |element: &Element, facts: &'static facts::Element| -> Vec<usize> {
        let count = |name: &str| element.elements().filter(|(_, child)| child.name == name).count();
        let least = |name: &str| children(facts).iter().find(|child| child.element.name == name).unwrap().min;
        let fits = |name: &str| wanted(count(name), least(name));
        element.elements().filter(|(_, child)| fits(&child.name)).map(|(index, _)| index).collect()
    };
    let Some(site) = tree.site(|element, facts| !removable(element, facts).is_empty(), random) else {
        return false;
    };
    let element = tree.root.at(&site.path);
    let index = random.pick(&removable(element, site.facts));
    element.children.remove(index);
    true
}

/// One more of a child than there may be.
pub(super) fn repeated(tree: &mut Tree, random: &mut Random) -> bool {
    let bounded = |facts: &'static facts::Element| children(facts).iter().filter(|child| child.max.is_some());
    let Some(site) = tree.site(|_, facts| bounded(facts).next().is_some(), random) else { return false };
    let bounded: Vec<_> = bounded(site.facts).collect();
    let child = random.pick(&bounded);
    let element = tree.root.at(&site.path);
    let present: Vec<usize> = element
        .elements()
        .filter(|(_, other)| other.name == child.element.name)
        .map(|(index, _)| index)
        .collect();
    let Some(place) = present.last().map(|last| last + 1) else { return false };
    for _ in present.len()..=child.max.unwrap() {
        element.children.insert(place, Node::Element(arbitrary::element(child.element, random)));
    }
    true
}

pub(super) fn repeated_record(tree: &mut Tree, random: &mut Random) -> bool {
    let repeatable = |facts: &'static facts::Element| {
        children(facts).iter().find(|child| ONE_PER_FLOW.contains(&child.element.name))
    };
    let Some(site) = tree.site(|_, facts| repeatable(facts).is_some(), random) else { return false };
    let another = arbitrary::element(repeatable(site.facts).unwrap().element, random);
    tree.root.at(&site.path).children.push(Node::Element(another));
    true
}

pub(super) fn unknown(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, facts| matches!(facts.content, Content::Children(_)), random) else {
        return false;
    };
    let mut stranger = Element::new(random.pick(&["Note", "flusso", "Totale", "SINBA_"]));
    stranger.namespace = random.pick(&[CASELLARIO, "", "urn:altro"]).to_string();
    let element = tree.root.at(&site.path);
    let place = random.below(element.children.len() + 1);
    element.children.insert(place, Node::Element(stranger));
    true
}

pub(super) fn renamed(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, _| true, random) else { return false };
    let element = tree.root.at(&site.path);
    element.name = match random.below(4) {
        0 => element.name.to_lowercase(),
        1 => format!("{}s", element.name),
        2 => element.name.to_uppercase() + "_",
        _ => "Elemento".to_owned(),
    };
    true
}

pub(super) fn wrong_order(tree: &mut Tree, random: &mut Random) -> bool {
    let swappable = |element: &Element| -> Vec<usize> {
        let named: Vec<_> = element.elements().collect();
        named.windows(2).filter(|pair| pair[0].1.name != pair[1].1.name).map(|pair| pair[0].0).collect()
    };
    let Some(site) = tree.site(|element, _| !swappable(element).is_empty(), random) else { return false };
    let element = tree.root.at(&site.path);
    let index = random.pick(&swappable(element));
    element.children.swap(index, index + 1);
    true
}

/// An element under a parent where it does not belong.
pub(super) fn misplaced(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(from) = tree.site(|_, _| true, random) else { return false };
    let Some(to) = tree
        .site(|_, facts| !children(facts).iter().any(|child| child.element.name == from.facts.name), random)
    else {
        return false;
    };
    let copy = tree.root.at(&from.path).clone();
    tree.root.at(&to.path).children.push(Node::Element(copy));
    true
}

pub(super) fn wrong_namespace(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, _| true, random) else { return false };
    tree.root.at(&site.path).namespace = wrong_name_of_namespace(random);
    true
}

pub(super) fn wrong_namespace_everywhere(tree: &mut Tree, random: &mut Random) -> bool {
    fn rename(element: &mut Element, namespace: &str) {
        namespace.clone_into(&mut element.namespace);
        for child in &mut element.children {
            if let Node::Element(child) = child {
                rename(child, namespace);
            }
        }
    }
    rename(&mut tree.root, &wrong_name_of_namespace(random));
    true
}

fn wrong_name_of_namespace(random: &mut Random) -> String {
    random
        .pick(&[
            "",
            "urn:altro",
            "http://inps.it/casellario",
            "http://inps.it/Casellario/",
            "https://inps.it/Casellario",
        ])
        .to_string()
}

pub(super) fn wrong_root(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) =
        tree.site(|element, facts| !facts.attributes.is_empty() || element.name != "Flusso", random)
    else {
        return false;
    };
    let inner = tree.root.at(&site.path).clone();
    tree.root = if random.chance(50) {
        inner
    } else {
        let mut outer = Element::new(random.pick(&["Flussi", "Flusso", "Envelope"]));
        outer.children.push(Node::Element(tree.root.clone()));
        outer
    };
    true
}

pub(super) fn text_among_elements(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, facts| matches!(facts.content, Content::Children(_)), random) else {
        return false;
    };
    let element = tree.root.at(&site.path);
    let place = random.below(element.children.len() + 1);
    let said = random.pick(&["testo", ".", "&amp;", "\u{A0}", "<![CDATA[ ]]>", "<![CDATA[x]]>", "&#x200B;"]);
    element.children.insert(place, Node::Raw(said.to_string()));
    true
}

pub(super) fn content_where_none(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, facts| matches!(facts.content, Content::Empty), random) else {
        return false;
    };
    let said = random.pick(&["testo", " ", "\n", "&#32;", "<Altro xmlns=\"\"/>", "<![CDATA[x]]>"]);
    tree.root.at(&site.path).children.push(Node::Raw(said.to_string()));
    true
}

pub(super) fn inside_value(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, facts| matches!(facts.content, Content::Value(_)), random) else {
        return false;
    };
    let element = tree.root.at(&site.path);
    let place = random.below(element.children.len() + 1);
    element.children.insert(place, Node::Element(Element::new("InvCiv")));
    true
}
