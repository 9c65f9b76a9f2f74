//! Helpers of this module's tests: lines and pages from text and boxes. Every person in the tests is made up.

use crate::ocr::{Line, Page, Quad};

use super::field::Side;
use super::layout::{Sheet, TextLine};

/// A page of lines at (left, top); every character is 10 pixels wide and 20 high.
pub(crate) fn page(lines: &[(f32, f32, &str)]) -> Page {
    Page {
        width: 1000,
        height: 640,
        lines: lines
            .iter()
            .map(|(left, top, text)| Line {
                text: (*text).to_owned(),
                confidence: 0.98,
                quad: Quad::from_edges(*left, *top, left + 10.0 * text.chars().count() as f32, top + 20.0),
                lattice: None,
            })
            .collect(),
        ..Page::default()
    }
}

/// One straightened line.
pub(crate) fn line(text: &str) -> TextLine {
    Sheet::new(Side::Front, &page(&[(0.0, 0.0, text)])).lines.remove(0)
}
