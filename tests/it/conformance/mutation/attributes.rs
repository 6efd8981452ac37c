//! Attributes that are missing, unknown, repeated or out of place.

use super::super::dom::{CASELLARIO, Element, XSI};
use super::super::facts;
use super::super::random::Random;
use super::Tree;

pub(super) fn missing(tree: &mut Tree, random: &mut Random) -> bool {
    remove(tree, true, random)
}

pub(super) fn missing_optional(tree: &mut Tree, random: &mut Random) -> bool {
    remove(tree, false, random)
}

fn remove(tree: &mut Tree, required: bool, random: &mut Random) -> bool {
    let names = |facts: &'static facts::Element| {
        facts
            .attributes
            .iter()
            .filter(move |attribute| attribute.required == required)
            .map(|attribute| attribute.name)
    };
    let removable = |element: &Element, facts: &'static facts::Element| -> Vec<usize> {
        let known: Vec<&str> = names(facts).collect();
        let present = element.attributes.iter().enumerate();
        present.filter(|(_, (name, _))| known.contains(&name.as_str())).map(|(index, _)| index).collect()
    };
    let Some(site) = tree.site(|element, facts| !removable(element, facts).is_empty(), random) else {
        return false;
    };
    let element = tree.root.at(&site.path);
    let index = random.pick(&removable(element, site.facts));
    element.attributes.remove(index);
    true
}

pub(super) fn unknown(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, _| true, random) else { return false };
    let element = tree.root.at(&site.path);
    let known = site.facts.attributes.first().map_or("Nome", |attribute| attribute.name);
    let name = match random.below(6) {
        0 => known.to_lowercase(),
        1 => format!("{known}_"),
        2 => "xml:lang".to_owned(),
        3 => "xml:space".to_owned(),
        4 => "Note".to_owned(),
        _ => {
            element.set("xmlns:altro", "urn:altro");
            format!("altro:{known}")
        }
    };
    element.attributes.insert(random.below(element.attributes.len() + 1), (name, "1".to_owned()));
    true
}

pub(super) fn qualified(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|element, _| !element.attributes.is_empty(), random) else { return false };
    let element = tree.root.at(&site.path);
    let index = random.below(element.attributes.len());
    let (name, value) = element.attributes[index].clone();
    let qualified = (format!("q:{name}"), value);
    if random.chance(50) {
        element.attributes[index] = qualified;
    } else {
        element.attributes.push(qualified);
    }
    element.set("xmlns:q", CASELLARIO);
    true
}

pub(super) fn repeated(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|element, _| !element.attributes.is_empty(), random) else { return false };
    let element = tree.root.at(&site.path);
    let again = random.pick(&element.attributes);
    element.attributes.push(again);
    true
}

pub(super) fn misplaced(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(from) = tree.site(|element, _| !element.attributes.is_empty(), random) else { return false };
    let Some(to) = tree.site(|_, _| true, random) else { return false };
    let element = tree.root.at(&from.path);
    let (name, value) = element.attributes.remove(random.below(element.attributes.len()));
    tree.root.at(&to.path).set(&name, value);
    true
}

pub(super) fn schema_instance(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, _| true, random) else { return false };
    // Types of the schemas are not named: the two sides give them different names.
    let (name, value) = random.pick(&[
        ("schemaLocation", "http://inps.it/Casellario"),
        ("schemaLocation", "http://inps.it/Casellario flusso.xsd"),
        ("noNamespaceSchemaLocation", "flusso.xsd"),
        ("nil", "false"),
        ("nil", "true"),
        ("type", "sconosciuto"),
        ("altro", "1"),
    ]);
    let element = tree.root.at(&site.path);
    element.set("xmlns:xsi", XSI);
    element.set(&format!("xsi:{name}"), value);
    true
}
