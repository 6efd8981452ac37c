//! The letters that a fiscal code takes from a surname and from a name (DM 23 December 1976, art. 3).

/// The three letters of a surname: its consonants in order, then its vowels, then X. `None` when a letter of it has no
/// one way into the Latin alphabet.
#[must_use]
pub fn surname_letters(text: &str) -> Option<String> {
    let (consonants, vowels) = letters(text)?;
    Some(first_three(consonants, vowels))
}

/// The three letters of a name: of four consonants or more, the first, the third and the fourth; else as of a surname.
#[must_use]
pub fn name_letters(text: &str) -> Option<String> {
    let (mut consonants, vowels) = letters(text)?;
    if consonants.len() > 3 {
        consonants.remove(1);
    }
    Some(first_three(consonants, vowels))
}

fn first_three(mut consonants: Vec<char>, vowels: Vec<char>) -> String {
    consonants.extend(vowels);
    consonants.into_iter().chain(['X'; 3]).take(3).collect()
}

/// The consonants and the vowels of `text`, in capitals and without accents. `None` where there are none, or where a
/// letter is written in more than one way without its sign.
fn letters(text: &str) -> Option<(Vec<char>, Vec<char>)> {
    let mut consonants = Vec::new();
    let mut vowels = Vec::new();
    for character in text.chars().flat_map(char::to_uppercase) {
        let letter = match character {
            ' ' | '\'' | '’' | '`' | '´' | '-' | '.' => continue,
            'A'..='Z' => character,
            'À' | 'Á' | 'Â' | 'Ã' | 'Ä' | 'Ă' | 'Ą' => 'A',
            'Ç' | 'Ć' | 'Č' => 'C',
            'Ď' | 'Đ' => 'D',
            'È' | 'É' | 'Ê' | 'Ë' | 'Ę' | 'Ě' => 'E',
            'Ğ' => 'G',
            'Ì' | 'Í' | 'Î' | 'Ï' | 'İ' => 'I',
            'Ł' => 'L',
            'Ñ' | 'Ń' | 'Ň' => 'N',
            'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ö' | 'Ø' => 'O',
            'Ř' => 'R',
            'Ś' | 'Š' | 'Ş' | 'Ș' => 'S',
            'Ţ' | 'Ț' | 'Ť' => 'T',
            'Ù' | 'Ú' | 'Û' | 'Ü' | 'Ů' => 'U',
            'Ý' | 'Ÿ' => 'Y',
            'Ź' | 'Ż' | 'Ž' => 'Z',
            _ => return None,
        };
        if matches!(letter, 'A' | 'E' | 'I' | 'O' | 'U') {
            vowels.push(letter);
        } else {
            consonants.push(letter);
        }
    }
    (consonants.len() + vowels.len() > 0).then_some((consonants, vowels))
}
