//! A form that was sent when its session was over: the page that asks to sign in again carries it along, and the one that
//! comes then sends it where it was going; at once where somebody has signed in already. Nothing of it is kept here.

use actix_web::http::Method;
use askama::Template;
use url::form_urlencoded::{self, Serializer};

use super::Console;
use super::form::Form;
use super::frame::Frame;
use super::gate::SIGN_IN;
use super::pages::{self, Access, Found, Page};
use super::visit::Visitor;

/// Bytes of what is carried along: it stands in a form twice encoded, which has its own bound.
const LARGEST: usize = 64 * 1024;

/// What was sent too late.
pub(super) struct Ripresa {
    /// To which page of ours.
    pub(super) path: String,
    /// Its fields, URL-encoded.
    pub(super) fields: String,
}

impl Ripresa {
    /// What was sent to `page` at `path`; none where it is no form that somebody filled in.
    pub(super) fn of(page: &Page, path: &str, form: &Form) -> Option<Self> {
        let fields = form.fields().filter(|(name, _)| *name != "gettone");
        let fields = Serializer::new(String::new()).extend_pairs(fields).finish();
        let is_kept = is_resumable(page) && (1..=LARGEST).contains(&fields.len());
        is_kept.then(|| Self { path: path.to_owned(), fields })
    }

    /// What the form of the sign-in carries along, if it is for a page of ours.
    pub(super) fn read(form: &Form) -> Option<Self> {
        let path = form.text("verso");
        match pages::find(&Method::POST, path) {
            Found::Page(page, _) if is_resumable(page) => {
                Some(Self { path: path.to_owned(), fields: form.text("modulo").to_owned() })
            }
            _ => None,
        }
    }

    /// The page that sends it on, for the `visitor` who has signed in.
    pub(super) fn page(self, console: &Console, visitor: &Visitor) -> RipresaPage {
        let fields = form_urlencoded::parse(self.fields.as_bytes());
        RipresaPage {
            frame: Frame::new(console, visitor, SIGN_IN, "Riprendere da dove eravate"),
            fields: fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
            path: self.path,
        }
    }
}

/// Whether what is sent to `page` may wait for a sign-in: no password, and no file.
pub(super) fn is_resumable(page: &Page) -> bool {
    page.is_sent && !page.takes_file && matches!(page.access, Access::Roles(_))
}

/// The page that sends it on.
#[derive(Template)]
#[template(path = "ripresa.html")]
pub(super) struct RipresaPage {
    frame: Frame,
    path: String,
    fields: Vec<(String, String)>,
}
