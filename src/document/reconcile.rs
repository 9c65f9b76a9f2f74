//! The numbers of the machine-readable zone, held against those in print.
//!
//! One check digit allows several repairs of a number; the print tells which of them is meant, and which of two numbers
//! of a card is asked for.

use std::ops::Range;

use super::classify::Class;
use super::customs::{Custom, has};
use super::field::{Candidate, Check, FieldName, IdType, Source};
use super::layout::Sheet;
use super::mrz::check_digit::holds;
use super::mrz::{Layout, Mrz};
use super::text::squeeze;

/// Print has to be as clear as this to decide between repairs.
const CLEAR: f32 = 0.7;
/// More differing characters than this are another number, not another reading of one.
const MOST_DIFFERENCES: usize = 3;
/// Width of the number's field in a zone of any layout.
const FIELD: usize = 9;

/// Where the zone of a card of the size TD1 has room for what its issuer likes: line, and the characters in it.
const OPTIONAL_DATA: [(usize, Range<usize>); 2] = [(0, 15..30), (1, 18..29)];

/// Replaces a repaired number of the zone by the one that the print and the check digit, or the print and the zone as it
/// was recognised, agree on.
pub(crate) fn reconcile_number(candidates: &mut [Candidate], zone: &Mrz, sheets: &[Sheet]) {
    let Some(index) = candidates.iter().position(|c| c.name == FieldName::IdNumber && c.source == Source::Mrz) else { return };
    let ours = squeeze(&candidates[index].value);
    let checks = &candidates[index].checks;
    if !zone.is_repaired && !checks.iter().any(|check| matches!(check, Check::Repaired | Check::CheckDigitFailed)) {
        return;
    }
    let printed: Vec<(String, String)> = candidates
        .iter()
        .filter(|c| c.name == FieldName::IdNumber && c.source == Source::Viz && c.confidence >= CLEAR)
        .map(|c| (c.value.clone(), squeeze(&c.value)))
        .collect();
    for (value, print) in printed {
        let differing: Vec<usize> = ours.bytes().zip(print.bytes()).enumerate().filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect();
        let comparable = print.is_ascii() && ours.is_ascii() && print.len() == ours.len();
        if !comparable || !(1..=MOST_DIFFERENCES).contains(&differing.len()) {
            continue;
        }
        let agreed = blended(&ours, &print, &differing, zone).or_else(|| recognised(&print, sheets).then_some(value));
        if let Some(agreed) = agreed {
            candidates[index].value = agreed;
            candidates[index].checks.retain(|check| *check != Check::CheckDigitFailed);
            candidates[index].checks.push(Check::CrossMatch);
            return;
        }
    }
}

/// Takes the holder's number in print for the document's where the zone has it too, in its optional data, on cards of an issuer
/// whose holder's number is the one that is asked for.
pub(crate) fn prefer_holders_number(candidates: &mut Vec<Candidate>, zone: &Mrz, class: Class) {
    let of_zone = |name| candidates.iter().find(|c| c.name == name && c.source == Source::Mrz).map(|c| squeeze(&c.value));
    let (own, by_zone) = (of_zone(FieldName::IdNumber), of_zone(FieldName::IssuingCountry));
    let issuer = class.issuer.or(by_zone.as_deref());
    if class.id_type != IdType::NationalId || !has(issuer, Custom::CardIsNumberedByHolder) {
        return;
    }
    let data = OPTIONAL_DATA.into_iter().filter_map(|(line_idx, range)| zone.lines.get(line_idx)?.get(range));
    let optional: Vec<String> = data.map(squeeze).filter(|_| zone.layout == Layout::Td1).collect();
    let is_holders = |c: &Candidate| {
        let number = squeeze(&c.value);
        let is_other = own.as_ref() != Some(&number) && optional.iter().any(|data| data.contains(&number));
        c.name == FieldName::IdNumber && c.source == Source::Viz && is_other
    };
    let Some(holders) = candidates.iter().position(is_holders) else { return };
    candidates[holders].checks.push(Check::CrossMatch);
    candidates.retain(|c| c.name != FieldName::IdNumber || c.source != Source::Mrz);
}

/// The mixture of both readings, other than the zone's own, whose check digit holds and that is nearest to the print.
fn blended(ours: &str, print: &str, differing: &[usize], zone: &Mrz) -> Option<String> {
    let digit = check_digit_of(ours, zone)?;
    (1..1_u32 << differing.len())
        .filter_map(|mixture| {
            let mut bytes = ours.as_bytes().to_vec();
            for (bit, at) in differing.iter().enumerate() {
                if mixture & (1 << bit) != 0 {
                    bytes[*at] = print.as_bytes()[*at];
                }
            }
            let number = String::from_utf8(bytes).ok()?;
            holds(&format!("{number:<<FIELD$}"), digit).then_some((mixture.count_ones(), number))
        })
        .max_by_key(|(taken, _)| *taken)
        .map(|(_, number)| number)
}

/// The character after the number's field in the zone.
fn check_digit_of(number: &str, zone: &Mrz) -> Option<char> {
    zone.lines.iter().find_map(|line| {
        let at = line.find(number).filter(|at| matches!(at, 0 | 5))?;
        line.chars().nth(at + FIELD).filter(char::is_ascii_digit)
    })
}

/// Whether a line of the zone was recognised with these characters, before any rule was applied.
fn recognised(print: &str, sheets: &[Sheet]) -> bool {
    sheets.iter().flat_map(|sheet| &sheet.lines).any(|line| {
        let fillers = line.chars.iter().filter(|c| **c == '<').count();
        fillers >= 2 && line.compact.chars.iter().collect::<String>().contains(print)
    })
}
