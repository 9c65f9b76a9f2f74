//! What the images and the document are like, by name: data for whoever decides, never a verdict of genuineness. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::Date;

use super::coded_date::iso;
use super::field::{FieldName, Reading, Side};
use crate::ocr::{CodeKind, Page, Quality};

/// Sharpness under which the eye sees blur.
const SHARP: f32 = 60.0;
/// Share of a card that is burnt out, from which on print is likely to be under it. The white fields of codes alone take
/// a few hundredths, and no image of the evaluation documents has more than 0.17.
const GLARE: f32 = 0.2;
/// Long side of a card in pixels under which its small print is a few pixels high.
const LARGE: u32 = 600;

/// Adds the signals of every image, and whether the document has expired where it says until when it is valid.
pub(super) fn mark(reading: &mut Reading, pages: &[(Side, Page)], today: Date) {
    for (side, page) in pages {
        reading.signals.extend(of_image(*side, page));
    }
    let expiry = reading.value(FieldName::ExpiryDate);
    // A year or a month alone says too little, and dates of ISO 8601 compare as texts.
    if let Some(today) = iso(today.year(), u8::from(today.month()), today.day()).filter(|today| today.len() == expiry.len()) {
        let has_expired = expiry < today.as_str();
        reading.signals.insert("expired".into(), json!(has_expired));
    }
}

fn of_image(side: Side, page: &Page) -> BTreeMap<String, Value> {
    let prefix = match side {
        Side::Front => "front",
        Side::Back => "back",
    };
    let rounded = |value: f32| json!((f64::from(value) * 1000.0).round() / 1000.0);
    let code = |kind: CodeKind| match kind {
        CodeKind::Pdf417 => "pdf417",
        CodeKind::Qr => "qr",
    };
    [
        ("lines", json!(page.lines.len())),
        ("codes", page.codes.iter().map(|found| code(found.kind)).collect()),
        ("sharpness", rounded(page.quality.sharpness)),
        ("glare", rounded(page.quality.glare)),
        ("cardLongSidePx", json!(page.quality.card_long_side_px)),
        ("cropped", json!(page.quality.cropped)),
        ("grey", json!(page.quality.grey)),
        ("faults", json!(faults(&page.quality, page.lines.is_empty()))),
    ]
    .map(|(name, value)| (format!("{prefix}.{name}"), value))
    .into()
}

/// What is likely to keep something on the image from being read. Where there is no text, blur cannot be told.
fn faults(quality: &Quality, is_without_text: bool) -> Vec<&'static str> {
    [
        ("blurred", quality.sharpness < SHARP && !is_without_text),
        ("glare", quality.glare >= GLARE),
        ("small", quality.card_long_side_px < LARGE),
        ("cropped", quality.cropped),
        ("grey", quality.grey),
    ]
    .into_iter()
    .filter_map(|(name, holds)| holds.then_some(name))
    .collect()
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::document::testing::page;
    use crate::document::{Reading, read};

    const GOOD: Quality = Quality { sharpness: 400.0, glare: 0.0, card_long_side_px: 1000, cropped: false, grey: false };

    #[test]
    fn each_fault_of_an_image_has_its_word() {
        for (quality, expected) in [
            (GOOD, vec![]),
            (Quality { sharpness: 20.0, ..GOOD }, vec!["blurred"]),
            (Quality { glare: 0.3, ..GOOD }, vec!["glare"]),
            (Quality { card_long_side_px: 400, ..GOOD }, vec!["small"]),
            (Quality { cropped: true, grey: true, ..GOOD }, vec!["cropped", "grey"]),
        ] {
            assert_eq!(faults(&quality, false), expected);
        }
        assert!(faults(&Quality { sharpness: 0.0, ..GOOD }, true).is_empty());
    }

    #[test]
    fn an_image_without_faults_says_so() {
        let signals = of_image(Side::Back, &Page { quality: GOOD, ..Page::default() });
        assert_eq!(signals["back.faults"], json!([]));
        assert_eq!(signals["back.codes"], json!([]));
    }

    #[test]
    fn a_document_expires_on_the_day_after_its_last() {
        let reading_on = |today: Date| -> Reading {
            let lines = [
                (60.0, 20.0, "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"),
                (60.0, 60.0, "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
            ];
            read(&[(Side::Front, page(&lines))], &[], today)
        };
        assert_eq!(reading_on(date!(2012 - 04 - 15)).signals["expired"], json!(false));
        assert_eq!(reading_on(date!(2012 - 04 - 16)).signals["expired"], json!(true));
        let without_date = read(&[(Side::Front, page(&[(60.0, 20.0, "PASSPORT")]))], &[], date!(2012 - 04 - 16));
        assert!(!without_date.signals.contains_key("expired"));
    }
}
