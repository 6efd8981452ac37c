//! The manual of the console, `docs/manuale.md`: its pictures are those that the story takes, and it speaks of every page
//! that a menu leads to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use waas_comuni::staff::Role;

use crate::support::app::App;
use crate::support::database::{Backend, TestDatabase};

/// Width of the window, and the largest size of a picture, in pixels.
pub(super) const WIDTH: u32 = 1120;
pub(super) const SIZE: (u32, u32) = (WIDTH, 760);
/// Bytes of a picture: they are kept with the source.
const LARGEST: usize = 150_000;

/// Where the pictures are.
pub(super) fn folder() -> PathBuf {
    docs().join("manuale")
}

/// The names of the pictures that the manual shows.
pub(super) fn pictures() -> BTreeSet<String> {
    let link = Regex::new(r"!\[[^\]]+\]\(manuale/([a-z-]+)\.png\)").unwrap();
    link.captures_iter(&text()).map(|found| found[1].to_owned()).collect()
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn text() -> String {
    fs::read_to_string(docs().join("manuale.md")).unwrap()
}

#[test]
fn the_manual_has_its_pictures_and_no_others() {
    let kept: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".png", ""))
        .collect();
    assert_eq!(kept, pictures(), "`make manual` takes them; one that is not shown goes");
    assert_eq!(text().matches("![").count(), kept.len(), "each is shown once, and none is from elsewhere");
    for name in kept {
        let picture = fs::read(folder().join(format!("{name}.png"))).unwrap();
        let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "{name}");
        assert!(number(16) == SIZE.0 && number(20) <= SIZE.1, "{name}");
        assert!(picture.len() <= LARGEST, "{name} has {} bytes", picture.len());
    }
}

#[test]
fn the_manual_speaks_of_every_page_of_the_menus() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let anna = app.signed_in("anna", &Role::ALL);
    let manual = text();
    let headings: BTreeSet<&str> = manual
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches(['#', ' ']))
        .collect();
    let front = anna.get("/").body;
    let (_, menu) = front.split_once("id=\"menu-voci\"").unwrap();
    let (menu, _) = menu.split_once("</ul>").unwrap();
    let entry = Regex::new(r#"<li><a href="(/[^"]*)"[^>]*>([^<]+)</a></li>"#).unwrap();
    // What the pages of a part call each other.
    let within = Regex::new(r#"<li class="list-inline-item"><a href="[^"]*"[^>]*>([^<]+)</a></li>"#).unwrap();
    let entries: Vec<_> = entry.captures_iter(menu).map(|found| found.extract::<2>().1).collect();
    assert_eq!(entries.len(), 6, "{menu}");
    for [path, label] in entries {
        assert!(headings.contains(label), "the manual has no section {label}");
        for [page] in within.captures_iter(&anna.get(path).body).map(|found| found.extract().1) {
            assert!(manual.contains(page), "the manual does not speak of {page}");
        }
    }
}
