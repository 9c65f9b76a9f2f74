//! Print that says what the machine-readable zone says, wherever it stands: names with their blanks and diacritics.
//!
//! The zone knows a name's letters, the print knows how the name is written. No caption is needed to find it.

use crate::document::field::{Candidate, Check, FieldName};
use crate::document::person_name::{person_name, reading_order};
use crate::document::text::{distance, find_phrase, squeeze};
use crate::document::translit::spellings;

use super::pairs::is_machine_zone;
use super::{Context, candidate};

/// More words than this no part of a name has.
const MOST_WORDS: usize = 9;
/// A line that the recogniser is less sure of than this is no better than the zone.
const SURE: f32 = 0.8;
/// Print that is to overrule the zone has to be as clear as this.
const CLEAR: f32 = 0.93;
/// A zone's name that is surer than this is not corrected by what stands beside another one.
const DOUBTFUL: f32 = 0.7;
/// Given names of so many letters may have been cut off by the end of the zone's line.
const ROOM: usize = 22;

/// The surname, the given names and the name as printed, where the print has what the zone has.
pub(super) fn read(context: &Context<'_>) -> Vec<Candidate> {
    let in_zone = |name| context.zones.iter().find(|candidate| candidate.name == name);
    let zone = |name| in_zone(name).map(|candidate| candidate.value.as_str());
    let surname = in_zone(FieldName::Surname).and_then(|zone| printed(context, zone));
    let given = in_zone(FieldName::GivenNames).and_then(|zone| printed(context, zone));
    let surname = surname.or_else(|| beside_given(context, given.as_ref()?));
    // Of a zone that is sure of its names, print with some of their letters is print that is cut off.
    let is_sure =
        [FieldName::Surname, FieldName::GivenNames].into_iter().all(|name| in_zone(name).is_some_and(|zone| zone.confidence >= DOUBTFUL));
    let (surname, given) = match (surname, given) {
        (None, None) if !is_sure => {
            scattered(context, zone(FieldName::Surname).unwrap_or_default(), zone(FieldName::GivenNames).unwrap_or_default())
        }
        found => found,
    };
    // A line with the whole name goes on with the surname.
    let given = given.map(|mut given| {
        if let Some(surname) = zone(FieldName::Surname)
            && let Some(rest) = given.value.strip_suffix(surname).map(str::trim_end)
            && squeeze(&given.value).len() > squeeze(zone(FieldName::GivenNames).unwrap_or_default()).len() + surname.len() / 2
            && !rest.is_empty()
        {
            given.value = rest.to_owned();
        }
        given
    });
    let mut found: Vec<Candidate> = Vec::new();
    if let (Some(surname), Some(given)) = (&surname, &given) {
        let quad = surname.quad.unwrap_or_default();
        let raw = format!("{}\n{}", surname.raw, given.raw);
        let confidence = surname.confidence.min(given.confidence);
        let mut whole = candidate(FieldName::Name, reading_order(&given.value, &surname.value), &raw, surname.side, confidence, quad);
        let is_exact = [surname, given].iter().all(|part| part.checks.contains(&Check::CrossMatch));
        whole.checks.push(if is_exact { Check::CrossMatch } else { Check::Repaired });
        found.push(whole);
    }
    found.extend(surname);
    found.extend(given);
    found
}

/// The surname that a zone spells badly, from the line that has the given names and it.
fn beside_given(context: &Context<'_>, given: &Candidate) -> Option<Candidate> {
    let zone = context.zones.iter().find(|candidate| candidate.name == FieldName::Surname)?;
    if zone.confidence >= DOUBTFUL || given.confidence < CLEAR {
        return None;
    }
    let at = given.raw.find(&given.value)?;
    let (before, behind) = (given.raw[..at].trim(), given.raw[at + given.value.len()..].trim());
    let rest = if behind.is_empty() { before } else { behind };
    let surname = person_name(rest).filter(|surname| surname.len() == rest.len())?;
    let wanted = squeeze(&zone.value);
    // Most of the letters have to be the zone's, or the line goes on with something else.
    let alike = spellings(&surname)
        .iter()
        .any(|spelling| spelling.starts_with(&wanted) || 5 * distance(spelling, &wanted) <= 3 * wanted.len().max(spelling.len()));
    let quad = given.quad.unwrap_or_default();
    let mut found = candidate(FieldName::Surname, surname, &given.raw, given.side, given.confidence, quad);
    found.checks.push(Check::Repaired);
    alike.then_some(found)
}

/// The print of one part of the name: with the check that it matches, or that it repairs what the zone spells.
fn printed(context: &Context<'_>, zone: &Candidate) -> Option<Candidate> {
    let (name, value) = (zone.name, zone.value.as_str());
    let whole = squeeze(value);
    if whole.chars().count() < 2 {
        return None;
    }
    // Fillers read as letters come last, as short words: `ANNA A`.
    let mut words: Vec<&str> = value.split(' ').collect();
    while words.len() > 1 && words.last().is_some_and(|word| word.len() <= 2) {
        words.pop();
    }
    let trimmed = squeeze(&words.concat());
    let mut print = spelled(context, name, &whole)
        .or_else(|| (trimmed != whole).then(|| spelled(context, name, &trimmed)).flatten())
        .or_else(|| nearly(context, zone, &whole))?;
    if zone.checks.contains(&Check::Repaired) {
        // The zone has its letters from this very print.
        print.checks = vec![Check::Repaired];
    }
    Some(print)
}

