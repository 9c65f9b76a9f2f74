//! Boxes of lines of a machine-readable zone: as wide as the widest of them, since all lines of a zone are. Pure.
//!
//! Detection loses the fillers at the end of a line, and what a stamp covers.

use super::page::{FILLER_LOOK_ALIKES, Line, MAX_ZONE_PITCH, Point, Quad};

/// Characters of a line that gives its width to the others.
const N_CHARS_OF_WHOLE_LINE: usize = 28;
/// Largest angle between lines of one zone, in radians, and share of the widest line's width that another one has.
const PARALLEL: f32 = 0.06;
const LEAST_WIDTH: f32 = 0.25;

/// The box of the line `idx` of a zone, as wide as the widest line of the same zone; `None` where it is that already, or
/// no line of a zone.
pub(crate) fn widened(lines: &[Line], idx: usize) -> Option<Quad> {
    let line = lines.get(idx).filter(|line| is_zone_like(line))?;
    let is_model = |other: &&Line| {
        is_zone_like(other) && other.text.chars().count() >= N_CHARS_OF_WHOLE_LINE && is_of_same_zone(&line.quad, &other.quad)
    };
    let widest = lines.iter().filter(is_model).max_by(|a, b| a.quad.text_width().total_cmp(&b.quad.text_width()))?.quad;
    let height = line.quad.text_height();
    let (before, after) = (line.quad.left() - widest.left(), widest.right() - line.quad.right());
    (before.max(after) > height / 3.0).then(|| {
        // A long line's direction is more certain than a short one's.
        let [start, end, ..] = widest.0;
        let slope = (end.y - start.y) / (end.x - start.x);
        let middle = line.quad.center();
        let at = |x: f32, dy: f32| Point { x, y: middle.y + (x - middle.x) * slope + dy };
        let (left, right) = (line.quad.left().min(widest.left()), line.quad.right().max(widest.right()));
        Quad([at(left, -height / 2.0), at(right, -height / 2.0), at(right, height / 2.0), at(left, height / 2.0)])
    })
}

fn is_zone_like(line: &Line) -> bool {
    line.lattice.is_some() && line.text.chars().any(|c| c == '<' || FILLER_LOOK_ALIKES.contains(c))
}

/// Whether `line` stands beside, above or below `other` and within its ends.
fn is_of_same_zone(line: &Quad, other: &Quad) -> bool {
    let height = line.text_height().max(other.text_height()).max(1.0);
    let distance = other.depth_of(line).abs();
    let direction = |quad: &Quad| (quad.0[1].y - quad.0[0].y).atan2(quad.0[1].x - quad.0[0].x);
    distance > height / 4.0
        && distance < MAX_ZONE_PITCH * height
        && (direction(line) - direction(other)).abs() < PARALLEL
        && line.text_width() > LEAST_WIDTH * other.text_width()
        && line.left() > other.left() - 2.0 * height
        && line.right() < other.right() + 2.0 * height
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::Lattice;

    fn line(text: &str, left: f32, top: f32, right: f32) -> Line {
        let quad = Quad::from_edges(left, top, right, top + 20.0);
        Line { text: text.into(), confidence: 0.9, quad, lattice: Some(Lattice::default()) }
    }

    const WHOLE: &str = "L898902C36UTO7408122F1204159ZE184226B<<<<<10";

    #[test]
    fn a_line_of_a_zone_becomes_as_wide_as_the_widest() {
        let lines = [line("P<UTOERIKSSON<<ANNA<", 12.0, 0.0, 450.0), line(WHOLE, 10.0, 40.0, 900.0)];
        assert_eq!(widened(&lines, 0), Some(Quad::from_edges(10.0, 0.0, 900.0, 20.0)));
        assert_eq!(widened(&lines, 1), None);
    }

    #[test]
    fn print_above_a_zone_and_a_line_as_wide_stay_as_they_are() {
        let lines = [line("UNITED KINGDOM OF GREAT", 12.0, 0.0, 450.0), line(WHOLE, 10.0, 40.0, 900.0), line(WHOLE, 11.0, 80.0, 898.0)];
        assert!((0..3).all(|idx| widened(&lines, idx).is_none()));
    }
}
