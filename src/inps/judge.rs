//! The flows of a run, judged one by one. Nothing of a flow is kept but a fingerprint of its id.

use std::collections::{BTreeMap, HashSet};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use regex::Regex;
use serde_json::Value;

use super::check::{Check, Tally, printable};
use super::entry::{Entry, fingerprint, instant, kind_in_id};
use super::report::{Flows, Warning};
use crate::siuss::notice::Severity;
use crate::siuss::record::{Record, TipoFlusso, TipoOperazione};
use crate::siuss::rules::Rulebook;
use crate::siuss::xml;

pub(super) struct Judge<'a> {
    codice_ente: &'a Regex,
    rulebook: Rulebook,
    seen: HashSet<u128>,
    /// The latest instant so far, in milliseconds since the epoch; before the first flow, the cursor.
    latest: u64,
    pub(super) flows: Flows,
    pub(super) warnings: BTreeMap<&'static str, Warning>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(codice_ente: &'a Regex, since: u64) -> Self {
        Self {
            codice_ente,
            rulebook: Rulebook::shipped(),
            seen: HashSet::new(),
            latest: since,
            flows: Flows::default(),
            warnings: BTreeMap::new(),
        }
    }

    /// Judges an entry that stands at `place`. Gives its instant in milliseconds since the epoch, for the cursor.
    pub(super) fn entry(&mut self, entry: &Value, place: &str, tally: &mut Tally) -> Option<u64> {
        let entry = Entry::read(entry);
        let label = entry.id_flusso.map_or_else(|| place.to_owned(), printable);
        tally.judge(Check::Members, entry.fault.is_none(), || {
            format!("{label}: {}", entry.fault.as_deref().unwrap_or_default())
        });
        if let Some(codice) = entry.codice_ente {
            tally.judge(Check::CodiceEnte, self.codice_ente.is_match(codice), || {
                format!("{label}: {:?}", printable(codice))
            });
        }
        if let Some(id) = entry.id_flusso {
            tally.judge(Check::IdForm, kind_in_id(id).is_some(), || label.clone());
            tally.judge(Check::IdUnique, self.seen.insert(fingerprint(id)), || label.clone());
        }
        let millis = entry.ts_flusso.and_then(|text| self.instant(text, &label, tally));
        self.flows.total += 1;
        match self.document(&entry, &label, tally) {
            Some(record) => self.flows.count(&record),
            None => self.flows.unreadable += 1,
        }
        millis
    }

    fn instant(&mut self, text: &str, label: &str, tally: &mut Tally) -> Option<u64> {
        let (instant, exact) = instant(text);
        tally.judge(Check::TsFormat, exact, || format!("{label}: {:?}", printable(text)));
        // Before 1970 nothing is later than a cursor.
        let millis = u64::try_from(instant?.as_millisecond()).unwrap_or(0);
        tally.judge(Check::TsOrder, millis > self.latest, || {
            format!("{label}: {} is not later than {}", printable(text), super::report::written(self.latest))
        });
        self.latest = self.latest.max(millis);
        self.flows.first_ts.get_or_insert(millis);
        self.flows.last_ts = Some(millis);
        Some(millis)
    }

    /// Judges the document, and gives the record in it.
    fn document(&mut self, entry: &Entry<'_>, label: &str, tally: &mut Tally) -> Option<Record> {
        let decoded = BASE64_STANDARD.decode(entry.flusso?);
        tally.judge(Check::Base64, decoded.is_ok(), || label.to_owned());
        let flusso = xml::read(&decoded.ok()?);
        tally.judge(Check::Schema, flusso.is_ok(), || {
            // The rule and the place: the message could repeat the value.
            let notice = flusso.as_ref().err().and_then(|notices| notices.first());
            let (rule, field) = notice.map_or(("", ""), |notice| (notice.rule.code, &notice.field));
            format!("{label}: rule {rule} at {}", printable(field))
        });
        let flusso = flusso.ok()?;
        if let Some(id) = entry.id_flusso {
            let nome = flusso.nome.as_str();
            tally.judge(Check::Nome, nome == id, || format!("{label}: Nome is {:?}", printable(nome)));
        }
        if let Some(codice_ente) = entry.codice_ente {
            let codice = flusso.ente.codice.as_str();
            tally.judge(Check::Ente, codice == codice_ente, || {
                format!("{label}: Codice is {:?}", printable(codice))
            });
        }
        let tipo = flusso.record.tipo();
        let kind = entry.id_flusso.and_then(kind_in_id);
        let agree = entry.tipo == Some(tipo.as_str()) && kind.is_none_or(|kind| kind == tipo.sigla());
        tally.judge(Check::Tipo, agree, || {
            let said = entry.tipo.map_or_else(|| "nothing".to_owned(), printable);
            format!("{label}: tipo says {said}, the document is {}", tipo.as_str())
        });
        self.rules(&flusso.record, label, tally);
        Some(flusso.record)
    }

    fn rules(&mut self, record: &Record, label: &str, tally: &mut Tally) {
        let notices = self.rulebook.check(record);
        let refusal = notices.iter().find(|notice| notice.severity == Severity::Errore);
        tally.judge(Check::Rules, refusal.is_none(), || {
            let (rule, field) = refusal.map_or(("", ""), |notice| (notice.rule.code, &notice.field));
            format!("{label}: rule {rule} at {field}")
        });
        for notice in notices.iter().filter(|notice| notice.severity == Severity::Avviso) {
            let warning = self.warnings.entry(notice.rule.code).or_insert_with(|| Warning {
                rule: notice.rule.code,
                summary: notice.rule.summary,
                count: 0,
                first: label.to_owned(),
            });
            warning.count += 1;
        }
    }
}

impl Flows {
    fn count(&mut self, record: &Record) {
        let counter = match (record.tipo(), record.operazione()) {
            (TipoFlusso::Sinba, _) => &mut self.sinba,
            (TipoFlusso::PsPsaSina, TipoOperazione::Inserimento) => &mut self.ps_psa_sina.insertions,
            (TipoFlusso::PsPsaSina, TipoOperazione::Cancellazione) => &mut self.ps_psa_sina.cancellations,
        };
        *counter += 1;
    }
}
