//! Passwords: argon2id, with the parameters that OWASP recommends (19 MiB, two passes, one lane).

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use secrecy::{ExposeSecret, SecretString};

/// The shortest password, in characters.
pub const SHORTEST: usize = 12;
/// The longest password, in bytes: a bound on what is hashed.
pub const LONGEST: usize = 256;

/// Why a password cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Shorter than [`SHORTEST`].
    #[error("shorter than {SHORTEST} characters")]
    TooShort,
    /// Longer than [`LONGEST`].
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    /// It is little more than the name, or one character over and over.
    #[error("easy to guess: the name, or few characters repeated")]
    Guessable,
}

/// Why no hash could be made.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// OpenSSL gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] ErrorStack),
    /// Argon2 could not run.
    #[error("argon2: {0}")]
    Argon2(argon2::password_hash::Error),
}

/// Whether `password` is good enough for the account `name`.
pub fn judge(name: &str, password: &SecretString) -> Result<(), Weakness> {
    const FEWEST_DIFFERENT: usize = 5;
    let password = password.expose_secret();
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    let lower = password.to_lowercase();
    if password.chars().count() < SHORTEST {
        Err(Weakness::TooShort)
    } else if password.len() > LONGEST {
        Err(Weakness::TooLong)
    } else if different.len() < FEWEST_DIFFERENT || lower.replace(name, "").chars().count() < SHORTEST / 2 {
        Err(Weakness::Guessable)
    } else {
        Ok(())
    }
}

/// A fresh password of 100 random bits, easy to read aloud and to type.
pub fn generate() -> Result<SecretString, ErrorStack> {
    const LETTERS: [u8; 32] = *b"abcdefghijkmnopqrstuvwxyz2345679";
    let mut random = [0; 20];
    rand_bytes(&mut random)?;
    let mut password = String::new();
    for (place, byte) in random.into_iter().enumerate() {
        if place > 0 && place % 5 == 0 {
            password.push('-');
        }
        password.extend(LETTERS.get(usize::from(byte) % LETTERS.len()).copied().map(char::from));
    }
    Ok(password.into())
}

/// The hash of `password`, with a salt of its own. Takes tens of milliseconds and 19 MiB.
pub fn hash(password: &SecretString) -> Result<String, PasswordError> {
    let mut salt = [0; 16];
    rand_bytes(&mut salt)?;
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map_err(PasswordError::Argon2)?;
    Ok(hash.to_string())
}

/// Whether `hash` is one of `password`. Takes as long as [`hash`].
#[must_use]
pub fn verify(password: &SecretString, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
}
