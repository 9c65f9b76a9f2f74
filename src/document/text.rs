//! Text as it is compared: upper case, without diacritics, with the place of every character in the original kept.

use std::array;
use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The letters and digits of a line, folded, and where each of them stands in the original.
///
/// Recognisers lose and invent spaces, so words are compared without them; the places lead back to the print.
#[derive(Clone, Default)]
pub(crate) struct Compact {
    /// Folded letters and digits.
    pub(crate) chars: Vec<char>,
    /// For each of `chars`, the index of its character in the original (in characters, not bytes).
    pub(crate) origin: Vec<usize>,
    /// For each of `chars`, whether a word may begin there.
    pub(crate) starts_word: Vec<bool>,
}

impl Compact {
    /// Folds a line.
    pub(crate) fn new(text: &str) -> Self {
        let mut compact = Self::default();
        let mut before: Option<char> = None;
        for (place, original) in text.chars().enumerate() {
            let mut first = true;
            for folded in fold_char(original) {
                if folded.is_alphanumeric() {
                    compact.chars.push(folded);
                    compact.origin.push(place);
                    compact.starts_word.push(first && begins_word(before, original));
                    first = false;
                }
            }
            if !is_apostrophe(original) {
                before = Some(original);
            }
        }
        compact
    }

    /// Whether a word may end before position `end`.
    pub(crate) fn ends_word(&self, end: usize, original: &[char]) -> bool {
        match self.origin.get(end.wrapping_sub(1)).and_then(|place| original.get(place + 1).map(|next| (original[*place], *next))) {
            None => true,
            Some((last, next)) => begins_word(Some(last), next) || !next.is_alphanumeric(),
        }
    }
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '`' | '´')
}

fn begins_word(before: Option<char>, c: char) -> bool {
    before.is_none_or(|b| !b.is_alphanumeric() || b.is_ascii_digit() != c.is_ascii_digit() || (b.is_lowercase() && c.is_uppercase()))
}

/// Upper case without diacritics, as most issuers write a letter where there are none (`Æ` is `AE`, `Ø` is `O`).
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(fold_char).collect()
}

/// The letters and digits of `fold(text)`.
pub(crate) fn squeeze(text: &str) -> String {
    text.chars().flat_map(fold_char).filter(|c| c.is_alphanumeric()).collect()
}

/// The characters in capitals and ASCII, one for one, so that places in the one are places in the other; what has no
/// ASCII letter is `?`.
pub(crate) fn plain(chars: &[char]) -> String {
    chars
        .iter()
        .map(|c| if c.is_ascii() { c.to_ascii_uppercase() } else { fold_char(*c).next().filter(char::is_ascii).unwrap_or('?') })
        .collect()
}

fn fold_char(c: char) -> impl Iterator<Item = char> {
    let spelled = match c {
        'ß' | 'ẞ' => "SS",
        'Æ' | 'æ' => "AE",
        'Œ' | 'œ' => "OE",
        'Ø' | 'ø' => "O",
        'Ł' | 'ł' => "L",
        'Đ' | 'đ' | 'Ð' | 'ð' => "D",
        'Þ' | 'þ' => "TH",
        'ı' | 'İ' => "I",
        'Ə' | 'ə' => "E",
        'Ħ' | 'ħ' => "H",
        'Ŧ' | 'ŧ' => "T",
        'Ŋ' | 'ŋ' => "N",
        // The sign is read as the word: `National ID #` is `National ID No`.
        '#' => "NO",
        _ => "",
    };
    let plain = spelled.is_empty().then(|| c.nfkd().filter(|d| !is_combining_mark(*d)).flat_map(char::to_uppercase));
    spelled.chars().chain(plain.into_iter().flatten())
}

