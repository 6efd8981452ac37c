//! Rules of the benefit itself: its kind, its dates, its DSU, its code, the taking in charge.

use super::super::codes::{CaratterePrestazione, PresenzaProvaMezzi, SiNo};
use super::super::notice::{Notice, Rule, Severity};
use super::super::record::{DatiPrestazione, PsPsaSina};
use super::super::split::months;
use super::super::tables::{Nomenclatore, Trasmissione};
use super::super::values::{Data, Value};
use super::{missing, rule};
use jiff::civil::Date;
use rust_decimal::Decimal;

pub(super) static CARATTERE: Rule = rule(
    "PS-02",
    Severity::Errore,
    "CaratterePrestazione è obbligatorio, anche se lo schema lo lascia facoltativo",
    "Fatti SIUSS, regola 2 (C)",
);
pub(super) static PERIODICA: Rule = rule(
    "PS-03",
    Severity::Errore,
    "Una prestazione periodica ha DataInizioPrestazione e ImportoMensile maggiore di zero, e non ImportoPrestazione",
    "Fatti SIUSS, regola 3 (C)",
);
pub(super) static OCCASIONALE: Rule = rule(
    "PS-04",
    Severity::Errore,
    "Una prestazione occasionale ha DataErogazionePrestazione e ImportoPrestazione maggiore di zero",
    "Fatti SIUSS, regola 4 (C)",
);
pub(super) static FINE: Rule = rule(
    "PS-05",
    Severity::Errore,
    "DataFinePrestazione non precede DataInizioPrestazione ed è nello stesso anno solare",
    "Fatti SIUSS, regola 5 (C)",
);
pub(super) static MESI: Rule = rule(
    "PS-06",
    Severity::Avviso,
    "PeriodoErogazione è il numero dei mesi tra inizio e fine, contati come nel caso ufficiale della mensa",
    "Fatti SIUSS, regola 6",
);
pub(super) static DSU: Rule = rule(
    "PS-08",
    Severity::Errore,
    "NumeroProtocolloDSU, AnnoProtocolloDSU e DataDSU ci sono tutti e tre, o nessuno",
    "Fatti SIUSS, regola 8 (C)",
);
pub(super) static ISEE_SENZA_DSU: Rule = rule(
    "PS-09",
    Severity::Avviso,
    "Una prestazione soggetta a ISEE ha la sua DSU",
    "Fatti SIUSS, regola 9 (I)",
);
pub(super) static NUMERO_DSU: Rule = rule(
    "PS-10",
    Severity::Avviso,
    "Il numero della DSU ha la forma INPS-ISEE-AAAA-12345678A-00 e l'anno di AnnoProtocolloDSU",
    "Fatti SIUSS, regola 10 (S)",
);
pub(super) static PRESA_CARICO: Rule = rule(
    "PS-11",
    Severity::Errore,
    "AreaUtenza c'è quando PresaCarico è 1, e non c'è quando è 2",
    "Fatti SIUSS, regola 11 (C)",
);
pub(super) static MAI_TRASMESSA: Rule = rule(
    "PS-14",
    Severity::Errore,
    "Le prestazioni che INPS eroga direttamente non si trasmettono",
    "Fatti SIUSS, regola 14 (C)",
);
pub(super) static SOLO_PRESA_CARICO: Rule = rule(
    "PS-14b",
    Severity::Avviso,
    "Le prestazioni da A2.16 ad A2.29 riguardano solo persone prese in carico",
    "Fatti SIUSS, regola 14 (S)",
);
pub(super) static AFFITTI: Rule = rule(
    "PS-15",
    Severity::Avviso,
    "A1.05.01 è sempre periodica, con inizio, fine, importo mensile e DataEvento",
    "Fatti SIUSS, regola 15 (S)",
);
pub(super) static NOMENCLATORE: Rule = rule(
    "PS-16",
    Severity::Avviso,
    "Codice e nome della prestazione sono quelli del nomenclatore, e così i codici dei bisogni in SINA",
    "Fatti SIUSS, regola 16",
);

