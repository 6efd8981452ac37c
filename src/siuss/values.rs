//! The simple values of the flows: texts, digits, dates, amounts, fiscal codes.
//!
//! Each type can only be made from a text that INPS's XML schemas accept, and is written in one canonical form, so
//! that two spellings of a value are equal (`84,2` and `84.20`, once a comma has become a point). Enumerated codes are
//! in [`super::codes`]; rules that look at more than one value are in [`super::rules`].

use std::fmt::{self, Write};

use jiff::civil;
use rust_decimal::Decimal;

/// What a value is to those who write it by hand, who have more than one way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it stands.
    Text,
    /// A day, also written `GG/MM/AAAA`.
    Day,
    /// A number, whose decimals may follow a comma.
    Number,
}

/// A value that an attribute or a text element of a flow can carry.
pub trait Value: Sized {
    /// How people write it outside XML.
    const KIND: Kind = Kind::Text;

    /// Every value with its meaning, where the values are a closed list.
    const CODES: &'static [(&'static str, &'static str)] = &[];

    /// What a valid value looks like, in Italian: the end of the sentence "Scrivere …".
    fn expected() -> String;

    /// Reads the lexical form of the schemas; `None` when they refuse it.
    fn read(text: &str) -> Option<Self>;

    /// Appends the canonical lexical form, not escaped.
    fn write(&self, out: &mut String);

    /// The canonical lexical form.
    fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

/// Whether XML 1.0 can carry `character` (XML 1.0, production 2).
#[must_use]
pub fn is_xml_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// `xs:string` of `MIN` to `MAX` characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> Value for Text<MIN, MAX> {
    fn expected() -> String {
        match MIN {
            0 => format!("un testo di al massimo {MAX} caratteri"),
            _ if MIN == MAX => format!("un testo di {MAX} caratteri"),
            _ => format!("un testo da {MIN} a {MAX} caratteri"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut length = 0;
        for character in text.chars() {
            length += 1;
            if length > MAX || !is_xml_char(character) {
                return None;
            }
        }
        (length >= MIN).then(|| Self(text.to_owned()))
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

/// `N` decimal digits, leading zeros kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digits<const N: usize>([u8; N]);

impl<const N: usize> Digits<N> {
    /// The number that the digits spell.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0.iter().fold(0, |number: u32, digit| {
            number.saturating_mul(10).saturating_add(u32::from(digit.saturating_sub(b'0')))
        })
    }
}

impl<const N: usize> Value for Digits<N> {
    fn expected() -> String {
        // Spreadsheets drop leading zeros, which no year has.
        if N == 4 { format!("{N} cifre") } else { format!("{N} cifre, con gli zeri iniziali") }
    }

    fn read(text: &str) -> Option<Self> {
        let digits: [u8; N] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    fn write(&self, out: &mut String) {
        out.extend(self.0.iter().copied().map(char::from));
    }
}

/// `xs:date` with a year of four digits; a time zone is accepted and dropped, for a civil day has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Data(civil::Date);

impl Data {
    /// The day.
    #[must_use]
    pub fn day(self) -> civil::Date {
        self.0
    }
}

impl From<civil::Date> for Data {
    fn from(day: civil::Date) -> Self {
        Self(day)
    }
}

impl Value for Data {
    const KIND: Kind = Kind::Day;

    fn expected() -> String {
        "una data esistente, nella forma AAAA-MM-GG (in un CSV anche GG/MM/AAAA)".to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        let (day, zone) = text.split_at_checked(10)?;
        if !is_time_zone(zone) {
            return None;
        }
        let [year, month, day] = numbers(day, [4, 2, 2], b'-')?;
        let year = i16::try_from(year).ok().filter(|year| *year > 0)?;
        civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok().map(Self)
    }

    fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}", self.0);
    }
}

/// The numbers of `text`, whose parts have the given lengths and are separated by `separator`.
fn numbers<const N: usize>(text: &str, lengths: [usize; N], separator: u8) -> Option<[u16; N]> {
    let mut parts = text.split(char::from(separator));
    let mut found = [0; N];
    for (number, length) in found.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length)?;
        if !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// A time zone as `xs:date` allows it, or nothing.
