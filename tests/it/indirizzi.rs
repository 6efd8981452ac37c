//! What the addresses of the console say: nothing that tells a person. Browsers, proxies and their logs keep them.

use std::collections::{BTreeSet, VecDeque};

use regex::Regex;
use waas_comuni::staff::Role;

use crate::support::app::{Answer, App};
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::mensa;
use crate::support::staff::Visitor;

/// Whoever receives the benefits of the test.
const PERSON: &str = "CNTLCU15E09H501T";

/// A form of a page, with the code of the person in one of the fields in which one may write, or that carry it on.
struct Filled {
    method: String,
    action: String,
    fields: Vec<(String, String)>,
    /// The field that has the code.
    asked: String,
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let found = Regex::new(&format!("\\s{name}=\"([^\"]*)\"")).unwrap().captures(tag)?;
    Some(unescaped(&found[1]))
}

/// The forms of a page, each once for every field that takes the code.
fn forms(body: &str) -> Vec<Filled> {
    let form = Regex::new("(?s)<form([^>]*)>(.*?)</form>").unwrap();
    let tag = Regex::new("<(?:input|button|textarea)[^>]*>").unwrap();
    let mut filled = Vec::new();
    for [attributes, content] in form.captures_iter(body).map(|found| found.extract().1) {
        let (mut fields, mut written): (Vec<(String, String)>, Vec<String>) = (Vec::new(), Vec::new());
        for tag in tag.find_iter(content).map(|found| found.as_str()) {
            let Some(name) = attribute(tag, "name").filter(|name| name != "gettone") else { continue };
            let value = attribute(tag, "value").unwrap_or_default();
            match attribute(tag, "type").as_deref() {
                Some("text") => written.push(name),
                Some("hidden") if value == PERSON => written.push(name),
                Some("submit") if fields.iter().any(|(known, _)| *known == name) => {}
                Some("hidden" | "submit") => fields.push((name, value)),
                _ => {}
            }
        }
        for asked in written {
            let mut fields = fields.clone();
            fields.push((asked.clone(), PERSON.to_owned()));
            filled.push(Filled {
                method: attribute(attributes, "method").unwrap(),
                action: attribute(attributes, "action").unwrap(),
                fields,
                asked,
            });
        }
    }
    filled
}

/// An address without its numbers: pages of one kind are alike.
fn kind(address: &str) -> String {
    Regex::new("[0-9]+").unwrap().replace_all(address, "N").into_owned()
}

/// Every address that an answer leads to, or names.
fn addresses(answer: &Answer) -> Vec<String> {
    let link = Regex::new("\\s(?:href|src|action|formaction|data-[a-z-]+)=\"([^\"]*)\"").unwrap();
    let links = link.captures_iter(&answer.body).map(|found| unescaped(&found[1]));
    links.chain(answer.header("location").map(str::to_owned)).collect()
}

/// Follows the links from the first page on, one of each kind, and sends every form with the code of the person in each
/// of its fields. Gives what was sent, by address and field, with the fields that went with it.
fn walk(visitor: &Visitor<'_>) -> BTreeSet<String> {
    let (mut seen, mut sent) = (BTreeSet::from(["/".to_owned()]), BTreeSet::new());
    let mut open = VecDeque::from([visitor.get("/")]);
    while let Some(answer) = open.pop_front() {
        for address in addresses(&answer) {
            let decoded = percent_encoding::percent_decode_str(&address).decode_utf8_lossy().to_uppercase();
            assert!(!decoded.contains(PERSON), "{address}");
            let is_page = address.starts_with('/') && !address.starts_with("/risorse/");
            if is_page && seen.insert(kind(&address)) {
                open.push_back(visitor.get(&address));
            }
        }
        for Filled { method, action, fields, asked } in forms(&answer.body) {
            if method == "get" {
                // Whatever is written in such a form becomes an address: it asks for nobody.
                assert!(!["persona", "codice", "protocollo", "CodiceFiscale"].contains(&&*asked), "{action}");
                continue;
            }
            let names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
            if sent.insert(format!("{} {}", kind(&action), names.join(" "))) {
                let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
                open.push_back(visitor.post(&action, &fields));
            }
        }
    }
    sent
}

#[test]
fn no_address_of_the_console_tells_a_person() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let records: Vec<_> = (0..60).map(|number| mensa(&format!("2020/{number}"), 8420)).collect();
    app.publish(&records);
    for _ in 0..120 {
        app.get("/flussi?since=0&limit=1");
    }
    let sent = walk(&app.signed_in("anna", &Role::ALL));
    for form in [
        "/prestazioni persona",
        "/prestazioni protocollo",
        "/prestazioni codice",
        "/prestazioni servizio protocollo codice stato dal al dopo persona",
        "/registro/persona codice",
        "/registro/persona da a registro prima codice",
    ] {
        assert!(sent.contains(form), "{form}: {sent:#?}");
    }
    let is_guided =
        |form: &&String| form.starts_with("/prestazioni/nuova ") && form.ends_with(" CodiceFiscale");
    assert!(sent.iter().any(|form| is_guided(&form)), "{sent:#?}");

    // Nor does one that somebody wrote by hand find anybody.
    let bruno = app.signed_in("bruno", &[Role::Operatore]);
    let asked = bruno.get("/prestazioni?persona=NESSUNO&protocollo=NULLA");
    assert!(asked.body.contains("2020/59") && !asked.body.contains("NESSUNO"), "{asked:?}");
}
