//! Hostile and honest tokens with what must become of them: one line each, for the library and for a live server.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sha::sha256;
use openssl::sign::{RsaPssSaltlen, Signer as OpensslSigner};
use serde_json::{Value, json};
use uuid::Uuid;
use waas_comuni::clock::Clock;
use waas_comuni::voucher::issuer::{Draft, Profile, Signer};

/// What the tokens are made with.
pub(crate) struct World {
    /// The issuer's key, which is published.
    pub(crate) signer: Signer,
    /// A key that nobody published.
    pub(crate) stranger: Signer,
    /// What the e-service under test asks of a voucher.
    pub(crate) profile: Profile,
    pub(crate) clock: Clock,
    /// What the cases are sent to, with GET: the address that callers know.
    pub(crate) target: String,
}

impl World {
    pub(crate) fn new(profile: Profile, clock: Clock, target: &str) -> Self {
        let [signer, stranger] = [Signer::generate().unwrap(), Signer::generate().unwrap()];
        Self { signer, stranger, profile, clock, target: target.to_owned() }
    }

    pub(crate) fn jwks(&self) -> String {
        json!({ "keys": [self.signer.jwk()] }).to_string()
    }

    fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    fn draft(&self) -> Draft {
        self.signer.draft(&self.profile, &self.clock)
    }

    pub(crate) fn honest(&self) -> String {
        self.draft().sign(&self.signer).unwrap()
    }

    fn kid(&self) -> String {
        self.signer.jwk()["kid"].as_str().unwrap().to_owned()
    }
}

/// What a case sends.
#[derive(Default)]
pub(crate) struct Sent {
    pub(crate) authorization: Vec<Vec<u8>>,
    pub(crate) dpop: Vec<Vec<u8>>,
    pub(crate) query: String,
}

type Make = Box<dyn Fn(&World) -> Sent>;

pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Status and code of the refusal; `None`: it is let in.
    pub(crate) refused: Option<(u16, &'static str)>,
    pub(crate) make: Make,
}

fn ok(name: &'static str, make: Make) -> Case {
    Case { name, refused: None, make }
}

fn no(status: u16, code: &'static str, name: &'static str, make: Make) -> Case {
    Case { name, refused: Some((status, code)), make }
}

/// The header as it is.
fn sent(header: impl Fn(&World) -> Vec<u8> + 'static) -> Make {
    Box::new(move |world| Sent { authorization: vec![header(world)], ..Sent::default() })
}

/// A text as bearer token.
fn bearer(token: impl Fn(&World) -> String + 'static) -> Make {
    sent(move |world| format!("Bearer {}", token(world)).into_bytes())
}

/// An honest voucher with a change, signed with the published key.
fn draft(change: impl Fn(&mut Draft, &World) + 'static) -> Make {
    bearer(move |world| {
        let mut draft = world.draft();
        change(&mut draft, world);
        draft.sign(&world.signer).unwrap()
    })
}

/// An honest voucher with one claim changed.
fn claim(name: &'static str, value: Value) -> Make {
    draft(move |draft, _| drop(draft.claims.insert(name.to_owned(), value.clone())))
}

/// An honest voucher without one claim.
fn without(name: &'static str) -> Make {
    draft(move |draft, _| drop(draft.claims.shift_remove(name)))
}

/// An honest voucher with one member of the header changed.
fn header(name: &'static str, value: Value) -> Make {
    draft(move |draft, _| drop(draft.header.insert(name.to_owned(), value.clone())))
}

/// An honest voucher without one member of the header.
fn headless(name: &'static str) -> Make {
    draft(move |draft, _| drop(draft.header.shift_remove(name)))
}

/// An honest voucher issued and expiring at offsets from now, in seconds.
fn at(iat: i64, nbf: i64, exp: i64) -> Make {
    draft(move |draft, world| {
        for (name, offset) in [("iat", iat), ("nbf", nbf), ("exp", exp)] {
            draft.claims.insert(name.to_owned(), json!(world.now() + offset));
        }
    })
}

/// An honest voucher whose text is then tampered with.
fn tampered(change: impl Fn(String) -> String + 'static) -> Make {
    bearer(move |world| change(world.honest()))
}

/// The JSON text of an honest payload, changed before it is signed.
fn payload_text(change: impl Fn(String) -> String + 'static) -> Make {
    bearer(move |world| {
        let draft = world.draft();
        let payload = change(Value::Object(draft.claims).to_string());
        world.signer.sign(&Value::Object(draft.header).to_string(), &payload).unwrap()
    })
}

/// The JSON text of an honest header, changed before it is signed.
fn header_text(change: impl Fn(String) -> String + 'static) -> Make {
    bearer(move |world| {
        let draft = world.draft();
        let header = change(Value::Object(draft.header).to_string());
        world.signer.sign(&header, &Value::Object(draft.claims).to_string()).unwrap()
    })
}

/// An honest voucher with another `alg`, signed by `sign` over the signed bytes.
fn signed_as(alg: &'static str, sign: impl Fn(&World, &[u8]) -> Vec<u8> + 'static) -> Make {
    bearer(move |world| {
        let mut draft = world.draft();
        draft.header.insert("alg".to_owned(), json!(alg));
        let part = |value| encode(Value::Object(value).to_string().as_bytes());
        let signed = format!("{}.{}", part(draft.header), part(draft.claims));
        format!("{signed}.{}", encode(&sign(world, signed.as_bytes())))
    })
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(key).unwrap();
    let mut signer = OpensslSigner::new(MessageDigest::sha256(), &key).unwrap();
    signer.update(message).unwrap();
    signer.sign_to_vec().unwrap()
}

/// The published key in PEM, which an algorithm confusion takes for an HMAC secret.
fn public_pem(world: &World) -> Vec<u8> {
    let number = |name: &str| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(world.signer.jwk()[name].as_str().unwrap()).unwrap();
        BigNum::from_slice(&bytes).unwrap()
    };
    Rsa::from_public_components(number("n"), number("e")).unwrap().public_key_to_pem().unwrap()
}

