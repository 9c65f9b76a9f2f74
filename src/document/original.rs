//! Boxes are found in the upright frame of a page, and told in the pixels of the image that the caller sent.

use super::field::{Candidate, Reading, Side};
use crate::ocr::{Page, Point, Quad};

/// The reading with every box in the frame of the image it was read from (turned as its EXIF orientation says).
///
/// For readings that leave without their pages; until then boxes lie in the frames of the pages.
pub fn in_original_frame(mut reading: Reading, pages: &[(Side, Page)]) -> Reading {
    let mut move_box = |candidate: &mut Candidate| {
        let page = pages.iter().find(|(side, _)| *side == candidate.side).map(|(_, page)| page);
        candidate.quad = candidate.quad.take().and_then(|quad| Some(mapped(&page?.to_original, &quad)));
    };
    for field in reading.fields.values_mut() {
        move_box(&mut field.chosen);
        field.others.iter_mut().for_each(&mut move_box);
    }
    reading
}

fn mapped(homography: &[[f32; 3]; 3], quad: &Quad) -> Quad {
    let [a, b, c] = homography;
    Quad(quad.0.map(|Point { x, y }| {
        let along = |row: &[f32; 3]| row[0] * x + row[1] * y + row[2];
        let depth = along(c);
        Point { x: along(a) / depth, y: along(b) / depth }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Field, FieldName, Source};

    #[test]
    fn a_box_on_a_turned_page_lies_on_the_image_that_was_sent() {
        // The image lies on its side: x of the page is y of the image, and y counts back from its right edge at 300.
        let turned = Page { to_original: [[0.0, -1.0, 300.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], ..Page::default() };
        let chosen = Candidate {
            name: FieldName::Name,
            value: "ANNA".into(),
            raw: "ANNA".into(),
            source: Source::Viz,
            side: Side::Back,
            confidence: 1.0,
            quad: Some(Quad::from_edges(10.0, 20.0, 30.0, 40.0)),
            checks: Vec::new(),
        };
        let mut reading = Reading::default();
        reading.fields.insert(FieldName::Name, Field { chosen, others: Vec::new() });
        let reading = in_original_frame(reading, &[(Side::Front, Page::default()), (Side::Back, turned)]);
        let quad = reading.fields[&FieldName::Name].chosen.quad.unwrap();
        assert_eq!((quad.left(), quad.top(), quad.right(), quad.bottom()), (260.0, 10.0, 280.0, 30.0));
        assert_eq!(quad.0[0], Point { x: 280.0, y: 10.0 });
    }
}
