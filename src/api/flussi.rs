//! `GET /flussi`: the flows after a cursor.

use actix_web::HttpRequest;
use actix_web::http::header::{EntityTag, Header, IfNoneMatch};
use actix_web::http::{Method, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;

use super::call::{Details, Reply};
use super::problem::Problem;
use super::query::Query;
use super::service::{EService, Service};
use crate::call_log::Disclosed;
use crate::registry::PublishedFlusso;
use crate::store::StoreError;

/// Answers a `GET`, or a `HEAD`, which is told of a page and given none.
pub(super) async fn answer(service: &Service, eservice: &EService, request: &HttpRequest) -> Reply {
    let reply = get(service, eservice, request).await;
    if request.method() == Method::HEAD { reply.without_flows() } else { reply }
}

async fn get(service: &Service, eservice: &EService, request: &HttpRequest) -> Reply {
    let query = match Query::read(request.query_string()) {
        Ok(query) => query,
        Err(problem) => return problem.into(),
    };
    let limit = u32::from(query.limit);
    let asked = Details { since: Some(query.since), limit: Some(limit), ..Details::default() };
    let page = match service.registry.page_async(eservice.id, query.since, limit).await {
        Ok(page) => page,
        Err(error) => {
            tracing::error!(%error, "a page cannot be read");
            return Reply::from(Problem::unavailable("database_unavailable")).with(asked);
        }
    };
    if page.is_empty()
        && let Err(error) = follow(service, eservice, query.since).await
    {
        tracing::error!(%error, "the cursor cannot be compared with the feed");
        return Reply::from(Problem::unavailable("database_unavailable")).with(asked);
    }
    let names = page.iter().map(|flusso| flusso.id_flusso.as_str());
    let disclosed = match (page.first(), page.last()) {
        (Some(first), Some(last)) => Some(Disclosed::new(first.ts_ms, last.ts_ms, names)),
        _ => None,
    };
    let count = u32::try_from(page.len()).ok();
    // A full page never grows. It changes only if content in it is dropped, and then the names in it do.
    let tag = disclosed.as_ref().filter(|_| count == Some(limit)).map(|page| EntityTag::new_weak(page.tag()));
    if let Some(tag) = &tag
        && is_known(request, tag)
    {
        return Reply::not_modified(tag.clone()).with(Details { count: Some(0), ..asked });
    }
    let reply = Reply::success(StatusCode::OK, "application/json", body(&page));
    let reply = reply.with(Details { count, disclosed, ..asked });
    match tag {
        Some(tag) => reply.tagged(tag),
        None => reply,
    }
}

/// Whether the caller says that it has the page of this name.
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

/// A cursor is a timestamp that this feed gave out. One above all of them means that the database is older than what
/// the caller holds; the feed must not go on below it.
async fn follow(service: &Service, eservice: &EService, since: u128) -> Result<(), StoreError> {
    if let Some(gap) = service.registry.follow_async(eservice.id, since).await? {
        tracing::warn!(
            eservice = eservice.config.name,
            after = timestamp(gap.after_ts),
            until = timestamp(gap.until_ts),
            "FLOWS ARE MISSING: a caller has a cursor that lies above every flow, as after an older database took the \
             place of this one; the feed goes on above it. Import again what was published in between (docs/backup.md)"
        );
    }
    Ok(())
}

/// A page, as the contract has it. Most of it is base64, which needs no escaping: it is encoded where it stands.
fn body(page: &[PublishedFlusso]) -> Vec<u8> {
    const AROUND: usize = 256;
    let length = |flusso: &PublishedFlusso| flusso.xml.len().div_ceil(3) * 4 + AROUND;
    let mut body = Vec::with_capacity(AROUND + page.iter().map(length).sum::<usize>());
    body.extend_from_slice(br#"{"elenco_flussi":["#);
    for (index, flusso) in page.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        member(&mut body, br#"{"codice_ente":"#, &flusso.codice_ente);
        member(&mut body, br#","denominazione_ente":"#, &flusso.denominazione_ente);
        member(&mut body, br#","id_flusso":"#, &flusso.id_flusso);
        member(&mut body, br#","ts_flusso":"#, &timestamp(flusso.ts_ms));
        member(&mut body, br#","tipo":"#, flusso.tipo.as_str());
        body.extend_from_slice(br#","flusso":""#);
        let start = body.len();
        body.resize(start + flusso.xml.len().div_ceil(3) * 4, 0);
        // The room is what it needs.
        let _ = BASE64_STANDARD.encode_slice(&flusso.xml, body.get_mut(start..).unwrap_or_default());
        body.extend_from_slice(br#""}"#);
    }
    body.extend_from_slice(b"]}");
    body
}

fn member(body: &mut Vec<u8>, name: &[u8], text: &str) {
    body.extend_from_slice(name);
    // A string always serialises, and memory always takes it.
    let _ = serde_json::to_writer(body, text);
}

/// Milliseconds since the epoch as `2023-11-27T11:04:56.852Z`: always three decimals, so that the way back is exact.
fn timestamp(millis: i64) -> String {
    let instant = Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{instant:.3}")
}
