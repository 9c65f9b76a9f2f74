//! Draws what was read where.

use crate::document::{FieldName, Reading, Side};
use crate::ocr::{Canvas, Colour, Point};
use crate::reader::SeenPage;

/// Lines that were read.
const LINE: Colour = [90, 150, 220];
/// Lines that carry a field.
const FIELD: Colour = [20, 140, 60];
/// Codes that were read.
const CODE: Colour = [170, 60, 170];

/// The pages, one below the other, with every line outlined and every field captioned with its name and confidence.
pub(super) fn draw(reading: &Reading, pages: Vec<SeenPage>) -> Option<Canvas> {
    let mut drawn: Option<Canvas> = None;
    for mut seen in pages {
        draw_page(reading, &mut seen);
        drawn = Some(match drawn {
            Some(above) => above.above(&seen.picture),
            None => seen.picture,
        });
    }
    drawn
}

fn draw_page(reading: &Reading, seen: &mut SeenPage) {
    // Large enough to read when the picture is scaled to a window.
    let scale = (seen.picture.width() / 600).max(1);
    seen.page.lines.iter().for_each(|line| seen.picture.outline(&line.quad, LINE, scale));
    seen.page.codes.iter().for_each(|code| seen.picture.outline(&code.quad, CODE, 2 * scale));
    for (name, quad, confidence) in fields_on(reading, seen.side) {
        seen.picture.outline(&quad, FIELD, 2 * scale);
        let corner = Point { x: quad.left(), y: quad.top() };
        seen.picture.caption(corner, &format!("{} {:.0}%", spaced(name), confidence * 100.0), FIELD, scale);
    }
}

fn fields_on(reading: &Reading, side: Side) -> impl Iterator<Item = (FieldName, crate::ocr::Quad, f32)> {
    reading.fields.iter().filter_map(move |(name, field)| {
        let chosen = &field.chosen;
        chosen.quad.filter(|_| chosen.side == side).map(|quad| (*name, quad, chosen.confidence))
    })
}

/// A field's name as words: `DateOfBirth` as `Date Of Birth`.
fn spaced(name: FieldName) -> String {
    let mut words = String::new();
    for c in format!("{name:?}").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fields_are_shown_as_words() {
        assert_eq!(spaced(FieldName::DateOfBirth), "Date Of Birth");
        assert_eq!(spaced(FieldName::Name), "Name");
    }
}
