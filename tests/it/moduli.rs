//! Forms that are refused, or sent too late: what was typed is kept, and the page says in its own words what to mend.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use regex::Regex;
use url::form_urlencoded;
use waas_comuni::clock::Clock;
use waas_comuni::staff::Role::{Amministratore, Operatore};
use waas_comuni::staff::session;

use crate::cruscotto::JANUARY;
use crate::guidata::{NUOVA, attribute, feed, press, through};
use crate::support::app::{Answer, App};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::staff::{PASSWORD, Visitor};

/// What a page's forms carry without showing it, but for the token.
fn carried(page: &Answer) -> Vec<(String, String)> {
    let field = Regex::new("<input type=\"hidden\" name=\"([^\"]+)\" value=\"([^\"]*)\">").unwrap();
    let fields = field.captures_iter(&page.body).map(|field| {
        let value = field[2].replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<");
        (field[1].to_owned(), value.replace("&#62;", ">").replace("&#38;", "&"))
    });
    fields.filter(|(name, _)| name != "gettone").collect()
}

/// Sends what a page carries, and more.
fn send(visitor: &Visitor<'_>, path: &str, page: &Answer, more: &[(&str, &str)]) -> Answer {
    let carried = carried(page);
    let fields = carried.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    visitor.post(path, &fields.chain(more.iter().copied()).collect::<Vec<_>>())
}

on_both_databases! {
    fn a_form_that_was_sent_too_late_goes_on_after_the_sign_in(database) {
        let millis = Arc::new(AtomicI64::new(JANUARY));
        let app = App::start_at(database, Clock::Manual(Arc::clone(&millis)), |_| {});
        let anna = app.signed_in("anna", &[Operatore]);
        let summary = through(&anna, |step| if step == 0 { vec![("Cognome", "D'Amico & \"<Figli>\"")] } else { Vec::new() });
        millis.fetch_add(session::IDLE_MS, Ordering::SeqCst);
        let late = press(&anna, NUOVA, &summary, &[], "conferma");
        assert_eq!(late.status, 403);
        assert!(late.body.contains("Il modulo che avete inviato non è perduto"), "{}", late.body);
        assert!(feed(&app).is_empty(), "nothing is done yet");
        let wrong = send(&anna, "/accesso", &late, &[("nome", "anna"), ("password", "un'altra password")]);
        assert!(wrong.status == 422 && wrong.body.contains("non è perduto"), "{wrong:?}");
        let back = send(&anna, "/accesso", &wrong, &[("nome", "anna"), ("password", PASSWORD)]);
        assert!(back.status == 200 && back.body.contains("Riprendere da dove eravate"), "{back:?}");
        assert!(back.body.contains(&format!("action=\"{NUOVA}\"")) && feed(&app).is_empty(), "{back:?}");
        let done = send(&anna, NUOVA, &back, &[]);
        assert!(done.header("location").is_some_and(|location| location.ends_with("?fatto=nuova")), "{done:?}");
        let flows = feed(&app);
        assert_eq!(flows.len(), 2);
        assert_eq!(attribute(&flows[0], "Cognome"), "D'Amico &amp; &quot;&lt;Figli&gt;&quot;");
        // Somebody who has signed in beside the form goes on at once, where the browser vouches for the page.
        let (amounts, old) = (press(&anna, NUOVA, &summary, &[("ProtocolloDomanda", "2020/78")], "4"), anna.token.borrow().clone());
        anna.sign_in("anna", PASSWORD);
        let again = |site: &[(&str, &str)]| {
            let mut body = form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(carried(&amounts)).append_pair("gettone", &old).append_pair("vai", "6");
            let form = ("Content-Type", "application/x-www-form-urlencoded");
            anna.send("POST", NUOVA, &[&[form], site].concat(), body.finish().as_bytes())
        };
        let forged = again(&[]);
        assert!(forged.status == 403 && forged.body.contains("Modulo scaduto"), "{forged:?}");
        let stale = again(&[("Sec-Fetch-Site", "same-origin")]);
        assert!(stale.status == 403 && stale.body.contains("Riprendere da dove eravate"), "{stale:?}");
        assert!(send(&anna, NUOVA, &stale, &[]).body.contains("2020/78"));
        // Whoever is there may still do no more than their roles allow.
        app.account("bruno", &[Amministratore]);
        millis.fetch_add(session::IDLE_MS, Ordering::SeqCst);
        let late = press(&anna, NUOVA, &summary, &[], "conferma");
        let bruno = send(&anna, "/accesso", &late, &[("nome", "bruno"), ("password", PASSWORD)]);
        assert_eq!((bruno.status, send(&anna, NUOVA, &bruno, &[]).status), (200, 403));
    }
}

