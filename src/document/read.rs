//! The pages of one document -> its reading.

use serde_json::json;
use time::Date;

use super::field::{Reading, Side};
use crate::ocr::Page;

/// Reads a document off its pages.
///
/// `today` decides which century two digits of a year belong to and whether the document has expired.
pub fn read(pages: &[(Side, Page)], _today: Date) -> Reading {
    let mut reading = Reading::default();
    for (side, page) in pages {
        let prefix = match side {
            Side::Front => "front",
            Side::Back => "back",
        };
        reading.signals.insert(format!("{prefix}.lines"), json!(page.lines.len()));
    }
    reading
}
