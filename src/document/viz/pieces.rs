//! The print of a line that is no caption, cut where captions and dates cut it.

use crate::document::date::{Century, Found, Order, find_dates};
use crate::document::labels::Kind;
use crate::document::layout::{Edges, TextLine};

use super::captions::Label;
use super::street_dates::{begins_with_street, is_street};

/// A piece of print that may be a value.
#[derive(Clone)]
pub(crate) struct Piece {
    /// The text, without the punctuation that ties it to a caption.
    pub(crate) text: String,
    /// Where it stands.
    pub(crate) edges: Edges,
    /// Index of its line in the sheet.
    pub(crate) line: usize,
    /// Its first character in the line.
    pub(crate) start: usize,
    /// The recogniser's confidence in the line.
    pub(crate) confidence: f32,
    /// A slash stands before it: likely a caption in one more language.
    pub(crate) after_slash: bool,
    /// A colon, a stroke or the like stands before it, and not a blank alone.
    pub(crate) is_tied: bool,
    /// It is all that the line has.
    pub(crate) whole_line: bool,
}

/// The pieces of a line between its captions, given with their first characters.
pub(super) fn pieces_of(line: &TextLine, index: usize, captions: &[(usize, Label)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut is_address = false;
    let ends = captions.iter().map(|(end, label)| (*end, label.end, label.kinds.has(Kind::Address)));
    for (end, next, announces_address) in ends.chain([(line.chars.len(), line.chars.len(), false)]) {
        if end > start {
            for (from, to) in cut_at_dates(line, start, end, is_address) {
                pieces.extend(piece(line, index, from, to, captions.is_empty() && from == start && to == end));
            }
        }
        start = next;
        is_address = announces_address;
    }
    pieces
}

fn piece(line: &TextLine, index: usize, start: usize, end: usize, whole_line: bool) -> Option<Piece> {
    let is_tie =
        |c: &char| matches!(c, ' ' | ':' | '/' | '|' | '.' | ',' | ';' | '-' | '–' | '=' | '>' | ')' | '#' | '°' | '•' | '\'' | '*');
    let ties = line.chars[start..end].iter().take_while(|c| is_tie(c)).count();
    let is_tied = line.chars[start..start + ties].iter().any(|c| *c != ' ');
    let after_slash = start > 0 && line.chars[start..start + ties].iter().any(|c| matches!(c, '/' | '|'));
    let tail =
        line.chars[start + ties..end].iter().rev().take_while(|c| matches!(c, ' ' | ':' | '/' | '|' | ',' | ';' | '-' | '(')).count();
    let (start, end) = (start + ties, end - tail);
    if start >= end || !line.chars[start..end].iter().any(|c| c.is_alphanumeric()) {
        return None;
    }
    Some(Piece {
        text: line.slice(start, end),
        edges: line.edges_of(start, end),
        line: index,
        start,
        confidence: line.confidence,
        after_slash,
        is_tied,
        whole_line,
    })
}

/// Whether eight digits that could be a date are a group of a longer number: `1 04 19910308 00471 8`, `19910308-04718-2`.
fn is_group_of_number(chars: &[char], start: usize, end: usize) -> bool {
    let is_glued = end - start == 8 && chars[start..end].iter().all(char::is_ascii_digit);
    let digit = |place: Option<usize>| place.and_then(|place| chars.get(place)).is_some_and(char::is_ascii_digit);
    let link = |place: Option<usize>| place.and_then(|place| chars.get(place)).is_some_and(|c| matches!(c, ' ' | '-'));
    let (before, after) = (start.checked_sub(1), Some(end));
    is_glued && (link(before) && digit(start.checked_sub(2)) || link(after) && digit(Some(end + 1)))
}

/// Values of neighbouring columns are often recognised as one line: `BAA000589 01 01 2025`. A date is a value of its own.
fn cut_at_dates(line: &TextLine, start: usize, end: usize, is_address: bool) -> Vec<(usize, usize)> {
    let text = line.slice(start, end);
    let Ok(day) = time::Date::from_calendar_date(2000, time::Month::January, 1) else { return vec![(start, end)] };
    let mut cuts = Vec::new();
    let mut from = start;
    for date in find_dates(&text, Order::DayFirst, Century::Near(day)) {
        // A date within a word, as in a document number, is no date.
        let tight = |place: Option<usize>| place.and_then(|place| line.chars.get(place)).is_some_and(|c| c.is_alphanumeric());
        if tight((start + date.start).checked_sub(1).filter(|place| *place >= start)) && date.end - date.start <= 8 {
            continue;
        }
        // Cape Verde's numbers begin with a date: `19930425F005L`.
        let is_glued = text.chars().skip(date.start).take(date.end - date.start).all(|c| c.is_ascii_digit());
        if is_glued && tight(Some(start + date.end)) {
            continue;
        }
        let before = text.chars().take(date.start).filter(|c| c.is_alphanumeric()).count();
        let rest: String = text.chars().skip(date.start).collect();
        let in_rest = Found { start: 0, end: date.end - date.start, ..date };
        if is_street(&text, &date) || is_address && before == 0 && begins_with_street(&rest, &in_rest) {
            continue;
        }
        if is_group_of_number(&line.chars, start + date.start, start + date.end) {
            continue;
        }
        if start + date.start > from {
            cuts.push((from, start + date.start));
        }
        cuts.push((start + date.start, start + date.end));
        from = start + date.end;
    }
    if from < end {
        cuts.push((from, end));
    }
    cuts
}
