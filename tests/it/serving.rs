//! Serving as a process and as a deployment: TLS and its certificate, stopping, a database that is not there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::symm::Cipher;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};
use waas_comuni::clock::Clock;
use waas_comuni::config::Tls;
use waas_comuni::voucher::issuer::{KEY_FILE, PROFILE_FILE, Profile, Signer};

use crate::support::app::App;
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::records::mensa;

/// Writes a self-signed certificate for `name`, good for a day, and its key.
pub(crate) fn certify(files: &Tls, name: &str) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    let names = SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None));
    builder.append_extension(names.unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    std::fs::write(&files.key, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    std::fs::write(&files.certificate, builder.build().to_pem().unwrap()).unwrap();
}

/// The name in the certificate that the server shows, or why there is no handshake.
pub(crate) fn shown_name(address: SocketAddr, highest: SslVersion) -> Result<String, String> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    connector.set_max_proto_version(Some(highest)).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    let mut stream = connector.build().connect("localhost", stream).map_err(|error| error.to_string())?;
    let certificate = stream.ssl().peer_certificate().unwrap();
    let name = certificate.subject_name().entries().next().unwrap().data().to_string().unwrap();
    stream.write_all(b"GET /waas/v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("strict-transport-security"), "{answer}");
    Ok(name)
}

/// Asks again and again until the answer is there; a minute is far more than it takes.
pub(crate) fn eventually(mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !check() {
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::yield_now();
    }
}

#[test]
fn tls_follows_its_certificate() {
    let database = TestDatabase::new(Backend::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let files = Tls { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
    certify(&files, "first");
    let app = App::start_with(&database, |config| config.api.tls = Some(files.clone()));
    let address = app.address();
    assert_eq!(shown_name(address, SslVersion::TLS1_3).as_deref(), Ok("first"));
    assert_eq!(shown_name(address, SslVersion::TLS1_2).as_deref(), Ok("first"));
    assert!(shown_name(address, SslVersion::TLS1_1).is_err(), "nothing older than 1.2");
    certify(&files, "second");
    eventually(|| shown_name(address, SslVersion::TLS1_3).as_deref() == Ok("second"));
}

/// A `serve` process, and where it listens.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) api: SocketAddr,
    pub(crate) back_office: SocketAddr,
    pub(crate) log: BufReader<std::process::ChildStderr>,
}

impl Server {
    pub(crate) fn start(place: &Place) -> Self {
        let mut child = place.command(&["serve"]).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = |line: &str, name: &str| {
            let address = line.split(name).nth(1)?.split_whitespace().next()?;
            Some(address.parse().unwrap())
        };
        let (api, back_office) = loop {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server did not start");
            if let (Some(api), Some(back_office)) = (address(&line, " api="), address(&line, " back_office="))
            {
                break (api, back_office);
            }
        };
        Self { child, api, back_office, log }
    }

    pub(crate) fn terminate(&self) {
        signal(&self.child, "TERM");
    }
}

pub(crate) fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}

pub(crate) fn voucher(keys: &Path) -> String {
    let signer = Signer::read(&keys.join(KEY_FILE)).unwrap();
    signer.draft(&Profile::read(&keys.join(PROFILE_FILE)).unwrap(), &Clock::System).sign(&signer).unwrap()
}

on_both_databases! {
    fn what_is_in_flight_finishes_before_the_process_ends(database) {
        let place = Place::new(database);
        let mut server = Server::start(&place);
        let body = br#"{"elenco_esiti":[]}"#;
        let head = format!(
            "POST /waas/v1/esiti HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            voucher(&place.path().join("keys")),
            body.len()
        );
        let mut stream = TcpStream::connect(server.api).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n", "the call is being answered");
        server.terminate();
        let mut line = String::new();
        while !line.contains("stopping") {
            line.clear();
            assert_ne!(server.log.read_line(&mut line).unwrap(), 0);
        }
        eventually(|| TcpStream::connect(server.api).is_err());
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
        assert!(server.child.wait().unwrap().success());
        let log = place.run(&["calls", "search", "--json"]);
        assert!(log.stdout.contains("/waas/v1/esiti") && log.stdout.contains("204"), "{log:?}");
    }
}

#[test]
fn without_a_log_nothing_is_disclosed() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start_with(&database, |config| config.database.timeout_seconds = 1);
    app.publish(&[mensa("2025/1", 8000)]);
    assert_eq!(app.get("/flussi?since=0").flussi().len(), 1);
    let path = database.url.strip_prefix("sqlite://").unwrap();
    let mut intruder = SqliteConnection::establish(path).unwrap();
    intruder.batch_execute("BEGIN IMMEDIATE").unwrap();
    let refused = app.get("/flussi?since=0");
    refused.problem(503);
    assert!(refused.header("retry-after").is_some());
    assert!(!refused.body.contains("H501"));
    app.post_esiti("{}").problem(503);
    intruder.batch_execute("ROLLBACK").unwrap();
    assert_eq!(app.get("/flussi?since=0").flussi().len(), 1, "it recovers by itself");
}

#[test]
fn a_database_that_is_gone_is_503_and_said_so_by_status() {
    let database = TestDatabase::new(Backend::Postgres);
    let app = App::start_with(&database, |config| config.database.timeout_seconds = 1);
    assert_eq!(app.get("/status").status, 200);
    database.forbid_connections(true);
    app.get("/status").problem(503);
    app.get("/flussi?since=0").problem(503);
    app.post_esiti("{}").problem(503);
    database.forbid_connections(false);
    eventually(|| app.get("/status").status == 200);
    assert_eq!(app.get("/flussi?since=0").status, 200);
}

