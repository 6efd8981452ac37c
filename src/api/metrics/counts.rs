//! How the daily counts of calls stand with PDND, by `[[tracing]]` section.

use jiff::Timestamp;
use metrics::{describe_gauge, gauge};

use crate::pdnd::daily::{Standing, standing};
use crate::store::{AnyConnection, Day, StoreError};

/// How each section stands.
pub(super) type Standings = Vec<(String, Standing)>;

pub(super) fn read(
    connection: &mut AnyConnection,
    sections: Vec<String>,
    now: Timestamp,
) -> Result<Standings, StoreError> {
    sections.into_iter().map(|name| Ok((name.clone(), standing(connection, &name, now)?))).collect()
}

pub(super) fn describe() {
    describe_gauge!(
        "waas_comuni_tracing_days_owed",
        "days that are over and whose count PDND has not accepted yet; 1 is usual in the morning"
    );
    describe_gauge!(
        "waas_comuni_tracing_days_in_error",
        "those of the days owed that PDND found wrong or missed: somebody must act"
    );
    describe_gauge!(
        "waas_comuni_tracing_deadline_seconds",
        "time until the oldest day owed is late with PDND, negative once it is; absent while none is owed"
    );
    describe_gauge!(
        "waas_comuni_tracing_last_accepted_day_timestamp_seconds",
        "beginning of the last day whose count PDND has accepted"
    );
}

pub(super) fn measure(standings: &[(String, Standing)], now: Timestamp) {
    for (section, standing) in standings {
        gauge!("waas_comuni_tracing_days_owed", "section" => section.clone()).set(f64::from(standing.owed));
        gauge!("waas_comuni_tracing_days_in_error", "section" => section.clone())
            .set(f64::from(standing.in_error));
        if let Some(deadline) = standing.deadline {
            gauge!("waas_comuni_tracing_deadline_seconds", "section" => section.clone())
                .set(deadline.duration_since(now).as_secs_f64());
        }
        if let Some(start) = standing.last_accepted.and_then(Day::start) {
            gauge!("waas_comuni_tracing_last_accepted_day_timestamp_seconds", "section" => section.clone())
                .set(start.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64());
        }
    }
}
