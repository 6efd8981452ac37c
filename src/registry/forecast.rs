//! What publishing would do, batch after batch, without doing it.

use std::collections::HashMap;

use super::plan::{Benefit, Flow, Plan};
use crate::siuss::described::Fingerprint;

/// The benefits as the batches that were foreseen so far would leave them.
#[derive(Debug, Default)]
pub struct Forecast(HashMap<Fingerprint, Benefit<'static>>);

impl Forecast {
    pub(super) fn get<'a>(&self, identity: Fingerprint) -> Option<(Fingerprint, Benefit<'a>)> {
        self.0.get(&identity).map(|benefit| (identity, benefit.clone()))
    }

    /// Keeps what `plan` changes.
    pub(super) fn add(&mut self, plan: Plan<'_>) {
        /// Stands for the timestamp of a flow that has none.
        const SENT: Flow = Flow::Sent(0);
        let changed = plan.benefits.into_iter().filter(|(_, benefit)| benefit.changed || benefit.relinked);
        self.0.extend(changed.map(|(identity, benefit)| {
            let live = benefit.live.iter().map(|_| SENT).collect();
            let left = Benefit {
                id: benefit.id,
                content: benefit.content,
                stato: benefit.stato,
                in_force: SENT,
                gone_ms: benefit.gone_ms,
                live,
                refusal: benefit.refusal,
                record: None,
                changed: false,
                is_rest: benefit.is_rest,
                relinked: false,
                next: None,
            };
            (identity, left)
        }));
    }
}
