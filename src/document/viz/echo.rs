//! Print that says what the machine-readable zone says, wherever it stands: names with their blanks and diacritics.
//!
//! The zone knows a name's letters, the print knows how the name is written. No caption is needed to find it.

use crate::document::agree::spellings;
use crate::document::field::{Candidate, FieldName};
use crate::document::person_name::reading_order;
use crate::document::text::squeeze;

use super::pairs::is_machine_zone;
use super::{Context, candidate};

/// More words than this no part of a name has.
const MOST_WORDS: usize = 9;
/// A line that the recogniser is less sure of than this is no better than the zone.
const SURE: f32 = 0.8;

/// The surname, the given names and the name as printed, where the print has what the zone has.
pub(super) fn read(context: &Context<'_>) -> Vec<Candidate> {
    let zone = |name| context.zones.iter().find(|candidate| candidate.name == name).map(|candidate| candidate.value.as_str());
    let surname = zone(FieldName::Surname).and_then(|value| printed(context, FieldName::Surname, value));
    let given = zone(FieldName::GivenNames).and_then(|value| printed(context, FieldName::GivenNames, value));
    let mut found: Vec<Candidate> = Vec::new();
    if let (Some(surname), Some(given)) = (&surname, &given) {
        let quad = surname.quad.unwrap_or_default();
        let raw = format!("{}\n{}", surname.raw, given.raw);
        let confidence = surname.confidence.min(given.confidence);
        found.push(candidate(FieldName::Name, reading_order(&given.value, &surname.value), &raw, surname.side, confidence, quad));
    }
    found.extend(surname);
    found.extend(given);
    found
}

/// The print of one part of the name.
fn printed(context: &Context<'_>, name: FieldName, value: &str) -> Option<Candidate> {
    let wanted = squeeze(value);
    if wanted.chars().count() < 2 {
        return None;
    }
    let mut best: Option<(f32, Candidate)> = None;
    for sheet in context.sheets {
        for line in sheet.lines.iter().filter(|line| !line.upright && line.confidence >= SURE && !is_machine_zone(line)) {
            let text: String = line.chars.iter().collect();
            let Some(print) = window(&text, &wanted) else { continue };
            // A line of its own is likelier to be the field than a word in a signature or a remark; small letters beside
            // capitals elsewhere are a signature.
            let own_line = squeeze(&text) == squeeze(&print);
            let score = line.confidence + if own_line { 0.3 } else { 0.0 } + 0.002 * line.edges.height().min(50.0);
            if best.as_ref().is_none_or(|(least, _)| score > *least) {
                best = Some((score, candidate(name, print, &text, sheet.side, line.confidence, line.quad)));
            }
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The words of a text that spell the wanted letters, as they are printed.
fn window(text: &str, wanted: &str) -> Option<String> {
    let words: Vec<&str> = text.split([' ', '/', ':', '|']).filter(|word| !word.is_empty()).collect();
    for start in 0..words.len() {
        for end in start + 1..=(start + MOST_WORDS).min(words.len()) {
            let print = words[start..end].join(" ");
            let length = squeeze(&print).chars().count();
            if length > wanted.chars().count() + 4 {
                break;
            }
            if print.chars().any(|c| c.is_ascii_digit()) {
                continue;
            }
            if length + 4 >= wanted.chars().count() && spellings(&print).iter().any(|spelling| spelling == wanted) {
                return Some(print.trim_matches(|c: char| !c.is_alphabetic() && c != '.').to_owned());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::window;

    #[test]
    fn print_is_found_by_its_letters() {
        assert_eq!(window("Surname/Nom ØSTERGÅRD", "OESTERGAARD").as_deref(), Some("ØSTERGÅRD"));
        assert_eq!(window("MARI-LIIS", "MARILIIS").as_deref(), Some("MARI-LIIS"));
        assert_eq!(window("MARTIN", "MARTINE"), None);
    }
}
