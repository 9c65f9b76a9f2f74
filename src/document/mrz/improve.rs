//! The names of a zone, written as the pages print them: zones have no diacritics, apostrophes or hyphens, and not room for
//! every name.

use super::fields::{FieldReading, MOST_WITHOUT_CHECK};
use super::layout::Layout;
use super::{Mrz, printed};
use crate::document::agree::same_name;
use crate::document::field::{Check, FieldName};
use crate::ocr::Page;

/// Confidence of a name of which print says another letter than the zone, which was read with doubt, at the least.
const LEAST_WHEN_CORRECTED: f32 = 0.7;

/// Names read with less than this are compared with the print letter by letter.
const DOUBTFUL: f32 = 0.6;

/// Takes surname and given names from the pages where they print what the zone spells, and puts the full name together
/// again.
pub(super) fn improve_names(mrz: &mut Mrz, pages: &[&Page]) {
    let last_line_of_names = if mrz.layout == Layout::Td1 { 2 } else { 0 };
    // A letter in the last cell: the name may go on beyond it.
    let is_full = mrz.lines[last_line_of_names].ends_with(|c: char| c.is_ascii_uppercase()) && mrz.layout != Layout::FrenchId;
    let has_given_names = mrz.readings.iter().any(|reading| reading.name == FieldName::GivenNames);
    let surname = mrz.readings.iter().find(|reading| reading.name == FieldName::Surname).map(|reading| reading.value.clone());
    for reading in &mut mrz.readings {
        let may_be_cut = match reading.name {
            FieldName::GivenNames => is_full,
            FieldName::Surname => is_full && !has_given_names,
            _ => continue,
        };
        let name = printed::ZoneName { text: &reading.value, may_be_cut, is_doubtful: reading.confidence < DOUBTFUL };
        if let Some(printed) = printed::find(&name, pages) {
            // What a name goes on with in print is not the surname, which issuers print behind it now and then.
            reading.value = match &surname {
                Some(surname) if may_be_cut && reading.name == FieldName::GivenNames => without(printed.text, surname),
                _ => printed.text,
            };
            if printed.is_exact && !reading.checks.contains(&Check::Repaired) {
                reading.confidence = reading.confidence.max(MOST_WITHOUT_CHECK);
                reading.checks.push(Check::CrossMatch);
            } else {
                reading.confidence = reading.confidence.max(LEAST_WHEN_CORRECTED);
                reading.checks.push(Check::Repaired);
            }
        }
    }
    let part = |name: FieldName| mrz.readings.iter().find(|reading| reading.name == name);
    let parts: Vec<&FieldReading> = [part(FieldName::GivenNames), part(FieldName::Surname)].into_iter().flatten().collect();
    let value = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(" ");
    let has = |check: Check| {
        !parts.is_empty() && parts.iter().all(|part| part.checks.contains(&check) || part.checks.contains(&Check::CrossMatch))
    };
    let (is_printed, is_corrected) = (has(Check::CrossMatch), has(Check::Repaired));
    if let Some(full) = mrz.readings.iter_mut().find(|reading| reading.name == FieldName::Name) {
        full.value = value;
        if is_printed {
            full.confidence = full.confidence.max(MOST_WITHOUT_CHECK);
            full.checks.push(Check::CrossMatch);
        } else if is_corrected {
            full.confidence = full.confidence.max(LEAST_WHEN_CORRECTED);
            full.checks.push(Check::Repaired);
        }
    }
}

/// A name without the words at its end that spell another one.
fn without(name: String, other: &str) -> String {
    let ends = name.match_indices(' ').find(|(at, _)| same_name(&name[at + 1..], other)).map(|(at, _)| at);
    ends.map_or(name.clone(), |at| name[..at].trim_end().to_owned())
}
