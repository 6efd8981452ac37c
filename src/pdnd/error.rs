//! Why PDND does not do what is asked of it.

use std::time::Duration;

/// Why a call to PDND came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum PdndError {
    /// The client's private key cannot be used.
    #[error("the key of the client cannot be used: {0}")]
    Key(String),
    /// The connection failed, timed out or was not to be trusted. Whether what was sent
    /// arrived is not known.
    #[error("cannot reach {address}: {source}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// It asks to come again (429), or is not well (5xx).
    #[error("{address} answered {status}, and asks to come again later")]
    Busy {
        /// Where.
        address: String,
        /// The answer's status.
        status: u16,
        /// When to come again, if it said so.
        retry_after: Option<Duration>,
    },
    /// No M2M voucher was given.
    #[error(
        "no M2M voucher was given ({status}{detail}): see that client_id, kid and key are those of a client for \
         interfaces of PDND, and that the machine's clock is right"
    )]
    NoVoucher {
        /// The answer's status.
        status: u16,
        /// What it said, after a colon.
        detail: String,
    },
    /// A voucher that was just given is not accepted.
    #[error("the tracing service does not accept the M2M voucher ({0}): see that the client may use it")]
    Unauthorized(u16),
    /// `INVALID_TRACING_DATE`: the day is not over.
    #[error("PDND does not take this day: it is not over")]
    InvalidDate,
    /// `TRACING_ALREADY_EXISTS`: the day has a file, or is known to have none.
    #[error("PDND has this day already")]
    AlreadyExists,
    /// `TRACING_CANNOT_BE_UPDATED`: the day's state does not let its file be replaced.
    #[error("PDND does not let this day be changed in its present state")]
    CannotBeUpdated,
    /// `TRACING_NOT_FOUND`.
    #[error("PDND does not know this tracing")]
    NotFound,
    /// Any other refusal.
    #[error("the tracing service refused: {status}{detail}")]
    Refused {
        /// The answer's status.
        status: u16,
        /// What it said, after a colon.
        detail: String,
    },
    /// The answer is not as it is documented, or too large.
    #[error("the answer of {address} cannot be understood: {what}")]
    Unreadable {
        /// Where.
        address: String,
        /// What is wrong with it.
        what: String,
    },
}

impl PdndError {
    /// Whether trying again later may help without anybody mending anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// Whether what was sent may have been taken all the same.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.is_passing() || matches!(self, Self::Unreadable { .. })
    }

    /// When PDND asked to come again, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
