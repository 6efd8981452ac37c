//! The pseudonym of a child in care, made of the fiscal code with a secret key, so that staff need not invent codes and
//! nobody without the key can turn a code back or try fiscal codes against it.
//!
//! A pseudonym is the first 80 bits of HMAC-SHA-256 under the ente's key, four bits a letter: 20 letters, all that the
//! schema has room for. Among 10,000 children two share one with a probability of 4 in 10^17, among a million 4 in
//! 10^13. The sixteen letters are those that stand for no digit in a fiscal code, so that no pseudonym has its shape.
//!
//! The fiscal code is forgotten where it is read: no record, report or log repeats it. The same code under the same key
//! gives the same pseudonym for ever; under another key, another child.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretString};

use super::codice_fiscale::{check_character_is_right, has_shape, is_provisional};
use super::element::Element;
use super::notice::{Notice, Rule, Severity};
use super::values::{CodiceFiscale, Value};

/// The column or attribute of a source that gives a child's fiscal code in place of `IDBeneficiario`.
pub const SOURCE: &str = "CodiceFiscaleMinore";

/// Characters of the shortest key: as many bits as the digest, if each carries eight.
pub const SHORTEST_KEY: usize = 32;

const ALPHABET: &[u8; 16] = b"ABCDEFGHIJKOWXYZ";

pub(super) static DERIVED: Rule = Rule {
    code: "SINBA-09",
    severity: Severity::Errore,
    summary: "CodiceFiscaleMinore, da cui si ricava IDBeneficiario, è un codice fiscale giusto, è solo, e l'ente ha \
              configurato la sua chiave",
    source: "Prodotto",
};

/// The ente's key.
#[derive(Clone, Debug)]
pub struct Key(SecretString);

impl Key {
    /// A key of this text; `None` if it is too short to be one.
    #[must_use]
    pub fn new(text: SecretString) -> Option<Self> {
        (text.expose_secret().len() >= SHORTEST_KEY).then_some(Self(text))
    }

    /// The pseudonym of the person with this fiscal code; `None` if the cryptographic library fails.
    #[must_use]
    pub fn pseudonym(&self, code: &CodiceFiscale) -> Option<String> {
        let key = PKey::hmac(self.0.expose_secret().as_bytes()).ok()?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key).ok()?;
        let digest = signer.sign_oneshot_to_vec(code.as_str().as_bytes()).ok()?;
        let letter = |bits: u8| ALPHABET.get(usize::from(bits)).copied().map(char::from);
        digest.iter().take(10).flat_map(|byte| [byte >> 4, byte & 15]).map(letter).collect()
    }
}

/// Puts `IDBeneficiario` in the place of the fiscal code that `record` gives, if it gives one.
pub fn replace(record: &mut Element, key: Option<&Key>) -> Result<(), Box<Notice>> {
    let Some(text) = record.attribute(SOURCE).filter(|_| record.name == "SINBA").map(str::to_owned) else {
        return Ok(());
    };
    record.set_attribute(SOURCE, None);
    if record.attribute("IDBeneficiario").is_some() {
        return Err(refusal(
            "Ci sono sia IDBeneficiario sia CodiceFiscaleMinore.",
            "Tenere uno dei due: IDBeneficiario, o il codice fiscale da cui ricavarlo.",
        ));
    }
    let Some(key) = key else { return Err(without_key()) };
    let code: Option<CodiceFiscale> = Value::read(text.trim());
    let code = code.filter(|code| {
        (is_provisional(code) || has_shape(code.as_str().as_bytes())) && check_character_is_right(code)
    });
    let Some(code) = code else {
        return Err(refusal(
            "CodiceFiscaleMinore non è un codice fiscale giusto: con una lettera sbagliata il minore diventerebbe un \
             altro.",
            "Correggerlo sulla tessera sanitaria o sull'anagrafe.",
        ));
    };
    let pseudonym = key.pseudonym(&code).ok_or_else(|| {
        refusal(
            "IDBeneficiario non si è potuto ricavare.",
            "Ripetere il caricamento, o avvisare chi gestisce il sistema.",
        )
    })?;
    record.set_attribute("IDBeneficiario", Some(pseudonym));
    Ok(())
}

/// What is said of a source whose fiscal codes cannot become pseudonyms.
#[must_use]
pub fn without_key() -> Box<Notice> {
    refusal(
        "IDBeneficiario non si può ricavare da un codice fiscale: manca la chiave dell'ente.",
        "Scrivere IDBeneficiario, o chiedere a chi gestisce il sistema di configurare sinba.pseudonym_key_file.",
    )
}

/// A refusal that does not repeat the fiscal code.
fn refusal(message: &str, remedy: &str) -> Box<Notice> {
    Box::new(Notice::new(&DERIVED, SOURCE, "", message, remedy))
}
