//! A list of outcomes as a file, safe to open in a spreadsheet, sent page by page.

use std::io;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::stream;
use tokio::task::spawn_blocking;

use super::rifiutati::{refused, registry, what};
use super::{Asked, asked, operation};
use crate::call_log::action::Kind;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::visit::Visit;
use crate::console::{rimedi, text};
use crate::registry::{EsitoPlace, Received, ReceivedFilter, Refused, RefusedFilter, Registry, Which};
use crate::spreadsheet;
use crate::store::{EserviceId, StoreError};

/// Outcomes that are read at once.
const AT_ONCE: usize = 1000;

const REFUSED: &[&str] =
    &["prestazione", "ente", "flusso", "operazione", "esito", "descrizione", "ricevuto", "caso", "che_fare"];
const RECEIVED: &[&str] = &[
    "prestazione",
    "codice",
    "ente",
    "flusso",
    "operazione",
    "esito",
    "descrizione",
    "acquisizione_siuss",
    "acquisito",
    "ricevuto",
];

/// A list, and how far it was read.
enum List {
    Refused { filter: RefusedFilter, after: Option<i64> },
    Received { which: Which, filter: ReceivedFilter, after: Option<EsitoPlace> },
}

impl List {
    fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::Refused { .. } => REFUSED,
            Self::Received { .. } => RECEIVED,
        }
    }

    /// The next rows, and whether there are more. Blocks.
    fn read(&mut self, registry: &Registry, id: EserviceId) -> Result<(Vec<Vec<String>>, bool), StoreError> {
        match self {
            Self::Refused { filter, after } => {
                let page = registry.refused(id, filter, *after, AT_ONCE)?;
                *after = page.next;
                Ok((page.flows.iter().map(refused_row).collect(), page.next.is_some()))
            }
            Self::Received { which, filter, after } => {
                let page = registry.received(id, *which, filter, *after, AT_ONCE)?;
                *after = page.next;
                Ok((page.esiti.into_iter().map(received_row).collect(), page.next.is_some()))
            }
        }
    }
}

fn refused_row(flow: &Refused) -> Vec<String> {
    let (case, _) = what(flow.case);
    vec![
        flow.label.clone(),
        flow.codice_ente.clone(),
        flow.id_flusso.clone(),
        operation(flow.cancels).to_owned(),
        flow.codice.to_string(),
        flow.descrizione.clone().unwrap_or_default(),
        text::instant(flow.received_ms),
        case.to_owned(),
        flow.case.map_or("", |case| rimedi::of(case, flow.codice, flow.tipo)).to_owned(),
    ]
}

fn received_row(esito: Received) -> Vec<String> {
    let about = esito.about.as_ref();
    vec![
        about.map(|about| about.label.clone()).unwrap_or_default(),
        about.and_then(|about| about.codice.clone()).unwrap_or_default(),
        about.map(|about| about.codice_ente.clone()).unwrap_or_default(),
        esito.id_flusso,
        about.map_or("", |about| operation(about.cancels)).to_owned(),
        esito.codice_esito,
        esito.descrizione.unwrap_or_default(),
        esito.id_acquisizione_siuss.unwrap_or_default(),
        text::instant(esito.ts_acquisizione_ms),
        text::instant(esito.place.received_ms),
    ]
}

fn written<T: AsRef<str>>(rows: &[Vec<T>]) -> io::Result<Bytes> {
    let mut out = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    for row in rows {
        out.write_record(row.iter().map(|cell| spreadsheet::cell(cell.as_ref())))?;
    }
    Ok(out.into_inner().map_err(csv::IntoInnerError::into_error)?.into())
}

pub(super) async fn send(visit: Visit) -> Answer {
    let Asked { served, filter, errors, .. } = asked(&visit, &visit.form)?;
    if !errors.is_empty() {
        // The button repeats what was found right.
        return Err(Refusal::Malformed);
    }
    let (list, name) = match visit.form.text("elenco") {
        "rifiutati" => {
            (List::Refused { filter: refused(filter, &visit.form), after: None }, "esiti-rifiutati")
        }
        "accettati" => (List::Received { which: Which::Accepted, filter, after: None }, "esiti-accettati"),
        "sconosciuti" => (List::Received { which: Which::Unknown, filter, after: None }, "esiti-sconosciuti"),
        _ => return Err(Refusal::Malformed),
    };
    visit.log(visit.action(Kind::BenefitsExported)?.of(served.id).saying(format!("elenco={name}"))).await?;
    let head = written(&[list.columns().to_vec()]).map_err(|_| Refusal::Unavailable)?;
    let (registry, id) = (registry(&visit, served), served.id);
    let pages = stream::try_unfold(Some(list), move |list| {
        let registry = registry.clone();
        async move {
            let Some(mut list) = list else { return Ok::<_, io::Error>(None) };
            let read = spawn_blocking(move || {
                let (rows, goes_on) = list.read(&registry, id).map_err(io::Error::other)?;
                Ok::<_, io::Error>((written(&rows)?, goes_on.then_some(list)))
            });
            read.await.map_err(io::Error::other)?.map(Some)
        }
    });
    let pages = stream::StreamExt::chain(stream::iter([Ok(head)]), pages);
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")))
        .streaming(Box::pin(pages)))
}
