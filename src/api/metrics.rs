//! `GET /metrics` on the back-office listener, for Prometheus: what an operator must not miss.
//!
//! Each request measures anew, into a recorder of its own: there is no state to keep, and nothing that one service
//! could mix with another's in the same process. No personal datum and no token is a label.

use actix_web::HttpResponse;
use actix_web::web::Data;
use metrics::{describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;

use super::service::Service;
use crate::config::Environment;
use crate::registry::Gap;

/// The text format of Prometheus.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn get(service: Data<Service>) -> HttpResponse {
    let gaps = service.registry.gaps_async().await;
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || measure(&service, gaps.ok().as_deref()));
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(recorder.handle().render())
}

/// `gaps`: none if the database does not answer.
fn measure(service: &Service, gaps: Option<&[(String, Gap)]>) {
    describe_gauge!("waas_comuni_database_up", "1 if the database answers");
    gauge!("waas_comuni_database_up").set(f64::from(u8::from(gaps.is_some())));
    describe_gauge!(
        "waas_comuni_feed_gaps",
        "stretches of a feed in which flows may be missing, since a backup was restored"
    );
    describe_gauge!(
        "waas_comuni_accepted_risk",
        "1 for each risk that the configuration of an e-service accepts"
    );
    describe_gauge!("waas_comuni_issuer_keys", "keys of the issuer that can verify a voucher");
    describe_gauge!("waas_comuni_issuer_keys_age_seconds", "time since the issuer's keys were fetched");
    let now = service.clock.now();
    for eservice in service.routes.iter() {
        let config = &eservice.config;
        if config.environment != Environment::Locale {
            for (risk, accepted) in [
                ("vouchers_of_any_eservice", config.accept_vouchers_of_any_eservice),
                ("any_consumer", config.accept_any_consumer),
            ] {
                if accepted {
                    gauge!("waas_comuni_accepted_risk", "eservice" => config.name.clone(), "risk" => risk)
                        .set(1.0);
                }
            }
        }
        if let Some(gaps) = gaps {
            let count = gaps.iter().filter(|(name, _)| *name == config.name).count();
            let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            gauge!("waas_comuni_feed_gaps", "eservice" => config.name.clone()).set(count);
        }
        let keys = eservice.verifier.keys().status();
        let count = u32::try_from(keys.keys).unwrap_or(u32::MAX);
        gauge!("waas_comuni_issuer_keys", "eservice" => config.name.clone()).set(f64::from(count));
        if let Some(fetched) = keys.fetched {
            let age = now.duration_since(fetched).as_secs_f64();
            gauge!("waas_comuni_issuer_keys_age_seconds", "eservice" => config.name.clone()).set(age);
        }
    }
}
