//! Vouchers verified each second by one core, beside the bare RSA-2048 verifications of the same OpenSSL in the same run:
//! what the checks around the signature cost.
//!
//! It fails below 70 % of the bare figure.
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::sign::Verifier as OpensslVerifier;
use serde_json::json;
use waas_comuni::clock::Clock;
use waas_comuni::config::EService;
use waas_comuni::voucher::issuer::{Profile, Signer};
use waas_comuni::voucher::keys::{Fetch, FetchError, KeySet};
use waas_comuni::voucher::{Credentials, Verifier};

use crate::harness::{Contestant, compare};

/// What the verification of a voucher must reach of that of its bare signature.
const DEMANDED: f64 = 0.70;
const TURNS: usize = 10;
const TURN: Duration = Duration::from_millis(300);

struct Always(String);

impl Fetch for Always {
    fn fetch(&self, _: &str) -> Result<String, FetchError> {
        Ok(self.0.clone())
    }
}

/// How often `work` is done in a turn, and how long that takes.
fn turn(mut work: impl FnMut()) -> (f64, Duration) {
    let (began, mut done) = (Instant::now(), 0.0);
    while began.elapsed() < TURN {
        for _ in 0..50 {
            work();
        }
        done += 50.0;
    }
    (done, began.elapsed())
}

pub fn measure() {
    let clock = Clock::Manual(Arc::new(AtomicI64::new(1_790_000_000_000)));
    let signer = Signer::generate().unwrap();
    let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
    let eservice: EService = serde_json::from_value(json!({
        "name": "prova", "base_path": "/waas/v1", "environment": "locale", "audience": ["SIUSS"],
        "issuer": profile.issuer, "producer_id": profile.producer_id, "eservice_id": profile.eservice_id,
        "descriptor_ids": [profile.descriptor_id], "consumer_ids": [profile.consumer_id],
    }))
    .unwrap();
    let jwks = json!({ "keys": [signer.jwk()] }).to_string();
    let keys = KeySet::open("https://keys.test", Arc::new(Always(jwks)), Arc::new(()), clock.clone());
    let verifier = Verifier::new(&eservice, keys, clock.clone()).unwrap();
    let token = signer.draft(&profile, &clock).sign(&signer).unwrap();
    let header = format!("Bearer {token}");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let credentials = Credentials {
        authorization: vec![header.as_bytes()],
        method: "GET",
        path: "/waas/v1/flussi",
        query: "since=0",
        ..Credentials::default()
    };
    runtime.block_on(verifier.verify(&credentials)).unwrap();

    let (message, signature) = token.rsplit_once('.').unwrap();
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let number = |name: &str| BigNum::from_slice(&decode(signer.jwk()[name].as_str().unwrap())).unwrap();
    let key = PKey::from_rsa(Rsa::from_public_components(number("n"), number("e")).unwrap()).unwrap();
    let signature = decode(signature);

    let contestants = vec![
        Contestant::timed("RSA-2048, bare", || {
            turn(|| {
                let mut raw = OpensslVerifier::new(MessageDigest::sha256(), &key).unwrap();
                assert!(raw.verify_oneshot(&signature, black_box(message.as_bytes())).unwrap());
            })
        }),
        Contestant::timed("voucher, all of it", || {
            turn(|| drop(black_box(runtime.block_on(verifier.verify(black_box(&credentials))).unwrap())))
        }),
    ];
    let share = compare("Verifications, one core", "verifications", TURNS, contestants)[1];
    assert!(share >= DEMANDED, "less than {:.0} %", DEMANDED * 100.0);
}
