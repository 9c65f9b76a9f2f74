//! Reading order: rows from top to bottom, each from left to right. Pure.

use super::page::Line;

/// Sorts the lines of an upright page into reading order.
pub(crate) fn sort(lines: &mut Vec<Line>) {
    lines.sort_by(|a, b| a.quad.center().y.total_cmp(&b.quad.center().y));
    let mut rows: Vec<Vec<Line>> = Vec::new();
    for line in lines.drain(..) {
        match rows.iter_mut().rev().take(4).find(|row| same_row(&line, row)) {
            Some(row) => row.push(line),
            None => rows.push(vec![line]),
        }
    }
    for mut row in rows {
        row.sort_by(|a, b| a.quad.left().total_cmp(&b.quad.left()));
        lines.append(&mut row);
    }
}

/// Whether a line stands beside the lines of a row: level with its first, and over none of them.
fn same_row(line: &Line, row: &[Line]) -> bool {
    let level = |other: &Line| {
        let distance = (line.quad.center().y - other.quad.center().y).abs();
        distance < 0.5 * line.quad.text_height().min(other.quad.text_height())
    };
    let beside = |other: &Line| {
        let overlap = line.quad.right().min(other.quad.right()) - line.quad.left().max(other.quad.left());
        overlap < 0.5 * line.quad.text_width().min(other.quad.text_width())
    };
    row.first().is_some_and(level) && row.iter().all(beside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::Quad;

    fn check(boxes: &[(&str, f32, f32)], expected: &[&str]) {
        let line = |&(text, left, top): &(&str, f32, f32)| Line {
            text: text.into(),
            quad: Quad::from_edges(left, top, left + 40.0, top + 10.0),
            ..Line::default()
        };
        let mut lines: Vec<Line> = boxes.iter().map(line).collect();
        sort(&mut lines);
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, expected);
    }

    #[test]
    fn rows_go_down_and_lines_go_right() {
        check(&[("d", 60.0, 21.0), ("b", 60.0, 0.0), ("c", 0.0, 20.0), ("a", 0.0, 2.0)], &["a", "b", "c", "d"]);
    }

    #[test]
    fn lines_above_each_other_are_never_one_row() {
        check(&[("b", 5.0, 4.0), ("a", 0.0, 0.0)], &["a", "b"]);
    }
}
