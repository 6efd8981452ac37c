//! What somebody writes where it does not belong, in the fields of the console, in files and through vendors' software: it is
//! looked for, kept and shown as the text that it is.

use jiff::Timestamp;
use regex::Regex;
use secrecy::ExposeSecret;
use serde_json::json;
use waas_comuni::clock::Clock;
use waas_comuni::config;
use waas_comuni::registry::{CodiceEsito, Esito, PublishedFlusso};
use waas_comuni::staff::Role;
use waas_comuni::vendor::keys;

use crate::json::borsa;
use crate::support::app::{Answer, App};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;
use crate::support::staff::Visitor;

/// What would change a statement that it became part of.
const SQL: [&str; 5] = [
    "' OR '1'='1",
    "'; DELETE FROM prestazione; --",
    "\" OR \"\"=\"",
    "%' UNION SELECT password_hash FROM staff_account --",
    "1) OR (1=1",
];

/// Texts that a browser would run, or a spreadsheet.
const CODE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'";
const FORMULA: &str = "=HYPERLINK(\"http://x\")";

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The answer to a search is one that a person can get, and finds nothing.
fn finds_nothing(answer: &Answer, what: &str) {
    assert!([200, 303, 404, 422].contains(&answer.status), "{what}: {answer:?}");
    assert!(!answer.body.contains("2020/1"), "{what}: {answer:?}");
    assert!(!answer.body.contains("$argon2"), "{what}: {answer:?}");
}

/// Spreadsheets of other countries divide cells at another sign: none is one behind either.
fn no_cell_is_a_formula(sheet: &str) {
    for delimiter in [b';', b','] {
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(sheet.as_bytes());
        for row in rows.records() {
            for cell in &row.unwrap() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?} in {sheet}");
            }
        }
    }
}

fn follow(visitor: &Visitor<'_>, answer: Answer) -> Answer {
    match answer.header("location") {
        Some(there) => visitor.get(there),
        None => answer,
    }
}

/// INPS refuses a flow, in words that are of the same kind.
fn refuse(app: &App, flow: &PublishedFlusso) {
    let esito = Esito {
        id_flusso: flow.id_flusso.clone(),
        ts_flusso: Timestamp::from_millisecond(flow.ts_ms).unwrap(),
        ts_acquisizione: Timestamp::from_millisecond(flow.ts_ms).unwrap(),
        tipo: "PS_PSA_SINA".to_owned(),
        codice: CodiceEsito::RichiestaInvalida,
        descrizione: Some(format!("{CODE}{FORMULA}")),
        id_acquisizione_siuss: None,
        altro: serde_json::Map::new(),
    };
    app.registry.record_esiti(app.eservice, &[esito], "r").unwrap();
}

