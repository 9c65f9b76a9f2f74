//! A text cut into the runs of digits and of letters that dates are made of.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use crate::document::text::fold;

use super::month::months_of;

/// What the parts of a date are called where each has a caption of its own: `Year: 1992 Month: JUN Day: 18`.
const PARTS: [&str; 9] = ["YEAR", "MONTH", "DAY", "ANNEE", "MOIS", "JOUR", "ANO", "MES", "DIA"];

/// A run of digits or of letters.
pub(super) struct Token {
    /// First character of it (in characters of the text).
    pub(super) start: usize,
    /// The character after it.
    pub(super) end: usize,
    /// The number, for digits.
    pub(super) number: Option<i32>,
    /// Number of digits.
    pub(super) n_digits: usize,
    /// The months that the word may mean, as bits 0..12, for letters.
    pub(super) months: u16,
    /// Whether the characters before it are only such as stand between the parts of a date.
    pub(super) joined: bool,
    /// The first separator before it.
    pub(super) separator: char,
}

/// The runs of a text from left to right; letters that look like digits are read as digits, and units of Japanese dates as full
/// stops.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let text = with_digits(&without_units(text));
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut place = 0;
    let mut gap_start = 0;
    while place < chars.len() {
        let c = chars[place];
        if !c.is_alphanumeric() {
            place += 1;
            continue;
        }
        let start = place;
        let digits = c.is_ascii_digit();
        while place < chars.len() && chars[place].is_alphanumeric() && chars[place].is_ascii_digit() == digits {
            place += 1;
        }
        if is_year_and_day(&tokens, &chars[start..place], chars.get(place)) {
            place = start + 4;
        }
        let word: String = chars[start..place].iter().collect();
        let word = if digits { word } else { fold(&word) };
        if PARTS.contains(&word.as_str()) {
            gap_start = place;
            continue;
        }
        let gap = &chars[gap_start..start];
        tokens.push(Token {
            start,
            end: place,
            number: digits.then(|| word.parse().ok()).flatten(),
            n_digits: if digits { place - start } else { 0 },
            months: if digits { 0 } else { months_of(&word) },
            joined: gap.len() <= 4 && gap.iter().all(|c| matches!(c, ' ' | '.' | '/' | '-' | ',' | '–' | '·' | ':' | '\'' | '|')),
            separator: gap.iter().copied().find(|c| *c != ' ').unwrap_or(' '),
        });
        gap_start = place;
    }
    tokens
}

/// Whether six digits are the year of one date and the day of the next one: `01.06.202501.06.2035`.
fn is_year_and_day(before: &[Token], run: &[char], next: Option<&char>) -> bool {
    let [.., day, month] = before else { return false };
    let dotted = next.is_some_and(|next| matches!(next, '.' | '/') && *next == month.separator);
    run.len() == 6 && dotted && (day.n_digits, month.n_digits) == (2, 2) && matches!(run[..2], ['1', '9'] | ['2', '0'])
}

/// The text with letters that look like digits read as those among digits alone, character for character: `I4.10.1989`.
fn with_digits(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut read = chars.clone();
    let mut start = 0;
    while start < chars.len() {
        let length = chars[start..].iter().take_while(|c| c.is_alphanumeric() || **c == '|').count();
        let run = &chars[start..start + length];
        let alike = |c: &char| matches!(c, 'O' | 'o' | 'I' | 'l' | '|');
        if run.len() <= 4 && run.iter().any(char::is_ascii_digit) && run.iter().all(|c| c.is_ascii_digit() || alike(c)) {
            for c in &mut read[start..start + length] {
                *c = match *c {
                    'O' | 'o' => '0',
                    'I' | 'l' | '|' => '1',
                    digit => digit,
                };
            }
        }
        start += length.max(1);
    }
    read.into_iter().collect()
}

/// The text with the units of Japanese dates as full stops, character for character: `1984Y03M08D`, `1984年3月8日`.
fn without_units(text: &str) -> String {
    static UNITS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(\d{4}) ?[Y年년] ?(\d{1,2}) ?[M月월] ?(\d{1,2}) ?[D日일]").expect("the pattern is part of the program and tested")
    });
    // Most texts have none, and a pattern takes its time.
    if !text.contains(['Y', '年', '년']) {
        return text.to_owned();
    }
    let unit = |c: char| if c.is_ascii_digit() || c == ' ' { c } else { '.' };
    UNITS.replace_all(text, |hit: &Captures<'_>| hit[0].chars().map(unit).collect::<String>()).into_owned()
}
