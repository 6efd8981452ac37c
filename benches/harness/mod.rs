//! Contestants measured side by side, and the table that says how they compare.
//!
//! Each round runs every contestant of a group once, one after the other, so that whatever else the machine does weighs
//! on all of them alike. A ratio is taken within a round; the table gives the median of the rounds and, in brackets, the
//! lowest and the highest. Rates are of this machine at this hour: only ratios compare with another run.

pub mod guard;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use guard::Results;

/// What was measured so far.
static RESULTS: Mutex<Option<Results>> = Mutex::new(None);

/// Takes what was measured so far.
pub fn results() -> Results {
    RESULTS.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
}

fn record(put: impl FnOnce(&mut Results)) {
    put(RESULTS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
}

/// Something that is measured.
pub struct Contestant<'a> {
    name: String,
    /// What its ratio to the first must be at least.
    target: Option<f64>,
    /// Runs it once, and says how many units it did in which time.
    run: Box<dyn FnMut() -> (f64, Duration) + 'a>,
}

impl<'a> Contestant<'a> {
    /// `run` does `units` of work each time, and is timed from outside.
    pub fn of(name: impl Into<String>, units: u32, mut run: impl FnMut() + 'a) -> Self {
        let run = move || {
            let begun = Instant::now();
            run();
            (f64::from(units), begun.elapsed())
        };
        Self { name: name.into(), target: None, run: Box::new(run) }
    }

    /// `run` says itself how much it did, and how long that took.
    pub fn timed(name: impl Into<String>, run: impl FnMut() -> (f64, Duration) + 'a) -> Self {
        Self { name: name.into(), target: None, run: Box::new(run) }
    }

    /// The same, which must reach at least this ratio to the first.
    pub fn at_least(mut self, ratio: f64) -> Self {
        self.target = Some(ratio);
        self
    }
}

/// Something that is measured once, or whose rounds were measured elsewhere, and of which less is better.
pub struct Figure {
    name: String,
    unit: &'static str,
    values: Vec<f64>,
    target: Option<f64>,
}

impl Figure {
    pub fn of(name: impl Into<String>, unit: &'static str, values: &[f64]) -> Self {
        Self { name: name.into(), unit, values: values.to_vec(), target: None }
    }

    /// The same, which must be this at most.
    pub fn at_most(mut self, figure: f64) -> Self {
        self.target = Some(figure);
        self
    }
}

/// Prints a line for each figure.
pub fn figures(group: &str, figures: Vec<Figure>) {
    println!("| **{group}** | | | |");
    for Figure { name, unit, values, target } in figures {
        let median = sorted(&values)[values.len() / 2];
        let met = target.map(|target| {
            let met = if median <= target { "met" } else { "**missed**" };
            format!("at most {target} {unit}: {met}")
        });
        println!("| {name} | {} {unit} | | {} |", spread(&values, decimal), met.unwrap_or_default());
        record(|results| {
            results.figures.insert(format!("{group}: {name}"), median);
        });
    }
}

/// Runs the contestants and prints a line for each. The first is what the others are compared with: gives the median
/// ratio of each.
pub fn compare(group: &str, unit: &str, rounds: usize, mut contestants: Vec<Contestant<'_>>) -> Vec<f64> {
    let mut rates = vec![Vec::new(); contestants.len()];
    for _ in 0..rounds {
        for (contestant, rates) in contestants.iter_mut().zip(&mut rates) {
            let (units, time) = (contestant.run)();
            rates.push(units / time.as_secs_f64());
        }
    }
    println!("| **{group}** | | | |");
    let mut medians = Vec::new();
    for (contestant, own) in contestants.iter().zip(&rates) {
        let ratios: Vec<f64> = own.iter().zip(&rates[0]).map(|(own, first)| own / first).collect();
        let median = sorted(&ratios)[ratios.len() / 2];
        let met = contestant.target.map(|target| {
            let met = if median >= target { "met" } else { "**missed**" };
            format!("at least {target:.2}: {met}")
        });
        let (rates, shown) = (spread(own, whole), spread(&ratios, ratio));
        println!("| {} | {rates} {unit}/s | {shown} | {} |", contestant.name, met.unwrap_or_default());
        if !medians.is_empty() {
            record(|results| {
                results.ratios.insert(format!("{group}: {}", contestant.name), median);
            });
        }
        medians.push(median);
    }
    medians
}

/// The median of `figures`, and between which they lie.
fn spread(figures: &[f64], show: fn(f64) -> String) -> String {
    let sorted = sorted(figures);
    if let [figure] = sorted[..] {
        return show(figure);
    }
    let median = sorted[sorted.len() / 2];
    format!("{} ({}–{})", show(median), show(sorted[0]), show(sorted[sorted.len() - 1]))
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// A whole number with its thousands apart.
fn whole(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure, to as many digits as say something.
fn decimal(figure: f64) -> String {
    if figure >= 100.0 { whole(figure) } else { format!("{figure:.1}") }
}

/// A ratio, to two digits or more.
fn ratio(figure: f64) -> String {
    if figure < 0.1 { format!("{figure:.4}") } else { format!("{figure:.2}") }
}