#[test]
fn what_is_not_kept_is_told_and_nothing_strange_is_carried() {
    let database = TestDatabase::new(Backend::Sqlite);
    let millis = Arc::new(AtomicI64::new(JANUARY));
    let app = App::start_at(&database, Clock::Manual(Arc::clone(&millis)), |_| {});
    let anna = app.signed_in("anna", &[Operatore]);
    let other = app.signed_in("bruno", &[Operatore]);
    for visitor in [&anna, &other] {
        visitor.get("/utenza/password");
    }
    millis.fetch_add(session::IDLE_MS, Ordering::SeqCst);
    let told = |answer: Answer| {
        assert_eq!(answer.header("location"), Some("/accesso?scaduto=si"), "{answer:?}");
        assert!(answer.body.is_empty(), "{answer:?}");
    };
    // A button, a file, a password; what is too long; a form of somebody else's; one from elsewhere.
    told(anna.post("/caricamenti/1/annulla", &[]));
    told(anna.upload("/caricamenti", &[("ente", "prova:H501")], "a.csv", b"x"));
    told(anna.post("/utenza/password", &[("attuale", PASSWORD), ("nuova", "sei gatti al sole")]));
    told(anna.post(NUOVA, &[("Cognome", &"x".repeat(70_000))]));
    let foreign = other.token.borrow().clone();
    let own = std::mem::replace(&mut *anna.token.borrow_mut(), foreign);
    told(anna.post(NUOVA, &[("Cognome", "Conti")]));
    *anna.token.borrow_mut() = own;
    let form = "application/x-www-form-urlencoded";
    let elsewhere = [("Content-Type", form), ("Sec-Fetch-Site", "cross-site")];
    let body = format!("gettone={}&Cognome=Conti", anna.token.borrow());
    told(anna.send("POST", NUOVA, &elsewhere, body.as_bytes()));
    assert_eq!(anna.post("/uscita", &[]).header("location"), Some("/accesso"), "that was the wish");
    let page = anna.get("/accesso?scaduto=si").body;
    assert!(page.contains("ciò che avete inviato non è stato fatto"), "{page}");
    // What a form says that it carries is for a page of ours that takes a form, or for nobody.
    for path in [
        "https://altrove.example/",
        "//altrove.example/",
        "/uscita",
        "/utenza/password",
        "/caricamenti",
        "/nulla",
    ] {
        let fields = [("nome", "anna"), ("password", PASSWORD), ("verso", path), ("modulo", "a=b")];
        anna.get("/accesso");
        assert_eq!(anna.post("/accesso", &fields).header("location"), Some("/"), "{path}");
        anna.get("/utenza/password");
        anna.post("/uscita", &[]);
    }
}

#[test]
fn amounts_that_cannot_be_divided_evenly_are_told_to_the_cent() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let anna = app.signed_in("anna", &[Operatore]);
    // Nine months over two years, of which the source says seven: what is divided is what nine flows' months make.
    let whole = |importo: &'static str, ente: &'static str, utente: &'static str| {
        through(&anna, move |step| match step {
            3 => vec![("PeriodoErogazione", "7")],
            4 => vec![
                ("base", "periodo"),
                ("ImportoMensile", importo),
                ("ImportoQuotaEnte", ente),
                ("ImportoQuotaUtente", utente),
            ],
            _ => Vec::new(),
        })
    };
    let even = whole("900,00", "450,00", "450,00");
    assert!(even.body.contains("100,00 €") && !even.body.contains("Tutti i mesi insieme"), "{}", even.body);
    let summary = whole("1000,00", "500,00", "500,00");
    let missed = "Tutti i mesi insieme fanno: importo 999,99 € e non 1000,00 €; ente 500,04 € e non 500,00 €; famiglia \
                  499,95 € e non 500,00 €.";
    assert!(summary.body.contains(missed), "{}", summary.body);
    let amounts = press(&anna, NUOVA, &summary, &[], "4");
    assert!(amounts.body.contains(missed), "{}", amounts.body);
    // What cannot be divided is said once.
    let wrong = press(&anna, NUOVA, &amounts, &[("ImportoQuotaUtente", "400,00")], "avanti");
    assert_eq!(wrong.status, 422);
    assert_eq!(wrong.body.matches("<li><a href=\"#").count(), 1, "{}", wrong.body);
    assert!(wrong.body.contains("Le quote non fanno insieme"), "{}", wrong.body);
    let summary = press(&anna, NUOVA, &wrong, &[], "6");
    assert_eq!(summary.body.matches("Vai a Importi").count(), 1, "{}", summary.body);
    let no_amount = press(&anna, NUOVA, &wrong, &[("ImportoQuotaUtente", "500.00.0")], "avanti");
    assert!(
        no_amount.body.contains("Il valore di «Quota a carico della famiglia» non è ammesso"),
        "{no_amount:?}"
    );
}

