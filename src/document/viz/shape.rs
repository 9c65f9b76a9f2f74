//! What a value has to look like to be one.

use crate::document::date::{Century, Found, Order, find_dates};
use crate::document::labels::{Kind, Shape};
use crate::document::person_name::{announced_name, has_stopword};

use super::sex::sex;
use super::street_dates::{begins_with_street, is_street};
use super::two_scripts::echoes;

/// Whether a piece of print can be the value of a caption; the number is what makes it less likely, 0 at best.
pub(crate) fn fits(kind: Kind, text: &str) -> Option<f32> {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    match kind.value().0 {
        Shape::Name => {
            // A name in two scripts has a slash between them.
            let text = text.split_once('/').filter(|(other, latin)| echoes(other, latin)).map_or(text, |(_, latin)| latin);
            // Another value is likelier than a word of headings.
            let penalty = if has_stopword(text) { 0.3 } else { 0.0 };
            (!text.contains(['/', '|', ':']) && announced_name(text).is_some()).then_some(penalty)
        }
        Shape::Date => has_date(text).then_some(0.0),
        Shape::Year => (digits >= 4 && letters == 0).then_some(0.0),
        Shape::Sex => sex(text).map(|_| 0.0),
        Shape::Number => number(text).map(|_| 0.0),
        // One word is a place, or what a caption left; headings have no digits.
        Shape::Address => {
            let one_word = digits == 0 && !text.trim().contains(' ');
            let heading = digits == 0 && has_stopword(text);
            (letters + digits >= 4 && letters >= 2 && !has_day(text) && !heading).then_some(if one_word { 0.5 } else { 0.1 })
        }
        Shape::State => (letters >= 2 && digits == 0 && letters <= 40).then_some(0.1),
        Shape::Place => (letters >= 2 && !has_date(text)).then_some(if has_stopword(text) { 0.2 } else { 0.1 }),
        Shape::Telephone => (digits >= 8 && letters == 0).then_some(0.0),
        // What is of no interest is taken last.
        Shape::Any => (letters + digits > 0).then_some(0.25),
    }
}

fn has_date(text: &str) -> bool {
    !dates(text).is_empty()
}

/// Whether a text has a date that is no part of an address.
fn has_day(text: &str) -> bool {
    dates(text).iter().any(|found| !is_street(text, found) && !begins_with_street(text, found))
}

fn dates(text: &str) -> Vec<Found> {
    let pivot = time::Date::from_calendar_date(2030, time::Month::January, 1).map(Century::Past);
    pivot.map_or_else(|_| Vec::new(), |century| find_dates(text, Order::DayFirst, century))
}

/// How many brackets stand around the check digit at the end of a word, as Hong Kong and Macao print it: `1471829(3)`.
fn brackets(word: &str) -> usize {
    let digit = word.strip_suffix(')').and_then(|word| word.rsplit_once('('));
    if digit.is_some_and(|(number, digit)| number.len() >= 6 && digit.len() == 1) { 2 } else { 0 }
}

/// Whether a number is one of few digits, as France and Germany print them: eight or nine capitals and digits, a digit among
/// the first of them, and no vowel, so that no word is written so: `X4RTBPFW4`.
fn is_of_consonants(number: &str) -> bool {
    let is_of_number = |c: u8| c.is_ascii_digit() || c.is_ascii_uppercase() && !b"AEIOU".contains(&c);
    matches!(number.len(), 8 | 9) && number.bytes().all(is_of_number) && number.bytes().rev().skip(1).any(|c| c.is_ascii_digit())
}

