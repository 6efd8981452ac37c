//! Values that their type does not admit, or barely does.

use super::super::arbitrary;
use super::super::dom::{Element, Node};
use super::super::facts::{self, Content, Kind};
use super::super::random::Random;
use super::Tree;

pub(super) fn outside_enumeration(tree: &mut Tree, random: &mut Random) -> bool {
    replace(tree, |kind| matches!(kind, Kind::Choice(_) | Kind::Operation), wrong_choice, random)
}

pub(super) fn outside_length(tree: &mut Tree, random: &mut Random) -> bool {
    replace(tree, |kind| matches!(kind, Kind::Text(..)), wrong_length, random)
}

pub(super) fn outside_pattern(tree: &mut Tree, random: &mut Random) -> bool {
    let has_pattern = |kind| matches!(kind, Kind::Digits(_) | Kind::CodiceFiscale | Kind::Month);
    replace(tree, has_pattern, wrong_pattern, random)
}

pub(super) fn not_a_number(tree: &mut Tree, random: &mut Random) -> bool {
    replace(tree, |kind| matches!(kind, Kind::Decimal | Kind::Int(..)), wrong_number, random)
}

pub(super) fn not_a_date(tree: &mut Tree, random: &mut Random) -> bool {
    replace(tree, |kind| matches!(kind, Kind::Date), |_, random| random.pick(&WRONG_DATES).to_owned(), random)
}

pub(super) fn at_the_edge(tree: &mut Tree, random: &mut Random) -> bool {
    replace(tree, |_| true, edge, random)
}

pub(super) fn empty(tree: &mut Tree, random: &mut Random) -> bool {
    replace(tree, |_| true, |_, _| String::new(), random)
}

fn replace(
    tree: &mut Tree,
    wanted: fn(Kind) -> bool,
    replacement: fn(Kind, &mut Random) -> String,
    random: &mut Random,
) -> bool {
    let kind_of = |facts: &facts::Element, name: &str| {
        facts.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.kind)
    };
    let candidates = |element: &Element, facts: &facts::Element| -> Vec<(Option<usize>, Kind)> {
        let attributes = element.attributes.iter().enumerate();
        let mut found: Vec<_> = attributes
            .filter_map(|(index, (name, _))| kind_of(facts, name).map(|kind| (Some(index), kind)))
            .collect();
        if let Content::Value(kind) = facts.content {
            found.push((None, kind));
        }
        found.retain(|(_, kind)| wanted(*kind));
        found
    };
    let Some(site) = tree.site(|element, facts| !candidates(element, facts).is_empty(), random) else {
        return false;
    };
    let element = tree.root.at(&site.path);
    let (index, kind) = random.pick(&candidates(element, site.facts));
    let value = replacement(kind, random);
    match index {
        Some(index) => element.attributes[index].1 = value,
        None => element.children = vec![Node::Text(value)],
    }
    true
}

fn wrong_choice(kind: Kind, random: &mut Random) -> String {
    match kind {
        Kind::Choice(last) => {
            let wrong =
                ["0", "", " 1", "1 ", "1\n", "01", "1.0", "+1", "-1", "a", "1 2", "١", "１", "15", "100"];
            if random.chance(30) { (last + 1).to_string() } else { random.pick(&wrong).to_string() }
        }
        _ => random.pick(&["", "i", "c", "M", "IC", " I", "C ", "Inserimento", "1"]).to_string(),
    }
}

fn wrong_length(kind: Kind, random: &mut Random) -> String {
    let Kind::Text(min, max) = kind else { panic!("no length") };
    let length = if min > 0 && random.chance(40) {
        random.pick(&[0, min - 1])
    } else {
        max + random.pick(&[1, 1, 2, 50])
    };
    arbitrary::text(length, random)
}

fn wrong_pattern(kind: Kind, random: &mut Random) -> String {
    let value = arbitrary::value(kind, random);
    let mut characters: Vec<char> = value.chars().collect();
    match random.below(4) {
        0 => {
            // Spaces may follow a provisional fiscal code.
            let place = random.below(10.min(characters.len()));
            characters[place] = random.pick(&['-', ' ', '_', 'à', '.', '\n', '[']);
        }
        1 => {
            characters.remove(0);
        }
        2 => characters.insert(0, ' '),
        _ => characters.extend("/9".chars()),
    }
    characters.into_iter().collect()
}

