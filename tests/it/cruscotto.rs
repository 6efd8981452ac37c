//! The figures of the first page, which are kept beside what they count.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use regex::Regex;
use serde_json::json;
use waas_comuni::clock::Clock;
use waas_comuni::config::{Config, Ente};
use waas_comuni::siuss::record::Record;
use waas_comuni::staff::{Role, Scope};

use crate::rifiuti::two_enti;
use crate::support::app::{App, eservice};
use crate::support::database::on_both_databases;
use crate::support::records::{mensa, minore, roma, withdrawn};
use crate::support::staff::{PASSWORD, Visitor};

/// 15 January 2021, noon in Rome: the school meals of the examples are from September to December 2020.
pub(crate) const JANUARY: i64 = 1_610_708_400_000;

/// The texts of the page's facts, by their names.
fn fact(page: &str, name: &str) -> String {
    let fact = Regex::new(&format!("<dt>{name}</dt><dd>(?:<span[^>]*>)?([^<]*)")).unwrap();
    let text = &fact.captures(page).unwrap_or_else(|| panic!("{name}: {page}"))[1];
    text.trim_end_matches(" in tutto – ").to_owned()
}

/// The cells of the row of this name.
fn row(page: &str, name: &str) -> Vec<String> {
    let (_, rest) = page
        .split_once(&format!("<th scope=\"row\">{name}</th>"))
        .unwrap_or_else(|| panic!("{name}: {page}"));
    let cell = Regex::new("<td class=\"number\">([^<]*)</td>").unwrap();
    let (row, _) = rest.split_once("</tr>").unwrap();
    cell.captures_iter(row).map(|cell| cell[1].to_owned()).collect()
}

/// Forty-four e-services more.
fn forty_five(config: &mut Config) {
    let keys = config.eservice[0].jwks_url.clone().unwrap();
    let keys = PathBuf::from(keys.strip_prefix("file:").unwrap());
    for number in 1..45 {
        let (name, path) = (format!("ente-{number}"), format!("/waas/{number}/v1"));
        config.eservice.push(eservice(&name, &path, keys.parent().unwrap()));
    }
}

