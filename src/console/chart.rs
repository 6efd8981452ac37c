//! Charts as SVG, made here: bars with a title, a description and a table beside them for those who do not see them.

/// The room of a chart, in its own units.
const WIDTH: u32 = 720;
const HEIGHT: u32 = 240;
/// Room for the labels below the bars and above them.
const BELOW: u32 = 28;
const ABOVE: u32 = 20;

/// A chart with a bar for each value.
pub(super) struct Chart {
    /// What tells it from the page's other charts.
    pub(super) id: String,
    pub(super) title: String,
    /// What it shows, for those who do not see it.
    pub(super) description: String,
    pub(super) bars: Vec<Bar>,
    /// Where the bars stand.
    pub(super) floor: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A bar.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Where the label stands.
    pub(super) middle: u32,
}

impl Chart {
    /// A chart of these labels and values; negative ones have no bar.
    pub(super) fn new(id: String, title: &str, description: String, values: &[(String, i64)]) -> Self {
        let largest = values.iter().map(|(_, value)| *value).max().unwrap_or_default().max(1);
        let count = u32::try_from(values.len()).unwrap_or(u32::MAX).max(1);
        let (step, room) = (WIDTH / count, HEIGHT - BELOW - ABOVE);
        let bars = values.iter().zip(0..).map(|((label, value), place): (_, u32)| {
            let share = i64::from(room).saturating_mul((*value).max(0)) / largest;
            let height = u32::try_from(share).unwrap_or(room).min(room);
            let x = place * step;
            Bar {
                label: label.clone(),
                x: x + step / 8,
                y: HEIGHT - BELOW - height,
                width: step - step / 4,
                height,
                middle: x + step / 2,
            }
        });
        Self {
            id,
            title: title.to_owned(),
            description,
            bars: bars.collect(),
            floor: HEIGHT - BELOW,
            width: WIDTH,
            height: HEIGHT,
        }
    }
}
