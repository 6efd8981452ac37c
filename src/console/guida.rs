//! The guide: the manual and what it leads to, which are pages of `docs/` that the build embeds (`build/guida.rs`). There may
//! be no other way to them from a desk in a Comune.

use std::future::ready;

use askama::Template;

use super::frame::Frame;
use super::pages::{Access, Answer, Page, Section};
use super::refusal::Refusal;
use super::visit::{self, Visit};
use crate::staff::Role;

include!(concat!(env!("OUT_DIR"), "/guida.rs"));

/// What is reached from the header of every page.
pub(super) const SECTION: Section = Section {
    label: None,
    pages: &[
        Page::get("/guida", Access::Roles(&Role::ALL), |visit| Box::pin(ready(first(&visit)))),
        Page::get("/guida/{nome}", Access::Roles(&Role::ALL), |visit| Box::pin(ready(named(&visit)))),
    ],
};

/// A page of the guide.
struct Document {
    /// By what it is called in its address.
    name: &'static str,
    title: &'static str,
    /// Its parts: id and text.
    headings: &'static [(&'static str, &'static str)],
    html: &'static str,
}

#[derive(Template)]
#[template(path = "guida.html")]
struct Guida {
    frame: Frame,
    document: &'static Document,
    /// The other pages: address and title.
    others: Vec<(String, &'static str)>,
}

fn first(visit: &Visit) -> Answer {
    let document = PAGES.first().ok_or(Refusal::NotFound)?;
    show(visit, document, visit.frame(document.title).below("Cruscotto", "/"))
}

fn named(visit: &Visit) -> Answer {
    let name = visit.parameter("nome")?;
    let document = PAGES.iter().skip(1).find(|page| page.name == name).ok_or(Refusal::NotFound)?;
    show(visit, document, visit.frame(document.title).below("Cruscotto", "/").below("Guida", "/guida"))
}

fn show(visit: &Visit, document: &'static Document, frame: Frame) -> Answer {
    let address = |page: &Document| format!("/guida/{}", page.name);
    let mut others = vec![("/guida".to_owned(), PAGES.first().map_or("", |page| page.title))];
    others.extend(PAGES.iter().skip(1).map(|page| (address(page), page.title)));
    others.retain(|(path, _)| *path != visit.path);
    visit::show(&Guida { frame, document, others })
}
