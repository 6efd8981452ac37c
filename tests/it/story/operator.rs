//! The operator: loads a file, writes a benefit by hand, mends what INPS refused.

use std::path::Path;

use super::{FILE, Telling, Walk};
use crate::guidata::attribute;

/// Fields, each with its value.
type Fields = &'static [(&'static str, &'static str)];

/// The official case of the school meals, step by step: what is chosen from a list, and what is typed.
const CASE: [(Fields, Fields); 6] = [
    (
        &[("Genere", "1")],
        &[
            ("CodiceFiscale", "CNTLCU15E09H501T"),
            ("Cognome", "Conti"),
            ("Nome", "Luca"),
            ("AnnoNascita", "2015"),
            ("LuogoNascita", "H501"),
            ("CodiceRegione", "08"),
            ("CodiceComune", "058091"),
        ],
    ),
    (
        &[("PresenzaProvaMezzi", "1"), ("CaratterePrestazione", "1")],
        &[("CodicePrestazione", "A2.12"), ("ProtocolloDomanda", "2020/77"), ("DataEvento", "25/08/2020")],
    ),
    (
        &[],
        &[
            ("NumeroProtocolloDSU", "INPS-ISEE-2020-01234567A-00"),
            ("AnnoProtocolloDSU", "2020"),
            ("DataDSU", "14/01/2020"),
        ],
    ),
    (&[], &[("DataInizioPrestazione", "01/09/2020"), ("DataFinePrestazione", "31/05/2021")]),
    (
        &[],
        &[
            ("ImportoMensile", "84,20"),
            ("ImportoQuotaEnte", "61,55"),
            ("ImportoQuotaUtente", "22,65"),
            ("ImportoQuotaRichiesta", "84,20"),
            ("ImportoSogliaISEE", "5560,00"),
        ],
    ),
    (&[("PresaCarico", "2")], &[]),
];

/// What the two flows of the case have in common (facts of SIUSS, "The school-meals case").
const COMMON: [(&str, &str); 17] = [
    ("TipoOperazione", "I"),
    ("PresenzaProvaMezzi", "1"),
    ("CaratterePrestazione", "1"),
    ("NumeroProtocolloDSU", "INPS-ISEE-2020-01234567A-00"),
    ("AnnoProtocolloDSU", "2020"),
    ("DataDSU", "2020-01-14"),
    ("CodicePrestazione", "A2.12"),
    ("DenominazionePrestazione", "Mensa scolastica"),
    ("DataEvento", "2020-08-25"),
    ("ImportoMensile", "84.20"),
    ("ImportoQuotaEnte", "61.55"),
    ("ImportoQuotaUtente", "22.65"),
    ("ImportoQuotaSSN", ""),
    ("ImportoQuotaRichiesta", "84.20"),
    ("ImportoSogliaISEE", "5560.00"),
    ("PresaCarico", "2"),
    ("AreaUtenza", ""),
];

/// The button that publishes a file.
const CONFIRM: &str = "form[action$='/conferma'] button";

impl Walk {
    pub(super) fn an_operator_begins(&self, password: &str) {
        self.begin_with("mario.neri", password);
        assert_eq!(self.menu(), ["Cruscotto", "Caricamenti", "Prestazioni", "Esiti"]);
    }

    pub(super) fn an_operator_loads_a_file_with_mistakes(&self) {
        self.open("/caricamenti");
        self.at("caricamenti");
        self.load(&self.place.file("prestazioni-settembre.csv", FILE));
        assert_eq!(self.figures(), [16, 6, 0, 0, 0, 10]);
        self.shown("anteprima", "main");
        self.shown("scarti", "#rapporto");
        assert!(self.feed(0).is_empty(), "nothing is published before it is confirmed");
        self.confirm();
        assert_eq!(self.figures(), [16, 6, 0, 0, 0, 10]);
        assert_eq!(self.feed(0).len(), 6);
        self.at("caricamento-pubblicato");

        let theirs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/misto.csv");
        if let Ok(theirs) = theirs.canonicalize() {
            self.open("/caricamenti");
            self.load(&theirs);
            assert_eq!(self.figures(), [16, 6, 0, 0, 0, 10]);
            self.browser.find("details:has(form[action$='/annulla']) summary").click();
            self.browser.find("details[open] form[action$='/annulla'] button").click();
            assert!(self.browser.find(".console-badge.neutro").text().contains("annullato"));
        }
    }

    /// The row whose shares did not add up.
    pub(super) fn an_operator_loads_it_again_corrected(&self) {
        self.minutes_later(10);
        let refused = "120,00;100,00;10,00;;;;;2;";
        assert_eq!(FILE.matches(refused).count(), 1);
        self.open("/caricamenti");
        let corrected = FILE.replace(refused, "120,00;100,00;20,00;;;;;2;");
        self.load(&self.place.file("prestazioni-settembre-corretto.csv", corrected));
        assert_eq!(self.figures(), [16, 1, 0, 6, 0, 9]);
        self.confirm();
        assert_eq!(self.feed(0).len(), 7);
        self.open("/caricamenti");
        self.browser.find("table");
        self.at("caricamenti-elenco");
    }

