//! Writing. One line, attributes in the order of the schema, nothing optional: the bytes depend on the flow alone.

use super::super::record::{
    EnteErogatore, Flusso, Group, NomeFlusso, PsPsaSina, Record, Sinba, TipoOperazione,
};
use super::super::values::Value;
use super::NAMESPACE;

/// The first attribute of a benefit.
const OPERAZIONE: &str = "TipoOperazione";

/// The flow as XML, UTF-8.
#[must_use]
pub fn write(flusso: &Flusso) -> Vec<u8> {
    write_around(&write_record(&flusso.record, None), &flusso.nome, &flusso.ente)
}

/// The flow around a record that [`write_record`] wrote.
pub(crate) fn write_around(record: &str, nome: &NomeFlusso, ente: &EnteErogatore) -> Vec<u8> {
    let mut out = String::with_capacity(record.len() + 512);
    out.push_str("<Flusso xmlns=\"");
    out.push_str(NAMESPACE);
    out.push_str("\"><IdentificazioneFlusso");
    attribute(&mut out, "Nome", nome.as_str());
    out.push('>');
    open(&mut out, "Ente", ente);
    out.push_str("/></IdentificazioneFlusso>");
    out.push_str(record);
    out.push_str("</Flusso>");
    out.into_bytes()
}

/// The record alone, without its flow; with this operation, whatever its own, where one is given.
pub(crate) fn write_record(record: &Record, operazione: Option<TipoOperazione>) -> String {
    let mut out = String::with_capacity(2048);
    match record {
        Record::PsPsaSina(record) => ps_psa_sina(&mut out, record, operazione),
        Record::Sinba(record) => sinba(&mut out, record),
    }
    out
}

fn ps_psa_sina(out: &mut String, record: &PsPsaSina, operazione: Option<TipoOperazione>) {
    out.push_str("<Beneficiario");
    attribute(out, "CodiceFiscale", record.codice_fiscale.as_str());
    out.push('>');
    open(out, "Anagrafica", &record.anagrafica);
    out.push_str("/>");
    for indirizzo in record.indirizzi.as_slice() {
        open(out, "Indirizzo", indirizzo);
        out.push_str("/>");
    }
    out.push_str("<PrestazioniSociali");
    let operazione = operazione.or(record.prestazione.tipo_operazione);
    if let Some(operazione) = operazione {
        attribute(out, OPERAZIONE, &operazione.text());
    }
    record.prestazione.each(&mut |name, value| {
        if name != OPERAZIONE {
            attribute(out, name, value);
        }
    });
    match &record.sina {
        None => out.push_str("/>"),
        Some(sina) => {
            out.push('>');
            open(out, "SINA", &sina.dati);
            if sina.necessita_interventi_sociali.is_empty() && sina.invalidita_civile.is_empty() {
                out.push_str("/>");
            } else {
                out.push('>');
                let necessita = &sina.necessita_interventi_sociali;
                list(out, "NecessitaInterventiSociali", "CodicePrestazione", necessita);
                list(out, "InvaliditaCivile", "InvCiv", &sina.invalidita_civile);
                out.push_str("</SINA>");
            }
            out.push_str("</PrestazioniSociali>");
        }
    }
    out.push_str("</Beneficiario>");
}

fn sinba(out: &mut String, record: &Sinba) {
    open(out, "SINBA", &record.dati);
    out.push('>');
    list(out, "Prestazioni", "CodicePrestazione", record.prestazioni.as_slice());
    list(out, "Famiglia", "ComposizioneFamiglia", record.famiglia.as_slice());
    out.push_str("</SINBA>");
}

fn open<T: Group>(out: &mut String, element: &str, group: &T) {
    out.push('<');
    out.push_str(element);
    group.each(&mut |name, value| attribute(out, name, value));
}

fn attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(out, value);
    out.push('"');
}

/// A container and its texts, or nothing when there are none.
fn list<T: Value>(out: &mut String, container: &str, item: &str, values: &[T]) {
    if values.is_empty() {
        return;
    }
    let mut tag = |text: &str, close: &str, name: &str| {
        out.push_str(close);
        out.push_str(name);
        out.push('>');
        escape(out, text);
    };
    tag("", "<", container);
    for value in values {
        tag(&value.text(), "<", item);
        tag("", "</", item);
    }
    tag("", "</", container);
}

/// Escapes for both attributes and texts; white space too, which a reader would otherwise normalise.
fn escape(out: &mut String, text: &str) {
    let special = |byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\t' | b'\n' | b'\r');
    if !text.bytes().any(special) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
}
