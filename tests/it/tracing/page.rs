//! The page on which an auditor sees how the days stand: every state in plain words, with what to do about it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use regex::Regex;
use uuid::Uuid;
use waas_comuni::clock::Clock;
use waas_comuni::config::Tracing;
use waas_comuni::pdnd::ledger::{self, Record};
use waas_comuni::pdnd::service::State;
use waas_comuni::staff::Role::{Amministratore, Operatore, Revisore};
use waas_comuni::staff::Scope;
use waas_comuni::store::Store;

use super::count::{day, instant};
use crate::support::app::{self, App};
use crate::support::database::{TestDatabase, on_both_databases};
use crate::support::staff::{PASSWORD, Visitor};

const PATH: &str = "/registro/tracing";

/// Three e-services of two members: the first has `prova` alone and sends by itself since the 13th of March 2026; the second
/// has the others, and sends when it is told to.
fn start(database: &TestDatabase, millis: &Arc<AtomicI64>) -> App {
    let store = database.store();
    store.write(|connection| ledger::enable(connection, "roma", day("2026-03-13"))).unwrap();
    let clock = Clock::Manual(Arc::clone(millis));
    hold(&store, clock.now());
    App::start_at(database, clock, |config| {
        let keys = config.eservice[0].jwks_url.clone().unwrap();
        let keys = PathBuf::from(keys.strip_prefix("file:").unwrap());
        for (name, path) in [("seconda", "/waas/v2"), ("terza", "/waas/v3")] {
            config.eservice.push(app::eservice(name, path, keys.parent().unwrap()));
        }
        let section = |lines: &str| toml::from_str::<Tracing>(lines).unwrap();
        config.tracing = vec![
            section(
                "name = \"roma\"\neservices = [\"prova\"]\ndaily = true\nkid = \"k\"\nkey = \"none\"\n\
                 client_id = \"4a1f7d3c-5f8e-4c53-9c59-0a1f2b3c4d5e\"\nurl = \"http://127.0.0.1:9\"\n\
                 token_url = \"http://127.0.0.1:9\"\nassertion_audience = \"a\"",
            ),
            section("name = \"unione\"\neservices = [\"seconda\", \"terza\"]"),
        ];
    })
}

/// Takes the turn of the first member, so that its daily job leaves everything as it is.
fn hold(store: &Store, now: Timestamp) {
    assert!(store.write(|connection| ledger::take_turn(connection, "roma", "another", now)).unwrap());
}

fn keep(app: &App, member: &str, record: &Record) {
    app.store.write(|connection| ledger::save(connection, member, record)).unwrap();
}

fn in_state(date: &str, state: State) -> Record {
    let submitted = day(date).end();
    Record { state: Some(state), tracing_id: Some(Uuid::new_v4()), submitted, ..Record::new(day(date)) }
}

fn page(visitor: &Visitor<'_>) -> String {
    let answer = visitor.get(PATH);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.replace("&#39;", "'")
}

/// The part of a member.
fn part<'a>(page: &'a str, member: &str) -> &'a str {
    let (_, rest) =
        page.split_once(&format!("<h2>{member}</h2>")).unwrap_or_else(|| panic!("{member}: {page}"));
    rest.split("<h2>").next().unwrap()
}

/// Day, state, class of its badge, attempts that failed and what to do, in the order of the page.
fn rows(part: &str) -> Vec<[String; 5]> {
    let row = Regex::new(
        "<td[^>]*>([^<]*)</td>\\s*<td[^>]*><span class=\"console-badge ([^\"]*)\">([^<]*)</span></td>\\s*<td[^>]*>[^<]*</td>\\s*\
         <td[^>]*class=\"number\">([^<]*)</td>\\s*<td[^>]*>(.*?)</td>",
    )
    .unwrap();
    row.captures_iter(part).map(|row| [1, 3, 2, 4, 5].map(|place| row[place].to_owned())).collect()
}

/// What the page says of a day.
fn told(visitor: &Visitor<'_>, member: &str, giorno: &str) -> [String; 4] {
    let page = page(visitor);
    let found = rows(part(&page, member)).into_iter().find(|row| row[0] == giorno);
    let [_, state, badge, failures, remedy] = found.unwrap_or_else(|| panic!("{giorno}: {page}"));
    [state, badge, failures, remedy]
}

