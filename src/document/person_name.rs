//! Whether a piece of print can be a person's name, and the name in it.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::labels::is_name_too;
use super::text::{fold, listed_words};

/// Longest name that is printed on one line of a document.
const LONGEST: usize = 60;

/// The name in a piece of print, cleaned of what stands around it; none where the print cannot be a name.
///
/// Headings, authorities and captions are no names, nor is anything with a digit. Letters of other scripts are cut
/// off: a card prints the name in Latin letters beside them.
pub(crate) fn person_name(text: &str) -> Option<String> {
    name(text).filter(|name| !has_stopword(name))
}

/// The name in a piece of print that a caption or a field's number announces: some words of headings are names too.
pub(crate) fn announced_name(text: &str) -> Option<String> {
    let is_heading = |name: &String| words(name).iter().any(|word| STOPWORDS.contains(word.as_str()) && !is_name_too(word));
    name(text).filter(|name| !is_heading(name))
}

/// The print without what stands around it, where it is written as names are.
fn name(text: &str) -> Option<String> {
    if text.chars().any(|c| c.is_ascii_digit()) {
        return None;
    }
    let latin: String = text.chars().map(|c| if is_foreign(c) { '\n' } else { c }).collect();
    let longest = latin.split('\n').max_by_key(|part| part.chars().filter(|c| c.is_alphabetic()).count())?;
    let name = without_title(tidy(longest)).split(' ').map(in_capitals).collect::<Vec<_>>().join(" ");
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    let others = name.chars().filter(|c| !c.is_alphabetic() && !matches!(c, ' ' | '-' | '\'' | '’' | '.' | ',')).count();
    if letters < 2 || others > 0 || !name.contains(char::is_uppercase) || name.chars().count() > LONGEST {
        return None;
    }
    let words = words(&name);
    if words.is_empty() || words.len() > 8 {
        return None;
    }
    // A name is written in capitals or begins with one; recognised scribbles change case inside words.
    let odd = name.split([' ', '-', '\'', '’', '.']).filter(|word| is_odd(word)).count();
    (odd == 0).then_some(name)
}

/// A word in capitals whose `I` was read as a small `l`.
fn in_capitals(word: &str) -> String {
    let n_capitals = word.chars().filter(|c| c.is_uppercase()).count();
    let others_are_capitals = word.chars().all(|c| c == 'l' || !c.is_lowercase());
    if n_capitals >= 2 && others_are_capitals { word.replace('l', "I") } else { word.to_owned() }
}

/// The name without the title that some issuers print before it.
fn without_title(name: String) -> String {
    match name.split_once(' ') {
        Some((title, rest)) if ["MR", "MRS", "MISS", "MS", "HERR", "FRAU"].contains(&fold(title.trim_end_matches('.')).as_str()) => {
            rest.to_owned()
        }
        // Degrees end in a full stop; without one they are names.
        Some((degree, rest)) if ["DR.", "MAG.", "ING.", "MGR.", "PROF."].contains(&fold(degree).as_str()) => rest.to_owned(),
        _ => name,
    }
}

/// Whether a piece of print holds a word of headings or captions.
pub(crate) fn has_stopword(text: &str) -> bool {
    words(text).iter().any(|word| STOPWORDS.contains(word.as_str()))
}

/// The words of a text, folded.
pub(crate) fn words(text: &str) -> Vec<String> {
    let text = text.replace(['\'', '’'], "");
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(fold).collect()
}

/// Joins given names and surname in reading order.
pub(crate) fn reading_order(given: &str, surname: &str) -> String {
    let parts: Vec<&str> = [given.trim(), surname.trim()].into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

static STOPWORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| listed_words(include_str!("labels/stopwords.txt")));

fn is_foreign(c: char) -> bool {
    c.is_alphabetic() && !matches!(c, 'a'..='z' | 'A'..='Z' | '\u{00c0}'..='\u{0259}' | '\u{1e00}'..='\u{1eff}')
}

fn tidy(text: &str) -> String {
    let spaced = text.replace(',', ", ").replace(['«', '»', '"', '*', '_', '~'], " ");
    let trimmed = spaced.trim_matches(|c: char| !c.is_alphabetic() && c != '.' && c != '\'').trim_start_matches(['.', '\'']);
    let joined = trimmed.split_whitespace().collect::<Vec<_>>().join(" ");
    // A full stop at the end belongs to an initial or to `Jr.`, not to a whole word.
    match joined.strip_suffix('.') {
        Some(rest) if rest.rsplit(' ').next().is_some_and(|word| word.chars().count() > 2) => rest.to_owned(),
        _ => joined,
    }
}

/// Small letters before capitals, as in `lANa`: no name is written so, but for `McX`, `MacX`, `DeX` and their like.
fn is_odd(word: &str) -> bool {
    let chars: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    let turns = chars.windows(2).filter(|pair| pair[0].is_lowercase() && pair[1].is_uppercase()).count();
    let begins_small = chars.len() > 4 && chars[0].is_lowercase() && chars[1..].iter().any(|c| c.is_uppercase());
    let ends_small = chars.windows(4).any(|four| four[..3].iter().all(|c| c.is_uppercase()) && four[3].is_lowercase());
    turns > 1 || begins_small || ends_small
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(person_name(text).as_deref(), expected, "{text}");
    }

    #[test]
    fn names_are_told_from_headings() {
        check("JEAN-MICHEL", Some("JEAN-MICHEL"));
        check(": Ahmad Rashid", Some("Ahmad Rashid"));
        check("O'SULLIVAN", Some("O'SULLIVAN"));
        check("CONNOR MICHAEL,JR", Some("CONNOR MICHAEL, JR"));
        check("Miss Kanlaya", Some("Kanlaya"));
        check("GEORGlEVA", Some("GEORGIEVA"));
        check("REPUBLIC OF UTOPIA", None);
        check("DRIVER LICENSE", None);
        check("123 MAIN STREET", None);
        check("ConNorSaMple", None);
    }

    #[test]
    fn names_that_are_words_of_headings_need_to_be_announced() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(announced_name(text).as_deref(), expected, "{text}");
            assert_eq!(person_name(text), None, "{text}");
        };
        check("BHARAT PATEL", Some("BHARAT PATEL"));
        check("PASI", Some("PASI"));
        check("CARTA NACIONAL", None);
    }

    #[test]
    fn letters_of_other_scripts_are_cut_off() {
        check("राहुल RAHUL VERMA", Some("RAHUL VERMA"));
        check("राहुल वर्मा", None);
    }
}
