//! Documents that are not well-formed, or that carry more than elements.

use std::fmt::Write as _;

use super::super::dom::Node;
use super::super::facts::Content;
use super::super::random::Random;
use super::Tree;

pub(super) fn remarks(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, _| true, random) else { return false };
    let element = tree.root.at(&site.path);
    let place = random.below(element.children.len() + 1);
    let said = random.pick(&["<!-- nota -->", "<!--<Flusso>-->", "<?nota ?>", "<?xml-stylesheet href='a'?>"]);
    element.children.insert(place, Node::Raw(said.to_string()));
    true
}

pub(super) fn document_type(tree: &mut Tree, random: &mut Random) -> bool {
    let name = random.pick(&["Flusso", "altro"]);
    let subset =
        random.pick(&["", " [ ]", " [<!ENTITY a \"b\">]", " SYSTEM \"flusso.dtd\"", " [<!-- ]> -->]"]);
    write!(tree.style.prolog, "<!DOCTYPE {name}{subset}>").unwrap();
    true
}

pub(super) fn broken(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, facts| matches!(facts.content, Content::Children(_)), random) else {
        return false;
    };
    let element = tree.root.at(&site.path);
    let place = random.below(element.children.len() + 1);
    let said = random.pick(&[
        "<!-- a -- b -->",
        "<!--->",
        "<!-- a --->",
        "<?xml version=\"1.0\"?>",
        "<?XML a?>",
        "<? a?>",
        "<!ELEMENT a ANY>",
        "<!DOCTYPE a>",
        "<![cdata[ ]]>",
        "]]>",
        "&boh;",
        "& ",
        "&#;",
        "&#x;",
        "&#-1;",
        "< Ente/>",
        "<1a/>",
        "<a b></a>",
        "<a b=c/>",
        "<a b='1'c='2'/>",
        "<a b='<'/>",
        "<a b='1\"/>",
        "</altro>",
        "<a/ >",
        "<a>",
        "<a>< /a>",
        "<a></a b='1'>",
        "<>",
        "</>",
    ]);
    element.children.insert(place, Node::Raw(said.to_string()));
    true
}

pub(super) fn broken_declaration(tree: &mut Tree, random: &mut Random) -> bool {
    tree.style.declaration = random.pick(&[
        "<?xml?>",
        "<?xml encoding=\"UTF-8\"?>",
        "<?xml version=\"2.0\"?>",
        "<?xml version=\"\"?>",
        "<?xml version=1.0?>",
        "<?xml Version=\"1.0\"?>",
        "<?XML version=\"1.0\"?>",
        "<?xml version=\"1.0\"encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" standalone=\"yes\" encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" standalone=\"maybe\"?>",
        "<?xml version=\"1.0\" version=\"1.0\"?>",
        "<?xml version=\"1.0\" altro=\"1\"?>",
        "<?xml version=\"1.0\" encoding=\"sconosciuta\"?>",
        "<?xml version=\"1.0\">",
        " <?xml version=\"1.0\"?>",
        "<?xml version=\"1.0\"?><?xml version=\"1.0\"?>",
    ]);
    true
}

pub(super) fn broken_namespace(tree: &mut Tree, random: &mut Random) -> bool {
    let Some(site) = tree.site(|_, _| true, random) else { return false };
    let element = tree.root.at(&site.path);
    match random.below(5) {
        0 => element.set("niente:Nome", "1"),
        1 => element.set("xmlns:a", ""),
        2 => element.set("xmlns:xml", "urn:altro"),
        3 => element.set("xmlns:xmlns", "urn:altro"),
        _ => {
            element.name = format!("niente:{}", element.name);
            element.namespace = String::new();
        }
    }
    true
}

pub(super) fn truncated(document: &mut Vec<u8>, random: &mut Random) -> bool {
    // Up to the last `<` of the root's end tag: what follows may be a remark, which is not needed.
    let Some(end) = document.windows(2).rposition(|pair| pair == b"</") else { return false };
    let length = random.below(end + 1);
    document.truncate(length);
    true
}

pub(super) fn forbidden_character(document: &mut Vec<u8>, random: &mut Random) -> bool {
    const FORBIDDEN: [&[u8]; 17] = [
        b"\x01",
        b"\x1F",
        b"\x0B",
        b"\0",
        b"\xFF",
        b"\xC3(",
        b"\xC0\x80",
        b"\xED\xA0\x80",
        b"\xEF\xBF\xBE",
        b"\xF5\x80\x80\x80",
        b"&#0;",
        b"&#xB;",
        b"&#xFFFE;",
        b"&#xD800;",
        b"&#1114112;",
        b"<",
        b"&",
    ];
    let starts: Vec<usize> = document
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == b"=\"")
        .map(|(index, _)| index + 2)
        // The declaration's own attributes come first.
        .skip(3)
        .collect();
    if starts.is_empty() {
        return false;
    }
    let place = random.pick(&starts);
    document.splice(place..place, random.pick(&FORBIDDEN).iter().copied());
    true
}

pub(super) fn mismatched_end(document: &mut Vec<u8>, random: &mut Random) -> bool {
    // In a CDATA section the same two characters end nothing: what they end has been begun.
    let ends_what_was_begun = |place: usize| {
        let rest = &document[place..];
        let length = rest.iter().position(|byte| matches!(byte, b'>' | b' ' | b'\t' | b'\r' | b'\n'));
        let begun = length.filter(|length| *length > 0).map(|length| [b"<", &rest[..length]].concat());
        begun.is_some_and(|begun| document.windows(begun.len()).any(|part| part == begun))
    };
    let ends: Vec<usize> = document
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == b"</")
        .map(|(index, _)| index + 2)
        .filter(|place| ends_what_was_begun(*place))
        .collect();
    if ends.is_empty() {
        return false;
    }
    document.insert(random.pick(&ends), b'x');
    true
}

pub(super) fn before_the_root(document: &mut Vec<u8>, random: &mut Random) -> bool {
    let said: &[u8] = random.pick(&[
        b"testo".as_slice(),
        b"<Prima/>",
        b"&#32;",
        b"<![CDATA[]]>",
        b"<?xml version=\"2.0\"?>",
        b"</Prima>",
    ]);
    document.splice(0..0, said.iter().copied());
    true
}

pub(super) fn after_the_root(document: &mut Vec<u8>, random: &mut Random) -> bool {
    let said: &[u8] = random.pick(&[
        b"testo".as_slice(),
        b"<Dopo/>",
        b"&#32;",
        b"<![CDATA[]]>",
        b"<?xml version=\"1.0\"?>",
        b"</Flusso>",
        b"<!-- ",
        b"<!DOCTYPE a>",
    ]);
    document.extend_from_slice(said);
    true
}