#[test]
fn what_is_wrong_is_said_in_the_form_that_the_page_asks_for() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let anna = app.signed_in("anna", &[Operatore]);
    let summary = through(&anna, |_| Vec::new());
    let errors = |step: &str, typed: &[(&str, &str)]| {
        let page = press(&anna, NUOVA, &summary, &[], step);
        let answer = press(&anna, NUOVA, &page, typed, "avanti");
        assert_eq!(answer.status, 422, "{answer:?}");
        for (name, value) in typed {
            assert!(
                answer.body.contains(&format!("name=\"{name}\" value=\"{value}\"")),
                "{name} is kept: {answer:?}"
            );
        }
        let list = answer.body.split_once("data-errori").unwrap().1.split_once("</div>").unwrap().0;
        list.replace("&#39;", "'")
    };
    let code = errors("1", &[("CodicePrestazione", "A4.10")]);
    assert!(code.contains("non si trasmette. Correggere il codice.") && !code.contains("riga"), "{code}");
    let days = errors("3", &[("DataInizioPrestazione", "31/02/2020")]);
    assert!(days.contains("nella forma GG/MM/AAAA.") && !days.contains("AAAA-MM-GG"), "{days}");
    let order = errors("3", &[("DataFinePrestazione", "01/08/2020")]);
    assert!(order.contains("finisce prima di cominciare (01/09/2020)"), "{order}");
    let number = errors("4", &[("ImportoMensile", "1.084,20")]);
    assert!(
        number.contains("con la virgola dei decimali") && number.contains("per esempio 84,20."),
        "{number}"
    );
    let sum = errors("4", &[("ImportoQuotaUtente", "22,00")]);
    assert!(sum.contains("Le quote fanno 83,55, ma «Importo mensile» è 84,20."), "{sum}");
    let path = "/prestazioni/nuovo-minore";
    let child = press(&anna, path, &anna.get(path), &[], "6");
    let empty = press(&anna, path, &child, &[], "7");
    assert!(empty.body.contains("Manca «Chi vive con il minore», che è obbligatorio"), "{}", empty.body);
    assert!(!empty.body.contains("ComposizioneFamiglia in"), "{}", empty.body);
}

#[test]
fn a_key_that_is_refused_keeps_its_choice_and_any_name_can_be_revoked() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start_with(&database, |config| {
        let mut other = config.eservice[0].clone();
        (other.name, other.base_path) = ("altra".to_owned(), "/altra".to_owned());
        config.eservice.push(other);
    });
    let anna = app.signed_in("anna", &[Amministratore]);
    let path = "/amministrazione/chiavi";
    anna.get(path);
    let refused = anna.post(path, &[("nome", "due parole"), ("ambito", "altra:")]);
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("value=\"altra:\" selected") && refused.body.contains("value=\"due parole\""),
        "{refused:?}"
    );
    for name in ["mensa#1", "a?b=c", "100%41", "\"><b>", "..;x"] {
        let made = anna.post(path, &[("nome", name), ("ambito", "altra:")]);
        assert_eq!(made.status, 200, "{made:?}");
        let list = anna.get(path).body;
        let revoke = Regex::new(&format!("action=\"({path}/[^\"]*/revoca)\"")).unwrap();
        let address = revoke.captures(&list).unwrap_or_else(|| panic!("{name}: {list}"))[1].to_owned();
        let revoked = anna.post(&address, &[]);
        assert_eq!(
            revoked.header("location"),
            Some("/amministrazione/chiavi?fatto=revocata"),
            "{name}: {revoked:?}"
        );
    }
    let log = app.log();
    let about = |kind: &str| {
        log.iter()
            .filter(|entry| entry["path"] == kind)
            .map(|entry| entry["query"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(about("api_key_added"), about("api_key_revoked"), "each is named in the log");
    assert_eq!(about("api_key_added")[0], "chiave=mensa#1");
}
