//! What the product costs beside what it is made of: `make bench`.
//!
//! Import beside the parsing of CSV, XML beside base64, a pull over HTTP beside the same select and a committed insert,
//! the same pull without a call log, the call log beside one commit for each entry. PostgreSQL takes part where
//! `WAAS_TEST_POSTGRES` names a server. The arguments `import`, `xml`, `pull`, `cost` and `log` choose what is measured,
//! `sqlite` and `postgresql` on which database; without any it is all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::string_slice,
    missing_docs,
    unreachable_pub,
    reason = "a measurement ends where something fails, and has no public face"
)]

mod client;
mod cost;
#[path = "../harness/mod.rs"]
mod harness;
mod import;
mod log;
mod plain;
mod pull;
#[path = "../../tests/it/support/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest of it")]
mod support;
mod threads;
mod xml;

use support::database::Backend;

fn main() {
    let backends: &[Backend] = if std::env::var_os("WAAS_TEST_POSTGRES").is_some() {
        &[Backend::Sqlite, Backend::Postgres]
    } else {
        eprintln!("WAAS_TEST_POSTGRES names no server: SQLite only (`make bench` starts one)");
        &[Backend::Sqlite]
    };
    // Cargo adds options of its own.
    let (databases, groups): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .partition(|argument| argument == "sqlite" || argument == "postgresql");
    let chosen = |asked: &[String], one: &str| asked.is_empty() || asked.iter().any(|asked| asked == one);
    let wanted = |group: &str| chosen(&groups, group);
    if wanted("import") {
        import::measure(backends);
    }
    if wanted("xml") {
        xml::measure();
    }
    let backends = backends.iter().filter(|backend| chosen(&databases, &name(**backend).to_lowercase()));
    for backend in backends {
        if wanted("pull") {
            pull::measure(*backend);
        }
        if wanted("cost") {
            cost::measure(*backend);
        }
        if wanted("log") {
            log::measure(*backend);
        }
    }
}

/// The name of a database in the table.
fn name(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "SQLite",
        Backend::Postgres => "PostgreSQL",
    }
}
