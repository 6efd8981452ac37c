//! `AUDIT_REST_02`: evidence of the person for whom the consumer calls, as each setting has it, on a running server.

use std::path::Path;

use openssl::sha::sha256;
use serde_json::{Value, json};
use waas_comuni::config::AuditPolicy;
use waas_comuni::voucher::issuer::Signer;

use crate::support::app::App;
use crate::support::database::{TestDatabase, on_both_databases};

fn app(database: &TestDatabase, audit: AuditPolicy, keys: Option<&Path>) -> App {
    App::start_with(database, |config| {
        config.eservice[0].audit = audit;
        config.eservice[0].audit_jwks_url = keys.map(|path| format!("file:{}", path.display()));
    })
}

/// Evidence signed by `signer`, with a header that `change` has changed.
fn evidence(signer: &Signer, header: &Value, claims: &Value) -> String {
    let mut members = json!({ "typ": "JWT", "alg": "RS256", "kid": signer.jwk()["kid"] });
    members.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
    signer.sign(&members.to_string(), &claims.to_string()).unwrap()
}

fn digest(text: &str) -> String {
    sha256(text.as_bytes()).iter().fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"))
}

/// A call with a voucher whose `digest` is this, and with these headers of evidence: its status and the code of the
/// refusal.
fn call(app: &App, digest: impl Into<Option<Value>>, evidence: &[&str]) -> (u16, String) {
    let voucher = app.voucher_with(|draft| {
        if let Some(digest) = digest.into() {
            draft.claims.insert("digest".to_owned(), digest);
        }
    });
    let voucher = format!("Bearer {voucher}");
    let mut headers = vec![("Authorization", voucher.as_str())];
    headers.extend(evidence.iter().map(|text| ("Agid-JWT-TrackingEvidence", *text)));
    let answer = app.send("GET", "/waas/v1/flussi?since=0", &headers, b"");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let code = challenge.split_once("error_description=\"").map_or("", |(_, rest)| rest);
    (answer.status, code.split(':').next().unwrap().to_owned())
}

fn sha(value: impl Into<String>) -> Value {
    json!({ "alg": "SHA256", "value": value.into() })
}

fn person() -> Value {
    json!({ "userID": "matricola-1", "userLocation": "sede 7", "LoA": "LOA3", "purposeId": "x" })
}

