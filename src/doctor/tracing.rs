//! Whether the daily count of calls can be sent to PDND, and how far it has come.

use super::{Finding, Severity};
use crate::clock::Clock;
use crate::config::{Config, Tracing};
use crate::pdnd::daily::{Standing, standing};
use crate::pdnd::member::key_source;
use crate::store::Store;

pub(super) fn examine(config: &Config, store: Option<&Store>, clock: &Clock, findings: &mut Vec<Finding>) {
    for section in &config.tracing {
        let subject = format!("daily count of {}", section.name);
        if let Some(key) = key_source(section) {
            findings.push(match key.read() {
                Ok(_) => Finding::ok(&subject, "the key of its client can be used"),
                Err(error) => Finding::bad(
                    Severity::Error,
                    &subject,
                    format!("{error}: nothing can be sent"),
                    "name the PEM file of the private RSA key, readable by this account, in key_file",
                ),
            });
        }
        if let Some(store) = store {
            findings.push(progress(section, store, clock, &subject));
        }
    }
}

fn progress(section: &Tracing, store: &Store, clock: &Clock, subject: &str) -> Finding {
    if !section.daily {
        let meaning = "its files are not sent by `serve`";
        let remedy = "set daily = true, or send each day with `tracing submit` until 23:50 of the next";
        return Finding::bad(Severity::Warning, subject, meaning, remedy);
    }
    let now = clock.now();
    let Standing { owed, in_error, deadline, last_accepted, last_error } =
        match store.read(|connection| standing(connection, &section.name, now)) {
            Ok(standing) => standing,
            Err(error) => {
                let remedy = "see the finding on the database";
                return Finding::bad(Severity::Error, subject, error.to_string(), remedy);
            }
        };
    let last = match last_accepted {
        Some(day) => format!("PDND has counted days up to {day}"),
        None => "PDND has counted no day yet".to_owned(),
    };
    let Some(deadline) = deadline else {
        return Finding::ok(subject, format!("{last}; none is owed"));
    };
    let reason = last_error.map_or_else(String::new, |error| format!("; of the oldest: {error}"));
    let meaning = format!("{last}; {owed} owed, the oldest until {deadline}{reason}");
    let remedy = format!("see `tracing status --name {}`", section.name);
    if in_error > 0 || deadline <= now {
        Finding::bad(Severity::Error, subject, meaning, remedy)
    } else if reason.is_empty() {
        Finding::ok(subject, meaning)
    } else {
        Finding::bad(Severity::Warning, subject, meaning, remedy)
    }
}
