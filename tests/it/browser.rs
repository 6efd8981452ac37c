//! The console in a browser: what the story (`story`) does not come by, most of it what goes wrong. Pictures of every page
//! are kept under `target/screenshots`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use diesel::connection::SimpleConnection;
use serde_json::json;
use waas_comuni::clock::Clock;
use waas_comuni::staff::{Role, session};

use crate::caricamenti::mixed;
use crate::cruscotto::JANUARY;
use crate::support::app::App;
use crate::support::browser::{Browser, PHONE};
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::mensa;
use crate::support::staff::PASSWORD;

impl App {
    /// The address of a page.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.back_office())
    }
}

#[test]
fn an_administrator_lets_a_colleague_in() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("anna", &Role::ALL);
    let browser = Browser::start();
    browser.open(&app.page("/"));
    browser.inspect("accesso");
    browser.send(&[("nome", "anna"), ("password", "un'altra password")]);
    assert!(browser.find("[role=alert]").text().contains("Nome utente o password non validi."));
    browser.inspect("accesso-errore");
    browser.send(&[("nome", "anna"), ("password", PASSWORD)]);
    browser.find(".console-card");
    browser.inspect("cruscotto-vuoto");

    browser.open(&app.page("/amministrazione/utenti"));
    browser.find("#ruolo-operatore").click();
    browser.send(&[("nome", "bruno"), ("nominativo", "")]);
    assert!(browser.url().ends_with("/utenti"), "the browser itself asks for the field");
    browser.send(&[("nome", "bruno"), ("nominativo", "Bruno <script>Bianchi</script>")]);
    let password = browser.find("#segreto").text();
    browser.inspect("utenti-segreto");
    browser.find("main a.btn").click();
    browser.find("table");
    assert!(browser.text().contains("Bruno <script>Bianchi</script>"));
    browser.inspect("utenti");
    // What cannot be taken back is asked for twice, without a script too.
    for scripts in [true, false] {
        browser.scripts(scripts);
        browser.open(&app.page("/amministrazione/utenti"));
        for act in ["password", "disabilita"] {
            let form = format!("form[action='/amministrazione/utenti/bruno/{act}']");
            let button = browser.find(&format!("{form} button"));
            assert_eq!(button.text(), "", "{act} cannot be pressed yet");
            browser.find(&format!("details:has({form}) summary")).click();
            assert!(
                browser.find(&format!("details[open] {form} button")).text().starts_with("Sì, "),
                "{act}"
            );
        }
    }
    browser.scripts(true);
    browser.inspect("utenti-conferma");
    browser.find("form[action='/uscita'] button").click();

    browser.send(&[("nome", "bruno"), ("password", &password)]);
    browser.find("#attuale");
    browser.inspect("password");
    browser.send(&[("attuale", &password), ("nuova", PASSWORD), ("conferma", PASSWORD)]);
    assert!(browser.find("[role=status]").text().contains("La password è stata cambiata."));
    assert!(!browser.text().contains("Amministrazione"), "an operator's menu has his own entries alone");
}

/// The field of a form that takes a file.
const FILE: &str = "input[type=file]";

#[test]
fn an_operator_loads_a_file() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("anna", &[Role::Operatore]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("borse-2025.csv");
    std::fs::write(&file, mixed().replace("CodiceFiscale;", "Cod. fiscale;")).unwrap();
    let browser = Browser::start();
    browser.open(&app.page("/caricamenti"));
    browser.send(&[("nome", "anna"), ("password", PASSWORD)]);
    browser.find(FILE).write(file.to_str().unwrap());
    browser.inspect("caricamenti-nuovo");
    browser.find("form.console-form button[type=submit]").click();

    // A column that is not known is asked for; what is near is proposed.
    browser.find("#colonna-0");
    assert_eq!(browser.run("return document.getElementById('colonna-0').value"), "CodiceFiscale");
    browser.inspect("caricamenti-colonne");
    browser.send(&[("nome", "Gestionale")]);
    browser.find("form[action$='/conferma'] button");
    assert!(browser.text().contains("<script>alert(1)</script>"), "what a cell says is text");
    browser.inspect("caricamenti-anteprima");
    browser.find("form[action$='/conferma'] button").click();
    browser.find("#stato.ok");
    assert_eq!(app.registry.page(app.eservice, 0, 100).unwrap().len(), 6);
    browser.inspect("caricamenti-esito");

    // Somebody who comes back while it goes on sees how far it is, and its end without doing anything.
    let leave = |stato: &str, beat_ms: i64| {
        let sql =
            format!("UPDATE caricamento SET stato = '{stato}', beat_ms = {beat_ms}, bytes_read = bytes / 2");
        app.store.write(|connection| Ok(connection.batch_execute(&sql)?)).unwrap();
    };
    leave("pubblicazione", Clock::System.now_ms());
    browser.open(&app.page("/caricamenti/1"));
    assert!(browser.find("[data-testo]").text().contains("pubblicazione in corso"));
    browser.inspect("caricamenti-avanzamento");
    leave("concluso", 0);
    browser.find("#stato.ok");
    leave("pubblicazione", 0);
    browser.open(&app.page("/caricamenti/1"));
    browser.find("form[action$='/riprendi'] button");
    browser.inspect("caricamenti-interrotto");
    leave("concluso", 0);
    browser.open(&app.page("/caricamenti"));
    browser.find("table");
    browser.inspect("caricamenti");
}

