//! The manual of the console, `docs/manuale.md`: its pictures are those that the story takes, and it speaks of every page
//! that the menu leads to.

use std::path::{Path, PathBuf};

/// Width of the window, and size of a picture, in pixels.
pub(super) const WIDTH: u32 = 1120;
pub(super) const SIZE: (u32, u32) = (WIDTH, 760);

/// Where the pictures are.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/manuale")
}