on_both_databases! {
    fn every_state_of_a_day_is_told_with_what_to_do(database) {
        let millis = Arc::new(AtomicI64::new(instant("2026-03-20T11:00:00Z").as_millisecond()));
        let app = start(database, &millis);
        let anna = app.signed_in("anna", &[Revisore]);
        let empty = page(&anna);
        assert!(part(&empty, "unione").contains("Nessun giorno da dichiarare"), "{empty}");
        assert!(!part(&empty, "roma").contains("automatico"), "{empty}");
        assert!(part(&empty, "unione").contains("non è mai stato attivato"), "{empty}");

        keep(&app, "roma", &in_state("2026-03-12", State::Completed));
        keep(&app, "roma", &in_state("2026-03-13", State::Completed));
        let remarks = Some("counted with remarks".to_owned());
        keep(&app, "roma", &Record { last_error: remarks, ..in_state("2026-03-14", State::Warning) });
        let found = Some("wrong purpose <b>&\"".to_owned());
        keep(&app, "roma", &Record { last_error: found, ..in_state("2026-03-15", State::Error) });
        keep(&app, "roma", &Record { submitted: None, ..in_state("2026-03-16", State::Missing) });
        keep(&app, "roma", &in_state("2026-03-17", State::Pending));
        // Of the 18th nothing is known; the 19th failed a few times, and can be sent until tonight.
        let failed = Some("the token service does not answer".to_owned());
        keep(&app, "roma", &Record { failures: 3, last_error: failed, ..Record::new(day("2026-03-19")) });
        // A file of a day that was counted is being replaced.
        let sending = Some("0".repeat(64));
        keep(&app, "roma", &Record { sending, ..in_state("2026-03-11", State::Completed) });

        let shown = page(&anna);
        let rows = rows(part(&shown, "roma"));
        let shown: Vec<[&str; 5]> = rows.iter().map(|row| row.each_ref().map(String::as_str)).collect();
        let by_hand = |date: &str| format!("usa «waas-comuni tracing submit --date {date}».");
        assert_eq!(shown, [
            ["19/03/2026", "non inviato", "attenzione", "3", &format!(
                "Si può inviare fino al 20/03/2026, 23:50: il servizio prova da sé. Se non riesce, chi lo gestisce {} \
                 <span class=\"console-hint\" lang=\"en\">the token service does not answer</span>",
                by_hand("2026-03-19")
            )],
            ["18/03/2026", "non inviato", "attenzione", "0", &format!(
                "Il termine è passato senza invio: il servizio prova da sé. Se non riesce, chi lo gestisce {}",
                by_hand("2026-03-18")
            )],
            ["17/03/2026", "in esame da PDND", "neutro", "0", "Nulla: PDND risponde di solito in pochi minuti."],
            ["16/03/2026", "mancato", "errore", "0", &format!(
                "Il termine è passato senza invio: il servizio prova da sé. Se non riesce, chi lo gestisce {}",
                by_hand("2026-03-16")
            )],
            ["15/03/2026", "rifiutato da PDND", "errore", "0", &format!(
                "Il giorno non conta: leggere che cosa ha trovato PDND, rimediare, poi chi gestisce il servizio {} \
                 <span class=\"console-hint\" lang=\"en\">wrong purpose &#60;b&#62;&#38;&#34;</span>",
                by_hand("2026-03-15")
            )],
            ["14/03/2026", "conteggiato con osservazioni", "ok", "0", "Il giorno conta. Controllare su PDND che le \
                finalità siano quelle di questi e-service. \
                <span class=\"console-hint\" lang=\"en\">counted with remarks</span>"],
            ["13/03/2026", "conteggiato", "ok", "0", ""],
            ["12/03/2026", "conteggiato", "ok", "0", ""],
            ["11/03/2026", "invio in corso", "neutro", "0",
                "Non si sa ancora se l'invio è arrivato: il servizio lo chiede a PDND da sé."],
        ]);

        let pass = |to: &str| {
            hold(&app.store, instant(to));
            millis.store(instant(to).as_millisecond(), Ordering::SeqCst);
        };
        // Just after midnight a day is over, and not counted yet.
        pass("2026-03-20T23:02:00Z");
        anna.sign_in("anna", PASSWORD);
        let [state, _, _, remedy] = told(&anna, "roma", "20/03/2026");
        assert_eq!([state, remedy], ["non inviato", "Nulla: si invia pochi minuti dopo la fine del giorno."]);
        // What is older than sixty days is not shown.
        pass("2026-05-13T11:00:00Z");
        anna.sign_in("anna", PASSWORD);
        let later = page(&anna);
        assert!(!later.contains(">13/03/2026</td>") && later.contains(">14/03/2026</td>"), "{later}");
    }

    fn nothing_is_promised_that_nobody_does(database) {
        let millis = Arc::new(AtomicI64::new(instant("2026-03-20T11:00:00Z").as_millisecond()));
        let app = start(database, &millis);
        let anna = app.signed_in("anna", &[Revisore]);
        // The daily job was on once.
        app.store.write(|connection| ledger::enable(connection, "unione", day("2026-03-17"))).unwrap();
        let sending = Some("0".repeat(64));
        keep(&app, "unione", &Record { sending, ..Record::new(day("2026-03-17")) });
        let shown = page(&anna);
        let shown = part(&shown, "unione");
        assert!(shown.contains("L'invio automatico è spento nella configurazione"), "{shown}");
        assert!(!shown.contains("da sé"), "{shown}");
        let remedies: Vec<String> = rows(shown).into_iter().map(|[.., remedy]| remedy).collect();
        let by_hand = |date: &str| format!("chi gestisce il servizio usa «waas-comuni tracing submit --date {date}»");
        assert_eq!(remedies, [
            format!("Si può inviare fino al 20/03/2026, 23:50: {}.", by_hand("2026-03-19")),
            format!("Il termine è passato senza invio: {}.", by_hand("2026-03-18")),
            format!("Non si sa se l'invio è arrivato: {}, che prima lo chiede a PDND.", by_hand("2026-03-17")),
        ]);
    }

    fn an_auditor_sees_the_members_whose_eservices_they_see(database) {
        let millis = Arc::new(AtomicI64::new(instant("2026-03-20T11:00:00Z").as_millisecond()));
        let app = start(database, &millis);
        keep(&app, "roma", &in_state("2026-03-17", State::Pending));
        keep(&app, "unione", &in_state("2026-03-18", State::Error));
        let id = |name: &str| app.store.find_eservice(name).unwrap().unwrap();
        let limited = |name: &str, limits: &[(&str, Option<&str>)]| {
            let limits = limits.iter().map(|(eservice, ente)| (id(eservice), ente.map(str::to_owned))).collect();
            app.account_within(name, &[Revisore], Scope::new(limits));
            let visitor = app.visitor();
            visitor.sign_in(name, PASSWORD);
            page(&visitor)
        };
        // What is told of the days of either.
        let seen = |page: &str| ["in esame da PDND", "rifiutato da PDND"].map(|state| page.contains(state));
        assert_eq!(seen(&page(&app.signed_in("anna", &[Revisore]))), [true, true]);
        // Of a member one sees everything or nothing: its file counts all its e-services at once.
        let roma = limited("bruno", &[("prova", Some("H501")), ("seconda", None)]);
        assert!(seen(&roma) == [true, false] && !roma.contains("unione"), "{roma}");
        let unione = limited("carla", &[("seconda", None), ("terza", None)]);
        assert!(seen(&unione) == [false, true] && !unione.contains("roma"), "{unione}");
        let neither = limited("dario", &[("terza", None)]);
        assert!(neither.contains("non prevede l'invio"), "{neither}");
        assert!(seen(&neither) == [false, false] && !neither.contains("<h2>"), "{neither}");
        for (name, role) in [("elena", Operatore), ("fabio", Amministratore)] {
            let answer = app.signed_in(name, &[role]).get(PATH);
            assert!(answer.status == 403 && seen(&answer.body) == [false, false], "{answer:?}");
        }
        let stranger = app.visitor().get(PATH);
        assert!(stranger.status == 303 && stranger.body.is_empty(), "{stranger:?}");
    }
}