fn rsa(digest: MessageDigest, padding: Padding, message: &[u8]) -> Vec<u8> {
    static KEY: LazyLock<PKey<Private>> =
        LazyLock::new(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap());
    let mut signer = OpensslSigner::new(digest, &KEY).unwrap();
    signer.set_rsa_padding(padding).unwrap();
    if padding == Padding::PKCS1_PSS {
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
    }
    signer.update(message).unwrap();
    signer.sign_to_vec().unwrap()
}

fn ecdsa(message: &[u8]) -> Vec<u8> {
    let signature = EcdsaSig::sign(&sha256(message), &HOLDER).unwrap();
    [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()].concat()
}

/// The key that bound vouchers are bound to.
static HOLDER: LazyLock<EcKey<Private>> =
    LazyLock::new(|| EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap());

fn holder_jwk() -> Value {
    let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    let mut context = BigNumContext::new().unwrap();
    HOLDER.public_key().affine_coordinates(HOLDER.group(), &mut x, &mut y, &mut context).unwrap();
    let encode = |number: &BigNum| encode(&number.to_vec_padded(32).unwrap());
    json!({ "kty": "EC", "crv": "P-256", "x": encode(&x), "y": encode(&y) })
}

/// The public key alone, as a proof shows it.
fn bare(jwk: &Value) -> Value {
    json!({ "kty": jwk["kty"], "n": jwk["n"], "e": jwk["e"] })
}

fn jkt(jwk: &Value) -> String {
    let names: &[&str] = if jwk["kty"] == "RSA" { &["e", "kty", "n"] } else { &["crv", "kty", "x", "y"] };
    let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":{}", jwk[*name])).collect();
    encode(&sha256(format!("{{{}}}", members.join(",")).as_bytes()))
}

/// A voucher bound to a key.
fn bound(world: &World, jkt: &str) -> String {
    let mut draft = world.draft();
    draft.claims.insert("cnf".to_owned(), json!({ "jkt": jkt }));
    draft.sign(&world.signer).unwrap()
}

/// A proof before it is signed.
struct Proof {
    header: Value,
    claims: Value,
}

impl Proof {
    fn honest(world: &World, voucher: &str) -> Self {
        Self {
            header: json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": holder_jwk() }),
            claims: json!({
                "jti": Uuid::new_v4(), "htm": "GET", "htu": world.target, "iat": world.now(),
                "ath": encode(&sha256(voucher.as_bytes())),
            }),
        }
    }

    fn sign(&self) -> String {
        let signed = format!(
            "{}.{}",
            encode(self.header.to_string().as_bytes()),
            encode(self.claims.to_string().as_bytes())
        );
        format!("{signed}.{}", encode(&ecdsa(signed.as_bytes())))
    }
}

/// A bound voucher as `DPoP`, with these headers `DPoP`.
fn with_proofs(proofs: impl Fn(&World, &str) -> Vec<Vec<u8>> + 'static) -> Make {
    Box::new(move |world| {
        let voucher = bound(world, &jkt(&holder_jwk()));
        let dpop = proofs(world, &voucher);
        Sent { authorization: vec![format!("DPoP {voucher}").into_bytes()], dpop, ..Sent::default() }
    })
}

/// A bound voucher with an honest proof that was changed before it was signed.
fn proof(change: impl Fn(&mut Proof, &World) + 'static) -> Make {
    with_proofs(move |world, voucher| {
        let mut proof = Proof::honest(world, voucher);
        change(&mut proof, world);
        vec![proof.sign().into_bytes()]
    })
}

/// A bound voucher with an honest proof whose text was changed.
fn proof_text(change: impl Fn(String) -> String + 'static) -> Make {
    with_proofs(move |world, voucher| vec![change(Proof::honest(world, voucher).sign()).into_bytes()])
}

/// A bound voucher with a proof that has one claim changed.
fn proof_claim(name: &'static str, value: Value) -> Make {
    proof(move |proof, _| proof.claims[name] = value.clone())
}

/// A bound voucher with a proof that lacks one claim.
fn proof_without(name: &'static str) -> Make {
    proof(move |proof, _| drop(proof.claims.as_object_mut().unwrap().shift_remove(name)))
}

/// A bound voucher with a proof that has one member of the header changed.
fn proof_header(name: &'static str, value: Value) -> Make {
    proof(move |proof, _| proof.header[name] = value.clone())
}

/// A bound voucher with a proof that shows a key with one member changed.
fn proof_key(name: &'static str, value: Value) -> Make {
    proof(move |proof, _| proof.header["jwk"][name] = value.clone())
}

/// A bound voucher with a proof for an address, made from the target.
fn proof_for(target: impl Fn(&str) -> String + 'static) -> Make {
    proof(move |proof, world| proof.claims["htu"] = json!(target(&world.target)))
}

/// A bound voucher with a proof made at an offset from now, in seconds.
fn proof_at(offset: i64) -> Make {
    proof(move |proof, world| proof.claims["iat"] = json!(world.now() + offset))
}

/// A voucher that is bound to the stranger's RSA key, with a proof of that key, changed before it is signed.
fn rsa_proof(change: impl Fn(&mut Proof, &World) + 'static) -> Make {
    Box::new(move |world| {
        let key = bare(world.stranger.jwk());
        let voucher = bound(world, &jkt(&key));
        let mut proof = Proof::honest(world, &voucher);
        proof.header = json!({ "typ": "dpop+jwt", "alg": "RS256", "jwk": key });
        change(&mut proof, world);
        let text = world.stranger.sign(&proof.header.to_string(), &proof.claims.to_string()).unwrap();
        Sent {
            authorization: vec![format!("DPoP {voucher}").into_bytes()],
            dpop: vec![text.into_bytes()],
            ..Sent::default()
        }
    })
}

/// One part of a token changed.
fn part(index: usize, change: impl Fn(&str) -> String + 'static) -> Make {
    tampered(move |token| {
        let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        parts[index] = change(&parts[index]);
        parts.join(".")
    })
}

