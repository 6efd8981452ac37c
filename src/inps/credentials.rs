//! The vouchers that the calls carry: one from a file, or fresh ones of a local issuer.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::InpsError;
use crate::clock::Clock;
use crate::voucher::issuer::{IssuerError, Profile, Signer};

/// Seconds before its end at which a voucher is replaced, unless it lives for less than twice as long.
const MARGIN: i64 = 30;

/// Where vouchers come from.
#[derive(Debug)]
pub enum Credentials {
    /// Nowhere: the calls carry none.
    None,
    /// One voucher, which PDND issued.
    Voucher(SecretString),
    /// A local issuer, which mints one whenever it is needed.
    Issuer(Box<(Signer, Profile)>),
}

impl Credentials {
    /// The voucher in a file.
    pub fn from_token_file(path: &Path) -> Result<Self, InpsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| InpsError::File { path: path.to_owned(), source })?;
        let token = text.trim();
        Ok(Self::Voucher(token.strip_prefix("Bearer ").unwrap_or(token).trim_start().to_owned().into()))
    }

    /// The issuer with this key and profile.
    pub fn from_issuer(key: &Path, profile: &Path) -> Result<Self, InpsError> {
        Ok(Self::Issuer(Box::new((Signer::read(key)?, Profile::read(profile)?))))
    }
}

/// Hands out vouchers.
pub(super) struct Wallet<'a> {
    credentials: &'a Credentials,
    clock: &'a Clock,
    /// The last one minted, and the second of the epoch at which it is to be replaced.
    minted: Option<(String, i64)>,
}

impl<'a> Wallet<'a> {
    pub(super) fn new(credentials: &'a Credentials, clock: &'a Clock) -> Self {
        Self { credentials, clock, minted: None }
    }

    /// A voucher that is valid now.
    pub(super) fn voucher(&mut self) -> Result<Option<String>, IssuerError> {
        let (signer, profile) = match self.credentials {
            Credentials::None => return Ok(None),
            Credentials::Voucher(token) => return Ok(Some(token.expose_secret().to_owned())),
            Credentials::Issuer(issuer) => &**issuer,
        };
        let now = self.clock.now().as_second();
        if let Some((token, replace_at)) = &self.minted
            && now < *replace_at
        {
            return Ok(Some(token.clone()));
        }
        let token = signer.draft(profile, self.clock).sign(signer)?;
        let life = i64::from(profile.expires_in);
        self.minted = Some((token.clone(), now.saturating_add(life - MARGIN.min(life / 2))));
        Ok(Some(token))
    }

    /// A voucher that is valid but for its signature.
    pub(super) fn forged(&mut self) -> Result<Option<String>, IssuerError> {
        Ok(self.voucher()?.and_then(|token| {
            let (signed, signature) = token.rsplit_once('.')?;
            let mut rest = signature.chars();
            // The first character carries six bits that count; the last may carry padding only.
            let other = if rest.next()? == 'A' { 'B' } else { 'A' };
            Some(format!("{signed}.{other}{}", rest.as_str()))
        }))
    }
}
