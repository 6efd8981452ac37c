//! Another configuration for a service that runs: taken over as a whole, or refused as a whole.
//!
//! What can fail is done first, beside the calls; what follows cannot fail. A call that has begun keeps the e-services,
//! limits and rules that it began with, so no call is lost or sees half of each.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::jobs::Jobs;
use super::prepare::{keep_fresh, prepare};
use super::server::{Running, StartError, judge};
use super::service::Service;
use super::tls;
use crate::config::check::Finding;
use crate::config::restart::needs_restart;
use crate::config::{Config, ConfigError};

/// Why another configuration was not taken over. The one before stays in force, all of it.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Its files cannot be read.
    #[error("{0}")]
    Unreadable(#[from] ConfigError),
    /// It has findings that forbid it.
    #[error("the configuration is wrong")]
    Wrong(Vec<Finding>),
    /// It changes what only a restart changes: the keys.
    #[error("only a restart changes {}: restart the service, or put the former values back", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// What it describes cannot be made ready.
    #[error("{0}")]
    Start(#[from] StartError),
}

impl Running {
    /// Takes over what was read as the configuration, and tells the log and the metrics what became of it.
    pub async fn reload(&mut self, read: Result<Config, ConfigError>) -> Result<(), ReloadError> {
        let taken = match read {
            Ok(config) => self.take_over(config).await,
            Err(error) => Err(error.into()),
        };
        self.service.get().metrics.reloaded(taken.is_ok());
        if let Err(error) = &taken {
            if let ReloadError::Wrong(findings) = error {
                for finding in findings {
                    let Finding { message, remedy, .. } = finding;
                    tracing::error!(key = finding.subject(), remedy, "{message}");
                }
            }
            tracing::error!(%error, "the configuration was not reloaded: the one before stays in force");
        }
        taken
    }

    async fn take_over(&mut self, config: Config) -> Result<(), ReloadError> {
        judge(&config).map_err(ReloadError::Wrong)?;
        let keys = needs_restart(&self.config, &config);
        if !keys.is_empty() {
            return Err(ReloadError::NeedsRestart(keys));
        }
        let former = self.service.get();
        let prepared = prepare(&config, &former.store, &former.clock, Some(&former)).await?;
        let contexts = {
            let files = [config.api.tls.clone(), config.back_office.tls.clone()];
            let read = move || {
                let [api, back_office] = files.map(|files| {
                    files.map(|files| tls::context(&files).map(|context| (files, context))).transpose()
                });
                Ok::<_, StartError>([api?, back_office?])
            };
            tokio::task::spawn_blocking(read).await.map_err(io::Error::other).map_err(StartError::from)??
        };
        let refreshers = keep_fresh(&prepared.eservices, std::mem::take(&mut self.jobs.refreshers)).await;

        let console = self.console.get().under(&config, prepared.served());
        let known = prepared.known();
        let service = former.under(&config, prepared.eservices);
        tell(&former, &service);
        for (certificate, context) in self.certificates.iter_mut().zip(contexts) {
            if let (Some(certificate), Some((files, context))) = (certificate, context) {
                certificate.replace(&files, context);
            }
        }
        self.uploads.assign(Arc::clone(&service.rules), known);
        let (store, clock) = (service.store.clone(), service.clock.clone());
        self.service.replace(service);
        self.console.replace(console);
        std::mem::take(&mut self.jobs).stop().await;
        self.jobs = Jobs::start(&config, prepared.checkpointer, refreshers, &store, &clock);
        self.config = config;
        Ok(())
    }
}

/// Logs what changed.
fn tell(former: &Service, service: &Service) {
    let names = |service: &Service| -> BTreeSet<String> {
        service.routes.iter().map(|eservice| eservice.config.name.clone()).collect()
    };
    let (before, after) = (names(former), names(service));
    let added: Vec<_> = after.difference(&before).collect();
    let removed: Vec<_> = before.difference(&after).collect();
    tracing::info!(eservices = after.len(), ?added, ?removed, "the configuration was reloaded");
}
