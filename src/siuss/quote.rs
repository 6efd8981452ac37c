//! A benefit's amount and the shares that pay it, divided into months.
//!
//! Facts of SIUSS, the school-meals case: 336.80 over 4 months are 84.20 a month, of which the ente's 246.20 are 61.55
//! and the family's 90.60 are 22.65. Cents that do not divide are rounded, and the cent by which the rounded shares
//! miss the rounded amount goes to one share, so that they still add up (rule 7).

use rust_decimal::{Decimal, RoundingStrategy};

/// An amount in euro, and who pays which share of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The amount.
    pub importo: Decimal,
    /// The ente's share, if it has one.
    pub ente: Option<Decimal>,
    /// The family's share, if it has one; zero is one.
    pub utente: Option<Decimal>,
    /// The health service's share, if it has one.
    pub ssn: Option<Decimal>,
}

impl Quote {
    /// One month's part of a total over `months`, to the cent.
    ///
    /// `None` when there is no such part: no months, shares that do not make the total, or so little that a part of it
    /// would be nothing, which a flow cannot carry.
    #[must_use]
    pub fn monthly(self, months: u32) -> Option<Self> {
        let whole = self.shares();
        if months == 0 || !whole.make(self.importo) {
            return None;
        }
        let part = |total: Decimal| {
            (total / Decimal::from(months)).round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
        };
        let mut monthly = Self {
            importo: part(self.importo),
            ente: self.ente.map(part),
            utente: self.utente.map(part),
            ssn: self.ssn.map(part),
        };
        let missing = monthly.importo - monthly.shares().sum();
        // The greatest share bears the cent best.
        let greatest = [&mut monthly.ente, &mut monthly.utente, &mut monthly.ssn]
            .into_iter()
            .flatten()
            .max_by_key(|share| **share);
        if let Some(share) = greatest {
            *share += missing;
        }
        monthly.shares().make(monthly.importo).then_some(monthly)
    }

    fn shares(&self) -> Shares {
        Shares { positive: [self.ente, self.ssn], utente: self.utente }
    }
}

/// The shares alone.
struct Shares {
    /// Those that are absent when they are nothing.
    positive: [Option<Decimal>; 2],
    utente: Option<Decimal>,
}

impl Shares {
    fn sum(&self) -> Decimal {
        self.positive.iter().chain([&self.utente]).flatten().sum()
    }

    /// Whether a flow may carry them beside `importo`.
    fn make(&self, importo: Decimal) -> bool {
        let none = self.utente.is_none() && self.positive.iter().all(Option::is_none);
        importo > Decimal::ZERO
            && (none || self.sum() == importo)
            && self.positive.iter().flatten().all(|share| *share > Decimal::ZERO)
            && self.utente.is_none_or(|share| share >= Decimal::ZERO)
    }
}
