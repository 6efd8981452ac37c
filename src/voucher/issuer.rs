//! A local issuer: writes a key pair and mints vouchers with it, honest ones and any other.
//!
//! For tests, demonstrations and `inps`. Its keys are accepted only by an e-service whose environment is `locale`.
//! Nothing here verifies.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use josekit::jws::alg::rsassa::RsassaJwsSigner;
use josekit::jws::{JwsSigner, RS256};
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::signature::thumbprint;
use crate::clock::Clock;
use crate::config::EService;

/// The private key that [`keygen`] writes.
pub const KEY_FILE: &str = "private.pem";
/// The public key that [`keygen`] writes, for `jwks_url`.
pub const JWKS_FILE: &str = "jwks.json";
/// The [`Profile`] that [`keygen`] writes, for `--issuer-config`.
pub const PROFILE_FILE: &str = "issuer.toml";

/// Why the local issuer cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file would be overwritten.
    #[error("{path} exists already, and a key is never overwritten: choose another directory", path = .0.display())]
    Exists(PathBuf),
    /// The key is not a PEM private RSA key of 2048 bits or more.
    #[error("not a PEM private RSA key of 2048 bits or more: {0}")]
    Key(String),
    /// The profile cannot be read.
    #[error("{0}")]
    Profile(#[from] config::ConfigError),
    /// OpenSSL failed.
    #[error("{0}")]
    Crypto(#[from] openssl::error::ErrorStack),
}

/// What a local issuer writes into its vouchers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// `iss`.
    pub issuer: String,
    /// `aud`; several are joined by commas, as PDND does.
    pub audience: Vec<String>,
    /// `client_id` and `sub`.
    pub client_id: Uuid,
    /// `purposeId`.
    pub purpose_id: Uuid,
    /// `consumerId`.
    pub consumer_id: Option<Uuid>,
    /// `producerId`.
    pub producer_id: Option<Uuid>,
    /// `eserviceId`.
    pub eservice_id: Option<Uuid>,
    /// `descriptorId`.
    pub descriptor_id: Option<Uuid>,
    /// Seconds that a voucher lives.
    #[serde(default = "Profile::default_life")]
    pub expires_in: u32,
}

impl Profile {
    fn default_life() -> u32 {
        600
    }

    /// A profile with made-up ids.
    #[must_use]
    pub fn invented(issuer: String, audience: Vec<String>) -> Self {
        Self {
            issuer,
            audience,
            client_id: Uuid::new_v4(),
            purpose_id: Uuid::new_v4(),
            consumer_id: Some(Uuid::new_v4()),
            producer_id: Some(Uuid::new_v4()),
            eservice_id: Some(Uuid::new_v4()),
            descriptor_id: Some(Uuid::new_v4()),
            expires_in: Self::default_life(),
        }
    }

    /// Reads the TOML file that [`keygen`] wrote.
    pub fn read(path: &Path) -> Result<Self, IssuerError> {
        let source = config::File::from(path).format(config::FileFormat::Toml);
        Ok(config::Config::builder().add_source(source).build()?.try_deserialize()?)
    }

    /// Takes from the configuration of an e-service whatever it asks of a voucher; what it leaves open stays.
    #[must_use]
    pub fn for_eservice(mut self, eservice: &EService) -> Self {
        let id = |configured: Option<&String>| configured.and_then(|id| Uuid::try_parse(id).ok());
        if let Some(issuer) = eservice.issuer() {
            issuer.clone_into(&mut self.issuer);
        }
        self.audience.clone_from(&eservice.audience);
        self.producer_id = id(eservice.producer_id.as_ref()).or(self.producer_id);
        self.eservice_id = id(eservice.eservice_id.as_ref()).or(self.eservice_id);
        self.descriptor_id = id(eservice.descriptor_ids.first()).or(self.descriptor_id);
        self.consumer_id = id(eservice.consumer_ids.first()).or(self.consumer_id);
        self
    }

    fn toml(&self) -> String {
        use std::fmt::Write as _;

        // A JSON string is a TOML basic string.
        let audience =
            self.audience.iter().map(|entry| json!(entry).to_string()).collect::<Vec<_>>().join(", ");
        let mut text = format!(
            "# What the local issuer writes into its vouchers.\nissuer = {}\naudience = [{audience}]\nclient_id = \
             \"{}\"\npurpose_id = \"{}\"\n",
            json!(self.issuer),
            self.client_id,
            self.purpose_id,
        );
        for (name, id) in [
            ("consumer_id", self.consumer_id),
            ("producer_id", self.producer_id),
            ("eservice_id", self.eservice_id),
            ("descriptor_id", self.descriptor_id),
        ] {
            if let Some(id) = id {
                let _ = writeln!(text, "{name} = \"{id}\"");
            }
        }
        let _ = writeln!(text, "expires_in = {}", self.expires_in);
        text
    }
}

