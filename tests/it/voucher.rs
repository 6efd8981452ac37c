//! The corpus of tokens against the library, and what a refusal tells.

use std::collections::HashSet;
use std::future::ready;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;
use waas_comuni::clock::Clock;
use waas_comuni::config::{DpopPolicy, EService};
use waas_comuni::store::StoreError;
use waas_comuni::voucher::dpop::ProofMemory;
use waas_comuni::voucher::issuer::Profile;
use waas_comuni::voucher::keys::{Fetch, FetchError, KeySet};
use waas_comuni::voucher::verify::{Finding, SetupError};
use waas_comuni::voucher::{Check, Credentials, Dpop, Verifier, Voucher, VoucherRefusal};

use crate::support::database::on_both_databases;
use crate::voucher_corpus::{Case, Sent, World, bound_call, boundaries, cases};

const ISSUER: &str = "locale.example.it";

struct Always(String);

impl Fetch for Always {
    fn fetch(&self, _: &str) -> Result<String, FetchError> {
        Ok(self.0.clone())
    }
}

#[derive(Default)]
struct Proofs(Mutex<HashSet<String>>);

impl ProofMemory for Proofs {
    fn remember(
        &self,
        proof: String,
        now: Timestamp,
        until: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        assert!(until > now, "what is accepted is remembered");
        Box::pin(ready(Ok(self.0.lock().unwrap().insert(proof))))
    }
}

fn world() -> World {
    let clock = Clock::Manual(Arc::new(AtomicI64::new(1_790_000_000_000)));
    let profile = Profile::invented(ISSUER.to_owned(), vec!["SIUSS".to_owned()]);
    World::new(profile, clock, "https://waas.example.it/waas/v1/flussi")
}

/// An e-service that asks for everything that the world's profile says.
fn eservice(profile: &Profile) -> EService {
    let id = |id: Option<Uuid>| id.unwrap();
    serde_json::from_value(serde_json::json!({
        "name": "prova", "base_path": "/waas/v1", "environment": "locale", "audience": ["SIUSS"],
        "issuer": profile.issuer, "producer_id": id(profile.producer_id), "eservice_id": id(profile.eservice_id),
        "descriptor_ids": [Uuid::max(), id(profile.descriptor_id)], "consumer_ids": [id(profile.consumer_id)],
    }))
    .unwrap()
}

fn verifier(world: &World, eservice: &EService) -> Verifier {
    let keys =
        KeySet::open("https://keys.test", Arc::new(Always(world.jwks())), Arc::new(()), world.clock.clone());
    let proofs = Arc::new(Proofs::default());
    let dpop = Dpop::new(eservice.dpop, "https://waas.example.it/", proofs);
    Verifier::new(eservice, keys, world.clock.clone()).unwrap().with_dpop(dpop)
}

async fn verify(verifier: &Verifier, sent: &Sent) -> Result<Voucher, VoucherRefusal> {
    let authorization = sent.authorization.iter().map(Vec::as_slice).collect();
    let dpop = sent.dpop.iter().map(Vec::as_slice).collect();
    let (method, path, query) = ("GET", "/waas/v1/flussi", sent.query.as_str());
    let credentials = Credentials { authorization, dpop, method, path, query, ..Credentials::default() };
    verifier.verify(&credentials).await
}

fn bearer(token: &str) -> Sent {
    Sent { authorization: vec![format!("Bearer {token}").into_bytes()], ..Sent::default() }
}

