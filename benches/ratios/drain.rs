//! Feeds read from their beginning to their end: by one client, and many at once by a client each.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::client::Client;
use crate::dataset::{Dataset, Feed};
use crate::harness::{Contestant, Figure, compare, figures};
use crate::pages::{CONNECTIONS, pages};
use crate::plain::{Call, Plain};
use crate::server::Server;
use crate::wrk::Load;
use crate::{name, rounds, turn};

const LIMIT: u32 = 100;

/// A client that follows the cursor.
struct Drain<'a> {
    client: Client,
    voucher: String,
    feed: &'a Feed,
    since: i64,
}

impl<'a> Drain<'a> {
    fn new(server: &Server, feed: &'a Feed) -> Self {
        let voucher = format!("Authorization: Bearer {}\r\n", server.target.voucher);
        Self { client: Client::connect(server.target.api), voucher, feed, since: 0 }
    }

    /// Asks for the next page; false at the end of the feed, after which it begins again.
    fn next(&mut self) -> bool {
        let path = format!("{}/flussi?since={}&limit={LIMIT}", self.feed.base_path, self.since);
        assert_eq!(self.client.get(&path, &self.voucher), 200);
        let body = self.client.body();
        const FIELD: &[u8] = b"\"ts_flusso\":\"";
        let Some(place) = memchr::memmem::rfind(body, FIELD) else {
            self.since = 0;
            return false;
        };
        let text = &body[place + FIELD.len()..][..24];
        let instant: jiff::Timestamp = std::str::from_utf8(text).unwrap().parse().unwrap();
        self.since = instant.as_millisecond();
        true
    }
}

/// One client, to the end.
pub fn one(dataset: &Dataset) {
    let plain = Plain::of(dataset);
    let server = Server::start(&dataset.settings, &dataset.feeds);
    let baseline = Contestant::timed(format!("{}: select, committed insert, anywhere", plain.name()), || {
        plain.run(1, LIMIT, Call::SelectInsert)
    });
    let drain = Contestant::timed("HTTP: from the beginning to the end", || {
        let mut drain = Drain::new(&server, dataset.feed());
        let (began, mut pages) = (Instant::now(), 0.0);
        while drain.next() {
            pages += 1.0;
        }
        assert_eq!(pages, (dataset.flows as f64 / f64::from(LIMIT)).ceil());
        (pages, began.elapsed())
    });
    let group = format!("Drain by one client, pages of {LIMIT}, {}", name(dataset.backend));
    compare(&group, "pages", 3, vec![baseline, drain.at_least(1.0)]);
}

/// Two hundred clients, each with a feed of its own, again and again.
pub fn many(dataset: &Dataset, many: &Dataset) {
    const CLIENTS: usize = 200;
    let server = Server::start(&dataset.settings, &dataset.feeds);
    let among = Server::start(&many.settings, &many.feeds);
    let feeds = &many.feeds[..CLIENTS.min(many.feeds.len())];
    let mut slowest = Vec::new();
    let peak = pages("peak: one feed, anywhere", &server.target, dataset, Load::of(CONNECTIONS, LIMIT));
    let drains = Contestant::timed(format!("{} clients, a feed each", feeds.len()), || {
        let ready = Barrier::new(feeds.len());
        let counts: Vec<f64> = thread::scope(|scope| {
            let (ready, among) = (&ready, &among);
            let clients: Vec<_> = feeds
                .iter()
                .map(|feed| {
                    scope.spawn(move || {
                        let mut drain = Drain::new(among, feed);
                        ready.wait();
                        let (began, mut pages) = (Instant::now(), 0.0);
                        while began.elapsed() < turn() {
                            drain.next();
                            pages += 1.0;
                        }
                        pages
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let all: f64 = counts.iter().sum();
        let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
        slowest.push(all / counts.len() as f64 / least);
        (all, turn())
    });
    let group = format!("Many drains, pages of {LIMIT}, {}", name(dataset.backend));
    compare(&group, "pages", rounds(), vec![peak, drains.at_least(0.9)]);
    let group = format!("Many drains, {}, fairness", name(dataset.backend));
    figures(&group, vec![Figure::of("the mean client, by the slowest", "times", &slowest).at_most(2.0)]);
}
