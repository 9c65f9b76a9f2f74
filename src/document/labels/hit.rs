//! Words of a line that may be a caption: every phrase that is found in it, with as many misread letters as it can bear.

use crate::document::classify::is_within_title;
use crate::document::layout::TextLine;
use crate::document::text::{Counts, find_phrase, is_look_alike, match_at};

use super::kind::Kinds;
use super::phrase::{PHRASES, Phrase, is_name_too};

/// How surely words are a caption and not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing else is written so.
    Firm,
    /// A short or a misread word, which may be a name of another language: another caption of its language has to be near.
    NeedsLanguage,
    /// The words are a name too: so has another caption of a language that not every issuer prints.
    NeedsOwnLanguage,
}

/// A phrase in a line's folded characters.
#[derive(Clone)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Characters that had to be read as others.
    pub(super) errors: usize,
    pub(super) kinds: Kinds,
    /// It ends where a word ends.
    pub(super) whole_words: bool,
    /// The label files that have the phrase, as bits.
    pub(super) languages: u32,
    pub(super) standing: Standing,
}

/// Shorter words are too easily names.
const SHORT: usize = 6;
/// Words of so many letters are no names where they have all their letters but one.
const LONG_WORD: usize = 8;
/// Phrases of so many letters are no names.
pub(super) const LONG: usize = 10;

/// Errors that are forgiven in a phrase of so many characters; short words are too easily others.
fn forgiven(length: usize) -> usize {
    match length {
        0..6 => 0,
        6..10 => 1,
        10..16 => 2,
        _ => 3,
    }
}

/// Every phrase in a line that may be a caption.
pub(super) fn hits(line: &TextLine) -> Vec<Hit> {
    let compact = &line.compact.chars;
    let counts = Counts::of(compact);
    let mut hits: Vec<Hit> = Vec::new();
    for phrase in PHRASES.iter() {
        let length = phrase.chars.len();
        let errors_allowed = forgiven(length);
        if !counts.may_hold(&phrase.counts, errors_allowed) {
            continue;
        }
        let exact = find_bounded(line, &phrase.chars).filter(|(_, end, _)| !cuts_word(line, phrase, *end));
        if exact.is_none() && errors_allowed == 0 {
            continue;
        }
        let found = exact.or_else(|| {
            let starts = (0..compact.len()).filter(|start| line.compact.starts_word[*start]);
            let matches = starts
                .filter_map(|start| match_at(compact, start, &phrase.chars, errors_allowed).map(|(end, errors)| (start, end, errors)));
            let bounded = matches
                // A value may be glued on, which no letter of is the caption's last one.
                .filter(|(_, end, _)| {
                    line.compact.ends_word(*end, &line.chars) || length >= 9 && phrase.chars.last() == Some(&compact[*end - 1])
                })
                .filter(|(start, ..)| !phrase.listed.is_signed || compact[*start] == 'N')
                .filter(|(_, end, _)| keeps_sign(phrase, &compact[..*end]));
            bounded.min_by_key(|(_, _, errors)| *errors)
        });
        let is_name = |start: usize, end: usize| is_name_too(compact[start..end].iter().collect::<String>().as_str());
        let is_caption = |(start, end, errors): &(usize, usize, usize)| {
            (!phrase.listed.needs_tie || is_tied(line, *start, *end))
                && has_letters(line, *start, *end)
                && (*errors == 0 || !is_name(*start, *end))
                && !is_value(line, *start, *end)
                && (*errors == 0 || !is_within_title(line, *start, *end))
        };
        if let Some((start, end, errors)) = found.filter(is_caption) {
            let whole_words = line.compact.ends_word(end, &line.chars);
            let standing = match length {
                _ if is_tied(line, start, end) => Standing::Firm,
                _ if is_name(start, end) => Standing::NeedsOwnLanguage,
                LONG.. => Standing::Firm,
                ..LONG_WORD if errors > 0 && !is_misread(line, start, end, &phrase.chars) => continue,
                // Names are rarely printed in small letters, and captions rarely without them where they are hard to read.
                SHORT.. if errors == 0 || has_small_letters(line, start, end) => Standing::Firm,
                _ => Standing::NeedsLanguage,
            };
            hits.push(Hit { start, end, errors, kinds: phrase.listed.kinds, whole_words, languages: phrase.listed.languages, standing });
        }
    }
    hits
}

/// Whether half of the words' characters are letters: `50` is no `SO`, and `D0B` is a `DOB`.
fn has_letters(line: &TextLine, start: usize, end: usize) -> bool {
    let places = &line.compact.origin[start..end];
    2 * places.iter().filter(|place| line.chars[**place].is_alphabetic()).count() >= places.len()
}

