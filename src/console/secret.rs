//! The page that shows a secret once: a password, a key.

use askama::Template;

use super::frame::Frame;

/// A page with a secret that nothing will show again.
#[derive(Template)]
#[template(path = "segreto.html")]
pub(super) struct Secret {
    pub(super) frame: Frame,
    pub(super) text: String,
    pub(super) value: String,
    /// Where one goes from here.
    pub(super) back: &'static str,
}
