//! Pages that no story of `browser` walks through, in a browser: pictures of each under `target/screenshots`, and what
//! axe-core says of it.

use waas_comuni::staff::Role;

use crate::rifiuti::{deliver, esito};
use crate::support::app::App;
use crate::support::browser::Browser;
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::mensa;
use crate::support::staff::PASSWORD;

/// Ids of fields, and what is written into each or chosen.
type Values<'a> = &'a [(&'a str, &'a str)];

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

#[test]
fn a_child_in_care_is_written_without_scripts() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let browser = signed_in(&app, &[Role::Operatore], "/prestazioni/nuovo-minore");
    browser.find("#IDBeneficiario");
    browser.inspect("minore-1");
    browser.find("button[value='2']").click();
    browser.find("#Famiglia-1");
    browser.inspect("minore-3-famiglia");
    browser.find("button[value='5']").click();
    browser.find("#Prestazioni");
    browser.inspect("minore-6-interventi");
    browser.find("button[value='0']").click();
    browser.find("#IDBeneficiario");
    browser.scripts(false);
    let steps: [(Values<'_>, Values<'_>, &str); 7] = [
        (
            &[("IDBeneficiario", "M-2025-17"), ("AnnoNascita", "2015"), ("CodiceRegioneResidenza", "08")],
            &[("FasciaEtaBeneficiario", "4"), ("MinoreStranieroNoAcc", "2"), ("CondizioneMinore", "1")],
            "LuogoVita",
        ),
        (
            &[],
            &[("LuogoVita", "1"), ("ScuolaFrequentata", "5"), ("CondizioneLavoro", "1"), ("Disabilita", "2")],
            "Famiglia-1",
        ),
        (&[], &[], "DataPrimaSegnalazione"),
        (
            &[("DataPrimaSegnalazione", "03/2024")],
            &[("FonteSegnalazione", "13"), ("ValutazioneMinore", "2"), ("ValutazioneFamigliaMinore", "12")],
            "ProvvedimentoGiudiziario",
        ),
        (&[], &[("SegnalazioneAutoritaGiudiziaria", "2"), ("ProvvedimentoGiudiziario", "2")], "Prestazioni"),
        (&[("Prestazioni", "A2.02")], &[], "MotivazioneChiusuraCarico"),
        (&[], &[], "contenuto"),
    ];
    for (typed, chosen, next) in steps {
        for (id, text) in typed {
            browser.find(&format!("#{id}")).write(text);
        }
        for (id, value) in chosen {
            browser.find(&format!("#{id} option[value='{value}']")).click();
        }
        if next == "DataPrimaSegnalazione" {
            browser.find("#Famiglia-1").click();
            browser.find("#Famiglia-3").click();
        }
        browser.find("button[value=avanti]").click();
        browser.find(&format!("#{next}"));
    }
    browser.find("button[value=conferma]");
    browser.scripts(true);
    browser.inspect("minore-riepilogo");
    browser.find("button[value=conferma]").click();
    assert!(browser.find("[role=status]").text().contains("La prestazione è pubblicata"));
    assert_eq!(app.registry.page(app.eservice, 0, 10).unwrap().len(), 1);
}
