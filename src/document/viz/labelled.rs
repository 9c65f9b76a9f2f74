//! Documents whose values stand beside captions: passports, national cards, residence permits, visas.

use time::Date;

use crate::document::address::{address, tidy};
use crate::document::date::{Century, find_date, iso};
use crate::document::field::{Candidate, FieldName, IdType};
use crate::document::labels::Kind;
use crate::document::layout::Sheet;
use crate::document::person_name::{person_name, reading_order};

use super::pairs::{Pair, Pairing, pair};
use super::{Context, candidate, shape};

/// Confidence of a value that stands where it is expected; what stands less well gets less.
const AT_ITS_PLACE: f32 = 0.9;

/// Reads all captioned values of both sides.
pub(crate) fn read(context: &Context<'_>) -> Vec<Candidate> {
    context.sheets.iter().flat_map(|sheet| read_sheet(context, sheet, &pair(sheet))).collect()
}

/// Reads the captioned values of one side.
pub(super) fn read_sheet(context: &Context<'_>, sheet: &Sheet, pairing: &Pairing) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let mut push = |name, value: Option<String>, pair: &Pair| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            candidates.push(candidate(name, value, &pair.text, sheet.side, confidence(pair), pair.quad));
        }
    };
    // In Mexico M is for `mujer`, H for `hombre`.
    let mexican = sheet.lines.iter().any(|line| line.chars.starts_with(&['C', 'U', 'R', 'P']));
    names(pairing, &mut push);
    for pair in &pairing.pairs {
        match pair.kind {
            Kind::BirthDate => push(FieldName::DateOfBirth, birth_date(context, &pair.text).map(iso), pair),
            Kind::BirthYear => push(FieldName::DateOfBirth, year(&pair.text, context.today), pair),
            Kind::IssueDate => push(FieldName::IssueDate, any_date(context, &pair.text), pair),
            Kind::ExpiryDate => push(FieldName::ExpiryDate, any_date(context, &pair.text), pair),
            Kind::Sex => push(
                FieldName::Gender,
                shape::sex(&pair.text).map(|sex| if mexican && sex == "M" && !pair.text.contains('H') { "F" } else { sex }.to_owned()),
                pair,
            ),
            Kind::Number => push(FieldName::IdNumber, shape::number(&pair.text), pair),
            Kind::PersonalNumber => push(FieldName::PersonalNumber, shape::number(&pair.text), pair),
            // Passports rarely print one, and what is taken for one is a heading unless it has the number of a house.
            Kind::Address if context.class.id_type == IdType::Passport && !pair.text.contains(|c: char| c.is_ascii_digit()) => {}
            Kind::Address => push(FieldName::Address, address(&pair.text), pair),
            Kind::Relative => push(FieldName::RelativeName, person_name(&pair.text), pair),
            Kind::BirthPlace => push(FieldName::PlaceOfBirth, Some(tidy(&pair.text)), pair),
            Kind::Authority => push(FieldName::Authority, Some(tidy(&pair.text)), pair),
            Kind::Mobile => push(FieldName::MobileNumber, Some(tidy(&pair.text)), pair),
            Kind::Nationality => push(FieldName::Nationality, Some(tidy(&pair.text)), pair),
            Kind::Surname | Kind::GivenNames | Kind::Name | Kind::MiddleName | Kind::OtherName | Kind::OtherNumber | Kind::Other => {}
        }
    }
    if !pairing.pairs.iter().any(|pair| matches!(pair.kind, Kind::Number)) && context.class.id_type != IdType::Passport {
        candidates.extend(lone_number(sheet, pairing));
    }
    candidates
}

/// A document number without a caption: the only line of letters and digits that could be one.
fn lone_number(sheet: &Sheet, pairing: &Pairing) -> Option<Candidate> {
    let mut found = sheet.lines.iter().enumerate().filter_map(|(index, line)| {
        let text: String = line.chars.iter().collect();
        let number = shape::number(&text).filter(|number| *number == text && !text.contains(['.', '/', ' ']))?;
        let letters = number.chars().filter(char::is_ascii_uppercase).count();
        let free = !pairing.pairs.iter().any(|pair| pair.line == index);
        let shaped = (7..=12).contains(&number.len()) && (1..=5).contains(&letters);
        (free && shaped && !line.upright && line.confidence > 0.9)
            .then(|| candidate(FieldName::IdNumber, number, &text, sheet.side, 0.6, line.quad))
    });
    let only = found.next()?;
    found.all(|other| other.value == only.value).then_some(only)
}

/// Surname, given names and the whole name.
fn names(pairing: &Pairing, push: &mut impl FnMut(FieldName, Option<String>, &Pair)) {
    let read = |pair: &Pair| person_name(&pair.text.replace('\n', " "));
    let surname = pairing.best(Kind::Surname);
    let given = pairing.best(Kind::GivenNames);
    let middle = pairing.best(Kind::MiddleName).and_then(read);
    if let Some(pair) = surname {
        push(FieldName::Surname, read(pair), pair);
    }
    let given_text = given.and_then(read).map(|given| match &middle {
        Some(middle) => format!("{given} {middle}"),
        None => given,
    });
    if let Some(pair) = given {
        push(FieldName::GivenNames, given_text.clone(), pair);
    }
    match (surname, given_text) {
        (Some(pair), Some(given_text)) => {
            // The whole is no surer than its less sure part.
            let weaker = given.filter(|given| confidence(given) < confidence(pair)).unwrap_or(pair);
            push(FieldName::Name, read(pair).map(|surname| reading_order(&given_text, &surname)), weaker);
        }
        // One part alone is the name only where the document has no caption for the other.
        (Some(pair), None) if !pairing.announces(Kind::GivenNames) => push(FieldName::Name, read(pair), pair),
        (None, Some(_)) | (Some(_), None) => {}
        (None, None) => {
            if let Some(pair) = pairing.best(Kind::Name) {
                push(FieldName::Name, whole_name(&pair.text), pair);
            }
        }
    }
}

/// A name printed `SURNAME, GIVEN NAMES` is put in reading order.
pub(super) fn whole_name(text: &str) -> Option<String> {
    let name = person_name(&text.replace('\n', " "))?;
    // Three lines are two surnames and then the given names, as Mexico prints them.
    if let [first, second, given] = text.split('\n').collect::<Vec<_>>()[..] {
        return Some(reading_order(&person_name(given)?, &person_name(&format!("{first} {second}"))?));
    }
    Some(match name.split_once(", ") {
        Some((surname, given)) if !matches!(given, "JR" | "SR" | "II" | "III" | "IV") => reading_order(given, surname),
        _ => name,
    })
}

/// A date of birth is a date that is not in the future.
pub(super) fn birth_date(context: &Context<'_>, text: &str) -> Option<Date> {
    find_date(text, context.order(), Century::Past(context.today)).filter(|date| *date <= context.today)
}

fn any_date(context: &Context<'_>, text: &str) -> Option<String> {
    find_date(text, context.order(), Century::Near(context.today)).map(iso)
}

/// A year of birth of four digits.
pub(super) fn year(text: &str, today: Date) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(4).collect();
    let year: i32 = digits.parse().ok()?;
    (1900..=today.year()).contains(&year).then_some(digits)
}

/// How sure a value is, by the recogniser and by where it stands.
pub(super) fn confidence(pair: &Pair) -> f32 {
    (pair.confidence * (AT_ITS_PLACE - 0.25 * pair.cost.max(0.0))).clamp(0.05, 1.0)
}