/// The print that spells exactly these letters.
fn spelled(context: &Context<'_>, name: FieldName, wanted: &str) -> Option<Candidate> {
    let mut best: Option<(f32, Candidate)> = None;
    for sheet in context.sheets {
        for line in sheet.lines.iter().filter(|line| !line.upright && line.confidence >= SURE && !is_machine_zone(line)) {
            let text = line.text();
            let Some(print) = window(&text, wanted) else { continue };
            // A line of its own is likelier to be the field than a word in a signature or a remark; small letters beside
            // capitals elsewhere are a signature.
            let own_line = squeeze(&text) == squeeze(&print);
            // Two letters are in many lines.
            if wanted.len() < 3 && !own_line {
                continue;
            }
            let score = line.confidence + if own_line { 0.3 } else { 0.0 } + 0.002 * line.edges.height().min(50.0);
            if best.as_ref().is_none_or(|(least, _)| score > *least) {
                let mut echo = candidate(name, print, &text, sheet.side, line.confidence, line.quad);
                echo.checks.push(Check::CrossMatch);
                best = Some((score, echo));
            }
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// A line of its own that differs in a letter or two from a zone that was read with doubt, or goes on where the zone had
/// no more room: the print is larger and clearer than the zone, whose names no digit protects.
fn nearly(context: &Context<'_>, zone: &Candidate, wanted: &str) -> Option<Candidate> {
    let length = wanted.chars().count();
    let most = match length {
        0..5 => return None,
        _ if zone.confidence >= DOUBTFUL => 0,
        5..9 => 1,
        _ => 2,
    };
    let lines = context.sheets.iter().flat_map(|sheet| sheet.lines.iter().map(move |line| (sheet.side, line)));
    let mut best: Option<(usize, Candidate)> = None;
    for (side, line) in lines.filter(|(_, line)| !line.upright && line.confidence >= CLEAR && !is_machine_zone(line)) {
        let text = line.text();
        let Some(print) = person_name(&text) else { continue };
        for spelling in spellings(&print) {
            let n = spelling.chars().count();
            let goes_on = length >= ROOM && n > length && n < length + 14 && spelling.starts_with(wanted);
            // Fillers read as letters stand at the end; a shorter print otherwise lacks a letter that was not legible.
            let fillers = n >= 4
                && wanted.strip_prefix(spelling.as_str()).is_some_and(|rest| rest.len() <= 2 && rest.chars().all(|c| "CKLX".contains(c)));
            let errors = match (goes_on || fillers, n == length) {
                (true, _) => 0,
                (false, true) if !unclear(&spelling, wanted) => distance(&spelling, wanted),
                (false, true) => continue,
                (false, false) => continue,
            };
            if errors <= most && best.as_ref().is_none_or(|(least, _)| errors < *least) {
                let mut echo = candidate(zone.name, print.clone(), &text, side, line.confidence, line.quad);
                echo.checks.push(if errors == 0 { Check::CrossMatch } else { Check::Repaired });
                best = Some((errors, echo));
            }
        }
    }
    best.map(|(_, echo)| echo)
}

/// Whether two spellings differ in letters that are strokes in print: the zone's typeface tells these apart better.
fn unclear(a: &str, b: &str) -> bool {
    a.chars().zip(b.chars()).any(|(x, y)| x != y && "ILT".contains(x) && "ILT".contains(y))
}

/// Surname and given names of a zone so blurred that they run into each other: lines of print whose letters are in it.
fn scattered(context: &Context<'_>, surname: &str, given: &str) -> (Option<Candidate>, Option<Candidate>) {
    let zone: Vec<char> = squeeze(&format!("{surname}{given}")).chars().collect();
    // Where what stands for the given names are fillers read as letters, a letter of the rest may be wrong too.
    let is_garbled = squeeze(given).chars().all(|c| "ACKELS".contains(c));
    let mut found: Vec<Candidate> = Vec::new();
    for sheet in context.sheets {
        for line in sheet.lines.iter().filter(|line| !line.upright && line.confidence >= SURE && !is_machine_zone(line)) {
            let text = line.text();
            let Some(print) = person_name(&text).filter(|print| squeeze(print).chars().count() >= 4) else { continue };
            let inside = spellings(&print).iter().any(|spelling| {
                let letters: Vec<char> = spelling.chars().collect();
                find_phrase(&zone, &letters, usize::from(is_garbled && letters.len() >= 7)).is_some()
            });
            if inside && !found.iter().any(|other| squeeze(&other.value) == squeeze(&print)) {
                found.push(candidate(FieldName::Surname, print, &text, sheet.side, 0.8 * line.confidence, line.quad));
            }
        }
    }
    match <[Candidate; 2]>::try_from(found) {
        // Issuers print the surname first.
        Ok([surname, given]) => {
            let checked = |mut echo: Candidate, name| {
                echo.name = name;
                echo.checks.push(Check::CrossMatch);
                Some(echo)
            };
            (checked(surname, FieldName::Surname), checked(given, FieldName::GivenNames))
        }
        Err(_) => (None, None),
    }
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
