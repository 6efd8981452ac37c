//! A service that is not ours: an honest one of seven flows, which a test makes dishonest.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use waas_comuni::inps::Base;
use waas_comuni::siuss::record::{Flusso, NomeFlusso, Record};
use waas_comuni::siuss::values::Value as _;
use waas_comuni::siuss::xml;

use crate::support::records::{mensa, minore, roma, withdrawn};

/// The one voucher that the honest service lets in.
pub(crate) const VOUCHER: &str = "testata.dati.firma";
/// The instant of the first flow; the others follow, a millisecond after each other.
pub(crate) const FIRST_TS: u64 = 1_772_359_200_000;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Below the base path, without the query.
    pub(crate) path: String,
    pub(crate) since: Option<u128>,
    pub(crate) limit: usize,
    pub(crate) voucher: Option<String>,
    pub(crate) body: String,
    /// How often the very same was asked before.
    pub(crate) times: usize,
    target: String,
}

impl Request {
    /// Whether it asks for flows, and may.
    pub(crate) fn pulls(&self) -> bool {
        self.path == "/flussi" && self.voucher.as_deref() == Some(VOUCHER) && self.since.is_some()
    }

    pub(crate) fn delivers(&self) -> bool {
        self.path == "/esiti" && self.voucher.as_deref() == Some(VOUCHER)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) media_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, media_type: "application/json", headers: Vec::new(), body: body.to_string() }
    }

    pub(crate) fn problem(status: u16) -> Self {
        let body = json!({ "title": "Titolo", "status": status, "detail": "Che cosa non va." });
        Self { media_type: "application/problem+json", ..Self::json(status, &body) }
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The same, its body changed.
    pub(crate) fn edit(self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut body = serde_json::from_str(&self.body).unwrap();
        edit(&mut body);
        Self { body: body.to_string(), ..self }
    }

    /// The same, its second flow changed, if it has two.
    pub(crate) fn edit_second(self, edit: impl FnOnce(&mut Value)) -> Self {
        self.edit(|body| {
            if let Some(flusso) = body.pointer_mut("/elenco_flussi/1") {
                edit(flusso);
            }
        })
    }

    /// The same, the document of its second flow changed.
    pub(crate) fn edit_document(self, edit: impl FnOnce(String) -> String) -> Self {
        self.edit_second(|flusso| {
            let document = BASE64_STANDARD.decode(flusso["flusso"].as_str().unwrap()).unwrap();
            let before = String::from_utf8(document).unwrap();
            let after = edit(before.clone());
            assert_ne!(before, after);
            flusso["flusso"] = json!(BASE64_STANDARD.encode(after));
        })
    }
}

/// The flows of the honest service: six benefits, one of them withdrawn, and a child in care.
pub(crate) fn flows() -> Vec<Value> {
    let domande = ["D1", "D2", "D3", "D4", "D5"].map(|protocollo| mensa(protocollo, 8420));
    let withdrawn = withdrawn(&domande[0]);
    let records = domande.into_iter().chain([withdrawn, minore("PSEUDONIMO-1", 1)]);
    records.enumerate().map(|(index, record)| flow(index, record)).collect()
}

pub(crate) fn flow(index: usize, record: Record) -> Value {
    let id = format!("H501.{}.20260301.{:07}", record.tipo().sigla(), index + 1);
    let tipo = record.tipo().as_str();
    let flusso = Flusso { nome: NomeFlusso::read(&id).unwrap(), ente: roma(), record };
    json!({
        "codice_ente": "H501",
        "denominazione_ente": "Comune di Roma",
        "id_flusso": id,
        "ts_flusso": ts(FIRST_TS + index as u64),
        "tipo": tipo,
        "flusso": BASE64_STANDARD.encode(xml::write(&flusso)),
    })
}

pub(crate) fn ts(millis: u64) -> String {
    format!("{:.3}", jiff::Timestamp::from_millisecond(i64::try_from(millis).unwrap()).unwrap())
}

/// The page of `flows` after `since`.
pub(crate) fn page(flows: &[Value], since: u128, limit: usize) -> Reply {
    let after = |flusso: &&Value| {
        let ts: jiff::Timestamp = flusso["ts_flusso"].as_str().unwrap().parse().unwrap();
        u128::try_from(ts.as_millisecond()).unwrap() > since
    };
    let list: Vec<&Value> = flows.iter().filter(after).take(limit).collect();
    Reply::json(200, &json!({ "elenco_flussi": list }))
}

/// What an honest service with these flows answers.
pub(crate) fn honest(request: &Request, flows: &[Value]) -> Reply {
    match (request.method.as_str(), request.path.as_str(), request.since) {
        ("GET", "/status", _) => Reply::problem(200),
        _ if request.voucher.as_deref() != Some(VOUCHER) => Reply::problem(401),
        ("GET", "/flussi", Some(since)) => page(flows, since, request.limit),
        ("GET", "/flussi", None) => Reply::problem(400),
        ("POST", "/esiti", _) => {
            Reply { status: 204, media_type: "", headers: Vec::new(), body: String::new() }
        }
        _ => Reply::problem(404),
    }
}

/// A service on a port of its own, for as long as the process lives.
pub(crate) struct Fake {
    pub(crate) base: Base,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/waas/v1", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = read(&mut stream);
                {
                    let mut log = log.lock().unwrap();
                    request.times = log
                        .iter()
                        .filter(|earlier: &&Request| {
                            (&earlier.target, &earlier.voucher, &earlier.body)
                                == (&request.target, &request.voucher, &request.body)
                        })
                        .count();
                    log.push(request.clone());
                }
                write(&mut stream, &answer(&request));
            }
        });
        Self { base, seen }
    }

    /// The honest service, whose replies `change` may change.
    pub(crate) fn with(change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Self {
        let flows = flows();
        Self::start(move |request| change(request, honest(request, &flows)))
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// The outcomes of every delivery so far.
    pub(crate) fn deliveries(&self) -> Vec<Vec<Value>> {
        let delivers = |request: &Request| request.delivers();
        let list = |request: Request| {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            body["elenco_esiti"].as_array().unwrap().clone()
        };
        self.requests().into_iter().filter(delivers).map(list).collect()
    }
}

fn read(stream: &mut TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let (method, rest) = first.split_once(' ').unwrap();
    let target = rest.split_once(' ').unwrap().0.strip_prefix("/waas/v1").unwrap().to_owned();
    let (mut voucher, mut length) = (None, 0);
    loop {
        let header = line();
        match header.split_once(": ") {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                voucher = Some(value.strip_prefix("Bearer ").unwrap().to_owned());
            }
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap();
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        since: parameter("since").map(|text| text.parse().unwrap()),
        limit: parameter("limit").map_or(10, |text| text.parse().unwrap()),
        voucher,
        body: String::from_utf8(body).unwrap(),
        times: 0,
        target: target.clone(),
    }
}

fn write(stream: &mut TcpStream, reply: &Reply) {
    let mut headers = reply.headers.clone();
    headers.push(("Connection", "close".to_owned()));
    if reply.status != 204 {
        headers.push(("Content-Type", reply.media_type.to_owned()));
        headers.push(("Content-Length", reply.body.len().to_string()));
    }
    let headers: Vec<String> =
        headers.into_iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    // A client that has read enough may hang up.
    let _ = write!(stream, "HTTP/1.1 {} X\r\n{}\r\n{}", reply.status, headers.concat(), reply.body);
}
