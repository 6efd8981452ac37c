//! XML: a SIUSS web-upload file, many people with many benefits, or one flow.

use std::io::{BufReader, Read};

use crate::siuss::element::Element;
use crate::siuss::notice::{Notice, Rule, Severity};
use crate::siuss::rules::Rulebook;
use crate::siuss::xml::{Document, Encoding, Item};

use super::Taken;

pub(super) static SAME_ENTE: Rule = Rule {
    code: "FILE-03",
    severity: Severity::Errore,
    summary: "Il file è dell'ente per il quale si carica",
    source: "Fatti SIUSS, «Who transmits»",
};

/// The records of a file.
pub(super) struct Records<'a, R> {
    document: Document<BufReader<R>>,
    ente: &'a str,
    rulebook: &'a Rulebook,
    ended: bool,
}

impl<'a, R: Read> Records<'a, R> {
    pub(super) fn new(source: R, encoding: Encoding, ente: &'a str, rulebook: &'a Rulebook) -> Self {
        let source = BufReader::with_capacity(64 * 1024, source);
        Self { document: Document::new(source, encoding), ente, rulebook, ended: false }
    }

    /// Why the whole file is refused: it names another ente.
    fn other_ente(&self, identificazione: &Element) -> Option<Notice> {
        let codice = identificazione.child("Ente")?.attribute("Codice")?;
        (codice != self.ente).then(|| {
            Notice::new(
                &SAME_ENTE,
                "Codice",
                codice,
                format!("Il file è dell'ente {codice}, ma si sta caricando per {}.", self.ente),
                "Caricare il file per il suo ente, o correggere Ente/@Codice.",
            )
        })
    }
}

impl<R: Read> Iterator for Records<'_, R> {
    type Item = Taken;

    fn next(&mut self) -> Option<Taken> {
        while !self.ended {
            match self.document.next()? {
                Item::Identificazione(element) => {
                    if let Some(notice) = self.other_ente(&element) {
                        self.ended = true;
                        return Some(Taken::fault(element.line, notice));
                    }
                }
                Item::Record(element) => return Some(Taken::judge(element, Vec::new(), self.rulebook)),
                Item::Fault(notice) => return Some(Taken::fault(notice.line.unwrap_or(1), notice)),
            }
        }
        None
    }
}
