//! Whether every issuer's keys can be fetched, how old those in use are, and whether the clock agrees with the issuer's.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use tokio::runtime::Runtime;

use super::{Finding, Severity};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;
use crate::voucher::keys::{HttpsOrFile, KeyCache, KeySet};

/// Keys older than this may well have been withdrawn.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// Seconds by which clocks may differ before vouchers are refused, and before it is worth a word. The issuer's is known
/// to the second.
const REFUSED: i64 = 5;
const NOTABLE: i64 = 2;

pub(super) fn examine(
    config: &Config,
    store: Option<&Store>,
    clock: &Clock,
    runtime: &Runtime,
    findings: &mut Vec<Finding>,
) {
    let fetch = Arc::new(HttpsOrFile::default());
    let of_issuers = config.eservice.iter().filter_map(|eservice| eservice.jwks_url());
    let of_consumers = config.eservice.iter().filter_map(|eservice| eservice.audit_jwks_url.as_deref());
    let urls: BTreeSet<&str> = of_issuers.chain(of_consumers).collect();
    for url in &urls {
        let cache: Arc<dyn KeyCache> = match store {
            Some(store) => Arc::new(store.clone()),
            None => Arc::new(()),
        };
        let keys = KeySet::open(url, Arc::<HttpsOrFile>::clone(&fetch), cache, clock.clone());
        runtime.block_on(keys.refresh_if_due());
        let status = keys.status();
        let subject = format!("keys at {url}");
        let age = status.fetched.map(|fetched| clock.now().duration_since(fetched));
        findings.push(match (status.failure, age) {
            (None, _) => Finding::ok(subject, format!("{} keys, fetched this moment", status.keys)),
            (Some(failure), Some(age)) => Finding::bad(
                if age < STALE { Severity::Warning } else { Severity::Error },
                &subject,
                format!(
                    "they cannot be fetched ({failure}); {} keys fetched {} hours ago are in use, and one that was \
                     withdrawn since still works",
                    status.keys,
                    age.as_hours()
                ),
                "see that this machine reaches the address, through whatever firewall or proxy is between",
            ),
            (Some(failure), None) => Finding::bad(
                Severity::Error,
                &subject,
                format!("there are none ({failure}): every call is answered 503"),
                "see that this machine reaches the address, through whatever firewall or proxy is between",
            ),
        });
    }
    if let Some(url) = urls.iter().find(|url| url.starts_with("https://")) {
        clocks(&fetch, url, clock, findings);
    }
}

fn clocks(fetch: &HttpsOrFile, url: &str, clock: &Clock, findings: &mut Vec<Finding>) {
    const SUBJECT: &str = "clock";
    const REMEDY: &str = "let the machine follow a time server (chrony, systemd-timesyncd)";
    // A server that cannot be reached has a finding of its own.
    let Ok(Some(theirs)) = fetch.date(url) else { return };
    let ahead = clock.now().duration_since(theirs).as_secs();
    let meaning = format!("it differs from that of {url} by {} seconds", ahead.abs());
    findings.push(if ahead.abs() <= NOTABLE {
        Finding::ok(SUBJECT, meaning)
    } else if ahead.abs() <= REFUSED {
        Finding::bad(Severity::Warning, SUBJECT, meaning, REMEDY)
    } else {
        Finding::bad(Severity::Error, SUBJECT, meaning + ": good vouchers are refused", REMEDY)
    });
}
