//! What the ente's own people do with personal data, as entries of the same log: one small door for the command line,
//! the console, and what the service does by itself.
//!
//! An action is an entry whose method is `ACTION` and whose path is the code of what was done. It names the benefit by
//! the registry's own number, never the person.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::entry::{Caller, Entry, request_id};
use super::{Appended, Appender, commit};
use crate::clock::Clock;
use crate::store::{AnyConnection, EserviceId, Store, StoreError};

/// The method of an entry that is an action and no call.
pub const METHOD: &str = "ACTION";

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A benefit was looked at: who, what, its flows or outcomes.
    BenefitViewed,
    /// A list of benefits was looked at.
    BenefitsListed,
    /// Benefits were written to a file.
    BenefitsExported,
    /// A benefit was written by hand, or corrected.
    BenefitChanged,
    /// A benefit was withdrawn.
    BenefitWithdrawn,
    /// What INPS refused of a benefit was sent again.
    BenefitResent,
    /// A file of benefits was loaded, to be looked through.
    FileLoaded,
    /// A file of benefits was withdrawn before it was published.
    FileWithdrawn,
    /// It was kept which fields the columns of an ente's files contain.
    MappingSaved,
    /// An import of benefits began.
    ImportBegun,
    /// An import of benefits ended: `count` says how many records were taken.
    ImportEnded,
    /// A vendor's key was made.
    ApiKeyAdded,
    /// A vendor's key was revoked.
    ApiKeyRevoked,
    /// It was asked who received data about a person, a benefit or a flow.
    CallsSearched,
    /// Entries of this log were written out.
    CallsExported,
    /// Entries of this log whose time was over were removed; their hashes were kept.
    CallsPruned,
    /// Payloads of flows that INPS had accepted were dropped: `count` says how many, the query before when they had
    /// been accepted.
    PayloadsDropped,
    /// It was begun to verify a log.
    CallsVerified,
    /// The database was copied to a file.
    BackupMade,
    /// An older database took the place of one that was lost.
    DatabaseRestored,
    /// An account of the back office was made.
    UserAdded,
    /// An account of the back office was changed: role, password.
    UserChanged,
    /// An account of the back office was disabled.
    UserDisabled,
    /// Somebody signed in to the back office, or tried to.
    SignedIn,
    /// Somebody signed out of the back office.
    SignedOut,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 25] = [
        Self::BenefitViewed,
        Self::BenefitsListed,
        Self::BenefitsExported,
        Self::BenefitChanged,
        Self::BenefitWithdrawn,
        Self::BenefitResent,
        Self::FileLoaded,
        Self::FileWithdrawn,
        Self::MappingSaved,
        Self::ImportBegun,
        Self::ImportEnded,
        Self::ApiKeyAdded,
        Self::ApiKeyRevoked,
        Self::CallsSearched,
        Self::CallsExported,
        Self::CallsPruned,
        Self::PayloadsDropped,
        Self::CallsVerified,
        Self::BackupMade,
        Self::DatabaseRestored,
        Self::UserAdded,
        Self::UserChanged,
        Self::UserDisabled,
        Self::SignedIn,
        Self::SignedOut,
    ];

    /// Its stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BenefitViewed => "benefit_viewed",
            Self::BenefitsListed => "benefits_listed",
            Self::BenefitsExported => "benefits_exported",
            Self::BenefitChanged => "benefit_changed",
            Self::BenefitWithdrawn => "benefit_withdrawn",
            Self::BenefitResent => "benefit_resent",
            Self::FileLoaded => "file_loaded",
            Self::FileWithdrawn => "file_withdrawn",
            Self::MappingSaved => "mapping_saved",
            Self::ImportBegun => "import_begun",
            Self::ImportEnded => "import_ended",
            Self::ApiKeyAdded => "api_key_added",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::CallsSearched => "calls_searched",
            Self::CallsExported => "calls_exported",
            Self::CallsPruned => "calls_pruned",
            Self::PayloadsDropped => "payloads_dropped",
            Self::CallsVerified => "calls_verified",
            Self::BackupMade => "backup_made",
            Self::DatabaseRestored => "database_restored",
            Self::UserAdded => "user_added",
            Self::UserChanged => "user_changed",
            Self::UserDisabled => "user_disabled",
            Self::SignedIn => "signed_in",
            Self::SignedOut => "signed_out",
        }
    }
}

