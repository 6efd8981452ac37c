//! What the tests share.

pub(crate) mod app;
pub(crate) mod command;
pub(crate) mod database;
pub(crate) mod records;
pub(crate) mod xmllint;
