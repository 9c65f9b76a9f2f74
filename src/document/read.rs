//! The pages of one document -> its reading.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::Date;

use super::classify::classify;
use super::field::{Reading, Side};
use super::fuse::fuse;
use super::layout::Sheet;
use super::viz;
use crate::ocr::Page;

/// Reads a document off its pages.
///
/// `today` decides which century two digits of a year belong to and whether the document has expired.
pub fn read(pages: &[(Side, Page)], today: Date) -> Reading {
    let sheets: Vec<Sheet> = pages.iter().map(|(side, page)| Sheet::new(*side, page)).collect();
    let class = classify(&sheets);
    let fused = fuse(viz::read(&viz::Context { class, sheets: &sheets, today }));
    Reading { id_type: class.id_type, fields: fused.fields, warnings: fused.warnings, signals: signals(pages), ..Reading::default() }
}

/// What the images are like, by name: data for whoever decides.
fn signals(pages: &[(Side, Page)]) -> BTreeMap<String, Value> {
    let mut signals = BTreeMap::new();
    for (side, page) in pages {
        let prefix = match side {
            Side::Front => "front",
            Side::Back => "back",
        };
        let quality = &page.quality;
        let rounded = |value: f32| json!((f64::from(value) * 1000.0).round() / 1000.0);
        signals.insert(format!("{prefix}.lines"), json!(page.lines.len()));
        signals.insert(format!("{prefix}.sharpness"), rounded(quality.sharpness));
        signals.insert(format!("{prefix}.glare"), rounded(quality.glare));
        signals.insert(format!("{prefix}.cardLongSidePx"), json!(quality.card_long_side_px));
        signals.insert(format!("{prefix}.cropped"), json!(quality.cropped));
        signals.insert(format!("{prefix}.grey"), json!(quality.grey));
    }
    signals
}
