//! What the calls share: the rooms that answer them, and the e-services.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::web::Bytes;

use super::admission::Admission;
use super::ahead::Ahead;
use super::limit::AddressLimit;
use super::metrics::Metrics;
use super::route::Routes;
use crate::call_log::{Appender, Limits, Quota};
use crate::clock::Clock;
use crate::codes::RulesInForce;
use crate::config::check::Network;
use crate::config::{self, Config};
use crate::registry::Registry;
use crate::store::{EserviceId, Store};
use crate::telemetry::span::Exporter;
use crate::voucher::Verifier;

/// How long the figures told to a caller who is not known yet may be old.
const QUOTA_AGE: Duration = Duration::from_secs(5);

/// What the calls share, as one configuration says. A call keeps that in which it began.
pub(super) struct Service {
    pub(super) routes: Routes<EService>,
    pub(super) registry: Registry,
    pub(super) appender: Appender,
    pub(super) clock: Clock,
    pub(super) trusted_proxies: Vec<Network>,
    pub(super) limit: Arc<AddressLimit>,
    pub(super) admission: Arc<Admission>,
    /// Pages that were read before they are asked for, where that is configured.
    pub(super) ahead: Option<Arc<Ahead>>,
    pub(super) over_tls: bool,
    pub(super) rules: Arc<RulesInForce>,
    /// Names of the `[[tracing]]` sections whose files are sent every day.
    pub(super) daily_counts: Vec<String>,
    pub(super) store: Store,
    pub(super) metrics: Arc<Metrics>,
    /// Who is told of each call, where a collector is configured.
    pub(super) spans: Option<Arc<Exporter>>,
    /// When the last look whether calls can be answered began, and what it found.
    looked: Arc<tokio::sync::Mutex<Option<(Instant, bool)>>>,
}

impl Service {
    /// The service that `config` describes, with these e-services.
    pub(super) fn new(
        config: &Config,
        eservices: Vec<EService>,
        store: Store,
        clock: Clock,
        appender: Appender,
    ) -> Self {
        let registry = Registry::new(store.clone(), clock.clone());
        let metrics = Arc::new(Metrics::new());
        Self {
            routes: Routes::new(
                eservices.into_iter().map(|eservice| (eservice.config.base_path.clone(), eservice)),
            ),
            ahead: ahead(config, &registry, &metrics),
            registry,
            appender,
            clock,
            trusted_proxies: config
                .api
                .trusted_proxies
                .iter()
                .filter_map(|text| Network::parse(text))
                .collect(),
            limit: Arc::new(AddressLimit::new(config.api.refused_calls_per_minute)),
            admission: Arc::new(Admission::new(config.api.calls_in_flight)),
            over_tls: config.api.tls.is_some(),
            rules: Arc::new(RulesInForce::new(config, store.clone())),
            daily_counts: config.tracing.iter().filter(|one| one.daily).map(|one| one.name.clone()).collect(),
            store,
            metrics,
            spans: None,
            looked: Arc::default(),
        }
    }

    /// The service as `config` and these e-services make it: what was counted until then goes on.
    pub(super) fn under(&self, config: &Config, eservices: Vec<EService>) -> Self {
        let (store, clock, appender) = (self.store.clone(), self.clock.clone(), self.appender.clone());
        self.limit.allow(config.api.refused_calls_per_minute);
        let other = Self::new(config, eservices, store, clock, appender);
        Self {
            limit: Arc::clone(&self.limit),
            admission: Arc::clone(&self.admission),
            ahead: ahead(config, &other.registry, &self.metrics),
            metrics: Arc::clone(&self.metrics),
            spans: self.spans.clone(),
            looked: Arc::clone(&self.looked),
            ..other
        }
    }

    /// Whether calls can be answered: the database answers, and the call log was written when it last had to be. Those
    /// who ask during a look share the next one, so that however many ask, the database is asked once at a time.
    pub(super) async fn works(&self) -> bool {
        let asked = Instant::now();
        let mut looked = self.looked.lock().await;
        if let Some((began, works)) = *looked
            && began >= asked
        {
            return works;
        }
        let began = Instant::now();
        let answers = match self.store.ping_async().await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, "the database does not answer");
                false
            }
        };
        let works = answers && self.appender.is_writable();
        *looked = Some((began, works));
        works
    }
}

/// What reads pages ahead, where `config` asks for it.
fn ahead(config: &Config, registry: &Registry, metrics: &Arc<Metrics>) -> Option<Arc<Ahead>> {
    config.api.read_ahead.then(|| Arc::new(Ahead::new(registry.clone(), Arc::clone(metrics))))
}

/// One e-service, ready to answer.
pub(super) struct EService {
    pub(super) config: config::EService,
    pub(super) id: EserviceId,
    pub(super) verifier: Verifier,
    pub(super) limits: Limits,
    pub(super) openapi: Bytes,
    pub(super) total: Mutex<Option<(Instant, Quota)>>,
}

impl EService {
    /// The figures of all consumers together, some seconds old at most: a storm of calls without a voucher costs one
    /// look into the database now and then.
    pub(super) async fn total_quota(&self, service: &Service) -> Option<Quota> {
        let known = *self.total.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, quota)) = known
            && at.elapsed() < QUOTA_AGE
        {
            return Some(quota);
        }
        let quota = service.appender.quota(self.id, None, self.limits).await.ok()?;
        *self.total.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), quota));
        Some(quota)
    }
}
