//! The console over HTTP: who may do what, and what those get who should not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use regex::Regex;
use waas_comuni::clock::Clock;
use waas_comuni::console::pages;
use waas_comuni::staff::Role::{self, Amministratore, Operatore, Revisore};
use waas_comuni::staff::{Scope, session};

use crate::support::app::{Answer, App};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;
use crate::support::staff::PASSWORD;

const HALF_AN_HOUR: i64 = 30 * 60 * 1000;

/// Who may do what, stated a second time: method, path, roles. No role at all: whoever is signed in.
const TABLE: &[(&str, &str, &[Role])] = &[
    ("GET", "/", &[Operatore, Revisore, Amministratore]),
    ("GET", "/caricamenti", &[Operatore]),
    ("POST", "/caricamenti", &[Operatore]),
    ("GET", "/caricamenti/{id}", &[Operatore]),
    ("GET", "/caricamenti/{id}/stato", &[Operatore]),
    ("GET", "/caricamenti/{id}/rapporto.csv", &[Operatore]),
    ("GET", "/caricamenti/{id}/rapporto.json", &[Operatore]),
    ("POST", "/caricamenti/{id}/colonne", &[Operatore]),
    ("POST", "/caricamenti/{id}/conferma", &[Operatore]),
    ("POST", "/caricamenti/{id}/annulla", &[Operatore]),
    ("POST", "/caricamenti/{id}/riprendi", &[Operatore]),
    ("GET", "/guida", &[Operatore, Revisore, Amministratore]),
    ("GET", "/guida/{nome}", &[Operatore, Revisore, Amministratore]),
    ("POST", "/uscita", &[]),
    ("GET", "/utenza/password", &[]),
    ("POST", "/utenza/password", &[]),
    ("GET", "/prestazioni", &[Operatore]),
    ("POST", "/prestazioni", &[Operatore]),
    ("GET", "/prestazioni/nuova", &[Operatore]),
    ("POST", "/prestazioni/nuova", &[Operatore]),
    ("GET", "/prestazioni/nuovo-minore", &[Operatore]),
    ("POST", "/prestazioni/nuovo-minore", &[Operatore]),
    ("POST", "/prestazioni/calcolo", &[Operatore]),
    ("GET", "/prestazioni/{eservice}/{id}/correzione", &[Operatore]),
    ("POST", "/prestazioni/{eservice}/{id}/correzione", &[Operatore]),
    ("GET", "/prestazioni/{eservice}/{id}", &[Operatore]),
    ("GET", "/prestazioni/{eservice}/{id}/xml/{flusso}", &[Operatore]),
    ("GET", "/prestazioni/{eservice}/{id}/ritiro", &[Operatore]),
    ("POST", "/prestazioni/{eservice}/{id}/ritiro", &[Operatore]),
    ("GET", "/prestazioni/{eservice}/{id}/invio", &[Operatore]),
    ("POST", "/prestazioni/{eservice}/{id}/invio", &[Operatore]),
    ("GET", "/esiti", &[Operatore]),
    ("GET", "/esiti/accettati", &[Operatore]),
    ("GET", "/esiti/sconosciuti", &[Operatore]),
    ("POST", "/esiti/file", &[Operatore]),
    ("GET", "/registro", &[Revisore]),
    ("GET", "/registro/chiamate/{registro}/{indice}", &[Revisore]),
    ("POST", "/registro/chiamate/{registro}/{indice}/prova", &[Revisore]),
    ("GET", "/registro/persona", &[Revisore]),
    ("POST", "/registro/persona", &[Revisore]),
    ("GET", "/registro/integrita", &[Revisore]),
    ("POST", "/registro/integrita/verifica", &[Revisore]),
    ("GET", "/registro/esportazioni", &[Revisore]),
    ("POST", "/registro/esportazioni", &[Revisore]),
    ("POST", "/registro/esportazioni/checkpoint", &[Revisore]),
    ("GET", "/registro/tracing", &[Revisore]),
    ("GET", "/amministrazione", &[Amministratore]),
    ("POST", "/amministrazione/controlli", &[Amministratore]),
    ("GET", "/amministrazione/openapi/{eservice}", &[Amministratore]),
    ("GET", "/amministrazione/chiavi", &[Amministratore]),
    ("POST", "/amministrazione/chiavi", &[Amministratore]),
    ("POST", "/amministrazione/chiavi/{nome}/revoca", &[Amministratore]),
    ("GET", "/amministrazione/utenti", &[Amministratore]),
    ("POST", "/amministrazione/utenti", &[Amministratore]),
    ("GET", "/amministrazione/utenti/{nome}", &[Amministratore]),
    ("POST", "/amministrazione/utenti/{nome}", &[Amministratore]),
    ("POST", "/amministrazione/utenti/{nome}/password", &[Amministratore]),
    ("POST", "/amministrazione/utenti/{nome}/disabilita", &[Amministratore]),
];