on_both_databases! {
    fn no_field_of_the_console_reaches_into_a_statement(database) {
        let app = App::start(database);
        app.publish(&[mensa("2020/1", 8000)]);
        let anna = app.signed_in("anna", &Role::ALL);
        for sql in SQL {
            let of = encoded(sql);
            for path in [
                format!("/esiti?eservice={of}"),
                format!("/esiti?ente={of}"),
                format!("/esiti?dopo={of}"),
                format!("/esiti?da={of}&a={of}"),
                format!("/esiti/accettati?ente={of}&dopo={of}"),
                format!("/esiti/sconosciuti?ente={of}&dopo={of}"),
                format!("/prestazioni/{of}/1"),
                format!("/prestazioni/prova/{of}"),
                format!("/prestazioni/prova/1/xml/{of}"),
                format!("/caricamenti/{of}"),
                format!("/registro/chiamate/{of}/{of}"),
                format!("/amministrazione/utenti/{of}"),
                format!("/amministrazione/openapi/{of}"),
                format!("/guida/{of}"),
            ] {
                finds_nothing(&anna.get(&path), &path);
            }
            for field in ["registro", "da", "esito", "stato", "azione", "utente", "fruitore", "finalita", "voucher", "richiesta", "ente", "flusso", "prestazione", "prima"] {
                let path = format!("/registro?{field}={of}");
                finds_nothing(&anna.get(&path), &path);
            }
            for field in ["persona", "protocollo", "codice", "dal", "al"] {
                anna.get("/prestazioni");
                let answer = follow(&anna, anna.post("/prestazioni", &[(field, sql)]));
                finds_nothing(&answer, field);
            }
            anna.get("/registro/persona");
            finds_nothing(&anna.post("/registro/persona", &[("codice", sql), ("da", sql)]), "codice");
            let stranger = app.visitor();
            assert_eq!(stranger.sign_in(sql, sql).status, 422, "{sql}");
            assert_eq!(stranger.get("/").status, 303, "{sql}");
            // A column and a mapping may be called anything.
            anna.get("/caricamenti");
            let content = format!("CodiceFiscale;{}\nA;B\n", sql.replace(['"', ';'], ""));
            let loaded = anna.upload("/caricamenti", &[("ente", "prova:H501"), ("mappatura", sql)], "a.csv", content.as_bytes());
            assert!([303, 422].contains(&loaded.status), "{loaded:?}");
            anna.get("/amministrazione/utenti");
            assert_eq!(anna.post("/amministrazione/utenti", &[("nome", sql), ("nominativo", sql), ("ruolo", sql)]).status, 422);
        }
        // All of it is still there.
        anna.get("/prestazioni");
        let found = follow(&anna, anna.post("/prestazioni", &[("protocollo", "2020/1")]));
        assert!(found.body.contains("2020/1"), "{found:?}");
    }

    fn what_a_vendor_sends_is_text_on_every_page(database) {
        let app = App::start(database);
        let key = keys::generate().unwrap().expose_secret().to_owned();
        let add = |connection: &mut _| keys::add(connection, "gestionale", app.eservice, &["H501".to_owned()], &key, Clock::System.now_ms());
        assert!(app.store.write(add).unwrap());
        let mut record = borsa("2026/1");
        let benefit = &mut record["Beneficiario"];
        benefit["Anagrafica"]["Cognome"] = json!("<script>");
        benefit["Anagrafica"]["Nome"] = json!("O'Neill \"<b>\"");
        benefit["PrestazioniSociali"]["ProtocolloDomanda"] = json!(FORMULA);
        benefit["PrestazioniSociali"]["DenominazionePrestazione"] = json!(&CODE[..40]);
        let body = record.to_string();
        let headers = [("X-API-Key", key.as_str()), ("Content-Type", "application/json")];
        let sent = app.send_back_office("POST", "/api/v1/prestazioni", &headers, body.as_bytes());
        assert_eq!(sent.status, 200, "{sent:?}");
        let flow = app.registry.page(app.eservice, 0, 10).unwrap().pop().unwrap_or_else(|| panic!("{sent:?}"));
        refuse(&app, &flow);
        let anna = app.signed_in("anna", &Role::ALL);
        let benefit = format!("/prestazioni/prova/{}", flow.ts_ms);
        let mut pages: Vec<Answer> = ["", "/correzione", "/ritiro", "/invio"].map(|page| anna.get(&format!("{benefit}{page}"))).into();
        pages.extend(["/", "/prestazioni", "/esiti", "/registro"].map(|path| anna.get(path)));
        assert!(pages[0].body.contains("&#60;script&#62;"), "{:?}", pages[0]);
        let file = anna.post("/esiti/file", &[("elenco", "rifiutati")]);
        assert!(file.body.contains("HYPERLINK"), "{file:?}");
        no_cell_is_a_formula(&file.body);
        for page in pages {
            assert_eq!(page.status, 200, "{page:?}");
            for code in ["<script>alert", "<img", "<b>", "<script></"] {
                assert!(!page.body.contains(code), "{code}: {}", page.body);
            }
        }
    }

    fn what_an_xml_file_publishes_is_text_on_every_page(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &Role::ALL);
        let attribute = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let [surname, name, protocol, benefit] = [
            "<script>alert(1)</script>",
            "\" onmouseover=\"alert(2)",
            "'\"><img src=x onerror=a(3)>",
            "</td></table><svg onload=alert(4)>&lt;b&gt;",
        ];
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Flusso xmlns=\"http://inps.it/Casellario\">\
             <IdentificazioneFlusso Nome=\"{}\"><Ente Codice=\"H501\" Indirizzo=\"H501\" \
             CFOperatore=\"RSSMRA80A01H501U\"/></IdentificazioneFlusso>\
             <Beneficiario CodiceFiscale=\"CNTLCU15E09H501T\">\
             <Anagrafica Cognome=\"{}\" Nome=\"{}\" AnnoNascita=\"2015\" LuogoNascita=\"H501\" Genere=\"1\" \
             CodiceCittadinanza=\"380\"/>\
             <Indirizzo CodiceRegione=\"08\" CodiceComune=\"058091\" CodiceNazione=\"380\"/>\
             <PrestazioniSociali PresenzaProvaMezzi=\"2\" CaratterePrestazione=\"2\" CodicePrestazione=\"A1.19\" \
             DenominazionePrestazione=\"{}\" ProtocolloDomanda=\"{}\" DataErogazionePrestazione=\"2025-03-15\" \
             ImportoPrestazione=\"600.00\" PresaCarico=\"2\"/></Beneficiario></Flusso>",
            attribute(&CODE[..40]),
            attribute(surname),
            attribute(name),
            attribute(benefit),
            attribute(protocol)
        );
        anna.get("/caricamenti");
        let loaded = anna.upload("/caricamenti", &[("ente", "prova:H501")], "a.xml", xml.as_bytes());
        let path = loaded.header("location").unwrap_or_else(|| panic!("{loaded:?}")).to_owned();
        let settled = || {
            while anna.get(&format!("{path}/stato")).json()["inCorso"] == true {
                std::thread::yield_now();
            }
            anna.get(&path)
        };
        let preview = settled();
        let run = Regex::new("name=\"lettura\" value=\"(\\d+)\"").unwrap();
        let run = run.captures(&preview.body).unwrap_or_else(|| panic!("{preview:?}"))[1].to_owned();
        assert_eq!(anna.post(&format!("{path}/conferma"), &[("lettura", &run)]).status, 303);
        let published = settled();
        let flow = app.registry.page(app.eservice, 0, 10).unwrap().pop().unwrap_or_else(|| panic!("{published:?}"));
        refuse(&app, &flow);

        let scheda = format!("/prestazioni/prova/{}", flow.ts_ms);
        let mut pages: Vec<Answer> = ["", "/correzione", "/ritiro", "/invio"].map(|page| anna.get(&format!("{scheda}{page}"))).into();
        let shown = |text: &str| {
            let escaped = [("&", "&#38;"), ("<", "&#60;"), (">", "&#62;"), ("\"", "&#34;"), ("'", "&#39;")];
            escaped.iter().fold(text.to_owned(), |text, (raw, escaped)| text.replace(raw, escaped))
        };
        for text in [surname, name, protocol, benefit] {
            assert!(pages[0].body.contains(&shown(text)), "{text}: {:?}", pages[0]);
            assert!(pages[1].body.contains(&format!("value=\"{}\"", shown(text))), "{text}: {:?}", pages[1]);
        }
        for (field, value) in [("protocollo", protocol), ("persona", "CNTLCU15E09H501T")] {
            anna.get("/prestazioni");
            let found = follow(&anna, anna.post("/prestazioni", &[(field, value)]));
            assert!(found.body.contains(&shown(protocol)), "{field}: {found:?}");
            pages.push(found);
        }
        anna.get("/registro/persona");
        pages.push(anna.post("/registro/persona", &[("codice", "CNTLCU15E09H501T")]));
        pages.extend(["/", "/caricamenti", "/prestazioni", "/esiti", "/registro"].map(|path| anna.get(path)));
        pages.extend([preview, published]);
        for page in pages {
            assert_eq!(page.status, 200, "{page:?}");
            for code in ["<script>alert", "\" onmouseover", "<img src=x", "<svg onload", "</td></table><"] {
                assert!(!page.body.contains(code), "{code}: {}", page.body);
            }
        }
        let document = anna.get(&format!("{scheda}/xml/{}", flow.id_flusso));
        assert_eq!(document.status, 200, "{document:?}");
        assert!(document.header("content-type").unwrap().starts_with("application/xml"), "{document:?}");
        assert_eq!(document.header("x-content-type-options"), Some("nosniff"), "{document:?}");
        let report = anna.get(&format!("{path}/rapporto.csv"));
        no_cell_is_a_formula(&report.body);
    }

    fn one_ente_learns_nothing_by_counting_through_the_others(database) {
        let milano = config::Ente {
            codice: "F205".to_owned(),
            denominazione: "Comune di Milano".to_owned(),
            sede: "F205".to_owned(),
            cf_operatore: "RSSMRA80A01H501U".to_owned(),
        };
        let app = App::start_with(database, |config| config.eservice[0].ente.push(milano.clone()));
        app.registry.publish(app.eservice, &milano.erogatore().unwrap(), &[mensa("2020/1", 8000)]).unwrap();
        let id = app.registry.page(app.eservice, 0, 1).unwrap()[0].ts_ms;
        let name = app.registry.page(app.eservice, 0, 1).unwrap()[0].id_flusso.clone();
        let roma = waas_comuni::staff::Scope::new(vec![(app.eservice, Some("H501".to_owned()))]);
        app.account_within("bruno", &Role::ALL, roma);
        let bruno = app.visitor();
        bruno.sign_in("bruno", crate::support::staff::PASSWORD);
        let nowhere = id + 1;
        // Of what another ente has, the answer is that of what nobody has, but for the number that was asked for.
        let same = |there: &str, missing: &str| {
            let (there, missing) = (bruno.get(there), bruno.get(missing));
            assert_eq!((there.status, missing.status), (404, 404), "{there:?} {missing:?}");
            let plain = |answer: &Answer| answer.body.replace(&id.to_string(), "N").replace(&nowhere.to_string(), "N");
            assert_eq!(plain(&there), plain(&missing));
        };
        for page in ["", "/correzione", "/ritiro", "/invio", &format!("/xml/{name}")] {
            same(&format!("/prestazioni/prova/{id}{page}"), &format!("/prestazioni/prova/{nowhere}{page}"));
        }
        same("/esiti?ente=F205", "/esiti?ente=X999");
        same("/esiti/accettati?ente=F205", "/esiti/accettati?ente=X999");
        same("/registro?registro=prova&ente=F205", "/registro?registro=prova&ente=X999");
        same("/amministrazione/utenti/anna", "/amministrazione/utenti/nessuno");
    }
}

