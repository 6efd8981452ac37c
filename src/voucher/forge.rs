//! What a local issuer is asked for beyond honest vouchers: tokens signed with any algorithm, and the two things that
//! may come with a call, proofs of a key and evidence. For tests. Nothing here verifies.

use std::fs;
use std::path::Path;

use josekit::jws::alg::ecdsa::EcdsaJwsSigner;
use josekit::jws::{ES256, JwsSigner};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sha::sha256;
use openssl::sign::{RsaPssSaltlen, Signer as OpensslSigner};
use serde_json::{Value, json};
use uuid::Uuid;

use super::issuer::{Draft, IssuerError, Signer, encode};
use super::signature::thumbprint;
use crate::clock::Clock;

/// How a token is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Algorithm {
    /// Not at all.
    #[value(name = "none")]
    None,
    /// With the issuer's public key in PEM as an HMAC's secret.
    HS256,
    /// As PDND does.
    #[default]
    RS256,
    /// With the issuer's key, and SHA-384.
    RS384,
    /// With the issuer's key, and SHA-512.
    RS512,
    /// With the issuer's key, and PSS padding.
    PS256,
    /// With a P-256 key of its own.
    ES256,
}

impl Algorithm {
    /// Its name in the header `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
        }
    }

    /// Signs a header and a payload as they are; `issuer` is the key that honest vouchers are signed with.
    pub fn sign(self, issuer: &Rsa<Private>, header: &str, payload: &str) -> Result<String, IssuerError> {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let rsa = |digest, padding| -> Result<Vec<u8>, IssuerError> {
            let key = PKey::from_rsa(issuer.clone())?;
            let mut rsa = OpensslSigner::new(digest, &key)?;
            rsa.set_rsa_padding(padding)?;
            if padding == Padding::PKCS1_PSS {
                rsa.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            }
            Ok(rsa.sign_oneshot_to_vec(signed.as_bytes())?)
        };
        let signature = match self {
            Self::None => Vec::new(),
            Self::HS256 => {
                let secret = PKey::hmac(&issuer.public_key_to_pem()?)?;
                OpensslSigner::new(MessageDigest::sha256(), &secret)?
                    .sign_oneshot_to_vec(signed.as_bytes())?
            }
            Self::RS256 => rsa(MessageDigest::sha256(), Padding::PKCS1)?,
            Self::RS384 => rsa(MessageDigest::sha384(), Padding::PKCS1)?,
            Self::RS512 => rsa(MessageDigest::sha512(), Padding::PKCS1)?,
            Self::PS256 => rsa(MessageDigest::sha256(), Padding::PKCS1_PSS)?,
            Self::ES256 => Holder::generate()?.signature(&signed)?,
        };
        Ok(format!("{signed}.{}", encode(&signature)))
    }
}

/// Who holds the key that vouchers are bound to, and can prove it (RFC 9449).
#[derive(Clone, Debug)]
pub struct Holder {
    signer: EcdsaJwsSigner,
    jwk: Value,
}

impl Holder {
    /// A new P-256 key, kept nowhere.
    pub fn generate() -> Result<Self, IssuerError> {
        Self::of(EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?.as_ref())?)
    }

    /// Reads the PEM file of a private P-256 key.
    pub fn read(path: &Path) -> Result<Self, IssuerError> {
        let pem = fs::read(path).map_err(|source| IssuerError::File { path: path.to_owned(), source })?;
        Self::of(PKey::private_key_from_pem(&pem)?.ec_key()?)
    }

    fn of(key: EcKey<Private>) -> Result<Self, IssuerError> {
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut *BigNumContext::new()?)?;
        let coordinate = |number: &BigNum| Ok::<_, IssuerError>(encode(&number.to_vec_padded(32)?));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": coordinate(&x)?, "y": coordinate(&y)? });
        let pem = PKey::from_ec_key(key)?.private_key_to_pem_pkcs8()?;
        let signer = ES256.signer_from_pem(pem).map_err(|error| IssuerError::Key(error.to_string()))?;
        Ok(Self { signer, jwk })
    }

    /// What a voucher that is bound to the key carries as `cnf`.
    #[must_use]
    pub fn confirmation(&self) -> Value {
        json!({ "jkt": thumbprint(&self.jwk).map(|(thumbprint, _)| thumbprint) })
    }

    /// An honest proof for one call with `voucher`, made at the present instant, not yet signed.
    #[must_use]
    pub fn draft(&self, method: &str, url: &str, voucher: &str, clock: &Clock) -> Draft {
        let header = [("typ", json!("dpop+jwt")), ("alg", json!("ES256")), ("jwk", self.jwk.clone())];
        let claims = [
            ("jti", json!(Uuid::new_v4())),
            ("htm", json!(method)),
            ("htu", json!(url)),
            ("iat", json!(clock.now().as_second())),
            ("ath", json!(encode(&sha256(voucher.as_bytes())))),
        ];
        let owned = |(name, value): (&str, Value)| (name.to_owned(), value);
        Draft {
            header: header.into_iter().map(owned).collect(),
            claims: claims.into_iter().map(owned).collect(),
        }
    }

    /// Signs a proof.
    pub fn sign(&self, proof: Draft) -> Result<String, IssuerError> {
        let part = |members| encode(Value::Object(members).to_string().as_bytes());
        let signed = format!("{}.{}", part(proof.header), part(proof.claims));
        Ok(format!("{signed}.{}", encode(&self.signature(&signed)?)))
    }

    fn signature(&self, signed: &str) -> Result<Vec<u8>, IssuerError> {
        self.signer.sign(signed.as_bytes()).map_err(|error| IssuerError::Key(error.to_string()))
    }
}

/// Evidence (`AUDIT_REST_02`) that says `claims`, signed by `signer`, and the `digest` that ties a voucher to it.
pub fn evidence(signer: &Signer, claims: &Value) -> Result<(String, Value), IssuerError> {
    let header = json!({ "typ": "JWT", "alg": "RS256", "kid": signer.jwk().get("kid") });
    let evidence = signer.sign(&header.to_string(), &claims.to_string())?;
    let hash = BigNum::from_slice(&sha256(evidence.as_bytes()))?.to_hex_str()?.to_lowercase();
    Ok((evidence, json!({ "alg": "SHA256", "value": format!("{hash:0>64}") })))
}