/// What is there for whoever comes.
const OPEN: &[(&str, &str)] = &[("GET", "/accesso"), ("POST", "/accesso")];

/// A path of a page, with something in the place of its braces.
fn concrete(path: &str) -> String {
    path.replace("/guida/{nome}", "/guida/regole")
        .replace("{nome}", "bruno")
        .replace("{eservice}", "prova")
        .replace("{id}", "1")
        .replace("{registro}", "0")
        .replace("{indice}", "0")
}

#[test]
fn the_table_of_pages_is_the_one_that_was_agreed() {
    let built: BTreeSet<_> = pages::all().map(|page| (page.method().to_string(), page.path)).collect();
    let agreed = TABLE.iter().map(|(method, path, _)| (*method, *path)).chain(OPEN.iter().copied());
    let agreed: BTreeSet<_> = agreed.map(|(method, path)| (method.to_owned(), path)).collect();
    assert_eq!(built, agreed);
}

on_both_databases! {
    fn who_may_do_what(database) {
        let app = App::start(database);
        let roles = [&[][..], &[Operatore], &[Revisore], &[Amministratore]];
        for roles in roles {
            for (method, path, allowed) in TABLE {
                let name = format!("{}{}", roles.first().map_or("nessuno", |role| role.as_str()), uuid::Uuid::new_v4().simple());
                let visitor = app.visitor();
                if roles.is_empty() {
                    visitor.get("/accesso");
                } else {
                    // The smallest page that has a form gives the token.
                    app.account(&name, roles);
                    visitor.sign_in(&name, PASSWORD);
                    visitor.get("/utenza/password");
                }
                let path = concrete(path);
                let answer = match *method {
                    "GET" => visitor.get(&path),
                    _ => visitor.post(&path, &[]),
                };
                let what = format!("{method} {path} by {roles:?}: {answer:?}");
                if roles.is_empty() {
                    assert_eq!(answer.status, 303, "{what}");
                    assert!(answer.header("location").unwrap().starts_with("/accesso"), "{what}");
                } else if allowed.is_empty() || roles.iter().any(|role| allowed.contains(role)) {
                    assert!(![401, 403, 405].contains(&answer.status), "{what}");
                } else {
                    assert_eq!(answer.status, 403, "{what}");
                    assert!(answer.body.contains("Pagina non consentita"), "{what}");
                }
            }
        }
    }

    fn a_provisional_password_opens_nothing_but_its_change(database) {
        let app = App::start(database);
        let admin = app.signed_in("anna", &[Amministratore]);
        admin.get("/amministrazione/utenti");
        let made = admin.post("/amministrazione/utenti", &[("nome", "Bruno"), ("nominativo", "Bruno B."), ("ruolo", "operatore")]);
        assert_eq!(made.status, 200, "{made:?}");
        let password = Regex::new("id=\"segreto\">([^<]+)<").unwrap().captures(&made.body).unwrap()[1].to_owned();
        assert!(!admin.get("/amministrazione/utenti").body.contains(&password), "it is shown once");

        let visitor = app.visitor();
        assert_eq!(visitor.sign_in("bruno", &password).header("location"), Some("/utenza/password"));
        assert_eq!(visitor.get("/").header("location"), Some("/utenza/password"));
        visitor.get("/utenza/password");
        let change = |fields: &[(&str, &str)]| visitor.post("/utenza/password", fields);
        let with = |new, again| change(&[("attuale", &password), ("nuova", new), ("conferma", again)]);
        assert!(with("corta", "corta").body.contains("meno di 12 caratteri"));
        assert!(with("aaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaa").body.contains("facile da indovinare"));
        assert!(with(PASSWORD, "altro").body.contains("sono diverse"));
        assert!(with(&password, &password).body.contains("uguale a quella attuale"));
        let wrong = change(&[("attuale", "x"), ("nuova", PASSWORD), ("conferma", PASSWORD)]);
        assert!(wrong.status == 422 && wrong.body.contains("href=\"#attuale\""), "{wrong:?}");
        let former = visitor.cookie.borrow().clone();
        assert_eq!(with(PASSWORD, PASSWORD).header("location"), Some("/?fatto=password"));
        assert_ne!(*visitor.cookie.borrow(), former);
        assert!(visitor.get("/?fatto=password").body.contains("La password è stata cambiata"));
    }

    fn a_change_of_password_ends_every_other_session(database) {
        let app = App::start(database);
        let (here, elsewhere) = (app.signed_in("anna", &[Operatore]), app.visitor());
        elsewhere.sign_in("anna", PASSWORD);
        assert_eq!(elsewhere.get("/").status, 200);
        here.get("/utenza/password");
        let new = "cinque cani sotto la pioggia";
        here.post("/utenza/password", &[("attuale", PASSWORD), ("nuova", new), ("conferma", new)]);
        assert_eq!((here.get("/").status, elsewhere.get("/").status), (200, 303));
    }

    fn an_administrator_shuts_somebody_out_at_once(database) {
        let app = App::start(database);
        let (admin, other) = (app.signed_in("anna", &[Amministratore]), app.signed_in("bruno", &[Operatore]));
        assert_eq!(other.get("/").status, 200);
        admin.get("/amministrazione/utenti");
        assert_eq!(admin.post("/amministrazione/utenti/anna/disabilita", &[]).status, 403, "not oneself");
        assert_eq!(admin.post("/amministrazione/utenti/bruno/disabilita", &[]).status, 303);
        assert_eq!(other.get("/").status, 303);
        assert_eq!(app.visitor().sign_in("bruno", PASSWORD).status, 422);
        assert!(admin.get("/amministrazione/utenti").body.contains("disabilitato"));
        assert_eq!(admin.post("/amministrazione/utenti/bruno/disabilita", &[]).status, 404);
        // A password of the administrator's lets him in again.
        assert_eq!(admin.post("/amministrazione/utenti/bruno/password", &[]).status, 200);
        assert_eq!(app.visitor().sign_in("bruno", PASSWORD).status, 422);
    }

    fn an_administrator_changes_what_somebody_may_do(database) {
        let app = App::start(database);
        let (admin, bruno) = (app.signed_in("anna", &[Amministratore]), app.signed_in("bruno", &[Operatore]));
        let page = admin.get("/amministrazione/utenti/bruno");
        assert!(page.body.contains("value=\"operatore\" checked") && !page.body.contains("value=\"revisore\" checked"), "{page:?}");
        let path = "/amministrazione/utenti/bruno";
        let wrong = admin.post(path, &[("nominativo", "")]);
        assert!(wrong.status == 422 && wrong.body.contains("href=\"#ruolo\"") && wrong.body.contains("href=\"#nominativo\""), "{wrong:?}");
        assert_eq!(bruno.get("/prestazioni").status, 200, "nothing is done yet");
        let saved = admin.post(path, &[("nominativo", "Bruno B."), ("ruolo", "revisore"), ("ambito", "prova:")]);
        assert_eq!(saved.header("location"), Some("/amministrazione/utenti?fatto=modificato"), "{saved:?}");
        assert_eq!(bruno.get("/registro").status, 303, "he signs in again");
        bruno.sign_in("bruno", PASSWORD);
        assert_eq!((bruno.get("/registro").status, bruno.get("/prestazioni").status), (200, 403));
        let page = admin.get(path).body;
        assert!(page.contains("value=\"revisore\" checked") && page.contains("value=\"prova:\" checked"), "{page}");
        assert_eq!(admin.get("/amministrazione/utenti/anna").status, 403, "not oneself");
        assert_eq!(admin.post("/amministrazione/utenti/anna", &[("nominativo", "A"), ("ruolo", "operatore")]).status, 403);
        assert_eq!(admin.get("/amministrazione/utenti/nessuno").status, 404);
        let log = app.log();
        let changed: Vec<_> = log.iter().filter(|entry| entry["path"] == "user_changed").collect();
        assert_eq!(changed.len(), 1, "{changed:?}");
        assert_eq!((&changed[0]["user_id"], &changed[0]["query"]), (&"anna".into(), &"utente=bruno".into()));
    }

    fn nobody_gives_more_than_they_have(database) {
        let app = App::start_with(database, |config| {
            let mut other = config.eservice[0].clone();
            (other.name, other.base_path) = ("altra".to_owned(), "/altra".to_owned());
            config.eservice.push(other);
        });
        let altra = app.store.find_eservice("altra").unwrap().unwrap();
        app.account("capo", &[Amministratore]);
        app.account_within("carla", &[Operatore], Scope::new(vec![(altra, None)]));
        app.account_within("bruno", &[Operatore], Scope::new(vec![(app.eservice, None)]));
        app.account_within("anna", &[Amministratore], Scope::new(vec![(app.eservice, None)]));
        let anna = app.visitor();
        anna.sign_in("anna", PASSWORD);
        let page = anna.get("/amministrazione/utenti").body;
        assert!(page.contains(">bruno</th>") && !page.contains(">capo</th>") && !page.contains(">carla</th>"), "{page}");
        assert!(!page.contains("value=\"altra:\""), "{page}");
        for name in ["capo", "carla"] {
            let path = format!("/amministrazione/utenti/{name}");
            assert_eq!(anna.get(&path).status, 404);
            anna.get("/amministrazione/utenti");
            for path in [path.clone(), format!("{path}/password"), format!("{path}/disabilita")] {
                let fields = [("nominativo", "X"), ("ruolo", "operatore"), ("ambito", "prova:")];
                assert_eq!(anna.post(&path, &fields).status, 404, "{path}");
            }
        }
        for (path, name) in [("/amministrazione/utenti", "dario"), ("/amministrazione/utenti/bruno", "")] {
            for scope in ["", "altra:"] {
                let fields = [("nome", name), ("nominativo", "X"), ("ruolo", "operatore"), ("ambito", scope)];
                let refused = anna.post(path, &fields);
                assert!(refused.status == 422 && refused.body.contains("href=\"#ambito\""), "{refused:?}");
            }
        }
    }

    fn an_administrator_of_some_learns_nothing_of_the_others(database) {
        let app = App::start_with(database, |config| {
            let mut milano = config.eservice[0].ente[0].clone();
            (milano.codice, milano.denominazione) = ("F205".to_owned(), "Comune di Milano".to_owned());
            // Something is risky about each.
            "Mila".clone_into(&mut milano.sede);
            config.eservice[0].ente.push(milano);
            let mut other = config.eservice[0].clone();
            (other.name, other.base_path) = ("altra".to_owned(), "/altra".to_owned());
            (other.daily_calls_total, other.daily_calls_per_consumer) = (0, 0);
            config.eservice.push(other);
        });
        let pages = |name: &str, limits| {
            app.account_within(name, &[Amministratore], Scope::new(limits));
            let visitor = app.visitor();
            visitor.sign_in(name, PASSWORD);
            [visitor.get("/amministrazione").body, visitor.post("/amministrazione/controlli", &[]).body]
        };
        for page in pages("capo", vec![]) {
            assert!(page.contains("eservice[0].ente[1].sede (&#34;prova&#34;)"), "{page}");
            assert!(page.contains("eservice[1].daily_calls_total (&#34;altra&#34;)"), "{page}");
        }
        for page in pages("anna", vec![(app.eservice, None)]) {
            assert!(page.contains("ente[1].sede") && !page.contains("altra"), "{page}");
            assert!(!page.contains("daily_calls_total"), "{page}");
        }
        let [service, checks] = pages("bruno", vec![(app.eservice, Some("H501".to_owned()))]);
        assert!(service.contains("Comune di Roma (H501)"), "{service}");
        for page in [&service, &checks] {
            assert!(["Milano", "F205", "ente[1]", "altra"].iter().all(|other| !page.contains(other)), "{page}");
        }
        assert!(checks.contains("database") && !checks.contains("pulls of"), "{checks}");
    }

    fn a_session_ends_by_itself(database) {
        let millis = Arc::new(AtomicI64::new(1_800_000_000_000));
        let app = App::start_at(database, Clock::Manual(Arc::clone(&millis)), |_| {});
        let visitor = app.signed_in("anna", &[Operatore]);
        let after = |ms: i64| {
            millis.fetch_add(ms, Ordering::SeqCst);
            visitor.get("/").status
        };
        let mut used = 0;
        while used + HALF_AN_HOUR - 1 < session::LIFETIME_MS {
            assert_eq!(after(HALF_AN_HOUR - 1), 200, "it is in use");
            used += HALF_AN_HOUR - 1;
        }
        assert_eq!(after(HALF_AN_HOUR - 1), 303, "it lasts no longer than its life");
        visitor.sign_in("anna", PASSWORD);
        assert_eq!(after(HALF_AN_HOUR), 303, "nobody was there");
    }

    fn some_see_some_e_services_alone(database) {
        let app = App::start_with(database, |config| {
            let mut other = config.eservice[0].clone();
            (other.name, other.base_path) = ("altra".to_owned(), "/altra".to_owned());
            config.eservice.push(other);
        });
        app.account_within("anna", &[Operatore], Scope::new(vec![(app.eservice, None)]));
        let anna = app.visitor();
        anna.sign_in("anna", PASSWORD);
        let page = anna.get("/").body;
        assert!(page.contains("prova") && !page.contains("altra"), "{page}");
        let page = app.signed_in("bruno", &[Operatore]).get("/").body;
        assert!(page.contains("prova") && page.contains("altra"), "{page}");
    }
}

