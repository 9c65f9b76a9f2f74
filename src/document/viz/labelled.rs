//! Documents whose values stand beside captions: passports, national cards, residence permits, visas.

use time::Date;

use crate::document::address::{address, tidy};
use crate::document::date::{Century, find_date, iso};
use crate::document::field::{Candidate, FieldName, IdType};
use crate::document::labels::Kind;
use crate::document::layout::{Sheet, TextLine};
use crate::document::person_name::{person_name, reading_order};
use crate::document::text::fold;

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
    names(context, sheet, pairing, &mut push);
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
            Kind::Surname
            | Kind::SecondSurname
            | Kind::SurnameFirst
            | Kind::GivenNames
            | Kind::Name
            | Kind::MiddleName
            | Kind::OtherName
            | Kind::OtherNumber
            | Kind::Other => {}
        }
    }
    if !pairing.pairs.iter().any(|pair| matches!(pair.kind, Kind::Number)) && context.class.id_type != IdType::Passport {
        candidates.extend(lone_number(sheet, pairing));
    }
    candidates
}

/// A document number without a caption that is understood: behind `No.`, else the only line that could be one.
fn lone_number(sheet: &Sheet, pairing: &Pairing) -> Option<Candidate> {
    let free = || {
        let taken = |index| pairing.pairs.iter().any(|pair| pair.line == index && pair.kind != Kind::Other);
        let lines = sheet.lines.iter().enumerate().filter(move |(index, line)| !line.upright && !taken(*index));
        lines.map(|(_, line)| (line, line.chars.iter().collect::<String>()))
    };
    let announced = free().find_map(|(line, text)| {
        let value = if is_number_sign(&text) { beside(sheet, line)? } else { text.strip_prefix("No.")?.trim().to_owned() };
        let number = shape::number(&value).filter(|number| number.chars().filter(char::is_ascii_digit).count() >= 6)?;
        Some(candidate(FieldName::IdNumber, number, &value, sheet.side, 0.75 * line.confidence, line.quad))
    });
    if announced.is_some() {
        return announced;
    }
    let mut found = free().filter_map(|(line, text)| {
        // The United States print an `A#` before the number of an immigrant, without a blank.
        let text = text.trim_start_matches("A#").to_owned();
        let number = shape::number(&text).filter(|number| *number == text && !text.contains(['.', '/', ' ']))?;
        let letters = number.chars().filter(char::is_ascii_uppercase).count();
        let shaped = (7..=12).contains(&number.len()) && (1..=5).contains(&letters);
        // Digits in groups are nothing else, unless they are a date or a telephone number.
        let grouped = letters == 0 && number.matches('-').count() >= 2 && number.len() >= 11;
        ((shaped || grouped) && line.confidence > 0.9).then(|| candidate(FieldName::IdNumber, number, &text, sheet.side, 0.6, line.quad))
    });
    let only = found.next()?;
    found.all(|other| other.value == only.value).then_some(only)
}

/// Whether all that a line has is the abbreviation of `number`.
fn is_number_sign(text: &str) -> bool {
    matches!(text.trim_end_matches(['.', ':', ' ']), "No" | "NO" | "Nr" | "NR" | "N°" | "Nº" | "№")
}

/// The print to the right of a line, in the same row.
fn beside(sheet: &Sheet, line: &TextLine) -> Option<String> {
    let gap = |other: &TextLine| other.edges.left - line.edges.right;
    let height = line.edges.height();
    let row = sheet.lines.iter().filter(|other| other.edges.same_row(&line.edges) && (-0.3 * height..4.0 * height).contains(&gap(other)));
    row.min_by(|a, b| gap(a).total_cmp(&gap(b))).map(|other| other.chars.iter().collect())
}

/// Surname, given names and the whole name.
fn names(context: &Context<'_>, sheet: &Sheet, pairing: &Pairing, push: &mut impl FnMut(FieldName, Option<String>, &Pair)) {
    let is_bulgarian = sheet.lines.iter().any(|line| line.compact.chars.ends_with(&['B', 'U', 'L', 'G', 'A', 'R', 'I', 'A']));
    let read = |pair: &Pair| person_name(&pair.text.replace('\n', " "));
    let with = |first: String, more: Option<String>| more.map_or(first.clone(), |more| format!("{first} {more}"));
    let surname = pairing.best(Kind::Surname);
    let given = pairing.best(Kind::GivenNames);
    // Bulgaria prints the father's name as one of the holder's own, between the two others.
    let middle = pairing.best(Kind::MiddleName).or_else(|| pairing.best(Kind::Relative).filter(|_| is_bulgarian));
    let read_surname = |pair: &Pair| {
        // A name at birth follows on a line of its own now and then.
        let lines: Vec<&str> = pair.text.lines().filter(|line| !is_birth_name(line)).collect();
        person_name(&lines.join(" "))
    };
    let surname_text = surname.and_then(read_surname).map(|first| with(first, pairing.best(Kind::SecondSurname).and_then(read)));
    let given_text = given.and_then(read).map(|first| with(first, middle.and_then(read)));
    if let Some(pair) = surname {
        push(FieldName::Surname, surname_text.clone(), pair);
    }
    if let Some(pair) = given {
        push(FieldName::GivenNames, given_text.clone(), pair);
    }
    match (surname, given_text) {
        (Some(pair), Some(given_text)) => {
            // The whole is no surer than its less sure part.
            let weaker = given.filter(|given| confidence(given) < confidence(pair)).unwrap_or(pair);
            push(FieldName::Name, surname_text.map(|surname| reading_order(&given_text, &surname)), weaker);
        }
        // One part alone is the name only where the document has no caption for the other.
        (Some(pair), None) if !pairing.announces(Kind::GivenNames) => push(FieldName::Name, surname_text, pair),
        (None, Some(_)) | (Some(_), None) => {}
        (None, None) => {
            // Residence permits print the surname first, by a regulation of the Union.
            let is_permit = context.class.id_type == IdType::ResidencePermit;
            if let Some(pair) = pairing.best(Kind::SurnameFirst) {
                push(FieldName::Name, surname_first(&pair.text), pair);
            } else if let Some(pair) = pairing.best(Kind::Name) {
                push(FieldName::Name, if is_permit { surname_first(&pair.text) } else { whole_name(&pair.text) }, pair);
            }
        }
    }
}

/// Whether a line says what the holder was called at birth: `GEB. HOLLMANN`.
fn is_birth_name(line: &str) -> bool {
    let first = line.split([' ', '.']).next().unwrap_or_default();
    matches!(fold(first).as_str(), "GEB" | "GEBOREN" | "NEE" | "NE" | "EP" | "EPOUSE" | "VVE")
}

/// A name of two lines, the surname on the first.
fn surname_first(text: &str) -> Option<String> {
    match text.split_once('\n').filter(|(_, given)| !given.contains('\n')) {
        Some((surname, given)) => Some(reading_order(&person_name(given)?, &person_name(surname)?)),
        None => whole_name(text),
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
