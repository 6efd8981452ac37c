//! A page over HTTP, with voucher and durable log entry, beside the same select and a committed insert.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;

use tempfile::TempDir;
use waas_comuni::call_log::DISCARD;
use waas_comuni::import::Destination;

use crate::harness::{Contestant, compare};
use crate::plain::Plain;
use crate::support::app::App;
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::roma;
use crate::threads::{CLIENTS, storm};
use crate::{import, name};

const FLOWS: u32 = 20_000;
/// So many clients that some pages are read while others wait for their commit.
const MANY: usize = 64;

pub fn measure(backend: Backend) {
    let database = TestDatabase::new(backend);
    let start = || {
        App::start_with(&database, |config| {
            config.eservice[0].daily_calls_per_consumer = u32::MAX;
            config.eservice[0].daily_calls_total = u32::MAX;
        })
    };
    DISCARD.store(true, Ordering::Relaxed);
    let unlogged = start();
    DISCARD.store(false, Ordering::Relaxed);
    let app = start();
    let folder = TempDir::new().unwrap();
    let mut destination =
        Destination::Feed { registry: &app.registry, eservice: app.eservice, ente: &roma() };
    import::run(&import::benefits(folder.path(), FLOWS), &mut destination);
    let flussi = app.registry.page(app.eservice, 0, FLOWS).unwrap();
    let plain = Plain::new(&database, &flussi);
    let cursors: Vec<i64> = flussi[..flussi.len() - 100].iter().map(|flusso| flusso.ts_ms).collect();
    for limit in [10, 100] {
        let contestants = vec![
            Contestant::timed("select, committed insert (plain tables)", || {
                storm(CLIENTS, |number| {
                    let mut client = plain.client();
                    let mut cursors = anywhere(&cursors, number);
                    move || client.pull(cursors.next().unwrap(), limit)
                })
            }),
            http("HTTP: voucher, page, durable log entry", &app, CLIENTS, &cursors, limit),
        ];
        let group = format!("Pull of {limit} flows, {}, {CLIENTS} clients", name(backend));
        compare(&group, "pages", 5, contestants);
        for clients in [CLIENTS, MANY] {
            let contestants = vec![
                http("without a call log", &unlogged, clients, &cursors, limit),
                http("with it", &app, clients, &cursors, limit),
            ];
            let group =
                format!("Pull of {limit} flows, {}, {clients} clients, what the log costs", name(backend));
            compare(&group, "pages", 7, contestants);
        }
    }
}

fn http<'a>(name: &str, app: &'a App, clients: usize, cursors: &'a [i64], limit: i64) -> Contestant<'a> {
    let voucher = app.voucher();
    Contestant::timed(name, move || {
        storm(clients, |number| {
            let mut client = HttpClient::connect(app.address(), &voucher);
            let mut cursors = anywhere(cursors, number);
            move || client.pull(cursors.next().unwrap(), limit)
        })
    })
}

/// Cursors all over the feed, in an order of each client's own.
fn anywhere(cursors: &[i64], client: usize) -> impl Iterator<Item = i64> {
    (client..).map(move |step| cursors[step.wrapping_mul(7919 * (client + 1)) % cursors.len()])
}

/// One connection that is kept, and the least that reads an answer from it.
struct HttpClient {
    stream: BufReader<TcpStream>,
    voucher: String,
    body: Vec<u8>,
}

impl HttpClient {
    fn connect(address: SocketAddr, voucher: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), voucher: voucher.to_owned(), body: Vec::new() }
    }

    fn pull(&mut self, since: i64, limit: i64) {
        let request = format!(
            "GET /waas/v1/flussi?since={since}&limit={limit} HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {}\r\n\r\n",
            self.voucher
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut length = None;
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.parse().unwrap());
            }
        }
        self.body.resize(length.expect("a length"), 0);
        self.stream.read_exact(&mut self.body).unwrap();
    }
}
