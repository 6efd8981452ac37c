//! Checkpoints while the service runs: at its start, every so many minutes, and when it stops; and their way to a
//! witness. Whatever fails is logged and tried again, and holds up nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::writer::{Checkpointer, Written};
use crate::config::Config;

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// How long a witness may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where checkpoints are sent, by `POST`.
pub struct Witness {
    agent: ureq::Agent,
    url: String,
}

impl Witness {
    /// The witness of the configuration, if it names one.
    #[must_use]
    pub fn open(config: &Config) -> Option<Self> {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let agent =
            ureq::Agent::config_builder().max_redirects(0).timeout_global(Some(TIMEOUT)).tls_config(tls);
        Some(Self { agent: agent.build().new_agent(), url: config.call_log.witness_url.clone()? })
    }

    /// Sends a note. Blocks.
    pub fn send(&self, note: &str) -> Result<(), Box<ureq::Error>> {
        self.agent.post(&self.url).content_type("text/plain; charset=utf-8").send(note)?;
        Ok(())
    }
}

/// Writes checkpoints until it is stopped.
pub struct Schedule {
    work: Arc<Work>,
    task: JoinHandle<()>,
}

struct Work {
    checkpointer: Checkpointer,
    witness: Option<Witness>,
}

impl Schedule {
    /// Begins. Needs a tokio runtime.
    #[must_use]
    pub fn start(config: &Config, checkpointer: Checkpointer) -> Self {
        let work = Arc::new(Work { checkpointer, witness: Witness::open(config) });
        let every = Duration::from_secs(60 * u64::from(config.call_log.checkpoint_minutes.max(1)));
        let task = tokio::spawn(run(Arc::clone(&work), every));
        Self { work, task }
    }

    /// Writes what has grown, and ends.
    pub async fn stop(self) {
        self.task.abort();
        let last = spawn_blocking(move || {
            let mut unsent = BTreeMap::new();
            self.work.round(&mut unsent);
            self.work.send(&mut unsent);
        });
        if last.await.is_err() {
            tracing::error!("the last checkpoints were interrupted");
        }
    }
}

async fn run(work: Arc<Work>, every: Duration) {
    // The newest note of each log that the witness has not taken.
    let mut unsent = BTreeMap::new();
    let mut due = Instant::now();
    loop {
        let now = Instant::now();
        let worker = Arc::clone(&work);
        let done = spawn_blocking(move || {
            let written = now < due || worker.round(&mut unsent);
            worker.send(&mut unsent);
            (written, unsent)
        });
        let Ok((written, left)) = done.await else { return };
        unsent = left;
        if now >= due {
            due = now + if written { every } else { RETRY };
        }
        sleep(RETRY.min(due.saturating_duration_since(Instant::now()))).await;
    }
}

impl Work {
    /// Returns whether it could be done.
    fn round(&self, unsent: &mut BTreeMap<String, String>) -> bool {
        match self.checkpointer.round() {
            Ok(round) => {
                for Written { checkpoint, note } in round.written {
                    tracing::info!(
                        origin = checkpoint.origin,
                        size = checkpoint.size,
                        "checkpoint of the call log"
                    );
                    if self.witness.is_some() {
                        unsent.insert(checkpoint.origin, note);
                    }
                }
                for log in round.shorter {
                    tracing::error!("{log}");
                }
                true
            }
            Err(error) => {
                tracing::error!(%error, "checkpoints of the call log cannot be written");
                false
            }
        }
    }

    fn send(&self, unsent: &mut BTreeMap<String, String>) {
        let Some(witness) = &self.witness else { return };
        unsent.retain(|origin, note| match witness.send(note) {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!(origin, %error, "the witness did not take a checkpoint");
                true
            }
        });
    }
}