fn page(visitor: &Visitor<'_>) -> String {
    let answer = visitor.get("/");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

on_both_databases! {
    fn the_first_page_says_how_things_stand(database) {
        let millis = Arc::new(AtomicI64::new(JANUARY));
        let app = App::start_at(database, Clock::Manual(Arc::clone(&millis)), |config| {
            config.eservice[0].daily_calls_per_consumer = 2;
        });
        let visitor = app.signed_in("anna", &[Role::Operatore]);
        let empty = page(&visitor);
        assert_eq!(fact(&empty, "In attesa di INPS"), "0 flussi");
        assert_eq!(fact(&empty, "Ultima chiamata"), "mai");
        assert!(!empty.contains("<svg class=\"console-chart\""), "there is nothing to show");

        // Two benefits, one corrected and one withdrawn; a child, who costs nothing here.
        app.publish(&[mensa("2020/1", 8420), mensa("2020/2", 5000), minore("M-1", 3)]);
        app.publish(&[mensa("2020/1", 9000)]);
        app.publish(&[withdrawn(&mensa("2020/2", 5000))]);
        let full = page(&visitor);
        assert_eq!(fact(&full, "In attesa di INPS"), "6 flussi");
        assert_eq!(fact(&full, "Tempo necessario"), "2 giorni", "a page, an empty one, outcomes");
        assert_eq!(row(&full, "settembre 2020"), ["1", "1", "90,00 €"]);
        assert_eq!(row(&full, "dicembre 2020"), ["0", "1", "90,00 €"]);
        assert_eq!(row(&full, "gennaio 2021"), ["0", "0", "0,00 €"]);
        assert_eq!(row(&full, "A2.12"), ["1", "360,00 €"]);
        assert!(full.contains("<td>Mensa scolastica</td>"), "{full}");
        for chart in [
            "Importi per mese",
            "Prestazioni in corso, per mese",
            "Importi per codice",
            "Prestazioni iniziate, per codice",
        ] {
            let bars = Regex::new(&format!("{chart}</figcaption>\\s*<svg class=\"console-chart\".*?</svg>")).unwrap();
            assert!(bars.is_match(&full.replace('\n', " ")), "{chart}: {full}");
        }
        assert!(full.contains(">set 20</text>") && full.contains(">90,00 €</text>"), "{full}");
        // They began in September, and it is January.
        assert!(full.contains("3 prestazioni periodiche iniziate da oltre tre mesi"), "{full}");

        // What was withdrawn comes back at another price.
        app.publish(&[mensa("2020/2", 7000)]);
        assert_eq!(row(&page(&visitor), "A2.12"), ["2", "640,00 €"]);

        let flussi = app.get("/flussi?since=0&limit=100").flussi();
        let taken = page(&visitor);
        assert_eq!(fact(&taken, "In attesa di INPS"), "0 flussi");
        assert_eq!(fact(&taken, "Presi da INPS"), "7 flussi");
        assert_eq!(fact(&taken, "Ultima chiamata"), "15/01/2021, 12:00");
        assert!(!taken.contains("In ritardo"));
        // Who asks for what comes after the end of days takes nothing of what is published then.
        assert_eq!(app.get("/flussi?since=100000000000000000000").flussi().len(), 0);
        app.publish(&[mensa("2020/3", 7000)]);
        let waits = page(&visitor);
        assert_eq!(fact(&waits, "In attesa di INPS"), "1 flusso");
        assert_eq!(fact(&waits, "Presi da INPS"), "7 flussi");
        assert!(visitor.get("/prestazioni?stato=attesa").body.contains("2020/3"));
        app.publish(&[withdrawn(&mensa("2020/3", 7000))]);

        // One is refused, then accepted; one is not ours; one comes twice.
        millis.fetch_add(86_400_000, Ordering::SeqCst);
        visitor.sign_in("anna", PASSWORD);
        let esito = |place: usize, codice: &str| {
            let id = flussi.get(place).map_or_else(|| json!("X"), |flusso| flusso["id_flusso"].clone());
            json!({
                "id_flusso": id, "ts_flusso": "2021-01-15T11:00:00.000Z", "tipo": "PS_PSA_SINA",
                "ts_acquisizione": "2021-01-16T11:00:00.000Z", "codice_esito": codice,
            })
        };
        let post = |esiti: &[serde_json::Value]| {
            let answer = app.post_esiti(&json!({ "elenco_esiti": esiti }).to_string());
            assert_eq!(answer.status, 204, "{answer:?}");
        };
        post(&[esito(0, "OK"), esito(1, "RICHIESTA_INVALIDA"), esito(2, "DATI_NON_TROVATI"), esito(99, "OK")]);
        assert_eq!(fact(&page(&visitor), "Accettati"), "1");
        assert!(page(&visitor).contains("href=\"/esiti?eservice=prova\""), "an operator may settle it");
        let auditor = app.signed_in("carlo", &[Role::Revisore]);
        assert!(!page(&auditor).contains("href=\"/esiti"), "an auditor may not");
        assert_eq!(fact(&page(&visitor), "Rifiutati"), "2");
        post(&[esito(0, "OK"), esito(1, "OK")]);
        assert_eq!(fact(&page(&visitor), "Accettati"), "2");
        assert_eq!(fact(&page(&visitor), "Rifiutati"), "1");

        // Somebody of another ente sees no figures of this one.
        app.account_within("bruno", &[Role::Operatore], Scope::new(vec![(app.eservice, Some("F205".to_owned()))]));
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        assert!(!page(&bruno).contains("A2.12"));
    }

    fn who_sees_some_enti_sees_no_count_of_the_others(database) {
        let app = App::start_with(database, two_enti);
        app.publish(&[mensa("2020/1", 8420)]);
        let limited = |name: &str, enti: &[&str]| {
            let limits = enti.iter().map(|ente| (app.eservice, Some((*ente).to_owned()))).collect();
            app.account_within(name, &[Role::Operatore], Scope::new(limits));
            let visitor = app.visitor();
            visitor.sign_in(name, PASSWORD);
            page(&visitor)
        };
        let one = limited("bruno", &["F205"]);
        for name in ["In attesa di INPS", "Presi da INPS", "Accettati", "Rifiutati", "In ritardo"] {
            assert!(!one.contains(name), "{name}: {one}");
        }
        assert!(one.contains("voi ne vedete una parte"), "{one}");
        let both = limited("carla", &["F205", "H501"]);
        assert_eq!(fact(&both, "In attesa di INPS"), "1 flusso");
    }

    fn many_eservices_are_shown_a_part_at_a_time(database) {
        let app = App::start_with(database, forty_five);
        let link = Regex::new("href=\"([^\"]*)\">E-service (precedenti|successivi)").unwrap();
        let card = Regex::new("<h2 id=\"eservice-\\d+\">([^ ]*) ").unwrap();
        let walk = |visitor: &Visitor<'_>, way: &str, from: &str| {
            let (mut names, mut path) = (Vec::new(), Some(from.to_owned()));
            while let Some(at) = path.take() {
                let page = visitor.get(&at).body;
                names.push(card.captures_iter(&page).map(|card| card[1].to_owned()).collect::<Vec<_>>());
                path = link.captures_iter(&page).find(|link| &link[2] == way).map(|link| link[1].to_owned());
            }
            names
        };
        let anna = app.signed_in("anna", &[Role::Operatore]);
        let parts = walk(&anna, "successivi", "/");
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 5]);
        let all: BTreeSet<&String> = parts.iter().flatten().collect();
        assert_eq!((all.len(), parts[0][0].as_str(), parts[2][0].as_str()), (45, "prova", "ente-40"));
        let mut back = walk(&anna, "precedenti", "/?da=ente-40");
        back.reverse();
        assert_eq!(back, parts);
        assert!(page(&anna).contains("E-service da 1 a 20 di 45"));
        assert_eq!(walk(&anna, "precedenti", "/?da=nessuno"), parts[..1], "of what is not there, the first ones");
        // Whoever sees few of them sees them at once.
        let id = |name: &str| app.store.find_eservice(name).unwrap().unwrap();
        let two = Scope::new(vec![(id("ente-3"), None), (id("ente-44"), None)]);
        app.account_within("bruno", &[Role::Operatore], two);
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        assert_eq!(walk(&bruno, "successivi", "/?da=ente-40"), [["ente-3", "ente-44"]]);
        assert!(!page(&bruno).contains("E-service da"));
    }

    fn services_and_logs_are_shown_a_part_at_a_time_too(database) {
        let app = App::start_with(database, |config| {
            forty_five(config);
            let ente = config.eservice[1].ente[0].clone();
            config.eservice[1].ente = (0..300)
                .map(|number| Ente {
                    codice: format!("{}{:03}", ['A', 'B', 'C'][number / 100], number % 100),
                    denominazione: format!("Comune {number}"),
                    ..ente.clone()
                })
                .collect();
        });
        let anna = app.signed_in("anna", &Role::ALL);
        for (path, heading, what, sizes) in [
            ("/amministrazione", "<h2 id=\"eservice-\\d+\">([^<]*)</h2>", "E-service", [20, 20, 5]),
            ("/registro/integrita", "<section class=\"console-card\">\\s*<h2>([^<]*)</h2>", "Registri", [20, 20, 6]),
        ] {
            let heading = Regex::new(heading).unwrap();
            let way = |page: &str, to: &str| {
                let link = Regex::new(&format!("href=\"([^\"]*)\">{what} {to}<")).unwrap();
                link.captures(page).map(|link| link[1].to_owned())
            };
            let mut parts: Vec<(String, Vec<String>)> = Vec::new();
            let mut next = Some(path.to_owned());
            while let Some(at) = next.take() {
                let answer = anna.get(&at);
                assert_eq!(answer.status, 200, "{answer:?}");
                let names = heading.captures_iter(&answer.body).map(|name| name[1].to_owned()).collect();
                next = way(&answer.body, "successivi");
                parts.push((at, names));
            }
            assert_eq!(parts.iter().map(|(_, names)| names.len()).collect::<Vec<_>>(), sizes, "{path}");
            let all: BTreeSet<&String> = parts.iter().flat_map(|(_, names)| names).collect();
            assert_eq!(all.len(), sizes.iter().sum::<usize>(), "each once: {path}");
            let last = anna.get(&parts[2].0).body;
            assert!(last.contains(&format!("{what} da 41 a {0} di {0}", all.len())), "{last}");
            let middle = anna.get(&way(&last, "precedenti").unwrap()).body;
            assert!(parts[1].1.iter().all(|name| middle.contains(name.as_str())), "{path}");
        }
        // Whoever has many enti is not read out whole.
        let page = anna.get("/amministrazione").body;
        assert!(page.contains("<summary>300 enti</summary>") && page.contains("<li>Comune 299 (C099)</li>"), "{page}");
    }

    fn what_is_late_elsewhere_is_told_on_every_part(database) {
        let app = App::start_with(database, |config| {
            forty_five(config);
            let keys = config.eservice[42].jwks_url.as_deref().unwrap();
            config.eservice[42].jwks_url = Some(keys.replace("jwks.json", "nowhere"));
        });
        let id = |name: &str| app.store.find_eservice(name).unwrap().unwrap();
        // What began in 2020 is late wherever it waits: in the first part, in the second, in the third.
        for (name, label) in [("ente-2", "A"), ("ente-25", "B"), ("ente-30", "C"), ("ente-44", "D")] {
            app.registry.publish(id(name), &roma(), &[mensa(label, 8000)]).unwrap();
        }
        let anna = app.signed_in("anna", &[Role::Operatore]);
        let told = |visitor: &Visitor<'_>, path: &str| {
            let page = visitor.get(path).body;
            let entry = Regex::new("<li><a href=\"([^\"]*)\">([^<]*)</a>: (\\d+)\\. (.*?)</li>").unwrap();
            let tags = Regex::new("<[^>]*>").unwrap();
            let entries = entry.captures_iter(&page).map(|entry| {
                format!("{} {} {}: {}", &entry[1], &entry[2], &entry[3], tags.replace_all(&entry[4], ""))
            });
            entries.collect::<Vec<_>>()
        };
        let first = "/?da=prova E-service da 1 a 20 di 45 1: ente-2 (in ritardo)";
        let second = "/?da=ente-20 E-service da 21 a 40 di 45 2: ente-25 (in ritardo), ente-30 (in ritardo)";
        let third = "/?da=ente-40 E-service da 41 a 45 di 45 2: \
                     ente-42 (chiavi di PDND: nessuna: ogni chiamata riceve 503), ente-44 (in ritardo)";
        assert_eq!(told(&anna, "/"), [second, third]);
        assert_eq!(told(&anna, "/?da=ente-20"), [first, third]);
        assert_eq!(told(&anna, "/?da=ente-40"), [first, second]);
        assert!(page(&anna).contains("Da guardare"));
        assert!(anna.get("/?da=ente-20").body.contains("1 prestazione periodica iniziata da oltre tre mesi"));

        // INPS takes what ente-30 has.
        let voucher = format!("Bearer {}", app.voucher());
        let taken = app.send("GET", "/waas/30/v1/flussi?since=0", &[("Authorization", &voucher)], b"");
        assert_eq!(taken.flussi().len(), 1);
        assert!(!told(&anna, "/")[0].contains("ente-30"), "{:?}", told(&anna, "/"));

        // Whoever sees a part of an e-service is not told what waits in all of it.
        let limits: Vec<_> = (1..45).map(|number| (id(&format!("ente-{number}")), Some("F205".to_owned()))).collect();
        app.account_within("bruno", &[Role::Operatore], Scope::new(limits));
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        assert!(!page(&bruno).contains("in ritardo"));
    }

    fn what_waits_is_counted_after_any_cursor(database) {
        let app = App::start(database);
        for batch in 0..4 {
            let records: Vec<Record> = (0..5).map(|number| mensa(&format!("{batch}/{number}"), 8000)).collect();
            app.publish(&records);
        }
        let flussi = app.registry.page(app.eservice, 0, 100).unwrap();
        assert_eq!(app.registry.waiting(app.eservice, 0).unwrap(), 20);
        for (place, flusso) in flussi.iter().enumerate() {
            let after = u64::try_from(flussi.len() - place - 1).unwrap();
            assert_eq!(app.registry.waiting(app.eservice, flusso.ts_ms).unwrap(), after);
            assert_eq!(app.registry.waiting(app.eservice, flusso.ts_ms - 1).unwrap(), after + 1);
        }
        assert_eq!(app.registry.waiting(app.eservice, i64::MAX).unwrap(), 0);
    }
}
