//! What is known of the fields by name: their ids in the layout of the mass upload, and the name nearest to a wrong one.

use super::record::{
    Anagrafica, DatiBeneficiario, DatiPrestazione, DatiSina, DatiSinba, EnteErogatore, Group, Indirizzo,
};
use super::values::Kind;

/// An attribute of the flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in the XML.
    pub name: &'static str,
    /// Its id in the layout of the mass upload (BX201–BX224).
    pub bx: Option<&'static str>,
    /// Whether the schema demands it.
    pub required: bool,
    /// How people write it outside XML.
    pub kind: Kind,
    /// Its values with their meanings, where they are a closed list.
    pub codes: &'static [(&'static str, &'static str)],
}

/// The attributes of `Ente`.
pub const ENTE: &[Field] = EnteErogatore::FIELDS;
/// The attributes of `Beneficiario`.
pub const BENEFICIARIO: &[Field] = DatiBeneficiario::FIELDS;
/// The attributes of `Anagrafica`.
pub const ANAGRAFICA: &[Field] = Anagrafica::FIELDS;
/// The attributes of `Indirizzo`.
pub const INDIRIZZO: &[Field] = Indirizzo::FIELDS;
/// The attributes of `PrestazioniSociali`.
pub const PRESTAZIONE: &[Field] = DatiPrestazione::FIELDS;
/// The attributes of `SINA`.
pub const SINA: &[Field] = DatiSina::FIELDS;
/// The attributes of `SINBA`.
pub const SINBA: &[Field] = DatiSinba::FIELDS;

/// The id of the attribute `name` in the layout of the mass upload.
#[must_use]
pub fn bx(name: &str) -> Option<&'static str> {
    PRESTAZIONE.iter().find(|field| field.name == name).and_then(|field| field.bx)
}

/// The attribute `name` of any element of a record.
#[must_use]
pub fn find(name: &str) -> Option<&'static Field> {
    let all = [BENEFICIARIO, ANAGRAFICA, INDIRIZZO, PRESTAZIONE, SINA, SINBA];
    all.into_iter().flatten().find(|field| field.name == name)
}

/// What a valid value of the attribute `name` looks like, where its form alone does not tell what to look for: the end of
/// the sentence "Scrivere …".
#[must_use]
pub fn expected(name: &str) -> Option<&'static str> {
    Some(match name {
        "LuogoNascita" => {
            "il codice catastale (Belfiore) di 4 caratteri del comune, per esempio H501, o dello Stato estero, che \
             comincia con Z"
        }
        "CodiceComune" => "le 6 cifre del codice ISTAT del comune, con gli zeri iniziali, per esempio 058091",
        "CodiceNazione" | "CodiceNazioneResidenza" => {
            "le 3 cifre dello Stato, con gli zeri iniziali: 380 è l'Italia, 990 uno Stato che non si conosce"
        }
        "CodiceCittadinanza"
        | "CodiceSecondaCittadinanza"
        | "CodiceCittadinanzaPadre"
        | "CodiceCittadinanzaMadre" => "le 3 cifre dello Stato, con gli zeri iniziali: 380 è l'Italia",
        "CodiceRegione"
        | "CodiceRegioneResidenza"
        | "CodiceRegioneResidenzaPadre"
        | "CodiceRegioneResidenzaMadre" => {
            "le 2 cifre della regione, con gli zeri iniziali, nella codifica dell'Agenzia delle Entrate (da 01 Abruzzo a \
             21 Veneto)"
        }
        "CodicePrestazione" => "un codice del nomenclatore, da 5 a 10 caratteri, per esempio A2.12",
        "NecessitaInterventiSociali" | "Prestazioni" => "codici del nomenclatore, per esempio A2.12",
        "DenominazionePrestazione" => {
            "il nome che il nomenclatore dà alla prestazione, da 10 a 200 caratteri"
        }
        "OreServizioMensile" => "ore e minuti separati da un punto, per esempio 2.30 per due ore e mezza",
        _ => return None,
    })
}

/// The one of `names` that is nearest to `name`, if any is near enough to be meant.
#[must_use]
pub fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    /// Longest name that is compared: beyond it, nothing of ours is meant.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_lowercase();
    let (distance, near) = names
        .iter()
        .map(|candidate| (edit_distance(&name, &candidate.to_lowercase()), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= near.len()).then_some(near)
}

/// How many characters must be inserted, removed or replaced to make `b` of `a` (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.chars().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y)).min(*above + 1).min(left + 1);
            diagonal = std::mem::replace(above, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
