//! The listener against clients that do not mean well, over bare sockets: slow ones, endless ones, malformed ones.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::app::App;
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::mensa;

/// Longer than any time-out under test: a connection that is still open by then hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn app() -> (TestDatabase, App) {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    app.publish(&[mensa("2025/1", 8000)]);
    (database, app)
}

fn connect(app: &App) -> TcpStream {
    let stream = TcpStream::connect(app.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What the server says until it closes the connection.
fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            // Data that the server did not want to read makes its end a reset.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the connection stays open: {error}"),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends as much as the server takes, and gives what it says.
fn send(app: &App, request: &[u8]) -> String {
    let mut stream = connect(app);
    // A server that has heard enough closes before all is sent.
    let _ = stream.write_all(request);
    until_closed(&mut stream)
}

fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// The service is as it was for whoever means well.
fn serves(app: &App) {
    assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);
}

#[test]
fn a_head_that_comes_letter_by_letter_is_cut_off() {
    let (_database, app) = app();
    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..50).map(|_| connect(&app)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /waas/v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    }
    serves(&app);
    // One goes on and on, slowly; the others wait.
    let mut dripping = slow.pop().unwrap();
    let mut writer = dripping.try_clone().unwrap();
    let drip = thread::spawn(move || {
        writer.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut wait = dripping.try_clone().unwrap();
        wait.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut byte = [0; 1];
        // A read that times out is the pause between two letters; one that does not is the end.
        while wait
            .read(&mut byte)
            .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
        {
            if writer.write_all(b"a").is_err() {
                break;
            }
        }
        until_closed(&mut dripping);
    });
    for stream in &mut slow {
        let answer = until_closed(stream);
        assert!(status(&answer).is_none_or(|status| status == 408), "{answer}");
    }
    drip.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    serves(&app);
}

#[test]
fn a_body_that_does_not_come_is_cut_off() {
    let (_database, app) = app();
    let mut stream = connect(&app);
    let head = format!(
        "POST /waas/v1/esiti HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 1000\r\n\r\n{{",
        app.voucher()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let answer = until_closed(&mut stream);
    assert_eq!(status(&answer), Some(400), "{answer}");
    assert!(answer.contains("problem+json") && answer.contains("non è arrivato"), "{answer}");
    serves(&app);
}

#[test]
fn what_is_too_large_is_refused_without_being_read() {
    let (_database, app) = app();
    let voucher = app.voucher();
    let huge = "x".repeat(1 << 20);
    for head in [
        format!("GET /waas/v1/status?{huge} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /waas/v1/status HTTP/1.1\r\nHost: x\r\nX-Huge: {huge}\r\n\r\n"),
        format!("GET /waas/v1/flussi?since=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {huge}\r\n\r\n"),
        format!("GET /waas/v1/status HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-Many: 1\r\n".repeat(20_000)),
    ] {
        let answer = send(&app, head.as_bytes());
        assert!(
            status(&answer).is_none_or(|status| [400, 413, 414, 431].contains(&status)),
            "{:?}",
            answer.get(..200)
        );
        serves(&app);
    }

    let post = |authorization: &str, length: &str| {
        format!(
            "POST /waas/v1/esiti HTTP/1.1\r\nHost: x\r\n{authorization}Content-Type: application/json\r\n{length}\r\n"
        )
    };
    let authorization = format!("Authorization: Bearer {voucher}\r\n");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let chunked = "Transfer-Encoding: chunked\r\n";
    // Announced as too large, or found so on the way: a gigabyte is never sent, let alone kept.
    let announced = send(&app, post(&authorization, "Content-Length: 1073741824\r\n").as_bytes());
    assert_eq!(status(&announced), Some(413), "{announced}");
    let endless = post(&authorization, chunked) + &chunk.repeat(64);
    let answer = send(&app, endless.as_bytes());
    assert!(status(&answer).is_none_or(|status| status == 413), "{answer}");
    // Without a voucher no body is read at all.
    for length in ["Content-Length: 1073741824\r\n", chunked] {
        let answer = send(&app, post("", length).as_bytes());
        assert_eq!(status(&answer), Some(401), "{answer}");
    }
    serves(&app);
}

#[test]
fn what_is_not_http_harms_nobody() {
    let (_database, app) = app();
    for request in [
        b"\r\n\r\n\r\n\r\n".as_slice(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /waas/v1/status\r\n\r\n",
        b"GET /waas/v1/status HTTP/9.9\r\n\r\n",
        b"GET \x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /waas/v1/status HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
        b"GET /waas/v1/status HTTP/1.1\r\nHost: x\r\nFolded: 1\r\n two\r\n\r\n",
        b"POST /waas/v1/esiti HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /waas/v1/esiti HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /waas/v1/esiti HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /waas/v1/esiti HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
    ] {
        let mut stream = connect(&app);
        let _ = stream.write_all(request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let answer = until_closed(&mut stream);
        // Nothing of it is taken for a call that works, and no flow leaves.
        assert!(!answer.contains("elenco_flussi"), "{answer}");
        assert!(status(&answer).is_none_or(|status| (400..500).contains(&status)), "{request:?}: {answer}");
    }
    serves(&app);
}

/// As Java's HTTP client begins over plain HTTP.
#[test]
fn who_would_rather_speak_another_protocol_is_answered_and_told_that_the_connection_ends() {
    let (_database, app) = app();
    let post = "POST /waas/v1/esiti HTTP/1.1\r\nContent-Type: application/json\r\n";
    for (call, body, code) in [
        ("GET /waas/v1/flussi?since=0 HTTP/1.1\r\n".to_owned(), "", 200),
        (format!("{post}Content-Length: 2\r\n"), "{}", 204),
        (format!("{post}Transfer-Encoding: chunked\r\n"), "2\r\n{}\r\n0\r\n\r\n", 204),
        (post.to_owned(), "", 400),
    ] {
        for other in [
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        ] {
            let began = Instant::now();
            let request =
                format!("{call}Host: x\r\nAuthorization: Bearer {}\r\n{other}\r\n{body}", app.voucher());
            let answer = send(&app, request.as_bytes());
            assert_eq!(status(&answer), Some(code), "{answer}");
            let (head, _) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("\r\nconnection: close"), "{head}");
            // A body that is all there is not waited for.
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        }
    }
    serves(&app);
}

#[test]
fn every_answer_says_how_a_browser_must_treat_it_and_none_says_what_serves_it() {
    let (_database, app) = app();
    let good = app.get("/flussi?since=0");
    let answers = [
        good,
        app.send("GET", "/waas/v1/status", &[], b""),
        app.send("GET", "/waas/v1/openapi.yaml", &[], b""),
        app.send("GET", "/waas/v1/flussi", &[], b""),
        app.send("DELETE", "/waas/v1/esiti", &[], b""),
        app.send("GET", "/nowhere", &[], b""),
    ];
    for answer in answers {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        for name in ["server", "x-powered-by", "via"] {
            assert_eq!(answer.header(name), None, "{answer:?}");
        }
        let said = format!("{:?}", answer.headers).to_lowercase();
        assert!(!said.contains("actix") && !said.contains(env!("CARGO_PKG_VERSION")), "{said}");
    }
}