pub(super) fn check(record: &PsPsaSina, nomenclatore: &Nomenclatore, notices: &mut Vec<Notice>) {
    let prestazione = &record.prestazione;
    match prestazione.carattere {
        None => notices.push(missing(
            &CARATTERE,
            "CaratterePrestazione",
            "è obbligatorio",
            "Scrivere 1 se la prestazione è periodica, 2 se è occasionale.",
        )),
        Some(CaratterePrestazione::Periodica) => check_periodic(prestazione, notices),
        Some(CaratterePrestazione::Occasionale) => check_occasional(prestazione, notices),
    }
    check_period(prestazione, notices);
    check_dsu(prestazione, notices);
    check_presa_carico(prestazione, notices);
    check_code(prestazione, nomenclatore, notices);
    for needed in record.sina.iter().flat_map(|sina| &sina.necessita_interventi_sociali) {
        notices.extend(unknown_code(
            &NOMENCLATORE,
            "NecessitaInterventiSociali",
            needed.as_str(),
            nomenclatore,
        ));
    }
}

fn check_periodic(prestazione: &DatiPrestazione, notices: &mut Vec<Notice>) {
    if prestazione.data_inizio.is_none() {
        notices.push(missing(
            &PERIODICA,
            "DataInizioPrestazione",
            "una prestazione periodica ha un primo giorno",
            "Scrivere il primo giorno della prestazione.",
        ));
    }
    match prestazione.importo_mensile {
        None => notices.push(missing(
            &PERIODICA,
            "ImportoMensile",
            "una prestazione periodica ha un importo al mese",
            "Scrivere l'importo di un mese.",
        )),
        Some(importo) if importo.number() <= Decimal::ZERO => notices.push(Notice::new(
            &PERIODICA,
            "ImportoMensile",
            &importo.text(),
            "ImportoMensile deve essere maggiore di zero.",
            "Scrivere l'importo di un mese.",
        )),
        Some(_) => {}
    }
    if let Some(importo) = prestazione.importo {
        notices.push(Notice::new(
            &PERIODICA,
            "ImportoPrestazione",
            &importo.text(),
            "Una prestazione periodica non ha ImportoPrestazione, che è l'importo totale di una occasionale.",
            "Togliere ImportoPrestazione, o scrivere 2 in CaratterePrestazione se è occasionale.",
        ));
    }
}

fn check_occasional(prestazione: &DatiPrestazione, notices: &mut Vec<Notice>) {
    if prestazione.data_erogazione.is_none() {
        notices.push(missing(
            &OCCASIONALE,
            "DataErogazionePrestazione",
            "una prestazione occasionale ha un giorno di erogazione",
            "Scrivere il giorno in cui è stata erogata.",
        ));
    }
    match prestazione.importo {
        None => notices.push(missing(
            &OCCASIONALE,
            "ImportoPrestazione",
            "una prestazione occasionale ha un importo totale",
            "Scrivere l'importo erogato.",
        )),
        Some(importo) if importo.number() <= Decimal::ZERO => notices.push(Notice::new(
            &OCCASIONALE,
            "ImportoPrestazione",
            &importo.text(),
            "ImportoPrestazione deve essere maggiore di zero.",
            "Scrivere l'importo erogato.",
        )),
        Some(_) => {}
    }
}

fn check_period(prestazione: &DatiPrestazione, notices: &mut Vec<Notice>) {
    let (Some(first), Some(last)) =
        (prestazione.data_inizio.map(Data::day), prestazione.data_fine.map(Data::day))
    else {
        return;
    };
    let text = || Data::from(last).text();
    if last < first {
        notices.push(Notice::new(
            &FINE,
            "DataFinePrestazione",
            &text(),
            format!("La prestazione finisce prima di cominciare ({first})."),
            "Correggere DataInizioPrestazione o DataFinePrestazione.",
        ));
        return;
    }
    if last.year() != first.year() {
        notices.push(Notice::new(
            &FINE,
            "DataFinePrestazione",
            &text(),
            format!("La prestazione comincia nel {} e finisce nel {}.", first.year(), last.year()),
            "Dividere la prestazione in un record per ciascun anno solare.",
        ));
        return;
    }
    if let (Some(stated), Some(counted)) = (prestazione.periodo_erogazione, months(first, last))
        && stated.number() != counted
    {
        notices.push(other_months(&stated.text(), first, last, counted));
    }
}