fn is_time_zone(text: &str) -> bool {
    match text.strip_prefix(['+', '-']) {
        Some(offset) => numbers(offset, [2, 2], b':')
            .is_some_and(|[hours, minutes]| (hours < 14 && minutes < 60) || (hours == 14 && minutes == 0)),
        None => matches!(text, "" | "Z"),
    }
}

/// A month, `MM/AAAA`, from 1900 to 2099.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MeseAnno {
    mese: u16,
    anno: u16,
}

impl Value for MeseAnno {
    fn expected() -> String {
        "un mese nella forma MM/AAAA".to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        let [mese, anno] = numbers(text, [2, 4], b'/')?;
        ((1..=12).contains(&mese) && (1900..=2099).contains(&anno)).then_some(Self { mese, anno })
    }

    fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{:02}/{:04}", self.mese, self.anno);
    }
}

/// `xs:decimal`: an amount in euro, or hours and minutes as `hours.minutes`. Written with two decimals at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Importo(Decimal);

impl Importo {
    /// The number.
    #[must_use]
    pub fn number(self) -> Decimal {
        self.0
    }
}

impl From<Decimal> for Importo {
    fn from(number: Decimal) -> Self {
        let mut number = number.normalize();
        if number.scale() < 2 {
            number.rescale(2);
        }
        Self(number)
    }
}

impl Value for Importo {
    const KIND: Kind = Kind::Number;

    fn expected() -> String {
        "un numero con il punto dei decimali (in un CSV anche la virgola) e senza quello delle migliaia, per esempio 84.20"
            .to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        /// Digits that fit with two decimals more in the number type, and that libxml2 accepts.
        const MOST_DIGITS: usize = 24;
        // Around a day or a whole number libxml2 takes no white space, and what it refuses we do not send.
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        if !unsigned.bytes().any(|byte| byte.is_ascii_digit())
            || whole.len() + fraction.len() > MOST_DIGITS
            || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
        {
            return None;
        }
        let digits = whole.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte.saturating_sub(b'0')));
        let number = digits.fold(0_i128, |number, digit| number.saturating_mul(10).saturating_add(digit));
        let number = Decimal::try_from_i128_with_scale(number, u32::try_from(fraction.len()).ok()?).ok()?;
        Some(Self::from(if text.starts_with('-') && !number.is_zero() { -number } else { number }))
    }

    fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}", self.0);
    }
}

/// `xs:int` from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intero<const MIN: i32, const MAX: i32>(i32);

impl<const MIN: i32, const MAX: i32> Intero<MIN, MAX> {
    /// The number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }
}

impl<const MIN: i32, const MAX: i32> Value for Intero<MIN, MAX> {
    fn expected() -> String {
        if MIN == i32::MIN {
            format!("un numero intero fino a {MAX}")
        } else {
            format!("un numero intero da {MIN} a {MAX}")
        }
    }

    fn read(text: &str) -> Option<Self> {
        let number = text.parse().ok()?;
        (MIN..=MAX).contains(&number).then_some(Self(number))
    }

    fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}", self.0);
    }
}

/// A fiscal code as the schemas admit it: 16 characters, in capitals, or the 11 digits of a provisional one.
///
/// Whether its check character is right, and whom it speaks of, is in [`super::codice_fiscale`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CodiceFiscale(String);

impl CodiceFiscale {
    /// The code, in capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for CodiceFiscale {
    fn expected() -> String {
        "un codice fiscale di 16 caratteri, o quello provvisorio di 11 cifre".to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        /// `a` a letter, `d` a digit, `x` either (pattern of the schemas).
        const FORM: &[u8; 16] = b"aaaaaaddaddaxxxa";
        let provisional = text.trim_end_matches(' ');
        if provisional.len() == 11
            && text.len() <= 16
            && provisional.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Some(Self(provisional.to_owned()));
        }
        let fits = text.len() == FORM.len()
            && text.bytes().zip(FORM).all(|(byte, form)| match form {
                b'a' => byte.is_ascii_alphabetic(),
                b'd' => byte.is_ascii_digit(),
                _ => byte.is_ascii_alphanumeric(),
            });
        fits.then(|| Self(text.to_ascii_uppercase()))
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

impl fmt::Display for CodiceFiscale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
