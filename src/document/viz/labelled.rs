//! Documents whose values stand beside captions: passports, national cards, residence permits, visas.

use time::Date;

use crate::document::address::{address, tidy};
use crate::document::customs::{Custom, has};
use crate::document::date::{Century, find_date, iso};
use crate::document::field::{Candidate, FieldName, IdType};
use crate::document::labels::{Kind, Shape};
use crate::document::layout::{Sheet, TextLine};
use crate::document::person_name::{announced_name, reading_order};
use crate::document::text::fold;

use super::pairs::{Pair, Pairing, is_captioned};
use super::sex::{is_foreign_letter, sex};
use super::two_scripts::{is_echo, latin_half, latin_lines};
use super::unclear_number::{announced_number, lone_number, signed_number};
use super::{Context, candidate, shape};

/// Confidence of a value that stands where it is expected; what stands less well gets less.
const AT_ITS_PLACE: f32 = 0.9;

/// Reads all captioned values of both sides.
pub(super) fn read(context: &Context<'_>, pairings: &[Pairing]) -> Vec<Candidate> {
    context.sheets.iter().zip(pairings).flat_map(|(sheet, pairing)| read_sheet(context, sheet, pairing)).collect()
}

/// Reads the captioned values of one side.
pub(super) fn read_sheet(context: &Context<'_>, sheet: &Sheet, pairing: &Pairing) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let mut push = |name, value: Option<String>, pair: &Pair| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            candidates.push(candidate(name, value, &pair.text, sheet.side, confidence(pair), pair.quad));
        }
    };
    names(context, sheet, pairing, &mut push);
    // A licence or a passport has a number beside its holder's.
    let is_licence = context.class.id_type == IdType::DrivingLicence;
    let own = own_numbers(context);
    let is_numbered = pairing.pairs.iter().any(|pair| match pair.kind {
        Kind::Number => true,
        Kind::PassportNumber => own.contains(&Kind::PassportNumber),
        Kind::CardNumber => !is_licence,
        _ => false,
    });
    let announced = if is_numbered { None } else { announced_number(sheet, pairing) };
    let is_other = match context.class.id_type {
        IdType::Passport => true,
        IdType::DrivingLicence => !has(context.class.issuer, Custom::LicenceIsNumberedByHolder) || is_numbered,
        IdType::NationalId | IdType::ResidencePermit | IdType::Visa | IdType::Pan | IdType::Aadhaar | IdType::VoterId | IdType::Unknown => {
            false
        }
    };
    for pair in pairing.pairs.iter().filter(|pair| pair.kind != Kind::CardNumber || !is_licence) {
        let (shape, Some(field)) = pair.kind.value() else { continue };
        let value = match shape {
            Shape::Name => read_name(context, &pair.text),
            Shape::Date if field == FieldName::DateOfBirth && has(context.class.issuer, Custom::DatesOfTwoCalendars) => {
                let line = sheet.lines[pair.line].text();
                birth_date(context, line.rsplit('|').next().unwrap_or_default()).map(iso)
            }
            Shape::Date if field == FieldName::DateOfBirth => birth_date(context, &pair.text).map(iso),
            Shape::Date => any_date(context, &pair.text),
            Shape::Year => year(&pair.text, context.today),
            Shape::Sex => read_sex(context, &pair.text),
            Shape::Number => shape::number(&pair.text),
            // Passports rarely print one, and what is taken for one is a heading unless it has the number of a house.
            Shape::Address if context.class.id_type == IdType::Passport && !pair.text.contains(|c: char| c.is_ascii_digit()) => None,
            // `District: Palpa` is a part of an address, whose other parts have captions of their own, too.
            Shape::Address if is_captioned(&pair.text) && !pair.text.contains(|c: char| c.is_ascii_digit()) => None,
            Shape::Address => address(&pair.text),
            Shape::State | Shape::Place | Shape::Telephone | Shape::Any => Some(tidy(&pair.text)),
        };
        let field = match pair.kind {
            Kind::IdentityNumber if is_other => FieldName::PersonalNumber,
            Kind::Number | Kind::PassportNumber | Kind::CardNumber | Kind::IdentityNumber => {
                match number_field(context, pairing, pair.kind) {
                    Some(field) => field,
                    None => continue,
                }
            }
            _ => field,
        };
        push(field, value, pair);
    }
    if !pairing.pairs.iter().any(|pair| own.contains(&pair.kind)) && context.class.id_type != IdType::Passport {
        candidates.extend(announced.or_else(|| signed_number(sheet, pairing)).or_else(|| lone_number(context, sheet, pairing)));
    } else if is_other {
        candidates.extend(announced);
    }
    candidates
}