/// The number at the beginning of a piece of print, spaces and hyphens kept; none where it cannot be a document's number.
pub(crate) fn number(text: &str) -> Option<String> {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric()).trim();
    let text = ["No.", "No:", "N.°", "N.º", "N.", "N°", "Nº", "№", "Nr.", "Nr:", "Nr", "No", "NO.", "NO:", "NO"]
        .iter()
        .find_map(|prefix| {
            let begins = |rest: &str| rest.trim_start_matches(['.', ':', ' ', '°']).starts_with(|c: char| c.is_ascii_digit());
            // Letters alone may be the series of the number itself: `NO0471829` of Norway.
            let is_series = |rest: &str| *prefix == "NO" && rest.starts_with(|c: char| c.is_ascii_digit());
            text.strip_prefix(prefix).filter(|rest| !is_series(rest) && begins(rest) || !prefix.ends_with(char::is_alphabetic))
        })
        .unwrap_or(text)
        .trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut number = String::new();
    for word in text.split_whitespace() {
        let word = word.trim_end_matches([',', '.', ';', ':', '*']);
        // `170 CM` is how tall somebody is.
        if !number.is_empty() && matches!(word, "CM" | "cm" | "KG" | "kg") {
            return None;
        }
        // `SERIA XT NR 483920`: the word between series and number is neither.
        if !number.is_empty() && matches!(word, "NR" | "Nr" | "No" | "N°" | "Nº" | "№") {
            continue;
        }
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let letters = word.chars().filter(|c| c.is_ascii_uppercase()).count();
        let links = word.chars().filter(|c| matches!(c, '-' | '/' | '.' | '–')).count();
        let length = word.chars().count() - brackets(word);
        // Words of a number hold digits, or are letters of a series before or behind it.
        let fits = digits + letters + links == length && (digits > 0 || letters <= 4);
        if !fits {
            break;
        }
        if !number.is_empty() {
            number.push(' ');
        }
        number.push_str(word);
    }
    while let Some((rest, last)) = number.rsplit_once(' ') {
        if last.chars().any(|c| c.is_ascii_digit()) || last.chars().any(char::is_alphabetic) && last.chars().count() <= 2 {
            break;
        }
        number.truncate(rest.len());
    }
    let alnum = number.chars().filter(|c| c.is_ascii_alphanumeric()).count();
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let is_date = || {
        let pivot = time::Date::from_calendar_date(2000, time::Month::January, 1).map(Century::Near);
        pivot.is_ok_and(|century| {
            find_dates(&number, Order::DayFirst, century).iter().any(|found| alnum - 8 < 3 && found.end > found.start + 7)
        })
    };
    // Eight digits that make a date of our time are one without its separators.
    let glued_date = || {
        let part = |range: std::ops::Range<usize>| number.get(range).and_then(|text| text.parse::<u32>().ok());
        matches!((part(0..2), part(2..4), part(4..8)), (Some(1..=31), Some(1..=12), Some(1930..=2060)))
            || matches!((part(0..4), part(4..6), part(6..8)), (Some(1930..=2060), Some(1..=12), Some(1..=31)))
    };
    if number.len() == 8 && digits == 8 && glued_date() {
        return None;
    }
    ((5..=24).contains(&alnum)
        && (digits >= 3 && digits * 10 >= alnum * 3 || is_of_consonants(&number))
        && !(number.contains(['.', '/', '-', ' ']) && alnum >= 8 && is_date()))
    .then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_spaces_and_leave_words_out() {
        let check = |text, expected: Option<&str>| assert_eq!(number(text).as_deref(), expected, "{text}");
        check("No. 1234567", Some("1234567"));
        check("ZS 0000177", Some("ZS 0000177"));
        check("NO0471829", Some("NO0471829"));
        check("NO 471829", Some("471829"));
        check("XT NR 483920", Some("XT 483920"));
        check("784-1979-1234567-1", Some("784-1979-1234567-1"));
        check("S00-000-001 CLASS", Some("S00-000-001"));
        check("N° 4.718.293", Some("4.718.293"));
        check("N. 4718293-4", Some("4718293-4"));
        check("M-4.718.293 - SSP/MG", Some("M-4.718.293"));
        check("Z047182(9)", Some("Z047182(9)"));
        check("X4RTBPFW4", Some("X4RTBPFW4"));
        check("L01RTBPFW", Some("L01RTBPFW"));
        check("19930425F005L", Some("19930425F005L"));
        check("19930425", None);
        check("SPEC1MEN", None);
        check("LONDON (UK)", None);
        check("170 CM", None);
        check("01.01.2013", None);
        check("SPECIMEN", None);
    }
}
