//! Spans of calls, as a collector of traces receives them; and what becomes of calls when it does not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::Value;
use waas_comuni::telemetry::span::Parent;

use crate::support::app::{Answer, App};
use crate::support::database::{Backend, TestDatabase};
use crate::support::records::mensa;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a collector is sent until `count` spans came, as its requests say it.
fn collect(listener: &TcpListener, count: usize) -> Vec<String> {
    let (mut bodies, mut seen) = (Vec::new(), 0);
    while seen < count {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let (mut length, mut head, mut line) = (0, String::new(), String::new());
        while stream.read_line(&mut line).unwrap() > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&std::mem::take(&mut line));
        }
        assert!(head.starts_with("POST /v1/traces ") && head.contains("application/json"), "{head}");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.get_mut().write_all(answer).unwrap();
        let body = String::from_utf8(body).unwrap();
        seen += body.matches("\"spanId\"").count();
        bodies.push(body);
    }
    bodies
}

fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let found = span["attributes"].as_array()?.iter().find(|one| one["key"] == key)?;
    found["value"].as_object()?.values().next()?.as_str()
}

#[test]
fn every_call_is_a_span_that_says_no_more_than_the_log() {
    let database = TestDatabase::new(Backend::Sqlite);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let app = App::start_with(&database, |config| config.telemetry.otlp_traces_url = Some(url));
    let collector = thread::spawn(move || collect(&listener, 3));
    app.publish(&[mensa("2025/1", 8000)]);
    let voucher = app.voucher();
    let bearer = format!("Bearer {voucher}");
    let headers = [("Authorization", bearer.as_str()), ("traceparent", TRACEPARENT)];
    let pull = app.send("GET", "/waas/v1/flussi?since=0&cf=CNTLCU15E09H501T", &headers, b"");
    let alone = app.send("GET", "/waas/v1/status", &[("traceparent", "00-0-0-00")], b"");
    app.send("BREW", "/CNTLCU15E09H501T", &[], b"");
    // What is on its way is sent before the service ends.
    app.stop();
    let bodies = collector.join().unwrap();
    let requests = bodies.iter().map(|body| serde_json::from_str::<Value>(body).unwrap());
    let spans: Vec<Value> = requests
        .flat_map(|request| {
            let resource = &request["resourceSpans"][0];
            let names = resource["resource"]["attributes"].to_string();
            assert!(names.contains("service.name") && names.contains("waas-comuni"), "{names}");
            resource["scopeSpans"][0]["spans"].as_array().unwrap().clone()
        })
        .collect();
    let id = |answer: &Answer| answer.header("x-request-id").unwrap().to_owned();
    let of = |id: &str| spans.iter().find(|span| attribute(span, "waas.request_id") == Some(id)).unwrap();
    let (pulled, status) = (of(&id(&pull)), of(&id(&alone)));
    assert_eq!((&pulled["traceId"], &pulled["parentSpanId"]), (&TRACE.into(), &"00f067aa0ba902b7".into()));
    assert_eq!((&pulled["name"], &pulled["kind"]), (&"GET flussi".into(), &2.into()));
    assert_eq!(attribute(pulled, "waas.eservice"), Some("prova"));
    assert_eq!(attribute(pulled, "http.response.status_code"), Some(pull.status.to_string().as_str()));
    assert_eq!(status["traceId"], id(&alone).replace('-', ""), "its own id is that of its trace");
    assert!(status["parentSpanId"].is_null(), "a wrong header is no parent: {status}");
    assert!(spans.iter().any(|span| span["name"] == "_OTHER none"), "{spans:?}");
    let nanos = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<i128>().unwrap();
    for span in &spans {
        assert!(nanos(span, "startTimeUnixNano") <= nanos(span, "endTimeUnixNano"), "{span}");
    }
    for body in &bodies {
        let signature = voucher.rsplit('.').next().unwrap();
        assert!(!body.contains(signature) && !body.contains("CNTLCU15E09H501T"), "{body}");
    }
}

#[test]
fn a_collector_that_is_away_holds_up_nothing() {
    let database = TestDatabase::new(Backend::Sqlite);
    // A port that nobody listens on.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let app = App::start_with(&database, |config| {
        config.telemetry.otlp_traces_url = Some(format!("http://{address}/v1/traces"));
    });
    for _ in 0..20 {
        assert_eq!(app.get("/flussi?since=0").status, 200);
    }
    assert_eq!(app.stop().len(), 20);
}

#[test]
fn a_traceparent_is_what_the_recommendation_describes() {
    assert_eq!(Parent::read(TRACEPARENT).map(Parent::trace).as_deref(), Some(TRACE));
    assert!(Parent::read(&format!("cc{}-what-comes-later", &TRACEPARENT[2..])).is_some());
    for wrong in [
        "",
        "00",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        &TRACEPARENT.to_uppercase(),
        &format!("{TRACEPARENT}-more"),
        &format!("ff{}", &TRACEPARENT[2..]),
        &TRACEPARENT[1..],
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
    ] {
        assert_eq!(Parent::read(wrong), None, "{wrong}");
    }
}
