//! The whole report of a file, as `import --report` writes it, sent page by page.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::stream;

use super::asked;
use crate::call_log::action::Kind;
use crate::caricamenti::{self, PAGE};
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::visit::Visit;
use crate::intake::report::Report;
use crate::store::Store;

pub(super) async fn csv(visit: Visit) -> Answer {
    let out = Buffer::default();
    let report = Report::csv(out.clone()).map_err(|_| Refusal::Unavailable)?;
    send(visit, report, out, "csv", "text/csv; charset=utf-8").await
}

pub(super) async fn json(visit: Visit) -> Answer {
    let out = Buffer::default();
    send(visit, Report::json(out.clone()), out, "json", "application/json").await
}

/// What was written and not sent yet.
#[derive(Clone, Default)]
struct Buffer(Rc<RefCell<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How far a report was sent.
struct Sent {
    store: Store,
    id: i64,
    page: i64,
    /// None once it is written to its end.
    report: Option<Report<Buffer>>,
    out: Buffer,
}

async fn send(
    visit: Visit,
    report: Report<Buffer>,
    out: Buffer,
    extension: &str,
    content_type: &'static str,
) -> Answer {
    let caricamento = asked(&visit).await?;
    let id = caricamento.id;
    let exported = visit.action(Kind::BenefitsExported)?.of(caricamento.eservice);
    visit.log(exported.saying(format!("caricamento={id}"))).await?;
    let sent = Sent { store: visit.console.store.clone(), id, page: 0, report: Some(report), out };
    let pages = stream::try_unfold(sent, |mut sent| async move {
        let Some(mut report) = sent.report.take() else { return Ok::<_, io::Error>(None) };
        let (id, number) = (sent.id, sent.page);
        let page = sent.store.read_async(move |connection| caricamenti::page(connection, id, number));
        let page = page.await.map_err(io::Error::other)?;
        for kept in &page {
            report.write(&kept.entry())?;
        }
        sent.page += 1;
        if page.len() < PAGE {
            report.finish()?;
        } else {
            report.flush()?;
            sent.report = Some(report);
        }
        let bytes = Bytes::from(std::mem::take(&mut *sent.out.0.borrow_mut()));
        Ok(Some((bytes, sent)))
    });
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"rapporto-{id}.{extension}\""),
        ))
        .streaming(Box::pin(pages)))
}
