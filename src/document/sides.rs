//! Which image is which side: front and back swapped, or the same image twice. Pure.

use serde_json::json;

use super::codes::is_of_licence;
use super::field::{Candidate, FieldName, Reading, Side, Source};
use super::mrz::{Layout, Mrz};
use super::text::squeeze;
use crate::ocr::Page;

/// Lines under this many letters and digits say nothing about which image they stand on.
const LEAST_LETTERS: usize = 4;
/// Lines with more that an image needs before it can be told from another.
const LEAST_LINES: usize = 4;
/// Share of one image's lines that stand on the other too where both are the same.
const SAME_SHARE: f32 = 0.7;

/// Notes in a reading that front and back are one image.
pub fn mark_as_same_image(reading: &mut Reading) {
    reading.signals.insert("sameImage".into(), json!(true));
    reading.warnings.push("front and back are the same image".into());
}

/// What two images say about which side they are.
pub(super) struct Sides {
    is_same: bool,
    is_swapped: bool,
}

impl Sides {
    /// Looks at a front and a back, before their candidates are fused; `None` where there is one image.
    pub(super) fn of(pages: &[(Side, Page)], zone: Option<&(Side, Mrz)>, candidates: &[Candidate]) -> Option<Self> {
        let [(Side::Front, front), (Side::Back, back)] = pages else { return None };
        Some(Self { is_same: is_same(front, back), is_swapped: has_back_of_card(front, zone) || holder_is_on_the_back_alone(candidates) })
    }

    /// Notes it in the reading.
    pub(super) fn mark(&self, reading: &mut Reading) {
        if self.is_same {
            return mark_as_same_image(reading);
        }
        reading.signals.insert("sameImage".into(), json!(false));
        reading.signals.insert("sidesSwapped".into(), json!(self.is_swapped));
        if self.is_swapped {
            reading.warnings.push("front and back seem to be swapped".into());
        }
    }
}

/// Whether most lines of each image stand on the other one too.
fn is_same(one: &Page, other: &Page) -> bool {
    let lines = |page: &Page| -> Vec<String> {
        page.lines.iter().map(|line| squeeze(&line.text)).filter(|text| text.chars().count() >= LEAST_LETTERS).collect()
    };
    let (one, other) = (lines(one), lines(other));
    let share = |some: &[String], all: &[String]| some.iter().filter(|line| all.contains(line)).count() as f32 / some.len() as f32;
    one.len().min(other.len()) >= LEAST_LINES && share(&one, &other) >= SAME_SHARE && share(&other, &one) >= SAME_SHARE
}

/// Whether the image holds what only backs of cards carry: a zone of three lines, or a licence's PDF417.
fn has_back_of_card(front: &Page, zone: Option<&(Side, Mrz)>) -> bool {
    zone.is_some_and(|(side, zone)| *side == Side::Front && zone.layout == Layout::Td1) || front.codes.iter().any(is_of_licence)
}

/// Whether name and date of birth are printed on the back and not on the front.
fn holder_is_on_the_back_alone(candidates: &[Candidate]) -> bool {
    let printed = |name: FieldName, side: Side| candidates.iter().any(|c| c.source == Source::Viz && c.name == name && c.side == side);
    [FieldName::Name, FieldName::DateOfBirth].into_iter().all(|name| printed(name, Side::Back) && !printed(name, Side::Front))
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use crate::document::testing::{AADHAAR_BACK, AADHAAR_FRONT, page};
    use crate::document::{Reading, Side, read};

    const ZONE: [(f32, f32, &str); 4] = [
        (60.0, 20.0, "IDENTITY CARD"),
        (60.0, 300.0, "I<UTOD231458907<<<<<<<<<<<<<<<"),
        (60.0, 340.0, "7408122F1204159UTO<<<<<<<<<<<6"),
        (60.0, 380.0, "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"),
    ];

    fn reading_of(front: &[(f32, f32, &str)], back: &[(f32, f32, &str)]) -> Reading {
        read(&[(Side::Front, page(front)), (Side::Back, page(back))], &[], date!(2026 - 11 - 22))
    }

    fn check(front: &[(f32, f32, &str)], back: &[(f32, f32, &str)], warning: &str) {
        let reading = reading_of(front, back);
        let said: Vec<&String> = reading.warnings.iter().filter(|said| said.starts_with("front and back")).collect();
        assert_eq!(said, if warning.is_empty() { vec![] } else { vec![warning] });
        assert_eq!(reading.signals["sameImage"], warning.contains("same"));
    }

    #[test]
    fn sides_in_their_order_are_nothing_to_speak_of() {
        check(&AADHAAR_FRONT, &AADHAAR_BACK, "");
        check(&AADHAAR_FRONT, &ZONE, "");
    }

    #[test]
    fn swapped_sides_are_told_and_read_alike() {
        check(&AADHAAR_BACK, &AADHAAR_FRONT, "front and back seem to be swapped");
        check(&ZONE, &AADHAAR_FRONT, "front and back seem to be swapped");
        let values = |reading: &Reading| reading.fields.iter().map(|(name, field)| (*name, field.chosen.value.clone())).collect::<Vec<_>>();
        assert_eq!(values(&reading_of(&AADHAAR_BACK, &AADHAAR_FRONT)), values(&reading_of(&AADHAAR_FRONT, &AADHAAR_BACK)));
    }

    #[test]
    fn the_same_image_twice_is_told() {
        check(&AADHAAR_FRONT, &AADHAAR_FRONT, "front and back are the same image");
        let mut misread = AADHAAR_FRONT;
        misread[1].2 = "Asha Ra0";
        check(&AADHAAR_FRONT, &misread, "front and back are the same image");
    }

    #[test]
    fn images_with_hardly_any_text_are_not_compared() {
        check(&[(60.0, 20.0, "SPECIMEN")], &[(60.0, 20.0, "SPECIMEN")], "");
    }
}
