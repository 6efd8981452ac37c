//! The issuer's keys in bad weather: rotations, outages, garbage, storms, restarts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use waas_comuni::clock::Clock;
use waas_comuni::config::{Config, EService};
use waas_comuni::voucher::issuer::{Profile, Signer};
use waas_comuni::voucher::keys::{Fetch, FetchError, HttpsOrFile, KeyCache, KeySet};
use waas_comuni::voucher::{Check, Credentials, Verifier, VoucherRefusal};

use crate::support::database::on_both_databases;

const MINUTE: i64 = 60_000;
const URL: &str = "https://keys.test/jwks.json";

/// What the issuer publishes, and how often it was asked.
#[derive(Default)]
struct Source {
    /// `None`: it is down.
    answer: Mutex<Option<String>>,
    fetches: AtomicUsize,
}

impl Source {
    fn publish(&self, signers: &[&Signer]) {
        let keys: Vec<&Value> = signers.iter().map(|signer| signer.jwk()).collect();
        self.answer(&json!({ "keys": keys }).to_string());
    }

    fn answer(&self, text: &str) {
        *self.answer.lock().unwrap() = Some(text.to_owned());
    }

    fn break_down(&self) {
        *self.answer.lock().unwrap() = None;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

impl Fetch for Source {
    fn fetch(&self, url: &str) -> Result<String, FetchError> {
        assert_eq!(url, URL);
        self.fetches.fetch_add(1, Ordering::SeqCst);
        self.answer.lock().unwrap().clone().ok_or(FetchError::Status(502))
    }
}

struct Scene {
    millis: Arc<AtomicI64>,
    clock: Clock,
    profile: Profile,
    source: Arc<Source>,
    keys: KeySet,
    verifier: Verifier,
}

impl Scene {
    fn new() -> Self {
        Self::with(Arc::default(), Arc::new(()))
    }

    fn with(source: Arc<Source>, cache: Arc<dyn KeyCache>) -> Self {
        let millis = Arc::new(AtomicI64::new(1_790_000_000_000));
        let clock = Clock::Manual(Arc::clone(&millis));
        let keys = KeySet::open(URL, source.clone(), cache, clock.clone());
        let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
        let verifier = Verifier::new(&eservice(), keys.clone(), clock.clone()).unwrap().remembering(true);
        Self { millis, clock, profile, source, keys, verifier }
    }

    fn pass(&self, millis: i64) {
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    fn token(&self, signer: &Signer) -> String {
        signer.draft(&self.profile, &self.clock).sign(signer).unwrap()
    }

    fn strangers_token(&self, signer: &Signer, kid: &str) -> String {
        let mut draft = signer.draft(&self.profile, &self.clock);
        draft.header.insert("kid".to_owned(), json!(kid));
        draft.sign(signer).unwrap()
    }

    async fn verify(&self, signer: &Signer) -> Result<(), VoucherRefusal> {
        verify(&self.verifier, &self.token(signer)).await
    }

    async fn refusal(&self, signer: &Signer) -> Option<Check> {
        self.verify(signer).await.err().map(|refusal| refusal.check)
    }
}

fn eservice() -> EService {
    serde_json::from_value(json!({
        "name": "prova", "base_path": "/waas/v1", "environment": "locale", "audience": ["SIUSS"],
        "issuer": "locale.example.it",
    }))
    .unwrap()
}

async fn verify(verifier: &Verifier, token: &str) -> Result<(), VoucherRefusal> {
    let header = format!("Bearer {token}");
    let credentials = Credentials { authorization: vec![header.as_bytes()], ..Credentials::default() };
    verifier.verify(&credentials).await.map(drop)
}

#[tokio::test]
async fn a_rotation_goes_unnoticed() {
    let scene = Scene::new();
    let [old, new] = [Signer::generate().unwrap(), Signer::generate().unwrap()];
    scene.source.publish(&[&old]);
    scene.keys.refresh_if_due().await;
    assert_eq!(scene.refusal(&old).await, None);

    // PDND publishes a key before it signs with it; whoever missed that finds it on first sight.
    scene.source.publish(&[&old, &new]);
    scene.pass(MINUTE);
    assert_eq!(scene.refusal(&new).await, None);
    assert_eq!(scene.refusal(&old).await, None);
    assert_eq!(scene.source.fetches(), 2);

    scene.source.publish(&[&new]);
    scene.pass(15 * MINUTE);
    scene.keys.refresh_if_due().await;
    assert_eq!(scene.refusal(&old).await, Some(Check::KeyUnknown), "a withdrawn key stops working");
    assert_eq!(scene.refusal(&new).await, None);
    assert_eq!(scene.source.fetches(), 3);
}

/// What is remembered of a voucher is its signature, and that only while its key is in force.
#[tokio::test]
async fn a_signature_that_is_remembered_excuses_nothing() {
    let scene = Scene::new();
    let [signer, stranger] = [Signer::generate().unwrap(), Signer::generate().unwrap()];
    scene.source.publish(&[&signer]);
    scene.keys.refresh_if_due().await;
    let mut draft = signer.draft(&scene.profile, &scene.clock);
    let tomorrow = (scene.clock.now_ms() + 24 * 60 * MINUTE) / 1000;
    draft.claims.insert("exp".to_owned(), json!(tomorrow));
    let token = draft.sign(&signer).unwrap();
    let kid = signer.jwk()["kid"].as_str().unwrap();
    for _ in 0..3 {
        verify(&scene.verifier, &token).await.unwrap();
    }
    // Another voucher with its signature, its voucher with another signature, and either with a piece more or less.
    let other = scene.token(&signer);
    let forged = scene.strangers_token(&stranger, kid);
    let (content, signature) = token.rsplit_once('.').unwrap();
    let (other_content, other_signature) = other.rsplit_once('.').unwrap();
    let (forged_content, forged_signature) = forged.rsplit_once('.').unwrap();
    let moved = format!("{content}{}.{}", &signature[..4], &signature[4..]);
    for wrong in [
        format!("{other_content}.{signature}"),
        format!("{content}.{other_signature}"),
        format!("{forged_content}.{signature}"),
        format!("{content}.{forged_signature}"),
        moved,
        format!("{token}A"),
        forged.clone(),
    ] {
        assert!(verify(&scene.verifier, &wrong).await.is_err(), "{wrong}");
    }
    // More of them than are remembered.
    for _ in 0..300 {
        verify(&scene.verifier, &scene.token(&signer)).await.unwrap();
    }
    verify(&scene.verifier, &token).await.unwrap();

    // Another key of its name takes its place.
    let mut jwk = stranger.jwk().clone();
    jwk["kid"] = json!(kid);
    scene.source.answer(&json!({ "keys": [jwk] }).to_string());
    scene.pass(15 * MINUTE);
    scene.keys.refresh_if_due().await;
    let check = |refused: Result<(), VoucherRefusal>| refused.err().map(|refusal| refusal.check);
    assert_eq!(check(verify(&scene.verifier, &token).await), Some(Check::Signature));
    scene.source.publish(&[&signer]);
    scene.pass(15 * MINUTE);
    scene.keys.refresh_if_due().await;
    verify(&scene.verifier, &token).await.unwrap();
    // Its time passes like that of any other.
    scene.pass(24 * 60 * MINUTE);
    assert_eq!(check(verify(&scene.verifier, &token).await), Some(Check::Expired));
}

#[tokio::test]
async fn a_day_without_the_issuer_changes_nothing() {
    let scene = Scene::new();
    let [signer, stranger] = [Signer::generate().unwrap(), Signer::generate().unwrap()];
    scene.source.publish(&[&signer]);
    scene.keys.refresh_if_due().await;
    let fetched = scene.keys.status().fetched;
    scene.source.break_down();
    for _ in 0..24 * 60 * 2 {
        scene.pass(MINUTE / 2);
        scene.keys.refresh_if_due().await;
    }
    assert_eq!(scene.refusal(&signer).await, None);
    assert_eq!(scene.refusal(&stranger).await, Some(Check::KeyUnknown));
    assert!((96..=24 * 60 + 1).contains(&scene.source.fetches()), "{}", scene.source.fetches());
    let status = scene.keys.status();
    assert_eq!((status.keys, status.fetched), (1, fetched));
    assert_eq!(status.failure.as_deref(), Some("the answer's status was 502"));

    scene.source.publish(&[&signer]);
    scene.pass(MINUTE);
    scene.keys.refresh_if_due().await;
    assert_eq!(scene.keys.status().failure, None);
    assert_eq!(scene.keys.status().fetched, Some(scene.clock.now()));
}

#[tokio::test]
async fn garbage_never_replaces_good_keys() {
    let scene = Scene::new();
    let signer = Signer::generate().unwrap();
    scene.source.publish(&[&signer]);
    scene.keys.refresh_if_due().await;
    let with = |name: &str, value: Value| {
        let mut jwk = signer.jwk().clone();
        jwk[name] = value;
        json!({ "keys": [jwk] }).to_string()
    };
    let without = |name: &str| {
        let mut jwk = signer.jwk().clone();
        jwk.as_object_mut().unwrap().shift_remove(name);
        json!({ "keys": [jwk] }).to_string()
    };
    let short = openssl::rsa::Rsa::generate(1024).unwrap();
    let encode = |number: &openssl::bn::BigNumRef| {
        base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, number.to_vec())
    };
    let weak =
        json!({ "keys": [{ "kty": "RSA", "kid": "weak", "n": encode(short.n()), "e": encode(short.e()) }] });
    let secret = json!({ "keys": [{ "kty": "oct", "kid": "secret", "k": "AAAA" }] });
    let unusable = [
        String::new(),
        "<html>manutenzione</html>".to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"keys":[]}"#.to_owned(),
        r#"{"keys":{}}"#.to_owned(),
        r#"{"keys":[null,1,"x",[],{}]}"#.to_owned(),
        "[".repeat(500_000),
        weak.to_string(),
        secret.to_string(),
        with("use", json!("enc")),
        with("alg", json!("RS512")),
        with("alg", json!("PS256")),
        with("kty", json!("EC")),
        with("key_ops", json!(["encrypt"])),
        with("kid", json!(7)),
        with("n", json!("")),
        with("n", json!("not base64!")),
        with("e", json!("AQ")),
        with("e", json!("Ag")),
        with("e", json!("")),
        without("kid"),
        without("kty"),
        without("n"),
        without("e"),
    ];
    for answer in unusable {
        scene.source.answer(&answer);
        scene.pass(15 * MINUTE);
        scene.keys.refresh_if_due().await;
        assert_eq!(
            scene.keys.status().failure.as_deref(),
            Some("no usable key in the answer"),
            "{answer:.80}"
        );
        assert_eq!(scene.refusal(&signer).await, None, "{answer:.80}");
    }
}

#[tokio::test]
async fn one_bad_key_does_not_spoil_the_others() {
    let scene = Scene::new();
    let signer = Signer::generate().unwrap();
    let mut plain = signer.jwk().clone();
    for name in ["use", "alg"] {
        plain.as_object_mut().unwrap().shift_remove(name);
    }
    let bad = json!({ "kty": "RSA", "kid": "bad", "n": "AQAB", "e": "AQAB" });
    let elliptic = json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA" });
    scene.source.answer(&json!({ "keys": [bad, elliptic, 1, plain], "extra": true }).to_string());
    scene.keys.refresh_if_due().await;
    assert_eq!(scene.keys.status().keys, 1);
    assert_eq!(scene.refusal(&signer).await, None, "use and alg may be missing");
}

#[tokio::test]
async fn a_storm_of_unknown_keys_causes_one_fetch_a_minute() {
    let scene = Scene::new();
    let [signer, stranger] = [Signer::generate().unwrap(), Signer::generate().unwrap()];
    scene.source.publish(&[&signer]);
    scene.keys.refresh_if_due().await;
    let tokens: Vec<_> = (0..100).map(|n| scene.strangers_token(&stranger, &format!("kid-{n}"))).collect();
    for minute in 1..=3 {
        scene.pass(MINUTE);
        for result in join_all(tokens.iter().map(|token| verify(&scene.verifier, token))).await {
            assert_eq!(result.unwrap_err().check, Check::KeyUnknown);
        }
        assert_eq!(scene.source.fetches(), 1 + minute);
    }
    assert_eq!(scene.refusal(&signer).await, None);
}

/// A source that answers only when the test says so.
struct Gated {
    source: Arc<Source>,
    asked: mpsc::UnboundedSender<()>,
    release: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Fetch for Gated {
    fn fetch(&self, url: &str) -> Result<String, FetchError> {
        self.asked.send(()).unwrap();
        self.release.lock().unwrap().recv().unwrap();
        self.source.fetch(url)
    }
}

#[tokio::test]
async fn whoever_comes_during_a_fetch_waits_for_it_and_whoever_leaves_does_not_stop_it() {
    let mut scene = Scene::new();
    let signer = Signer::generate().unwrap();
    scene.source.publish(&[&signer]);
    let (asked, mut was_asked) = mpsc::unbounded_channel();
    let (release, released) = std::sync::mpsc::channel();
    let gated = Gated { source: Arc::clone(&scene.source), asked, release: Mutex::new(released) };
    let keys = KeySet::open(URL, Arc::new(gated), Arc::new(()), scene.clock.clone());
    scene.verifier = Verifier::new(&eservice(), keys, scene.clock.clone()).unwrap();

    let call = || {
        let (verifier, token) = (scene.verifier.clone(), scene.token(&signer));
        tokio::spawn(async move { verify(&verifier, &token).await })
    };
    let first = call();
    was_asked.recv().await.unwrap();
    let others: Vec<_> = (0..20).map(|_| call()).collect();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    for other in others {
        assert_eq!(other.await.unwrap(), Ok(()));
    }
    assert_eq!(scene.source.fetches(), 1);
}

#[tokio::test]
async fn without_any_key_the_answer_is_to_come_back() {
    let scene = Scene::new();
    let signer = Signer::generate().unwrap();
    scene.keys.refresh_if_due().await;
    let refusal = scene.verify(&signer).await.unwrap_err();
    assert_eq!((refusal.check.status(), refusal.retry_after()), (503, Some(60)));
    assert_eq!(refusal.www_authenticate(), None);
    assert_eq!(scene.source.fetches(), 1);

    scene.source.publish(&[&signer]);
    assert_eq!(scene.refusal(&signer).await, Some(Check::KeysUnavailable), "not before a minute has passed");
    scene.pass(MINUTE);
    assert_eq!(scene.refusal(&signer).await, None);
}

#[tokio::test]
async fn a_clock_that_was_ahead_does_not_stop_the_refreshes() {
    let scene = Scene::new();
    let [old, new] = [Signer::generate().unwrap(), Signer::generate().unwrap()];
    scene.source.publish(&[&old]);
    scene.keys.refresh_if_due().await;
    scene.source.publish(&[&new]);
    scene.pass(-24 * 60 * MINUTE);
    scene.keys.refresh_if_due().await;
    assert_eq!(scene.refusal(&new).await, None);
}

#[tokio::test]
async fn the_refresher_starts_at_once() {
    let scene = Scene::new();
    let signer = Signer::generate().unwrap();
    scene.source.publish(&[&signer]);
    let (asked, mut was_asked) = mpsc::unbounded_channel();
    let (release, released) = std::sync::mpsc::channel();
    let gated = Gated { source: Arc::clone(&scene.source), asked, release: Mutex::new(released) };
    let keys = KeySet::open(URL, Arc::new(gated), Arc::new(()), scene.clock.clone());
    let refresher = keys.keep_fresh();
    was_asked.recv().await.unwrap();
    release.send(()).unwrap();
    keys.refresh_if_due().await;
    assert_eq!(keys.status().keys, 1);
    drop(refresher);
}

on_both_databases! {
    fn eservices_with_the_same_issuer_share_its_keys(database) {
        let eservice = |name: &str, path: &str, url: &str| {
            json!({
                "name": name, "base_path": path, "environment": "locale", "audience": ["SIUSS"], "jwks_url": url,
                "issuer": "locale.example.it",
            })
        };
        let config: Config = serde_json::from_value(json!({
            "api": { "public_url": "https://waas.example.it" },
            "eservice": [
                eservice("uno", "/1", URL), eservice("due", "/2", URL), eservice("tre", "/3", "https://other.test"),
            ],
        }))
        .unwrap();
        let signer = Signer::generate().unwrap();
        let source = Arc::new(Source::default());
        source.publish(&[&signer]);
        let fetch: Arc<dyn Fetch> = source.clone();
        let scene = Scene::new();
        let verifiers = Verifier::all(&config, &fetch, &database.store(), &scene.clock, &HashMap::new()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for verifier in &verifiers[..2] {
            runtime.block_on(verifier.keys().refresh_if_due());
            assert_eq!(runtime.block_on(verify(verifier, &scene.token(&signer))), Ok(()));
        }
        assert_eq!(source.fetches(), 1);
        assert_eq!(verifiers[2].keys().status().url, "https://other.test");
        assert_eq!(verifiers[2].keys().status().keys, 0);
    }

    fn keys_survive_a_restart_without_the_issuer(database) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let signer = Signer::generate().unwrap();
        let source = Arc::new(Source::default());
        source.publish(&[&signer]);
        let before = Scene::with(Arc::clone(&source), Arc::new(database.store()));
        runtime.block_on(before.keys.refresh_if_due());
        source.break_down();

        let after = Scene::with(Arc::clone(&source), Arc::new(database.store()));
        assert_eq!(after.keys.status().fetched, before.keys.status().fetched);
        runtime.block_on(after.keys.refresh_if_due());
        assert_eq!(source.fetches(), 2, "what is remembered is refreshed at once");
        assert_eq!(runtime.block_on(after.refusal(&signer)), None);
    }
}

#[test]
fn keys_are_read_from_files_and_https_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, "{}").unwrap();
    let fetch = HttpsOrFile::default();
    assert_eq!(fetch.fetch(&format!("file:{}", path.display())).unwrap(), "{}");
    assert_eq!(fetch.fetch(&format!("file://{}", path.display())).unwrap(), "{}");
    assert!(matches!(fetch.fetch("file:/nowhere/jwks.json"), Err(FetchError::File(_))));
    assert!(matches!(fetch.fetch(&format!("file:{}", folder.path().display())), Err(FetchError::File(_))));
    for url in ["http://127.0.0.1/jwks.json", "ftp://127.0.0.1/", "jwks.json", "", "HTTP://127.0.0.1"] {
        assert!(matches!(fetch.fetch(url), Err(FetchError::Scheme)), "{url}");
    }
}

#[test]
fn an_endless_file_is_read_up_to_a_bound() {
    let text = HttpsOrFile::default().fetch("file:/dev/zero").unwrap();
    assert_eq!(text.len(), 1024 * 1024);
}