#[test]
fn a_form_is_taken_from_our_own_pages_alone() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let visitor = app.signed_in("anna", &[Amministratore]);
    visitor.get("/amministrazione/utenti");
    let token = visitor.token.borrow().clone();
    let form = "application/x-www-form-urlencoded";
    let send = |headers: &[(&str, &str)], body: &str| {
        visitor.send("POST", "/amministrazione/utenti/bruno/password", headers, body.as_bytes()).status
    };
    let good = format!("gettone={token}");
    assert_eq!(send(&[("Content-Type", form)], &good), 404, "there is no bruno, and that is all");
    let host = format!("127.0.0.1:{}", app.back_office().port());
    let (own, other) = (format!("http://{host}"), "https://altrove.example");
    assert_eq!(
        send(&[("Content-Type", form), ("Origin", &own), ("Sec-Fetch-Site", "same-origin")], &good),
        404
    );
    for headers in [
        &[("Content-Type", form), ("Origin", other)][..],
        &[("Content-Type", form), ("Origin", "null")],
        &[("Content-Type", form), ("Sec-Fetch-Site", "cross-site")],
        &[("Content-Type", form), ("Sec-Fetch-Site", "same-site"), ("Origin", &own)],
    ] {
        assert_eq!(send(headers, &good), 403, "{headers:?}");
    }
    let another = app.signed_in("carla", &[Amministratore]);
    another.get("/amministrazione/utenti");
    let foreign = format!("gettone={}", another.token.borrow());
    for body in ["", "gettone=", &good[..good.len() - 1], &foreign] {
        assert_eq!(send(&[("Content-Type", form)], body), 403, "{body}");
    }
    assert_eq!(send(&[("Content-Type", "application/json")], &good), 400);
    assert_eq!(send(&[("Content-Type", form)], &format!("{good}&x={}", "y".repeat(300_000))), 413);
    assert_eq!(send(&[("Content-Type", form)], &format!("{good}{}", "&x".repeat(3000))), 413);
    // Signing in is a form too: nobody is signed in to somebody else's account behind their back.
    let stranger = app.visitor();
    stranger.get("/accesso");
    *stranger.token.borrow_mut() = String::new();
    assert_eq!(stranger.post("/accesso", &[("nome", "anna"), ("password", PASSWORD)]).status, 403);
}

