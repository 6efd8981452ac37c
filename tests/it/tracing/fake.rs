//! PDND as the facts describe it, on a port of its own: vouchers for an assertion, and the tracing service.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Verifier;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;
use waas_comuni::clock::Clock;
use waas_comuni::config::{Config, Tracing};
use waas_comuni::store::Day;
use waas_comuni::voucher::issuer::Signer;

use super::judge;

pub(crate) const KID: &str = "kid-of-the-client";
pub(crate) const AUDIENCE: &str = "auth.locale/client-assertion";

/// A day as PDND has it.
#[derive(Clone, Debug)]
pub(crate) struct OneDay {
    pub(crate) id: Uuid,
    pub(crate) state: &'static str,
    /// Every file that was taken for it.
    pub(crate) files: Vec<String>,
    pub(crate) errors: Vec<Value>,
}

/// What goes wrong with the next question.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is answered with this status, these headers and this body, and nothing is done.
    Answer(u16, &'static str, String),
    /// What is asked is done, and the connection ends before the answer.
    CutAfter,
    /// The answer takes this long.
    Slow(Duration),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) content_type: String,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) days: BTreeMap<String, OneDay>,
    pub(crate) asked: Vec<Asked>,
    /// For POSTs to the tracing service, in turn.
    pub(crate) on_post: VecDeque<Fault>,
    /// For GETs from it.
    pub(crate) on_get: VecDeque<Fault>,
    /// For the place that gives vouchers.
    pub(crate) on_token: VecDeque<Fault>,
    /// Every connection is cut.
    pub(crate) down: bool,
    /// Days that the list leaves out, once each.
    pub(crate) hidden: HashSet<String>,
    /// Purposes that PDND does not know.
    pub(crate) unknown_purposes: HashSet<String>,
    vouchers: HashMap<String, i64>,
    assertions: HashSet<String>,
}

/// PDND.
pub(crate) struct Pdnd {
    pub(crate) base: String,
    pub(crate) client_id: Uuid,
    pub(crate) pem: String,
    state: Arc<Mutex<State>>,
}

