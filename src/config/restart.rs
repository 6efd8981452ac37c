//! What of the configuration only a restart changes: where the process listens, where its database is, and how
//! connections to both are made.

use secrecy::ExposeSecret;

use super::{Api, BackOffice, Config, Database};

/// The keys whose values differ in a way that a process cannot follow while it runs.
#[must_use]
pub fn needs_restart(in_force: &Config, other: &Config) -> Vec<&'static str> {
    // Every setting is named: a setting that is added has to be thought of here.
    let Config {
        database,
        api,
        back_office,
        call_log: _,
        retention: _,
        rules: _,
        sinba: _,
        telemetry,
        eservice: _,
        tracing: _,
    } = in_force;
    let Database {
        url,
        url_file: _,
        replica_url,
        replica_url_file: _,
        connections,
        timeout_seconds,
        startup_seconds: _,
    } = database;
    let Api {
        bind,
        public_url: _,
        trusted_proxies: _,
        refused_calls_per_minute: _,
        calls_in_flight,
        read_ahead: _,
        remember_signatures: _,
        connections: api_connections,
        stalled_seconds,
        tls,
        shutdown_seconds,
    } = api;
    let BackOffice {
        bind: back_office_bind,
        public_url: _,
        trusted_proxies: _,
        identity_header: _,
        upload_megabytes: _,
        tls: back_office_tls,
    } = back_office;
    let replica =
        |url: &Option<secrecy::SecretString>| url.as_ref().map(|url| url.expose_secret().to_owned());
    [
        ("database.url", url.expose_secret() != other.database.url.expose_secret()),
        ("database.replica_url", replica(replica_url) != replica(&other.database.replica_url)),
        ("database.connections", *connections != other.database.connections),
        ("database.timeout_seconds", *timeout_seconds != other.database.timeout_seconds),
        ("api.bind", *bind != other.api.bind),
        ("api.calls_in_flight", *calls_in_flight != other.api.calls_in_flight),
        ("api.connections", *api_connections != other.api.connections),
        ("api.stalled_seconds", *stalled_seconds != other.api.stalled_seconds),
        ("api.tls", tls.is_some() != other.api.tls.is_some()),
        ("api.shutdown_seconds", *shutdown_seconds != other.api.shutdown_seconds),
        ("telemetry.otlp_traces_url", telemetry.otlp_traces_url != other.telemetry.otlp_traces_url),
        ("back_office.bind", *back_office_bind != other.back_office.bind),
        ("back_office.tls", back_office_tls.is_some() != other.back_office.tls.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}
