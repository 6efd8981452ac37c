//! Feeds of made-up flows of some 1.7 KB of XML, published by the product itself.
//!
//! They stay where they are for the next run: on the server of `WAAS_TEST_POSTGRES` for as long as it lives, and for
//! SQLite in `target/bench`. `FLOWS` says how many there are.

use std::path::{Path, PathBuf};
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
use secrecy::ExposeSecret;
use waas_comuni::clock::Clock;
use waas_comuni::config;
use waas_comuni::registry::Registry;
use waas_comuni::siuss::record::Record;
use waas_comuni::siuss::xml;
use waas_comuni::store::{AnyConnection, EserviceId, Store};

use crate::support::database::Backend;
use crate::support::records::roma;

/// Records of one transaction, as in an import.
const BATCH: u64 = 500;
/// Flows that the smallest pages of a measurement need behind every cursor.
const MARGIN: i64 = 100;

/// A database with the flows of one or more e-services.
pub struct Dataset {
    pub backend: Backend,
    pub store: Store,
    pub feeds: Vec<Feed>,
    pub flows: u64,
    pub settings: config::Database,
}

/// The flows of one e-service.
#[derive(Clone)]
pub struct Feed {
    pub eservice: EserviceId,
    pub base_path: String,
    pub name: String,
    /// Cursors after which there is a full page, whatever its size: from the first flow's to this side of the last.
    pub first: i64,
    pub last: i64,
}

/// How many flows are measured.
pub fn flows() -> u64 {
    std::env::var("FLOWS").map_or(1_000_000, |flows| flows.parse().expect("FLOWS is a number"))
}

impl Dataset {
    /// So many flows, spread over so many e-services.
    pub fn of(backend: Backend, eservices: u64, flows: u64) -> Self {
        let settings = settings(backend, &format!("bench_{eservices}_{flows}"));
        let store = Store::open(&settings).unwrap();
        store.migrate().unwrap();
        let present = number(&store, "SELECT count(*) AS number FROM flusso");
        if present != i64::try_from(flows).unwrap() {
            assert_eq!(
                present,
                0,
                "an interrupted run left half a feed: remove {}",
                settings.url.expose_secret()
            );
            fill(&store, eservices, flows);
        }
        let feeds = (0..eservices)
            .map(|number| {
                let name = name(number);
                let eservice = store.register_eservice(&name).unwrap();
                let span = |column: &str| {
                    let of = format!("SELECT id FROM eservice WHERE name = '{name}'");
                    let sql = format!("SELECT {column} AS number FROM flusso WHERE eservice_id = ({of})");
                    self::number(&store, &sql)
                };
                let (first, last) = (span("min(ts)"), span("max(ts)") - MARGIN);
                Feed { eservice, base_path: base_path(eservices, number), name, first, last }
            })
            .collect();
        Self { backend, store, feeds, flows, settings }
    }

    /// The feed of the only e-service.
    pub fn feed(&self) -> &Feed {
        &self.feeds[0]
    }

    /// The number that a query gives, in its column `number`.
    pub fn number(&self, sql: &str) -> i64 {
        number(&self.store, sql)
    }
}

fn name(number: u64) -> String {
    format!("e{}", number + 1)
}

fn base_path(eservices: u64, number: u64) -> String {
    if eservices == 1 { "/waas/v1".to_owned() } else { format!("/{}/v1", name(number)) }
}

/// A database of this name, made where there is none.
pub fn settings(backend: Backend, name: &str) -> config::Database {
    let url = match backend {
        Backend::Sqlite => format!("sqlite://{}", folder().join(format!("{name}.db")).display()),
        Backend::Postgres => {
            let server = std::env::var("WAAS_TEST_POSTGRES").unwrap();
            let mut connection = PgConnection::establish(&server).unwrap();
            let exists = sql_query(format!("SELECT 1 FROM pg_database WHERE datname = '{name}'"));
            if exists.execute(&mut connection).unwrap() == 0 {
                connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
            }
            let mut url = url::Url::parse(&server).unwrap();
            url.set_path(name);
            url.into()
        }
    };
    config::Database { url: url.into(), ..config::Database::default() }
}

/// Where the SQLite files are.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn fill(store: &Store, eservices: u64, flows: u64) {
    let began = Instant::now();
    let registry = Registry::new(store.clone(), Clock::System);
    let (each, mut made) = (flows / eservices, 0);
    for number in 0..eservices {
        let eservice = store.register_eservice(&name(number)).unwrap();
        let until = if number + 1 == eservices { flows } else { made + each };
        while made < until {
            let batch: Vec<Record> = (made..until.min(made + BATCH)).map(record).collect();
            made += u64::try_from(batch.len()).unwrap();
            registry.publish(eservice, &roma(), &batch).unwrap();
        }
    }
    let settled = store.read(|connection| {
        match connection {
            AnyConnection::Sqlite(inner) => inner.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?,
            AnyConnection::Postgres(inner) => {
                inner.batch_execute("SET statement_timeout = 0")?;
                inner.batch_execute("VACUUM (ANALYZE)")?;
                inner.batch_execute("CHECKPOINT; RESET statement_timeout")?;
            }
        }
        Ok(())
    });
    settled.unwrap();
    eprintln!("{flows} flows of {eservices} e-services published in {:.0?}", began.elapsed());
}

