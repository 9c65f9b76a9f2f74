//! The letters of the zone's names, weighed against print that is nearly the same. No check digit stands over names, and a
//! blurred zone shows several letters in one place: which of them it is, the print of the same name says.

use std::ops::Range;

use super::decode::LineReading;
use super::layout::Layout;
use super::names;
use super::printed::words;
use super::symbol::{FILLER, Symbol, symbol};
use super::zone::Zone;
use crate::document::translit::spellings;
use crate::ocr::{Line, Page};

/// One letter in so many may differ between the zone's name and the print of the same name. Three, four and five give the
/// same on the evaluation documents.
const LETTERS_FOR_EACH_DIFFERENCE: usize = 4;
/// Print is misread now and then, however sure the recogniser was: the mean over a line hides the one letter.
const MOST_CERTAIN_PRINT: f32 = 0.95;
/// Names of fewer letters are in too many words.
const LEAST_LETTERS: usize = 4;
/// No name has more words, nor more letters in a zone.
const MOST_WORDS: usize = 6;
const MOST_LETTERS: usize = 40;

/// Makes a letter that the zone shows with doubt the print's where both together make that likelier, and surer where print
/// has it too.
pub(super) fn settle(zone: &mut Zone, pages: &[&Page]) {
    let lines = pages.iter().flat_map(|page| &page.lines);
    let printed: Vec<PrintedName> = lines.filter(|line| !line.text.contains('<')).flat_map(printed_names).collect();
    let is_french = zone.layout == Layout::FrenchId;
    for (line, spec) in zone.lines.iter_mut().zip(zone.layout.lines()) {
        let (Some(line), Some(place)) = (line, spec.names) else { continue };
        let text = line.text();
        let parts = match names::split(&text[place.clone()]) {
            _ if is_french => vec![place],
            (surname_end, given_start) => vec![place.start..place.start + surname_end, place.start + given_start..place.end],
        };
        for part in parts {
            let words = words_of(&text, part.clone());
            let whole = words.first().zip(words.last()).map(|(first, last)| first.start..last.end);
            // As a whole, or word by word where print has them apart.
            let is_weighed = whole.is_some_and(|whole| weigh(line, whole, &printed));
            for word in words.into_iter().filter(|_| !is_weighed) {
                weigh(line, word, &printed);
            }
        }
    }
}

/// Words of one line of print as a zone would spell them, without blanks.
struct PrintedName {
    symbols: Vec<Symbol>,
    /// The recogniser's for the line, 0..=1.
    confidence: f32,
}

fn printed_names(line: &Line) -> Vec<PrintedName> {
    let words = words(&line.text);
    let runs = (0..words.len()).flat_map(|first| (first..words.len().min(first + MOST_WORDS)).map(move |last| (first, last)));
    let texts = runs.filter_map(|(first, last)| line.text.get(words[first].start..words[last].end));
    texts
        .flat_map(spellings)
        .filter(|text| (LEAST_LETTERS..=MOST_LETTERS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase()))
        .map(|text| PrintedName { symbols: text.chars().filter_map(symbol).collect(), confidence: line.confidence })
        .collect()
}

/// The words in a part of a zone's line.
fn words_of(text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for idx in part.filter(|&idx| text.as_bytes()[idx] != b'<') {
        match words.last_mut() {
            Some(word) if word.end == idx => word.end = idx + 1,
            _ => words.push(idx..idx + 1),
        }
    }
    words
}

/// Weighs one name of the zone against the print that is most like it; whether there is any.
fn weigh(line: &mut LineReading, place: Range<usize>, printed: &[PrintedName]) -> bool {
    let places: Vec<usize> = place.filter(|&idx| line.symbols[idx] != FILLER).collect();
    let letters: Vec<Symbol> = places.iter().map(|&idx| line.symbols[idx]).collect();
    let alike = |print: &PrintedName| {
        let most = letters.len() / LETTERS_FOR_EACH_DIFFERENCE;
        if letters.len().abs_diff(print.symbols.len()) > most {
            return None;
        }
        let (n_differences, pairs) = align(&letters, &print.symbols);
        (n_differences <= most).then_some((n_differences, pairs))
    };
    let found = printed.iter().filter_map(|print| Some((alike(print)?, print.confidence)));
    let best = found.min_by(|((n, _), confidence), ((m, _), other)| n.cmp(m).then(other.total_cmp(confidence)));
    let Some(((_, pairs), confidence)) = best else { return false };
    let right = confidence.min(MOST_CERTAIN_PRINT);
    // Beside a letter too many or too few nobody knows which belong together.
    let is_same = |nth: usize| nth >= letters.len() || pairs.contains(&(nth, letters[nth]));
    for &(nth, letter) in pairs.iter().filter(|(nth, letter)| letters[*nth] == *letter || is_same(nth.wrapping_sub(1)) && is_same(nth + 1))
    {
        let cell = &mut line.cells[places[nth]];
        // At worst, print that is misread shows just the letter that the zone is taken for.
        for (symbol, p) in cell.iter_mut().enumerate() {
            *p *= if symbol == usize::from(letter) { right } else { 1.0 - right };
        }
        let total: f32 = cell.iter().sum();
        if total > 0.0 {
            cell.iter_mut().for_each(|p| *p /= total);
        }
        let is_likelier = cell[usize::from(letter)] > cell[usize::from(line.symbols[places[nth]])];
        if is_likelier {
            line.symbols[places[nth]] = letter;
            line.corrected.push(places[nth]);
        }
    }
    true
}

