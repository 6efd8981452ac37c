//! What a configuration becomes before any of it is in force, at the start and at a reload: whatever can fail, fails
//! here.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex};

use super::openapi;
use super::server::StartError;
use super::service::{EService, Service};
use crate::call_log::Limits;
use crate::call_log::seal::writer::Checkpointer;
use crate::clock::Clock;
use crate::config::Config;
use crate::console::Served;
use crate::store::{EserviceId, Store};
use crate::voucher::Verifier;
use crate::voucher::keys::{Fetch, HttpsOrFile, KeySet, Refresher};

/// The e-services and what signs their logs.
pub(super) struct Prepared {
    pub(super) eservices: Vec<EService>,
    pub(super) checkpointer: Option<Checkpointer>,
}

impl Prepared {
    /// What the console shows of them.
    pub(super) fn served(&self) -> Vec<Served> {
        let served = |eservice: &EService| Served {
            id: eservice.id,
            config: eservice.config.clone(),
            keys: eservice.verifier.keys().clone(),
        };
        self.eservices.iter().map(served).collect()
    }

    /// Those for whom files may be loaded.
    pub(super) fn known(&self) -> Vec<(EserviceId, crate::config::EService)> {
        self.eservices.iter().map(|eservice| (eservice.id, eservice.config.clone())).collect()
    }
}

/// Makes ready what `config` describes. Keys at an address that `former` has are shared with it; the others are fetched
/// a first time.
pub(super) async fn prepare(
    config: &Config,
    store: &Store,
    clock: &Clock,
    former: Option<&Service>,
) -> Result<Prepared, StartError> {
    let (config, store, clock) = (config.clone(), store.clone(), clock.clone());
    let known: HashMap<String, KeySet> = former
        .into_iter()
        .flat_map(|service| service.routes.iter())
        .flat_map(|eservice| eservice.verifier.key_sets())
        .map(|keys| (keys.status().url, keys.clone()))
        .collect();
    let work = move || {
        let checkpointer = Checkpointer::open(&config, store.clone(), clock.clone())?;
        let fetch: Arc<dyn Fetch> = Arc::new(HttpsOrFile::default());
        let verifiers = Verifier::all(&config, &fetch, &store, &clock, &known)?;
        let names: Vec<&str> = config.eservice.iter().map(|eservice| eservice.name.as_str()).collect();
        let ids = store.register_eservices(&names)?;
        let mut eservices = Vec::with_capacity(verifiers.len());
        for ((eservice, verifier), id) in config.eservice.iter().zip(verifiers).zip(ids) {
            eservices.push(EService {
                id,
                verifier,
                limits: Limits {
                    per_consumer: eservice.daily_calls_per_consumer,
                    total: eservice.daily_calls_total,
                },
                openapi: openapi::document(eservice, config.api.public_url.as_deref()).into(),
                total: Mutex::new(None),
                config: eservice.clone(),
            });
        }
        Ok::<_, StartError>(Prepared { eservices, checkpointer })
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// What keeps the keys of some e-services fresh, by the keys' address.
pub(super) type Refreshers = BTreeMap<String, Refresher>;

/// Fetches the keys of `eservices` a first time, and keeps them fresh; those in `former` already are.
pub(super) async fn keep_fresh(eservices: &[EService], mut former: Refreshers) -> Refreshers {
    let mut refreshers = Refreshers::new();
    for keys in eservices.iter().flat_map(|eservice| eservice.verifier.key_sets()) {
        let url = keys.status().url;
        if refreshers.contains_key(&url) {
            continue;
        }
        if let Some(refresher) = former.remove(&url) {
            refreshers.insert(url, refresher);
            continue;
        }
        keys.refresh_if_due().await;
        let status = keys.status();
        match &status.failure {
            Some(failure) => {
                tracing::error!(url, failure, keys = status.keys, "keys cannot be fetched");
            }
            None => tracing::info!(url, keys = status.keys, "keys are at hand"),
        }
        refreshers.insert(url, keys.keep_fresh());
    }
    refreshers
}
