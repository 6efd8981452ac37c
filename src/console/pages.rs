//! The one table of pages: path, method, who may, what answers. The gate goes by it, and so does the test of who may do
//! what. What is not in it does not exist.

use actix_web::HttpResponse;
use actix_web::http::Method;
use futures_util::future::LocalBoxFuture;

use super::refusal::Refusal;
use super::visit::Visit;
use super::{access, amministrazione, caricamenti, cruscotto, esiti, guida, prestazioni, registro};
use crate::staff::{Role, Roles};

/// What a handler gives.
pub(super) type Answer = Result<HttpResponse, Refusal>;

/// What answers a page: `|visit| Box::pin(show(visit))`.
pub(super) type Handler = fn(Visit) -> LocalBoxFuture<'static, Answer>;

/// Who may see a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever comes.
    Anyone,
    /// Whoever is signed in, be it with a provisional password.
    SignedIn,
    /// Whoever has one of these roles, and a password of their own.
    Roles(&'static [Role]),
}

impl Access {
    /// Whether somebody with these roles may; `provisional` with a password that somebody else knows.
    #[must_use]
    pub fn admits(self, who: Option<(&Roles, bool)>) -> bool {
        match (self, who) {
            (Self::Anyone, _) | (Self::SignedIn, Some(_)) => true,
            (Self::Roles(roles), Some((has, provisional))) => !provisional && has.has_any(roles),
            (Self::SignedIn | Self::Roles(_), None) => false,
        }
    }
}

/// A page.
pub struct Page {
    /// Its path; a segment in braces stands for any text.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// Whether it is a form that is sent, not a page that is read.
    pub(super) is_sent: bool,
    /// Whether a file may come with the form.
    pub(super) takes_file: bool,
    pub(super) handler: Handler,
}

impl Page {
    /// A page to read.
    pub(super) const fn get(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { path, access, is_sent: false, takes_file: false, handler }
    }

    /// A form that is sent.
    pub(super) const fn post(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { path, access, is_sent: true, takes_file: false, handler }
    }

    /// A form that is sent with a file.
    pub(super) const fn post_file(path: &'static str, access: Access, handler: Handler) -> Self {
        Self { path, access, is_sent: true, takes_file: true, handler }
    }

    /// The method that it answers to; a page that is read answers to HEAD too.
    #[must_use]
    pub fn method(&self) -> Method {
        if self.is_sent { Method::POST } else { Method::GET }
    }

    /// The texts that stand in the place of its braces, if `path` is one of its own.
    fn matches(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let (mut ours, mut theirs) = (self.path.split('/'), path.split('/'));
        let mut parameters = Vec::new();
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return Some(parameters),
                (Some(ours), Some(theirs)) => {
                    match ours.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                        Some(name) => parameters.push((name, decoded(theirs)?)),
                        None if ours == theirs => {}
                        None => return None,
                    }
                }
                _ => return None,
            }
        }
    }
}

/// A segment of a path without its percent signs.
fn decoded(segment: &str) -> Option<String> {
    let pair = format!("s={}", segment.replace('+', "%2B"));
    let (_, text) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
    (!text.is_empty() && !text.contains('\u{FFFD}')).then(|| text.into_owned())
}

/// A part of the console: its pages, and its entry in the menu.
pub(super) struct Section {
    /// What the menu calls it; none for what is reached otherwise.
    pub(super) label: Option<&'static str>,
    /// Its pages; the menu leads to the first.
    pub(super) pages: &'static [Page],
}

/// Every part, in the order of the menu.
const SECTIONS: &[&Section] = &[
    &cruscotto::SECTION,
    &caricamenti::SECTION,
    &prestazioni::SECTION,
    &esiti::SECTION,
    &registro::SECTION,
    &amministrazione::SECTION,
    &guida::SECTION,
    &access::SECTION,
];

/// Every page.
pub fn all() -> impl Iterator<Item = &'static Page> {
    SECTIONS.iter().flat_map(|section| section.pages)
}

/// What a path and a method lead to.
pub(super) enum Found {
    Page(&'static Page, Vec<(&'static str, String)>),
    /// The path is a page's, the method is not.
    OtherMethod(&'static str),
    Nothing,
}

pub(super) fn find(method: &Method, path: &str) -> Found {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = None;
    for page in all() {
        if let Some(parameters) = page.matches(path) {
            if page.method() == *method {
                return Found::Page(page, parameters);
            }
            let both = allowed.is_some();
            allowed = Some(match page.method() {
                _ if both => "GET, POST",
                Method::GET => "GET",
                _ => "POST",
            });
        }
    }
    allowed.map_or(Found::Nothing, Found::OtherMethod)
}

/// An entry of the menu.
pub(super) struct MenuItem {
    pub(super) label: &'static str,
    pub(super) path: &'static str,
    pub(super) is_current: bool,
}

/// The entries for somebody with these roles who is at `path`.
pub(super) fn menu(who: Option<(&Roles, bool)>, path: &str) -> Vec<MenuItem> {
    let item = |section: &&Section| {
        let first = section.pages.first()?;
        let label = section.label.filter(|_| first.access.admits(who))?;
        let is_current = path == first.path
            || (first.path != "/" && path.strip_prefix(first.path).is_some_and(|rest| rest.starts_with('/')));
        Some(MenuItem { label, path: first.path, is_current })
    };
    SECTIONS.iter().filter_map(item).collect()
}
