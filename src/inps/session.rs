//! Calls with a voucher, patience, and the checks that every answer must pass.

use std::time::Duration;

use serde_json::Value;

use super::check::{Check, Tally, printable};
use super::client::{Answer, Client};
use super::credentials::Wallet;
use super::report::Traffic;
use super::{Options, Watcher, problem};

/// What is waited for a service that does not say for how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);
/// What is waited at least, whatever the service says.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that the contract lets a service ask for, in seconds.
const LONGEST_RETRY_AFTER: u64 = 3600;

/// The voucher that a call carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    None,
    Own,
    Forged,
}

pub(super) struct Session<'a> {
    pub(super) options: &'a Options,
    pub(super) client: Client,
    pub(super) wallet: Wallet<'a>,
    pub(super) watcher: &'a mut dyn Watcher,
    pub(super) tally: Tally,
    pub(super) traffic: Traffic,
}

impl Session<'_> {
    /// Calls until the service does not ask to come again later, or patience ends. An error tells why there is no
    /// answer at all.
    pub(super) fn ask(&mut self, path: &str, bearer: Bearer, body: Option<&str>) -> Result<Answer, String> {
        let mut patience = self.options.patience;
        loop {
            let voucher = match bearer {
                Bearer::None => None,
                Bearer::Own => self.wallet.voucher().map_err(|error| error.to_string())?,
                Bearer::Forged => self.wallet.forged().map_err(|error| error.to_string())?,
            };
            self.traffic.calls += 1;
            let answer =
                self.client.call(path, voucher.as_deref(), body).map_err(|error| error.to_string())?;
            self.traffic.bytes += u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
            if answer.status >= 400 {
                let fault = problem::fault(&answer);
                self.tally.judge(Check::Problem, fault.is_none(), || {
                    format!("{path}, {}: {}", problem::describe(&answer), fault.unwrap_or_default())
                });
            }
            if !answer.defers() {
                return Ok(answer);
            }
            let wait = self.retry_after(path, &answer);
            match patience.checked_sub(wait) {
                Some(left) => patience = left,
                None => return Ok(answer),
            }
            self.watcher.wait(wait);
            self.traffic.waited_seconds += wait.as_secs();
        }
    }

    fn retry_after(&mut self, path: &str, answer: &Answer) -> Duration {
        let seconds = answer.retry_after.as_deref().and_then(|text| text.trim().parse::<u64>().ok());
        let holds = seconds.is_some_and(|seconds| seconds <= LONGEST_RETRY_AFTER);
        self.tally.judge(Check::RetryAfter, holds, || {
            let said = answer.retry_after.as_deref().map_or("nothing".to_owned(), printable);
            format!("{path}, status {}: Retry-After says {said}", answer.status)
        });
        seconds.map_or(DEFAULT_WAIT, Duration::from_secs).max(SHORTEST_WAIT)
    }

    /// The entries of the page after `since`. An error tells why there are none to be had.
    pub(super) fn page(&mut self, since: &str) -> Result<Vec<Value>, String> {
        let limit = self.options.limit.get();
        let path = format!("/flussi?since={since}&limit={limit}");
        let answer = self.ask(&path, Bearer::Own, None).inspect_err(|error| {
            self.tally.judge(Check::Answer, false, || format!("{path}: {error}"));
        })?;
        if answer.defers() {
            return Err(format!("{} to the end of patience", problem::describe(&answer)));
        }
        let right = answer.status == 200 && answer.media_type == "application/json";
        self.tally.judge(Check::Answer, right, || {
            let media_type = printable(&answer.media_type);
            format!("{path}: {}, Content-Type {media_type:?}", problem::describe(&answer))
        });
        if answer.status != 200 {
            return Err(problem::describe(&answer));
        }
        let entries = entries(&answer.body);
        self.tally.judge(Check::Body, entries.is_ok(), || {
            format!("{path}: {}", entries.as_ref().err().cloned().unwrap_or_default())
        });
        let entries = entries?;
        self.tally.judge(Check::Limit, entries.len() <= usize::from(limit), || {
            format!("{path}: {} flows", entries.len())
        });
        Ok(entries)
    }
}

/// The list in the body of a page. The contract requires no member: without one, nothing is listed.
fn entries(body: &[u8]) -> Result<Vec<Value>, String> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let Value::Object(mut members) = body else {
        return Err("the body is not a JSON object".to_owned());
    };
    let list = members.shift_remove("elenco_flussi");
    if let Some(name) = members.keys().next() {
        return Err(format!("the body has a member {:?}, which is not in the contract", printable(name)));
    }
    match list {
        None => Ok(Vec::new()),
        Some(Value::Array(entries)) => Ok(entries),
        Some(_) => Err("elenco_flussi is not a list".to_owned()),
    }
}
