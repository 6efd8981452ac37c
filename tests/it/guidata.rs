//! The guided form over HTTP: a new benefit step by step, and the correction of one.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use regex::Regex;
use waas_comuni::clock::Clock;
use waas_comuni::staff::Role::Operatore;

use crate::support::app::{Answer, App};
use crate::support::database::on_both_databases;
use crate::support::records::mensa;
use crate::support::staff::Visitor;

pub(crate) const NUOVA: &str = "/prestazioni/nuova";

/// What somebody types in each step of the official case of the school meals: nine months over two years.
const CASE: [&[(&str, &str)]; 6] = [
    &[
        ("CodiceFiscale", "CNTLCU15E09H501T"),
        ("Cognome", "Conti"),
        ("Nome", "Luca"),
        ("AnnoNascita", "2015"),
        ("LuogoNascita", "H501"),
        ("Genere", "1"),
        ("CodiceRegione", "08"),
        ("CodiceComune", "058091"),
    ],
    &[
        ("CodicePrestazione", "A2.12"),
        ("ProtocolloDomanda", "2020/77"),
        ("PresenzaProvaMezzi", "1"),
        ("CaratterePrestazione", "1"),
        ("DataEvento", "25/08/2020"),
    ],
    &[
        ("NumeroProtocolloDSU", "INPS-ISEE-2020-01234567A-00"),
        ("AnnoProtocolloDSU", "2020"),
        ("DataDSU", "14/01/2020"),
    ],
    &[("DataInizioPrestazione", "01/09/2020"), ("DataFinePrestazione", "31/05/2021")],
    &[
        ("ImportoMensile", "84,20"),
        ("ImportoQuotaEnte", "61,55"),
        ("ImportoQuotaUtente", "22,65"),
        ("ImportoQuotaRichiesta", "84,20"),
        ("ImportoSogliaISEE", "5560,00"),
    ],
    &[("PresaCarico", "2")],
];

/// The fields of the form on a page, as a browser would send them.
fn fields(page: &Answer) -> Vec<(String, String)> {
    let text = page.body.split_once("name=\"passo\"").map(|(before, _)| before.len()).expect("a form");
    let form = &page.body[page.body[..text].rfind("<form").unwrap()..];
    let form = &form[..form.find("</form>").unwrap()];
    let input = Regex::new("<input type=\"(text|hidden|radio|checkbox)\"([^>]*)>").unwrap();
    let attribute = |tag: &str, name: &str| {
        let found = Regex::new(&format!(" {name}=\"([^\"]*)\""))
            .unwrap()
            .captures(tag)
            .map(|found| found[1].to_owned());
        found
            .unwrap_or_default()
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#38;", "&")
    };
    let mut fields: Vec<(String, String)> = Vec::new();
    for tag in input.captures_iter(form) {
        let name = attribute(&tag[2], "name");
        if name != "gettone" && (!["radio", "checkbox"].contains(&&tag[1]) || tag[2].contains(" checked")) {
            fields.push((name, attribute(&tag[2], "value")));
        }
    }
    let select = Regex::new("(?s)<select ([^>]*)>(.*?)</select>").unwrap();
    let chosen = Regex::new("value=\"([^\"]*)\" selected").unwrap();
    for tag in select.captures_iter(form) {
        let value = chosen.captures(&tag[2]).map(|found| found[1].to_owned()).unwrap_or_default();
        fields.push((attribute(&format!(" {}", &tag[1]), "name"), value));
    }
    fields
}

/// Types into the page's form and presses a button.
pub(crate) fn press(
    visitor: &Visitor<'_>,
    path: &str,
    page: &Answer,
    typed: &[(&str, &str)],
    button: &str,
) -> Answer {
    let mut fields = fields(page);
    for (name, value) in typed {
        if page.body.contains(&format!("<input type=\"checkbox\" id=\"{name}-{value}\"")) {
            fields.push(((*name).to_owned(), (*value).to_owned()));
            continue;
        }
        let field = fields.iter_mut().find(|(one, _)| one == name);
        let field = field.unwrap_or_else(|| panic!("{name} is not on the page: {}", page.body));
        (*value).clone_into(&mut field.1);
    }
    fields.push(("vai".to_owned(), button.to_owned()));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    visitor.post(path, &fields)
}

/// Goes through every step of the case; gives the last page.
pub(crate) fn through(
    visitor: &Visitor<'_>,
    change: impl Fn(usize) -> Vec<(&'static str, &'static str)>,
) -> Answer {
    let mut page = visitor.get(NUOVA);
    for (step, typed) in CASE.iter().enumerate() {
        let mut typed = typed.to_vec();
        typed.extend(change(step));
        page = press(visitor, NUOVA, &page, &typed, "avanti");
        assert_eq!(page.status, 200, "step {step}: {}", page.body);
    }
    page
}

