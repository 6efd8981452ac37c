//! Charts as SVG, made here: a bar for each value, with the value beside it, so that they say on paper and on a phone what
//! they say on a desk; a title, a description and a table for those who do not see them.

/// The room of a chart, in its own units: of a row, of the labels before the bars, of the longest bar, of all of it.
const ROW: u32 = 24;
const BEFORE: u32 = 64;
const LONGEST: u32 = 220;
const WIDTH: u32 = 400;

/// A chart with a bar for each value.
pub(super) struct Chart {
    /// What tells it from the page's other charts.
    pub(super) id: String,
    pub(super) title: &'static str,
    /// What it shows, for those who do not see it.
    pub(super) description: String,
    pub(super) bars: Vec<Bar>,
    /// Where the bars begin.
    pub(super) left: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A bar.
pub(super) struct Bar {
    pub(super) label: String,
    /// Its value, as it is written.
    pub(super) value: String,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Where its label and its value stand.
    pub(super) baseline: u32,
    pub(super) end: u32,
}

impl Chart {
    /// A chart of these labels, values, and values as they are written; negative ones have no bar.
    pub(super) fn new(
        id: String,
        title: &'static str,
        description: String,
        values: impl IntoIterator<Item = (String, i64, String)>,
    ) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        let largest = values.iter().map(|(_, value, _)| *value).max().unwrap_or_default().max(1);
        let bars = values.into_iter().zip(0..).map(|((label, value, written), place): (_, u32)| {
            let share = i128::from(LONGEST) * i128::from(value.max(0)) / i128::from(largest);
            let width = u32::try_from(share).unwrap_or(LONGEST);
            let y = place.saturating_mul(ROW);
            Bar {
                label,
                value: written,
                y: y + 4,
                width,
                height: ROW - 8,
                baseline: y + ROW - 8,
                end: BEFORE + width + 6,
            }
        });
        let bars: Vec<Bar> = bars.collect();
        let height = u32::try_from(bars.len()).unwrap_or(u32::MAX).saturating_mul(ROW);
        Self { id, title, description, bars, left: BEFORE, width: WIDTH, height }
    }
}
