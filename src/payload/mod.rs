//! What is stored of a flow's XML: a number that says how it is written, and bytes. Pure: no database here.
//!
//! Flows resemble each other: compressed with a dictionary that knows what they have in common, only what is a flow's
//! own takes room. Every dictionary that a payload was ever written with stays in the program, as its number stays its
//! own, because payloads are kept as they were written. `benches/payload` makes and measures dictionaries.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::sync::LazyLock;

use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::get_frame_content_size;

/// The number of plain XML.
pub const PLAIN: i16 = 1;

/// The number of XML compressed by zstd with the first dictionary.
pub const ZSTD_1: i16 = 2;

/// The largest document that is compressed, in bytes: a larger one is stored as it is, and a payload that claims to
/// hold one is not read. The largest record that is read has 1 MiB.
pub const LARGEST: usize = 4 * 1024 * 1024;

static DICTIONARY_1: &[u8] = include_bytes!("dictionary-1.zstd");

/// Higher levels take a tenth off and cost four times as much, which an import waits for.
const LEVEL: i32 = 3;

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY_1, LEVEL));
static DECODER_1: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY_1));

thread_local! {
    /// Making them costs more than using them, and some 100 KiB for a thread that reads.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR_1: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// A payload as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed<'a> {
    /// How it is written: [`PLAIN`] or [`ZSTD_1`].
    pub format: i16,
    /// What is written.
    pub bytes: Cow<'a, [u8]>,
}

impl Packed<'_> {
    /// How long the document is, in bytes.
    pub fn length(&self) -> Result<usize, PayloadError> {
        match self.format {
            PLAIN => Ok(self.bytes.len()),
            ZSTD_1 => length(&self.bytes),
            other => Err(PayloadError::Format(other)),
        }
    }

    /// Writes the document into `document`, in place of what is there: whoever reads many asks for memory once.
    pub fn unpack_into(&self, document: &mut Vec<u8>) -> Result<(), PayloadError> {
        document.clear();
        match self.format {
            PLAIN => document.extend_from_slice(&self.bytes),
            ZSTD_1 => decompress(&self.bytes, document)?,
            other => return Err(PayloadError::Format(other)),
        }
        Ok(())
    }
}

/// Why a payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// A newer version of this program wrote it, or nobody.
    #[error("a payload of the unknown format {0}")]
    Format(i16),
    /// It does not say how large the document is, or claims more than [`LARGEST`].
    #[error("a compressed payload of unknown or excessive size")]
    Size,
    /// It is not what was written.
    #[error("a damaged payload: {0}")]
    Damaged(#[from] io::Error),
}

/// The smallest of the forms in which `xml` can be stored.
#[must_use]
pub fn pack(xml: &[u8]) -> Packed<'_> {
    match compressed(xml) {
        Ok(Some(bytes)) if bytes.len() < xml.len() => Packed { format: ZSTD_1, bytes: bytes.into() },
        _ => Packed { format: PLAIN, bytes: xml.into() },
    }
}

/// The document in a payload of this format.
pub fn unpack(format: i16, bytes: Vec<u8>) -> Result<Vec<u8>, PayloadError> {
    match format {
        PLAIN => Ok(bytes),
        ZSTD_1 => {
            let mut document = Vec::new();
            decompress(&bytes, &mut document)?;
            Ok(document)
        }
        other => Err(PayloadError::Format(other)),
    }
}

/// `xml`, compressed; none if it is too large.
fn compressed(xml: &[u8]) -> io::Result<Option<Vec<u8>>> {
    if xml.len() > LARGEST {
        return Ok(None);
    }
    COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(compressor()?),
        };
        compressor.compress(xml).map(Some)
    })
}

fn compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::with_prepared_dictionary(&ENCODER)?;
    compressor.include_checksum(true)?;
    // The format's number says it already.
    compressor.include_dictid(false)?;
    Ok(compressor)
}

fn length(compressed: &[u8]) -> Result<usize, PayloadError> {
    let size = get_frame_content_size(compressed).ok().flatten().and_then(|size| usize::try_from(size).ok());
    size.filter(|size| *size <= LARGEST).ok_or(PayloadError::Size)
}

/// Writes what was compressed into `document`, which is empty.
fn decompress(compressed: &[u8], document: &mut Vec<u8>) -> Result<(), PayloadError> {
    document.reserve_exact(length(compressed)?);
    DECOMPRESSOR_1.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::with_prepared_dictionary(&DECODER_1)?),
        };
        decompressor.decompress_to_buffer(compressed, document)?;
        Ok(())
    })
}
