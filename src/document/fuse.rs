//! Many readings of a field become one: the most trusted zone wins, agreement makes sure, conflicts are told.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::agree::agree;
use super::field::{Candidate, Check, Field, FieldName, Source};

/// What fusing yields.
#[derive(Default)]
pub(crate) struct Fused {
    /// A field per name that any zone read.
    pub(crate) fields: BTreeMap<FieldName, Field>,
    /// Sentences about conflicts and failed checks; they name fields, never values.
    pub(crate) warnings: Vec<String>,
}

/// How much agreement of two independent zones leaves of the doubt.
const DOUBT_LEFT_BY_AGREEMENT: f32 = 0.3;

/// Fuses the readings of all zones.
pub(crate) fn fuse(candidates: Vec<Candidate>) -> Fused {
    let mut by_name: BTreeMap<FieldName, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_name.entry(candidate.name).or_default().push(candidate);
    }
    let mut fused = Fused::default();
    for (name, mut readings) in by_name {
        readings.sort_by(by_trust);
        let mut readings = readings.into_iter();
        let Some(mut chosen) = readings.next() else { continue };
        let (mut agreed, mut conflict) = (false, false);
        let mut others: Vec<Candidate> = Vec::new();
        for other in readings {
            if agree(name, &chosen.value, &other.value) {
                agreed |= other.source != chosen.source;
            } else {
                conflict |= other.source != chosen.source && other.confidence > 0.5;
                others.push(other);
            }
        }
        if agreed {
            chosen.checks.push(Check::CrossMatch);
            chosen.confidence = 1.0 - (1.0 - chosen.confidence) * DOUBT_LEFT_BY_AGREEMENT;
        } else if conflict {
            chosen.checks.push(Check::CrossMismatch);
            fused.warnings.push(format!("{} reads differently in two zones of the document", spoken(name)));
        }
        if chosen.checks.contains(&Check::CheckDigitFailed) {
            fused.warnings.push(format!("the check digit of {} does not hold", spoken(name)));
        }
        fused.fields.insert(name, Field { chosen, others });
    }
    fused
}

/// Most trusted first: by source, then checks, then confidence.
fn by_trust(a: &Candidate, b: &Candidate) -> Ordering {
    trust(b).total_cmp(&trust(a))
}

fn trust(candidate: &Candidate) -> f32 {
    let has = |check| candidate.checks.contains(&check);
    let source = match candidate.source {
        Source::SignedQr => 5.0,
        Source::Mrz if has(Check::CheckDigitOk) || has(Check::CompositeOk) => 4.0,
        Source::Pdf417 => 3.0,
        Source::Qr => 2.5,
        Source::Mrz => 1.6,
        Source::Viz => 1.5,
        Source::Derived | Source::Remote => 0.5,
    };
    // A check that fails takes a reading behind those of less trusted zones that stand unopposed.
    let failed = if has(Check::CheckDigitFailed) { -2.0 } else { 0.0 };
    source + failed + 0.9 * candidate.confidence
}

/// The field's name as a sentence has it: its key in the event.
fn spoken(name: FieldName) -> String {
    match serde_json::to_value(name) {
        Ok(serde_json::Value::String(key)) => key,
        _ => String::from("a field"),
    }
}
