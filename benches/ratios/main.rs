//! What the product costs beside what it is made of: `make bench`.
//!
//! Import beside the parsing of CSV, XML beside base64, a pull over HTTP beside the same select and a committed insert,
//! the call log beside one commit for each entry. PostgreSQL takes part where `WAAS_TEST_POSTGRES` names a server. The
//! arguments `import`, `xml`, `pull` and `log` choose what is measured; without any it is all of it.
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
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |group: &str| asked.is_empty() || asked.iter().any(|asked| asked == group);
    if wanted("import") {
        import::measure(backends);
    }
    if wanted("xml") {
        xml::measure();
    }
    for backend in backends {
        if wanted("pull") {
            pull::measure(*backend);
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
