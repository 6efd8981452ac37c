//! Flows such as Comuni send, about people who do not exist: what a dictionary is trained on, and what is measured.
//!
//! What varies from one flow to the next varies here as well (people, protocols, days, amounts, codes), because it is
//! what cannot be compressed away.

use std::fmt::Write;

use waas_comuni::siuss::record::{EnteErogatore, Flusso, NomeFlusso};
use waas_comuni::siuss::values::Value;
use waas_comuni::siuss::xml;

use super::random::Random;

const SURNAMES: &str = "Rossi|Russo|Ferrari|Esposito|Bianchi|Romano|Colombo|Ricci|Marino|Greco|Bruno|Gallo|Conti|De Luca|Mancini|\
    Costa|Giordano|Rizzo|Lombardi|Moretti|Barbieri|Fontana|Santoro|Mariani|Rinaldi|Caruso|Ferrara|Galli|Martini|\
    Leone|Longo|Gentile|Martinelli|Vitale|Lombardo|Serra|Coppola|De Santis|D'Angelo|Marchetti|Parisi|Villa|\
    Conte|Ferraro|Ferri|Fabbri|Bianco|Marini|Grasso|Valentini|Messina|Sala|De Angelis|Gatti|Pellegrini|Palumbo|\
    Sanna|Farina|Rizzi|Monti|Cattaneo|Morelli|Amato|Silvestri|Mazza|Testa|Grassi|Pellegrino|Carbone|Giuliani|\
    Benedetti|Barone|Rossetti|Caputo|Montanari|Guerra|Palmieri|Bernardi|Martino|Fiore|De Rosa|Ferretti|Bellini|\
    Basile|Riva|Donati|Piras|Vitali|Battaglia|Sartori|Neri|Costantini|Milani|Pagano|Ruggiero|Hoxha|Popescu|\
    Singh|Hossain|El Amrani|Chen|Hu|Diop|Mohamed|Kovalenko";

const NAMES: &str = "Leonardo|Francesco|Tommaso|Edoardo|Alessandro|Lorenzo|Mattia|Gabriele|Riccardo|Andrea|Luca|Marco|Giuseppe|\
    Antonio|Giovanni|Roberto|Stefano|Mario|Luigi|Angelo|Vincenzo|Pietro|Salvatore|Carlo|Franco|Domenico|Sofia|\
    Giulia|Aurora|Ginevra|Beatrice|Alice|Vittoria|Emma|Ludovica|Matilde|Maria|Anna|Rosa|Angela|Giovanna|Teresa|\
    Lucia|Carmela|Caterina|Francesca|Anna Maria|Paola|Laura|Elena|Chiara|Ahmed|Fatima|Elena Maria|Xin|Olena";

/// Code, name, region, ISTAT code and operator of made-up offices of real Comuni.
pub(crate) const ENTI: &[[&str; 5]] = &[
    ["H501", "Comune di Roma", "08", "058091", "RSSMRA80A01H501U"],
    ["F205", "Comune di Milano", "03", "015146", "BNCLRA75M41F205X"],
    ["F839", "Comune di Napoli", "15", "063049", "SPSGNN82P10F839K"],
    ["L219", "Comune di Torino", "13", "001272", "FRRNNA68T52L219B"],
    ["G273", "Comune di Palermo", "16", "082053", "RSSSVT71C20G273P"],
    ["D969", "Comune di Genova", "07", "010025", "CSTMRC79L15D969Z"],
    ["A944", "Comune di Bologna", "05", "037006", "GLLPLA84D60A944C"],
    ["D612", "Comune di Firenze", "17", "048017", "CNTFNC77R11D612F"],
    ["A662", "Comune di Bari", "14", "072006", "LNGNTN66B18A662J"],
    ["C351", "Comune di Catania", "16", "087015", "GRCMRA73E49C351V"],
];