fn heading(page: &Answer) -> String {
    Regex::new("<h1>([^<]*)</h1>").unwrap().captures(&page.body).unwrap()[1].to_owned()
}

/// The flows in the feed, oldest first.
pub(crate) fn feed(app: &App) -> Vec<String> {
    let flows = app.registry.page(app.eservice, 0, 100).unwrap();
    flows.into_iter().map(|flow| String::from_utf8(flow.xml).unwrap()).collect()
}

/// The value of an attribute in a document; empty where it is not there.
pub(crate) fn attribute<'a>(xml: &'a str, name: &str) -> &'a str {
    let value = xml.split_once(&format!(" {name}=\"")).map(|(_, rest)| rest.split('"').next().unwrap());
    value.unwrap_or_default()
}

on_both_databases! {
    fn the_school_meals_of_the_official_case_are_two_flows(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let summary = through(&anna, |_| Vec::new());
        assert_eq!(heading(&summary), "Riepilogo");
        assert_eq!(summary.body.matches("Inserimento (I)").count(), 2, "{}", summary.body);
        assert!(feed(&app).is_empty(), "nothing is done yet");

        // Somebody who presses twice publishes once.
        let done = press(&anna, NUOVA, &summary, &[], "conferma");
        let again = press(&anna, NUOVA, &summary, &[], "conferma");
        assert_eq!((done.status, again.status), (303, 303), "{again:?}");
        assert_eq!(done.header("location"), again.header("location"));
        let flows = feed(&app);
        assert_eq!(flows.len(), 2);
        let common = [
            ("TipoOperazione", "I"), ("PresenzaProvaMezzi", "1"), ("CaratterePrestazione", "1"),
            ("NumeroProtocolloDSU", "INPS-ISEE-2020-01234567A-00"), ("AnnoProtocolloDSU", "2020"),
            ("DataDSU", "2020-01-14"), ("CodicePrestazione", "A2.12"), ("DenominazionePrestazione", "Mensa scolastica"),
            ("ProtocolloDomanda", "2020/77"), ("DataEvento", "2020-08-25"), ("ImportoMensile", "84.20"),
            ("ImportoQuotaEnte", "61.55"), ("ImportoQuotaUtente", "22.65"), ("ImportoQuotaSSN", ""),
            ("ImportoQuotaRichiesta", "84.20"), ("ImportoSogliaISEE", "5560.00"), ("PresaCarico", "2"),
            ("AreaUtenza", ""), ("ImportoPrestazione", ""),
        ];
        let own = [("2020-09-01", "2020-12-31", "4"), ("2021-01-01", "2021-05-31", "5")];
        for (flow, (first, last, months)) in flows.iter().zip(own) {
            let own = [("DataInizioPrestazione", first), ("DataFinePrestazione", last), ("PeriodoErogazione", months)];
            for (name, value) in common.iter().copied().chain(own) {
                assert_eq!(attribute(flow, name), value, "{name}: {flow}");
            }
        }
        let page = anna.get(done.header("location").unwrap()).body;
        assert!(page.contains("La prestazione è pubblicata"), "{page}");
        let log = app.log();
        let written: Vec<_> = log.iter().filter(|entry| entry["path"] == "benefit_changed").collect();
        assert_eq!(written.len(), 2, "each of the two, once");
        assert!(written.iter().all(|entry| entry["user_id"] == "anna" && entry["benefit"].is_i64()), "{written:?}");
    }

    fn amounts_of_the_whole_period_are_divided(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let summary = through(&anna, |step| match step {
            4 => vec![("base", "periodo"), ("ImportoMensile", "757,80"), ("ImportoQuotaEnte", "553,95"), ("ImportoQuotaUtente", "203,85")],
            _ => Vec::new(),
        });
        press(&anna, NUOVA, &summary, &[], "conferma");
        for flow in feed(&app) {
            assert_eq!(attribute(&flow, "ImportoMensile"), "84.20");
            assert_eq!((attribute(&flow, "ImportoQuotaEnte"), attribute(&flow, "ImportoQuotaUtente")), ("61.55", "22.65"));
        }
    }

    fn going_back_loses_nothing_and_errors_stand_beside_their_field(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let first = anna.get(NUOVA);
        let wrong = press(&anna, NUOVA, &first, &[("CodiceFiscale", "CNTLCU"), ("Cognome", "Conti")], "avanti");
        assert_eq!(wrong.status, 422);
        for part in ["href=\"#CodiceFiscale\"", "id=\"CodiceFiscale-errore\"", "href=\"#AnnoNascita\"", "value=\"CNTLCU\"", "value=\"Conti\""] {
            assert!(wrong.body.contains(part), "{part}: {}", wrong.body);
        }
        assert!(!wrong.body.contains("ImportoMensile-errore"), "later steps are not asked about");
        let mut page = press(&anna, NUOVA, &wrong, CASE[0], "avanti");
        assert_eq!(heading(&page), "Prestazione (passo 1 di 5)");
        page = press(&anna, NUOVA, &page, CASE[1], "avanti");
        // Half a DSU.
        let half = press(&anna, NUOVA, &page, &[("AnnoProtocolloDSU", "2020")], "avanti");
        assert!(half.status == 422 && half.body.contains("-errore\""), "{half:?}");
        page = press(&anna, NUOVA, &half, CASE[2], "avanti");
        page = press(&anna, NUOVA, &page, CASE[3], "ricalcola");
        assert!(page.body.contains("2 flussi, uno per ogni anno") && page.body.contains("dal 01/09/2020 al 31/12/2020"), "{}", page.body);
        // Back to the beginning, unchecked, and forth again.
        for (button, title) in [("indietro", "DSU (passo 2 di 5)"), ("0", "Persona"), ("5", "Presa in carico (passo 5 di 5)"), ("3", "Periodo (passo 3 di 5)")] {
            page = press(&anna, NUOVA, &page, &[], button);
            assert_eq!(heading(&page), title);
        }
        let all = fields(&page);
        for (name, value) in CASE[..4].concat() {
            assert!(all.contains(&(name.to_owned(), value.to_owned())), "{name}: {all:?}");
        }
        // The summary says what is missing, and leads there.
        let summary = press(&anna, NUOVA, &page, &[], "6");
        assert_eq!(summary.status, 422);
        assert!(summary.body.contains("Vai a Importi") && summary.body.contains("Vai a Presa in carico"), "{}", summary.body);
        assert!(!summary.body.contains("value=\"conferma\""));
        let forced = press(&anna, NUOVA, &summary, &[], "conferma");
        assert_eq!(forced.status, 422);
        assert!(feed(&app).is_empty());
    }

    fn a_correction_sends_what_was_shown(database) {
        let app = App::start(database);
        app.publish(&[mensa("2020/1", 8420)]);
        let anna = app.signed_in("anna", &[Operatore]);
        let id = app.registry.page(app.eservice, 0, 1).unwrap()[0].ts_ms;
        let address = format!("/prestazioni/prova/{id}");
        let path = format!("{address}/correzione");
        let page = anna.get(&path);
        let filled = fields(&page);
        for (name, value) in [("Cognome", "Conti"), ("DataDSU", "14/01/2020"), ("ImportoMensile", "84,20"), ("PresaCarico", "2")] {
            assert!(filled.contains(&(name.to_owned(), value.to_owned())), "{name}: {filled:?}");
        }
        let same = press(&anna, &path, &page, &[], "6");
        assert!(same.body.contains("la prestazione risulta già così") && !same.body.contains("value=\"conferma\""), "{}", same.body);
        let amounts = press(&anna, &path, &page, &[], "4");
        let summary = press(&anna, &path, &amounts, &[("ImportoMensile", "90,00"), ("ImportoQuotaEnte", "70,00")], "6");
        assert_eq!((summary.body.matches("Annullamento (C)").count(), summary.body.matches("Inserimento (I)").count()), (1, 1));
        // Meanwhile INPS refuses what it would cancel: another thing would be sent, and is shown first.
        let flow = app.registry.page(app.eservice, 0, 1).unwrap().pop().unwrap();
        let instant = jiff::Timestamp::from_millisecond(flow.ts_ms).unwrap();
        let esito = serde_json::json!({ "elenco_esiti": [{
            "id_flusso": flow.id_flusso, "ts_flusso": format!("{instant:.3}"), "ts_acquisizione": format!("{instant:.3}"),
            "tipo": "PS_PSA_SINA", "codice_esito": "RICHIESTA_INVALIDA", "descrizione_esito": "Importo",
        }] });
        assert!(app.post_esiti(&esito.to_string()).status < 300);
        let other = press(&anna, &path, &summary, &[], "conferma");
        assert!(other.status == 422 && other.body.contains("Da confermare di nuovo"), "{other:?}");
        assert_eq!((other.body.matches("Annullamento (C)").count(), other.body.matches("Inserimento (I)").count()), (0, 1));
        assert_eq!(feed(&app).len(), 1);
        for _ in 0..2 {
            let done = press(&anna, &path, &other, &[], "conferma");
            assert_eq!(done.header("location"), Some(format!("{address}?fatto=correzione").as_str()), "{done:?}");
        }
        let flows = feed(&app);
        assert_eq!(flows.len(), 2);
        assert_eq!((attribute(&flows[1], "TipoOperazione"), attribute(&flows[1], "ImportoMensile")), ("I", "90.00"));
    }

    fn what_is_typed_in_the_form_is_text_wherever_it_is_shown(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let evil = "\"><script>alert(1)</script><img src=x>";
        let mut page = anna.get(NUOVA);
        for step in 0..6 {
            let button = (step + 1).to_string();
            let texts: Vec<String> = fields(&page).into_iter().map(|(name, _)| name).filter(|name| {
                page.body.contains(&format!("<input type=\"text\" id=\"{name}\""))
            }).collect();
            let typed: Vec<_> = texts.iter().map(|name| (name.as_str(), evil)).collect();
            let refused = press(&anna, NUOVA, &page, &typed, "avanti");
            page = press(&anna, NUOVA, &page, &typed, &button);
            for body in [&refused.body, &page.body] {
                assert!(!body.contains("<script>alert") && !body.contains("<img"), "step {step}: {body}");
            }
        }
        let computed = anna.post("/prestazioni/calcolo", &[("DataInizioPrestazione", evil), ("ImportoMensile", evil)]);
        assert!(computed.status == 200 && !computed.body.contains("<script>") && !computed.body.contains("<img"), "{computed:?}");
        // A name is text for INPS too.
        let summary = through(&anna, |step| if step == 0 { vec![("Cognome", "O'Neill <script>alert(1)")] } else { Vec::new() });
        let done = press(&anna, NUOVA, &summary, &[], "conferma");
        let page = anna.get(done.header("location").unwrap()).body;
        assert!(page.contains("&#60;script&#62;") && !page.contains("<script>alert"), "{page}");
        for path in [NUOVA, "/prestazioni/calcolo"] {
            "x".clone_into(&mut anna.token.borrow_mut());
            assert_eq!(anna.post(path, &[("vai", "conferma")]).status, 403, "{path}");
        }
    }
}

