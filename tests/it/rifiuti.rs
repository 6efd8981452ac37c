//! What INPS said of the flows, in the console.

use jiff::Timestamp;
use regex::Regex;
use serde_json::{Value, json};
use waas_comuni::config::Config;
use waas_comuni::siuss::record::EnteErogatore;
use waas_comuni::staff::Role::Operatore;
use waas_comuni::staff::Scope;

use crate::support::app::{Answer, App};
use crate::support::database::on_both_databases;
use crate::support::records::{mensa, roma};
use crate::support::staff::PASSWORD;

on_both_databases! {
    fn refusals_stand_by_reason_with_what_to_do(database) {
        let app = App::start_with(database, |config| {
            let mut other = config.eservice[0].clone();
            (other.name, other.base_path) = ("altra".to_owned(), "/altra".to_owned());
            config.eservice.push(other);
        });
        app.publish(&[mensa("2020/1", 8000), mensa("2020/2", 8000), mensa("2020/3", 8000)]);
        let flows = app.registry.page(app.eservice, 0, 10).unwrap();
        let evil = "<script>alert(1)</script>";
        let esito = |place: usize, code: &str| {
            json!({
                "id_flusso": flows[place].id_flusso,
                "ts_flusso": Timestamp::from_millisecond(flows[place].ts_ms).unwrap().to_string(),
                "ts_acquisizione": "2026-03-02T01:00:00.000Z",
                "tipo": flows[place].tipo.as_str(),
                "codice_esito": code,
                "descrizione_esito": evil,
            })
        };
        let body = json!({ "elenco_esiti": [
            esito(0, "RICHIESTA_INVALIDA"), esito(1, "RICHIESTA_INVALIDA"), esito(2, "OK"),
        ] });
        let answer = app.post_esiti(&body.to_string());
        assert!(answer.status < 300, "{answer:?}");
        let anna = app.signed_in("anna", &[Operatore]);
        let page = anna.get("/esiti").body;
        assert_eq!(page.matches("RICHIESTA_INVALIDA</span>").count(), 1, "one reason: {page}");
        for (label, told) in [("2020/1", true), ("2020/2", true), ("2020/3", false)] {
            assert_eq!(page.contains(&format!(">{label}</a>")), told, "{label}: {page}");
        }
        assert!(page.contains("href=\"/prestazioni/prova/") && page.contains("Che fare:"), "{page}");
        assert!(!page.contains(evil), "{page}");
        for query in ["a=2020-01-01", "ente=F205", "eservice=altra"] {
            assert!(anna.get(&format!("/esiti?{query}")).body.contains("non ha rifiutato nulla"), "{query}");
        }
        assert_eq!(anna.get("/esiti?da=ieri").status, 422);
        assert_eq!(anna.get("/esiti?eservice=nessuno").status, 404);
        let log = app.log();
        assert!(log.iter().any(|entry| entry["path"] == "benefits_listed" && entry["count"] == 2));

        let altra = app.store.find_eservice("altra").unwrap().unwrap();
        app.account_within("bruno", &[Operatore], Scope::new(vec![(altra, None)]));
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        assert!(bruno.get("/esiti").body.contains("non ha rifiutato nulla"));
        assert_eq!(bruno.get("/esiti?eservice=prova").status, 404);
        app.account_within("carla", &[Operatore], Scope::new(vec![(app.eservice, Some("F205".to_owned()))]));
        let carla = app.visitor();
        carla.sign_in("carla", PASSWORD);
        assert!(carla.get("/esiti").body.contains("non ha rifiutato nulla"));
        assert_eq!(carla.get("/esiti?ente=H501").status, 404);
    }
}

/// An outcome of a flow, as INPS sends it.
pub(crate) fn esito(flusso: &str, ts_ms: i64, codice: &str, siuss: &str, descrizione: &str) -> Value {
    json!({
        "id_flusso": flusso,
        "ts_flusso": Timestamp::from_millisecond(ts_ms).unwrap().to_string(),
        "ts_acquisizione": "2026-03-02T01:00:00.000Z",
        "tipo": "PS_PSA_SINA",
        "codice_esito": codice,
        "descrizione_esito": descrizione,
        "id_acquisizione_siuss": siuss,
    })
}

