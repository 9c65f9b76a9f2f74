//! Sexes in print: words and letters in the languages of their issuers, often two of them beside each other.
//!
//! The words are data: `labels/sexes.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::document::text::fold;

/// More words than this are no sex. Norway prints four letters, in as many languages.
const MOST_WORDS: usize = 4;

/// The label file, its words folded.
#[derive(Deserialize)]
struct Sexes {
    m: Vec<String>,
    f: Vec<String>,
    x: Vec<String>,
    letters: Letters,
    alone: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Letters {
    m: Vec<String>,
    f: Vec<String>,
}

struct Vocabulary {
    /// Words and the letters that are the same everywhere.
    words: HashMap<String, &'static str>,
    /// Letters that mean a sex in some languages.
    letters: HashMap<String, &'static str>,
    /// The states that print such a letter alone.
    alone: HashMap<String, Vec<String>>,
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let sexes: Sexes = toml::from_str(include_str!("../labels/sexes.toml")).expect("the label files are part of the program and tested");
    let folded = |lists: Vec<(Vec<String>, &'static str)>| {
        lists.into_iter().flat_map(|(words, sex)| words.into_iter().map(move |word| (fold(&word), sex))).collect()
    };
    Vocabulary {
        words: folded(vec![(sexes.m, "M"), (sexes.f, "F"), (sexes.x, "X")]),
        letters: folded(vec![(sexes.letters.m, "M"), (sexes.letters.f, "F")]),
        alone: sexes.alone,
    }
});

/// `M`, `F` or `X` in a piece of print; none where it has other words.
///
/// Two languages beside each other (`Ž/F`) end with the international letter, which decides.
pub(crate) fn sex(text: &str) -> Option<&'static str> {
    // Two letters with a slash that was read as a stroke: `VIF`; a small letter is what is left of another word.
    let letters: Vec<char> = text.trim().chars().collect();
    if let [_, 'I' | 'l' | '1' | '|', last @ ('M' | 'F')] = letters[..] {
        return word(&last.to_string());
    }
    if let [letter] = letters[..]
        && letter.is_lowercase()
    {
        return None;
    }
    let folded = fold(text);
    let words: Vec<&str> = words(&folded).collect();
    if words.is_empty() || words.len() > MOST_WORDS || (words.len() == MOST_WORDS && words.iter().any(|word| word.len() > 1)) {
        return None;
    }
    // What stands before a slash may be of another script; what stands behind the letter may be of the next column.
    let last = folded.rsplit(['/', '|']).next().unwrap_or_default();
    let is_whole = words.iter().all(|read| word(read).is_some() || letter(read).is_some());
    let is_decided = folded.contains(['/', '|']) && self::words(last).next().is_some_and(|read| word(read).is_some());
    let begins = matches!(words[0], "M" | "F");
    if !(is_whole || is_decided || begins) {
        return None;
    }
    match (is_whole, is_decided) {
        (true, _) => words.iter().rev().find_map(|read| word(read)).or_else(|| words.iter().find_map(|read| letter(read))),
        (false, true) => self::words(last).next().and_then(word),
        (false, false) => word(words[0]),
    }
}

/// Whether a text is a letter that means a sex only on the documents of some states, and not on those of this one.
pub(crate) fn is_foreign_letter(text: &str, issuer: Option<&str>) -> bool {
    let folded = fold(text.trim());
    let states = VOCABULARY.alone.get(&folded);
    letter(&folded).is_some() && !issuer.is_some_and(|issuer| states.is_some_and(|states| states.iter().any(|state| state == issuer)))
}

/// The words of a folded text that are not in another script.
fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty() && word.is_ascii())
}

fn word(word: &str) -> Option<&'static str> {
    VOCABULARY.words.get(word).copied()
}

fn letter(letter: &str) -> Option<&'static str> {
    VOCABULARY.letters.get(letter).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sexes_are_read_in_two_languages() {
        let check = |text, expected| assert_eq!(sex(text), expected, "{text}");
        check("Ž/F", Some("F"));
        check("K/M", Some("M"));
        check("VIF", Some("F"));
        check("K/K/N/F", Some("F"));
        check("APPEN/M", Some("M"));
        check("SEE PAGE 2 F", None);
        check("m", None);
        check("FEMALE", Some("F"));
        check("पुरुष / MALE", Some("M"));
        check("LAKI-LAKI", Some("M"));
        check("Wanita", Some("F"));
        check("X", Some("X"));
        check("F BELGE", Some("F"));
        check("K/F ENH", Some("F"));
        check("P-F", Some("F"));
        check("SIGNATURE", None);
        check("Việt Nam", None);
        check("", None);
    }

    #[test]
    fn a_letter_of_one_language_is_a_sex_where_it_is_spoken() {
        assert!(is_foreign_letter("H", Some("BRA")));
        assert!(is_foreign_letter("K", None));
        assert!(!is_foreign_letter("H", Some("MEX")));
        assert!(!is_foreign_letter("F", None));
    }
}
