//! What is the case when it is asked: database, keys, accepted risks, feeds, call logs, daily counts.
//!
//! Each request measures anew, into a recorder of its own: there is no state to keep, and what is not there any longer
//! is not shown.

use std::collections::BTreeMap;

use metrics::{counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;

use super::counts::{self, Standings};
use crate::api::service::{EService, Service};
use crate::call_log::{self, Progress};
use crate::config::Environment;
use crate::registry::{self, Gap, gap};
use crate::store::{EserviceId, StoreError};

/// What the database tells.
#[derive(Default)]
struct Figures {
    heads: BTreeMap<EserviceId, i64>,
    gaps: Vec<(String, Gap)>,
    logs: BTreeMap<i64, i64>,
    progress: BTreeMap<EserviceId, Progress>,
    counts: Standings,
}

pub(super) async fn measure(service: &Service) -> String {
    let figures = match figures(service).await {
        Ok(figures) => Some(figures),
        Err(error) => {
            tracing::error!(%error, "the figures of the database cannot be read");
            None
        }
    };
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        describe();
        counts::describe();
        gauge!("waas_comuni_database_up").set(f64::from(u8::from(figures.is_some())));
        if let Some(replica) = service.store.replica() {
            gauge!("waas_comuni_replica_up").set(f64::from(u8::from(replica.serves)));
            counter!("waas_comuni_replica_fallbacks_total").absolute(replica.fallbacks);
        }
        let figures = figures.unwrap_or_default();
        counts::measure(&figures.counts, service.clock.now());
        if let Some(size) = figures.logs.get(&0) {
            counter!("waas_comuni_call_log_entries_total", "eservice" => "").absolute(unsigned(*size));
        }
        for eservice in service.routes.iter() {
            risks(eservice);
            keys(service, eservice);
            feed(eservice, &figures);
        }
    });
    recorder.handle().render()
}

async fn figures(service: &Service) -> Result<Figures, StoreError> {
    let ids: Vec<EserviceId> = service.routes.iter().map(|eservice| eservice.id).collect();
    let (sections, now) = (service.daily_counts.clone(), service.clock.now());
    let read = service.store.read_async(move |connection| {
        let mut progress = BTreeMap::new();
        for id in ids {
            progress.extend(call_log::progress(connection, id)?.map(|progress| (id, progress)));
        }
        Ok(Figures {
            heads: registry::heads(connection)?,
            gaps: gap::gaps(connection)?,
            logs: call_log::sizes(connection)?,
            progress,
            counts: counts::read(connection, sections, now)?,
        })
    });
    read.await
}

fn describe() {
    describe_gauge!("waas_comuni_replica_up", "1 if the read replica served the last page asked of it");
    describe_counter!(
        "waas_comuni_replica_fallbacks_total",
        "pages that the database served because the replica could not"
    );
    describe_gauge!("waas_comuni_database_up", "1 if the database answers");
    describe_gauge!(
        "waas_comuni_accepted_risk",
        "1 for each risk that the configuration of an e-service accepts"
    );
    describe_gauge!("waas_comuni_issuer_keys", "keys of the issuer that can verify a voucher");
    describe_gauge!("waas_comuni_issuer_keys_age_seconds", "time since the issuer's keys were fetched");
    describe_gauge!(
        "waas_comuni_feed_gaps",
        "stretches of a feed in which flows may be missing, since a backup was restored"
    );
    describe_gauge!(
        "waas_comuni_feed_head_timestamp_seconds",
        "timestamp of the last flow published, in seconds since the epoch"
    );
    describe_gauge!(
        "waas_comuni_feed_cursor_timestamp_seconds",
        "timestamp up to which the last pull has the flows, in seconds since the epoch"
    );
    describe_gauge!(
        "waas_comuni_last_pull_timestamp_seconds",
        "instant of the last pull that was answered, in seconds since the epoch"
    );
    describe_counter!(
        "waas_comuni_call_log_entries_total",
        "entries of a call log; without an e-service, of the calls outside any"
    );
}

fn risks(eservice: &EService) {
    let config = &eservice.config;
    if config.environment == Environment::Locale {
        return;
    }
    for (risk, accepted) in [
        ("vouchers_of_any_eservice", config.accept_vouchers_of_any_eservice),
        ("any_consumer", config.accept_any_consumer),
    ] {
        if accepted {
            gauge!("waas_comuni_accepted_risk", "eservice" => config.name.clone(), "risk" => risk).set(1.0);
        }
    }
}

fn keys(service: &Service, eservice: &EService) {
    let name = || eservice.config.name.clone();
    let keys = eservice.verifier.keys().status();
    let count = u32::try_from(keys.keys).unwrap_or(u32::MAX);
    gauge!("waas_comuni_issuer_keys", "eservice" => name()).set(f64::from(count));
    if let Some(fetched) = keys.fetched {
        let age = service.clock.now().duration_since(fetched).as_secs_f64();
        gauge!("waas_comuni_issuer_keys_age_seconds", "eservice" => name()).set(age);
    }
}

fn feed(eservice: &EService, figures: &Figures) {
    let name = || eservice.config.name.clone();
    let head = figures.heads.get(&eservice.id).copied().filter(|head| *head > 0);
    if let Some(head) = head {
        gauge!("waas_comuni_feed_head_timestamp_seconds", "eservice" => name()).set(seconds(head));
    }
    let gaps = figures.gaps.iter().filter(|(of, _)| *of == eservice.config.name).count();
    gauge!("waas_comuni_feed_gaps", "eservice" => name())
        .set(f64::from(u32::try_from(gaps).unwrap_or(u32::MAX)));
    if let Some(progress) = figures.progress.get(&eservice.id) {
        // A cursor beyond every flow is legal, and says nothing more than that there is nothing left.
        gauge!("waas_comuni_feed_cursor_timestamp_seconds", "eservice" => name())
            .set(seconds(progress.position.min(head.unwrap_or(i64::MAX))));
        gauge!("waas_comuni_last_pull_timestamp_seconds", "eservice" => name())
            .set(seconds(progress.instant.as_millisecond()));
    }
    if let Some(size) = figures.logs.get(&eservice.id.get()) {
        counter!("waas_comuni_call_log_entries_total", "eservice" => name()).absolute(unsigned(*size));
    }
}

/// Milliseconds as seconds, which is Prometheus's unit.
fn seconds(millis: i64) -> f64 {
    jiff::SignedDuration::from_millis(millis).as_secs_f64()
}

fn unsigned(figure: i64) -> u64 {
    u64::try_from(figure).unwrap_or_default()
}
