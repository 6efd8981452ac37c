//! `GET /flussi`: the flows after a cursor.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{EntityTag, Header, IfNoneMatch};
use actix_web::http::{Method, StatusCode};

use super::ahead::{Ahead, Cursor, Taken};
use super::call::{Details, Reply};
use super::page::{Page, timestamp};
use super::problem::Problem;
use super::query::Query;
use super::service::{EService, Service};
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
    let cursor = Cursor { eservice: eservice.id, since: query.since, limit };
    // What a `HEAD` is told of is not given to anybody, and it is nobody's place in the feed.
    let ahead = service.ahead.as_ref().filter(|_| request.method() != Method::HEAD);
    let page = match read(service, ahead, cursor).await {
        Ok(page) => page,
        Err(error) => {
            tracing::error!(%error, "a page cannot be read");
            return Reply::from(Problem::unavailable("database_unavailable")).with(asked);
        }
    };
    if page.count == 0
        && let Err(error) = follow(service, eservice, query.since).await
    {
        tracing::error!(%error, "the cursor cannot be compared with the feed");
        return Reply::from(Problem::unavailable("database_unavailable")).with(asked);
    }
    let tag = page.tag(limit);
    if let Some(tag) = &tag
        && is_known(request, tag)
    {
        return Reply::not_modified(tag.clone()).with(Details { count: Some(0), ..asked });
    }
    let (count, disclosed) = (Some(page.count), page.disclosed.clone());
    let body = match page.into_body() {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            return Reply::from(Problem::unavailable("database_unavailable")).with(asked);
        }
    };
    let reply = Reply::success(StatusCode::OK, "application/json", body);
    let reply = reply.with(Details { count, disclosed, ..asked });
    match tag {
        Some(tag) => reply.tagged(tag),
        None => reply,
    }
}

/// The page after a cursor: the one that was read ahead, or the one that the database has.
async fn read(service: &Service, ahead: Option<&Arc<Ahead>>, cursor: Cursor) -> Result<Page, StoreError> {
    let taken = match ahead {
        Some(ahead) => ahead.take(cursor).await?,
        None => Taken::default(),
    };
    let page = match taken.page {
        Some(page) => page,
        None => Page::of(service.registry.page_async(cursor.eservice, cursor.since, cursor.limit).await?),
    };
    if let Some(ahead) = ahead
        && page.count == cursor.limit
        && let Some(since) = page.next
    {
        ahead.expect(Cursor { since, ..cursor }, taken.follows);
    }
    Ok(page)
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
