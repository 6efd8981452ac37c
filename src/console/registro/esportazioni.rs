//! Exports: what `calls export` writes, as a download that is sent while it is read; and the checkpoints with which it
//! is verified.

use std::io::{self, BufWriter, Write};
use std::thread;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use askama::Template;
use futures_util::stream;
use tokio::sync::mpsc::{self, Sender};

use super::{CHIAMATE, Choice, whole, whole_logs};
use crate::call_log::action::Kind;
use crate::call_log::export::{Format, export};
use crate::call_log::seal::period;
use crate::call_log::search::Filter;
use crate::console::form::Errors;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::visit::{self, Visit};
use crate::store::EserviceId;

/// Bytes of a piece of a download.
const PIECE: usize = 64 * 1024;
/// Pieces that wait for a browser which is slow.
const WAITING: usize = 4;

#[derive(Template)]
#[template(path = "registro/esportazioni.html")]
struct Esportazioni {
    frame: Frame,
    errors: Errors,
    choices: Vec<Choice>,
    from: String,
    until: String,
}

pub(super) fn ask(visit: &Visit) -> Answer {
    let page = page(visit, Errors::default())?;
    visit::show(&page)
}

fn page(visit: &Visit, errors: Errors) -> Result<Esportazioni, Refusal> {
    Ok(Esportazioni {
        frame: visit.frame("Esportazioni").below("Cruscotto", "/").below("Registro delle chiamate", CHIAMATE),
        errors,
        choices: whole_logs(visit, visit.form.text("registro"))?,
        from: visit.form.text("da").to_owned(),
        until: visit.form.text("a").to_owned(),
    })
}

fn id(visit: &Visit, eservice: Option<&String>) -> Option<EserviceId> {
    visit.eservices().find(|served| Some(&served.config.name) == eservice).map(|served| served.id)
}

pub(super) async fn send(visit: Visit) -> Answer {
    let eservice = whole(&visit, visit.form.text("registro"))?;
    let mut errors = Errors::default();
    let (from, until) = visit.form.period(&mut errors);
    let permit = visit.console.registro.exports.clone().try_acquire_owned();
    if permit.is_err() {
        errors.add("formato", "Altri stanno già scaricando dal registro: riprovare tra poco.");
    }
    let (Ok(permit), true) = (permit, errors.is_empty()) else {
        let page = page(&visit, errors)?;
        return visit::show_again(&page);
    };
    let (format, name, content_type) = match visit.form.text("formato") {
        "csv" => (Format::Csv, "csv", "text/csv; charset=utf-8"),
        _ => (Format::Jsonl, "jsonl", "application/x-ndjson"),
    };
    let days = format!("da={}&a={}&formato={name}", day(from), day(until));
    let mut action = visit.action(Kind::CallsExported)?.saying(days);
    action.eservice = id(&visit, eservice.as_ref());
    visit.log(action).await?;

    let (sender, receiver) = mpsc::channel(WAITING);
    let store = visit.console.store.clone();
    let filter = Filter { eservice, from, until, ..Filter::default() };
    let work = move || {
        let output = BufWriter::with_capacity(PIECE, Pieces(sender.clone()));
        if let Err(error) = export(&store, &filter, format, output) {
            tracing::warn!(%error, "an export from the console ended early");
            // A download that breaks off is not taken for a whole one. The browser may be gone.
            let _ = sender.blocking_send(Err(io::Error::other("the export ended early")));
        }
        drop(permit);
    };
    thread::Builder::new().name("export".to_owned()).spawn(work).map_err(|error| {
        tracing::error!(%error, "an export cannot be started");
        Refusal::Unavailable
    })?;
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"chiamate.{name}\"")))
        .streaming(Box::pin(pieces)))
}

/// A bound of the period as the log keeps it; nothing where there is none.
fn day(instant: Option<jiff::Timestamp>) -> String {
    instant.map(|instant| instant.to_string()).unwrap_or_default()
}

pub(super) async fn checkpoints(visit: Visit) -> Answer {
    let eservice = whole(&visit, visit.form.text("registro"))?;
    let mut errors = Errors::default();
    let (from, until) = visit.form.period(&mut errors);
    if !errors.is_empty() {
        let page = page(&visit, errors)?;
        return visit::show_again(&page);
    }
    let filter = Filter { eservice, from, until, ..Filter::default() };
    let notes =
        visit.console.store.read_async(move |connection| period::checkpoints(connection, &filter)).await?;
    let text: String = notes.into_iter().flat_map(|note| [note, "\n".to_owned()]).collect();
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"checkpoints.txt\""))
        .body(text))
}

/// What is written goes to a browser, which may be slower.
struct Pieces(Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