/// Which kinds of numbers may be the document's own, the likeliest first.
///
/// Its own number comes before a person's, and a card's last, but where cards are numbered by their holder. That of a passport
/// is a passport's own, and in visas, whose zones have it too; other cards print the one of their holder.
fn own_numbers(context: &Context<'_>) -> &'static [Kind] {
    use Kind::{CardNumber, IdentityNumber, Number, PassportNumber};
    match context.class.id_type {
        IdType::NationalId if has(context.class.issuer, Custom::CardIsNumberedByHolder) => &[IdentityNumber, Number, CardNumber],
        IdType::Passport | IdType::Unknown => &[PassportNumber, Number, IdentityNumber, CardNumber],
        IdType::Visa => &[Number, PassportNumber, IdentityNumber, CardNumber],
        IdType::NationalId | IdType::DrivingLicence | IdType::ResidencePermit | IdType::Pan | IdType::Aadhaar | IdType::VoterId => {
            &[Number, IdentityNumber, CardNumber]
        }
    }
}

/// Which field a number is whose caption says what it is the number of; none where another one of the side is what is asked for.
fn number_field(context: &Context<'_>, pairing: &Pairing, kind: Kind) -> Option<FieldName> {
    let has = |kind: Kind, is_asked: fn(&Pair) -> bool| pairing.pairs.iter().any(|pair| pair.kind == kind && is_asked(pair));
    let mut own = own_numbers(context).iter().copied();
    // What says that it is another card's is taken where nothing else is there: the card may be that one.
    let first = own.clone().find(|kind| has(*kind, |pair| !begins_with_card(&pair.text))).or_else(|| own.find(|kind| has(*kind, |_| true)));
    match kind {
        _ if first == Some(kind) => Some(FieldName::IdNumber),
        Kind::IdentityNumber => Some(FieldName::PersonalNumber),
        _ => None,
    }
}

/// Whether a number begins with what an identity card is called for short: `BI 110104718293J`.
fn begins_with_card(number: &str) -> bool {
    number.split_once(' ').is_some_and(|(word, _)| ["BI", "CC", "CI", "CIN", "CNI", "DNI", "NIC", "NRC", "RG"].contains(&word))
}

/// The sex, by the letters of the document's issuer.
fn read_sex(context: &Context<'_>, text: &str) -> Option<String> {
    let (issuer, has_curp) = (context.class.issuer, context.sheets.iter().flat_map(|sheet| &sheet.lines).any(begins_curp));
    let is_mexican = (has(issuer, Custom::WomanIsM) || has_curp) && context.class.id_type != IdType::Passport;
    match text.trim() {
        "M" if is_mexican => Some("F".to_owned()),
        "H" if is_mexican => Some("M".to_owned()),
        text if is_foreign_letter(text, issuer) => None,
        text => sex(text).map(str::to_owned),
    }
}

/// Whether a line announces the number of persons in Mexico.
fn begins_curp(line: &TextLine) -> bool {
    line.chars.starts_with(&['C', 'U', 'R', 'P'])
}

/// Surname, given names and the whole name.
fn names(context: &Context<'_>, sheet: &Sheet, pairing: &Pairing, push: &mut impl FnMut(FieldName, Option<String>, &Pair)) {
    let read = |pair: &Pair| latin_below(context, sheet, pair).or_else(|| read_name(context, &pair.text));
    let with = |first: String, more: Option<String>| more.map_or(first.clone(), |more| format!("{first} {more}"));
    // Residence permits print the surname first, by a regulation of the Union, and so do passports.
    let is_surname_first = matches!(context.class.id_type, IdType::ResidencePermit | IdType::Passport);
    let surname = pairing.best(Kind::Surname);
    let given = pairing.best(Kind::GivenNames);
    let fathers = || pairing.best(Kind::Relative).filter(|_| has(context.class.issuer, Custom::FathersNameInTheMiddle));
    let middle = pairing.best(Kind::MiddleName).or_else(fathers);
    let read_surname = |pair: &Pair| {
        // A name at birth follows on a line of its own now and then.
        let lines: Vec<&str> = pair.text.lines().filter(|line| !is_birth_name(line)).collect();
        latin_below(context, sheet, pair).or_else(|| read_name(context, &lines.join("\n")))
    };
    // `Name/Nom` above `SURNAME, GIVEN NAMES`.
    let both = surname.filter(|_| !pairing.announces(Kind::GivenNames)).and_then(|pair| {
        let (surname, given) = pair.text.split_once(',')?;
        Some((pair, announced_name(surname)?, announced_name(given)?))
    });
    if let Some((pair, surname, given)) = both {
        push(FieldName::Name, Some(reading_order(&given, &surname)), pair);
        push(FieldName::Surname, Some(surname), pair);
        push(FieldName::GivenNames, Some(given), pair);
        return;
    }
    let surname_text = surname.and_then(read_surname).map(|first| with(first, pairing.best(Kind::SecondSurname).and_then(read)));
    let given_text = given.and_then(read).map(|first| with(first, middle.and_then(read)));
    if let Some(pair) = surname {
        push(FieldName::Surname, surname_text.clone(), pair);
    }
    if let Some(pair) = given {
        push(FieldName::GivenNames, given_text.clone(), pair);
    }
    match (surname, given_text) {
        // A second surname that is announced and was not found is missing.
        (Some(_), Some(_)) if pairing.announces(Kind::SecondSurname) && pairing.best(Kind::SecondSurname).is_none() => {}
        (Some(pair), Some(given_text)) => {
            // The whole is no surer than its less sure part.
            let weaker = given.filter(|given| confidence(given) < confidence(pair)).unwrap_or(pair);
            push(FieldName::Name, surname_text.map(|surname| reading_order(&given_text, &surname)), weaker);
        }
        // Some languages have one word for surname and name. One part alone is no name: the caption of the other one may be
        // what was not legible.
        (Some(pair), None) if !pairing.announces(Kind::GivenNames) && is_surname_first && pair.text.contains('\n') => {
            push(FieldName::Name, surname_first(context, &pair.text), pair);
        }
        (None, Some(_)) | (Some(_), None) => {}
        (None, None) => {
            if let Some(pair) = pairing.best(Kind::SurnameFirst) {
                // One word is the surname alone: the captions of two columns were recognised as one.
                push(FieldName::Name, surname_first(context, &pair.text).filter(|name| name.contains(' ')), pair);
            } else if let Some(pair) = pairing.best(Kind::Name) {
                push(
                    FieldName::Name,
                    if is_surname_first { surname_first(context, &pair.text) } else { whole_name(context, &pair.text) },
                    pair,
                );
            }
        }
    }
}

/// Whether a line says what the holder was called at birth: `GEB. HOLLMANN`.
fn is_birth_name(line: &str) -> bool {
    let first = line.split([' ', '.']).next().unwrap_or_default();
    matches!(fold(first).as_str(), "GEB" | "GEBOREN" | "NEE" | "NE" | "EP" | "EPOUSE" | "VVE")
}

/// The name in the lines of a value, without what says the same in another script.
fn read_name(context: &Context<'_>, text: &str) -> Option<String> {
    let issuer = context.class.issuer;
    let lines: Vec<&str> = text.lines().map(|line| latin_half(line, issuer)).collect();
    announced_name(&latin_lines(&lines, issuer).join(" "))
}

/// The name in Latin letters below the same in another script, where values stand beside their captions.
fn latin_below(context: &Context<'_>, sheet: &Sheet, pair: &Pair) -> Option<String> {
    let below = sheet.lines[sheet.below(&pair.edges, pair.edges.left)?].text();
    announced_name(&below).filter(|_| is_echo(&pair.text, &below, context.class.issuer))
}

/// A name of two lines, the surname on the first.
fn surname_first(context: &Context<'_>, text: &str) -> Option<String> {
    match latin_lines(&text.lines().collect::<Vec<_>>(), context.class.issuer)[..] {
        [surname, given] => Some(reading_order(&announced_name(given)?, &announced_name(surname)?)),
        _ => whole_name(context, text),
    }
}

/// A name printed `SURNAME, GIVEN NAMES` is put in reading order.
pub(super) fn whole_name(context: &Context<'_>, text: &str) -> Option<String> {
    match text.split('\n').collect::<Vec<_>>()[..] {
        // Three lines are two surnames and then the given names, as Mexico prints them.
        [first, second, given] => {
            return Some(reading_order(&announced_name(given)?, &announced_name(&format!("{first} {second}"))?));
        }
        [surname, given] if surname.trim_end().ends_with(',') => {
            return Some(reading_order(&announced_name(given)?, &announced_name(surname)?));
        }
        _ => {}
    }
    let name = read_name(context, text)?;
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
