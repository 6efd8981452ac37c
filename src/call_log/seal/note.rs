//! Signed notes (C2SP signed-note): a text, and under it lines that sign it. Ed25519 only.
//!
//! What a text says is not known here.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::sha::sha256;
use openssl::sign::{Signer, Verifier};

/// The byte that says Ed25519, in the id of a key and in a verifier key.
const ED25519: u8 = 1;

/// The most signatures that are looked at in one note; witnesses may add theirs to the log's.
const MOST_SIGNATURES: usize = 16;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not the PEM of an Ed25519 key.
    #[error("{path} is not an Ed25519 key in PEM: `waas-comuni calls keygen` makes one", path = .0.display())]
    Pem(PathBuf),
    /// A text is not a verifier key.
    #[error("{0:?} is neither a file nor a verifier key (name+hash+base64)")]
    Verifier(String),
    /// OpenSSL failed.
    #[error("{0}")]
    Crypto(#[from] ErrorStack),
}

/// A key that signs.
pub struct SigningKey(PKey<Private>);

impl SigningKey {
    /// Reads a private key in PEM.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let key = PKey::private_key_from_pem(&read(path)?).map_err(|_| KeyError::Pem(path.to_owned()))?;
        if key.id() == Id::ED25519 { Ok(Self(key)) } else { Err(KeyError::Pem(path.to_owned())) }
    }

    /// Makes a key and writes it to a file of its owner's alone, which must not exist yet.
    pub fn generate(path: &Path) -> Result<Self, KeyError> {
        let key = PKey::generate_ed25519()?;
        let pem = key.private_key_to_pem_pkcs8()?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(&pem).and_then(|()| file.sync_all()))
            .map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        Ok(Self(key))
    }

    /// The key with which anybody checks what this one signs.
    pub fn public(&self) -> Result<PublicKey, KeyError> {
        let raw = self.0.raw_public_key()?;
        Ok(PublicKey { key: PKey::public_key_from_raw_bytes(&raw, Id::ED25519)?, raw, name: None })
    }

    /// `text`, which ends with a line feed, signed under `name`.
    pub fn sign(&self, name: &str, text: &str) -> Result<String, KeyError> {
        let signature = Signer::new_without_digest(&self.0)?.sign_oneshot_to_vec(text.as_bytes())?;
        let bytes = [&self.public()?.id(name)[..], &signature].concat();
        Ok(format!("{text}\n— {name} {}\n", BASE64_STANDARD.encode(bytes)))
    }
}

/// A key that verifies.
#[derive(Clone, Debug)]
pub struct PublicKey {
    key: PKey<Public>,
    raw: Vec<u8>,
    /// The one name under which it signs, where that is known.
    name: Option<String>,
}

impl PublicKey {
    /// Reads an Ed25519 key in PEM, public or private.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let wrong = || KeyError::Pem(path.to_owned());
        let pem = read(path)?;
        let raw = match PKey::public_key_from_pem(&pem) {
            Ok(key) => key.raw_public_key(),
            Err(_) => PKey::private_key_from_pem(&pem).and_then(|key| key.raw_public_key()),
        };
        let raw = raw.map_err(|_| wrong())?;
        let key = PKey::public_key_from_raw_bytes(&raw, Id::ED25519).map_err(|_| wrong())?;
        Ok(Self { key, raw, name: None })
    }

    /// The key in PEM.
    pub fn pem(&self) -> Result<String, KeyError> {
        Ok(String::from_utf8_lossy(&self.key.public_key_to_pem()?).into_owned())
    }

    /// The key in the form that C2SP's tools take, for what it signs under `name`.
    #[must_use]
    pub fn verifier_key(&self, name: &str) -> String {
        let id = u32::from_be_bytes(self.id(name));
        let bytes = [&[ED25519][..], &self.raw].concat();
        format!("{name}+{id:08x}+{}", BASE64_STANDARD.encode(bytes))
    }

    fn id(&self, name: &str) -> [u8; 4] {
        let [one, two, three, four, ..] = sha256(&[name.as_bytes(), b"\n", &[ED25519], &self.raw].concat());
        [one, two, three, four]
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        Verifier::new_without_digest(&self.key)
            .and_then(|mut verifier| verifier.verify_oneshot(signature, text.as_bytes()))
            .unwrap_or(false)
    }
}

/// A file with a key in PEM, or a verifier key itself.
impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if Path::new(text).exists() {
            return Self::read(Path::new(text));
        }
        let wrong = || KeyError::Verifier(text.to_owned());
        // Base64 may hold a '+', a name may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let bytes = BASE64_STANDARD.decode(base64).map_err(|_| wrong())?;
        let Some((&ED25519, raw)) = bytes.split_first() else { return Err(wrong()) };
        let key = PKey::public_key_from_raw_bytes(raw, Id::ED25519).map_err(|_| wrong())?;
        let key = Self { key, raw: raw.to_vec(), name: Some(name.to_owned()) };
        if id == format!("{:08x}", u32::from_be_bytes(key.id(name))) { Ok(key) } else { Err(wrong()) }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    fs::read(path).map_err(|source| KeyError::File { path: path.to_owned(), source })
}

/// Whether a note may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// One of the keys signed it.
    Signed,
    /// None of the keys signed it.
    Unknown,
    /// A signature that claims to be of one of the keys is not.
    Forged,
}

/// A text with signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The text, with its last line feed.
    pub text: String,
    /// Names, with the id of a key and its signature.
    signatures: Vec<(String, Vec<u8>)>,
}

impl Note {
    /// Reads a note; none if it is not one.
    #[must_use]
    pub fn read(note: &str) -> Option<Self> {
        let (text, signatures) = note.rsplit_once("\n\n")?;
        let signatures: Option<Vec<_>> = signatures
            .strip_suffix('\n')?
            .split('\n')
            .map(|line| {
                let (name, base64) = line.strip_prefix("— ")?.split_once(' ')?;
                Some((name.to_owned(), BASE64_STANDARD.decode(base64).ok()?))
            })
            .collect();
        let signatures = signatures.filter(|signatures| signatures.len() <= MOST_SIGNATURES)?;
        Some(Self { text: format!("{text}\n"), signatures })
    }

    /// Whether one of `keys` signed it under `name`.
    #[must_use]
    pub fn trust(&self, keys: &[PublicKey], name: &str) -> Trust {
        let mut trust = Trust::Unknown;
        for (signer, bytes) in &self.signatures {
            let Some((id, signature)) = bytes.split_at_checked(4) else { continue };
            let named = |key: &&PublicKey| key.name.as_deref().is_none_or(|own| own == name);
            let known = keys.iter().filter(named).find(|key| signer == name && key.id(name) == id);
            match known {
                Some(key) if key.verifies(&self.text, signature) => trust = Trust::Signed,
                Some(_) => return Trust::Forged,
                None => {}
            }
        }
        trust
    }
}