#[test]
fn the_id_of_a_session_is_given_at_the_sign_in() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("anna", &[Operatore]);
    let visitor = app.visitor();
    // An id that somebody else has put into the browser.
    let planted = format!("waas-comuni={}", "A".repeat(43));
    *visitor.cookie.borrow_mut() = Some(planted.clone());
    let signed_in = visitor.sign_in("anna", PASSWORD);
    assert_eq!(signed_in.status, 303, "{signed_in:?}");
    let cookie = signed_in.header("set-cookie").unwrap();
    assert!(
        !cookie.starts_with(&planted) && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    assert_eq!(visitor.get("/").status, 200);
    let thief = app.visitor();
    *thief.cookie.borrow_mut() = Some(planted);
    assert_eq!(thief.get("/").status, 303);

    let mine = visitor.cookie.borrow().clone();
    visitor.get("/");
    assert_eq!(visitor.post("/uscita", &[]).header("location"), Some("/accesso"));
    *thief.cookie.borrow_mut() = mine;
    assert_eq!(thief.get("/").status, 303, "what was signed out stays so");
}

#[test]
fn nothing_tells_an_account_from_none() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("anna", &[Operatore]);
    let visitor = app.visitor();
    let attempt = |name: &str| {
        visitor.get("/accesso");
        let started = Instant::now();
        let answer = visitor.post("/accesso", &[("nome", name), ("password", "sbagliata del tutto")]);
        (started.elapsed(), answer)
    };
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..8 {
        let unknown = format!("nessuno{round}");
        for (place, name) in ["anna", &unknown].into_iter().enumerate() {
            let (time, answer) = attempt(name);
            assert_eq!(answer.status, 422);
            assert!(answer.body.contains("Nome utente o password non validi."));
            times[place].push(time);
        }
    }
    let [known, unknown] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    assert!(known < unknown * 3 && unknown < known * 3, "{known:?}, {unknown:?}");
    let text = |answer: &Answer| answer.body.replace("nessuno", "").replace("anna", "");
    let strip = Regex::new("value=\"[^\"]*\"").unwrap();
    let pages = ["anna", "nessuno"].map(|name| strip.replace_all(&text(&attempt(name).1), "").into_owned());
    assert_eq!(pages[0], pages[1]);
}