struct Server {
    client_id: Uuid,
    key: Signer,
    clock: Clock,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

type Reply = (u16, &'static str, String);

fn problem(status: u16, code: &str) -> Reply {
    let problem = json!({
        "type": "about:blank", "status": status, "title": "The request failed",
        "detail": "Unexpected", "errors": [{ "code": code, "detail": format!("it is {code}") }],
    });
    (status, "", problem.to_string())
}

fn ok(body: &Value) -> Reply {
    (200, "", body.to_string())
}

impl Pdnd {
    pub(crate) fn start(clock: Clock) -> Self {
        let key = Signer::generate().unwrap();
        let pem = PKey::from_rsa(key.key().clone()).unwrap().private_key_to_pem_pkcs8().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let client_id = Uuid::new_v4();
        let server = Arc::new(Server { client_id, key, clock, state: Arc::clone(&state) });
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (server, stream) = (Arc::clone(&server), stream.unwrap());
                std::thread::spawn(move || server.serve(stream));
            }
        });
        Self { base, client_id, pem: String::from_utf8(pem).unwrap(), state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Looks at every file that waits.
    pub(crate) fn process(&self) {
        let state = &mut *self.state();
        for (date, day) in state.days.iter_mut().filter(|(_, day)| day.state == "PENDING") {
            let file = day.files.last().unwrap();
            day.errors.clear();
            day.state = match judge::read(file, date) {
                Err(wrong) => {
                    day.errors.push(json!({ "severity": "ERROR", "errorCode": "INVALID_FILE", "message": wrong, "rowNumber": 1 }));
                    "ERROR"
                }
                Ok(rows) => {
                    for (purpose, ..) in
                        rows.keys().filter(|(purpose, ..)| state.unknown_purposes.contains(purpose))
                    {
                        day.errors.push(json!({
                            "purposeId": purpose, "severity": "ERROR", "errorCode": "PURPOSE_NOT_FOUND",
                            "message": "the purpose is unknown", "rowNumber": 2,
                        }));
                    }
                    if day.errors.is_empty() { "COMPLETED" } else { "ERROR" }
                }
            };
        }
    }

    /// The deadline of a day passes without a file.
    pub(crate) fn miss(&self, date: &str) {
        let missing = OneDay { id: Uuid::new_v4(), state: "MISSING", files: Vec::new(), errors: Vec::new() };
        self.state().days.insert(date.to_owned(), missing);
    }

    pub(crate) fn day(&self, date: &str) -> Option<OneDay> {
        self.state().days.get(date).cloned()
    }

    /// The POSTs that came to the tracing service.
    pub(crate) fn posts(&self) -> Vec<Asked> {
        self.state()
            .asked
            .iter()
            .filter(|asked| asked.method == "POST" && asked.path != "/token.oauth2")
            .cloned()
            .collect()
    }

    pub(crate) fn vouchers_asked(&self) -> usize {
        self.state().asked.iter().filter(|asked| asked.path == "/token.oauth2").count()
    }

    /// Every voucher that was given is refused from now on.
    pub(crate) fn forget_vouchers(&self) {
        self.state().vouchers.clear();
    }

    /// The section that sends to it.
    pub(crate) fn section(&self, name: &str, eservices: &[&str]) -> Tracing {
        toml::from_str(&self.toml(name, eservices)).unwrap()
    }

    /// The lines of that section, without its header.
    pub(crate) fn toml(&self, name: &str, eservices: &[&str]) -> String {
        format!(
            "name = {name:?}\neservices = {eservices:?}\nclient_id = \"{}\"\nkid = {KID:?}\nkey = {:?}\nurl = {:?}\n\
             token_url = \"{}/token.oauth2\"\nassertion_audience = {AUDIENCE:?}\n",
            self.client_id, self.pem, self.base, self.base
        )
    }

    /// Makes a configuration send to it, every day.
    pub(crate) fn configure(&self, config: &mut Config) {
        let names: Vec<String> = config.eservice.iter().map(|eservice| eservice.name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        config.tracing.push(Tracing { daily: true, ..self.section("prova", &names) });
    }
}

impl Server {
    fn serve(&self, mut stream: TcpStream) {
        if self.state.lock().unwrap().down {
            return;
        }
        let Some(request) = read(&mut stream) else { return };
        let fault = {
            let mut state = self.state.lock().unwrap();
            let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
            state.asked.push(Asked {
                method: request.method.clone(),
                path: request.path.clone(),
                content_type: header("content-type"),
            });
            match (request.method.as_str(), request.path.as_str()) {
                (_, "/token.oauth2") => state.on_token.pop_front(),
                ("POST", _) => state.on_post.pop_front(),
                _ => state.on_get.pop_front(),
            }
        };
        let (status, headers, body) = match fault {
            Some(Fault::Answer(status, headers, body)) => (status, headers, body),
            Some(Fault::Slow(delay)) => {
                std::thread::sleep(delay);
                self.answer(&request)
            }
            Some(Fault::CutAfter) => {
                self.answer(&request);
                return;
            }
            None => self.answer(&request),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
            body.len()
        );
        // A client that has read enough may hang up.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
    }

    fn answer(&self, request: &Request) -> Reply {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        if request.path == "/token.oauth2" {
            return match self.judge_assertion(&mut state, request, now.as_second()) {
                Ok(()) => {
                    let voucher = Uuid::new_v4().to_string();
                    state.vouchers.insert(voucher.clone(), now.as_second() + 600);
                    ok(&json!({ "access_token": voucher, "token_type": "Bearer", "expires_in": 600 }))
                }
                Err(wrong) => {
                    (400, "", json!({ "errors": [{ "code": "015-0008", "detail": wrong }] }).to_string())
                }
            };
        }
        let voucher = request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let good = voucher
            .and_then(|voucher| state.vouchers.get(voucher))
            .is_some_and(|until| now.as_second() < *until);
        if !good {
            return problem(401, "UNAUTHORIZED");
        }
        let path: Vec<&str> = request.path.split('/').skip(1).collect();
        match (request.method.as_str(), &path[..]) {
            ("GET", ["tracings"]) => list(&mut state, &request.query),
            ("GET", ["tracings", id, "errors"]) => {
                let Some(day) = state.days.values().find(|day| day.id.to_string() == *id) else {
                    return problem(404, "TRACING_NOT_FOUND");
                };
                page(&request.query, &day.errors)
            }
            ("POST", ["tracings", "submit"]) => match form(request) {
                Ok((Some(date), file)) => submit(&mut state, &date, file, Day::of(now)),
                Ok((None, _)) => problem(400, "NO_DATE"),
                Err(wrong) => problem(400, &wrong),
            },
            ("POST", ["tracings", id, what]) => match form(request) {
                Ok((None, file)) => update(&mut state, id, what, file),
                Ok((Some(_), _)) => problem(400, "DATE_NOT_EXPECTED"),
                Err(wrong) => problem(400, &wrong),
            },
            _ => problem(404, "NOT_FOUND"),
        }
    }

    fn judge_assertion(&self, state: &mut State, request: &Request, now: i64) -> Result<(), String> {
        let form: HashMap<String, String> = form_urlencoded::parse(&request.body).into_owned().collect();
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let expect = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        expect(request.method == "POST", "not a POST")?;
        expect(request.headers["content-type"] == "application/x-www-form-urlencoded", "not a form")?;
        expect(field("grant_type") == "client_credentials", "grant_type")?;
        expect(field("client_id") == self.client_id.to_string(), "client_id")?;
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        expect(field("client_assertion_type") == kind, "client_assertion_type")?;
        let assertion = field("client_assertion");
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims, signature] = parts[..] else { return Err("no JWT".to_owned()) };
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string());
        let public = PKey::public_key_from_pem(
            &PKey::from_rsa(self.key.key().clone()).unwrap().public_key_to_pem().unwrap(),
        )
        .unwrap();
        let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
        verifier.update(format!("{header}.{claims}").as_bytes()).unwrap();
        expect(verifier.verify(&decode(signature)?).unwrap_or(false), "the signature")?;
        let object = |part: &str| -> Result<Value, String> {
            serde_json::from_slice(&decode(part)?).map_err(|error| error.to_string())
        };
        let header = object(header)?;
        expect(header == json!({ "kid": KID, "alg": "RS256", "typ": "JWT" }), "the header")?;
        let claims = object(claims)?;
        let client = json!(self.client_id.to_string());
        expect(claims["iss"] == client && claims["sub"] == client, "iss and sub")?;
        expect(claims["aud"] == AUDIENCE, "aud")?;
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        expect((now - 60..=now + 5).contains(&iat) && exp > now && exp <= iat + 600, "iat and exp")?;
        let jti = claims["jti"].as_str().filter(|jti| Uuid::try_parse(jti).is_ok());
        expect(jti.is_some_and(|jti| state.assertions.insert(jti.to_owned())), "jti")
    }
}