/// What is said of a number of months that is not the one counted.
fn other_months(stated: &str, first: Date, last: Date, counted: i32) -> Notice {
    Notice::new(
        &MESI,
        "PeriodoErogazione",
        stated,
        format!("Da {first} a {last} i mesi sono {counted}, non {stated}."),
        format!("Se i mesi sono quelli del periodo, scrivere {counted}."),
    )
}

/// What is said of a number of months that is not what the parts of a divided benefit make.
pub(crate) fn other_months_of_parts(stated: &str, first: Date, last: Date, counted: i32) -> Notice {
    Notice::new(
        &MESI,
        "PeriodoErogazione",
        stated,
        format!(
            "Divisa per anno solare, da {first} a {last}, la prestazione fa {counted} mesi in tutto, non {stated}."
        ),
        format!(
            "Se i mesi sono {stated}, scrivere una riga per ogni anno, ciascuna con il suo PeriodoErogazione; altrimenti \
             scrivere {counted}."
        ),
    )
}

fn check_dsu(prestazione: &DatiPrestazione, notices: &mut Vec<Notice>) {
    let number = prestazione.numero_protocollo_dsu.as_ref().map(|text| text.as_str().trim());
    let parts = [
        ("NumeroProtocolloDSU", number.is_some()),
        ("AnnoProtocolloDSU", prestazione.anno_protocollo_dsu.is_some()),
        ("DataDSU", prestazione.data_dsu.is_some()),
    ];
    let present = parts.iter().filter(|(_, present)| *present).count();
    if present > 0 {
        for (field, _) in parts.iter().filter(|(_, present)| !present) {
            notices.push(missing(
                &DSU,
                field,
                "numero, anno e data della DSU vanno insieme",
                "Completare i tre dati della DSU, o toglierli tutti.",
            ));
        }
    } else if prestazione.presenza_prova_mezzi == PresenzaProvaMezzi::Isee {
        notices.push(Notice::new(
            &ISEE_SENZA_DSU,
            "NumeroProtocolloDSU",
            "",
            "La prestazione è soggetta a ISEE, ma la DSU non è indicata.",
            "Indicare numero, anno e data della DSU, o correggere PresenzaProvaMezzi.",
        ));
    }
    if let (Some(number), Some(year)) = (number, prestazione.anno_protocollo_dsu)
        && !is_dsu_number(number, &year.text())
    {
        notices.push(Notice::new(
            &NUMERO_DSU,
            "NumeroProtocolloDSU",
            number,
            "Il numero della DSU non ha la forma consueta, o il suo anno non è quello di AnnoProtocolloDSU.",
            format!(
                "Controllarlo sull'attestazione ISEE: per esempio INPS-ISEE-{}-12345678A-00.",
                year.text()
            ),
        ));
    }
}

/// `INPS-ISEE-` year `-` 8 digits, a letter `-` 2 digits.
fn is_dsu_number(number: &str, year: &str) -> bool {
    let Some(rest) = number.strip_prefix("INPS-ISEE-") else { return false };
    let mut parts = rest.split('-');
    let own_year = parts.next() == Some(year);
    let number = parts.next().is_some_and(|part| {
        part.len() == 9
            && part.bytes().take(8).all(|byte| byte.is_ascii_digit())
            && part.bytes().last().is_some_and(|byte| byte.is_ascii_alphabetic())
    });
    let suffix =
        parts.next().is_some_and(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()));
    own_year && number && suffix && parts.next().is_none()
}