#[test]
fn guessing_is_stopped() {
    let database = TestDatabase::new(Backend::Sqlite);
    let millis = Arc::new(AtomicI64::new(1_800_000_000_000));
    let app = App::start_at(&database, Clock::Manual(Arc::clone(&millis)), |_| {});
    app.account("anna", &[Operatore]);
    app.account("bruno", &[Operatore]);
    let visitor = app.visitor();
    for name in ["anna", "nessuno"] {
        for _ in 0..10 {
            assert_eq!(visitor.sign_in(name, "sbagliata del tutto").status, 422);
        }
        let refused = visitor.sign_in(name, PASSWORD);
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("900")), "{name}");
    }
    assert_eq!(visitor.sign_in("bruno", PASSWORD).status, 303, "others are not shut out");
    // Nor may one address try every name.
    for number in 0..40 {
        app.visitor().sign_in(&format!("altro{number}"), "sbagliata del tutto");
    }
    assert_eq!(app.visitor().sign_in("bruno", PASSWORD).status, 429);
    millis.fetch_add(15 * 60 * 1000, Ordering::SeqCst);
    assert_eq!(app.visitor().sign_in("anna", PASSWORD).status, 303);
}

#[test]
fn the_identity_proxy_is_believed_from_its_own_address_alone() {
    let database = TestDatabase::new(Backend::Sqlite);
    let with = |proxy: &str| {
        App::start_with(&database, |config| {
            config.back_office.identity_header = Some("X-Remote-User".to_owned());
            config.back_office.trusted_proxies = vec![proxy.to_owned()];
        })
    };
    let header = [("X-Remote-User", "Anna")];
    let app = with("192.0.2.1");
    app.account("anna", &[Amministratore]);
    assert_eq!(app.visitor().send("GET", "/", &header, b"").status, 303);
    drop(app);

    let app = with("127.0.0.1");
    let visitor = app.visitor();
    let first = visitor.send("GET", "/", &header, b"");
    assert!(first.status == 200 && first.header("set-cookie").is_some(), "{first:?}");
    visitor.send("GET", "/amministrazione/utenti", &header, b"");
    let body = format!("gettone={}", visitor.token.borrow());
    let headers = [header[0], ("Content-Type", "application/x-www-form-urlencoded")];
    let posted = visitor.send("POST", "/amministrazione/utenti/anna/password", &headers, body.as_bytes());
    assert_eq!(posted.status, 200, "{posted:?}");
    // Somebody else sits down: the session of the first is not theirs.
    assert_eq!(visitor.send("GET", "/", &[("X-Remote-User", "bruno")], b"").status, 403);
    let twice = [("X-Remote-User", "anna"), ("X-Remote-User", "anna")];
    assert_eq!(app.visitor().send("GET", "/", &twice, b"").status, 303, "who wrote which is not known");
}