/// A claim that holds an honest text with something around it.
fn around(name: &'static str, before: &'static str, after: &'static str) -> Make {
    draft(move |draft, _| {
        let text = format!("{before}{}{after}", draft.claims[name].as_str().unwrap());
        draft.claims.insert(name.to_owned(), json!(text));
    })
}

/// Every case that gives the same result whatever the second in which it is sent. The audience is `SIUSS`.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(honest());
    cases.extend(credentials());
    cases.extend(forms());
    cases.extend(headers());
    cases.extend(signatures());
    cases.extend(times());
    cases.extend(audiences());
    cases.extend(ids());
    cases.extend(look_alikes());
    cases.extend(proofs());
    cases
}

#[rustfmt::skip]
fn honest() -> Vec<Case> {
    vec![
        ok("an honest voucher", tampered(|token| token)),
        ok("the scheme in lower case", sent(|world| format!("bearer {}", world.honest()).into_bytes())),
        ok("the scheme in upper case", sent(|world| format!("BEARER {}", world.honest()).into_bytes())),
        ok("two spaces after the scheme", sent(|world| format!("Bearer  {}", world.honest()).into_bytes())),
        ok("a query of other parameters", Box::new(|world| Sent { authorization: vec![format!("Bearer {}", world.honest()).into_bytes()], query: "since=0&limit=10".to_owned(), ..Sent::default() })),
        ok("typ with the application prefix", header("typ", json!("application/at+jwt"))),
        ok("typ in upper case", header("typ", json!("AT+JWT"))),
        ok("no use in the header", headless("use")),
        ok("no sub", without("sub")),
        ok("an unknown claim", claim("unknown", json!({"deep": [1, 2, {"deeper": null}]}))),
        ok("an unknown member of the header", header("unknown", json!(1))),
        ok("white space in the payload", payload_text(|text| format!(" {text}\n"))),
        ok("members escaped", payload_text(|text| text.replace("\"aud\"", "\"\\u0061ud\""))),
        ok("a digest", claim("digest", json!({"alg": "SHA256", "value": "ab".repeat(32)}))),
        ok("ids in upper case", draft(|draft, _| { let id = draft.claims["producerId"].as_str().unwrap().to_uppercase(); draft.claims.insert("producerId".to_owned(), json!(id)); })),
        ok("the longest life", at(-10, -10, 86_390)),
        ok("nbf after iat", at(-100, -10, 500)),
        ok("a clock three seconds ahead", at(3, 3, 600)),
    ]
}

#[rustfmt::skip]
fn credentials() -> Vec<Case> {
    vec![
        no(401, "credentials_missing", "no header", Box::new(|_| Sent::default())),
        no(401, "credentials_repeated", "the same header twice", Box::new(|world| { let header = format!("Bearer {}", world.honest()).into_bytes(); Sent { authorization: vec![header.clone(), header], ..Sent::default() } })),
        no(401, "credentials_repeated", "a good header before a bad one", Box::new(|world| Sent { authorization: vec![format!("Bearer {}", world.honest()).into_bytes(), b"Basic eDp5".to_vec()], ..Sent::default() })),
        no(401, "token_in_query", "only in the query", Box::new(|world| Sent { query: format!("access_token={}", world.honest()), ..Sent::default() })),
        no(401, "token_in_query", "in the query too", Box::new(|world| Sent { authorization: vec![format!("Bearer {}", world.honest()).into_bytes()], query: format!("since=0&access_token={}", world.honest()), ..Sent::default() })),
        no(401, "token_in_query", "in the query, its name encoded", Box::new(|world| Sent { authorization: vec![format!("Bearer {}", world.honest()).into_bytes()], query: format!("since=0&access%5Ftoken={}", world.honest()), ..Sent::default() })),
        no(401, "token_in_query", "in the query, without a value", Box::new(|world| Sent { authorization: vec![format!("Bearer {}", world.honest()).into_bytes()], query: "since=0&%61ccess_token".to_owned(), ..Sent::default() })),
        no(401, "scheme", "Basic", sent(|_| b"Basic dXNlcjpwYXNz".to_vec())),
        no(401, "scheme", "the token alone", sent(|world| world.honest().into_bytes())),
        no(401, "scheme", "a longer scheme", sent(|world| format!("Bearers {}", world.honest()).into_bytes())),
        no(401, "scheme", "a tab after the scheme", sent(|world| format!("Bearer\t{}", world.honest()).into_bytes())),
        no(401, "scheme", "an empty header", sent(|_| Vec::new())),
        no(401, "token_malformed", "the scheme alone", sent(|_| b"Bearer".to_vec())),
        no(401, "token_malformed", "two tokens with a comma", bearer(|world| format!("{}, Bearer {}", world.honest(), world.honest()))),
        no(401, "token_malformed", "bytes that are not UTF-8", sent(|_| b"Bearer \xff\xfe".to_vec())),
        no(401, "token_malformed", "letters beyond ASCII", bearer(|_| "è.è.è".to_owned())),
    ]
}

