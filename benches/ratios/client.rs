//! Clients that pull over HTTP, each on one connection that is kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use tempfile::TempDir;
use waas_comuni::import::Destination;
use waas_comuni::registry::PublishedFlusso;

use crate::harness::Contestant;
use crate::import;
use crate::support::app::App;
use crate::support::database::TestDatabase;
use crate::support::records::roma;
use crate::threads::storm;

const FLOWS: u32 = 20_000;

/// A service without thresholds.
pub fn start(database: &TestDatabase) -> App {
    App::start_with(database, |config| {
        config.eservice[0].daily_calls_per_consumer = u32::MAX;
        config.eservice[0].daily_calls_total = u32::MAX;
    })
}

/// Fills the feed of `app`, and gives its flows.
pub fn fill(app: &App) -> Vec<PublishedFlusso> {
    let folder = TempDir::new().unwrap();
    let mut destination =
        Destination::Feed { registry: &app.registry, eservice: app.eservice, ente: &roma() };
    import::run(&import::benefits(folder.path(), FLOWS), &mut destination);
    app.registry.page(app.eservice, 0, FLOWS).unwrap()
}

/// Where in the feed there are full pages of any size.
pub fn cursors(flussi: &[PublishedFlusso]) -> Vec<i64> {
    flussi[..flussi.len() - 100].iter().map(|flusso| flusso.ts_ms).collect()
}

/// So many clients that pull pages of `limit` flows.
pub fn http<'a>(name: &str, app: &'a App, clients: usize, cursors: &'a [i64], limit: i64) -> Contestant<'a> {
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
pub fn anywhere(cursors: &[i64], client: usize) -> impl Iterator<Item = i64> {
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