/// How many letters of two names differ, and for each of the one that stands beside one of the other which this is.
fn align(ours: &[Symbol], theirs: &[Symbol]) -> (usize, Vec<(usize, Symbol)>) {
    let width = theirs.len() + 1;
    let mut costs: Vec<usize> = (0..width).collect();
    for (idx, ours) in ours.iter().enumerate() {
        costs.push(idx + 1);
        for (other_idx, theirs) in theirs.iter().enumerate() {
            let above = idx * width + other_idx;
            let replaced = costs[above] + usize::from(ours != theirs);
            costs.push(replaced.min(costs[above + 1] + 1).min(costs[above + width] + 1));
        }
    }
    let (mut idx, mut other_idx) = (ours.len(), theirs.len());
    let mut pairs = Vec::new();
    while idx > 0 && other_idx > 0 {
        let at = |idx: usize, other_idx: usize| costs[idx * width + other_idx];
        let here = at(idx, other_idx);
        if here == at(idx - 1, other_idx - 1) + usize::from(ours[idx - 1] != theirs[other_idx - 1]) {
            (idx, other_idx) = (idx - 1, other_idx - 1);
            pairs.push((idx, theirs[other_idx]));
        } else if here == at(idx - 1, other_idx) + 1 {
            idx -= 1;
        } else {
            other_idx -= 1;
        }
    }
    (costs[costs.len() - 1], pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::mrz::symbol::{N_SYMBOLS, character};

    /// A line of a zone whose letters are certain but for one place, where another letter has this probability.
    fn seen(text: &str, (at, other, p): (usize, char, f32)) -> LineReading {
        let symbols: Vec<Symbol> = text.chars().filter_map(symbol).collect();
        let mut cells = vec![[0.0; N_SYMBOLS]; symbols.len()];
        symbols.iter().zip(&mut cells).for_each(|(symbol, cell)| cell[usize::from(*symbol)] = 1.0);
        cells[at][usize::from(symbols[at])] = 1.0 - p;
        cells[at][usize::from(symbol(other).unwrap())] = p;
        LineReading { symbols, cells, corrected: Vec::new(), composite_sum: 0, failed: Vec::new(), score: 0.0 }
    }

    fn check(text: &str, doubt: (usize, char, f32), print: &str, expected: &str) {
        let mut line = seen(text, doubt);
        let printed = printed_names(&Line { text: print.into(), confidence: 0.95, ..Line::default() });
        weigh(&mut line, 0..text.len(), &printed);
        let read: String = line.symbols.iter().map(|&s| character(s)).collect();
        assert_eq!(read, expected, "{text} beside {print}");
        assert_eq!(line.corrected.is_empty(), text == expected);
    }

    #[test]
    fn a_letter_in_doubt_is_the_one_that_print_has() {
        check("SAIMU", (0, 'G', 0.3), "Surname GAIMU", "GAIMU");
        check("SAIMU", (0, 'G', 0.01), "Surname GAIMU", "SAIMU");
        check("SAIMU", (0, 'G', 0.3), "Surname SAIMU GAIMU", "SAIMU");
        check("RLI<HAMAD<ABDULLAH", (0, 'A', 0.2), "ALI HAMAD ABDULLAH AL-KAABI", "ALI<HAMAD<ABDULLAH");
    }

    #[test]
    fn print_that_lacks_a_letter_beside_says_nothing() {
        check("MEULENDIJK", (8, 'U', 0.2), "MEULENDUK", "MEULENDIJK");
    }

    #[test]
    fn another_name_says_nothing() {
        check("BROUN", (3, 'W', 0.4), "TOWN", "BROUN");
        check("ANA", (1, 'D', 0.4), "ADA", "ANA");
    }

    #[test]
    fn print_that_agrees_makes_a_letter_surer() {
        let mut line = seen("BROWN", (3, 'U', 0.4));
        weigh(&mut line, 0..5, &printed_names(&Line { text: "Brown".into(), confidence: 0.9, ..Line::default() }));
        assert!(line.cells[3][usize::from(line.symbols[3])] > 0.9 && line.corrected.is_empty());
    }
}
