//! Pages that no story of `browser` walks through, in a browser: pictures of each under `target/screenshots`, and what
//! axe-core says of it.

use waas_comuni::staff::Role;

use crate::rifiuti::{deliver, esito};
use crate::support::app::App;
use crate::support::browser::Browser;
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::mensa;
use crate::support::staff::PASSWORD;

/// A browser in which `anna`, who has these roles, is signed in, at this page.
fn signed_in(app: &App, roles: &[Role], path: &str) -> Browser {
    app.account("anna", roles);
    let browser = Browser::start();
    browser.open(&format!("http://{}{path}", app.back_office()));
    browser.send(&[("nome", "anna"), ("password", PASSWORD)]);
    browser
}

#[test]
fn outcomes_are_read_and_put_right() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let records: Vec<_> = (0..5).map(|number| mensa(&format!("2020/{number}"), 8000)).collect();
    app.publish(&records);
    let flows = app.registry.page(app.eservice, 0, 10).unwrap();
    let verdicts = ["OK", "RICHIESTA_INVALIDA", "RICHIESTA_INVALIDA", "ERRORE_GENERICO", "OK"];
    let mut esiti: Vec<_> = flows
        .iter()
        .zip(verdicts)
        .map(|(flow, codice)| {
            esito(&flow.id_flusso, flow.ts_ms, codice, "SIUSS-2026-000123", "Campo BX203 mancante")
        })
        .collect();
    esiti.push(esito("H501.PS.20200101.0000001", 1_577_836_800_000, "OK", "SIUSS-2020-000001", ""));
    deliver(&app, &esiti);
    let browser = signed_in(&app, &[Role::Operatore], "/esiti");
    browser.find("a[href$='/invio']");
    browser.inspect("esiti");
    browser.find("nav[aria-label=Esiti] a[href='/esiti/accettati']").click();
    browser.find("table");
    browser.inspect("esiti-accettati");
    browser.find("nav[aria-label=Esiti] a[href='/esiti/sconosciuti']").click();
    browser.find("table");
    browser.inspect("esiti-sconosciuti");
    // What one is told to do is one press away.
    browser.scripts(false);
    browser.find("nav[aria-label=Esiti] a[href='/esiti']").click();
    browser.find("a[href$='/invio']").click();
    browser.find("form[action$='/invio'] button").click();
    assert!(browser.find("[role=status]").text().contains("inviata di nuovo"));
}
