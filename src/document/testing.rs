//! Helpers of this module's tests: lines and pages from text and boxes. Every person in the tests is made up.

use crate::ocr::{Line, Page, Quad};

use super::field::Side;
use super::layout::{Sheet, TextLine};

/// The front of an Aadhaar card.
pub(crate) const AADHAAR_FRONT: [(f32, f32, &str); 6] = [
    (60.0, 20.0, "Government of India"),
    (200.0, 80.0, "Asha Rao"),
    (200.0, 110.0, "/DOB: 11/06/1978"),
    (200.0, 140.0, "/ FEMALE"),
    (200.0, 300.0, "2341 2341 2346"),
    (200.0, 340.0, "VID : 2341 2341 2341 2123"),
];

/// Its back.
pub(crate) const AADHAAR_BACK: [(f32, f32, &str); 5] = [
    (60.0, 20.0, "Unique Identification Authority of India"),
    (60.0, 80.0, "Address: S/O Mohan Rao,"),
    (60.0, 104.0, "12/4 Lake Road, Hapur,"),
    (60.0, 128.0, "Uttar Pradesh - 245101"),
    (60.0, 300.0, "2341 2341 2346"),
];

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