on_both_databases! {
    fn evidence_is_asked_for_only_where_it_is_configured_and_only_with_a_digest(database) {
        let signer = Signer::generate().unwrap();
        let good = evidence(&signer, &json!({}), &person());
        let app = app(database, AuditPolicy::Ignore, None);
        assert_eq!(call(&app, sha(digest("another")), &[]).0, 200);
        assert_eq!(call(&app, sha(digest("another")), &[&good]).0, 200);
        drop(app);

        let app = self::app(database, AuditPolicy::Match, None);
        assert_eq!(call(&app, None, &[]).0, 200, "INPS need not send any");
        assert_eq!(call(&app, None, &[&good]).0, 200);
        let log = app.stop();
        assert_eq!(log.len(), 4);
        for entry in log {
            assert_eq!((&entry["user_id"], &entry["loa"]), (&json!(null), &json!(null)), "nothing answers for it");
        }
    }

    fn evidence_must_be_the_one_that_the_voucher_is_tied_to(database) {
        let signer = Signer::generate().unwrap();
        let app = app(database, AuditPolicy::Match, None);
        let good = evidence(&signer, &json!({}), &person());
        let own = digest(&good);
        assert_eq!(call(&app, sha(own.clone()), &[&good]).0, 200);
        assert_eq!(call(&app, sha(own.to_uppercase()), &[&good]).0, 200);
        let refused = (401, "evidence".to_owned());
        let other = evidence(&signer, &json!({}), &json!({ "userID": "another" }));
        let endless = format!("{}.{}.x", "a".repeat(9000), "b");
        for (name, digest, headers) in [
            ("none", sha(own.clone()), vec![]),
            ("twice", sha(own.clone()), vec![good.as_str(), good.as_str()]),
            ("another", sha(own.clone()), vec![other.as_str()]),
            ("one that is cut", sha(own.clone()), vec![good.get(1..).unwrap()]),
            ("a digest that is cut", sha(own.get(..63).unwrap()), vec![good.as_str()]),
            ("an empty digest", sha(""), vec![good.as_str()]),
            ("of the claims alone", sha(digest(good.split('.').nth(1).unwrap())), vec![good.as_str()]),
            ("another hash", json!({ "alg": "MD5", "value": own }), vec![good.as_str()]),
            ("too long", sha(digest(&endless)), vec![endless.as_str()]),
        ] {
            assert_eq!(call(&app, digest, &headers), refused, "{name}");
        }

        // Its claims are read as they come; nothing is refused for them.
        let numbers = evidence(&signer, &json!({}), &json!({ "userid": 7, "LoA": 3, "userLocation": ["a"] }));
        assert_eq!(call(&app, sha(digest(&numbers)), &[&numbers]).0, 200);
        assert_eq!(call(&app, sha(digest("no token")), &["no token"]).0, 200);
        let hostile = evidence(&signer, &json!({}), &json!({ "userID": format!("\u{0}{}", "u".repeat(500)) }));
        assert_eq!(call(&app, sha(digest(&hostile)), &[&hostile]).0, 200);

        let log = app.stop();
        let said = |entry: &Value| (entry["user_id"].clone(), entry["user_location"].clone(), entry["loa"].clone());
        assert_eq!(said(&log[0]), (json!("matricola-1"), json!("sede 7"), json!("LOA3")));
        let refused: Vec<_> = log.iter().filter(|entry| entry["voucher_check"] == "evidence").collect();
        assert_eq!(refused.len(), 9);
        assert!(refused.iter().all(|entry| said(entry) == (json!(null), json!(null), json!(null))));
        assert_eq!(said(&log[11]), (json!("7"), json!(null), json!("3")));
        assert_eq!(said(&log[12]), (json!(null), json!(null), json!(null)));
        assert_eq!(log[13]["user_id"].as_str().unwrap().chars().count(), 128);
    }

    fn the_signature_of_evidence_is_verified_where_keys_are_configured(database) {
        let [signer, stranger] = [Signer::generate().unwrap(), Signer::generate().unwrap()];
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("consumer.json");
        std::fs::write(&keys, json!({ "keys": [signer.jwk()] }).to_string()).unwrap();
        let app = app(database, AuditPolicy::Verify, Some(&keys));
        assert_eq!(call(&app, None, &[]).0, 200, "a voucher without a digest needs none");
        let good = evidence(&signer, &json!({}), &person());
        assert_eq!(call(&app, sha(digest(&good)), &[&good]).0, 200);
        let forged = |text: String| (text, (401, "evidence_signature".to_owned()));
        for (text, refused) in [
            forged(evidence(&stranger, &json!({}), &person())),
            forged(evidence(&stranger, &json!({ "kid": signer.jwk()["kid"] }), &person())),
            forged(evidence(&signer, &json!({ "alg": "none" }), &person())),
            forged(evidence(&signer, &json!({ "alg": "RS512" }), &person())),
            forged(good.rsplit_once('.').unwrap().0.to_owned() + "."),
            forged("no token".to_owned()),
        ] {
            assert_eq!(call(&app, sha(digest(&text)), &[&text]), refused, "{text}");
        }
        assert_eq!(call(&app, sha(digest("another")), &[&good]), (401, "evidence".to_owned()));
        drop(app);

        let app = self::app(database, AuditPolicy::Verify, Some(&folder.path().join("missing.json")));
        assert_eq!(call(&app, sha(digest(&good)), &[&good]).0, 503, "without keys nothing is let in unverified");
        assert_eq!(call(&app, None, &[]).0, 200);
    }
}
