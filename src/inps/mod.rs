//! Playing INPS: pulls from any service that speaks the contract, verifies all that a client can see of it, and sends
//! outcomes.
//!
//! The acceptance test that a Comune makes before INPS does, against this product or any other. It knows the
//! language of the flows and the local issuer, nothing of this product's own service.
//!
//! | module | what it holds |
//! |---|---|
//! | [`check`] | the checks, each with its stable code |
//! | [`cursor`] | the cursor that outlives a run |
//! | [`report`] | what a run found |
//!
//! Of the private ones, `client` makes one call, `credentials` hands out vouchers, `session` has patience and judges
//! answers, `pull` follows the cursor, `entry` and `judge` look at flows, `probes` makes the calls beside the pull,
//! `esiti` sends outcomes, `share` says which of them refuse, `problem` looks at refusals.

pub mod check;
mod client;
mod credentials;
pub mod cursor;
mod entry;
mod esiti;
mod judge;
mod probes;
mod problem;
mod pull;
pub mod report;
mod session;
mod share;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use regex::Regex;

use self::client::Client;
use self::credentials::Wallet;
use self::esiti::Deliveries;
use self::judge::Judge;
use self::report::CheckReport;
use self::session::Session;
use crate::clock::Clock;
use crate::voucher::issuer::IssuerError;

pub use self::check::Check;
pub use self::client::Base;
pub use self::credentials::Credentials;
pub use self::esiti::Esiti;
pub use self::report::{Outcome, Report};
pub use self::share::Share;

/// The form of `codice_ente` in the contract: a Belfiore code.
pub const BELFIORE: &str = "^[A-Z][0-9]{3}$";

/// What is asked of which service.
#[derive(Debug)]
pub struct Options {
    /// Where the service is.
    pub url: Base,
    /// A PEM file of certificate authorities to trust instead of the machine's.
    pub ca: Option<PathBuf>,
    /// Where vouchers come from.
    pub credentials: Credentials,
    /// The first cursor, in milliseconds since the epoch; 0 for all flows.
    pub since: u64,
    /// Flows to ask for in one page.
    pub limit: PageSize,
    /// Where the cursor is kept, after each page whose flows were acquired.
    pub cursor_file: Option<PathBuf>,
    /// The outcomes to send.
    pub esiti: Esiti,
    /// Whether outcomes are also sent in disorder, taken back, and of a flow that was never published.
    pub rehearse: bool,
    /// How long one call may be put off with 429 or 503, all in all, before the run is given up.
    pub patience: Duration,
    /// The form of `codice_ente`; [`BELFIORE`] but for an ATS or a consortium.
    pub codice_ente: Regex,
}

/// Flows in one page, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(u8);

impl PageSize {
    /// The largest that the contract admits.
    pub const LARGEST: Self = Self(100);

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl FromStr for PageSize {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .ok()
            .filter(|size| (1..=100).contains(size))
            .map(Self)
            .ok_or("write a number from 1 to 100")
    }
}

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub enum InpsError {
    /// No connection, or not one that can be trusted.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file with certificate authorities has none.
    #[error("{path}: no certificate in PEM form", path = .0.display())]
    NoCertificate(PathBuf),
    /// The file with outcomes is not JSON.
    #[error("{path}: {source}", path = path.display())]
    Esiti {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The file with the cursor has something else.
    #[error("{path}: not a cursor: write the milliseconds since the epoch, or remove the file", path = .0.display())]
    Cursor(PathBuf),
    /// The local issuer has no key or profile.
    #[error("{0}")]
    Issuer(#[from] IssuerError),
}

/// Sees a run go on.
pub trait Watcher {
    /// So many flows were pulled so far, in so many pages.
    fn pulled(&mut self, flows: u64, pages: u64);

    /// Waits because the service asked for it.
    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Looks away.
impl Watcher for () {
    fn pulled(&mut self, _: u64, _: u64) {}
}

/// Pulls from a service to the end, checks it, and sends outcomes. Blocks.
pub fn run(options: &Options, clock: &Clock, watcher: &mut dyn Watcher) -> Result<Report, InpsError> {
    let start = Instant::now();
    let mut session = Session {
        options,
        client: Client::new(&options.url, options.ca.as_ref())?,
        wallet: Wallet::new(&options.credentials, clock),
        watcher,
        tally: check::Tally::default(),
        traffic: report::Traffic::default(),
    };
    probes::status(&mut session)
        .map_err(|reason| InpsError::Unreachable { url: options.url.as_str().to_owned(), reason })?;
    probes::without_voucher(&mut session);
    let mut judge = Judge::new(&options.codice_ente, options.since);
    let mut deliveries = Deliveries::default();
    let pull = pull::to_the_end(&mut session, &mut judge, &mut deliveries, clock)?;
    if pull.pages > 0 || pull.complete {
        pull::again(&mut session, &pull);
        probes::cursors(&mut session);
        let more = if let Esiti::These(esiti) = &options.esiti { esiti.as_slice() } else { &[] };
        deliveries.finish(&mut session, more);
        if options.rehearse {
            deliveries.rehearse(&mut session, clock);
        }
    }
    let Session { tally, traffic, .. } = session;
    let checks: Vec<CheckReport> = tally.into_counts().into_iter().map(CheckReport::new).collect();
    Ok(Report {
        passed: checks.iter().all(|check| check.outcome != Outcome::Failed),
        url: options.url.as_str().to_owned(),
        since: options.since,
        limit: options.limit.get(),
        pages: pull.pages,
        flows: judge.flows,
        next_since: pull.cursor,
        esiti: deliveries.sent,
        refusals: deliveries.refusals,
        deliveries: deliveries.calls,
        traffic: report::Traffic { seconds: start.elapsed().as_secs_f64(), ..traffic },
        checks,
        warnings: judge.warnings.into_values().collect(),
    })
}
