//! The made-up benefits of a run, as a file and as JSON; and what a flow says of them, read without the product's help.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

/// The columns of [`csv`].
const HEADER: &str = "CodiceFiscale;Cognome;Nome;AnnoNascita;LuogoNascita;Genere;CodiceCittadinanza;CodiceRegione;\
                      CodiceComune;CodiceNazione;PresenzaProvaMezzi;CaratterePrestazione;CodicePrestazione;\
                      DenominazionePrestazione;ProtocolloDomanda;DataErogazionePrestazione;ImportoPrestazione;PresaCarico";

/// A scholarship: one flow, known by its protocol, of which the amount changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Benefit {
    pub(crate) protocollo: String,
    /// Euro.
    pub(crate) amount: u64,
}

/// These benefits as a file.
pub(crate) fn csv(benefits: &[Benefit]) -> String {
    let mut text = format!("{HEADER}\n");
    for Benefit { protocollo, amount } in benefits {
        writeln!(
            text,
            "CNTLCU15E09H501T;Conti;Luca;2015;H501;1;380;08;058091;380;2;2;A1.19;Borse di studio;{protocollo};\
             2025-03-15;{amount}.00;2"
        )
        .unwrap();
    }
    text
}

impl Benefit {
    /// As vendors' software sends it.
    pub(crate) fn json(&self) -> Value {
        json!({"tipo": "PS_PSA_SINA", "Beneficiario": {
            "CodiceFiscale": "CNTLCU15E09H501T",
            "Anagrafica": {
                "Cognome": "Conti", "Nome": "Luca", "AnnoNascita": 2015, "LuogoNascita": "H501", "Genere": 1,
                "CodiceCittadinanza": 380,
            },
            "Indirizzo": [{"CodiceRegione": "08", "CodiceComune": "058091", "CodiceNazione": 380}],
            "PrestazioniSociali": {
                "PresenzaProvaMezzi": 2, "CaratterePrestazione": 2, "CodicePrestazione": "A1.19",
                "DenominazionePrestazione": "Borse di studio", "ProtocolloDomanda": self.protocollo,
                "DataErogazionePrestazione": "2025-03-15", "ImportoPrestazione": format!("{}.00", self.amount),
                "PresaCarico": 2,
            },
        }})
    }
}

/// What a flow says.
pub(crate) struct Said {
    pub(crate) benefit: Benefit,
    pub(crate) withdraws: bool,
    /// Its bytes without the flow's name and the operation: a cancellation's are those of what it cancels.
    pub(crate) rest: u64,
}

/// Reads a flow, if it is one of this run.
pub(crate) fn said(payload: &[u8]) -> Option<Said> {
    let text = std::str::from_utf8(payload).ok()?;
    let value = |name: &str| {
        let (before, rest) = text.split_once(&format!(" {name}=\""))?;
        let (value, after) = rest.split_once('"')?;
        Some((before, value, after))
    };
    let withdraws = match value("TipoOperazione")?.1 {
        "I" => false,
        "C" => true,
        _ => return None,
    };
    let benefit = Benefit {
        protocollo: value("ProtocolloDomanda")?.1.to_owned(),
        amount: value("ImportoPrestazione")?.1.split('.').next()?.parse().ok()?,
    };
    let (before, _, after) = value("Nome")?;
    let operation = if withdraws { " TipoOperazione=\"C\"" } else { " TipoOperazione=\"I\"" };
    let rest = hash(&(before, after.replacen(operation, "", 1)));
    Some(Said { benefit, withdraws, rest })
}

/// A short stand-in for what need not be kept whole.
pub(crate) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