#[test]
fn what_somebody_typed_is_text_wherever_it_is_shown() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start_with(&database, |config| {
        config.eservice[0].ente[0].denominazione = "<script>alert(1)</script>\"'&".to_owned();
    });
    let visitor = app.signed_in("anna", &[Amministratore]);
    let evil = "\"><script>alert(2)</script><img src=x onerror=alert(3)>";
    let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    visitor.get("/amministrazione/utenti");
    let pages = [
        visitor.post("/amministrazione/utenti", &[("nome", evil), ("nominativo", evil)]),
        visitor.post(
            "/amministrazione/utenti",
            &[("nome", "bruno"), ("nominativo", &evil[..50]), ("ruolo", "revisore")],
        ),
        visitor.get("/amministrazione/utenti"),
        visitor.get(&format!("/{encoded}")),
        app.visitor().get(&format!("/accesso?poi=/{encoded}")),
    ];
    for page in pages {
        assert!(!page.body.contains("<script>") && !page.body.contains("<img"), "{}", page.body);
    }
}

#[test]
fn nobody_is_led_elsewhere_after_signing_in() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("anna", &[Amministratore]);
    for (then, place) in [
        ("/amministrazione/utenti", "/amministrazione/utenti"),
        ("https://altrove.example", "/"),
        ("//altrove.example", "/"),
        ("/\\altrove.example", "/"),
        ("/\r\nSet-Cookie: x=y", "/"),
    ] {
        let visitor = app.visitor();
        visitor.get("/accesso");
        let answer = visitor.post("/accesso", &[("nome", "anna"), ("password", PASSWORD), ("poi", then)]);
        assert_eq!(answer.header("location"), Some(place), "{then:?}");
    }
    let visitor = app.visitor();
    assert_eq!(
        visitor.get("/amministrazione/utenti").header("location"),
        Some("/accesso?poi=%2Famministrazione%2Futenti")
    );
}