fn list(state: &mut State, query: &str) -> Reply {
    let states: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "states")
        .map(|(_, v)| v.into_owned())
        .collect();
    let hidden = std::mem::take(&mut state.hidden);
    let all: Vec<Value> = state
        .days
        .iter()
        .filter(|(date, day)| {
            !hidden.contains(*date) && (states.is_empty() || states.iter().any(|s| s == day.state))
        })
        .map(|(date, day)| json!({ "tracingId": day.id, "date": date, "state": day.state }))
        .collect();
    page(query, &all)
}

fn page(query: &str, all: &[Value]) -> Reply {
    let number = |name: &str| -> usize {
        let pair = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
        pair.map(|(_, value)| value.parse().unwrap()).unwrap()
    };
    let (offset, limit) = (number("offset"), number("limit"));
    if !(1..=50).contains(&limit) {
        return problem(400, "LIMIT");
    }
    let results: Vec<&Value> = all.iter().skip(offset).take(limit).collect();
    ok(&json!({ "results": results, "totalCount": all.len() }))
}

fn submit(state: &mut State, date: &str, file: String, today: Day) -> Reply {
    let Ok(day) = date.parse::<jiff::civil::Date>() else { return problem(400, "DATE") };
    if Day::from(day) >= today {
        return problem(400, "INVALID_TRACING_DATE");
    }
    if state.days.contains_key(date) {
        return problem(400, "TRACING_ALREADY_EXISTS");
    }
    let errors = state.days.values().any(|day| matches!(day.state, "ERROR" | "MISSING"));
    let id = Uuid::new_v4();
    state
        .days
        .insert(date.to_owned(), OneDay { id, state: "PENDING", files: vec![file], errors: Vec::new() });
    ok(&json!({ "tracingId": id, "errors": errors }))
}

fn update(state: &mut State, id: &str, what: &str, file: String) -> Reply {
    let Some(day) = state.days.values_mut().find(|day| day.id.to_string() == id) else {
        return problem(404, "TRACING_NOT_FOUND");
    };
    let allowed = match what {
        "recover" => matches!(day.state, "ERROR" | "MISSING"),
        "replace" => matches!(day.state, "COMPLETED" | "WARNING"),
        _ => return problem(404, "NOT_FOUND"),
    };
    if !allowed {
        return problem(409, "TRACING_CANNOT_BE_UPDATED");
    }
    day.state = "PENDING";
    day.files.push(file);
    ok(&json!({ "tracingId": id }))
}

/// The date, if there is one, and the file of a form.
fn form(request: &Request) -> Result<(Option<String>, String), String> {
    let content_type = &request.headers["content-type"];
    if content_type.contains('\t') {
        return Err("TAB_IN_CONTENT_TYPE".to_owned());
    }
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").ok_or("NOT_A_FORM")?;
    if boundary.is_empty() || boundary.len() > 70 || boundary.contains(['"', ' ', ';']) {
        return Err("BOUNDARY".to_owned());
    }
    let body = String::from_utf8(request.body.clone()).map_err(|_| "NOT_TEXT")?;
    let body = body.strip_suffix(&format!("\r\n--{boundary}--\r\n")).ok_or("NO_END")?;
    let (mut date, mut file) = (None, None);
    for part in format!("\r\n{body}").split(&format!("\r\n--{boundary}\r\n")).skip(1) {
        let (head, content) = part.split_once("\r\n\r\n").ok_or("NO_HEAD")?;
        let disposition = head.split("\r\n").next().unwrap_or_default();
        match disposition {
            "Content-Disposition: form-data; name=\"date\"" => date = Some(content.to_owned()),
            _ if disposition.starts_with("Content-Disposition: form-data; name=\"file\"; filename=\"") => {
                file = Some(content.to_owned());
            }
            _ => return Err("UNKNOWN_PART".to_owned()),
        }
    }
    Ok((date, file.ok_or("NO_FILE")?))
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.strip_prefix(' ').unwrap_or(value).to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}