#[test]
fn what_a_file_says_breaks_out_of_no_page_and_no_sheet() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let anna = app.signed_in("anna", &Role::ALL);
    anna.get("/caricamenti");
    let xml = format!(
        "<?xml version=\"1.0\"?><PS_PSA_SINA><x>{}</x></PS_PSA_SINA>",
        CODE.replace('<', "&lt;").replace('"', "&quot;")
    );
    let csv = format!(
        "CodiceFiscale;ProtocolloDomanda\n{FORMULA};{FORMULA}\n\"{}\";+1+1\n@SUM(1);-2\n",
        CODE.replace('"', "\"\"")
    );
    for (name, content) in [("<img src=x>.csv", csv.as_str()), ("'\"><script>.xml", xml.as_str())] {
        let loaded = anna.upload(
            "/caricamenti",
            &[("ente", "prova:H501")],
            &name.replace('"', "%22"),
            content.as_bytes(),
        );
        let Some(path) = loaded.header("location").map(str::to_owned) else {
            assert_eq!(loaded.status, 422, "{loaded:?}");
            continue;
        };
        while anna.get(&format!("{path}/stato")).json()["inCorso"] == true {
            std::thread::yield_now();
        }
        for page in [anna.get(&path), anna.get("/caricamenti")] {
            assert!(!page.body.contains("<script>alert") && !page.body.contains("<img"), "{}", page.body);
        }
        let report = anna.get(&format!("{path}/rapporto.csv"));
        assert_eq!(report.status, 200, "{report:?}");
        let mut rows =
            csv::ReaderBuilder::new().delimiter(b';').flexible(true).from_reader(report.body.as_bytes());
        for cell in rows.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
        {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
        }
    }
}
