//! What is done beside the calls as the configuration says: keys kept fresh, checkpoints, daily counts, retention. A
//! reload ends these and begins them anew; what they have half done is taken up again by those that follow.

use futures_util::future::join_all;

use super::prepare::Refreshers;
use crate::call_log::seal::schedule::Schedule;
use crate::call_log::seal::writer::Checkpointer;
use crate::clock::Clock;
use crate::config::Config;
use crate::pdnd::daily;
use crate::retention::Daily;
use crate::store::Store;

/// What runs.
#[derive(Default)]
pub(super) struct Jobs {
    checkpoints: Option<Schedule>,
    daily_counts: Vec<daily::Running>,
    retention: Option<Daily>,
    /// They end with it.
    pub(super) refreshers: Refreshers,
}

impl Jobs {
    /// Begins. Needs a tokio runtime.
    pub(super) fn start(
        config: &Config,
        checkpointer: Option<Checkpointer>,
        refreshers: Refreshers,
        store: &Store,
        clock: &Clock,
    ) -> Self {
        Self {
            checkpoints: checkpointer.map(|checkpointer| Schedule::start(config, checkpointer)),
            daily_counts: daily::start(config, store, clock),
            retention: Some(Daily::start(config, store, clock)),
            refreshers,
        }
    }

    /// Ends what is not needed for calls in flight.
    pub(super) async fn wind_down(&mut self) {
        drop(self.retention.take());
        join_all(self.daily_counts.drain(..).map(daily::Running::stop)).await;
    }

    /// Ends it all, and signs what the logs hold by now.
    pub(super) async fn stop(mut self) {
        self.wind_down().await;
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.stop().await;
        }
    }
}
