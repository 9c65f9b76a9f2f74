//! The zone's names as the card prints them: with diacritics, apostrophes and hyphens, and in full where the zone had no
//! room for them.

use super::decode::LineReading;
use super::symbol::{FILLER, Symbol, symbol};
use super::zone::Zone;
use crate::document::translit::{is_dropped, spellings};
use crate::ocr::{Line, Page};

/// A word may differ from the zone's by this many letters where the zone was read with doubt.
const MAX_DIFFERENCES: usize = 1;
/// Words shorter than this have to be the zone's exactly.
const LEAST_LEN_FOR_DOUBT: usize = 4;
/// Print that corrects a letter of the zone has to be as clear as this: a signature is not.
const CLEAR: f32 = 0.93;
/// The letters of a word are misread at least this often, however sure the recogniser was.
const LEAST_MISREAD: f32 = 0.05;
/// Names of so few letters are found in many words: they have to be all that a line has.
const MANY_PLACES: usize = 3;

/// Settles letters of the zone's names that were read with doubt: where a word of the page differs from one of the zone
/// in one letter that the recogniser thought possible there too, and rather than that the print was misread, it is that
/// letter. No check digit stands over names.
pub(super) fn settle(zone: &mut Zone, page: &Page) {
    let printed: Vec<PrintedWord> = page.lines.iter().filter(|line| !line.text.contains('<')).flat_map(printed_words).collect();
    let specs = zone.layout.lines();
    for (line, spec) in zone.lines.iter_mut().zip(&specs) {
        let (Some(line), Some(names)) = (line, spec.names.clone()) else { continue };
        for start in names.clone() {
            let begins = line.symbols[start] != FILLER && (start == names.start || line.symbols[start - 1] == FILLER);
            if let Some((idx, letter)) = begins.then(|| letter_in_doubt(line, start, names.end, &printed)).flatten() {
                line.symbols[idx] = letter;
            }
        }
    }
}

/// A word of print in the symbols of a zone.
struct PrintedWord {
    symbols: Vec<Symbol>,
    /// How many of its letters are misread, on average.
    n_misread: f32,
}

fn printed_words(line: &Line) -> Vec<PrintedWord> {
    let spelt = words(&line.text).into_iter().flat_map(|word| spellings(word.text));
    spelt
        .filter(|word| word.len() >= LEAST_LEN_FOR_DOUBT && word.chars().all(|c| c.is_ascii_uppercase()))
        .map(|word| PrintedWord {
            n_misread: word.len() as f32 * (1.0 - line.confidence),
            symbols: word.chars().filter_map(symbol).collect(),
        })
        .collect()
}

/// The letter of the word that begins at `start`, with its index, which print says is another; `None` where print has the
/// very word, or none that it may be.
fn letter_in_doubt(line: &LineReading, start: usize, names_end: usize, printed: &[PrintedWord]) -> Option<(usize, Symbol)> {
    let mut settled = None;
    for word in printed {
        let end = start + word.symbols.len();
        if end > names_end || end < names_end && line.symbols[end] != FILLER {
            continue;
        }
        let mut differing = (start..end).zip(word.symbols.iter().copied()).filter(|&(idx, letter)| line.symbols[idx] != letter);
        match (differing.next(), differing.next()) {
            (None, _) => return None,
            (Some((idx, letter)), None) => {
                let p = |symbol: Symbol| line.cells[idx][usize::from(symbol)];
                if p(letter) > p(line.symbols[idx]) * word.n_misread.max(LEAST_MISREAD) {
                    settled = Some((idx, letter));
                }
            }
            (Some(_), Some(_)) => {}
        }
    }
    settled
}

/// One name of the zone.
pub(super) struct ZoneName<'a> {
    /// Words parted by blanks.
    pub(super) text: &'a str,
    /// The zone's field ended before the name did, or just with it.
    pub(super) may_be_cut: bool,
    /// The zone's letters were read with doubt.
    pub(super) is_doubtful: bool,
}

/// The name as a line of the pages prints it; `None` where no line does.
pub(super) fn find(name: &ZoneName<'_>, pages: &[&Page]) -> Option<String> {
    let wanted: Vec<&str> = name.text.split(' ').filter(|word| !word.is_empty()).collect();
    if wanted.is_empty() {
        return None;
    }
    let lines = || pages.iter().flat_map(|page| &page.lines).filter(|line| !line.text.contains('<'));
    // An exact line first: a doubtful one elsewhere on the page must not win.
    [false, true].into_iter().filter(|is_fuzzy| !is_fuzzy || name.is_doubtful).find_map(|is_fuzzy| {
        let mut clear = lines().filter(|line| !is_fuzzy || line.confidence >= CLEAR);
        clear.find_map(|line| in_line(&wanted, name.may_be_cut, is_fuzzy, &line.text))
    })
}

/// A word of print with its place in the line, in bytes.
struct Word<'a> {
    text: &'a str,
    start: usize,
    end: usize,
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
fn words(line: &str) -> Vec<Word<'_>> {
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

    fn check(text: &str, may_be_cut: bool, is_doubtful: bool, printed: &[&str], expected: Option<&str>) {
        let lines = printed.iter().map(|text| Line { text: (*text).to_owned(), confidence: 0.98, ..Line::default() }).collect();
        let page = Page { lines, ..Page::default() };
        assert_eq!(find(&ZoneName { text, may_be_cut, is_doubtful }, &[&page]).as_deref(), expected, "{text} in {printed:?}");
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
