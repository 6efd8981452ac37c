//! Pages over HTTP, with voucher and durable log entry, beside the database's own select and committed insert.

use std::time::Duration;

use crate::dataset::Dataset;
use crate::harness::{Contestant, Figure, compare, figures};
use crate::open_loop::{self, Plan};
use crate::plain::{Call, Plain};
use crate::server::{Server, Target};
use crate::wrk::{self, Cursors, Load};
use crate::{name, rounds};

/// Connections at which the rate of pages is compared.
pub const CONNECTIONS: usize = 32;

/// Pages as fast as they come.
pub fn measure(dataset: &Dataset) {
    let plain = Plain::of(dataset);
    let server = Server::start(&dataset.settings, &dataset.feeds);
    for (limit, target) in [(10, 1.1), (100, 1.2)] {
        let alone = Contestant::timed(format!("{}: select alone", plain.name()), || {
            plain.run(CONNECTIONS, limit, Call::Select)
        });
        let both = Contestant::timed(format!("{}: select, committed insert", plain.name()), || {
            plain.run(CONNECTIONS, limit, Call::SelectInsert)
        });
        let ours = pages(
            "HTTP: voucher, page, durable log entry",
            &server.target,
            dataset,
            Load::of(CONNECTIONS, limit),
        );
        let group = format!("Pages of {limit}, {}, {CONNECTIONS} clients", name(dataset.backend));
        compare(&group, "pages", rounds(), vec![both, ours.at_least(target), alone]);
    }
}

/// Pages from anywhere in the feeds of `dataset`.
pub fn pages<'a>(name: &str, target: &'a Target, dataset: &'a Dataset, load: Load<'a>) -> Contestant<'a> {
    Contestant::timed(name, move || {
        let measured = wrk::run(target, &dataset.feeds, load);
        (measured.answers, measured.time)
    })
}

/// How long a page takes at half the rate at which they come at most.
pub fn latency(dataset: &Dataset) {
    const TIME: Duration = Duration::from_secs(8);
    let server = Server::start(&dataset.settings, &dataset.feeds);
    for (limit, target) in [(10, 10.0), (100, 25.0)] {
        let mut measured = Vec::new();
        for _ in 0..3 {
            let peak = wrk::run(&server.target, &dataset.feeds, Load::of(CONNECTIONS, limit));
            let rate = peak.answers / peak.time.as_secs_f64() / 2.0;
            let told = open_loop::run(vec![plan(&server.target, dataset, limit, rate, 64, TIME)]).remove(0);
            assert!(told.lost == 0 && told.shed.is_empty(), "{} lost, {} shed", told.lost, told.shed.len());
            measured.push([told.within(0.5), told.within(0.99), told.within(0.999)]);
        }
        let column = |place: usize| -> Vec<f64> { measured.iter().map(|round| round[place]).collect() };
        let group = format!("Pages of {limit}, {}, at half the peak rate", name(dataset.backend));
        figures(
            &group,
            vec![
                Figure::of("half of them within", "ms", &column(0)),
                Figure::of("99 % within", "ms", &column(1)).at_most(target),
                Figure::of("99.9 % within", "ms", &column(2)),
            ],
        );
    }
}

/// Pages from anywhere in the only feed, at a given rate.
pub fn plan(
    target: &Target,
    dataset: &Dataset,
    limit: u32,
    rate: f64,
    connections: usize,
    time: Duration,
) -> Plan {
    let (voucher, feed) = (target.voucher.clone(), dataset.feed().clone());
    let span = u64::try_from(feed.last - feed.first).unwrap();
    let request = move |number: u64| {
        let since = feed.first + i64::try_from(number.wrapping_mul(7_919_777) % span).unwrap();
        format!(
            "GET {}/flussi?since={since}&limit={limit} HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {voucher}\r\n\r\n",
            feed.base_path
        )
    };
    Plan { address: target.api, request: std::sync::Arc::new(request), rate, connections, time }
}

/// Whether a page costs more far down the feed, or among many feeds.
pub fn depth(dataset: &Dataset, many: &Dataset) {
    const FLOWS: i64 = 1000;
    let server = Server::start(&dataset.settings, &dataset.feeds);
    let among = Server::start(&many.settings, &many.feeds);
    for limit in [10, 100] {
        let at = |share: f64| Load { cursors: Cursors::After(share, FLOWS), ..Load::of(8, limit) };
        let group = format!("Depth of the cursor, pages of {limit}, {}, 8 clients", name(dataset.backend));
        let start = pages("after the first flows", &server.target, dataset, at(0.0001));
        let end = pages("after 99 % of them", &server.target, dataset, at(0.99));
        compare(&group, "pages", rounds(), vec![start, end.at_least(1.0 / 1.1)]);
        let group =
            format!("E-services in the tables, pages of {limit}, {}, 8 clients", name(dataset.backend));
        let one = pages("1", &server.target, dataset, Load::of(8, limit));
        let thousand = pages(&many.feeds.len().to_string(), &among.target, many, Load::of(8, limit));
        compare(&group, "pages", rounds(), vec![one, thousand.at_least(1.0 / 1.1)]);
    }
}

/// What TLS and gzip cost.
pub fn transport(dataset: &Dataset) {
    let plain = Server::start(&dataset.settings, &dataset.feeds);
    let tls = "[api.tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"";
    let tls = Server::start_with(&dataset.settings, &dataset.feeds, tls);
    for limit in [10, 100] {
        let load = Load::of(CONNECTIONS, limit);
        let gzip = Load { header: "Accept-Encoding: gzip", ..load };
        let group = format!("Transport, pages of {limit}, {}, {CONNECTIONS} clients", name(dataset.backend));
        let contestants = vec![
            pages("plain HTTP", &plain.target, dataset, load),
            pages("TLS 1.3", &tls.target, dataset, load),
            pages("plain HTTP, gzip", &plain.target, dataset, gzip),
        ];
        compare(&group, "pages", rounds(), contestants);
    }
}