    pub(super) fn an_operator_writes_a_benefit_over_two_years(&self) {
        self.minutes_later(10);
        let before = self.feed(0);
        let browser = &self.browser;
        self.open("/prestazioni/nuova");
        for (step, (chosen, typed)) in CASE.into_iter().enumerate() {
            let (first, _) = typed.iter().chain(chosen).next().unwrap();
            browser.find(&format!("#{first}"));
            for (id, value) in chosen {
                browser.find(&format!("#{id} option[value='{value}']")).click();
            }
            for (id, value) in typed {
                browser.find(&format!("#{id}")).write(value);
            }
            match step {
                3 => {
                    self.computed("dal 01/01/2021 al 31/05/2021, mesi: 5");
                    self.shown("guidata-periodo", "main");
                }
                4 => {
                    self.computed("in tutto 421,00");
                    self.at("guidata-importi");
                }
                _ => self.at(&format!("guidata-{step}")),
            }
            browser.find("button[value=avanti]").click();
        }
        browser.find("button[value=conferma]");
        assert_eq!(browser.all(".console-flows > li").len(), 2);
        self.shown("guidata-riepilogo", "main");
        browser.find("button[value=conferma]").click();
        assert!(browser.find("[role=status]").text().contains("La prestazione è pubblicata"));
        self.at("prestazione-nuova");

        let flows = self.feed(before.last().unwrap().1);
        assert_eq!(flows.len(), 2);
        let own = [("2020-09-01", "2020-12-31", "4"), ("2021-01-01", "2021-05-31", "5")];
        for ((_, _, flow), (first, last, months)) in flows.iter().zip(own) {
            let own = [
                ("DataInizioPrestazione", first),
                ("DataFinePrestazione", last),
                ("PeriodoErogazione", months),
            ];
            for (name, value) in COMMON.into_iter().chain(own) {
                assert_eq!(attribute(flow, name), value, "{name}: {flow}");
            }
        }
    }

    /// What comes of the fields is computed while one types, or when it is asked for.
    fn computed(&self, text: &str) {
        if self.telling == Telling::Scriptless {
            self.browser.find("button[value=ricalcola]").click();
        }
        self.browser.until_says("#calcolo", text);
    }

    /// From the page of outcomes to the benefit, and what is right goes to INPS.
    pub(super) fn an_operator_mends_what_was_refused(&self, refused: &str) {
        let browser = &self.browser;
        self.open("/");
        self.shown("cruscotto", "body");
        self.open("/esiti");
        assert!(browser.text().contains(refused));
        self.shown("esiti", "main .console-card");
        browser.find("main td a[href^='/prestazioni/']").click();
        browser.find("a[href$='/correzione']");
        self.shown("prestazione-rifiutata", "main");
        browser.find("a[href$='/invio']").click();
        browser.find("form[action$='/invio'] button");
        self.at("prestazione-invio");
        browser.find("main form a.btn").click();
        browser.find("a[href$='/ritiro']").click();
        browser.find("form[action$='/ritiro'] button");
        self.at("prestazione-ritiro");
        browser.find("main form a.btn").click();

        browser.find("a[href$='/correzione']").click();
        browser.find("#Cognome");
        self.at("correzione");
        browser.find("button[value='4']").click();
        let amount = browser.find("#ImportoPrestazione");
        amount.clear();
        amount.write("580,00");
        let share = browser.find("#ImportoQuotaEnte");
        share.clear();
        share.write("580,00");
        browser.find("button[value='6']").click();
        browser.find("button[value=conferma]");
        assert_eq!(browser.all(".console-flows > li").len(), 1, "what was never made is not cancelled");
        self.at("correzione-riepilogo");
        browser.find("button[value=conferma]").click();
        assert!(browser.find("[role=status]").text().contains("La correzione è pubblicata."));
        self.open("/esiti");
        assert!(!browser.text().contains(refused), "there is nothing left to do about it");
    }

    pub(super) fn an_operator_sees_what_became_of_it(&self, refused: &str) {
        let browser = &self.browser;
        self.open("/prestazioni");
        browser.send(&[("codice", "A1.19")]);
        browser.find("main table a").click();
        browser.find(".console-flow");
        assert!(browser.find(".console-badge").text().contains("accettata"));
        assert!(browser.text().contains(refused));
        self.at("prestazione");
        self.open("/prestazioni/nuovo-minore");
        browser.find("#IDBeneficiario");
        self.at("minore");
        self.open("/esiti/accettati");
        assert!(browser.find("main table").text().contains("SIUSS-"));
        self.at("esiti-accettati");
        self.open("/esiti/sconosciuti");
        self.at("esiti-sconosciuti");
        self.open("/prestazioni");
        self.at("prestazioni");
        self.leave();
    }

    /// Loads a file, and waits for its preview.
    fn load(&self, file: &Path) {
        self.browser.find("input[type=file]").write(file.to_str().unwrap());
        self.browser.find("form.console-form button[type=submit]").click();
        // A page is asked for again once it is there: asking sooner would call back what was sent.
        self.browser.find("#stato");
        self.until(CONFIRM);
    }

    fn confirm(&self) {
        self.browser.find(CONFIRM).click();
        self.browser.until_gone(CONFIRM);
        self.until("#stato.ok");
    }

    /// The figures of a file: records, new, changed, unchanged, withdrawn, refused.
    fn figures(&self) -> [u64; 6] {
        let figures = self.browser.all(".console-figures dd");
        let figures: Vec<u64> = figures.iter().map(|one| one.text().parse().unwrap()).collect();
        figures[..6].try_into().unwrap()
    }
}
