//! What is the case when it is asked: database, keys, accepted risks, and what [`feed`] and [`counts`] tell.
//!
//! Each request measures anew, into a recorder of its own: there is no state to keep, and what is not there any longer
//! is not shown.

use metrics::{counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;

use super::counts::{self, Standings};
use super::feed::{self, Feeds};
use crate::api::service::{EService, Service};
use crate::config::Environment;
use crate::store::{EserviceId, StoreError};

/// What the database tells.
#[derive(Default)]
struct Figures {
    feeds: Feeds,
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
        feed::describe();
        counts::describe();
        gauge!("waas_comuni_database_up").set(f64::from(u8::from(figures.is_some())));
        if let Some(replica) = service.store.replica() {
            gauge!("waas_comuni_replica_up").set(f64::from(u8::from(replica.serves)));
            counter!("waas_comuni_replica_fallbacks_total").absolute(replica.fallbacks);
        }
        let figures = figures.unwrap_or_default();
        counts::measure(&figures.counts, service.clock.now());
        feed::measure_others(&figures.feeds);
        for eservice in service.routes.iter() {
            risks(eservice);
            keys(service, eservice);
            feed::measure(eservice, &figures.feeds);
        }
    });
    recorder.handle().render()
}

async fn figures(service: &Service) -> Result<Figures, StoreError> {
    let ids: Vec<EserviceId> = service.routes.iter().map(|eservice| eservice.id).collect();
    let (sections, now) = (service.daily_counts.clone(), service.clock.now());
    let read = service.store.read_async(move |connection| {
        Ok(Figures {
            feeds: feed::read(connection, ids, now)?,
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
