//! The captions of a side, each in all its languages: words that say the same in one line or on top of each other are one.

use crate::document::labels::{Caption, Kind, Kinds};
use crate::document::layout::{Edges, TextLine};
use crate::document::text::fold;

/// One caption, in all its languages.
#[derive(Clone, Copy)]
pub(super) struct Label {
    /// What its words may mean together.
    pub(super) kinds: Kinds,
    /// What it announces, in the light of the other captions.
    pub(super) kind: Kind,
    /// The box of all its words.
    pub(super) edges: Edges,
    /// Line of the last of its words.
    pub(super) line: usize,
    /// The character after the last of its words, for values in the same line.
    pub(super) end: usize,
}

/// Joins the captions of a line that say the same in several languages. The number is each group's first character.
pub(super) fn group(line: &TextLine, index: usize, captions: &[Caption]) -> Vec<(usize, Label)> {
    let mut groups: Vec<(usize, Label)> = Vec::new();
    for caption in captions {
        // Within a sentence a word is no caption.
        let before = groups.last().map_or(0, |(_, last)| last.end);
        let words = line.slice(before, caption.start);
        if words.split_whitespace().filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() >= 3).count() >= 3 {
            continue;
        }
        if let Some((start, last)) = groups.last_mut() {
            let between = line.slice(last.end, caption.start);
            if let Some(kinds) = joined(last.kinds, caption.kinds, &between) {
                *last = Label { kinds, end: caption.end, edges: line.edges_of(*start, caption.end), ..*last };
                join_last(line, &mut groups);
                continue;
            }
        }
        // A word and a slash before it are the caption in a script of its own: its value stands below both.
        let start = if words.trim_end().ends_with('/') { before } else { caption.start };
        let edges = line.edges_of(start, caption.end);
        groups.push((caption.start, Label { kinds: caption.kinds, kind: Kind::Other, edges, line: index, end: caption.end }));
    }
    groups
}

/// Joins the last two groups where they say the same: `Name, Vorname / Nom, Prénom`.
fn join_last(line: &TextLine, groups: &mut Vec<(usize, Label)>) {
    let [.., (start, before), (last_start, last)] = groups.as_slice() else { return };
    let words = line.slice(before.end, *last_start).chars().any(char::is_alphanumeric);
    // `SLOINNE AINM/SURNAME FORENAME`: the first of four words announces no more than all of them.
    let whole = Some(last.kinds).filter(|kinds| kinds.has(Kind::SurnameFirst) && before.kinds.is_name());
    let Some(kinds) = before.kinds.common(last.kinds).or(whole).filter(|_| !words) else { return };
    let joined = (*start, Label { kinds, end: last.end, edges: line.edges_of(*start, last.end), ..*before });
    groups.truncate(groups.len() - 2);
    groups.push(joined);
}

/// What two neighbouring captions mean together, if they are one caption.
fn joined(a: Kinds, b: Kinds, between: &str) -> Option<Kinds> {
    let word = fold(between.trim_matches(|c: char| !c.is_alphanumeric()));
    let linked = ["AND", "ET", "Y", "E", "UND", "EN", "I", "OG", "OCH", "A", "SI"].contains(&word.as_str());
    if !word.is_empty() && !linked {
        // One word between two captions that say the same is the caption in one more language: `Cognome Num Surname`.
        return a.common(b).filter(|_| is_small_word(between));
    }
    match a.common(b) {
        Some(common) => Some(common),
        // `NOM Prénoms NAME Forenames`.
        None if a.has(Kind::SurnameFirst) && b.is_name() => Some(a),
        None if b.has(Kind::SurnameFirst) && a.is_name() => Some(b),
        None if a.is_name() && b.is_name() => {
            // `Surname and given names` announces the whole name; `Ime/Name` the part that the clearer word says.
            let both_clear = !a.has(Kind::Name) && !b.has(Kind::Name);
            let linked = linked || between.contains([',', '&']);
            match (both_clear, linked) {
                (_, true) if a.has(Kind::Surname) && b == Kinds::one(Kind::GivenNames) => Some(Kinds::one(Kind::SurnameFirst)),
                // `Name and Surname`: the one word is for the given names then.
                (false, true) if a.has(Kind::Name) && b == Kinds::one(Kind::Surname) => Some(Kinds::one(Kind::Name)),
                (true, true) => Some(Kinds::one(Kind::Name)),
                (true, false) => None,
                // `Nom / Nombre`: a surname in one language and given names in the other are the whole name.
                (false, _) if a == Kinds::one(Kind::Surname) && b.has(Kind::GivenNames) => Some(Kinds::one(Kind::Name)),
                (false, _) => Some(if a.has(Kind::Name) { b } else { a }),
            }
        }
        None => None,
    }
}