#[rustfmt::skip]
fn forms() -> Vec<Case> {
    vec![
        no(401, "token_malformed", "one part", bearer(|_| "abc".to_owned())),
        no(401, "token_malformed", "two parts", tampered(|token| token.rsplit_once('.').unwrap().0.to_owned())),
        no(401, "token_malformed", "four parts", tampered(|token| format!("{token}.AAAA"))),
        no(401, "token_malformed", "five parts, as a JWE", bearer(|_| "eyJhbGciOiJSU0EtT0FFUCJ9.AA.AA.AA.AA".to_owned())),
        no(401, "token_malformed", "a dot before", tampered(|token| format!(".{token}"))),
        no(401, "token_malformed", "a dot after", tampered(|token| format!("{token}."))),
        no(401, "token_malformed", "three empty parts", bearer(|_| "..".to_owned())),
        no(401, "token_malformed", "an empty payload", part(1, |_| String::new())),
        no(401, "token_malformed", "an empty header", part(0, |_| String::new())),
        no(401, "token_malformed", "padding on the signature", part(2, |part| format!("{part}=="))),
        no(401, "token_malformed", "padding on the payload", part(1, |part| BASE64_URL_SAFE.encode(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()) + "=")),
        no(401, "token_malformed", "the other alphabet of base64", part(2, |part| format!("{}+/AA", part.get(4..).unwrap()))),
        no(401, "token_malformed", "standard base64", part(1, |part| BASE64_STANDARD.encode(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()) + "=")),
        no(401, "token_malformed", "a last letter with bits left over", part(2, |part| { let mut text = part.to_owned(); text.pop(); text + "_" })),
        no(401, "token_malformed", "a space within", part(2, |part| format!("{} {}", part.get(..10).unwrap(), part.get(10..).unwrap()))),
        no(401, "token_malformed", "a space after", tampered(|token| format!("{token} x"))),
        no(401, "token_malformed", "a header that is not JSON", header_text(|_| "typ: at+jwt".to_owned())),
        no(401, "token_malformed", "a header that is an array", header_text(|_| "[]".to_owned())),
        no(401, "token_malformed", "a payload that is a string", payload_text(|_| "\"aud\"".to_owned())),
        no(401, "token_malformed", "a payload that is null", payload_text(|_| "null".to_owned())),
        no(401, "token_malformed", "a payload with something after", payload_text(|text| format!("{text}{{}}"))),
        no(401, "token_malformed", "a byte order mark", payload_text(|text| format!("\u{feff}{text}"))),
        no(401, "token_malformed", "a payload nested a thousand times", payload_text(|_| format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000)))),
        no(401, "token_malformed", "a repeated claim", payload_text(|text| text.replacen('{', "{\"aud\":\"altro\",", 1))),
        no(401, "token_malformed", "a repeated claim, escaped", payload_text(|text| text.replacen('{', "{\"\\u0061ud\":\"altro\",", 1))),
        no(401, "token_malformed", "a repeated member deep down", payload_text(|text| text.replacen('{', "{\"x\":[{\"a\":1,\"a\":2}],", 1))),
        no(401, "token_malformed", "a repeated alg", header_text(|text| text.replacen('{', "{\"alg\":\"none\",", 1))),
        no(401, "token_malformed", "a repeated kid", header_text(|text| text.replacen('}', ",\"kid\":\"x\"}", 1))),
        no(401, "token_too_long", "a token of nine thousand bytes", claim("filler", json!("x".repeat(9000)))),
        no(401, "token_too_long", "a long text that is no token", bearer(|_| "x".repeat(8193))),
    ]
}

