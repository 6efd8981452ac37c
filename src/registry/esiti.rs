//! What INPS says of the flows: each outcome is kept once, however often it comes, and the last to arrive is in
//! force.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use jiff::Timestamp;
use openssl::sha::sha256;
use serde_json::{Map, Value, json};

use super::{attesa, refusals};
use crate::store::schema::{esito, flusso};
use crate::store::{AnyConnection, EserviceId, StoreError, each_backend, storable};

/// INPS's verdict on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodiceEsito {
    /// Acquired.
    Ok,
    /// The person or the benefit was not found.
    DatiNonTrovati,
    /// The flow is wrong.
    RichiestaInvalida,
    /// INPS could not process it.
    ErroreGenerico,
}

impl CodiceEsito {
    /// Every verdict.
    pub const ALL: [Self; 4] =
        [Self::Ok, Self::DatiNonTrovati, Self::RichiestaInvalida, Self::ErroreGenerico];

    /// Its name in the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::DatiNonTrovati => "DATI_NON_TROVATI",
            Self::RichiestaInvalida => "RICHIESTA_INVALIDA",
            Self::ErroreGenerico => "ERRORE_GENERICO",
        }
    }
}

impl CodiceEsito {
    /// What the ente does about an insertion of which INPS says this, in Italian; nothing where it is accepted.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Ok => "",
            Self::DatiNonTrovati => {
                "Controllare il codice fiscale, i dati anagrafici e il codice della prestazione; correggerli e \
                 importare di nuovo la prestazione. Se sono giusti, chiedere a INPS che cosa non ha trovato."
            }
            Self::RichiestaInvalida => {
                "Correggere ciò che INPS indica e importare di nuovo la prestazione. Se riguarda l'ente (codice, \
                 operatore), correggere la configurazione e inviarla di nuovo con `benefits resend`."
            }
            Self::ErroreGenerico => {
                "INPS non è riuscito a elaborarla: inviarla di nuovo, così com'è, con `benefits resend`. Se si \
                 ripete, segnalarlo a INPS con il nome del flusso."
            }
        }
    }
}

impl std::fmt::Display for CodiceEsito {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::str::FromStr for CodiceEsito {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|code| code.as_str() == text).ok_or(())
    }
}

/// One outcome, as INPS sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Esito {
    /// The flow that it is about.
    pub id_flusso: String,
    /// The flow's timestamp, as INPS repeats it.
    pub ts_flusso: Timestamp,
    /// When INPS acquired the flow.
    pub ts_acquisizione: Timestamp,
    /// The flow's kind, as INPS repeats it.
    pub tipo: String,
    /// The verdict.
    pub codice: CodiceEsito,
    /// Its detail.
    pub descrizione: Option<String>,
    /// SIUSS's own number of the acquisition.
    pub id_acquisizione_siuss: Option<String>,
    /// What else the outcome carried.
    pub altro: Map<String, Value>,
}

/// What became of the outcomes of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EsitiStored {
    /// Kept.
    pub stored: usize,
    /// Kept already, from an earlier delivery.
    pub repeated: usize,
    /// About flows that this e-service never published (counted in the other two as well).
    pub unknown_flows: usize,
}

/// Characters of a flow's name that have a column of their own, eight times those that a name may have: an index of
/// PostgreSQL takes no more than 2,700 bytes. Of a longer one, which is no flow's, all is kept beside.
const LONGEST_NAME: usize = 512;

/// One lock per e-service, apart from all others: "esit" in the upper half of the key.
const LOCK: i64 = 0x6573_6974_0000_0000;