pub(crate) fn deliver(app: &App, esiti: &[Value]) {
    for some in esiti.chunks(100) {
        let answer = app.post_esiti(&json!({ "elenco_esiti": some }).to_string());
        assert!(answer.status < 300, "{answer:?}");
    }
}

/// The benefits that a page links to, in its order.
fn linked(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let link = Regex::new("<a href=\"/prestazioni/prova/[0-9]+\">([^<]+)</a>").unwrap();
    link.captures_iter(&answer.body).map(|found| found[1].to_owned()).collect()
}

/// The rows of a file, without its head.
fn rows(answer: &Answer) -> Vec<Vec<String>> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(answer.body.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

pub(crate) fn two_enti(config: &mut Config) {
    let mut other = config.eservice[0].ente[0].clone();
    (other.codice, other.denominazione) = ("F205".to_owned(), "Comune di Milano".to_owned());
    config.eservice[0].ente.push(other);
}

on_both_databases! {
    fn accepted_flows_stand_with_their_number_page_after_page(database) {
        let app = App::start_with(database, two_enti);
        let records: Vec<_> = (0..120).map(|number| mensa(&format!("2020/{number:03}"), 8000)).collect();
        app.publish(&records);
        let milano = EnteErogatore::new("F205", "Comune di Milano", "F205", "RSSMRA80A01H501U").unwrap();
        app.registry.publish(app.eservice, &milano, &[mensa("MI/1", 8000)]).unwrap();
        let flows = app.registry.page(app.eservice, 0, 200).unwrap();
        let formula = "=HYPERLINK(\"https://altrove.example\")";
        let accepted: Vec<Value> = flows
            .iter()
            .map(|flow| esito(&flow.id_flusso, flow.ts_ms, "OK", &format!("S{}", flow.ts_ms), formula))
            .collect();
        deliver(&app, &accepted);
        // INPS takes one back.
        deliver(&app, &[esito(&flows[7].id_flusso, flows[7].ts_ms, "DATI_NON_TROVATI", "", "ignoto")]);
        let mut expected: Vec<String> = (0..120).filter(|number| *number != 7).map(|number| format!("2020/{number:03}")).collect();
        expected.push("MI/1".to_owned());
        expected.reverse();

        let anna = app.signed_in("anna", &[Operatore]);
        let mut seen = Vec::new();
        let mut next = Some("/esiti/accettati".to_owned());
        let further = Regex::new("href=\"(/esiti/accettati\\?dopo=[^\"]+)\"").unwrap();
        while let Some(path) = next {
            let page = anna.get(&path);
            assert!(page.body.contains(&format!("S{}", flows[100].ts_ms)) || !seen.is_empty(), "{page:?}");
            seen.extend(linked(&page));
            next = further.captures(&page.body).map(|found| found[1].to_owned());
        }
        assert_eq!(seen, expected);
        assert_eq!(linked(&anna.get("/esiti/accettati?ente=F205")), ["MI/1"]);
        assert_eq!(linked(&anna.get("/esiti/accettati?a=2020-01-01")), [""; 0]);
        assert_eq!(linked(&anna.get("/esiti/accettati?da=2020-01-01")).len(), 100);
        assert_eq!(anna.get("/esiti/accettati?da=ieri").status, 422);
        assert_eq!(anna.get("/esiti/accettati?da=2026-02-01&a=2026-01-01").status, 422);

        let file = anna.post("/esiti/file", &[("elenco", "accettati")]);
        assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"esiti-accettati.csv\""));
        let file = rows(&file);
        assert!(file.iter().map(|row| &row[0]).eq(&expected), "{file:?}");
        assert_eq!(file[0][7], format!("S{}", flows[120].ts_ms));
        assert!(file.iter().all(|row| row[6] == format!("'{formula}")), "no cell is a formula: {file:?}");
        let refused = rows(&anna.post("/esiti/file", &[("elenco", "rifiutati"), ("ente", "H501")]));
        assert_eq!((refused.len(), refused[0][0].as_str(), refused[0][4].as_str()), (1, "2020/007", "DATI_NON_TROVATI"));
        assert!(refused[0][8].contains("«Correggi»"), "{refused:?}");
        assert_eq!(anna.post("/esiti/file", &[("elenco", "altro")]).status, 400);
        let exported = |entry: &&Value| entry["path"] == "benefits_exported" && entry["user_id"] == "anna";
        let log = app.log();
        let exported: Vec<_> = log.iter().filter(exported).map(|entry| entry["query"].as_str().unwrap()).collect();
        assert_eq!(exported, ["elenco=esiti-accettati", "elenco=esiti-rifiutati"]);

        app.account_within("bruno", &[Operatore], Scope::new(vec![(app.eservice, Some("F205".to_owned()))]));
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        assert_eq!(linked(&bruno.get("/esiti/accettati")), ["MI/1"]);
        assert_eq!(bruno.get("/esiti/accettati?ente=H501").status, 404);
        bruno.get("/esiti/accettati");
        assert_eq!(rows(&bruno.post("/esiti/file", &[("elenco", "accettati")])).len(), 1);
        assert_eq!(bruno.post("/esiti/file", &[("elenco", "accettati"), ("ente", "H501")]).status, 404);
    }

    fn outcomes_of_flows_that_are_not_ours_have_a_page(database) {
        let app = App::start_with(database, two_enti);
        let evil = "<img src=x onerror=alert(1)>";
        deliver(&app, &[
            esito("H501.PS.20200101.0000001", 1_577_836_800_000, "OK", "S1", evil),
            esito("F205.PS.20200101.0000001", 1_577_836_800_001, "ERRORE_GENERICO", "", evil),
        ]);
        let anna = app.signed_in("anna", &[Operatore]);
        let page = anna.get("/esiti/sconosciuti").body;
        assert!(page.contains("H501.PS.20200101.0000001") && page.contains("F205.PS.20200101.0000001"), "{page}");
        assert!(!page.contains(evil), "{page}");
        assert!(!anna.get("/esiti/accettati").body.contains("20200101"), "it accepts no flow of ours");
        assert_eq!(rows(&anna.post("/esiti/file", &[("elenco", "sconosciuti")])).len(), 2);
        app.account_within("bruno", &[Operatore], Scope::new(vec![(app.eservice, Some("F205".to_owned()))]));
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        let page = bruno.get("/esiti/sconosciuti").body;
        assert!(!page.contains("H501.PS") && page.contains("F205.PS"), "{page}");
    }

    fn what_inps_left_open_is_called_an_anomaly(database) {
        let app = App::start(database);
        app.publish(&[mensa("2020/1", 8000), mensa("2020/2", 8000)]);
        let [first, second] = app.registry.page(app.eservice, 0, 10).unwrap().try_into().unwrap();
        deliver(&app, &[esito(&first.id_flusso, first.ts_ms, "RICHIESTA_INVALIDA", "", "x")]);
        // One is corrected, and the refusal then taken back; of the other the withdrawal is refused.
        app.publish(&[mensa("2020/1", 9000)]);
        deliver(&app, &[esito(&first.id_flusso, first.ts_ms, "OK", "S1", "")]);
        app.registry.withdraw(app.eservice, &roma(), second.ts_ms).unwrap();
        let cancelled = app.registry.page(app.eservice, 0, 10).unwrap().pop().unwrap();
        deliver(&app, &[esito(&cancelled.id_flusso, cancelled.ts_ms, "ERRORE_GENERICO", "", "y")]);
        let anna = app.signed_in("anna", &[Operatore]);
        let page = anna.get("/esiti").body;
        for part in ["Accettato in ritardo", "Annullamento rifiutato", "una versione di troppo"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert_eq!(page.matches(">anomalia</span>").count(), 2, "{page}");
        let resend = Regex::new("href=\"([^\"]+/invio)\"").unwrap();
        let resend: Vec<_> = resend.captures_iter(&page).map(|found| found[1].to_owned()).collect();
        assert_eq!(resend.len(), 2, "{page}");
        for path in resend {
            let shown = anna.get(&path);
            assert!(shown.status == 200 && shown.body.contains("Annullamento (C)"), "{shown:?}");
        }
    }
}
