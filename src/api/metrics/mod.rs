//! `GET /metrics` on the back-office listener, for Prometheus: what an operator must not miss.
//!
//! Here: what this process counted since it started. What is the case at the moment of the request is measured in
//! [`state`]. `docs/metrics.md` lists both. No personal datum and no token is a label.

mod counts;
mod feed;
mod state;

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use metrics::{
    counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use super::service::Service;
use crate::call_log::EsitiTaken;
use crate::current::Current;

/// The text format of Prometheus.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the histogram of durations, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What this process counted. The recorder is its own: services in one process do not mix their figures.
pub(super) struct Metrics(PrometheusRecorder);

/// A call that was answered.
pub(super) struct Answered<'a> {
    /// Name of the e-service; none for a path outside all of them.
    pub(super) eservice: Option<&'a str>,
    /// What was asked for.
    pub(super) operation: &'static str,
    /// HTTP status.
    pub(super) status: u16,
    /// The check that the voucher failed.
    pub(super) voucher_check: Option<&'static str>,
    /// Flows that left.
    pub(super) flows: u32,
    /// How long it took.
    pub(super) duration: Duration,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let duration = Matcher::Full("waas_comuni_call_duration_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        // The bounds are not empty, which is all that can be wrong with them.
        let recorder = match builder.set_buckets_for_metric(duration, &BUCKETS) {
            Ok(builder) => builder.build_recorder(),
            Err(_) => PrometheusBuilder::new().build_recorder(),
        };
        with_local_recorder(&recorder, || {
            describe_counter!("waas_comuni_calls_total", "calls answered, by operation and status");
            describe_counter!(
                "waas_comuni_refusals_total",
                "calls whose voucher failed a check, by the check's code"
            );
            describe_counter!(
                "waas_comuni_calls_refused_for_address_total",
                "calls turned away because their address had too many refused"
            );
            describe_counter!(
                "waas_comuni_calls_shed_total",
                "calls turned away because there were too many at once"
            );
            describe_counter!("waas_comuni_flows_served_total", "flows that left in answers");
            describe_counter!(
                "waas_comuni_pages_ahead_total",
                "pages read before they were asked for, and those of them that were given"
            );
            describe_counter!(
                "waas_comuni_import_records_total",
                "records of files that staff loaded and of vendors' requests, by what became of them"
            );
            describe_counter!("waas_comuni_esiti_total", "outcomes taken from INPS, by their code");
            describe_histogram!("waas_comuni_call_duration_seconds", "time to answer, by operation");
            describe_counter!(
                "waas_comuni_config_reloads_total",
                "configurations that were read again, by what became of them"
            );
            describe_gauge!(
                "waas_comuni_config_last_reload_successful",
                "0 if the last configuration that was read again was refused: the one before is in force"
            );
            gauge!("waas_comuni_config_last_reload_successful").set(1.0);
        });
        Self(recorder)
    }

    pub(super) fn answered(&self, call: &Answered<'_>) {
        let eservice = call.eservice.unwrap_or_default().to_owned();
        with_local_recorder(&self.0, || {
            counter!(
                "waas_comuni_calls_total",
                "eservice" => eservice.clone(),
                "operation" => call.operation,
                "status" => call.status.to_string()
            )
            .increment(1);
            histogram!("waas_comuni_call_duration_seconds", "operation" => call.operation)
                .record(call.duration);
            if let Some(check) = call.voucher_check {
                counter!("waas_comuni_refusals_total", "eservice" => eservice.clone(), "check" => check)
                    .increment(1);
            }
            if call.flows > 0 {
                counter!("waas_comuni_flows_served_total", "eservice" => eservice)
                    .increment(u64::from(call.flows));
            }
        });
    }

    /// A page that was `read` ahead, or `given` to who asked for it.
    pub(super) fn page_ahead(&self, step: &'static str) {
        with_local_recorder(&self.0, || {
            counter!("waas_comuni_pages_ahead_total", "step" => step).increment(1);
        });
    }

    pub(super) fn esiti(&self, eservice: &str, taken: &EsitiTaken) {
        with_local_recorder(&self.0, || {
            for (code, count) in &taken.by_code {
                counter!("waas_comuni_esiti_total", "eservice" => eservice.to_owned(), "codice" => code.clone())
                    .increment(u64::try_from(*count).unwrap_or_default());
            }
        });
    }

    /// Records that came in a file or a request and were taken, and those that were refused.
    pub(super) fn imported(&self, eservice: &str, taken: u64, refused: u64) {
        with_local_recorder(&self.0, || {
            for (result, records) in [("taken", taken), ("refused", refused)] {
                let eservice = eservice.to_owned();
                counter!("waas_comuni_import_records_total", "eservice" => eservice, "result" => result)
                    .increment(records);
            }
        });
    }

    pub(super) fn reloaded(&self, taken: bool) {
        with_local_recorder(&self.0, || {
            let result = if taken { "taken" } else { "refused" };
            counter!("waas_comuni_config_reloads_total", "result" => result).increment(1);
            gauge!("waas_comuni_config_last_reload_successful").set(f64::from(u8::from(taken)));
        });
    }

    pub(super) fn refused_for_address(&self, calls: u32) {
        with_local_recorder(&self.0, || {
            counter!("waas_comuni_calls_refused_for_address_total").increment(u64::from(calls));
        });
    }

    pub(super) fn shed(&self) {
        with_local_recorder(&self.0, || counter!("waas_comuni_calls_shed_total").increment(1));
    }

    /// Folds what histograms gathered, which would otherwise wait in memory for the next request.
    pub(super) fn fold(&self) {
        self.0.handle().run_upkeep();
    }
}

pub(super) async fn get(service: Data<Current<Service>>) -> HttpResponse {
    let service = service.get();
    let mut text = service.metrics.0.handle().render();
    text.push_str(&state::measure(&service).await);
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(text)
}