#[test]
fn an_administrator_sees_to_the_service() {
    let database = TestDatabase::new(Backend::Sqlite);
    let clock = Clock::Manual(Arc::new(AtomicI64::new(JANUARY)));
    let app = App::start_at(&database, clock, |config| {
        let mut other = config.eservice[0].clone();
        (other.name, other.base_path) = ("collaudo".to_owned(), "/collaudo".to_owned());
        config.eservice.push(other);
    });
    let records: Vec<_> = (0..30).map(|number| mensa(&format!("2020/{number}"), 8000)).collect();
    app.publish(&records);
    app.account("anna", &Role::ALL);
    let browser = Browser::start();
    browser.open(&app.page("/"));
    browser.send(&[("nome", "anna"), ("password", PASSWORD)]);
    browser.find("svg.console-chart");
    browser.inspect("cruscotto");

    browser.open(&app.page("/amministrazione"));
    browser.inspect("amministrazione");
    browser.find("form[action='/amministrazione/controlli'] button").click();
    browser.until_says("table", "Chiavi di PDND e orologio");
    browser.inspect("controlli");
    browser.open(&app.page("/amministrazione/chiavi"));
    browser.send(&[("nome", "gestionale-mensa")]);
    assert!(browser.find("#segreto").text().starts_with("waas_"));
    browser.find("main a.btn").click();
    browser
        .find("details:has(form[action='/amministrazione/chiavi/gestionale-mensa/revoca']) summary")
        .click();
    browser.find("details[open]");
    browser.inspect("chiavi");
    browser
        .find("details[open] form[action='/amministrazione/chiavi/gestionale-mensa/revoca'] button")
        .click();
    assert!(browser.find("[role=status]").text().contains("revocata"));
}

#[test]
fn the_menu_of_a_phone_opens_with_a_button_and_without_scripts_stands_open() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("anna", &Role::ALL);
    let browser = Browser::start();
    browser.resize(PHONE);
    browser.open(&app.page("/"));
    browser.send(&[("nome", "anna"), ("password", PASSWORD)]);
    let button = browser.find(".console-nav button");
    assert_eq!(button.attribute("aria-expanded").as_deref(), Some("false"));
    assert!(!browser.text().contains("Amministrazione"));
    button.click();
    assert_eq!(button.attribute("aria-expanded").as_deref(), Some("true"));
    assert!(browser.text().contains("Amministrazione"));

    browser.scripts(false);
    browser.open(&app.page("/"));
    assert!(browser.text().contains("Amministrazione"));
    browser.picture("menu-senza-script");
}

#[test]
fn whoever_is_about_to_be_signed_out_is_told_and_may_stay() {
    let database = TestDatabase::new(Backend::Sqlite);
    let millis = Arc::new(AtomicI64::new(JANUARY));
    let app = App::start_at(&database, Clock::Manual(Arc::clone(&millis)), |_| {});
    app.account("anna", &[Role::Operatore]);
    let browser = Browser::start();
    browser.hurry();
    browser.open(&app.page("/"));
    browser.send(&[("nome", "anna"), ("password", PASSWORD)]);
    let warning = "#scadenza:not([hidden])";
    assert!(browser.find(warning).text().contains("Fra cinque minuti"));
    browser.inspect("scadenza");
    // Nearly half an hour, a press, and nearly half an hour more.
    for _ in 0..2 {
        millis.fetch_add(session::IDLE_MS - 1, Ordering::SeqCst);
        browser.find(&format!("{warning} button")).click();
        browser.until_gone(warning);
        browser.find(warning);
    }
    browser.open(&app.page("/prestazioni/nuova"));
    browser.find("#CodiceFiscale").write("CNTLCU15E09H501T");
    millis.fetch_add(session::IDLE_MS, Ordering::SeqCst);
    browser.find(&format!("{warning} button")).click();
    browser.until_says(warning, "chiede prima di accedere");
    // What was typed is still there, and goes on after the sign-in.
    browser.find("button[value='5']").click();
    browser.send(&[("nome", "anna"), ("password", PASSWORD)]);
    browser.inspect("ripresa");
    browser.find("form[action='/prestazioni/nuova'] button").click();
    assert_eq!(browser.find("h1").text(), "Presa in carico (passo 5 di 5)");
    browser.find("button[value='0']").click();
    browser.find("#CodiceFiscale[value='CNTLCU15E09H501T']");
}

