//! How pages leave: compressed, by name, announced to a `HEAD`, and slowly.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use flate2::read::GzDecoder;
use serde_json::json;

use crate::support::app::{Answer, App};
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;

/// Longer than any time-out under test.
const PATIENCE: Duration = Duration::from_secs(60);

fn app_with(database: &TestDatabase, flows: u32) -> App {
    let app = App::start(database);
    publish(&app, flows);
    app
}

fn publish(app: &App, flows: u32) {
    let records: Vec<_> = (0..flows).map(|number| mensa(&format!("2025/{number}"), 8000)).collect();
    app.publish(&records);
}

fn ask(app: &App, method: &str, query: &str, header: (&str, &str)) -> Answer {
    let voucher = format!("Bearer {}", app.voucher());
    app.send(method, &format!("/waas/v1/flussi{query}"), &[("Authorization", &voucher), header], b"")
}

/// Requests as they go over the wire, and what comes back until the connection ends.
fn raw(app: &App, requests: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(app.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn request(app: &App, method: &str, query: &str, headers: &str) -> String {
    let voucher = app.voucher();
    format!(
        "{method} /waas/v1/flussi{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {voucher}\r\n{headers}\r\n"
    )
}

/// Head and body of an answer.
fn parted(answer: &[u8]) -> (String, &[u8]) {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of a head");
    (String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase(), &answer[end + 4..])
}

#[test]
fn whoever_accepts_gzip_gets_it_and_nobody_else() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = app_with(&database, 20);
    let plain = app.get("/flussi?since=0&limit=20");
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("Accept-Encoding")));
    let gzip = |accepted: &str| {
        let headers = format!("Connection: close\r\nAccept-Encoding: {accepted}\r\n");
        let answer = raw(&app, &request(&app, "GET", "?since=0&limit=20", &headers));
        let (head, body) = parted(&answer);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("vary: accept-encoding"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        if head.contains("content-encoding: gzip") {
            let mut unpacked = String::new();
            GzDecoder::new(body).read_to_string(&mut unpacked).unwrap();
            assert_eq!(unpacked, plain.body);
            assert!(body.len() * 2 < unpacked.len(), "{} of {}", body.len(), unpacked.len());
            true
        } else {
            assert!(!head.contains("content-encoding"), "{head}");
            assert_eq!(body, plain.body.as_bytes());
            false
        }
    };
    for accepted in ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8, identity;q=0.1"] {
        assert!(gzip(accepted), "{accepted}");
    }
    // What is not understood, or accepts nothing that there is, gets the page as it is rather than a refusal.
    for refused in ["identity", "gzip;q=0", "br", "identity;q=0, br", "identity;q=1, gzip;q=0.5", "ü", ""] {
        assert!(!gzip(refused), "{refused}");
    }
    let short = ask(&app, "GET", "?since=0&limit=0", ("Accept-Encoding", "gzip"));
    assert_eq!((short.header("content-encoding"), short.flussi().len()), (None, 0));
    // The log counts what was said, however it was packed.
    let log = app.stop();
    assert!(log.iter().filter(|entry| entry["count"] == 20).all(|entry| entry["bytes"] == plain.body.len()));
}

