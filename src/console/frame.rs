//! What every page has around it: header, menu, breadcrumbs, footer.

use askama::Template;

use super::pages::{self, MenuItem};
use super::visit::Visitor;
use super::{Console, assets};
use crate::staff::Account;
use crate::staff::session::IDLE_MS;

/// The frame of a page: templates extend `layout.html`, which takes it from their field `frame`.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) ente: String,
    pub(super) user: Option<Account>,
    pub(super) menu: Vec<MenuItem>,
    path: String,
    /// What leads here from the first page: name and path.
    pub(super) trail: Vec<(String, String)>,
    /// What every form carries in its field `gettone`.
    pub(super) token: String,
    /// What was just done, if a form led here.
    pub(super) done: Option<&'static str>,
    /// After how many milliseconds whoever is signed in is told that the session ends soon.
    pub(super) warned_after_ms: Option<i64>,
}

/// How long before the end of an idle session its user is told, in milliseconds: `layout.html` says five minutes.
const WARNED_BEFORE_MS: i64 = 5 * 60 * 1000;

impl Frame {
    pub(super) fn new(console: &Console, visitor: &Visitor, path: &str, title: &str) -> Self {
        // An identity proxy lets its people in again by itself.
        let ends = visitor.account.is_some() && console.config.back_office.identity_header.is_none();
        Self {
            title: title.to_owned(),
            ente: console.ente().to_owned(),
            user: visitor.account.clone(),
            menu: pages::menu(visitor.standing(), path),
            path: path.to_owned(),
            trail: Vec::new(),
            token: visitor.id.form_token(),
            done: None,
            warned_after_ms: ends.then_some(IDLE_MS - WARNED_BEFORE_MS),
        }
    }

    /// The same frame, below the page of this name and path.
    pub(super) fn below(mut self, name: &str, path: &str) -> Self {
        self.trail.push((name.to_owned(), path.to_owned()));
        self
    }

    /// Whether this is the page at `path`.
    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == path
    }

    /// The same frame, with word of what was just done.
    pub(super) fn with_done(mut self, done: Option<&'static str>) -> Self {
        self.done = done;
        self
    }
}

#[expect(clippy::unused_self, reason = "templates ask what they have, which is the frame")]
impl Frame {
    /// The addresses of the styles.
    pub(super) fn styles(&self) -> impl Iterator<Item = String> + use<> {
        assets::STYLES.iter().map(|name| format!("{}{name}", assets::FOLDER))
    }

    pub(super) fn script(&self) -> String {
        format!("{}{}", assets::FOLDER, assets::SCRIPT)
    }

    /// The place in the guide that speaks of this part of the console: the manual calls its parts as the menu does.
    pub(super) fn guide(&self) -> String {
        let part = self.menu.iter().find(|item| item.is_current);
        part.map_or_else(|| "/guida".to_owned(), |part| format!("/guida#{}", part.label.to_lowercase()))
    }

    /// The address of an icon, where Bootstrap Italia is embedded.
    pub(super) fn icon(&self, name: &str) -> Option<String> {
        assets::ICONS.map(|file| format!("{}{file}#{name}", assets::FOLDER))
    }

    pub(super) fn licences(&self) -> Option<String> {
        assets::LICENCES.map(|name| format!("{}{name}", assets::FOLDER))
    }
}

/// A page that only says something.
#[derive(Template)]
#[template(path = "messaggio.html")]
pub(super) struct Message {
    pub(super) frame: Frame,
    pub(super) text: &'static str,
}
