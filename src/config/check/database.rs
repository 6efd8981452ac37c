//! What is wrong with or risky about the addresses of the database and of its replica.
//!
//! Whoever cannot read an address may repeat a part of it when it says so, and that part may be of a password: an address
//! in which one would be mistaken for something else goes no further than here.

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
    } else if !is_file && !is_readable(url) {
        findings.push(unreadable("database.url"));
    }
    let (key, Some(replica)) = ("database.replica_url", &config.database.replica_url) else { return };
    let replica = replica.expose_secret();
    if !is_server(replica) {
        findings.push(Finding::wrong(
            key,
            "it is not the address of a PostgreSQL server",
            "write postgres://USER:PASSWORD@HOST:PORT/NAME, or leave it out",
        ));
    } else if !is_readable(replica) {
        findings.push(unreadable(key));
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

fn unreadable(key: &str) -> Finding {
    Finding::wrong(
        key,
        "its user, password, host and port cannot be told apart",
        "in a name or password write %40 for @, %3A for :, %2F for /, %3F for ?, %25 for %",
    )
}

/// Whether the parts of a server's address can be told apart.
pub(crate) fn is_readable(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let after = rest.strip_prefix(authority).unwrap_or_default();
    let hosts = authority.split_once('@').map_or(authority, |(_, hosts)| hosts);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let has_port = |host: &str| {
        let after_address = host.rsplit_once(']').map_or(host, |(_, after)| after);
        after_address.split_once(':').is_none_or(|(_, port)| is_port(port))
    };
    let is_code = |after: &str| {
        let mut digits = after.bytes().take(2);
        let mut is_digit = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        is_digit() && is_digit()
    };
    url.split('%').skip(1).all(is_code)
        && !hosts.contains('@')
        && !after.contains('@')
        && hosts.split(',').all(has_port)
}
