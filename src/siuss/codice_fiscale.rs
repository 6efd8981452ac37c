//! What a fiscal code says: its check character, its owner's birth and sex, and whether the flows can carry it.
//!
//! Sources: DM 23 December 1976 for the construction; facts of SIUSS, "Fiscal codes", for what the schemas admit.

use jiff::civil::Date;

use super::codes::Genere;
use super::notice::{Notice, Rule, Severity};
use super::values::{CodiceFiscale, Value};

pub(super) static SENDABLE: Rule = Rule {
    code: "CF-01",
    severity: Severity::Errore,
    summary: "Il codice fiscale ha una forma che lo schema di INPS accetta: con l'omocodia, al massimo tre cifre \
              sostituite da lettere",
    source: "PS_PSA_SINA201812.xsd, CodiceFiscale",
};

/// The letters that stand for the digits 0 to 9 in a code changed because two people would share it (omocodia).
const OMOCODIA: &[u8; 10] = b"LMNPQRSTUV";
/// The letters of the months, January first.
const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";
/// `a` a letter, `d` a digit or the letter that stands for it.
const FORM: &[u8; 16] = b"aaaaaaddaddaddda";
/// What a digit or a letter counts at an odd position (from 1); the letters count as the digits do.
const ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// The digit that a character stands for at a place for digits.
fn digit(byte: u8) -> Option<u8> {
    if byte.is_ascii_digit() {
        return byte.checked_sub(b'0');
    }
    OMOCODIA.iter().zip(0..).find_map(|(letter, digit)| (*letter == byte).then_some(digit))
}

/// Whether `text` (capitals) has the shape of a personal fiscal code, omocodia included.
#[must_use]
pub fn has_shape(text: &[u8]) -> bool {
    text.len() == FORM.len()
        && text.iter().zip(FORM).all(|(byte, form)| match form {
            b'a' => byte.is_ascii_uppercase(),
            _ => digit(*byte).is_some(),
        })
}

/// Whether it is a provisional code, of 11 digits, which says nothing of its owner.
#[must_use]
pub fn is_provisional(code: &CodiceFiscale) -> bool {
    code.as_str().len() == 11
}

/// Whether a code of 16 characters ends with the character that the others ask for; true of a provisional code of
/// 11 digits when its last digit is the one that the others ask for.
#[must_use]
pub fn check_character_is_right(code: &CodiceFiscale) -> bool {
    let bytes = code.as_str().as_bytes();
    match bytes.split_last() {
        Some((last, rest)) if rest.len() == 15 => check_character(rest) == Some(*last),
        Some((last, rest)) => Some(*last) == check_digit(rest),
        None => false,
    }
}

/// The sixteenth character for the first fifteen.
#[must_use]
pub fn check_character(first: &[u8]) -> Option<u8> {
    let mut sum: u32 = 0;
    for (index, byte) in first.iter().enumerate() {
        let rank = if byte.is_ascii_digit() { byte.checked_sub(b'0')? } else { byte.checked_sub(b'A')? };
        sum += if index % 2 == 0 { *ODD.get(usize::from(rank))? } else { u32::from(rank) };
    }
    u8::try_from(sum % 26).ok()?.checked_add(b'A')
}

/// The eleventh digit for the first ten.
fn check_digit(first: &[u8]) -> Option<u8> {
    let sum: u32 = first
        .iter()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            if index % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    u8::try_from((10 - sum % 10) % 10).ok()?.checked_add(b'0')
}

/// What a code of 16 characters says of its owner's birth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nascita {
    /// The last two digits of the year.
    pub anno: u32,
    /// The month, 1 to 12, where the letter is one of the twelve.
    pub mese: Option<u32>,
    /// The day of the month.
    pub giorno: u32,
    /// The sex.
    pub genere: Genere,
    /// Belfiore code of the place, digits restored.
    pub luogo: String,
}

impl Nascita {
    /// Whether the day exists. The century is not in the code; the 29th of February is judged by the years from 1904.
    #[must_use]
    pub fn is_a_day(&self) -> bool {
        let day = |(year, month, day): (u32, u32, u32)| {
            Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
        };
        self.mese.and_then(|mese| day((2000 + self.anno, mese, self.giorno))).is_some()
    }
}

/// Reads the birth out of a code of 16 characters; `None` for a provisional one.
#[must_use]
pub fn nascita(code: &CodiceFiscale) -> Option<Nascita> {
    let [_, _, _, _, _, _, y1, y2, month, d1, d2, place, p1, p2, p3, _]: [u8; 16] =
        code.as_str().as_bytes().try_into().ok()?;
    let number = |tens: u8, units: u8| Some(u32::from(digit(tens)?) * 10 + u32::from(digit(units)?));
    let day = number(d1, d2)?;
    let (genere, giorno) = if day > 40 { (Genere::Femmina, day - 40) } else { (Genere::Maschio, day) };
    let luogo = [p1, p2, p3]
        .into_iter()
        .map(|byte| digit(byte).and_then(|digit| digit.checked_add(b'0')))
        .try_fold(String::from(char::from(place)), |mut luogo, digit| {
            luogo.push(char::from(digit?));
            Some(luogo)
        })?;
    Some(Nascita {
        anno: number(y1, y2)?,
        mese: MONTHS.iter().zip(1..).find_map(|(letter, number)| (*letter == month).then_some(number)),
        giorno,
        genere,
        luogo,
    })
}

/// What is said of a fiscal code that is right and that the schema nevertheless has no room for.
pub(super) fn unsendable(field: &'static str, text: &str) -> Option<Notice> {
    let code = text.trim().to_ascii_uppercase();
    let is_fiscal_code = matches!(field, "CodiceFiscale" | "CFOperatore") && has_shape(code.as_bytes());
    // One that could be sent is written wrong here, with spaces around it for instance.
    (is_fiscal_code && CodiceFiscale::read(&code).is_none()).then(|| {
        let letters = code
            .bytes()
            .zip(FORM)
            .filter(|(byte, form)| **form == b'd' && byte.is_ascii_uppercase())
            .count();
        Notice::new(
            &SENDABLE,
            field,
            text,
            format!(
                "Il codice fiscale ha {letters} cifre sostituite da lettere (omocodia): lo schema di INPS ne ammette \
                 solo nelle ultime tre posizioni numeriche."
            ),
            "Il flusso non può partire così: chiedere a INPS come trasmettere questa prestazione.",
        )
    })
}
