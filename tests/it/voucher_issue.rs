//! What `voucher issue` makes, sent to a running server: the honest and the hostile, proofs and evidence included.

use std::path::Path;

use serde_json::Value;
use waas_comuni::config::AuditPolicy;
use waas_comuni::voucher::issuer::{KEY_FILE, PROFILE_FILE};

use crate::support::app::App;
use crate::support::command::Program;
use crate::support::database::{Backend, TestDatabase};

const URL: &str = "https://waas.example.it/waas/v1/flussi";

fn issue(keys: &Path, more: &[&str]) -> Value {
    let output = Program::new()
        .args(["voucher", "issue", "--key", KEY_FILE, "--issuer-config", PROFILE_FILE, "--json"])
        .args(more)
        .current_dir(keys)
        .output()
        .unwrap();
    assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The code of the check that a call with what was issued fails, or `ok`.
fn outcome(app: &App, made: &Value) -> String {
    let scheme = if made["dpop"].is_null() { "Bearer" } else { "DPoP" };
    let authorization = format!("{scheme} {}", made["token"].as_str().unwrap());
    let mut headers = vec![("Authorization", authorization.as_str())];
    headers.extend(made["dpop"].as_str().map(|proof| ("DPoP", proof)));
    headers.extend(made["evidence"].as_str().map(|evidence| ("Agid-JWT-TrackingEvidence", evidence)));
    let answer = app.send("GET", "/waas/v1/flussi?since=0", &headers, b"");
    if answer.status == 200 {
        return "ok".to_owned();
    }
    let challenge = answer.header("www-authenticate").unwrap();
    let (_, code) = challenge.split_once("error_description=\"").unwrap();
    code.split(':').next().unwrap().to_owned()
}

#[test]
fn every_kind_of_case_can_be_issued() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start_with(&database, |config| {
        config.api.public_url = Some("https://waas.example.it".to_owned());
        config.eservice[0].audit = AuditPolicy::Match;
    });
    let dpop = format!("GET {URL}");
    let dpop = dpop.as_str();
    let cases: &[(&[&str], &str)] = &[
        (&[], "ok"),
        (&["--alg", "none"], "algorithm"),
        (&["--alg", "HS256"], "algorithm"),
        (&["--alg", "RS384"], "algorithm"),
        (&["--alg", "RS512"], "algorithm"),
        (&["--alg", "PS256"], "algorithm"),
        (&["--alg", "ES256"], "algorithm"),
        // An algorithm under the name of another.
        (&["--alg", "RS256", "--header", "alg=none"], "algorithm"),
        (&["--alg", "none", "--header", "alg=RS256"], "signature"),
        (&["--alg", "HS256", "--header", "alg=RS256"], "signature"),
        (&["--alg", "PS256", "--header", "alg=RS256"], "signature"),
        (&["--signature", "AAAA"], "signature"),
        (&["--signature", "AAAA=="], "token_malformed"),
        (&["--raw-claims", "[]"], "token_malformed"),
        (&["--raw-header", "{\"alg\":\"RS256\",\"alg\":\"RS256\"}"], "token_malformed"),
        (&["--raw-header", "{}"], "algorithm"),
        (&["--claim", "cnf={}"], "dpop_bound"),
        (&["--dpop", dpop], "ok"),
        (&["--dpop", "POST https://waas.example.it/waas/v1/flussi"], "dpop_target"),
        (&["--dpop", "GET https://waas.example.it/waas/v1/esiti"], "dpop_target"),
        (&["--dpop", dpop, "--without", "cnf"], "dpop_bound"),
        (&["--dpop", dpop, "--claim", "cnf={\"jkt\":\"x\"}"], "dpop_binding"),
        (&["--dpop", dpop, "--proof-claim", "iat=0"], "dpop_time"),
        (&["--dpop", dpop, "--proof-claim", "ath=x"], "dpop_binding"),
        (&["--dpop", dpop, "--proof-without", "jti"], "dpop_proof"),
        (&["--dpop", dpop, "--proof-header", "typ=JWT"], "dpop_proof"),
        (&["--evidence", "userID=1", "--evidence", "LoA=LOA3"], "ok"),
        (&["--evidence", "userID=1", "--dpop", dpop], "ok"),
        (&["--claim", "digest={\"alg\":\"SHA256\",\"value\":\"x\"}"], "evidence"),
    ];
    for (options, expected) in cases {
        assert_eq!(outcome(&app, &issue(app.keys.path(), options)), *expected, "{options:?}");
    }

    // A proof is good once; the key may be one's own.
    let key = openssl::ec::EcKey::generate(
        &openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap(),
    )
    .unwrap();
    let pem = openssl::pkey::PKey::from_ec_key(key).unwrap().private_key_to_pem_pkcs8().unwrap();
    std::fs::write(app.keys.path().join("holder.pem"), pem).unwrap();
    let own = ["--dpop", dpop, "--dpop-key", "holder.pem"];
    let [first, second] = [issue(app.keys.path(), &own), issue(app.keys.path(), &own)];
    assert_eq!(first["claims"]["cnf"], second["claims"]["cnf"]);
    assert_eq!(outcome(&app, &first), "ok");
    assert_eq!(outcome(&app, &first), "dpop_replay");
    assert_eq!(outcome(&app, &second), "ok");

    let log = app.stop();
    let person = log.iter().find(|entry| entry["user_id"] == "1").expect("evidence in the log");
    assert_eq!(person["loa"], "LOA3");
}
