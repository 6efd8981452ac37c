//! Who is calling: whatever comes in the headers of a call, nobody is let in but who holds a voucher of the issuer.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::runtime::Runtime;
use waas_comuni::clock::Clock;
use waas_comuni::config::{DpopPolicy, EService};
use waas_comuni::voucher::issuer::Signer;
use waas_comuni::voucher::keys::{Fetch, FetchError, KeySet};
use waas_comuni::voucher::{Check, Credentials, Dpop, Verifier};

/// The instant at which the seeds are good.
const NOW: i64 = 1_790_000_000_000;

struct Always(String);

impl Fetch for Always {
    fn fetch(&self, _: &str) -> Result<String, FetchError> {
        Ok(self.0.clone())
    }
}

struct Door {
    runtime: Runtime,
    signer: Signer,
    verifier: Verifier,
}

static DOOR: LazyLock<Door> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let signer = Signer::from_pem(include_bytes!("../../certs-example/issuer/private.pem")).expect("a key");
    let clock = Clock::Manual(Arc::new(AtomicI64::new(NOW)));
    let eservice: EService = serde_json::from_value(json!({
        "name": "prova", "base_path": "/waas/v1", "environment": "locale", "audience": ["SIUSS"],
        "issuer": "locale.example.it", "producer_id": "3d068d83-9b39-4a6a-8494-6d3791df1449",
        "consumer_ids": ["832f18ec-20ee-43ca-9774-be1cbb205164"], "audit": "match",
    }))
    .expect("a configuration");
    let jwks = json!({ "keys": [signer.jwk()] }).to_string();
    let keys = KeySet::open("https://keys.test", Arc::new(Always(jwks)), Arc::new(()), clock.clone());
    // Without a memory no proof is good: one that passes every other check is told so.
    let dpop = Dpop::new(DpopPolicy::Accept, "https://waas.example.it", Arc::new(()));
    let verifier = Verifier::new(&eservice, keys, clock).expect("a verifier").with_dpop(dpop);
    Door { runtime, signer, verifier }
});

/// Whether a call with these headers is let in, up to the memory of proofs.
fn is_let_in(credentials: &Credentials<'_>) -> bool {
    match DOOR.runtime.block_on(DOOR.verifier.verify(credentials)) {
        Ok(voucher) => {
            let read = voucher.claims_read();
            assert!(read.verified && read.consumer_id.is_some());
            true
        }
        Err(refusal) => {
            assert!([401, 403, 503].contains(&refusal.check.status()));
            assert!(!refusal.detail.is_empty() && refusal.detail.len() < 1000, "{}", refusal.detail);
            let challenge = refusal.www_authenticate().unwrap_or_default();
            assert!(challenge.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{challenge}");
            assert!(refusal.claims.kid.is_none_or(|kid| kid.len() <= 128));
            refusal.check == Check::ProofsUnavailable
        }
    }
}

/// A call, as [`opens`] reads it.
pub fn voucher(input: &[u8]) {
    opens(input);
}

/// Whether a call is let in. Each line is a header, `A` an `Authorization`, `D` a `DPoP`, `E` evidence, or `Q` the
/// query. What is let in carries text that the issuer signed: signing it again gives the same.
pub fn opens(input: &[u8]) -> bool {
    let lines = |mark: u8| -> Vec<&[u8]> {
        input.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(&[mark])).collect()
    };
    let credentials = Credentials {
        authorization: lines(b'A'),
        dpop: lines(b'D'),
        evidence: lines(b'E'),
        method: "GET",
        path: "/waas/v1/flussi",
        query: lines(b'Q').first().and_then(|line| str::from_utf8(line).ok()).unwrap_or_default(),
    };
    let opens = is_let_in(&credentials);
    if opens {
        let [header] = credentials.authorization.as_slice() else { panic!("one header") };
        let header = str::from_utf8(header).expect("text");
        let token = header.rsplit(' ').next().expect("a token");
        let part = |index| {
            let part = token.split('.').nth(index).expect("three parts");
            String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("text")
        };
        assert_eq!(DOOR.signer.sign(&part(0), &part(1)).expect("a signature"), token);
        assert!(credentials.query.split('&').all(|parameter| !parameter.starts_with("access_token=")));
    }
    opens
}

/// A voucher whose claims are the input, signed by the issuer itself: what is let in is meant for the e-service, by its
/// claims as another reader has them.
pub fn voucher_claims(input: &[u8]) {
    let Ok(claims) = str::from_utf8(input) else { return };
    let header = json!({ "typ": "at+jwt", "alg": "RS256", "kid": DOOR.signer.jwk()["kid"] }).to_string();
    let token = format!("Bearer {}", DOOR.signer.sign(&header, claims).expect("a signature"));
    let credentials = Credentials {
        authorization: vec![token.as_bytes()],
        method: "GET",
        path: "/waas/v1/flussi",
        ..Credentials::default()
    };
    if is_let_in(&credentials) {
        let claims: serde_json::Value = serde_json::from_str(claims).expect("JSON");
        assert_eq!(claims["iss"], "locale.example.it");
        let id = |name: &str| claims[name].as_str().expect("a string").to_lowercase();
        assert_eq!(id("producerId"), "3d068d83-9b39-4a6a-8494-6d3791df1449");
        assert_eq!(id("consumerId"), "832f18ec-20ee-43ca-9774-be1cbb205164");
        assert!(claims["exp"].as_i64().expect("a number") > NOW / 1000);
        assert!(claims["nbf"].as_i64().expect("a number") <= NOW / 1000 + 5);
        assert!(claims["aud"].to_string().contains("SIUSS"));
        for name in ["cnf", "digest", "organizationId", "role", "interactionId", "scope"] {
            assert!(claims.get(name).is_none(), "{name}");
        }
    }
}