#[test]
fn a_wrong_configuration_is_refused_with_all_that_is_wrong() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
    let wrong = config
        .replace("environment = \"locale\"", "environment = \"produzione\"")
        .replace("\"H501\"", "\"h501\"");
    place.file("wrong.toml", wrong);
    for command in
        [["serve", "--config", "wrong.toml"].as_slice(), &["config", "check", "--config", "wrong.toml"]]
    {
        let done = place.run(command);
        assert_eq!(done.code, 2, "{done:?}");
        let said = format!("{}{}", done.stdout, done.stderr);
        for key in ["eservice[0].producer_id", "eservice[0].consumer_ids", "eservice[0].ente[0].codice"] {
            assert!(said.contains(key), "{key}: {said}");
        }
    }
    for (before, after, key) in [
        (database.url.clone(), "mysql://localhost/waas".to_owned(), "database.url"),
        ("127.0.0.1:0".to_owned(), "127.0.0.1:4711".to_owned(), "back_office.bind"),
    ] {
        place.file("wrong.toml", config.replace(&before, &after));
        let done = place.run(&["config", "check", "--config", "wrong.toml"]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stdout.contains(&format!("wrong: {key}: ")), "{done:?}");
    }
    place.file("open.toml", config.replacen("127.0.0.1:0", "0.0.0.0:0", 1));
    let open = place.run(&["serve", "--config", "open.toml"]);
    assert_eq!(open.code, 2, "a local issuer's vouchers stay on this machine: {open:?}");
    let unknown = place.run(&["config", "check", "--config", "none.toml"]);
    assert_eq!(unknown.code, 2);
    let typos = config.replace("base_path", "base_pth").replace("codice =", "comune = 1\n  codice =");
    let typos = typos.replace("[database]\n", "[database]\nconnections = \"x\"\n");
    place.file("typo.toml", format!("{typos}\n[servizio]\nporta = 1\n"));
    let typo = place.run(&["config", "check", "--config", "typo.toml"]);
    assert_eq!(typo.code, 2);
    for word in
        ["`base_pth`", "field \"eservice[0].base_path\"", "`comune`", "ente[0]", "`servizio`", "connections"]
    {
        assert!(typo.stderr.contains(word), "{word}: {typo:?}");
    }
}

#[test]
fn a_file_that_is_no_database_is_told_at_once() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
    place.file("other.db", "a letter to the mayor".repeat(1000));
    let url = format!("sqlite://{}", place.path().join("other.db").display());
    place.file("waas-comuni.toml", config.replace(&database.url, &url));
    // `serve` waits for a database that is not there yet; this one will never be.
    let done = place.run(&["serve"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("damaged, or is no database at all"), "{done:?}");
}

#[test]
fn a_certificate_or_a_key_that_cannot_be_used_is_told_with_its_file() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let own = |name: &str| place.path().join(name);
    let pair =
        |name: &str| Tls { certificate: own(&format!("{name}.crt")), key: own(&format!("{name}.key")) };
    let (first, second) = (pair("first"), pair("second"));
    certify(&first, "first");
    certify(&second, "second");
    place.file("text", "no PEM");
    let plain = PKey::private_key_from_pem(&std::fs::read(&first.key).unwrap()).unwrap();
    let locked = plain.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"x").unwrap();
    place.file("locked.key", locked);
    let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
    let Tls { certificate, key } = first;
    for (certificate, key, code, words) in [
        (own("none"), own("nor this"), 2, ["api.tls.certificate: ", "nor this cannot be read"]),
        (own("text"), key, 1, ["text is not a certificate in PEM", ""]),
        (certificate.clone(), own("text"), 1, ["text is not a private key in PEM", ""]),
        (certificate.clone(), own("locked.key"), 1, ["locked.key is not a private key", "needs a password"]),
        (certificate, second.key, 1, ["second.key is not the key of the certificate", "first.crt"]),
    ] {
        let tls = format!("[api]\ntls.certificate = {certificate:?}\ntls.key = {key:?}\n");
        place.file("tls.toml", config.replace("[api]\n", &tls));
        let done = place.run(&["serve", "--config", "tls.toml"]);
        assert_eq!(done.code, code, "{done:?}");
        assert!(words.iter().all(|word| done.stderr.contains(word)), "{words:?}: {done:?}");
    }
}

#[test]
fn the_environment_lays_over_the_file() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    let secret = place.file("url", format!("{}\n", database.url));
    let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
    place.file("waas-comuni.toml", config.replace(&format!("url = {:?}\n", database.url), ""));
    let output = place
        .command(&["openapi"])
        .env("WAAS__DATABASE__URL_FILE", &secret)
        .env("WAAS__ESERVICE__0__CONTACT_EMAIL", "waas@comune.prova.it")
        .env("WAAS__API__PUBLIC_URL", "https://waas.comune.prova.it/")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("waas@comune.prova.it"), "{text}");
    assert!(text.contains("https://waas.comune.prova.it/waas/v1"), "{text}");
    let mut check = place.command(&["config", "check", "--strict"]);
    let check = check.env("WAAS__DATABASE__URL_FILE", &secret).output().unwrap();
    assert_eq!(check.status.code(), Some(1));
    let said = String::from_utf8(check.stdout).unwrap();
    assert!(said.contains("database.url_file: others on this machine can read"), "{said}");
    let mut twice = place.command(&["openapi"]);
    twice.env("WAAS__DATABASE__URL", "sqlite://x").env("WAAS__DATABASE__URL_FILE", &secret);
    let twice = twice.output().unwrap();
    assert_eq!(twice.status.code(), Some(2));
}
