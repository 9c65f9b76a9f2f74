//! The pages of one document -> its reading.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::Date;

use super::classify::{Class, Region, classify};
use super::codes::{self, CodeReading};
use super::field::{IdType, Reading, Side};
use super::fuse::fuse;
use super::layout::Sheet;
use super::mrz::{self, Mrz};
use super::original::in_original_frame;
use super::reconcile::reconcile_number;
use super::viz;
use crate::ocr::Page;

/// Reads a document off its pages.
///
/// `today` decides which century two digits of a year belong to and whether the document has expired.
pub fn read(pages: &[(Side, Page)], today: Date) -> Reading {
    let sheets: Vec<Sheet> = pages.iter().map(|(side, page)| Sheet::new(*side, page)).collect();
    let mut zone = pages.iter().filter_map(|(side, page)| Some((*side, mrz::read(page, today)?))).max_by_key(|(_, zone)| weight(zone));
    if let Some((_, zone)) = &mut zone {
        zone.improve_names(&pages.iter().map(|(_, page)| page).collect::<Vec<_>>());
    }
    let coded: Vec<CodeReading> = pages.iter().flat_map(|(side, page)| codes::read(&page.codes, *side, &[])).collect();
    let printed = classify(&sheets);
    let by_code = coded.first().map_or(printed.id_type, |coded| coded.id_type);
    let id_type = zone.as_ref().map_or(by_code, |(_, zone)| id_type(printed, zone));
    let mut candidates: Vec<_> = zone.iter().flat_map(|(side, zone)| zone.candidates(*side)).collect();
    candidates.extend(coded.into_iter().flat_map(|coded| coded.candidates));
    let context = viz::Context { class: Class { id_type, ..printed }, sheets: &sheets, zones: &candidates, today };
    let visual = viz::read(&context);
    candidates.extend(visual);
    if let Some((_, zone)) = &zone {
        reconcile_number(&mut candidates, zone, &sheets);
    }
    let fused = fuse(candidates);
    let mut reading = Reading {
        id_type,
        fields: fused.fields,
        mrz: zone.map(|(_, zone)| zone.lines).unwrap_or_default(),
        warnings: fused.warnings,
        signals: signals(pages),
        ..Reading::default()
    };
    in_original_frame(&mut reading, pages);
    reading
}

/// Zones are compared by how many of their check digits hold, then by whether they are whole.
fn weight(zone: &Mrz) -> (usize, bool) {
    (zone.checks.iter().filter(|(_, holds)| *holds).count(), zone.is_whole())
}

/// The type that the zone's codes and the print agree on best.
///
/// Passports and visas have a letter of their own; what carries the letters of cards says in print what kind it is.
fn id_type(printed: Class, zone: &Mrz) -> IdType {
    match (zone.id_type, printed.id_type) {
        (IdType::Unknown, printed) => printed,
        (_, IdType::Pan | IdType::Aadhaar | IdType::VoterId) if printed.region == Region::India && weight(zone).0 < 2 => printed.id_type,
        (IdType::NationalId, IdType::ResidencePermit | IdType::DrivingLicence) | (IdType::ResidencePermit, IdType::NationalId) => {
            printed.id_type
        }
        (by_code, _) => by_code,
    }
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
