//! Ten times as many calls as can be answered.

use std::sync::Arc;
use std::time::Duration;

use crate::dataset::Dataset;
use crate::harness::{Figure, figures};
use crate::name;
use crate::open_loop::{self, Plan};
use crate::pages::{CONNECTIONS, plan};
use crate::server::Server;
use crate::wrk::{self, Load};

pub fn measure(dataset: &Dataset) {
    const TIMES: f64 = 10.0;
    const STORM: Duration = Duration::from_secs(8);
    let server = Server::start(&dataset.settings, &dataset.feeds);
    for limit in [10, 100] {
        let mut measured = Vec::new();
        for _ in 0..3 {
            let peak = wrk::run(&server.target, &dataset.feeds, Load::of(CONNECTIONS, limit));
            let peak = peak.answers / peak.time.as_secs_f64();
            let quiet = |address, path: &'static str| Plan {
                address,
                request: Arc::new(move |_| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")),
                rate: 20.0,
                connections: 4,
                time: STORM,
            };
            let storm = open_loop::run(vec![
                plan(&server.target, dataset, limit, peak * TIMES, 1000, STORM),
                quiet(server.target.api, "/waas/v1/status"),
                quiet(server.back_office, "/health/ready"),
            ]);
            let after = Duration::from_secs(1);
            let after =
                open_loop::run(vec![plan(&server.target, dataset, limit, peak / 2.0, 64, after)]).remove(0);
            let [storm, status, ready] = &storm[..] else { panic!("three plans") };
            measured.push([
                storm.offered() / peak,
                storm.within(0.99),
                peak / storm.rate(),
                status.within(0.99),
                ready.within(0.99),
                after.within(0.99),
                (after.shed.len() + usize::try_from(after.lost).unwrap()) as f64,
            ]);
        }
        let column = |place: usize| -> Vec<f64> { measured.iter().map(|round| round[place]).collect() };
        figures(
            &format!("Overload at {TIMES} times the peak rate, pages of {limit}, {}", name(dataset.backend)),
            vec![
                Figure::of("calls that the generator managed, by the peak rate", "times", &column(0)),
                Figure::of("99 % of what is accepted, within", "ms", &column(1)).at_most(250.0),
                Figure::of("peak rate, by what is accepted", "times", &column(2)),
                Figure::of("99 % of /status, within", "ms", &column(3)),
                Figure::of("99 % of /health/ready, within", "ms", &column(4)),
                Figure::of(
                    "the second after the storm, at half the peak rate: 99 % within",
                    "ms",
                    &column(5),
                ),
                Figure::of("and shed or lost in it", "calls", &column(6)).at_most(0.0),
            ],
        );
    }
}
