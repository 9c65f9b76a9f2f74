//! Document numbers whose caption says no more than that they are one, or one of something that is not known, and those
//! without a caption.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::customs::{Custom, has};
use crate::document::field::{Candidate, FieldName};
use crate::document::labels::{Kind, captions_of};
use crate::document::layout::{Sheet, TextLine};
use crate::document::text::fold;

use super::pairs::Pairing;
use super::{Context, candidate, shape};

/// Heights of a line between the word `number` and the number beside it, at the most: values stand in a column.
const REACH: f32 = 14.0;

/// How sure a number is whose caption says that it is one, and in words that are not known of what.
const BY_ITS_SIGN: f32 = 0.6;

/// The number behind `No.` alone.
pub(super) fn announced_number(sheet: &Sheet, pairing: &Pairing) -> Option<Candidate> {
    free(sheet, pairing).find_map(|(line, text)| {
        let value = if is_number_sign(&text) { row_behind(sheet, line)?.text() } else { without_number_sign(&text)?.to_owned() };
        let value = series_before(sheet, line).into_iter().chain([value]).collect::<Vec<_>>().join(" ");
        let number = shape::number(&value).filter(|number| number.chars().filter(char::is_ascii_digit).count() >= 5)?;
        Some(candidate(FieldName::IdNumber, number, &value, sheet.side, 0.75 * line.confidence, line.quad))
    })
}

/// The only number of a side whose caption has a sign for `number` beside words that are not known: `N° CARNÉ`, `No. Eleitor`.
pub(super) fn signed_number(sheet: &Sheet, pairing: &Pairing) -> Option<Candidate> {
    let is_bought = |other: &TextLine| pairing.pairs.iter().any(|pair| std::ptr::eq(&sheet.lines[pair.line], other));
    let mut found = free(sheet, pairing).filter_map(|(line, text)| {
        let (value, of) = match signed_words(&text)? {
            rest if rest.is_empty() => value_of(sheet, line).filter(|(_, of)| !is_bought(of))?,
            rest => (rest, line),
        };
        let number = shape::number(&value).filter(|number| number.chars().filter(char::is_ascii_digit).count() >= 5)?;
        Some((line, candidate(FieldName::IdNumber, number, &value, sheet.side, BY_ITS_SIGN * of.confidence, of.quad)))
    });
    let (line, only) = found.next()?;
    // A caption that is known has had its say.
    let is_known = || sheet.lines.iter().zip(captions_of(&sheet.lines)).any(|(other, of)| std::ptr::eq(other, line) && !of.is_empty());
    (found.next().is_none() && !is_known()).then_some(only)
}

/// What follows a sign for `number` beside one to three words, where a line has nothing else; empty where the number stands
/// elsewhere.
fn signed_words(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_word = |word: &&str| word.chars().all(|c| c.is_alphabetic() || matches!(c, '.' | '\'' | '-' | '(' | ')' | ':'));
    let sign = words.iter().position(|word| is_number_sign(word))?;
    let (before, behind) = (&words[..sign], &words[sign + 1..]);
    let n_behind = if before.is_empty() { behind.iter().take_while(|word| is_word(word)).count() } else { 0 };
    let is_caption = (1..=3).contains(&(before.len() + n_behind)) && before.iter().all(is_word);
    is_caption.then(|| behind[n_behind..].join(" "))
}

/// The print that a caption announces which is not known: to its right, or directly below it.
fn value_of<'a>(sheet: &'a Sheet, line: &TextLine) -> Option<(String, &'a TextLine)> {
    let other = row_behind(sheet, line).or_else(|| sheet.below(&line.edges, line.edges.left).map(|index| &sheet.lines[index]))?;
    Some((other.text(), other))
}

/// The only line that could be a document's number, where none is announced.
pub(super) fn lone_number(context: &Context<'_>, sheet: &Sheet, pairing: &Pairing) -> Option<Candidate> {
    let most_letters = if has(context.class.issuer, Custom::NumbersOfLetters) { 7 } else { 5 };
    let mut found = free(sheet, pairing).filter_map(|(line, text)| {
        // The United States print an `A#` before the number of an immigrant, without a blank.
        let text = text.trim_start_matches("A#").to_owned();
        let number = shape::number(&text).filter(|number| *number == text && !text.contains('/'))?;
        let letters = number.chars().filter(char::is_ascii_uppercase).count();
        let shaped = (7..=12).contains(&number.len()) && (1..=most_letters).contains(&letters) && !number.contains(['.', ' ']);
        let shaped = shaped || is_series(&number);
        ((shaped || is_grouped(&number)) && line.confidence > 0.9)
            .then(|| candidate(FieldName::IdNumber, number, &text, sheet.side, 0.6, line.quad))
    });
    let only = found.next()?;
    found.all(|other| other.value == only.value).then_some(only)
}