/// Creates a local issuer in `directory`: [`KEY_FILE`] (readable by its owner only), [`JWKS_FILE`] and
/// [`PROFILE_FILE`]. Nothing is overwritten.
pub fn keygen(directory: &Path, profile: &Profile) -> Result<(), IssuerError> {
    let files = [KEY_FILE, JWKS_FILE, PROFILE_FILE].map(|name| directory.join(name));
    if let Some(existing) = files.iter().find(|path| path.exists()) {
        return Err(IssuerError::Exists(existing.clone()));
    }
    let key = Rsa::generate(2048)?;
    let pem = PKey::from_rsa(key.clone())?.private_key_to_pem_pkcs8()?;
    let jwks = json!({ "keys": [jwk(&key)] });
    fs::create_dir_all(directory)
        .map_err(|source| IssuerError::File { path: directory.to_owned(), source })?;
    let [key_file, jwks_file, profile_file] = files;
    write_new(key_file, &pem, 0o600)?;
    write_new(jwks_file, format!("{jwks:#}\n").as_bytes(), 0o644)?;
    write_new(profile_file, profile.toml().as_bytes(), 0o644)
}

fn write_new(path: PathBuf, bytes: &[u8], mode: u32) -> Result<(), IssuerError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
        .open(&path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|source| IssuerError::File { path, source })
}

/// The public key as a JWK, its id being its thumbprint.
fn jwk(key: &Rsa<Private>) -> Value {
    let mut jwk = json!({
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "n": encode(&key.n().to_vec()),
        "e": encode(&key.e().to_vec()),
    });
    let kid = thumbprint(&jwk).map(|(thumbprint, _)| Value::from(thumbprint));
    if let Some(members) = jwk.as_object_mut() {
        members.extend(kid.map(|kid| ("kid".to_owned(), kid)));
    }
    jwk
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs vouchers.
#[derive(Clone, Debug)]
pub struct Signer {
    rs256: RsassaJwsSigner,
    key: Rsa<Private>,
    jwk: Value,
}

impl Signer {
    /// A new key, kept nowhere.
    pub fn generate() -> Result<Self, IssuerError> {
        Self::of(&Rsa::generate(2048)?)
    }

    /// Reads the PEM file of a private RSA key.
    pub fn read(path: &Path) -> Result<Self, IssuerError> {
        Self::from_pem(&fs::read(path).map_err(|source| IssuerError::File { path: path.to_owned(), source })?)
    }

    /// A private RSA key in PEM.
    pub fn from_pem(pem: &[u8]) -> Result<Self, IssuerError> {
        let key = PKey::private_key_from_pem(pem).and_then(|key| key.rsa());
        Self::of(&key.map_err(|error| IssuerError::Key(error.to_string()))?)
    }

    fn of(key: &Rsa<Private>) -> Result<Self, IssuerError> {
        let pem = PKey::from_rsa(key.clone())?.private_key_to_pem_pkcs8()?;
        let rs256 = RS256.signer_from_pem(pem).map_err(|error| IssuerError::Key(error.to_string()))?;
        Ok(Self { rs256, key: key.clone(), jwk: jwk(key) })
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> &Rsa<Private> {
        &self.key
    }

    /// The public key, with its `kid`.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Signs a header and a payload as they are.
    pub fn sign(&self, header: &str, payload: &str) -> Result<String, IssuerError> {
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
        let signature =
            self.rs256.sign(signed.as_bytes()).map_err(|error| IssuerError::Key(error.to_string()))?;
        Ok(format!("{signed}.{}", encode(&signature)))
    }

    /// An honest voucher of `profile`, issued at the present instant, not yet signed.
    #[must_use]
    pub fn draft(&self, profile: &Profile, clock: &Clock) -> Draft {
        let now = clock.now().as_second();
        let header = [
            ("typ", json!("at+jwt")),
            ("alg", json!("RS256")),
            ("use", json!("sig")),
            ("kid", self.jwk.get("kid").cloned().unwrap_or_default()),
        ];
        let claims = [
            ("jti", json!(Uuid::new_v4())),
            ("iss", json!(profile.issuer)),
            ("aud", json!(profile.audience.join(","))),
            ("sub", json!(profile.client_id)),
            ("client_id", json!(profile.client_id)),
            ("iat", json!(now)),
            ("nbf", json!(now)),
            ("exp", json!(now.saturating_add(i64::from(profile.expires_in)))),
            ("purposeId", json!(profile.purpose_id)),
        ];
        let ids = [
            ("producerId", profile.producer_id),
            ("consumerId", profile.consumer_id),
            ("eserviceId", profile.eservice_id),
            ("descriptorId", profile.descriptor_id),
        ];
        let ids = ids.into_iter().filter_map(|(name, id)| Some((name, json!(id?))));
        let owned = |(name, value): (&str, Value)| (name.to_owned(), value);
        Draft {
            header: header.into_iter().map(owned).collect(),
            claims: claims.into_iter().chain(ids).map(owned).collect(),
        }
    }
}

/// A voucher before it is signed, open to any change.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The members of the header.
    pub header: Map<String, Value>,
    /// The claims.
    pub claims: Map<String, Value>,
}

impl Draft {
    /// The voucher.
    pub fn sign(self, signer: &Signer) -> Result<String, IssuerError> {
        signer.sign(&Value::Object(self.header).to_string(), &Value::Object(self.claims).to_string())
    }
}