on_both_databases! {
    fn a_full_page_has_a_name_by_which_it_is_not_sent_twice(database) {
        let app = app_with(database, 25);
        let page = app.get("/flussi?since=0&limit=10");
        let tag = page.header("etag").expect("a full page has a name").to_owned();
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(app.get("/flussi?since=0&limit=10").header("etag"), Some(tag.as_str()), "the same for the same page");
        let last = page.flussi()[9]["ts_flusso"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let next = format!("?since={}&limit=10", last.as_millisecond());
        assert_ne!(app.get(&format!("/flussi{next}")).header("etag"), Some(tag.as_str()));
        // A page that may still grow has none.
        for growing in ["?since=0&limit=26", "?since=0&limit=0", "?since=99999999999999"] {
            let answer = ask(&app, "GET", growing, ("If-None-Match", "*"));
            assert_eq!((answer.status, answer.header("etag")), (200, None), "{growing}");
        }

        let strong = tag.trim_start_matches("W/").to_owned();
        let before: u32 = page.header("x-ratelimit-remaining").unwrap().parse().unwrap();
        let known = [tag.clone(), strong, format!("\"other\", {tag}"), "*".to_owned()];
        for known in &known {
            let answer = ask(&app, "GET", "?since=0&limit=10", ("If-None-Match", known));
            assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{known}: {answer:?}");
            assert_eq!(answer.header("etag"), Some(tag.as_str()));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let left: u32 = answer.header("x-ratelimit-remaining").unwrap().parse().unwrap();
            assert!(left < before, "a call counts whatever it is answered");
        }
        for other in ["\"other\"", "W/\"\"", "nonsense", ""] {
            assert_eq!(ask(&app, "GET", "?since=0&limit=10", ("If-None-Match", other)).flussi().len(), 10, "{other}");
        }
        // A name opens nothing.
        let refused = app.send("GET", "/waas/v1/flussi?since=0&limit=10", &[("If-None-Match", &tag)], b"");
        refused.problem(401);
        assert_eq!((refused.header("etag"), refused.header("cache-control")), (None, Some("no-store")));
        let wrong = ask(&app, "GET", "?since=x", ("If-None-Match", "*"));
        wrong.problem(400);

        // Content that is dropped makes another page of it.
        let drop = "UPDATE flusso SET eliminato_ms = 1 \
                    WHERE ts = (SELECT min(ts) FROM flusso WHERE eliminato_ms IS NULL)";
        app.store.write(|connection| Ok(connection.batch_execute(drop)?)).unwrap();
        let after = ask(&app, "GET", "?since=0&limit=10", ("If-None-Match", &tag));
        assert_eq!((after.status, after.flussi().len()), (200, 10));
        assert!(after.header("etag").is_some_and(|other| other != tag));

        let log = app.stop();
        let told: Vec<_> = log.iter().filter(|entry| entry["outcome"] == "not_modified").collect();
        assert_eq!(told.len(), known.len());
        for entry in told {
            assert_eq!((&entry["status"], &entry["count"], &entry["limit"]), (&json!(304), &json!(0), &json!(10)));
            assert_eq!((&entry["first_ts"], &entry["last_ts"]), (&json!(null), &json!(null)), "nothing was disclosed");
            assert!(entry["token_id"].is_string() && entry["consumer_id"].is_string(), "{entry}");
        }
    }

    fn a_head_is_told_of_a_page_and_given_none(database) {
        let app = app_with(database, 12);
        let page = app.get("/flussi?since=0");
        let told = ask(&app, "HEAD", "?since=0", ("Accept", "*/*"));
        assert_eq!((told.status, told.body.as_str()), (200, ""));
        for name in ["content-type", "content-length", "etag", "cache-control", "vary"] {
            assert_eq!(told.header(name), page.header(name), "{name}");
        }
        assert!(told.header("content-length").is_some());
        let tag = page.header("etag").unwrap();
        assert_eq!(ask(&app, "HEAD", "?since=0", ("If-None-Match", tag)).status, 304);
        assert_eq!(app.send("HEAD", "/waas/v1/flussi?since=0", &[], b"").status, 401);
        assert_eq!(app.send("HEAD", "/waas/v1/status", &[], b"").status, 200);
        assert_eq!(app.send("HEAD", "/waas/v1/openapi.yaml", &[], b"").status, 200);
        let refused = ask(&app, "HEAD", "", ("Accept", "*/*"));
        assert_eq!((refused.status, refused.body.as_str()), (400, ""));
        let voucher = format!("Bearer {}", app.voucher());
        let refused = app.send("HEAD", "/waas/v1/esiti", &[("Authorization", &voucher)], b"");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));

        let log = app.stop();
        let heads: Vec<_> = log.iter().filter(|entry| entry["method"] == "HEAD").collect();
        assert_eq!(heads.len(), 7);
        for entry in heads {
            assert_eq!(entry["first_ts"], json!(null), "nothing was disclosed: {entry}");
            assert!(entry["count"].is_null() || entry["count"] == 0, "{entry}");
            assert!(entry["bytes"].is_null(), "{entry}");
        }
    }
}

#[test]
fn one_connection_serves_many_calls() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = app_with(&database, 12);
    let calls: String = ["GET", "HEAD", "GET"].map(|method| request(&app, method, "?since=0", "")).concat();
    let answer = raw(&app, &(calls + &request(&app, "GET", "?since=0&limit=0", "Connection: close\r\n")));
    let answer = String::from_utf8(answer).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 4);
    assert_eq!(answer.matches("\"elenco_flussi\":[{").count(), 2, "none for the HEAD");
    assert_eq!(answer.matches("\"elenco_flussi\":[]").count(), 1);
}

/// Memory of this process in use, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Each asks for many pages, of which the system's own buffers hold some, and takes none.
#[test]
fn a_slow_reader_costs_one_page() {
    const READERS: usize = 40;
    const PAGES: usize = 48;
    let database = TestDatabase::new(Backend::Sqlite);
    let app = app_with(&database, 100);
    let page = app.get("/flussi?since=0&limit=100").body.len();
    let requests = request(&app, "GET", "?since=0&limit=100", "").repeat(PAGES);
    // As many who do read leave behind what a storm leaves: threads, and the allocator's free lists.
    let last = request(&app, "GET", "?since=0&limit=100", "Connection: close\r\n");
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| raw(&app, &last));
        }
    });
    let before = resident();
    let slow: Vec<TcpStream> = (0..READERS)
        .map(|_| {
            let mut stream = TcpStream::connect(app.address()).unwrap();
            stream.write_all(requests.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Until every reader's buffers are full, after which no more pages are read for anybody.
    let mut answered = 0;
    loop {
        std::thread::park_timeout(Duration::from_millis(500));
        let entries = app.log().len();
        if entries == answered {
            break;
        }
        answered = entries;
    }
    assert!(answered < READERS * PAGES, "the test is of no use: {answered} pages went into buffers");
    let grown = resident().saturating_sub(before);
    // Were the pages that they ask for made ahead, it would be many times this. The rest is what the making leaves.
    let allowed = READERS * (2 * page + 128 * 1024) + (24 << 20);
    assert!(grown < allowed, "{READERS} readers who take nothing cost {grown} bytes, a page being {page}");
    assert_eq!(app.get("/flussi?since=0").flussi().len(), 10, "and whoever reads is served");
    drop(slow);
}

#[test]
fn a_reader_that_takes_nothing_is_cut_off() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start_with(&database, |config| config.api.stalled_seconds = 1);
    publish(&app, 100);
    let mut stream = TcpStream::connect(app.address()).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request(&app, "GET", "?since=0&limit=100", "").repeat(64).as_bytes()).unwrap();
    let began = Instant::now();
    // The system tells of the end when something is sent; but whatever arrives at the server puts off its probe of the
    // window, which is what the time runs out at.
    while stream.write_all(b"\r\n").is_ok() {
        assert!(began.elapsed() < PATIENCE, "the connection stays open");
        std::thread::park_timeout(Duration::from_secs(2));
    }
    assert_eq!(app.get("/flussi?since=0").flussi().len(), 10);
}