/// Home care for a person who exists nowhere, with an assessment: `seed` decides all that varies.
fn record(seed: u64) -> Record {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    const SURNAMES: [&str; 16] = [
        "Rossi",
        "Russo",
        "Ferrari",
        "Esposito",
        "Bianchi",
        "Romano",
        "Colombo",
        "Ricci",
        "Marino",
        "De Luca",
        "Giordano",
        "Lombardi",
        "Moretti",
        "Barbieri",
        "D'Angelo",
        "Kovalenko",
    ];
    const NAMES: [&str; 12] = [
        "Leonardo",
        "Francesco",
        "Alessandro",
        "Giuseppe",
        "Giovanni",
        "Maria",
        "Anna",
        "Giulia",
        "Caterina",
        "Antonia",
        "Rosa Maria",
        "Vincenzo",
    ];
    const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";
    let mut letter = || char::from(b'A' + u8::try_from(draw(26)).unwrap());
    let six: String = (0..6).map(|_| letter()).collect();
    let last = letter();
    let (year, month, day) = (1930 + draw(60), usize::try_from(draw(12)).unwrap(), 1 + draw(28));
    let code = format!("{six}{:02}{}{day:02}H501{last}", year % 100, char::from(MONTHS[month]));
    let (surname, name) =
        (SURNAMES[usize::try_from(draw(16)).unwrap()], NAMES[usize::try_from(draw(12)).unwrap()]);
    let (share, own) = (5000 + draw(60_000), 1000 + draw(20_000));
    let euro = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
    let months = 1 + draw(4);
    let services: String =
        (0..4).map(|_| format!("<CodicePrestazione>A2.{:02}</CodicePrestazione>", 1 + draw(28))).collect();
    let (invalidity, other) = (1 + draw(4), 5 + draw(4));
    let mut choice = |below| 1 + draw(below);
    let assessment = format!(
        "Mobilita=\"{}\" AttivitaVitaQuotidiana=\"{}\" DisturbiAreaCognitiva=\"{}\" DisturbiComportamentali=\"{}\" \
         NecessitaCureSanitarie=\"{}\" AreaReddituale=\"{}\" AreaSupporto=\"{}\" FonteDerivazioneValutazione=\"{}\" \
         StrumentoValutazione=\"{}\" FonteDerivazioneInvalidita=\"{}\"",
        choice(3),
        choice(3),
        choice(3),
        choice(2),
        choice(3),
        choice(3),
        choice(3),
        choice(4),
        choice(7),
        choice(2),
    );
    let (dsu, day_of_dsu) = (draw(100_000_000), 1 + draw(28));
    let flusso = format!(
        "<Flusso xmlns=\"http://inps.it/Casellario\"><IdentificazioneFlusso Nome=\"n\">\
         <Ente Codice=\"H501\" Indirizzo=\"H501\" CFOperatore=\"RSSMRA80A01H501U\"/></IdentificazioneFlusso>\
         <Beneficiario CodiceFiscale=\"{code}\">\
         <Anagrafica Cognome=\"{surname}\" Nome=\"{name}\" AnnoNascita=\"{year}\" LuogoNascita=\"H501\" Genere=\"1\" \
         CodiceCittadinanza=\"380\"/>\
         <Indirizzo CodiceRegione=\"08\" CodiceComune=\"058091\" CodiceNazione=\"380\"/>\
         <PrestazioniSociali PresenzaProvaMezzi=\"1\" CaratterePrestazione=\"1\" \
         NumeroProtocolloDSU=\"INPS-ISEE-2025-{dsu:08}A-00\" AnnoProtocolloDSU=\"2025\" \
         DataDSU=\"2025-01-{day_of_dsu:02}\" CodicePrestazione=\"A1.16\" \
         DenominazionePrestazione=\"Assistenza domiciliare socio-assistenziale\" ProtocolloDomanda=\"2025/{seed:09}\" \
         DataEvento=\"2025-09-05\" DataInizioPrestazione=\"2025-09-01\" DataFinePrestazione=\"2025-{:02}-28\" \
         PeriodoErogazione=\"{months}\" ImportoMensile=\"{}\" ImportoQuotaEnte=\"{}\" ImportoQuotaUtente=\"{}\" \
         ImportoQuotaRichiesta=\"{}\" ImportoSogliaISEE=\"{}.00\" PresaCarico=\"1\" AreaUtenza=\"2\" \
         OreServizioMensile=\"{}.30\"><SINA {assessment}><NecessitaInterventiSociali>{services}\
         </NecessitaInterventiSociali><InvaliditaCivile><InvCiv>{invalidity}</InvCiv><InvCiv>{other}</InvCiv>\
         </InvaliditaCivile></SINA></PrestazioniSociali></Beneficiario></Flusso>",
        8 + months,
        euro(share + own),
        euro(share),
        euro(own),
        euro(share + own),
        5000 + draw(20_000),
        10 + draw(40),
    );
    xml::read(flusso.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {flusso}")).record
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}

fn number(store: &Store, sql: &str) -> i64 {
    store
        .read(|connection| {
            let row: Number = match connection {
                AnyConnection::Sqlite(inner) => sql_query(sql).get_result(inner)?,
                AnyConnection::Postgres(inner) => sql_query(sql).get_result(inner)?,
            };
            Ok(row.number)
        })
        .unwrap()
}
