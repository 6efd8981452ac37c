//! The guide in the console: whole, for everybody, and leading nowhere but into itself.

use std::collections::BTreeSet;

use regex::Regex;
use waas_comuni::staff::Role::{Amministratore, Operatore, Revisore};

use crate::support::app::App;
use crate::support::database::{Backend, TestDatabase};

#[test]
fn the_guide_is_served_whole_and_its_links_lead_somewhere() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let visitor = app.signed_in("anna", &[Operatore, Revisore, Amministratore]);
    let href = Regex::new("(?:href|src)=\"([^\"]+)\"").unwrap();
    let (mut seen, mut waiting) = (BTreeSet::new(), BTreeSet::from(["/guida".to_owned()]));
    while let Some(path) = waiting.pop_first() {
        let page = visitor.get(&path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        let (_, guide) = page.body.split_once("console-guide").unwrap_or(("", ""));
        assert!(!guide.contains(".md</a>") && !guide.contains("<!--"), "{path}");
        for found in href.captures_iter(guide) {
            let link = &found[1];
            let (to, fragment) = link.split_once('#').unwrap_or((link, ""));
            let to = if to.is_empty() { path.as_str() } else { to };
            // A picture that is missing fails the build.
            if to.starts_with("https://") || to.contains(".png") {
                continue;
            }
            let there = visitor.get(to);
            assert_eq!(there.status, 200, "{path} leads to {link}");
            let id = format!("id=\"{fragment}\"");
            assert!(
                fragment.is_empty() || there.body.contains(&id),
                "{path} leads to {link}, which is not there"
            );
            if to.starts_with("/guida") && !seen.contains(to) {
                waiting.insert(to.to_owned());
            }
        }
        seen.insert(path);
    }
    assert!(seen.len() >= 8, "{seen:?}");
    // Each part of the console leads to what the manual says of it.
    let manual = visitor.get("/guida").body;
    let part = Regex::new("href=\"/guida#([a-z]+)\"").unwrap();
    for path in ["/", "/caricamenti", "/prestazioni", "/esiti", "/registro", "/amministrazione"] {
        let page = visitor.get(path).body;
        let link = &part.captures(&page).unwrap()[1];
        assert!(manual.contains(&format!("id=\"{link}\"")), "{path} leads to #{link}");
    }
    assert_eq!(visitor.get("/guida/altro").status, 404);
    // A code is one word, also where a column is narrow.
    assert!(visitor.get("/guida/regole").body.contains("<td><code>FILE-01</code></td>"));
}
