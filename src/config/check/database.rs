//! What is wrong with or risky about the addresses of the database and of its replica.

use secrecy::ExposeSecret;

use super::Finding;
use crate::config::Config;

pub(super) fn check(config: &Config, findings: &mut Vec<Finding>) {
    let url = config.database.url.expose_secret();
    let is_file = config.database.sqlite_file().is_some();
    if !is_file && !is_server(url) {
        findings.push(Finding::wrong(
            "database.url",
            "it is the address of neither a SQLite file nor a PostgreSQL server",
            "write sqlite://PATH, or postgres://USER:PASSWORD@HOST:PORT/NAME",
        ));
    }
    let (key, Some(replica)) = ("database.replica_url", &config.database.replica_url) else { return };
    let replica = replica.expose_secret();
    if !is_server(replica) {
        findings.push(Finding::wrong(
            key,
            "it is not the address of a PostgreSQL server",
            "write postgres://USER:PASSWORD@HOST:PORT/NAME, or leave it out",
        ));
    } else if is_file {
        findings.push(Finding::wrong(
            key,
            "a SQLite database has no replicas",
            "leave it out, or keep the database on PostgreSQL",
        ));
    } else if url == replica {
        findings.push(Finding::risky(
            key,
            "it is the address of the database itself, which is no replica and would never serve as one",
            "write the address of a streaming replica, or leave it out",
        ));
    }
}

fn is_server(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}
