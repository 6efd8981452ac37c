//! `make bench-check` finds what has become worse, and nothing else.

#[path = "../../benches/harness/guard.rs"]
mod guard;

use guard::{Results, TOLERANCE, worse};

fn results(ratio: f64, figure: f64) -> Results {
    Results {
        ratios: [("Pages of 10, SQLite: HTTP".to_owned(), ratio)].into(),
        figures: [("The process: memory when \"idle\"".to_owned(), figure)].into(),
    }
}

#[test]
fn what_fell_or_grew_beyond_the_tolerance_is_named() {
    let committed = results(1.2, 30.0);
    for (ratio, figure) in [(1.2, 30.0), (9.0, 1.0), (1.2 * (1.01 - TOLERANCE), 30.0 * (0.99 + TOLERANCE))] {
        assert_eq!(worse(&committed, &results(ratio, figure), true), [""; 0], "{ratio} {figure}");
    }
    let fell = worse(&committed, &results(1.2 * (0.99 - TOLERANCE), 30.0), true);
    assert_eq!(fell, ["Pages of 10, SQLite: HTTP: 0.888, was 1.200"]);
    let grew = worse(&committed, &results(1.2, 30.0 * (1.01 + TOLERANCE)), true);
    assert_eq!(grew, ["The process: memory when \"idle\": 37.800, was 30.000"]);
    assert_eq!(worse(&committed, &results(f64::NAN, 30.0), true).len(), 1, "what is no number is not good");
}

#[test]
fn what_was_not_measured_is_judged_only_when_all_was_to_be() {
    let committed = results(1.2, 30.0);
    assert_eq!(worse(&committed, &Results::default(), true).len(), 2);
    assert_eq!(worse(&committed, &Results::default(), false), [""; 0]);
    assert_eq!(worse(&Results::default(), &committed, true), [""; 0], "a new group is no worse than none");
}

#[test]
fn a_run_takes_the_place_of_what_it_measured_and_leaves_the_rest() {
    let mut one = results(0.9, 31.0);
    one.figures.clear();
    let both = results(1.2, 30.0).updated(one);
    let read: Results = toml::from_str(&both.to_toml()).unwrap();
    assert_eq!(read, results(0.9, 30.0));
}
