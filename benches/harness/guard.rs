//! Whether a run is worse than the one that was committed.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How much worse a figure may be before the guard calls it out: what the rounds of one run differ by on a machine that
/// others use too.
pub const TOLERANCE: f64 = 0.25;

/// What a run gave, by group and name. Only what compares with another run is here: ratios within a run, and figures
/// that hardly depend on the machine.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Results {
    /// The more the better.
    #[serde(default)]
    pub ratios: BTreeMap<String, f64>,
    /// The less the better.
    #[serde(default)]
    pub figures: BTreeMap<String, f64>,
}

impl Results {
    /// As the committed file has them.
    pub fn to_toml(&self) -> String {
        let mut lines = Vec::new();
        for (table, entries) in [("ratios", &self.ratios), ("figures", &self.figures)] {
            lines.push(format!("[{table}]\n"));
            lines.extend(entries.iter().map(|(name, figure)| format!("{name:?} = {figure:.4}\n")));
        }
        lines.concat()
    }

    /// These, with what `other` has in their place.
    pub fn updated(mut self, other: Self) -> Self {
        self.ratios.extend(other.ratios);
        self.figures.extend(other.figures);
        self
    }
}

/// What in `measured` is worse than in `committed` by more than [`TOLERANCE`], in words. What was not measured is not
/// judged, unless `all` of it had to be.
pub fn worse(committed: &Results, measured: &Results, all: bool) -> Vec<String> {
    let mut found = Vec::new();
    let kinds = [(&committed.ratios, &measured.ratios, true), (&committed.figures, &measured.figures, false)];
    for (committed, measured, more_is_better) in kinds {
        for (name, before) in committed {
            match measured.get(name) {
                Some(after) => {
                    let fell = more_is_better && *after < before * (1.0 - TOLERANCE);
                    let grew = !more_is_better && *after > before * (1.0 + TOLERANCE);
                    if fell || grew || after.is_nan() {
                        found.push(format!("{name}: {after:.3}, was {before:.3}"));
                    }
                }
                None if all => found.push(format!("{name}: not measured, was {before:.3}")),
                None => {}
            }
        }
    }
    found
}
