//! `voucher keygen|issue|inspect` from the command line, and keys over HTTPS as they are fetched there.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::Program;

fn voucher(folder: &Path, arguments: &[&str]) -> Output {
    Program::new()
        .arg("voucher")
        .args(arguments)
        .current_dir(folder)
        .env("SSL_CERT_FILE", folder.join("ca.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap()
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = voucher(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with a local issuer in `keys`, and a configuration of one e-service that asks for its ids.
fn issuer(jwks_url: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["keygen", "--dir", "keys"]);
    let profile = std::fs::read_to_string(folder.path().join("keys/issuer.toml")).unwrap();
    let id = |name: &str| {
        profile.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).unwrap().to_owned()
    };
    let configuration = format!(
        "[[eservice]]\nname = \"prova\"\nbase_path = \"/waas/v1\"\nenvironment = \"locale\"\naudience = \
         [\"SIUSS\"]\nissuer = {}\njwks_url = \"{jwks_url}\"\nproducer_id = {}\nconsumer_ids = [{}]\n",
        id("issuer"),
        id("producer_id"),
        id("consumer_id"),
    );
    std::fs::write(folder.path().join("waas-comuni.toml"), configuration).unwrap();
    folder
}

const ISSUE: [&str; 5] = ["issue", "--key", "keys/private.pem", "--issuer-config", "keys/issuer.toml"];

fn issue(folder: &Path, more: &[&str]) -> String {
    succeed(folder, &[&ISSUE, more].concat()).trim().to_owned()
}

/// The codes of the checks that fail.
fn failures(folder: &Path, token: &str) -> Vec<String> {
    let output = voucher(folder, &["inspect", token, "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(i32::from(report["passes"] != true)));
    let findings = report["findings"].as_array().unwrap();
    let failed = findings.iter().filter(|finding| finding["outcome"] == "failed");
    failed.map(|finding| finding["check"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_issued_is_let_in_and_what_is_changed_is_explained() {
    let folder = issuer("file:keys/jwks.json");
    let folder = folder.path();
    assert!(failures(folder, &issue(folder, &[])).is_empty());

    let token = issue(folder, &["--claim", "aud=ALTRO", "--claim", "exp=1", "--without", "consumerId"]);
    assert_eq!(failures(folder, &token), ["times", "expired", "audience", "consumer"]);
    let token = issue(folder, &["--header", "typ=JWT", "--header", "crit=[\"exp\"]"]);
    assert_eq!(failures(folder, &token), ["type", "header"]);
    let token = issue(folder, &["--audience", "uno", "--audience", "SIUSS", "--expires-in", "86400"]);
    assert!(failures(folder, &token).is_empty());

    let text = voucher(folder, &["inspect", &issue(folder, &["--claim", "aud=ALTRO"])]);
    assert_eq!(text.status.code(), Some(1));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("FAIL audience          il voucher è per un'altra audience"), "{text}");
    assert!(text.contains("-    eservice          the configuration does not ask for it"), "{text}");
    assert!(text.contains("\nKeys\n  1 from file:keys/jwks.json\n"), "{text}");
    assert!(text.ends_with("E-service \"prova\" would refuse it.\n"), "{text}");
}

#[test]
fn a_voucher_can_be_made_for_an_eservice_without_a_profile() {
    let folder = issuer("file:keys/jwks.json");
    let folder = folder.path();
    let arguments = ["issue", "--key", "keys/private.pem", "--eservice", "prova"];
    assert!(failures(folder, succeed(folder, &arguments).trim()).is_empty());
    let unknown = voucher(folder, &["issue", "--key", "keys/private.pem", "--eservice", "altro"]);
    assert_eq!(unknown.status.code(), Some(2));
    let nothing = voucher(folder, &["issue", "--key", "keys/private.pem"]);
    assert_eq!(nothing.status.code(), Some(2));
}

#[test]
fn a_key_is_private_and_never_overwritten() {
    let folder = issuer("file:keys/jwks.json");
    let key = folder.path().join("keys/private.pem");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = std::fs::read(&key).unwrap();
    let again = voucher(folder.path(), &["keygen", "--dir", "keys"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

/// A server at `https://localhost` whose certificate is the folder's `ca.pem`; `answer` writes what follows a request
/// to the stream.
pub(crate) fn https(
    folder: &Path,
    answer: impl Fn(&mut dyn Write) -> std::io::Result<()> + Send + 'static,
) -> u16 {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "localhost").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    let names = SubjectAlternativeName::new().dns("localhost").build(&certificate.x509v3_context(None, None));
    certificate.append_extension(names.unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let certificate = certificate.build();
    std::fs::write(folder.join("ca.pem"), certificate.to_pem().unwrap()).unwrap();

    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    let acceptor = Arc::new(acceptor.build());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that refuses the certificate or hangs up is part of the tests.
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else { continue };
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(1..) => request.extend_from_slice(&buffer),
                    _ => break,
                }
            }
            let _ =
                answer(&mut stream).and_then(|()| stream.shutdown().map(drop).map_err(std::io::Error::other));
        }
    });
    port
}

/// What `inspect` finds wrong with an honest voucher when the keys are at a server that answers so.
fn failures_over_https(
    answer: impl Fn(&mut dyn Write, &str) -> std::io::Result<()> + Send + 'static,
) -> Vec<String> {
    let folder = issuer("https://localhost:PORT/jwks.json");
    let jwks = std::fs::read_to_string(folder.path().join("keys/jwks.json")).unwrap();
    let port = https(folder.path(), move |stream| answer(stream, &jwks));
    let path = folder.path().join("waas-comuni.toml");
    let configuration = std::fs::read_to_string(&path).unwrap().replace("PORT", &port.to_string());
    std::fs::write(&path, configuration).unwrap();
    failures(folder.path(), &issue(folder.path(), &[]))
}

#[test]
fn keys_come_over_https() {
    let failures = failures_over_https(|stream, jwks| {
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{jwks}", jwks.len())
    });
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn a_redirect_is_not_followed() {
    let failures = failures_over_https(|stream, jwks| {
        let head = "HTTP/1.1 302 Found\r\nLocation: https://localhost/elsewhere";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{jwks}", jwks.len())
    });
    assert_eq!(failures, ["keys_unavailable"]);
}

#[test]
fn an_error_page_is_not_read() {
    let failures = failures_over_https(|stream, jwks| {
        write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{jwks}", jwks.len())
    });
    assert_eq!(failures, ["keys_unavailable"]);
}

#[test]
fn an_answer_of_a_hundred_megabytes_is_given_up() {
    let failures = failures_over_https(|stream, jwks| {
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{jwks}")?;
        let blanks = vec![b' '; 65_536];
        (0..1600).try_for_each(|_| stream.write_all(&blanks))
    });
    assert_eq!(failures, ["keys_unavailable"]);
}

#[test]
fn an_unknown_certificate_is_not_trusted() {
    let folder = issuer("https://localhost:PORT/jwks.json");
    let port = https(folder.path(), |stream| stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
    let path = folder.path().join("waas-comuni.toml");
    let configuration = std::fs::read_to_string(&path).unwrap().replace("PORT", &port.to_string());
    std::fs::write(&path, configuration).unwrap();
    // The certificate authorities of another run.
    https(folder.path(), |_| Ok(()));
    assert_eq!(failures(folder.path(), &issue(folder.path(), &[])), ["keys_unavailable"]);
}