/// Whether a number has a series of letters, a blank, and digits: `SM 0471829`.
fn is_series(number: &str) -> bool {
    let Some((series, digits)) = number.split_once(' ') else { return false };
    let is_series = (2..=3).contains(&series.len()) && series.bytes().all(|b| b.is_ascii_uppercase());
    is_series && (6..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether digits stand in groups as nothing but numbers of persons and documents do: telephone numbers and dates are others.
fn is_grouped(number: &str) -> bool {
    static GROUPED: LazyLock<Regex> = LazyLock::new(|| {
        // With a check digit at the end, in thousands, in groups, or with the digit in brackets.
        Regex::new(r"^(?:\d{7,9}-[\dK]|\d{1,3}(?:\.\d{3}){2,3}(?:-[\dK])?|\d{1,2}-\d{3}-\d{3,4}|[A-Z]{0,2}\d{6,7}\([\dA]\)|\d{6}-\d{7})$")
            .expect("the pattern is part of the program and tested")
    });
    let hyphens = number.matches('-').count();
    let is_long = hyphens >= 2 && number.len() >= 11 && number.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    is_long || GROUPED.is_match(number)
}

/// What follows the abbreviation of `number`, where a line begins with it.
fn without_number_sign(text: &str) -> Option<&str> {
    let signs = ["No.", "NO.", "No:", "NO:", "Nr.", "NR.", "Nr:", "NR:", "N°", "Nº", "N.°", "N.º", "№", "#"];
    signs.iter().find_map(|sign| text.strip_prefix(sign)).map(|rest| rest.trim_start_matches([' ', ':'])).filter(|rest| !rest.is_empty())
}

/// Whether all that a line has is the word `number`, or its abbreviation.
fn is_number_sign(text: &str) -> bool {
    matches!(
        text.trim_end_matches(['.', ':', ' ']),
        "No" | "NO" | "Nr" | "NR" | "N°" | "Nº" | "N.°" | "N.º" | "№" | "Number" | "NUMBER" | "number"
    )
}

/// The series that stands before the sign for the number in a row, behind the word for it: `SERİ` `T07` `NO` `471829`.
fn series_before(sheet: &Sheet, line: &TextLine) -> Option<String> {
    let series = row_before(sheet, line)?;
    let text = series.text();
    let is_series = text.len() <= 4 && text.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
    let word = fold(&row_before(sheet, series)?.text());
    (is_series && matches!(word.trim_end_matches([':', ' ', '.']), "SERI" | "SERIA" | "SERIE" | "SERIES")).then_some(text)
}

/// The print to the left of a line, in the same row.
fn row_before<'a>(sheet: &'a Sheet, line: &TextLine) -> Option<&'a TextLine> {
    sheet.lines.iter().find(|other| row_behind(sheet, other).is_some_and(|behind| std::ptr::eq(behind, line)))
}

/// The print to the right of a line, in the same row.
fn row_behind<'a>(sheet: &'a Sheet, line: &TextLine) -> Option<&'a TextLine> {
    let gap = |other: &TextLine| other.edges.left - line.edges.right;
    let height = line.edges.height();
    let row = sheet.lines.iter().filter(|other| other.edges.same_row(&line.edges) && (-0.3 * height..REACH * height).contains(&gap(other)));
    row.min_by(|a, b| gap(a).total_cmp(&gap(b)))
}

/// The lines of a side that no caption has bought, and their texts.
fn free<'a>(sheet: &'a Sheet, pairing: &'a Pairing) -> impl Iterator<Item = (&'a TextLine, String)> {
    let taken = |index| pairing.pairs.iter().any(|pair| pair.line == index && pair.kind != Kind::Other);
    let lines = sheet.lines.iter().enumerate().filter(move |(index, line)| !line.upright && !taken(*index));
    lines.map(|(_, line)| (line, line.text()))
}