/// Enti that the dictionary was not trained on.
pub(crate) const OTHER_ENTI: &[[&str; 5]] = &[
    ["L378", "Comune di Trento", "18", "022205", "VTTSRA81S55L378H"],
    ["B354", "Unione dei Comuni del Monte", "14", "092009", "MLSGVN69M12B354W"],
    ["A345", "Comune dell'Aquila", "01", "066049", "PRCDNT75C03A345S"],
];

/// Names of benefits, as the nomenclature that is shipped writes them, with their codes.
pub(crate) fn nomenclature() -> Vec<(String, String)> {
    let text = include_str!("../../../specs/nomenclatore.csv");
    let rows =
        csv::Reader::from_reader(text.as_bytes()).into_records().map(Result::unwrap).collect::<Vec<_>>();
    let sent = rows.iter().filter(|row| &row[2] != "no" && row[1].len() >= 10);
    sent.map(|row| (row[0].to_owned(), row[1].to_owned())).collect()
}

/// A flow of one of `enti`, as its e-service would serve it.
pub(crate) fn flusso(
    random: &mut Random,
    enti: &[[&'static str; 5]],
    nomenclature: &[(String, String)],
) -> Vec<u8> {
    let [codice, denominazione, regione, comune, operatore] = random.pick(enti);
    let is_sinba = random.chance(15);
    let record = if is_sinba { sinba(random, regione) } else { ps(random, nomenclature, regione, comune) };
    let sigla = if is_sinba { "SINBA" } else { "PS" };
    let nome = format!("{codice}.{sigla}.{}.{:07}", digits(&day(random)), random.within(1, 99_999));
    let document = format!(
        "<Flusso xmlns=\"http://inps.it/Casellario\"><IdentificazioneFlusso Nome=\"{nome}\"><Ente Codice=\"{codice}\" \
         Indirizzo=\"{codice}\" CFOperatore=\"{operatore}\"/></IdentificazioneFlusso>{record}</Flusso>"
    );
    let read = xml::read(document.as_bytes()).unwrap_or_else(|notices| panic!("{document}: {notices:?}"));
    xml::write(&Flusso {
        nome: NomeFlusso::read(&nome).unwrap(),
        ente: EnteErogatore::new(codice, denominazione, codice, operatore).unwrap(),
        record: read.record,
    })
}

fn ps(random: &mut Random, nomenclature: &[(String, String)], regione: &str, comune: &str) -> String {
    let year = random.within(1930, 2022);
    let (sex, shift) = if random.chance(50) { ("1", 0) } else { ("2", 40) };
    let surname = random.pick(&SURNAMES.split('|').collect::<Vec<_>>());
    let born = if random.chance(60) { random.pick(ENTI)[0].to_owned() } else { belfiore(random) };
    let code = format!(
        "{}{:02}{}{:02}{born}{}",
        letters(random, 6),
        year % 100,
        random.pick(&["A", "B", "C", "D", "E", "H", "L", "M", "P", "R", "S", "T"]),
        random.within(1, 28) + shift,
        letters(random, 1)
    );
    let citizenship =
        if random.chance(85) { "380".to_owned() } else { format!("{:03}", random.within(100, 799)) };
    let (benefit, name) = random.pick(nomenclature);
    let mut text = format!(
        "<Beneficiario CodiceFiscale=\"{code}\"><Anagrafica Cognome=\"{surname}\" Nome=\"{}\" Genere=\"{sex}\" \
         AnnoNascita=\"{year}\" LuogoNascita=\"{born}\" CodiceCittadinanza=\"{citizenship}\"/>\
         <Indirizzo CodiceNazione=\"380\" CodiceRegione=\"{regione}\" CodiceComune=\"{comune}\"/>\
         <PrestazioniSociali TipoOperazione=\"I\" CodicePrestazione=\"{benefit}\" DenominazionePrestazione=\"{name}\" \
         ProtocolloDomanda=\"{}\"",
        random.pick(&NAMES.split('|').collect::<Vec<_>>()),
        protocol(random),
    );
    let begun = day(random);
    let periodic = random.chance(70);
    let isee = random.chance(70);
    put(&mut text, "CaratterePrestazione", if periodic { "1" } else { "2" });
    put(&mut text, "PresenzaProvaMezzi", if isee { "1" } else { "4" });
    if isee {
        let year = &begun[..4];
        let number = random.within(0, 99_999_999);
        put(
            &mut text,
            "NumeroProtocolloDSU",
            format!("INPS-ISEE-{year}-{number:08}{}-00", letters(random, 1)),
        );
        put(&mut text, "AnnoProtocolloDSU", year);
        put(&mut text, "DataDSU", format!("{year}-{:02}-{:02}", random.within(1, 6), random.within(1, 28)));
    }
    put(&mut text, "DataEvento", &begun);
    let whole = random.within(2000, 90_000);
    let share = random.within(500, whole - 500);
    if periodic {
        put(&mut text, "DataInizioPrestazione", &begun);
        put(&mut text, "DataFinePrestazione", format!("{}-12-31", &begun[..4]));
        put(&mut text, "PeriodoErogazione", random.within(1, 12));
        if random.chance(20) {
            put(&mut text, "OreServizioMensile", format!("{}.{:02}", random.within(1, 80), random.below(60)));
        }
        put(&mut text, "ImportoMensile", euro(whole));
    } else {
        put(&mut text, "DataErogazionePrestazione", &begun);
        put(&mut text, "ImportoPrestazione", euro(whole));
    }
    if random.chance(60) {
        put(&mut text, "ImportoQuotaEnte", euro(share));
        put(&mut text, "ImportoQuotaUtente", euro(whole - share));
        put(&mut text, "ImportoQuotaRichiesta", euro(whole));
    }
    if isee {
        put(&mut text, "ImportoSogliaISEE", euro(random.within(300, 2000) * 1000));
    }
    if random.chance(40) {
        put(&mut text, "PresaCarico", "1");
        put(&mut text, "AreaUtenza", random.within(1, 3));
    } else {
        put(&mut text, "PresaCarico", "2");
    }
    if random.chance(30) {
        text.push('>');
        sina(&mut text, random, nomenclature);
        text.push_str("</PrestazioniSociali></Beneficiario>");
    } else {
        text.push_str("/></Beneficiario>");
    }
    text
}

fn sina(text: &mut String, random: &mut Random, nomenclature: &[(String, String)]) {
    text.push_str("<SINA");
    for (name, most) in [
        ("Mobilita", 3),
        ("AttivitaVitaQuotidiana", 3),
        ("DisturbiAreaCognitiva", 3),
        ("DisturbiComportamentali", 2),
        ("NecessitaCureSanitarie", 3),
        ("AreaReddituale", 3),
        ("AreaSupporto", 3),
        ("FonteDerivazioneValutazione", 4),
        ("StrumentoValutazione", 7),
        ("FonteDerivazioneInvalidita", 2),
    ] {
        put(text, name, random.within(1, most));
    }
    text.push_str("><NecessitaInterventiSociali>");
    for _ in 0..random.within(1, 3) {
        write!(text, "<CodicePrestazione>{}</CodicePrestazione>", random.pick(nomenclature).0).unwrap();
    }
    text.push_str("</NecessitaInterventiSociali><InvaliditaCivile>");
    for _ in 0..random.within(1, 2) {
        write!(text, "<InvCiv>{}</InvCiv>", random.within(1, 8)).unwrap();
    }
    text.push_str("</InvaliditaCivile></SINA>");
}

fn sinba(random: &mut Random, regione: &str) -> String {
    let born = random.within(2007, 2024);
    let mut text =
        format!("<SINBA IDBeneficiario=\"{}{:08}\"", letters(random, 2), random.within(1, 9_999_999));
    put(&mut text, "AnnoNascita", born);
    for (name, most) in [
        ("FasciaEtaBeneficiario", 6),
        ("MinoreStranieroNoAcc", 2),
        ("CondizioneMinore", 5),
        ("LuogoVita", 8),
        ("ScuolaFrequentata", 8),
        ("CondizioneLavoro", 4),
    ] {
        put(&mut text, name, random.within(1, most));
    }
    if random.chance(20) {
        put(&mut text, "Disabilita", 1);
        put(&mut text, "TipoDisabilita", random.within(1, 4));
        put(&mut text, "InvCivCertificazioni", random.within(1, 5));
    } else {
        put(&mut text, "Disabilita", 2);
    }
    for parent in ["Padre", "Madre"] {
        if random.chance(80) {
            put(&mut text, &format!("CodiceCittadinanza{parent}"), "380");
            put(&mut text, &format!("CodiceRegioneResidenza{parent}"), regione);
            put(&mut text, &format!("TitoloStudio{parent}"), random.within(1, 6));
            put(&mut text, &format!("Occupazione{parent}"), random.within(1, 8));
        }
    }
    put(
        &mut text,
        "DataPrimaSegnalazione",
        format!("{:02}/{}", random.within(1, 12), random.within(2018, 2026)),
    );
    put(&mut text, "FonteSegnalazione", random.within(1, 14));
    put(&mut text, "ValutazioneMinore", random.within(1, 13));
    put(&mut text, "ValutazioneFamigliaMinore", random.within(1, 13));
    put(&mut text, "CollaborazioniInterventi", random.within(1, 9));
    put(&mut text, "SegnalazioneAutoritaGiudiziaria", 2);
    put(&mut text, "ProvvedimentoGiudiziario", 2);
    if random.chance(20) {
        put(&mut text, "FormaInterventoAffido", random.within(1, 2));
        put(&mut text, "TipoInterventoAffido", random.within(1, 2));
        put(&mut text, "DurataAffido", random.within(1, 2));
        put(&mut text, "CarattereAffido", random.within(1, 2));
    }
    if random.chance(60) {
        put(&mut text, "NumeroComponentiISEE", random.within(2, 7));
        put(&mut text, "FasciaISEEBeneficiario", random.within(1, 8));
    }
    put(&mut text, "CodiceNazioneResidenza", "380");
    put(&mut text, "CodiceRegioneResidenza", regione);
    text.push_str("><Prestazioni>");
    for _ in 0..random.within(1, 3) {
        write!(text, "<CodicePrestazione>A2.{:02}</CodicePrestazione>", random.within(1, 30)).unwrap();
    }
    text.push_str("</Prestazioni><Famiglia>");
    for member in 1..=random.within(1, 4) {
        write!(text, "<ComposizioneFamiglia>{member}</ComposizioneFamiglia>").unwrap();
    }
    text.push_str("</Famiglia></SINBA>");
    text
}

fn put(text: &mut String, name: &str, value: impl std::fmt::Display) {
    write!(text, " {name}=\"{value}\"").unwrap();
}

fn letters(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| random.pick(&('A'..='Z').collect::<Vec<_>>())).collect()
}

fn belfiore(random: &mut Random) -> String {
    format!(
        "{}{:03}",
        random.pick(&["A", "B", "C", "D", "E", "F", "G", "H", "I", "L", "M", "Z"]),
        random.within(1, 999)
    )
}

fn protocol(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!("{}/{:07}", random.within(2023, 2026), random.within(1, 999_999)),
        1 => format!("PROT-{:06}-{}", random.within(1, 999_999), random.within(2023, 2026)),
        _ => format!("{:09}", random.within(1, 999_999_999)),
    }
}

fn day(random: &mut Random) -> String {
    format!("{}-{:02}-{:02}", random.within(2023, 2026), random.within(1, 12), random.within(1, 28))
}

fn digits(day: &str) -> String {
    day.replace('-', "")
}

fn euro(cents: usize) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