/// Whether a text is one word as captions are written, and not a value in capitals, unless it stands between slashes.
fn is_small_word(text: &str) -> bool {
    if let Some(word) = text.trim().strip_prefix('/').and_then(|text| text.strip_suffix('/')) {
        return word.chars().all(char::is_alphabetic);
    }
    let mut letters = text.trim_matches(|c: char| matches!(c, ' ' | '/' | '|')).chars();
    letters.next().is_some_and(char::is_alphabetic) && letters.clone().count() >= 2 && letters.all(char::is_lowercase)
}

/// Joins captions that stand on top of each other and say the same, as bilingual documents print them.
pub(super) fn stack(labels: &mut Vec<Label>) {
    let mut index = 0;
    while index < labels.len() {
        let upper = labels[index];
        let lower = labels.iter().enumerate().skip(index + 1).find_map(|(at, lower)| {
            let gap = lower.edges.top - upper.edges.bottom;
            let height = upper.edges.height().max(lower.edges.height());
            let near = gap < 0.4 * height && lower.edges.middle() > upper.edges.bottom - 0.2 * height;
            let aligned = (lower.edges.left - upper.edges.left).abs() < height || (lower.edges.right - upper.edges.right).abs() < height;
            let kinds = joined(upper.kinds, lower.kinds, "/")?;
            (near && aligned).then_some((at, kinds))
        });
        match lower {
            Some((at, kinds)) => {
                let lower = labels.remove(at);
                labels[index] = Label { kinds, edges: upper.edges.union(&lower.edges), line: lower.line, end: lower.end, ..upper };
            }
            None => index += 1,
        }
    }
}

/// Decides what captions mean that are words for the whole name in one language and for a part of it in another.
pub(super) fn resolve_names(labels: &mut [Label]) {
    let clear = |kind| labels.iter().any(|label| label.kinds.is_name() && label.kinds == Kinds::one(kind));
    let (has_surname, has_given) = (clear(Kind::Surname), clear(Kind::GivenNames));
    for label in labels {
        let order = [
            Kind::SecondSurname,
            Kind::Relative,
            Kind::OtherName,
            Kind::BirthDate,
            Kind::BirthYear,
            Kind::Sex,
            Kind::PassportNumber,
            Kind::CardNumber,
            Kind::Number,
            Kind::IdentityNumber,
            Kind::PersonalNumber,
            Kind::Address,
            Kind::ExpiryDate,
            Kind::IssueDate,
            Kind::Nationality,
            Kind::BirthPlace,
            Kind::MiddleName,
            Kind::OtherNumber,
            Kind::Mobile,
            Kind::Authority,
            Kind::Other,
        ];
        label.kind = if label.kinds.has(Kind::SurnameFirst) {
            Kind::SurnameFirst
        // `Other names` are the given names where no others are announced.
        } else if label.kinds == Kinds::one(Kind::GivenNames).and(Kinds::one(Kind::MiddleName)) {
            if has_given { Kind::MiddleName } else { Kind::GivenNames }
        } else if label.kinds.is_name() || label.kinds.has(Kind::Name) {
            if label.kinds == Kinds::one(Kind::Surname) {
                Kind::Surname
            } else if label.kinds == Kinds::one(Kind::GivenNames) {
                Kind::GivenNames
            } else {
                match (has_surname, has_given) {
                    (true, false) => Kind::GivenNames,
                    (false, true) => Kind::Surname,
                    _ => Kind::Name,
                }
            }
        } else {
            order.into_iter().find(|kind| label.kinds.has(*kind)).unwrap_or(Kind::Other)
        };
    }
}