/// What somebody types about a child in care, step by step.
const CHILD: [&[(&str, &str)]; 7] = [
    &[("MinoreStranieroNoAcc", "2"), ("CondizioneMinore", "1"), ("CodiceRegioneResidenza", "08")],
    &[("LuogoVita", "1"), ("ScuolaFrequentata", "5"), ("CondizioneLavoro", "1"), ("Disabilita", "2")],
    &[("Famiglia", "1"), ("Famiglia", "3"), ("TitoloStudioMadre", "5")],
    &[
        ("DataPrimaSegnalazione", "03/2024"),
        ("FonteSegnalazione", "13"),
        ("ValutazioneMinore", "2"),
        ("ValutazioneFamigliaMinore", "12"),
    ],
    &[("SegnalazioneAutoritaGiudiziaria", "2"), ("ProvvedimentoGiudiziario", "2")],
    &[("Prestazioni", "A2.02 A2.12")],
    &[],
];

/// Tuesday 30 September 2025, when the child of the case is ten years old.
const SEPTEMBER: i64 = 1_759_215_600_000;

on_both_databases! {
    fn a_child_in_care_is_written_step_by_step_and_corrected(database) {
        let key = "una chiave abbastanza lunga da non indovinarsi";
        let clock = Clock::Manual(Arc::new(AtomicI64::new(SEPTEMBER)));
        let app = App::start_at(database, clock, |config| config.sinba.pseudonym_key = Some(key.to_owned().into()));
        let anna = app.signed_in("anna", &[Operatore]);
        let path = "/prestazioni/nuovo-minore";
        let code = "CNTLCU15E09H501T";
        let first = anna.get(path);
        // Who the child is, is not said; nor is it said twice.
        for (field, value, wrong) in [
            ("IDBeneficiario", code, "IDBeneficiario"),
            ("CodiceFiscaleMinore", "CNTLCU15E09H501X", "CodiceFiscaleMinore"),
        ] {
            let typed = [&[(field, value), ("AnnoNascita", "2015"), ("FasciaEtaBeneficiario", "4")], CHILD[0]].concat();
            let refused = press(&anna, path, &first, &typed, "avanti");
            assert!(refused.status == 422 && refused.body.contains(&format!("id=\"{wrong}-errore\"")), "{refused:?}");
        }
        let mut page = press(&anna, path, &first, &[("CodiceFiscaleMinore", code)], "avanti");
        assert_eq!(page.status, 422, "more is asked");
        assert!(!page.body.contains(code), "it is forgotten: {}", page.body);
        let filled = fields(&page);
        let id = &filled.iter().find(|(name, _)| name == "IDBeneficiario").unwrap().1;
        assert_eq!(id.len(), 20);
        for (name, value) in [("AnnoNascita", "2015"), ("FasciaEtaBeneficiario", "4")] {
            assert!(filled.contains(&(name.to_owned(), value.to_owned())), "{name}: {filled:?}");
        }
        for (step, typed) in CHILD.iter().enumerate() {
            assert_eq!(heading(&page).split(" (").nth(1), Some(format!("passo {} di 7)", step + 1).as_str()));
            page = press(&anna, path, &page, typed, "avanti");
            assert_eq!(page.status, 200, "step {step}: {}", page.body);
        }
        assert_eq!(heading(&page), "Riepilogo");
        assert_eq!(page.body.matches("Inserimento (I)").count(), 1, "{}", page.body);
        assert!(page.body.contains("1 – Madre") && page.body.contains("3 – Fratelli o sorelle"), "{}", page.body);
        let done = press(&anna, path, &page, &[], "conferma");
        let again = press(&anna, path, &page, &[], "conferma");
        assert_eq!((done.status, done.header("location")), (303, again.header("location")), "{again:?}");
        let flow = feed(&app).pop().unwrap();
        assert_eq!(feed(&app).len(), 1);
        for (name, value) in CHILD.concat().into_iter().chain([("IDBeneficiario", id.as_str()), ("CodiceNazioneResidenza", "380")]) {
            match name {
                "Famiglia" => assert!(flow.contains(&format!("<ComposizioneFamiglia>{value}</")), "{flow}"),
                "Prestazioni" => assert_eq!(flow.matches("<CodicePrestazione>").count(), 2, "{flow}"),
                _ => assert_eq!(attribute(&flow, name), value, "{name}: {flow}"),
            }
        }

        // A correction is one more insertion: SINBA has no cancellation.
        let address = done.header("location").unwrap().split('?').next().unwrap();
        assert!(anna.get(address).body.contains("/correzione\""));
        let path = format!("{address}/correzione");
        let page = anna.get(&path);
        assert!(!page.body.contains("CodiceFiscaleMinore"), "the code was given once for all: {}", page.body);
        let family = press(&anna, &path, &page, &[], "2");
        assert!(family.body.contains("id=\"Famiglia-3\" name=\"Famiglia\" value=\"3\" checked"), "{}", family.body);
        let summary = press(&anna, &path, &family, &[("NumeroComponentiISEE", "4")], "7");
        assert_eq!((summary.body.matches("Annullamento (C)").count(), summary.body.matches("Inserimento (I)").count()), (0, 1), "{}", summary.body);
        assert_eq!(press(&anna, &path, &summary, &[], "conferma").status, 303);
        let flows = feed(&app);
        assert_eq!((flows.len(), attribute(&flows[1], "NumeroComponentiISEE")), (2, "4"));
        assert_eq!(attribute(&flows[1], "IDBeneficiario"), id);
        assert!(!format!("{:?}", app.log()).contains(code));
    }

    fn without_a_key_a_child_has_the_code_that_staff_give(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let path = "/prestazioni/nuovo-minore";
        let page = anna.get(path);
        assert!(!page.body.contains("CodiceFiscaleMinore"), "{}", page.body);
        let empty = press(&anna, path, &page, &[], "avanti");
        for field in ["IDBeneficiario", "AnnoNascita", "FasciaEtaBeneficiario", "CondizioneMinore"] {
            assert!(empty.body.contains(&format!("href=\"#{field}\"")), "{field}: {}", empty.body);
        }
        let typed = [("IDBeneficiario", "M-2025-17"), ("AnnoNascita", "2015"), ("FasciaEtaBeneficiario", "4")];
        let next = press(&anna, path, &empty, &[&typed[..], CHILD[0]].concat(), "avanti");
        assert_eq!(heading(&next), "Vita e salute (passo 2 di 7)");
        let evil = "\"><script>alert(1)</script>";
        let interventions = press(&anna, path, &next, &[], "5");
        let shown = press(&anna, path, &interventions, &[("Prestazioni", evil)], "avanti");
        assert!(shown.status == 422 && !shown.body.contains("<script>alert"), "{shown:?}");
    }
}