/// The words of a list with comments in lines of their own.
pub(crate) fn listed_words(list: &'static str) -> HashSet<&'static str> {
    list.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
}

/// Number of insertions, deletions and replacements between two texts.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// Characters that recognisers take for one another count as the same in labels: `D0B` is `DOB`.
fn alike(a: char, b: char) -> bool {
    a == b || matches!((a, b), ('0', 'O') | ('O', '0') | ('1', 'I') | ('I', '1') | ('5', 'S') | ('S', '5') | ('8', 'B') | ('B', '8'))
}

/// Capitals that blurred print takes for one another, in groups.
const LOOK_ALIKE: [&str; 9] = ["COQDGUE", "EFBPRSA", "ILTJY", "MNHKWU", "UVY", "AR", "ZSE2", "DGO6", "XKY"];

/// Whether a capital of a caption may be read as another one.
pub(crate) fn is_look_alike(read: char, wanted: char) -> bool {
    alike(read, wanted) || LOOK_ALIKE.iter().any(|group| group.contains(read) && group.contains(wanted))
}

/// How often each letter and digit occurs: most phrases can be ruled out by it, without comparing.
pub(crate) struct Counts {
    of_each: [u8; 37],
    /// Which of them occur at all, as bits: rules out most phrases at once.
    present: u64,
    total: usize,
}

impl Counts {
    /// Counts folded characters; those that are taken for one another count as one.
    pub(crate) fn of(chars: &[char]) -> Self {
        let mut counts = [0_u8; 37];
        for c in chars {
            let slot = match c {
                '0' | 'O' => 14,
                '1' | 'I' => 8,
                '5' | 'S' => 18,
                '8' | 'B' => 1,
                'A'..='Z' => *c as usize - 'A' as usize,
                '2'..='9' => *c as usize - '0' as usize + 26,
                _ => 36,
            };
            counts[slot] = counts[slot].saturating_add(1);
        }
        let present = counts.iter().enumerate().filter(|(_, count)| **count > 0).fold(0, |present, (slot, _)| present | 1 << slot);
        Self { of_each: counts, present, total: chars.len() }
    }

    /// Whether `phrase` may stand here with at most `errors` errors: no more than so many of its characters are missing.
    pub(crate) fn may_hold(&self, phrase: &Self, errors: usize) -> bool {
        let lacking =
            || self.of_each.iter().zip(&phrase.of_each).map(|(have, want)| usize::from(want.saturating_sub(*have))).sum::<usize>();
        phrase.total <= self.total + errors && (phrase.present & !self.present).count_ones() as usize <= errors && lacking() <= errors
    }
}

/// Most errors that [`match_at`] allows.
const MOST_ERRORS: usize = 3;

/// Whether `phrase` stands at `start` of `line` with at most `max_errors` errors: the end position and the errors.
///
/// Only paths within the band that so many errors allow are followed, and no further than the errors last.
pub(crate) fn match_at(line: &[char], start: usize, phrase: &[char], max_errors: usize) -> Option<(usize, usize)> {
    let line = &line[start..];
    let max_errors = max_errors.min(MOST_ERRORS);
    let (far, n_places) = (max_errors + 1, 2 * max_errors + 1);
    let mut row: [usize; 2 * MOST_ERRORS + 1] = array::from_fn(|place| place.checked_sub(max_errors).unwrap_or(far));
    // `row[d]` is the cost of the phrase so far against the line up to `i + d - max_errors`.
    for (i, p) in phrase.iter().enumerate() {
        let mut next = [far; 2 * MOST_ERRORS + 1];
        for d in 0..n_places {
            let Some(j) = (i + 1 + d).checked_sub(max_errors) else { continue };
            if j > line.len() {
                continue;
            }
            let replaced = if j > 0 { row[d] + usize::from(!alike(line[j - 1], *p)) } else { far };
            let dropped = if d + 1 < n_places { row[d + 1] + 1 } else { far };
            let inserted = if d > 0 { next[d - 1] + 1 } else { far };
            next[d] = replaced.min(dropped).min(inserted);
        }
        if next[..n_places].iter().all(|errors| *errors > max_errors) {
            return None;
        }
        row = next;
    }
    let (d, errors) = row[..n_places].iter().enumerate().min_by_key(|(d, errors)| (**errors, d.abs_diff(max_errors)))?;
    (*errors <= max_errors).then(|| (start + phrase.len() + d - max_errors, *errors))
}

/// Where `phrase` stands in `line` with the fewest errors, at most `max_errors`: first position, end position, errors.
///
/// The leftmost of equally good places wins. Both are folded and without spaces.
pub(crate) fn find_phrase(line: &[char], phrase: &[char], max_errors: usize) -> Option<(usize, usize, usize)> {
    if phrase.is_empty() || line.len() + max_errors < phrase.len() {
        return None;
    }
    if max_errors == 0 {
        return line
            .windows(phrase.len())
            .position(|window| window.iter().zip(phrase).all(|(a, b)| alike(*a, *b)))
            .map(|start| (start, start + phrase.len(), 0));
    }
    // Of one part more than there may be errors, one part is intact: most phrases can be ruled out without counting errors.
    let part_length = phrase.len() / (max_errors + 1);
    let is_intact = |part: &[char]| line.windows(part.len()).any(|window| window.iter().zip(part).all(|(a, b)| alike(*a, *b)));
    if part_length > 0 && !phrase.chunks_exact(part_length).any(is_intact) {
        return None;
    }
    // Sellers' algorithm, with the start of the best path carried along.
    let mut column: Vec<(usize, usize)> = (0..=phrase.len()).map(|errors| (errors, 0)).collect();
    let mut best: Option<(usize, usize, usize)> = None;
    for (j, c) in line.iter().enumerate() {
        let mut diagonal = column[0];
        column[0] = (0, j + 1);
        for (i, p) in phrase.iter().enumerate() {
            let replaced = (diagonal.0 + usize::from(!alike(*c, *p)), diagonal.1);
            let inserted = (column[i + 1].0 + 1, column[i + 1].1);
            let dropped = (column[i].0 + 1, column[i].1);
            diagonal = column[i + 1];
            column[i + 1] = [replaced, inserted, dropped].into_iter().min_by_key(|step| step.0).unwrap_or(replaced);
        }
        let (errors, start) = column[phrase.len()];
        if errors <= max_errors && best.is_none_or(|(_, _, least)| errors < least) {
            best = Some((start, j + 1, errors));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_drops_case_and_diacritics() {
        assert_eq!(fold("Åse Šárka Łódź Straße"), "ASE SARKA LODZ STRASSE");
        assert_eq!(squeeze("d'Été-12"), "DETE12");
    }

    #[test]
    fn a_phrase_is_matched_where_it_begins() {
        let check = |line: &str, phrase: &str, errors, expected| {
            let line = Compact::new(line);
            let phrase: Vec<char> = phrase.chars().collect();
            assert_eq!(match_at(&line.chars, 0, &phrase, errors), expected, "{phrase:?}");
        };
        check("Date of pirth 1990", "DATEOFBIRTH", 2, Some((11, 1)));
        check("Dateofbrth", "DATEOFBIRTH", 2, Some((10, 1)));
        check("Datte of birth", "DATEOFBIRTH", 2, Some((12, 1)));
        check("Place of birth", "DATEOFBIRTH", 2, None);
    }

    #[test]
    fn a_phrase_is_found_where_it_has_fewest_errors() {
        let check = |line: &str, phrase: &str, errors, expected| {
            let line = Compact::new(line);
            let phrase: Vec<char> = phrase.chars().collect();
            assert_eq!(find_phrase(&line.chars, &phrase, errors), expected);
        };
        check("D0B 01/02/1990", "DOB", 0, Some((0, 3, 0)));
        check("NOM/Sumame", "SURNAME", 2, Some((3, 9, 2)));
        check("Given names", "SURNAME", 1, None);
    }
}
