//! Which encoding a file is in, and its text as UTF-8.
//!
//! Facts of SIUSS, "The CSV layout": CSV is UTF-8 or Windows-1252, which is detected; XML is UTF-8, UTF-16 with a
//! byte-order mark, ISO-8859-1 or Windows-1252, as it declares.

use std::io::{self, Read, Seek};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::xml;

pub(super) static ENCODED: Rule = Rule {
    code: "FILE-02",
    severity: Severity::Errore,
    summary: "Il file è in una codifica ammessa, una sola dall'inizio alla fine",
    source: "Fatti SIUSS, «The CSV layout»",
};

const CHUNK: usize = 64 * 1024;

/// What files that are not text begin with, and what they are.
const NOT_TEXT: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "una cartella di Excel o LibreOffice, o un archivio ZIP"),
    (b"\xD0\xCF\x11\xE0", "una cartella di Excel"),
    (b"\x1F\x8B", "un archivio gzip"),
    (b"%PDF-", "un PDF"),
];

/// What vowels with an accent are in code page 850 and in Mac OS Roman, and hardly ever anything in Windows-1252. Not
/// here is what is a letter of a name, a quotation mark, a dash or the euro there.
const NOT_WINDOWS_1252: [u8; 13] =
    [0x81, 0x82, 0x83, 0x87, 0x88, 0x89, 0x8B, 0x8D, 0x8F, 0x90, 0x95, 0x98, 0x9D];

/// The first bytes of a file, which is left at its beginning.
fn beginning(file: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start)
}

/// What is said of a file that begins as no text does.
fn not_text(start: &[u8]) -> Option<Notice> {
    let told = |message, remedy| Some(Notice::new(&ENCODED, "file", "", message, remedy));
    if let Some((_, what)) = NOT_TEXT.iter().find(|(magic, _)| start.starts_with(magic)) {
        let remedy = "Salvarlo dal programma di origine come CSV UTF-8, o come XML, e caricare quello.";
        return told(format!("Il file non è un testo: è {what}."), remedy.to_owned());
    }
    if matches!(start, [0, ..] | [_, 0, ..]) {
        let message = "Il file è in UTF-16 senza BOM, o non è un testo.";
        return told(message.to_owned(), "Salvarlo di nuovo in UTF-8.".to_owned());
    }
    None
}

/// The encoding of a CSV file, by reading it once from end to end: a letter with an accent may be in its last line.
///
/// Leaves the file at its beginning.
pub(super) fn csv_encoding(
    file: &mut (impl Read + Seek),
) -> io::Result<Result<&'static Encoding, Vec<Notice>>> {
    let start = beginning(file)?;
    if start.starts_with(b"\xFF\xFE") || start.starts_with(b"\xFE\xFF") {
        return Ok(Err(vec![utf16_csv()]));
    }
    if let Some(notice) = not_text(&start) {
        return Ok(Err(vec![notice]));
    }
    let mut chunk = vec![0; CHUNK];
    let mut pending = Vec::new();
    let mut lines: u64 = 1;
    let (mut accents, mut broken) = (0_u64, 0_u64);
    let mut first_broken = None;
    let (mut foreign, mut familiar) = (0_u64, 0_u64);
    loop {
        let count = file.read(&mut chunk)?;
        pending.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let last = count == 0;
        let mut rest = 0;
        for part in pending.utf8_chunks() {
            let letters = part.valid().bytes().filter(|byte| *byte >= 0xC0).count();
            accents += u64::try_from(letters).unwrap_or(0);
            lines += u64::try_from(memchr::memchr_iter(b'\n', part.valid().as_bytes()).count()).unwrap_or(0);
            // A sequence that the chunk cuts is not broken: it is looked at again with what follows.
            let cut = !last && part.invalid().len() < 4 && pending.ends_with(part.invalid());
            if cut && !part.invalid().is_empty() {
                rest = part.invalid().len();
            } else if !part.invalid().is_empty() {
                broken += 1;
                first_broken = first_broken.or(Some(lines));
                foreign += u64::from(part.invalid().iter().any(|byte| NOT_WINDOWS_1252.contains(byte)));
                familiar += u64::from(part.invalid().iter().any(|byte| *byte >= 0xC0));
            }
        }
        if last {
            break;
        }
        pending.drain(..pending.len().saturating_sub(rest));
    }
    file.rewind()?;
    Ok(match first_broken {
        None => Ok(UTF_8),
        // Windows-1252 hardly ever has a sequence that is also UTF-8: many of them, or a byte-order mark, mean a file in
        // UTF-8 that is damaged.
        Some(line) if accents > broken || start.starts_with(b"\xEF\xBB\xBF") => Err(vec![damaged(line)]),
        Some(line) if foreign > familiar => Err(vec![of_another_system(line)]),
        Some(_) => Ok(WINDOWS_1252),
    })
}