/// Whether some of the words' letters are small ones.
fn has_small_letters(line: &TextLine, start: usize, end: usize) -> bool {
    line.compact.origin[start..end].iter().any(|place| line.chars[*place].is_lowercase())
}

/// The characters beside words, blanks left out: before them and behind them.
fn neighbours(line: &TextLine, start: usize, end: usize) -> (Option<char>, Option<char>) {
    let origin = &line.compact.origin;
    let before = line.chars[..origin[start]].iter().rev().copied().find(|c| *c != ' ');
    let behind = line.chars[origin[end - 1] + 1..].iter().copied().find(|c| *c != ' ');
    (before, behind)
}

/// Whether a colon behind words, or a slash on either side, says that they are a caption.
fn is_tied(line: &TextLine, start: usize, end: usize) -> bool {
    let (before, behind) = neighbours(line, start, end);
    matches!(before, Some('/' | '|')) || matches!(behind, Some('/' | '|' | ':'))
}

/// Whether a word directly behind a colon is the value: `Nama : ADI SUTRISNO`.
fn is_value(line: &TextLine, start: usize, end: usize) -> bool {
    let (before, behind) = neighbours(line, start, end);
    end - start < LONG && before == Some(':') && !matches!(behind, Some('/' | '|' | ':'))
}

/// Whether the words are a phrase in which a letter was misread: a capital as one that looks like it (`HECTOR` is no `SECTOR`),
/// a small letter, which names of documents rarely have, as any other.
fn is_misread(line: &TextLine, start: usize, end: usize, phrase: &[char]) -> bool {
    let print = &line.compact.chars[start..end];
    let is_small = |at: usize| line.chars[line.compact.origin[start + at]].is_lowercase();
    let mut others = print.iter().zip(phrase).enumerate().filter(|(_, (read, wanted))| read != wanted);
    print.len() == phrase.len() && others.all(|(at, (read, wanted))| is_small(at) || is_look_alike(*read, *wanted))
}

/// Whether a phrase that ends with the abbreviation of `number` does so in the line: `Licencia No` is not `Licencia de`.
fn keeps_sign(phrase: &Phrase, found: &[char]) -> bool {
    let sign = |chars: &[char]| matches!(chars, [.., 'N', 'O' | '0' | 'R' | 'º']);
    let is_short = phrase.listed.ends_signed && !sign(&phrase.chars);
    (!sign(&phrase.chars) && !phrase.listed.ends_signed) || sign(found) || is_short && found.ends_with(&['N'])
}

/// Whether the sign for `number` at a phrase's end is the first letter of a word: `CARTE NATIONALE` is no `Carte N`.
fn cuts_word(line: &TextLine, phrase: &Phrase, end: usize) -> bool {
    let next = line.compact.origin[end - 1] + 1;
    phrase.listed.ends_signed && phrase.chars.ends_with(&['N']) && line.chars.get(next).is_some_and(|next| next.is_alphabetic())
}

/// The phrase without errors at a place where words begin and end; phrases of six letters and more may have a word glued on.
fn find_bounded(line: &TextLine, phrase: &[char]) -> Option<(usize, usize, usize)> {
    let compact = &line.compact;
    let mut from = 0;
    while let Some((start, end, _)) = find_phrase(&compact.chars[from..], phrase, 0) {
        let (start, end) = (start + from, end + from);
        // A slash between two languages is often read as a letter: `NOMISURNAME`.
        let after_slash = start > 1 && matches!(compact.chars[start - 1], 'I' | '1' | 'L') && phrase.len() >= 6;
        let starts = compact.starts_word[start] || after_slash;
        let ends = !is_series(line, start, end) && compact.ends_word(end, &line.chars);
        // What stands behind a colon is the value: `Name : S. MEENAKSHI` has no `Names`.
        let colon = line.chars[compact.origin[start]..compact.origin[end - 1]].contains(&':');
        if !colon && ((starts && (ends || phrase.len() >= 6)) || phrase.len() >= 11) {
            return Some((start, end, 0));
        }
        from = start + 1;
    }
    None
}

/// Whether two letters directly before digits are the series of a number: `AD0471829` is no `Ad`, `DL-0471829` no `DL`.
fn is_series(line: &TextLine, start: usize, end: usize) -> bool {
    let next = line.compact.origin[end - 1] + 1;
    let digits = line.chars[next..].strip_prefix(&['-']).unwrap_or(&line.chars[next..]);
    end - start <= 2 && digits.first().is_some_and(char::is_ascii_digit)
}
