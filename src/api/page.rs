//! A page of flows: what is said of it, and its body as the contract has it.

use actix_web::http::header::EntityTag;
use actix_web::web::Bytes;
use base64::Engine;
use jiff::Timestamp;

use crate::call_log::Disclosed;
use crate::payload::PayloadError;
use crate::registry::PackedFlusso;
use crate::store::StoreError;

/// The flows after a cursor.
pub(super) struct Page {
    /// How many they are.
    pub(super) count: u32,
    /// Which; none of an empty page.
    pub(super) disclosed: Option<Disclosed>,
    /// The cursor of what comes after them.
    pub(super) next: Option<u128>,
    content: Content,
}

enum Content {
    Flussi(Vec<PackedFlusso>),
    Body(Bytes),
}

impl Page {
    /// The page of these flows.
    pub(super) fn of(flussi: Vec<PackedFlusso>) -> Self {
        let names = flussi.iter().map(|flusso| flusso.id_flusso.as_str());
        let disclosed = match (flussi.first(), flussi.last()) {
            (Some(first), Some(last)) => Some(Disclosed::new(first.ts_ms, last.ts_ms, names)),
            _ => None,
        };
        let count = u32::try_from(flussi.len()).unwrap_or(u32::MAX);
        let next = flussi.last().and_then(|last| u128::try_from(last.ts_ms).ok());
        Self { count, disclosed, next, content: Content::Flussi(flussi) }
    }

    /// The same page, whose body is written.
    pub(super) fn written(flussi: Vec<PackedFlusso>) -> Result<Self, StoreError> {
        let content = Content::Body(body(&flussi)?.into());
        Ok(Self { content, ..Self::of(flussi) })
    }

    /// What a page of as many flows as were asked for is called. It never grows. It changes only if content in it is
    /// dropped, and then the names in it do.
    pub(super) fn tag(&self, limit: u32) -> Option<EntityTag> {
        let disclosed = self.disclosed.as_ref().filter(|_| self.count == limit)?;
        Some(EntityTag::new_weak(disclosed.tag()))
    }

    /// Its body. Fails if a document cannot be read.
    pub(super) fn into_body(self) -> Result<Bytes, StoreError> {
        match self.content {
            Content::Flussi(flussi) => Ok(body(&flussi)?.into()),
            Content::Body(body) => Ok(body),
        }
    }

    /// How long its body is, where it is written.
    pub(super) fn written_length(&self) -> usize {
        match &self.content {
            Content::Flussi(_) => 0,
            Content::Body(body) => body.len(),
        }
    }
}

/// A page, as the contract has it. Most of it is base64, which needs no escaping: it is encoded where it stands. One
/// document after the other is unpacked into the same memory, which the processor has at hand.
fn body(page: &[PackedFlusso]) -> Result<Vec<u8>, PayloadError> {
    const AROUND: usize = 256;
    let mut length = AROUND;
    for flusso in page {
        length += AROUND + encoded_length(flusso.payload.length()?);
    }
    let (mut body, mut xml, base64) = (Vec::with_capacity(length), Vec::new(), base64());
    body.extend_from_slice(br#"{"elenco_flussi":["#);
    for (index, flusso) in page.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        member(&mut body, br#"{"codice_ente":"#, &flusso.codice_ente);
        member(&mut body, br#","denominazione_ente":"#, &flusso.denominazione_ente);
        member(&mut body, br#","id_flusso":"#, &flusso.id_flusso);
        member(&mut body, br#","ts_flusso":"#, &timestamp(flusso.ts_ms));
        member(&mut body, br#","tipo":"#, flusso.tipo.as_str());
        body.extend_from_slice(br#","flusso":""#);
        flusso.payload.unpack_into(&mut xml)?;
        let start = body.len();
        body.resize(start + encoded_length(xml.len()), 0);
        // The room is what it needs.
        let _ = base64.encode_slice(&xml, body.get_mut(start..).unwrap_or_default());
        body.extend_from_slice(br#""}"#);
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}

/// Base64 by the vectors that the processor has.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn base64() -> impl Engine {
    base64::engine::Simd::standard(base64::engine::general_purpose::PAD)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn base64() -> impl Engine {
    base64::prelude::BASE64_STANDARD
}

/// How long base64 of so many bytes is.
fn encoded_length(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

fn member(body: &mut Vec<u8>, name: &[u8], text: &str) {
    body.extend_from_slice(name);
    // A string always serialises, and memory always takes it.
    let _ = serde_json::to_writer(body, text);
}

/// Milliseconds since the epoch as `2023-11-27T11:04:56.852Z`: always three decimals, so that the way back is exact.
pub(super) fn timestamp(millis: i64) -> String {
    let instant = Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{instant:.3}")
}