pub(super) fn record(
    connection: &mut AnyConnection,
    eservice: EserviceId,
    esiti: &[Esito],
    request_id: &str,
    received_ms: i64,
) -> Result<EsitiStored, StoreError> {
    // Two deliveries of the same outcomes at once would wait for each other's rows; and what is in force is told by
    // the order of the rows, which is the order of the commits only under a lock.
    lock(connection, eservice)?;
    let mut result = EsitiStored::default();
    let mut refused = BTreeSet::new();
    for esito in esiti {
        let (name, altro) = kept(esito);
        let flow: Option<(i64, i64)> = flusso::table
            .filter(flusso::eservice_id.eq(eservice.get()))
            .filter(flusso::id_flusso.eq(&name))
            .select((flusso::ts, flusso::prestazione_id))
            .first(connection)
            .optional()?;
        let flusso_ts = flow.map(|(ts, _)| ts);
        let former: Option<String> = esito::table
            .filter(esito::eservice_id.eq(eservice.get()))
            .filter(esito::id_flusso.eq(&name))
            .order(esito::id.desc())
            .select(esito::codice_esito)
            .first(connection)
            .optional()?;
        let row = (
            esito::eservice_id.eq(eservice.get()),
            esito::id_flusso.eq(name),
            esito::flusso_ts.eq(flusso_ts),
            esito::ts_flusso_ms.eq(esito.ts_flusso.as_millisecond()),
            esito::ts_acquisizione_ms.eq(esito.ts_acquisizione.as_millisecond()),
            esito::tipo.eq(storable(&esito.tipo)),
            esito::codice_esito.eq(esito.codice.as_str()),
            esito::descrizione.eq(esito.descrizione.as_deref().map(storable)),
            esito::id_acquisizione_siuss.eq(esito.id_acquisizione_siuss.as_deref().map(storable)),
            esito::altro.eq((!altro.is_empty()).then(|| json!(altro).to_string())),
            esito::digest.eq(digest(esito).to_vec()),
            esito::received_ms.eq(received_ms),
            esito::request_id.eq(request_id),
        );
        let stored = each_backend!(connection, |inner| diesel::insert_into(esito::table)
            .values(row)
            .on_conflict((esito::eservice_id, esito::digest))
            .do_nothing()
            .execute(inner))?;
        if let (1.., Some((_, prestazione))) = (stored, flow) {
            attesa::judged(connection, eservice, former.as_deref(), esito.codice.as_str())?;
            // A flow that is accepted at once was never refused, and changes nothing for one that was.
            if esito.codice != CodiceEsito::Ok || former.is_some() {
                refused.insert(prestazione);
            }
        }
        result.stored += stored;
        result.repeated += 1 - stored.min(1);
        result.unknown_flows += usize::from(flusso_ts.is_none());
    }
    refusals::judged(connection, eservice, &refused)?;
    Ok(result)
}

/// Waits until nobody else stores outcomes of this e-service, and keeps others from it to the end of the transaction. On
/// SQLite the transaction itself does.
pub(super) fn lock(connection: &mut AnyConnection, eservice: EserviceId) -> Result<(), StoreError> {
    if let AnyConnection::Postgres(inner) = connection {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
            .bind::<BigInt, _>(LOCK.wrapping_add(eservice.get()))
            .execute(inner)?;
    }
    Ok(())
}

/// The name under which an outcome is kept, and what is kept beside it.
fn kept(esito: &Esito) -> (String, Cow<'_, Map<String, Value>>) {
    let mut altro = Cow::Borrowed(&esito.altro);
    if let Some((end, _)) = esito.id_flusso.char_indices().nth(LONGEST_NAME) {
        altro.to_mut().insert("id_flusso".to_owned(), json!(esito.id_flusso));
        return (storable(esito.id_flusso.get(..end).unwrap_or_default()), altro);
    }
    (storable(&esito.id_flusso), altro)
}

/// What makes two outcomes the same: everything that they say, whatever the order of what else they carry.
fn digest(esito: &Esito) -> [u8; 32] {
    let altro: BTreeMap<&String, &Value> = esito.altro.iter().collect();
    let canonical = json!([
        esito.id_flusso,
        esito.ts_flusso,
        esito.ts_acquisizione,
        esito.tipo,
        esito.codice.as_str(),
        esito.descrizione,
        esito.id_acquisizione_siuss,
        altro,
    ]);
    sha256(canonical.to_string().as_bytes())
}