fn utf16_csv() -> Notice {
    Notice::new(
        &ENCODED,
        "file",
        "UTF-16",
        "Il file CSV è in UTF-16, che non è ammesso.",
        "Salvarlo di nuovo come CSV in UTF-8.",
    )
}

fn of_another_system(line: u64) -> Notice {
    let message = format!(
        "Il file non è in UTF-8, e in Windows-1252 le sue lettere accentate sarebbero altri segni (la prima alla riga \
         {line}): viene da MS-DOS o da un Macintosh."
    );
    wrong_letter(line, message, "Salvare di nuovo il file come CSV in UTF-8.")
}

fn damaged(line: u64) -> Notice {
    let message = format!("Il file è in UTF-8, ma alla riga {line} ha un carattere rovinato.");
    let remedy = "Correggere il carattere, o salvare di nuovo il file in UTF-8 dal programma di origine.";
    wrong_letter(line, message, remedy)
}

fn wrong_letter(line: u64, message: String, remedy: &str) -> Notice {
    Notice { line: Some(line), ..Notice::new(&ENCODED, "file", "", message, remedy) }
}

/// The encoding of an XML file, and what its parser may find declared. Leaves the file at its beginning.
pub(super) fn xml_encoding(
    file: &mut (impl Read + Seek),
) -> io::Result<Result<(&'static Encoding, xml::Encoding), Vec<Notice>>> {
    let start = beginning(file)?;
    if start.starts_with(b"\xFF\xFE") {
        return Ok(Ok((UTF_16LE, xml::Encoding::Converted)));
    }
    if start.starts_with(b"\xFE\xFF") {
        return Ok(Ok((UTF_16BE, xml::Encoding::Converted)));
    }
    if let Some(notice) = not_text(&start) {
        return Ok(Err(vec![notice]));
    }
    Ok(match declared(&start).map(|name| name.to_ascii_lowercase()).as_deref() {
        None | Some("utf-8") => Ok((UTF_8, xml::Encoding::Utf8)),
        Some("iso-8859-1" | "windows-1252") => Ok((WINDOWS_1252, xml::Encoding::Converted)),
        Some(name) => Err(vec![unsupported(name)]),
    })
}

fn unsupported(name: &str) -> Notice {
    let remedy = "Salvare il file in UTF-8, UTF-16 con BOM, ISO-8859-1 o Windows-1252, e dichiararlo così.";
    Notice::new(&ENCODED, "encoding", name, format!("La codifica {name} non è ammessa."), remedy)
}

/// The encoding that an XML declaration names.
fn declared(start: &[u8]) -> Option<String> {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    let text = String::from_utf8_lossy(start.strip_prefix(b"<?xml")?).into_owned();
    let (declaration, _) = text.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value.strip_prefix(quote)?.split_once(quote).map(|(name, _)| name.to_owned())
}

/// The text of a source as UTF-8, without byte-order mark; a malformed sequence is an error.
pub(super) struct Decoded<R> {
    source: R,
    decoder: Decoder,
    raw: Vec<u8>,
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(source: R, encoding: &'static Encoding) -> Self {
        Self {
            source,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: Vec::new(),
            text: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Decodes the next chunk of the source.
    fn refill(&mut self) -> io::Result<()> {
        self.raw.resize(CHUNK, 0);
        let count = self.source.read(&mut self.raw)?;
        self.ended = count == 0;
        self.given = 0;
        let raw = self.raw.get(..count).unwrap_or_default();
        let room = self
            .decoder
            .max_utf8_buffer_length_without_replacement(count)
            .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        self.text.resize(room, 0);
        let (result, _, written) =
            self.decoder.decode_to_utf8_without_replacement(raw, &mut self.text, self.ended);
        self.text.truncate(written);
        match result {
            DecoderResult::InputEmpty => Ok(()),
            DecoderResult::OutputFull | DecoderResult::Malformed(..) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "malformed text"))
            }
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.refill()?;
        }
        let count = self.text.get(self.given..).unwrap_or_default().read(out)?;
        self.given += count;
        Ok(count)
    }
}
