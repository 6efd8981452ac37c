//! The first page: how things stand with every e-service.

use askama::Template;

use super::frame::Frame;
use super::pages::{Access, Answer, Page, Section};
use super::text;
use super::visit::{self, Visit};
use crate::call_log::progress;
use crate::staff::Role;

/// The first page.
pub(super) const SECTION: Section = Section {
    label: Some("Cruscotto"),
    pages: &[Page::get("/", Access::Roles(&Role::ALL), |visit| Box::pin(show(visit)))],
};

#[derive(Template)]
#[template(path = "cruscotto.html")]
struct Cruscotto {
    frame: Frame,
    eservices: Vec<Stand>,
}

/// How things stand with an e-service.
struct Stand {
    name: String,
    /// Flows that INPS has not taken.
    waiting: String,
    /// When INPS last came.
    last: Option<String>,
}

async fn show(visit: Visit) -> Answer {
    let done = (visit.query.text("fatto") == "password").then_some("La password è stata cambiata.");
    let mut eservices = Vec::new();
    for (id, eservice) in visit.eservices() {
        let id = *id;
        let last = visit.console.store.read_async(move |connection| progress(connection, id)).await?;
        let since = last.map_or(0, |last| last.position);
        let waiting = visit.console.registry.waiting_async(id, since).await?;
        eservices.push(Stand {
            name: eservice.name.clone(),
            waiting: text::number(waiting),
            last: last.map(|last| text::instant(last.instant.as_millisecond())),
        });
    }
    visit::show(&Cruscotto { frame: visit.frame("Cruscotto").with_done(done), eservices })
}
