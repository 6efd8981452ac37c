//! A record, and what it is known by: worked out once, wherever the record goes.

use std::ops::Deref;

use openssl::sha::Sha256;

use super::record::Record;

/// The first half of a SHA-256: enough that two texts never share it by accident, in half the room of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// That of `text`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        // In steps: in one, OpenSSL looks the algorithm up by its name each time, which takes longer than the hash.
        let mut hash = Sha256::new();
        hash.update(text.as_bytes());
        let mut half = [0; 16];
        for (target, byte) in half.iter_mut().zip(hash.finish()) {
            *target = byte;
        }
        Self(half)
    }

    /// The one that these bytes are; none if they are too many or too few.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A record with what identifies it and all that it says.
#[derive(Clone, Debug)]
pub struct Described {
    record: Record,
    key: Fingerprint,
    digest: Fingerprint,
    text: String,
    continues: bool,
}

impl Described {
    /// What makes it this benefit and no other: the fingerprint of [`Record::identity`].
    #[must_use]
    pub fn key(&self) -> Fingerprint {
        self.key
    }

    /// What tells whether it changed: the fingerprint of [`Record::content`].
    #[must_use]
    pub fn digest(&self) -> Fingerprint {
        self.digest
    }

    /// What it says: [`Record::content`].
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it and the record before it are parts of one record of the source, which is taken whole or not at all.
    #[must_use]
    pub fn continues(&self) -> bool {
        self.continues
    }

    /// The same, as a further part of the record before it.
    #[must_use]
    pub fn continuing(self) -> Self {
        Self { continues: true, ..self }
    }

    /// The record alone.
    #[must_use]
    pub fn into_record(self) -> Record {
        self.record
    }
}

impl From<Record> for Described {
    fn from(record: Record) -> Self {
        let text = record.content();
        Self {
            key: Fingerprint::of(&record.identity()),
            digest: Fingerprint::of(&text),
            text,
            record,
            continues: false,
        }
    }
}

impl Deref for Described {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}