#[test]
fn what_is_printed_keeps_its_tables_and_leaves_the_menu_out() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("carla", &[Role::Revisore]);
    app.get("/flussi?since=0");
    let browser = Browser::start();
    browser.open(&app.page("/registro"));
    browser.send(&[("nome", "carla"), ("password", PASSWORD)]);
    browser.find("table");
    browser.print();
    browser.picture("registro-carta");
    let of_page = "const of = (name, style) => getComputedStyle(document.querySelector(name))[style];";
    let shown =
        "return [of('main thead', 'position'), of('main td', 'display'), of('.console-nav', 'display')]";
    assert_eq!(browser.run(&format!("{of_page} {shown}")), json!(["static", "table-cell", "none"]));
}

/// Chooses in the lists of the page.
fn choose(browser: &Browser, choices: &[(&str, &str)]) {
    for (id, value) in choices {
        browser.find(&format!("#{id} option[value='{value}']")).click();
    }
}

#[test]
fn an_operator_writes_a_benefit_step_by_step_and_corrects_it() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.account("anna", &[Role::Operatore]);
    let browser = Browser::start();
    browser.open(&app.page("/prestazioni"));
    browser.send(&[("nome", "anna"), ("password", PASSWORD)]);
    browser.open(&app.page("/prestazioni/nuova"));
    choose(&browser, &[("Genere", "1")]);
    browser.send(&[("CodiceFiscale", "CNTLCU15E09H501"), ("Cognome", "Conti"), ("Nome", "Luca")]);
    browser.find("#CodiceFiscale-errore");
    browser.inspect("guidata-errore");
    browser.send(&[
        ("CodiceFiscale", "CNTLCU15E09H501T"),
        ("AnnoNascita", "2015"),
        ("LuogoNascita", "H501"),
        ("CodiceRegione", "08"),
        ("CodiceComune", "058091"),
    ]);
    browser.find("#CodicePrestazione");
    choose(&browser, &[("PresenzaProvaMezzi", "1"), ("CaratterePrestazione", "1")]);
    browser.inspect("guidata-1-prestazione");
    browser.send(&[
        ("CodicePrestazione", "A2.12"),
        ("ProtocolloDomanda", "2020/77"),
        ("DataEvento", "25/08/2020"),
    ]);
    browser.find("#DataDSU");
    browser.inspect("guidata-2-dsu");
    let dsu = [("NumeroProtocolloDSU", "INPS-ISEE-2020-01234567A-00"), ("AnnoProtocolloDSU", "2020")];
    browser.send(&[dsu[0], dsu[1], ("DataDSU", "14/01/2020")]);
    for (id, day) in [("DataInizioPrestazione", "01/09/2020"), ("DataFinePrestazione", "31/05/2021")] {
        browser.find(&format!("#{id}")).write(day);
    }
    // While one types, the page says what comes of it.
    browser.find("#calcolo li:nth-child(2)");
    assert!(browser.find("#calcolo").text().contains("dal 01/01/2021 al 31/05/2021, mesi: 5"));
    browser.inspect("guidata-3-periodo");
    // Without a script it says so when it is asked.
    browser.scripts(false);
    browser.find("button[value=avanti]").click();
    for (id, amount) in
        [("ImportoMensile", "84,20"), ("ImportoQuotaEnte", "61,55"), ("ImportoQuotaUtente", "22,65")]
    {
        browser.find(&format!("#{id}")).write(amount);
    }
    browser.find("button[value=ricalcola]").click();
    browser.find("#ImportoMensile[value='84,20']");
    assert!(browser.find("#calcolo").text().contains("in tutto 336,80 €"), "{}", browser.text());
    browser.picture("guidata-4-importi-senza-script");
    browser.find("button[value=avanti]").click();
    choose(&browser, &[("PresaCarico", "2")]);
    browser.picture("guidata-5-presa-in-carico");
    browser.find("button[value=avanti]").click();
    browser.find("button[value=conferma]");
    browser.scripts(true);
    browser.inspect("guidata-riepilogo");
    browser.find("button[value=conferma]").click();
    assert!(browser.find("[role=status]").text().contains("La prestazione è pubblicata"));
    browser.inspect("prestazione");
    browser.find("a[href$='/correzione']").click();
    browser.find("#Cognome[value='Conti']");
    browser.find("button[value='4']").click();
    let amount = browser.find("#ImportoQuotaEnte");
    amount.clear();
    amount.write("60,00");
    browser.find("button[value='6']").click();
    browser.find("[data-errori]");
    browser.inspect("correzione-errore");
    browser.find("[data-errori] button").click();
    for (id, amount) in [("ImportoQuotaEnte", "61,00"), ("ImportoQuotaUtente", "23,20")] {
        let field = browser.find(&format!("#{id}"));
        field.clear();
        field.write(amount);
    }
    browser.find("button[value='6']").click();
    browser.find("button[value=conferma]").click();
    assert!(browser.find("[role=status]").text().contains("La correzione è pubblicata."));
    browser.inspect("prestazione-corretta");
    browser.find("a[href$='/ritiro']").click();
    browser.inspect("prestazione-ritiro");
    browser.open(&app.page("/prestazioni?codice=A2.12"));
    browser.find("table");
    browser.inspect("prestazioni");
}