#[tokio::test]
async fn every_token_gets_what_it_deserves() {
    let world = world();
    let verifier = verifier(&world, &eservice(&world.profile));
    let mut wrong = Vec::new();
    for Case { name, refused, make } in cases().into_iter().chain(boundaries()) {
        let got = verify(&verifier, &make(&world))
            .await
            .err()
            .map(|refusal| (refusal.check.status(), refusal.check.code()));
        if got != refused {
            wrong.push(format!("{name}: expected {refused:?}, got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The codes are a promise to whoever reads the call log: one that is renamed or lost is missed here. The four that
/// depend on more than the token (`keys_unavailable`, `proofs_unavailable`, `dpop_required`, `dpop_replay`) have tests
/// of their own.
#[test]
fn the_corpus_names_each_case_once_and_covers_the_codes() {
    let cases = cases();
    let names: HashSet<_> = cases.iter().map(|case| (case.name, case.refused)).collect();
    assert_eq!(names.len(), cases.len());
    let mut codes: Vec<_> = cases.iter().filter_map(|case| Some(case.refused?.1)).collect();
    codes.sort_unstable();
    codes.dedup();
    let expected = "algorithm async_token audience client consumer credentials_missing credentials_repeated \
                    descriptor digest dpop_binding dpop_bound dpop_proof dpop_signature dpop_target dpop_time \
                    eservice expired header issuer key_id key_unknown m2m_token not_yet_valid producer purpose scheme \
                    signature times token_id token_in_query token_malformed token_too_long type";
    assert_eq!(codes.join(" "), expected);
}

/// Whatever single letter of a voucher or of its proof is changed, cut or doubled, the call is refused.
#[tokio::test]
async fn not_a_letter_can_be_changed() {
    let world = world();
    let verifier = verifier(&world, &eservice(&world.profile));
    let (bound, bare) = (bound_call(&world), bearer(&world.honest()));
    for (which, call, scheme) in
        [("voucher", &bare, "Bearer "), ("bound voucher", &bound, "DPoP "), ("proof", &bound, "")]
    {
        let honest = if which == "proof" { &call.dpop[0] } else { &call.authorization[0] };
        let start = scheme.len();
        for position in start..honest.len() {
            for change in 0..4 {
                let mut text = honest.clone();
                match change {
                    0 => text[position] = if text[position] == b'A' { b'B' } else { b'A' },
                    1 => text[position] ^= 1,
                    2 => drop(text.remove(position)),
                    _ => text.insert(position, text[position]),
                }
                let (mut authorization, mut dpop) = (call.authorization.clone(), call.dpop.clone());
                *if which == "proof" { &mut dpop[0] } else { &mut authorization[0] } = text;
                let sent = Sent { authorization, dpop, ..Sent::default() };
                let outcome = verify(&verifier, &sent).await;
                assert!(outcome.is_err(), "{which}: change {change} at {position}");
            }
        }
    }
    for call in [&bare, &bound] {
        assert!(verify(&verifier, call).await.is_ok());
    }
}

#[tokio::test]
async fn a_voucher_carries_its_claims() {
    let world = world();
    let voucher =
        verify(&verifier(&world, &eservice(&world.profile)), &bearer(&world.honest())).await.unwrap();
    assert_eq!(voucher.consumer_id, world.profile.consumer_id);
    assert_eq!(voucher.purpose_id, world.profile.purpose_id);
    assert_eq!(voucher.exp, 1_790_000_600);
    let read = voucher.claims_read();
    assert!(read.verified);
    assert_eq!(read.eservice_id, world.profile.eservice_id);
    assert_eq!(Some(read.kid.unwrap().as_str()), world.signer.jwk()["kid"].as_str());
}

#[tokio::test]
async fn what_is_not_configured_is_not_asked() {
    let world = world();
    let mut eservice = eservice(&world.profile);
    (eservice.producer_id, eservice.eservice_id) = (None, None);
    eservice.descriptor_ids.clear();
    eservice.consumer_ids.clear();
    let verifier = verifier(&world, &eservice);
    let mut draft = world.signer.draft(&world.profile, &world.clock);
    for name in ["producerId", "eserviceId", "descriptorId", "consumerId"] {
        draft.claims.shift_remove(name);
    }
    let token = draft.clone().sign(&world.signer).unwrap();
    assert_eq!(verify(&verifier, &bearer(&token)).await.unwrap().consumer_id, None);

    draft.claims.insert("consumerId".to_owned(), serde_json::json!("INPS"));
    let token = draft.sign(&world.signer).unwrap();
    assert_eq!(verify(&verifier, &bearer(&token)).await.unwrap_err().check, Check::Consumer);
}

#[tokio::test]
async fn a_refusal_tells_the_caller_why_and_the_log_who() {
    let world = world();
    let verifier = verifier(&world, &eservice(&world.profile));
    let refused = async |sent: Sent| verify(&verifier, &sent).await.unwrap_err();

    let none = refused(Sent::default()).await;
    assert_eq!(none.www_authenticate().as_deref(), Some("Bearer, DPoP algs=\"RS256 ES256\""));

    let mut draft = world.signer.draft(&world.profile, &world.clock);
    draft.claims.insert("exp".to_owned(), serde_json::json!(1_789_999_999));
    draft.claims.insert("iat".to_owned(), serde_json::json!(1_789_999_000));
    draft.claims.insert("nbf".to_owned(), serde_json::json!(1_789_999_000));
    let expired = refused(bearer(&draft.clone().sign(&world.signer).unwrap())).await;
    assert_eq!(expired.detail, "il voucher è scaduto: chiederne uno nuovo a PDND");
    assert_eq!(
        expired.www_authenticate().as_deref(),
        Some("Bearer error=\"invalid_token\", error_description=\"expired: exp must not have passed\"")
    );
    assert!(expired.claims.verified);
    assert_eq!(expired.claims.consumer_id, world.profile.consumer_id);

    let forged = refused(bearer(&draft.clone().sign(&world.stranger).unwrap())).await;
    assert_eq!(forged.check, Check::Signature);
    assert!(!forged.claims.verified);
    assert_eq!(forged.claims.client_id, Some(world.profile.client_id));

    draft.claims.insert("client_id".to_owned(), serde_json::json!("Mario Rossi, RSSMRA80A01H501U"));
    let forged = refused(bearer(&draft.sign(&world.stranger).unwrap())).await;
    assert_eq!(forged.claims.client_id, None, "nobody writes into the log but the issuer");

    let mut draft = world.signer.draft(&world.profile, &world.clock);
    draft.claims.insert("producerId".to_owned(), serde_json::json!(Uuid::nil()));
    let foreign = refused(bearer(&draft.sign(&world.signer).unwrap())).await;
    assert_eq!(foreign.check.status(), 403);
    assert!(foreign.www_authenticate().unwrap().starts_with("Bearer error=\"insufficient_scope\""));
    assert_eq!(foreign.retry_after(), None);
}

/// Header values may hold visible ASCII only, and a quoted string neither quotes nor backslashes; every refusal of the
/// corpus is checked, so that none is forgotten.
#[tokio::test]
async fn every_refusal_can_be_sent() {
    let world = world();
    let verifier = verifier(&world, &eservice(&world.profile));
    for case in cases() {
        let Err(refusal) = verify(&verifier, &(case.make)(&world)).await else { continue };
        let challenge = refusal.www_authenticate().unwrap();
        assert!(challenge.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'\\'), "{challenge}");
        assert!(challenge.matches('"').count().is_multiple_of(2), "{challenge}");
        assert!(!refusal.detail.is_empty() && !refusal.detail.contains('\n'), "{}", refusal.detail);
    }
}

#[tokio::test]
async fn an_inspection_hears_every_check() {
    let world = world();
    let verifier = verifier(&world, &eservice(&world.profile));
    let honest = verifier.inspect(&world.honest()).await;
    let not_passed: Vec<_> =
        honest.findings.iter().filter(|(_, finding)| *finding != Finding::Passed).collect();
    assert_eq!(not_passed, [&(Check::DpopRequired, Finding::NotAsked)]);
    assert!(honest.passes());

    let mut draft = world.signer.draft(&world.profile, &world.clock);
    draft.claims.insert("aud".to_owned(), serde_json::json!("ALTRO"));
    draft.claims.shift_remove("consumerId");
    let inspection = verifier.inspect(&draft.sign(&world.stranger).unwrap()).await;
    assert!(!inspection.passes());
    assert_eq!(inspection.claims.unwrap()["aud"], "ALTRO");
    let failed: Vec<_> = inspection
        .findings
        .iter()
        .filter(|(_, finding)| matches!(finding, Finding::Failed(_)))
        .map(|(check, _)| check.code())
        .collect();
    assert_eq!(failed, ["signature", "audience", "consumer"]);

    let garbage = verifier.inspect("garbage").await.findings;
    assert!(matches!(garbage[1], (Check::TokenMalformed, Finding::Failed(_))));
    assert!(garbage.iter().skip(2).all(|(_, finding)| *finding == Finding::NotReached));
    assert_eq!(garbage.len(), honest.findings.len());
}

#[tokio::test]
async fn an_id_that_is_no_uuid_is_a_mistake_of_the_configuration() {
    let world = world();
    let mut eservice = eservice(&world.profile);
    eservice.consumer_ids = vec!["INPS".to_owned()];
    let keys =
        KeySet::open("https://keys.test", Arc::new(Always(String::new())), Arc::new(()), world.clock.clone());
    let error = Verifier::new(&eservice, keys, world.clock.clone()).err().unwrap();
    assert!(matches!(error, SetupError::NotUuid { key: "consumer_ids", .. }), "{error}");
}

#[tokio::test]
async fn a_policy_says_what_becomes_of_bound_vouchers() {
    let world = world();
    let mut eservice = eservice(&world.profile);
    let mut outcome = async |policy, sent: Sent| {
        eservice.dpop = policy;
        let refusal = verify(&verifier(&world, &eservice), &sent).await.err()?;
        Some((refusal.check, refusal.www_authenticate().unwrap()))
    };
    assert_eq!(outcome(DpopPolicy::Accept, bound_call(&world)).await, None);
    assert_eq!(outcome(DpopPolicy::Accept, bearer(&world.honest())).await, None);

    assert_eq!(outcome(DpopPolicy::Require, bound_call(&world)).await, None);
    let (check, challenge) = outcome(DpopPolicy::Require, bearer(&world.honest())).await.unwrap();
    assert_eq!(check, Check::DpopRequired);
    assert!(
        challenge.starts_with("DPoP error=\"invalid_token\"") && challenge.ends_with("algs=\"RS256 ES256\"")
    );
    let (_, challenge) = outcome(DpopPolicy::Require, Sent::default()).await.unwrap();
    assert_eq!(challenge, "DPoP algs=\"RS256 ES256\"");

    let (check, challenge) = outcome(DpopPolicy::Refuse, bound_call(&world)).await.unwrap();
    assert_eq!((check, challenge.as_str()), (Check::Scheme, "Bearer"));
    let mut as_bearer = bound_call(&world);
    as_bearer.authorization = vec![[b"Bearer", &as_bearer.authorization[0][4..]].concat()];
    let (check, challenge) = outcome(DpopPolicy::Refuse, as_bearer).await.unwrap();
    assert_eq!(check, Check::DpopBound);
    assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
}

#[tokio::test]
async fn without_a_memory_no_proof_is_good() {
    let world = world();
    let eservice = eservice(&world.profile);
    let dpop = Dpop::new(DpopPolicy::Accept, "https://waas.example.it", Arc::new(()));
    let refusal =
        verify(&verifier(&world, &eservice).with_dpop(dpop), &bound_call(&world)).await.unwrap_err();
    assert_eq!((refusal.check, refusal.retry_after()), (Check::ProofsUnavailable, Some(60)));
    assert_eq!(refusal.www_authenticate(), None);
}

on_both_databases! {
    fn a_proof_is_good_once_whichever_instance_it_comes_to(database) {
        let millis = Arc::new(AtomicI64::new(1_790_000_000_000));
        let mut world = world();
        world.clock = Clock::Manual(Arc::clone(&millis));
        let eservice = eservice(&world.profile);
        let instances = [database.store(), database.store()].map(|store| {
            let dpop = Dpop::new(DpopPolicy::Accept, "https://waas.example.it", Arc::new(store));
            verifier(&world, &eservice).with_dpop(dpop)
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let outcome = |instance: usize, sent: &Sent| {
            runtime.block_on(verify(&instances[instance], sent)).err().map(|refusal| refusal.check)
        };
        let call = bound_call(&world);
        assert_eq!(outcome(0, &call), None);
        assert_eq!(outcome(0, &call), Some(Check::DpopReplay));
        assert_eq!(outcome(1, &call), Some(Check::DpopReplay));
        assert_eq!(outcome(1, &bound_call(&world)), None);

        // As long as its age is accepted it is remembered, and no longer.
        millis.fetch_add(70_000, Ordering::SeqCst);
        assert_eq!(outcome(1, &call), Some(Check::DpopReplay));
        millis.fetch_add(1_000, Ordering::SeqCst);
        assert_eq!(outcome(1, &call), Some(Check::DpopTime));
    }
}
