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

/// Print that is read with less confidence than this is not given: an empty field is better than a wrong one.
const LEAST: f32 = 0.5;
/// The same where another zone says something else.
const LEAST_WHEN_OPPOSED: f32 = 0.75;

/// The same of a name that only the zone has: the product over its letters. On evaluation documents all four names under
/// it were wrong, and of ten between it and 0.6 one.
const LEAST_BY_ZONE_ALONE: f32 = 0.25;

/// The same where the zone has no given names, or no surname.
const LEAST_IN_ONE_PIECE: f32 = 0.75;

/// Two readings of one zone whose trust differs by less contradict each other.
const NEARLY_AS_TRUSTED: f32 = 0.15;

/// Print is preferred to the zone's letters when its reader is at least so sure.
const PRINT_IS_SURE: f32 = 0.6;

/// Fuses the readings of all zones.
pub(crate) fn fuse(candidates: Vec<Candidate>) -> Fused {
    let mut by_name: BTreeMap<FieldName, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_name.entry(candidate.name).or_default().push(candidate);
    }
    let by_zone = |name| by_name.get(&name).is_some_and(|readings| readings.iter().any(|reading| reading.source == Source::Mrz));
    let zone_lacks_a_part = by_zone(FieldName::Surname) != by_zone(FieldName::GivenNames);
    let mut fused = Fused::default();
    for (name, mut readings) in by_name {
        // A name of fillers is worse than none.
        readings.retain(|reading| reading.source != Source::Mrz || !is_name(name) || !looks_like_fillers(&reading.value));
        readings.sort_by(by_trust);
        let mut readings = readings.into_iter();
        let Some(mut chosen) = readings.next() else { continue };
        let zone = (chosen.source == Source::Mrz && is_name(name)).then(|| chosen.clone());
        let (mut agreed, mut conflict) = (false, false);
        let mut others: Vec<Candidate> = Vec::new();
        for other in readings {
            if agree(name, &chosen.value, &other.value) {
                agreed |= other.source != chosen.source;
                // The zone has no diacritics and hyphens; print that spells the same name is how the name is written.
                if zone.as_ref().is_some_and(|zone| *zone == chosen) && other.source == Source::Viz && other.confidence > PRINT_IS_SURE {
                    chosen = other;
                }
            } else {
                let is_near =
                    matches!(name, FieldName::Name | FieldName::DateOfBirth) && trust(&chosen) - trust(&other) < NEARLY_AS_TRUSTED;
                conflict |= if other.source == chosen.source { is_near } else { other.confidence > 0.5 || is_name(name) };
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
        let least = if conflict && !agreed { LEAST_WHEN_OPPOSED } else { LEAST };
        let is_weak = match chosen.source {
            Source::Viz => is_key(name) && chosen.confidence < least,
            // No check digit stands over names. One in one piece is mostly one whose fillers were read as letters.
            Source::Mrz if is_name(name) && !agreed => {
                chosen.confidence < if zone_lacks_a_part { LEAST_IN_ONE_PIECE } else { LEAST_BY_ZONE_ALONE }
            }
            Source::Mrz if is_name(name) => false,
            // A zone whose digits contradict each other proves nothing.
            Source::Mrz => is_key(name) && !agreed && is_refuted(&chosen),
            Source::SignedQr | Source::Pdf417 | Source::Qr | Source::Derived | Source::Remote => false,
        };
        if is_weak {
            fused.warnings.push(format!("{} was read with too little certainty to be given", spoken(name)));
            continue;
        }
        if chosen.checks.contains(&Check::CheckDigitFailed) {
            fused.warnings.push(format!("the check digit of {} does not hold", spoken(name)));
        } else if chosen.checks.contains(&Check::FormatFailed) {
            fused.warnings.push(format!("{} fails a plausibility check", spoken(name)));
        }
        fused.fields.insert(name, Field { chosen, others });
    }
    fused
}

/// The fields that tell who somebody is.
fn is_key(name: FieldName) -> bool {
    matches!(name, FieldName::IdNumber | FieldName::DateOfBirth) || is_name(name)
}

/// Whether the zone's own digits speak against a reading of it: the composite digit, and that it was repaired or its own
/// digit fails.
fn is_refuted(candidate: &Candidate) -> bool {
    let has = |check| candidate.checks.contains(&check);
    has(Check::CompositeFailed) && (has(Check::Repaired) || has(Check::CheckDigitFailed))
}

fn leaves_open(candidate: &Candidate) -> bool {
    match candidate.name {
        FieldName::DateOfBirth => candidate.value.len() == 4,
        FieldName::Gender => candidate.value == "X",
        FieldName::IdNumber => candidate.value.chars().all(|c| c == '0'),
        _ => false,
    }
}

fn is_name(name: FieldName) -> bool {
    matches!(name, FieldName::Name | FieldName::Surname | FieldName::GivenNames)
}

/// Fillers that were read as letters come as short words, or long runs, of the same few letters.
fn looks_like_fillers(name: &str) -> bool {
    let filler = |c: char| matches!(c, 'C' | 'K' | 'E' | 'L' | 'S' | 'A');
    let short = name.split(' ').filter(|word| word.len() <= 4 && word.chars().all(filler)).count();
    let hooks = |word: &str| word.chars().filter(|c| matches!(c, 'C' | 'K')).count();
    let words = name.split(' ').filter(|word| word.chars().all(filler) && hooks(word) >= 3).count();
    let letters: Vec<char> = name.chars().collect();
    short >= 2 || words >= 1 || letters.windows(7).any(|run| run.iter().all(|c| filler(*c)))
}

/// Most trusted first: by source, then checks, then confidence.
fn by_trust(a: &Candidate, b: &Candidate) -> Ordering {
    trust(b).total_cmp(&trust(a))
}

fn trust(candidate: &Candidate) -> f32 {
    let has = |check| candidate.checks.contains(&check);
    let source = match candidate.source {
        // What the zone leaves open says less than any print: a year for a date, no sex, a number of noughts.
        Source::Mrz if leaves_open(candidate) || is_refuted(candidate) => 1.2,
        Source::SignedQr => 5.0,
        Source::Mrz if has(Check::CheckDigitOk) || has(Check::CompositeOk) => 4.0,
        Source::Pdf417 => 3.0,
        Source::Qr => 2.5,
        // Names have no check digit, yet the zone's are not mixed up with captions and headings.
        Source::Mrz if is_name(candidate.name) => 2.2,
        Source::Mrz => 1.6,
        // Print that was found by the zone's letters, and is clearer.
        Source::Viz if (has(Check::CrossMatch) || has(Check::Repaired)) && is_name(candidate.name) => 2.5,
        Source::Viz => 1.5,
        Source::Derived | Source::Remote => 0.5,
    };
    // A check that fails takes a reading behind those of less trusted zones that stand unopposed.
    let failed = if has(Check::CheckDigitFailed) { -2.0 } else { 0.0 };
    // What breaks its issuer's rules gives way to a reading of the same zone that does not.
    let broken = if has(Check::FormatFailed) { -0.5 } else { 0.0 };
    source + failed + broken + 0.9 * candidate.confidence
}

/// The field's name as a sentence has it: its key in the event.
fn spoken(name: FieldName) -> String {
    match serde_json::to_value(name) {
        Ok(serde_json::Value::String(key)) => key,
        _ => String::from("a field"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::field::Side;

    fn reading(name: FieldName, value: &str, source: Source, confidence: f32) -> Candidate {
        let (value, raw) = (value.to_owned(), String::new());
        Candidate { name, value, raw, source, side: Side::Front, confidence, quad: None, checks: Vec::new() }
    }

    #[test]
    fn a_name_that_only_a_blurred_zone_has_is_not_given() {
        let given = |confidence: f32, print: Option<&str>| {
            let zone = [(FieldName::Surname, "ROSI"), (FieldName::GivenNames, "MARIA"), (FieldName::Name, "MARIA ROSI")];
            let mut candidates: Vec<_> = zone.iter().map(|(name, value)| reading(*name, value, Source::Mrz, confidence)).collect();
            candidates.extend(print.map(|print| reading(FieldName::Name, print, Source::Viz, 0.7)));
            let fused = fuse(candidates);
            let is_told = fused.warnings.iter().any(|warning| warning.starts_with("name was read with too little certainty"));
            assert_ne!(is_told, fused.fields.contains_key(&FieldName::Name));
            !is_told
        };
        assert!(!given(0.1, None));
        assert!(given(0.6, None));
        assert!(given(0.1, Some("MARIA ROSI")));
    }

    #[test]
    fn a_zones_name_in_one_piece_has_to_be_surer() {
        let is_given = |confidence| {
            let fused = fuse(vec![reading(FieldName::Surname, "ROSSICCMARIA", Source::Mrz, confidence)]);
            fused.fields.contains_key(&FieldName::Surname)
        };
        assert!(!is_given(0.7));
        assert!(is_given(0.8));
    }
}
