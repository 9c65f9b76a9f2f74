//! Names and numbers whose line was detected as two boxes, at a wide blank between its words or groups.

use crate::document::layout::{Edges, Sheet, TextLine};
use crate::document::person_name::person_name;

/// Gap and overlap of two such boxes, in heights of the line. Boxes reach beyond their print by about a third of its height,
/// so that a blank between words leaves next to nothing.
const MOST_GAP: f32 = 0.25;
const MOST_OVERLAP: f32 = 0.8;

/// The text of a line from a character on, with the boxes that go on with the name in it.
pub(super) fn name_line(sheet: &Sheet, line: &TextLine, start: usize) -> String {
    let mut text = line.slice(start, line.chars.len());
    let mut last = line.edges;
    while let Some(next) = sheet.lines.iter().find(|next| !next.upright && is_next_word(&last, &next.edges)) {
        let more = next.text();
        if !goes_on(&text, &more) {
            break;
        }
        text = format!("{text} {more}");
        last = next.edges;
    }
    text
}

/// The text of a line from a character on, with the boxes that go on with the number in it.
pub(super) fn number_line(sheet: &Sheet, line: &TextLine, start: usize) -> String {
    let text = line.slice(start, line.chars.len());
    let mut next = sheet.lines.iter().filter(|next| !next.upright && is_next_word(&line.edges, &next.edges));
    match next.next().map(|next| next.text()).filter(|more| is_next_group(&text, more)) {
        Some(more) => format!("{text} {more}"),
        None => text,
    }
}

/// Whether a text goes on with a number that another one begins: groups of digits behind a digit, or a letter at its end.
pub(super) fn is_next_group(number: &str, more: &str) -> bool {
    let is_group = || more.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-')) && more.contains(|c: char| c.is_ascii_digit());
    let is_letter = || matches!(more.as_bytes(), [b'A'..=b'Z']);
    number.ends_with(|c: char| c.is_ascii_digit() || c == '-') && (is_group() || is_letter())
}

/// Whether a box stands where the next word of a line does, in print of the same size.
pub(super) fn is_next_word(before: &Edges, next: &Edges) -> bool {
    let height = before.height().max(next.height());
    next.left > before.left
        && (-MOST_OVERLAP * height..MOST_GAP * height).contains(&(next.left - before.right))
        && (before.middle() - next.middle()).abs() < 0.2 * height
        && before.height().min(next.height()) > 0.8 * height
}

/// Whether a text goes on with a name as another one begins: in capitals, or in small letters.
pub(super) fn goes_on(name: &str, more: &str) -> bool {
    let shouts = |text: &str| !text.contains(char::is_lowercase);
    person_name(name).is_some() && person_name(more).is_some_and(|more| more.chars().count() > 1) && shouts(name) == shouts(more)
}

#[cfg(test)]
mod tests {
    use super::{name_line, number_line};
    use crate::document::field::Side;
    use crate::document::layout::Sheet;
    use crate::document::testing::page;

    #[test]
    fn a_number_in_two_boxes_is_one() {
        let check = |next: (f32, f32, &str), expected: &str| {
            let sheet = Sheet::new(Side::Front, &page(&[(60.0, 20.0, "1 2345"), next]));
            assert_eq!(number_line(&sheet, &sheet.lines[0], 0), expected);
        };
        check((118.0, 20.0, "45678 78 1"), "1 2345 45678 78 1");
        check((118.0, 20.0, "P"), "1 2345 P");
        check((118.0, 20.0, "CLASS 1"), "1 2345");
        check((150.0, 20.0, "45678 78 1"), "1 2345");
    }

    #[test]
    fn a_name_in_two_boxes_is_one() {
        let check = |next: (f32, f32, &str), expected: &str| {
            let sheet = Sheet::new(Side::Front, &page(&[(60.0, 20.0, "2. MARGIT"), next]));
            assert_eq!(name_line(&sheet, &sheet.lines[0], 3), expected);
        };
        check((148.0, 20.0, "LOUISE"), "MARGIT LOUISE");
        check((148.0, 20.0, "Louise"), "MARGIT");
        check((148.0, 20.0, "4718293"), "MARGIT");
        check((180.0, 20.0, "LOUISE"), "MARGIT");
        check((148.0, 40.0, "LOUISE"), "MARGIT");
    }
}
