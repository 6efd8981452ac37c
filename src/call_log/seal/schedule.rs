//! Checkpoints while the service runs: at its start, every so many minutes, and when it stops; and their way to a
//! witness. Whatever fails is logged and tried again, and holds up nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// The newest note of each log that the witness has not taken.
    unsent: Mutex<BTreeMap<String, String>>,
}

impl Schedule {
    /// Begins. Needs a tokio runtime.
    #[must_use]
    pub fn start(config: &Config, checkpointer: Checkpointer) -> Self {
        let work = Arc::new(Work { checkpointer, witness: Witness::open(config), unsent: Mutex::default() });
        let every = Duration::from_secs(60 * u64::from(config.call_log.checkpoint_minutes.max(1)));
        let task = tokio::spawn(run(Arc::clone(&work), every));
        Self { work, task }
    }

    /// Writes what has grown, and ends.
    pub async fn stop(self) {
        self.task.abort();
        let last = spawn_blocking(move || {
            self.work.round();
            self.work.send();
        });
        if last.await.is_err() {
            tracing::error!("the last checkpoints were interrupted");
        }
    }
}

async fn run(work: Arc<Work>, every: Duration) {
    let mut due = Instant::now();
    loop {
        let now = Instant::now();
        let worker = Arc::clone(&work);
        let done = spawn_blocking(move || {
            let written = now < due || worker.round();
            worker.send();
            written
        });
        let Ok(written) = done.await else { return };
        if now >= due {
            due = now + if written { every } else { RETRY };
        }
        sleep(RETRY.min(due.saturating_duration_since(Instant::now()))).await;
    }
}

impl Work {
    /// Returns whether it could be done.
    fn round(&self) -> bool {
        match self.checkpointer.round() {
            Ok(round) => {
                for Written { checkpoint, note } in round.written {
                    tracing::info!(
                        origin = checkpoint.origin,
                        size = checkpoint.size,
                        "checkpoint of the call log"
                    );
                    if self.witness.is_some() {
                        self.unsent().insert(checkpoint.origin, note);
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

    fn send(&self) {
        let Some(witness) = &self.witness else { return };
        let mut takes = true;
        self.unsent().retain(|origin, note| {
            // One that takes nothing would be waited for once for each log.
            if !takes {
                return true;
            }
            match witness.send(note) {
                Ok(()) => false,
                Err(error) => {
                    tracing::warn!(origin, %error, "the witness did not take a checkpoint");
                    takes = false;
                    true
                }
            }
        });
    }

    fn unsent(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
