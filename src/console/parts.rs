//! Lists of what one process may have hundreds of, a part at a time: what a page costs does not grow with their number.

use url::form_urlencoded::byte_serialize;

/// How many are shown at once.
pub(super) const AT_ONCE: usize = 20;

/// Which of many are shown, and where the others are.
pub(super) struct Part {
    pub(super) label: String,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

/// All of a list by their names, and the one with which the part that is shown begins.
pub(super) struct Parts<'a> {
    path: &'static str,
    /// What they are called.
    what: &'static str,
    names: Vec<&'a str>,
    pub(super) first: usize,
}

impl<'a> Parts<'a> {
    /// Of these names, at `path`, the part that begins with the name `from`; or the first.
    pub(super) fn new(
        path: &'static str,
        what: &'static str,
        names: impl IntoIterator<Item = &'a str>,
        from: &str,
    ) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        let first = names.iter().position(|name| *name == from).unwrap_or_default();
        Self { path, what, names, first }
    }

    /// Which part is shown; none where it is all there is.
    pub(super) fn shown(&self) -> Option<Part> {
        let before = self.first.saturating_sub(AT_ONCE);
        (self.names.len() > AT_ONCE).then(|| Part {
            label: self.label(self.first),
            previous: if self.first > 0 { self.address(before) } else { None },
            next: self.address(self.first.saturating_add(AT_ONCE)),
        })
    }

    /// What the part from the place `first` on is called.
    pub(super) fn label(&self, first: usize) -> String {
        let all = self.names.len();
        let until = first.saturating_add(AT_ONCE).min(all);
        format!("{} da {} a {until} di {all}", self.what, first.saturating_add(1))
    }

    /// Where the part from the place `first` on is; none beyond the last.
    pub(super) fn address(&self, first: usize) -> Option<String> {
        let name: String = byte_serialize(self.names.get(first)?.as_bytes()).collect();
        Some(format!("{}?da={name}", self.path))
    }
}
