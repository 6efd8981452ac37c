//! What the tests share.

pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod bulk;
pub(crate) mod c_rules;
pub(crate) mod cluster;
pub(crate) mod command;
pub(crate) mod database;
pub(crate) mod proxy;
pub(crate) mod published;
pub(crate) mod records;
pub(crate) mod staff;
pub(crate) mod watch;
pub(crate) mod xmllint;
