//! Documents that the schemas allow, in every shape that they allow.
//!
//! Here: values of each kind, and trees made of them. What breaks a document is in `mutation`.

use super::dom::{self, Node};
use super::facts::{Attribute, Content, Element, Kind};
use super::random::Random;

/// The elements that a published flow holds once, although the schemas let them repeat.
pub(crate) const ONE_PER_FLOW: [&str; 3] = ["Beneficiario", "PrestazioniSociali", "SINBA"];

/// A valid document, of one record.
pub(crate) fn document(root: &Element, random: &mut Random) -> dom::Element {
    let density = random.pick(&[0, 15, 50, 85, 100]);
    Generator { density }.element(root, random)
}

/// One valid element, with half of its optional parts.
pub(crate) fn element(facts: &Element, random: &mut Random) -> dom::Element {
    Generator { density: 50 }.element(facts, random)
}

struct Generator {
    /// How many of the optional parts there are, in 100.
    density: usize,
}

impl Generator {
    fn element(&self, facts: &Element, random: &mut Random) -> dom::Element {
        let mut element = dom::Element::new(facts.name);
        for Attribute { name, required, kind } in facts.attributes {
            if *required || random.chance(self.density) {
                element.set(name, value(*kind, random));
            }
        }
        random.shuffle(&mut element.attributes);
        match &facts.content {
            Content::Empty => {}
            Content::Value(kind) => element.children.push(Node::Text(value(*kind, random))),
            Content::Children(children) => {
                for child in *children {
                    let least =
                        if child.min == 0 { usize::from(random.chance(self.density)) } else { child.min };
                    let most = match child.max {
                        Some(max) => max,
                        None if ONE_PER_FLOW.contains(&child.element.name) => 1,
                        None => 4,
                    };
                    let count =
                        if least == 0 || random.chance(50) { least } else { random.within(least, most) };
                    for _ in 0..count {
                        element.children.push(Node::Element(self.element(child.element, random)));
                    }
                }
            }
        }
        element
    }
}

/// A valid value, at its edges as often as not.
pub(crate) fn value(kind: Kind, random: &mut Random) -> String {
    match kind {
        Kind::Text(min, max) => {
            let length = match random.below(4) {
                0 => min,
                1 => max,
                2 => (min + 1).min(max),
                _ => random.within(min, max),
            };
            text(length, random)
        }
        Kind::CodiceFiscale => codice_fiscale(random),
        Kind::Digits(count) => digits(count, random),
        Kind::Choice(last) => random.within(1, last).to_string(),
        Kind::Operation => random.pick(&["I", "C"]).to_string(),
        Kind::Date => date(random),
        Kind::Decimal => decimal(random),
        Kind::Int(min, max) => int(min, max, random),
        Kind::Month => {
            format!("{:02}/{}{}", random.within(1, 12), random.pick(&["19", "20"]), digits(2, random))
        }
    }
}

/// Exactly `length` characters, of all sorts that XML allows.
pub(crate) fn text(length: usize, random: &mut Random) -> String {
    // No equals sign: `mutation` looks for `="` to find the values of attributes.
    const ODD: [char; 28] = [
        ' ',
        '&',
        '<',
        '>',
        '"',
        '\'',
        ';',
        '#',
        ']',
        '/',
        '-',
        '\t',
        '\n',
        '\r',
        '\u{7F}',
        '\u{85}',
        '\u{A0}',
        '\u{AD}',
        'à',
        'Ÿ',
        'ß',
        '\u{301}',
        '\u{2028}',
        '€',
        '\u{E000}',
        '\u{FFFD}',
        '\u{1F600}',
        '\u{10FFFF}',
    ];
    let oddity = random.pick(&[0, 10, 100]);
    (0..length)
        .map(|_| {
            if random.chance(oddity) {
                random.pick(&ODD)
            } else {
                char::from(random.pick(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ./"))
            }
        })
        .collect()
}

pub(crate) fn digits(count: usize, random: &mut Random) -> String {
    (0..count).map(|_| char::from(random.pick(b"0123456789"))).collect()
}

fn codice_fiscale(random: &mut Random) -> String {
    if random.chance(20) {
        return digits(11, random) + &" ".repeat(random.below(6));
    }
    let letters: &[u8] = random.pick(&[
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ".as_slice(),
        b"abcdefghijklmnopqrstuvwxyz".as_slice(),
        b"AaBbMmZz".as_slice(),
    ]);
    "LLLLLLDDLDDLEEEL"
        .chars()
        .map(|class| match class {
            'L' => char::from(random.pick(letters)),
            'E' if random.chance(10) => char::from(random.pick(letters)),
            _ => char::from(random.pick(b"0123456789")),
        })
        .collect()
}

fn date(random: &mut Random) -> String {
    let year = match random.below(10) {
        0 => random.within(1, 9999),
        1 => random.pick(&[1, 1900, 2000, 2024, 2100, 9999]),
        _ => random.within(1920, 2050),
    };
    let month = random.within(1, 12);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = if random.chance(20) { last } else { random.within(1, last) };
    let zone = match random.below(10) {
        0 => "Z".to_owned(),
        1 => random.pick(&["+14:00", "-14:00", "+00:00", "-00:00"]).to_string(),
        2 => format!("{}{:02}:{:02}", random.pick(&["+", "-"]), random.below(14), random.below(60)),
        _ => String::new(),
    };
    format!("{year:04}-{month:02}-{day:02}{zone}")
}

fn decimal(random: &mut Random) -> String {
    let sign = if random.chance(80) { "" } else { random.pick(&["+", "-"]) };
    let number = match random.below(10) {
        0 => format!(".{}", digits(random.within(1, 4), random)),
        1 => format!("{}.", digits(random.within(1, 4), random)),
        2 => random
            .pick(&["0", "0.0", ".0", "0.", "000", "0.10", "10", "00000000000000000000000000001"])
            .to_string(),
        3 => format!("{}.{}", digits(random.within(1, 12), random), digits(random.within(1, 6), random)),
        4 => digits(random.within(1, 16), random),
        _ => format!("{}.{}", random.below(100_000), digits(2, random)),
    };
    let space = if random.chance(90) { "" } else { random.pick(&[" ", "\t", "\n", "  "]) };
    let (before, after) = if random.chance(50) { (space, "") } else { ("", space) };
    format!("{before}{sign}{number}{after}")
}

fn int(min: i32, max: i32, random: &mut Random) -> String {
    let number = match random.below(6) {
        0 => min,
        1 => max,
        2 if min < 0 => -max,
        _ => {
            i32::try_from(random.within(usize::try_from(min.max(0)).unwrap(), usize::try_from(max).unwrap()))
                .unwrap()
        }
    };
    let zeros = if random.chance(90) { 0 } else { random.within(1, 3) };
    let sign = match number {
        ..0 => "-",
        _ if random.chance(10) => "+",
        _ => "",
    };
    format!("{sign}{}{}", "0".repeat(zeros), number.unsigned_abs())
}