fn wrong_number(kind: Kind, random: &mut Random) -> String {
    match kind {
        Kind::Int(_, max) => {
            let wrong = [
                "",
                " ",
                "1.0",
                "1,0",
                "a",
                "--1",
                "1e1",
                "2147483648",
                "9999999999999999999999",
                "0x1",
                "+",
                "١",
            ];
            if random.chance(30) { (max + 1).to_string() } else { random.pick(&wrong).to_string() }
        }
        _ => random
            .pick(&[
                "", " ", "1,50", "1.000,00", "1e3", ".", "+", "-", "--1", "1.2.3", "1 000", "€1", "INF",
                "NaN", "١", "+-1", "1.+5",
            ])
            .to_string(),
    }
}

const WRONG_DATES: [&str; 22] = [
    "",
    " ",
    "2021-02-29",
    "1900-02-29",
    "2024-02-30",
    "2024-04-31",
    "2024-00-10",
    "2024-13-01",
    "2024-01-00",
    "2024-01-32",
    "0000-01-01",
    "999-01-01",
    "02024-01-01",
    "20240101",
    "2024-1-1",
    "01/02/2024",
    "2024-01-01T00:00:00",
    "2024-01-01+14:01",
    "2024-01-01+1:00",
    "2024-01-01 Z",
    "+2024-01-01",
    "٢٠٢٤-01-01",
];

/// Unusual spellings, some of them legal.
fn edge(kind: Kind, random: &mut Random) -> String {
    match kind {
        Kind::Text(min, max) => {
            let length = if random.chance(50) { min } else { max };
            let filler = random.pick(&[" ", "\n", "\u{1F600}", "e\u{301}", "&", "\u{A0}"]);
            filler.repeat(length)
        }
        Kind::CodiceFiscale => random
            .pick(&[
                "00000000000     ",
                "00000000000      ",
                "00000000000\t",
                "rssmra80a01h501u",
                "RSSMRA80A01H501Uu",
                "RSSMRA80A01H50LU",
                "RSSMRAULA01H501U",
            ])
            .to_string(),
        Kind::Digits(count) => random.pick(&[
            "0".repeat(count),
            "9".repeat(count),
            "٣".repeat(count),
            format!("{} ", "1".repeat(count)),
        ]),
        Kind::Choice(last) => {
            random.pick(&[last.to_string(), (last + 1).to_string(), "1".to_owned(), "10".to_owned()])
        }
        Kind::Operation => random.pick(&["I", "C", "i", ""]).to_string(),
        Kind::Date => random
            .pick(&[
                "2024-02-29",
                "0001-01-01",
                "9999-12-31",
                "2024-01-01Z",
                "2024-12-31+14:00",
                "2024-01-01-14:00",
                "2024-01-01-00:00",
                " 2024-01-01",
                "2024-01-01\n",
                "2024-01-01+24:00",
                "2024-01-01z",
            ])
            .to_string(),
        Kind::Decimal => random
            .pick(&[
                "+.5",
                "-.5",
                "5.",
                "+5.",
                "-0",
                "+0.0",
                " 1 ",
                "\t1\n",
                "000000000000000000000000000000",
                "0.000000000000000000000001",
                "999999999999999999999999",
                "-999999999999.99",
                "1.50 ",
            ])
            .to_string(),
        Kind::Int(_, max) => random.pick(&[
            max.to_string(),
            format!("+{max}"),
            format!("00{max}"),
            (max + 1).to_string(),
            "0".to_owned(),
            "-0".to_owned(),
            "-1".to_owned(),
            format!(" {max}"),
            format!("{max}\n"),
            "-2147483648".to_owned(),
            "-2147483649".to_owned(),
        ]),
        Kind::Month => random
            .pick(&[
                "01/1900", "12/2099", "12/1899", "01/2100", "13/2024", "00/2024", "1/2024", "2024/01",
                "01-2024", "01/2024 ",
            ])
            .to_string(),
    }
}
