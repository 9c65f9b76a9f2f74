//! The zone's names as the card prints them: with diacritics, apostrophes and hyphens, and in full where the zone had no
//! room for them.

use crate::document::translit::{is_dropped, spellings};
use crate::ocr::Page;

/// A word may differ from the zone's by this many letters where the zone was read with doubt.
const MAX_DIFFERENCES: usize = 1;
/// Words shorter than this have to be the zone's exactly.
const LEAST_LEN_FOR_DOUBT: usize = 4;
/// Print that corrects a letter of the zone has to be as clear as this: a signature is not.
const CLEAR: f32 = 0.93;
/// Names of so few letters are found in many words: they have to be all that a line has.
const MANY_PLACES: usize = 3;

/// One name of the zone.
pub(super) struct ZoneName<'a> {
    /// Words parted by blanks.
    pub(super) text: &'a str,
    /// The zone's field ended before the name did, or just with it.
    pub(super) may_be_cut: bool,
    /// The zone's letters were read with doubt.
    pub(super) is_doubtful: bool,
}

/// A zone's name as a line of the pages prints it.
#[derive(Debug, PartialEq)]
pub(super) struct Print {
    pub(super) text: String,
    /// The print spells the zone's very letters.
    pub(super) is_exact: bool,
}

/// The name as a line of the pages prints it; `None` where no line does.
pub(super) fn find(name: &ZoneName<'_>, pages: &[&Page]) -> Option<Print> {
    let wanted: Vec<&str> = name.text.split(' ').filter(|word| !word.is_empty()).collect();
    if wanted.is_empty() {
        return None;
    }
    let lines = || pages.iter().flat_map(|page| &page.lines).filter(|line| !line.text.contains('<'));
    // An exact line first: a doubtful one elsewhere on the page must not win.
    [false, true].into_iter().filter(|is_fuzzy| !is_fuzzy || name.is_doubtful).find_map(|is_fuzzy| {
        let mut clear = lines().filter(|line| !is_fuzzy || line.confidence >= CLEAR);
        let text = clear.find_map(|line| in_line(&wanted, name.may_be_cut, is_fuzzy, &line.text))?;
        Some(Print { text, is_exact: !is_fuzzy })
    })
}

/// A word of print with its place in the line, in bytes.
pub(super) struct Word<'a> {
    text: &'a str,
    pub(super) start: usize,
    pub(super) end: usize,
}

fn in_line(wanted: &[&str], may_be_cut: bool, is_fuzzy: bool, line: &str) -> Option<String> {
    let words = words(line);
    if wanted.concat().len() < MANY_PLACES && words.len() != wanted.len() {
        return None;
    }
    let first = (0..words.len()).find(|&first| {
        wanted.iter().enumerate().all(|(idx, wanted_word)| {
            let is_last = idx + 1 == wanted.len();
            words.get(first + idx).is_some_and(|word| is_same(word.text, wanted_word, may_be_cut && is_last, is_fuzzy))
        })
    })?;
    let last = &words[first + wanted.len() - 1];
    // What the zone had no room for stands in the rest of the line.
    let end = if may_be_cut { words.last()?.end } else { last.end };
    let printed = line.get(words[first].start..end)?;
    // A hyphen or apostrophe between the words is part of the name, anything else is not.
    let is_name = printed.chars().all(|c| c.is_alphabetic() || c.is_whitespace() || is_dropped(c) || is_hyphen(c));
    is_name.then(|| printed.replace(',', " ").split_whitespace().collect::<Vec<_>>().join(" "))
}

fn is_same(printed: &str, wanted: &str, may_be_cut: bool, is_fuzzy: bool) -> bool {
    spellings(printed).iter().any(|spelling| {
        spelling == wanted
            || may_be_cut && spelling.starts_with(wanted)
            || is_fuzzy
                && wanted.len() >= LEAST_LEN_FOR_DOUBT
                && spelling.len() == wanted.len()
                && differences(spelling, wanted) <= MAX_DIFFERENCES
    })
}

fn differences(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count()
}

/// Words of a line, parted by blanks and hyphens; an apostrophe parts nothing.
pub(super) fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        let is_inside = c.is_alphanumeric() || is_dropped(c) && c != ',';
        match (start, is_inside) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push(Word { text: &line[from..at], start: from, end: at });
                start = None;
            }
            _ => {}
        }
    }
    words
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '‐' | '‑' | '–')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::Line;

    fn check(text: &str, may_be_cut: bool, is_doubtful: bool, printed: &[&str], expected: Option<&str>) {
        let lines = printed.iter().map(|text| Line { text: (*text).to_owned(), confidence: 0.98, ..Line::default() }).collect();
        let page = Page { lines, ..Page::default() };
        let found = find(&ZoneName { text, may_be_cut, is_doubtful }, &[&page]);
        assert_eq!(found.map(|print| print.text).as_deref(), expected, "{text} in {printed:?}");
    }

    #[test]
    fn diacritics_apostrophes_and_hyphens_come_back() {
        check("OESTERGAARD", false, false, &["Navn", "ØSTERGÅRD"], Some("ØSTERGÅRD"));
        check("OSULLIVAN", false, false, &["SURNAME O'SULLIVAN"], Some("O'SULLIVAN"));
        check("JEAN MICHEL", false, false, &["Jean-Michel"], Some("Jean-Michel"));
        check("MEI HUA", false, false, &["LIN, MEI-HUA"], Some("MEI-HUA"));
        check("GARCAO DE MAGALHAES", false, false, &["GARÇÃO DE MAGALHÃES"], Some("GARÇÃO DE MAGALHÃES"));
    }

    #[test]
    fn what_the_zone_cut_off_is_completed_only_there() {
        check("JULIETTE HENRIKE SOPHI", true, false, &["Juliette Henrike Sophie Anna"], Some("Juliette Henrike Sophie Anna"));
        check("JULIETTE HENRIKE", false, false, &["Juliette Henrike Sophie"], Some("Juliette Henrike"));
        check("SOPHI", false, false, &["Sophie"], None);
    }

    #[test]
    fn a_doubtful_letter_is_taken_from_print_and_a_certain_one_is_not() {
        check("SAIMU", false, true, &["GAIMU"], Some("GAIMU"));
        check("SAIMU", false, false, &["GAIMU"], None);
        check("ANA", false, true, &["ANN"], None);
    }

    #[test]
    fn the_zone_itself_is_no_print() {
        check("ERIKSSON", false, false, &["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"], None);
    }
}