fn check_presa_carico(prestazione: &DatiPrestazione, notices: &mut Vec<Notice>) {
    match (prestazione.presa_carico, prestazione.area_utenza) {
        (SiNo::Si, None) => notices.push(missing(
            &PRESA_CARICO,
            "AreaUtenza",
            "la persona è presa in carico",
            "Scrivere 1 (famiglia e minori), 2 (disabilità e non autosufficienza) o 3 (povertà ed esclusione \
             sociale); oppure 2 in PresaCarico.",
        )),
        (SiNo::No, Some(area)) => notices.push(Notice::new(
            &PRESA_CARICO,
            "AreaUtenza",
            &area.text(),
            "AreaUtenza è indicata, ma la persona non è presa in carico.",
            "Togliere AreaUtenza, o scrivere 1 in PresaCarico.",
        )),
        _ => {}
    }
}

fn check_code(prestazione: &DatiPrestazione, nomenclatore: &Nomenclatore, notices: &mut Vec<Notice>) {
    let code = prestazione.codice.as_str();
    let name = prestazione.denominazione.as_str();
    let voce = match (nomenclatore.get(code), nomenclatore.meant(code)) {
        (Some(voce), _) => voce,
        // In capitals or not, INPS does not want it.
        (None, Some((_, voce))) if voce.trasmissione == Trasmissione::No => voce,
        (None, _) => {
            notices.extend(unknown_code(&NOMENCLATORE, "CodicePrestazione", code, nomenclatore));
            return;
        }
    };
    if let Some(official) = &voce.denominazione
        && !same_name(official, name)
    {
        notices.push(Notice::new(
            &NOMENCLATORE,
            "DenominazionePrestazione",
            name,
            format!("Nel nomenclatore {code} è «{official}»."),
            "Controllare che codice e nome siano della stessa prestazione.",
        ));
    }
    match voce.trasmissione {
        Trasmissione::No => notices.push(Notice::new(
            &MAI_TRASMESSA,
            "CodicePrestazione",
            code,
            format!("La prestazione {code} è già nota a INPS, che la eroga: non si trasmette."),
            "Togliere la riga, o correggere il codice.",
        )),
        Trasmissione::SoloPresaInCarico if prestazione.presa_carico == SiNo::No => notices.push(Notice::new(
            &SOLO_PRESA_CARICO,
            "PresaCarico",
            &prestazione.presa_carico.text(),
            format!("La prestazione {code} riguarda solo persone prese in carico."),
            "Controllare PresaCarico e, se è 1, indicare AreaUtenza.",
        )),
        _ => {}
    }
    if code == "A1.05.01" {
        check_rent(prestazione, notices);
    }
}

fn check_rent(prestazione: &DatiPrestazione, notices: &mut Vec<Notice>) {
    if prestazione.carattere != Some(CaratterePrestazione::Periodica) {
        notices.push(Notice::new(
            &AFFITTI,
            "CaratterePrestazione",
            &prestazione.carattere.map(|carattere| carattere.text()).unwrap_or_default(),
            "A1.05.01 è sempre periodica.",
            "Scrivere 1, con inizio, fine e importo mensile.",
        ));
    }
    for (field, present) in [
        ("DataFinePrestazione", prestazione.data_fine.is_some()),
        ("DataEvento", prestazione.data_evento.is_some()),
    ] {
        if !present {
            notices.push(missing(
                &AFFITTI,
                field,
                "A1.05.01 la richiede",
                "Indicarla; DataEvento è il giorno del pagamento.",
            ));
        }
    }
}

/// What is said of a code in `field` that the nomenclature does not have.
pub(super) fn unknown_code(
    rule: &'static Rule,
    field: &'static str,
    code: &str,
    nomenclatore: &Nomenclatore,
) -> Option<Notice> {
    if nomenclatore.get(code).is_some() {
        return None;
    }
    let remedy = match nomenclatore.meant(code) {
        Some((meant, _)) => format!("Forse è {meant}: scriverlo così."),
        None => "Controllare il codice nel nomenclatore delle prestazioni sociali.".to_owned(),
    };
    let message = format!("Il codice «{}» non è nel nomenclatore caricato.", code.trim());
    Some(Notice::new(rule, field, code, message, remedy))
}

/// Whether two names differ in nothing but capitals and white space.
fn same_name(a: &str, b: &str) -> bool {
    let words = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    a == b || words(a) == words(b)
}