#[test]
fn every_page_comes_with_its_protection_and_from_here_alone() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("bruno", &[Operatore]);
    let visitor = app.signed_in("anna", &Role::ALL);
    visitor.get("/caricamenti");
    let loaded = visitor.upload("/caricamenti", &[("ente", "prova:H501")], "a.csv", b"Colonna\n1\n");
    assert_eq!(loaded.header("location"), Some("/caricamenti/1"), "{loaded:?}");
    let link = Regex::new("(?:src|href|action|data|poster|srcset)=\"([^\"]*)\"").unwrap();
    let inline = Regex::new("(?i)<style|\\sstyle=|\\son[a-z]+=|javascript:|<base|<meta http-equiv").unwrap();
    let mut assets = BTreeSet::new();
    app.publish(&[mensa("2020/1", 8420)]);
    let flow = &app.registry.page(app.eservice, 0, 1).unwrap()[0];
    let benefit = format!("/prestazioni/prova/{}", flow.ts_ms);
    let existing =
        |path| concrete(path).replace("/prestazioni/prova/1", &benefit).replace("{flusso}", &flow.id_flusso);
    for page in pages::all().filter(|page| page.method() == "GET") {
        let answer = if page.path == "/accesso" {
            app.visitor().get(page.path)
        } else {
            visitor.get(&existing(page.path))
        };
        assert_eq!(answer.status, 200, "{}", page.path);
        if !answer.header("content-type").unwrap().starts_with("text/html") {
            continue;
        }
        let body = &answer.body;
        assert!(body.starts_with("<!doctype html>\n<html lang=\"it\">"), "{body}");
        assert_eq!(body.matches("<h1>").count(), 1, "{}", page.path);
        assert!(!inline.is_match(body), "{}: {body}", page.path);
        assert_eq!(body.matches("<script").count(), body.matches("<script src=\"/risorse/").count());
        for (_, [target]) in link.captures_iter(body).map(|found| found.extract()) {
            let own = target == "data:,"
                || target.starts_with('#')
                || (target.starts_with('/') && !target.starts_with("//"));
            assert!(own, "{}: {target}", page.path);
            // Pictures are no text.
            if target.starts_with("/risorse/") && !target.contains(".png") {
                assets.insert(target.split('#').next().unwrap().to_owned());
            }
        }
        for (name, part) in [
            ("content-security-policy", "default-src 'none'; style-src 'self'; script-src 'self'"),
            ("content-security-policy", "frame-ancestors 'none'; base-uri 'none'"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=()"),
        ] {
            assert!(answer.header(name).is_some_and(|value| value.contains(part)), "{} {name}", page.path);
        }
    }
    assert!(assets.len() >= 3, "{assets:?}");
    for asset in assets {
        let answer = app.send_back_office("GET", &asset, &[], b"");
        assert_eq!(answer.status, 200, "{asset}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        if answer.header("content-type").unwrap().starts_with("text/css") {
            assert!(!answer.body.contains("@import") && !answer.body.contains("url(http"), "{asset}");
        }
    }
    for path in ["/risorse/", "/risorse/../Cargo.toml", "/risorse/altro.css", "/nulla", "//"] {
        assert_eq!(visitor.get(path).status, 404, "{path}");
    }
    assert_eq!(visitor.send("DELETE", "/", &[], b"").header("allow"), Some("GET"));
    assert_eq!(visitor.send("PUT", "/accesso", &[], b"").header("allow"), Some("GET, POST"));
    assert_eq!(visitor.send("HEAD", "/", &[], b"").body, "");
}

#[test]
fn behind_tls_the_cookie_is_the_hosts_own() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start_with(&database, |config| {
        config.back_office.public_url = Some("https://flussi.comune.example.it".to_owned());
    });
    let answer = app.visitor().get("/accesso");
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-waas-comuni=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(answer.header("strict-transport-security").is_some());
    let visitor = app.signed_in("anna", &[Operatore]);
    visitor.get("/");
    let body = format!("gettone={}", visitor.token.borrow());
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let send = |origin| visitor.send("POST", "/uscita", &[form, ("Origin", origin)], body.as_bytes()).status;
    assert_eq!(send("https://altrove.example.it"), 403);
    assert_eq!(send("https://flussi.comune.example.it"), 303);
}

#[test]
fn without_a_database_a_page_says_so() {
    let database = TestDatabase::new(Backend::Postgres);
    let app = App::start(&database);
    let visitor = app.signed_in("anna", &[Operatore]);
    database.forbid_connections(true);
    let answer = visitor.get("/");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("30")), "{answer:?}");
    assert!(answer.body.contains("momentaneamente non disponibile"), "{answer:?}");
    database.forbid_connections(false);
}