/// What became of an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    #[default]
    Done,
    /// There was nothing to do it to.
    NotFound,
    /// It was not allowed, or what was asked is wrong.
    Refused,
    /// It could not be done, or not all of it.
    Failed,
}

impl Outcome {
    /// The status of the answer that HTTP would have given, and the outcome.
    fn logged(self) -> (u16, &'static str) {
        match self {
            Self::Done => (200, "ok"),
            Self::NotFound => (404, "not_found"),
            Self::Refused => (403, "refused"),
            Self::Failed => (500, "failed"),
        }
    }
}

/// Who acts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name: of an account of the console, or of a user of the machine.
    pub user: String,
    /// By which way.
    pub way: Way,
    /// From which address, where that is known.
    pub client_ip: Option<IpAddr>,
}

/// By which way somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The command line.
    Cli,
    /// The console.
    Console,
    /// The service, by itself.
    Service,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Console => "console",
            Self::Service => "service",
        }
    }
}

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Who.
    pub actor: Actor,
    /// What.
    pub kind: Kind,
    /// Whose log it belongs to; none for what concerns no e-service, or all of them.
    pub eservice: Option<EserviceId>,
    /// The benefit, by the registry's own number.
    pub benefit: Option<i64>,
    /// How many things it was done to.
    pub count: Option<u32>,
    /// How it was done, as the query of a call says it.
    pub query: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

impl Action {
    /// `kind` as done by `actor`, to nothing in particular.
    #[must_use]
    pub fn new(actor: &Actor, kind: Kind) -> Self {
        Self {
            actor: actor.clone(),
            kind,
            eservice: None,
            benefit: None,
            count: None,
            query: None,
            outcome: Outcome::Done,
        }
    }

    /// In the log of this e-service.
    #[must_use]
    pub fn of(self, eservice: EserviceId) -> Self {
        Self { eservice: Some(eservice), ..self }
    }

    /// To the benefit with this number.
    #[must_use]
    pub fn to(self, benefit: i64) -> Self {
        Self { benefit: Some(benefit), ..self }
    }

    /// To so many things.
    #[must_use]
    pub fn counting(self, count: impl TryInto<u32>) -> Self {
        Self { count: Some(count.try_into().unwrap_or(u32::MAX)), ..self }
    }

    /// In this way: `name=value`.
    #[must_use]
    pub fn saying(self, query: String) -> Self {
        Self { query: Some(query), ..self }
    }

    /// With this outcome.
    #[must_use]
    pub fn with(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    fn entry(self, instant: Timestamp) -> Entry {
        let (status, outcome) = self.outcome.logged();
        Entry {
            eservice: self.eservice,
            instant,
            request_id: request_id(instant).to_string(),
            method: METHOD.to_owned(),
            path: self.kind.code().to_owned(),
            query: self.query,
            status,
            outcome,
            client_ip: self.actor.client_ip,
            caller: Caller {
                user_id: Some(self.actor.user),
                user_location: Some(self.actor.way.name().to_owned()),
                ..Caller::default()
            },
            voucher_check: None,
            since: None,
            limit: None,
            count: self.count,
            disclosed: None,
            benefit: self.benefit,
            esiti: None,
            duration: Duration::ZERO,
            bytes: None,
        }
    }
}

impl Appender {
    /// Writes what somebody did; it is durable when this returns. What discloses or changes personal data is answered
    /// after that.
    pub async fn action(&self, action: Action) -> Result<Appended, StoreError> {
        let entry = action.entry(self.now());
        self.append(entry, None).await
    }
}

/// Writes what somebody did, in one transaction, without an appender. Blocks.
pub fn record(
    store: &Store,
    clock: &Clock,
    actions: impl IntoIterator<Item = Action>,
) -> Result<(), StoreError> {
    store.write(|connection| record_in(connection, clock, actions))
}

/// Writes what somebody did, within the transaction that does it.
pub fn record_in(
    connection: &mut AnyConnection,
    clock: &Clock,
    actions: impl IntoIterator<Item = Action>,
) -> Result<(), StoreError> {
    let entries: Vec<Entry> = actions.into_iter().map(|action| action.entry(clock.now())).collect();
    entries.chunks(commit::BATCH).try_for_each(|entries| commit::append_in(connection, entries))
}
