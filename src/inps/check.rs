//! The checks: what must hold of a service that INPS pulls from, and how often it did.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

macro_rules! checks {
    ($($name:ident = $code:literal, $demand:literal;)+) => {
        /// What is checked, in the order in which it is reported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::doc_markdown, reason = "the same words are printed")]
        pub enum Check {
            $(#[doc = $demand] $name,)+
        }

        impl Check {
            /// Every check.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its stable code, for scripts.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// What must hold.
            #[must_use]
            pub fn demand(self) -> &'static str {
                match self {
                    $(Self::$name => $demand,)+
                }
            }
        }
    };
}

checks! {
    Status = "status", "GET /status answers 200 and application/problem+json, without a voucher";
    VoucherRequired = "voucher_required", "a call without a voucher is refused with 401";
    VoucherVerified = "voucher_verified", "a voucher whose signature was altered is refused with 401";
    Answer = "answer", "every page is answered with 200 and application/json";
    Body = "body", "a page is a JSON object with elenco_flussi and nothing else";
    Limit = "limit", "no page holds more flows than were asked for";
    Members = "members", "every flow has the members of the contract, of their types and lengths, and no other";
    CodiceEnte = "codice_ente", "codice_ente has the form agreed upon";
    TsFormat = "ts_format", "ts_flusso has the form AAAA-MM-GGTHH:MM:SS.mmmZ";
    TsOrder = "ts_order", "ts_flusso grows from flow to flow, and is later than the cursor";
    IdForm = "id_form", "id_flusso has the form EEEEE.TIPO.AAAAMMGG.N";
    IdUnique = "id_unique", "no id_flusso comes twice";
    Base64 = "base64", "the document of every flow is base64";
    Schema = "schema", "every document is one flow as the XML schema has it, with one benefit of one person";
    Nome = "nome", "the document's IdentificazioneFlusso/@Nome is the id_flusso";
    Ente = "ente", "the document's Ente/@Codice is the codice_ente";
    Tipo = "tipo", "tipo, id_flusso and document agree on the kind of flow";
    Rules = "rules", "no flow breaks a rule for which INPS refuses it";
    Complete = "complete", "following the cursor ends with an empty list";
    End = "end", "asked again, the last cursor gives nothing that was served before";
    Repeatable = "repeatable", "asked again, the first page starts with the same flows";
    FarFuture = "far_future", "a cursor far in the future gives an empty list, up to the contract's 1e20";
    BadRequest = "bad_request", "a call without since is refused with 400";
    Problem = "problem", "every refusal is an application/problem+json as the contract has it";
    RetryAfter = "retry_after", "429 and 503 say in Retry-After when to ask again, 0 to 3600 seconds";
    Esiti = "esiti", "outcomes are taken with a 2xx";
    EsitiAgain = "esiti_again", "outcomes that come a second time are taken again";
    EsitiDisorder = "esiti_disorder", "outcomes that come in another order than the flows are taken";
    EsitiCorrected = "esiti_corrected", "an outcome that takes back an earlier one of the same flow is taken";
    EsitiUnknown = "esiti_unknown", "an outcome of a flow that was never published is taken";
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// How often a check was made, and how it went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Times that it was made.
    pub made: u64,
    /// Times that it failed.
    pub failed: u64,
    /// What failed first: where, and what was found. Never a name or a fiscal code.
    pub first: Option<String>,
}

/// The checks that were made.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Check, Count>);

impl Tally {
    /// Counts one check; `offence` tells what was found when it does not hold. Gives back whether it holds.
    pub(super) fn judge(&mut self, check: Check, holds: bool, offence: impl FnOnce() -> String) -> bool {
        let count = self.0.entry(check).or_default();
        count.made += 1;
        if !holds {
            count.failed += 1;
            if count.first.is_none() {
                count.first = Some(offence());
            }
        }
        holds
    }

    /// Every check with its count, those that were not made included.
    pub(super) fn into_counts(mut self) -> Vec<(Check, Count)> {
        Check::ALL.iter().map(|check| (*check, self.0.remove(check).unwrap_or_default())).collect()
    }
}

/// What a server wrote, fit for a terminal: no control characters, and not without end.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars()
        .take(LONGEST)
        .map(|character| if character.is_control() { '\u{FFFD}' } else { character })
        .collect()
}