#[rustfmt::skip]
fn headers() -> Vec<Case> {
    vec![
        no(401, "algorithm", "alg none, without a signature", bearer(|world| { let text = world.honest(); let payload = text.split('.').nth(1).unwrap(); format!("{}.{payload}.", encode(br#"{"alg":"none","typ":"at+jwt"}"#)) })),
        no(401, "algorithm", "alg none, with the honest signature", signed_as("none", |_, _| Vec::new())),
        no(401, "algorithm", "alg None", signed_as("None", |_, _| Vec::new())),
        no(401, "algorithm", "alg NONE", signed_as("NONE", |_, _| Vec::new())),
        no(401, "algorithm", "HS256 with the public key as secret", signed_as("HS256", |world, message| hmac(&public_pem(world), message))),
        no(401, "algorithm", "HS256 with the modulus as secret", signed_as("HS256", |world, message| hmac(world.signer.jwk()["n"].as_str().unwrap().as_bytes(), message))),
        no(401, "algorithm", "HS256 with an empty secret", signed_as("HS256", |_, message| hmac(b"x", message))),
        no(401, "algorithm", "RS384", signed_as("RS384", |_, message| rsa(MessageDigest::sha384(), Padding::PKCS1, message))),
        no(401, "algorithm", "RS512", signed_as("RS512", |_, message| rsa(MessageDigest::sha512(), Padding::PKCS1, message))),
        no(401, "algorithm", "PS256", signed_as("PS256", |_, message| rsa(MessageDigest::sha256(), Padding::PKCS1_PSS, message))),
        no(401, "algorithm", "ES256", signed_as("ES256", |_, message| ecdsa(message))),
        no(401, "algorithm", "EdDSA", header("alg", json!("EdDSA"))),
        no(401, "algorithm", "rs256 in lower case", header("alg", json!("rs256"))),
        no(401, "algorithm", "RS256 with a space", header("alg", json!("RS256 "))),
        no(401, "algorithm", "alg as an array", header("alg", json!(["RS256"]))),
        no(401, "algorithm", "alg null", header("alg", json!(null))),
        no(401, "algorithm", "no alg", headless("alg")),
        no(401, "algorithm", "an empty header object", header_text(|_| "{}".to_owned())),
        no(401, "type", "typ JWT", header("typ", json!("JWT"))),
        no(401, "type", "typ dpop+jwt", header("typ", json!("dpop+jwt"))),
        no(401, "type", "typ with a longer prefix", header("typ", json!("application/application/at+jwt"))),
        no(401, "type", "typ with a suffix", header("typ", json!("at+jwt;v=1"))),
        no(401, "type", "typ as an array", header("typ", json!(["at+jwt"]))),
        no(401, "type", "no typ", headless("typ")),
        no(401, "header", "crit", header("crit", json!(["exp"]))),
        no(401, "header", "an empty crit", header("crit", json!([]))),
        no(401, "header", "a payload that is not encoded", header("b64", json!(false))),
        no(401, "header", "a key of its own", draft(|draft, world| drop(draft.header.insert("jwk".to_owned(), world.signer.jwk().clone())))),
        no(401, "header", "a stranger's key, and signed with it", bearer(|world| { let mut draft = world.draft(); draft.header.insert("jwk".to_owned(), world.stranger.jwk().clone()); draft.sign(&world.stranger).unwrap() })),
        no(401, "header", "the address of a key set", header("jku", json!("https://attacker.example/jwks.json"))),
        no(401, "header", "the address of a certificate", header("x5u", json!("https://attacker.example/cert.pem"))),
        no(401, "header", "a certificate", header("x5c", json!(["MIIB"]))),
        no(401, "key_id", "no kid", headless("kid")),
        no(401, "key_id", "an empty kid", header("kid", json!(""))),
        no(401, "key_id", "a kid that is a number", header("kid", json!(1))),
        no(401, "key_id", "a kid of a thousand letters", header("kid", json!("k".repeat(1000)))),
        no(401, "key_id", "a kid with control characters", header("kid", json!("a\nb"))),
        no(401, "key_id", "a kid with a space", header("kid", json!("a b"))),
    ]
}

#[rustfmt::skip]
fn signatures() -> Vec<Case> {
    vec![
        no(401, "key_unknown", "an unknown kid", header("kid", json!(Uuid::nil()))),
        no(401, "key_unknown", "a kid that is a path", header("kid", json!("../../../../dev/null"))),
        no(401, "key_unknown", "a kid that is SQL", header("kid", json!("'OR'1'='1"))),
        no(401, "key_unknown", "a kid that is a prefix of the key's", draft(|draft, world| drop(draft.header.insert("kid".to_owned(), json!(world.kid().get(..10).unwrap()))))),
        no(401, "key_unknown", "signed by a stranger", bearer(|world| world.stranger.draft(&world.profile, &world.clock).sign(&world.stranger).unwrap())),
        no(401, "signature", "a stranger under the issuer's kid", bearer(|world| world.draft().sign(&world.stranger).unwrap())),
        no(401, "signature", "no signature", part(2, |_| String::new())),
        no(401, "signature", "a cut signature", part(2, |part| part.get(..part.len() - 8).unwrap().to_owned() + "AA")),
        no(401, "signature", "a signature of zeros", part(2, |_| encode(&[0; 256]))),
        no(401, "signature", "a signature of 0xff", part(2, |_| encode(&[255; 256]))),
        no(401, "signature", "a longer signature", part(2, |part| { let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap(); bytes.insert(0, 0); encode(&bytes) })),
        no(401, "signature", "one bit of the signature", part(2, |part| { let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(part).unwrap(); bytes[100] ^= 1; encode(&bytes) })),
        no(401, "signature", "another payload under the same signature", part(1, |part| { let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap(); encode(text.replace("SIUSS", "XIUSS").as_bytes()) })),
        no(401, "signature", "another header under the same signature", part(0, |part| { let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap(); encode(text.replace("at+jwt", "AT+JWT").as_bytes()) })),
        no(401, "signature", "RS512 under the name of RS256", signed_as("RS256", |_, message| rsa(MessageDigest::sha512(), Padding::PKCS1, message))),
        no(401, "signature", "PSS under the name of RS256", signed_as("RS256", |_, message| rsa(MessageDigest::sha256(), Padding::PKCS1_PSS, message))),
        no(401, "signature", "an HMAC under the name of RS256", signed_as("RS256", |world, message| hmac(&public_pem(world), message))),
    ]
}

#[rustfmt::skip]
fn times() -> Vec<Case> {
    vec![
        no(401, "expired", "expired an hour ago", at(-7200, -7200, -3600)),
        no(401, "expired", "expired two seconds ago", at(-600, -600, -2)),
        no(401, "expired", "epochal", draft(|draft, _| for (name, value) in [("iat", 0), ("nbf", 0), ("exp", 1)] { draft.claims.insert(name.to_owned(), json!(value)); })),
        no(401, "not_yet_valid", "issued in a minute", at(60, 60, 600)),
        no(401, "not_yet_valid", "valid in a minute", at(-10, 60, 600)),
        no(401, "not_yet_valid", "issued in a minute, valid already", at(60, -10, 600)),
        no(401, "not_yet_valid", "issued in the year 9999", draft(|draft, _| for (name, value) in [("iat", 253_402_300_000_i64), ("nbf", 253_402_300_000), ("exp", 253_402_300_100)] { draft.claims.insert(name.to_owned(), json!(value)); })),
        no(401, "times", "a life of a day and a second", at(-10, -10, 86_391)),
        no(401, "times", "a life of a year", at(-10, -10, 31_536_000)),
        no(401, "times", "expired before it was issued", at(100, -200, 50)),
        no(401, "times", "expired before it is valid", at(-100, 100, 50)),
        no(401, "times", "no exp", without("exp")),
        no(401, "times", "no iat", without("iat")),
        no(401, "times", "no nbf", without("nbf")),
        no(401, "times", "exp as a string", draft(|draft, _| { let text = draft.claims["exp"].to_string(); draft.claims.insert("exp".to_owned(), json!(text)); })),
        no(401, "times", "exp with a fraction", payload_text(|text| text.replace(",\"purposeId\"", ".0,\"purposeId\""))),
        no(401, "times", "exp with an exponent", payload_text(|text| text.replace(",\"purposeId\"", "e0,\"purposeId\""))),
        no(401, "times", "exp null", claim("exp", json!(null))),
        no(401, "times", "exp true", claim("exp", json!(true))),
        no(401, "times", "exp as an array", claim("exp", json!([9_999_999_999_i64]))),
        no(401, "times", "exp as an object", claim("exp", json!({"value": 9_999_999_999_i64}))),
        no(401, "times", "exp negative", claim("exp", json!(-1))),
        no(401, "times", "exp beyond 64 bits", payload_text(|text| text.replace(",\"purposeId\"", "00000000000000000000,\"purposeId\""))),
        no(401, "times", "exp in milliseconds", payload_text(|text| text.replace(",\"purposeId\"", "000,\"purposeId\""))),
        no(401, "times", "iat negative", claim("iat", json!(-1))),
        no(401, "times", "nbf as a string", claim("nbf", json!("0"))),
    ]
}

#[rustfmt::skip]
fn audiences() -> Vec<Case> {
    vec![
        ok("aud as an array", claim("aud", json!(["SIUSS"]))),
        ok("aud as an array of several", claim("aud", json!(["altro", "SIUSS"]))),
        ok("aud as a list with commas", claim("aud", json!("altro,SIUSS,terzo"))),
        ok("aud as a list with commas and spaces", claim("aud", json!("altro, SIUSS"))),
        no(401, "audience", "another aud", claim("aud", json!("ALTRO"))),
        no(401, "audience", "aud in lower case", claim("aud", json!("siuss"))),
        no(401, "audience", "aud with something before", around("aud", "X", "")),
        no(401, "audience", "aud with something after", around("aud", "", "X")),
        no(401, "audience", "aud as a path", around("aud", "https://example.it/", "")),
        no(401, "audience", "aud with a slash after", around("aud", "", "/")),
        no(401, "audience", "a part of aud", claim("aud", json!("SIUS"))),
        no(401, "audience", "an empty aud", claim("aud", json!(""))),
        no(401, "audience", "aud of commas", claim("aud", json!(",,,"))),
        no(401, "audience", "aud with semicolons", claim("aud", json!("altro;SIUSS"))),
        no(401, "audience", "aud with spaces between", claim("aud", json!("altro SIUSS"))),
        no(401, "audience", "aud with a new line", claim("aud", json!("SIUSS\n"))),
        no(401, "audience", "aud with a NUL", claim("aud", json!("SIUSS\u{0}"))),
        no(401, "audience", "aud with a look-alike letter", claim("aud", json!("SІUSS"))),
        no(401, "audience", "an empty array", claim("aud", json!([]))),
        no(401, "audience", "an array with a list in it", claim("aud", json!(["altro,SIUSS"]))),
        no(401, "audience", "an array in an array", claim("aud", json!([["SIUSS"]]))),
        no(401, "audience", "an array with a number", claim("aud", json!(["SIUSS", 1]))),
        no(401, "audience", "an object", claim("aud", json!({"SIUSS": true}))),
        no(401, "audience", "aud null", claim("aud", json!(null))),
        no(401, "audience", "no aud", without("aud")),
    ]
}

#[rustfmt::skip]
fn ids() -> Vec<Case> {
    vec![
        no(401, "issuer", "no iss", without("iss")),
        no(401, "issuer", "another iss", claim("iss", json!("uat.interop.pagopa.it"))),
        no(401, "issuer", "iss with a scheme", around("iss", "https://", "")),
        no(401, "issuer", "iss with a slash after", around("iss", "", "/")),
        no(401, "issuer", "iss within a longer name", around("iss", "", ".attacker.example")),
        no(401, "issuer", "iss as an array", draft(|draft, _| { let iss = draft.claims["iss"].clone(); draft.claims.insert("iss".to_owned(), json!([iss])); })),
        no(401, "purpose", "no purposeId", without("purposeId")),
        no(401, "purpose", "purposeId empty", claim("purposeId", json!(""))),
        no(401, "purpose", "purposeId null", claim("purposeId", json!(null))),
        no(401, "purpose", "purposeId that is not a UUID", claim("purposeId", json!("una finalità"))),
        no(401, "purpose", "purposeId without hyphens", draft(|draft, _| { let id = draft.claims["purposeId"].as_str().unwrap().replace('-', ""); draft.claims.insert("purposeId".to_owned(), json!(id)); })),
        no(401, "purpose", "purposeId in braces", around("purposeId", "{", "}")),
        no(401, "purpose", "purposeId as a URN", around("purposeId", "urn:uuid:", "")),
        no(401, "client", "no client_id", without("client_id")),
        no(401, "client", "client_id that is not a UUID", claim("client_id", json!("client"))),
        no(401, "client", "another sub", claim("sub", json!(Uuid::nil()))),
        no(401, "client", "sub that is not a UUID", claim("sub", json!("client"))),
        no(401, "client", "sub null", claim("sub", json!(null))),
        no(401, "token_id", "no jti", without("jti")),
        no(401, "token_id", "jti that is not a UUID", claim("jti", json!("1"))),
        no(401, "token_id", "jti that is a number", claim("jti", json!(1))),
        no(401, "digest", "digest as a string", claim("digest", json!("SHA256"))),
        no(401, "digest", "digest without value", claim("digest", json!({"alg": "SHA256"}))),
        no(401, "digest", "digest null", claim("digest", json!(null))),
        no(403, "producer", "another provider's e-service, same audience", claim("producerId", json!(Uuid::nil()))),
        no(403, "producer", "no producerId", without("producerId")),
        no(403, "producer", "producerId null", claim("producerId", json!(null))),
        no(403, "producer", "producerId as an array", draft(|draft, _| { let id = draft.claims["producerId"].clone(); draft.claims.insert("producerId".to_owned(), json!([id])); })),
        no(403, "producer", "producerId with something after", around("producerId", "", "0")),
        no(403, "eservice", "another e-service", claim("eserviceId", json!(Uuid::nil()))),
        no(403, "eservice", "no eserviceId", without("eserviceId")),
        no(403, "descriptor", "a retired version", claim("descriptorId", json!(Uuid::nil()))),
        no(403, "descriptor", "no descriptorId", without("descriptorId")),
        no(403, "descriptor", "descriptorId and eserviceId exchanged", draft(|draft, _| { let id = draft.claims["eserviceId"].clone(); draft.claims.insert("descriptorId".to_owned(), id); })),
        no(403, "consumer", "another consumer", claim("consumerId", json!(Uuid::nil()))),
        no(403, "consumer", "no consumerId", without("consumerId")),
        no(403, "consumer", "the provider as consumer", draft(|draft, _| { let id = draft.claims["producerId"].clone(); draft.claims.insert("consumerId".to_owned(), id); })),
    ]
}

#[rustfmt::skip]
fn look_alikes() -> Vec<Case> {
    vec![
        no(401, "m2m_token", "a machine-to-machine token", draft(|draft, world| { let iss = world.profile.issuer.clone(); draft.claims.insert("aud".to_owned(), json!(format!("{iss}/m2m"))); draft.claims.insert("organizationId".to_owned(), json!(Uuid::nil())); draft.claims.insert("role".to_owned(), json!("m2m")); draft.claims.shift_remove("purposeId"); })),
        no(401, "m2m_token", "its audience alone", draft(|draft, world| { let iss = world.profile.issuer.clone(); draft.claims.insert("aud".to_owned(), json!(format!("{iss}/m2m,SIUSS"))); })),
        no(401, "m2m_token", "organizationId alone", claim("organizationId", json!(Uuid::nil()))),
        no(401, "m2m_token", "role alone", claim("role", json!("m2m-admin"))),
        no(401, "m2m_token", "role null", claim("role", json!(null))),
        no(401, "async_token", "a voucher of the asynchronous exchange", draft(|draft, _| { draft.claims.insert("interactionId".to_owned(), json!(Uuid::nil())); draft.claims.insert("scope".to_owned(), json!("start_interaction")); })),
        no(401, "async_token", "interactionId alone", claim("interactionId", json!(Uuid::nil()))),
        no(401, "async_token", "scope alone", claim("scope", json!(""))),
        no(401, "dpop_bound", "a bound voucher as Bearer", claim("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))),
        no(401, "dpop_bound", "an empty cnf", claim("cnf", json!({}))),
        no(401, "dpop_bound", "cnf null", claim("cnf", json!(null))),
        no(401, "dpop_bound", "an unbound voucher as DPoP", sent(|world| format!("DPoP {}", world.honest()).into_bytes())),
        no(401, "times", "the token of PDND's probing", payload_text(|text| { let claims: Value = serde_json::from_str(&text).unwrap(); json!({"aud": ["SIUSS"], "iss": claims["iss"], "exp": claims["exp"], "iat": claims["iat"], "jti": claims["jti"]}).to_string() })),
        no(401, "type", "an ID token", header("typ", json!("id_token"))),
        no(401, "type", "a client assertion", draft(|draft, _| { draft.header.insert("typ".to_owned(), json!("JWT")); draft.claims.insert("aud".to_owned(), json!("auth.interop.pagopa.it/client-assertion")); })),
    ]
}

#[rustfmt::skip]
fn proofs() -> Vec<Case> {
    vec![
        ok("a bound voucher with its proof", proof(|_, _| {})),
        ok("a bound voucher with the proof of an RSA key", rsa_proof(|_, _| {})),
        ok("a proof with a nonce that nobody asked for", proof_claim("nonce", json!("n"))),
        ok("a proof for the address with a query", proof_for(|target| format!("{target}?since=0"))),
        ok("a proof for the address with the host in upper case", proof_for(|target| target.replace("https://waas", "https://WAAS").replace("http://LOCALHOST", "http://localhost"))),
        ok("a proof of half a minute ago", proof_at(-30)),
        ok("a proof of five seconds ahead", proof_at(5)),
        ok("an unbound voucher with a needless proof", Box::new(|world| { let voucher = world.honest(); let dpop = vec![Proof::honest(world, &voucher).sign().into_bytes()]; Sent { authorization: vec![format!("Bearer {voucher}").into_bytes()], dpop, ..Sent::default() } })),
        no(401, "dpop_bound", "a bound voucher as Bearer, with its proof", Box::new(|world| { let voucher = bound(world, &jkt(&holder_jwk())); let dpop = vec![Proof::honest(world, &voucher).sign().into_bytes()]; Sent { authorization: vec![format!("Bearer {voucher}").into_bytes()], dpop, ..Sent::default() } })),
        no(401, "dpop_bound", "jkt that is not a string", sent(|world| { let mut draft = world.draft(); draft.claims.insert("cnf".to_owned(), json!({"jkt": 1})); format!("DPoP {}", draft.sign(&world.signer).unwrap()).into_bytes() })),
        no(401, "dpop_proof", "no proof", with_proofs(|_, _| vec![])),
        no(401, "dpop_proof", "two proofs", with_proofs(|world, voucher| vec![Proof::honest(world, voucher).sign().into_bytes(), Proof::honest(world, voucher).sign().into_bytes()])),
        no(401, "dpop_proof", "two proofs with a comma", proof_text(|text| format!("{text},{text}"))),
        no(401, "dpop_proof", "an empty proof", with_proofs(|_, _| vec![vec![]])),
        no(401, "dpop_proof", "a proof that is not UTF-8", with_proofs(|_, _| vec![vec![0xff]])),
        no(401, "dpop_proof", "a proof of nine thousand bytes", proof_claim("filler", json!("x".repeat(9000)))),
        no(401, "dpop_proof", "the voucher as its own proof", with_proofs(|_, voucher| vec![voucher.as_bytes().to_vec()])),
        no(401, "dpop_proof", "a proof in four parts", proof_text(|text| format!("{text}.AAAA"))),
        no(401, "dpop_proof", "a proof with padding", proof_text(|text| format!("{text}="))),
        no(401, "dpop_proof", "a proof with typ JWT", proof_header("typ", json!("JWT"))),
        no(401, "dpop_proof", "a proof with typ at+jwt", proof_header("typ", json!("at+jwt"))),
        no(401, "dpop_proof", "a proof with typ in upper case", proof_header("typ", json!("DPOP+JWT"))),
        no(401, "dpop_proof", "a proof with alg none", proof_header("alg", json!("none"))),
        no(401, "dpop_proof", "a proof with alg HS256", proof_header("alg", json!("HS256"))),
        no(401, "dpop_proof", "a proof with alg ES384", proof_header("alg", json!("ES384"))),
        no(401, "dpop_proof", "a proof with alg RS256 and an EC key", proof_header("alg", json!("RS256"))),
        no(401, "dpop_proof", "a proof with alg ES256 and an RSA key", rsa_proof(|proof, _| proof.header["alg"] = json!("ES256"))),
        no(401, "dpop_proof", "a proof with a kid", proof_header("kid", json!("1"))),
        no(401, "dpop_proof", "a proof with crit", proof_header("crit", json!(["exp"]))),
        no(401, "dpop_proof", "a proof without jwk", proof(|proof, _| { let header = proof.header.as_object_mut().unwrap(); header.shift_remove("jwk"); header.insert("x".to_owned(), json!(1)); })),
        no(401, "dpop_proof", "a proof with jwk as a string", proof_header("jwk", json!("key"))),
        no(401, "dpop_proof", "a proof that shows its private key", proof_key("d", json!("AAAA"))),
        no(401, "dpop_proof", "a proof that shows a private RSA key", rsa_proof(|proof, _| proof.header["jwk"]["d"] = json!("AAAA"))),
        no(401, "dpop_proof", "a proof whose key has a use", proof_key("use", json!("sig"))),
        no(401, "dpop_proof", "a proof with a symmetric key", proof_header("jwk", json!({"kty": "oct", "k": "AAAA"}))),
        no(401, "dpop_proof", "a proof with another curve", proof_key("crv", json!("P-384"))),
        no(401, "dpop_proof", "a proof with a point off the curve", proof_key("x", json!(BASE64_URL_SAFE_NO_PAD.encode([1; 32])))),
        no(401, "dpop_proof", "a proof with a short coordinate", proof_key("y", json!("AAAA"))),
        no(401, "dpop_proof", "a proof without htm", proof_without("htm")),
        no(401, "dpop_proof", "a proof without htu", proof_without("htu")),
        no(401, "dpop_proof", "a proof without iat", proof_without("iat")),
        no(401, "dpop_proof", "a proof without jti", proof_without("jti")),
        no(401, "dpop_proof", "a proof without ath", proof_without("ath")),
        no(401, "dpop_proof", "a proof with an empty jti", proof_claim("jti", json!(""))),
        no(401, "dpop_proof", "a proof with iat as a string", proof_claim("iat", json!("1790000000"))),
        no(401, "dpop_proof", "a proof with iat as a fraction", proof_claim("iat", json!(1_790_000_000.5))),
        no(401, "dpop_signature", "a proof signed by another key", rsa_proof(|proof, world| proof.header["jwk"] = bare(world.signer.jwk()))),
        no(401, "dpop_signature", "a proof with a signature of zeros", proof_text(|text| format!("{}.{}", text.rsplit_once('.').unwrap().0, encode(&[0; 64])))),
        no(401, "dpop_signature", "a proof with a short signature", proof_text(|text| format!("{}.{}", text.rsplit_once('.').unwrap().0, encode(&[1; 32])))),
        no(401, "dpop_signature", "a proof without a signature", proof_text(|text| format!("{}.", text.rsplit_once('.').unwrap().0))),
        no(401, "dpop_target", "a proof for POST", proof_claim("htm", json!("POST"))),
        no(401, "dpop_target", "a proof for get in lower case", proof_claim("htm", json!("get"))),
        no(401, "dpop_target", "a proof for another path", proof_for(|target| format!("{target}/altro"))),
        no(401, "dpop_target", "a proof for a path with a slash after", proof_for(|target| format!("{target}/"))),
        no(401, "dpop_target", "a proof for another host", proof_for(|target| target.replacen("://", "://altro.", 1))),
        no(401, "dpop_target", "a proof for another port", proof_for(|target| { let mut url = url::Url::parse(target).unwrap(); url.set_port(Some(1)).unwrap(); url.into() })),
        no(401, "dpop_target", "a proof for another scheme", proof_for(|target| target.replacen("http", "ftp", 1))),
        no(401, "dpop_target", "a proof for a path alone", proof_claim("htu", json!("/waas/v1/flussi"))),
        no(401, "dpop_target", "a proof for the address with a user", proof_for(|target| target.replacen("://", "://user@", 1))),
        no(401, "dpop_target", "a proof for an empty address", proof_claim("htu", json!(""))),
        no(401, "dpop_time", "a proof of two minutes ago", proof_at(-120)),
        no(401, "dpop_time", "a proof of a minute ahead", proof_at(60)),
        no(401, "dpop_time", "a proof of the epoch", proof_claim("iat", json!(0))),
        no(401, "dpop_binding", "a proof of a key that the voucher is not bound to", Box::new(|world| { let voucher = bound(world, &jkt(&bare(world.stranger.jwk()))); let dpop = vec![Proof::honest(world, &voucher).sign().into_bytes()]; Sent { authorization: vec![format!("DPoP {voucher}").into_bytes()], dpop, ..Sent::default() } })),
        no(401, "dpop_binding", "a proof for another voucher", proof_claim("ath", json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"))),
        no(401, "dpop_binding", "a proof with the hash in hexadecimal", with_proofs(|world, voucher| { let mut proof = Proof::honest(world, voucher); proof.claims["ath"] = json!(BigNum::from_slice(&sha256(voucher.as_bytes())).unwrap().to_hex_str().unwrap().to_lowercase()); vec![proof.sign().into_bytes()] })),
        no(401, "expired", "an expired voucher with its proof", Box::new(|world| { let mut draft = world.draft(); for (name, offset) in [("iat", -700), ("nbf", -700), ("exp", -100)] { draft.claims.insert(name.to_owned(), json!(world.now() + offset)); } draft.claims.insert("cnf".to_owned(), json!({"jkt": jkt(&holder_jwk())})); let voucher = draft.sign(&world.signer).unwrap(); let dpop = vec![Proof::honest(world, &voucher).sign().into_bytes()]; Sent { authorization: vec![format!("DPoP {voucher}").into_bytes()], dpop, ..Sent::default() } })),
    ]
}

/// A call that is good once.
pub(crate) fn bound_call(world: &World) -> Sent {
    proof(|_, _| {})(world)
}

/// Cases that hold at one instant only, for a clock that stands still, or that no HTTP header can carry.
#[rustfmt::skip]
pub(crate) fn boundaries() -> Vec<Case> {
    vec![
        no(401, "token_malformed", "a control character within", tampered(|token| format!("{token}\u{1}"))),
        ok("the last second", at(-600, -600, 1)),
        no(401, "expired", "the second of its end", at(-600, -600, 0)),
        ok("five seconds ahead", at(5, 5, 600)),
        no(401, "not_yet_valid", "six seconds ahead", at(6, 6, 600)),
        no(401, "not_yet_valid", "nbf six seconds ahead", at(0, 6, 600)),
        ok("a proof of seventy seconds ago", proof_at(-70)),
        no(401, "dpop_time", "a proof of seventy-one seconds ago", proof_at(-71)),
        ok("a proof of ten seconds ahead", proof_at(10)),
        no(401, "dpop_time", "a proof of eleven seconds ahead", proof_at(11)),
    ]
}
