//! Driving licences by the numbers of their fields, which are the same in every language of the European Economic Area
//! and in many states beside it: 1 surname, 2 given names, 3 birth, 4a issue, 4b expiry, 4c authority, 4d personal number,
//! 5 licence number, 8 address.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::address::{address, tidy};
use crate::document::date::{Century, Order, find_date, find_dates, iso};
use crate::document::field::{Candidate, FieldName};
use crate::document::labels::Kind;
use crate::document::layout::{Sheet, TextLine};
use crate::document::person_name::{has_stopword, reading_order};
use crate::document::text::plain;

use super::numbered_names::{Names, names};
use super::pairs::Pairing;
use super::two_scripts::latin_lines;
use super::{Context, candidate, shape};

/// A number at the beginning of a line, with or without its full stop; `4b` is often read `46` and `4a` `48`.
static CODE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(4 ?[ABCD6]|5A|1 ?[,.+&-] ?2|[1-9])(?:[.,:;)]+ ?| +)(.*)$").expect("the pattern is part of the program and tested")
});
/// The first two numbers, read as the letters that they look like: `I. DURAND`, `Z. Zoé`.
static LETTER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^([IL|Z])[.,:] ?([A-Z?].*)$").expect("the pattern is part of the program and tested"));
/// Codes that stand clearly without any separator: `4a01.01.2013`.
static GLUED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(4 ?[ABCD6])(.*)$").expect("the pattern is part of the program and tested"));

/// A birth date whose number is not parted from it: `314.07.1981`.
static BIRTH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(3)(\d{2}[./-]\d{2}[./-]\d{2}.*)$").expect("the pattern is part of the program and tested"));

/// A field with its number: line of the value, first character of it.
pub(super) struct Coded {
    pub(super) code: String,
    pub(super) line: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Reads the sides that number their fields.
pub(super) fn read(context: &Context<'_>, pairings: &[Pairing]) -> Vec<Candidate> {
    context.sheets.iter().zip(pairings).flat_map(|(sheet, pairing)| read_sheet(context, sheet, pairing)).collect()
}

fn read_sheet(context: &Context<'_>, sheet: &Sheet, pairing: &Pairing) -> Vec<Candidate> {
    let mut coded = coded_fields(sheet);
    let mut found = Vec::new();
    // One or two numbers may be anything; a licence shows several.
    let distinct = |coded: &[Coded]| FIELDS.iter().filter(|code| coded.iter().any(|field| field.code == **code)).count();
    // Where words announce the fields, their order is another one.
    let is_captioned = pairing.announces(Kind::BirthDate) && pairing.pairs.len() > 2;
    let by_place = if is_captioned { Vec::new() } else { fields_by_place(context, sheet) };
    if distinct(&coded) < 3 && by_place.is_empty() {
        return found;
    }
    let n_numbered = coded.len();
    let has_both = coded.iter().any(|field| field.code == "1,2");
    for field in by_place {
        let known = coded.iter().any(|other| other.code == field.code && other.line == field.line);
        let is_part_of_both = has_both && matches!(field.code.as_str(), "1" | "2");
        if !known && !is_part_of_both {
            coded.push(field);
        }
    }
    let value = |code: &str, accept: &dyn Fn(&str) -> Option<String>| {
        coded.iter().filter(|field| field.code == code).find_map(|field| {
            let line = &sheet.lines[field.line];
            Some((accept(&line.slice(field.start, field.end))?, line))
        })
    };
    let issuer = context.class.issuer;
    let mut push = |name, value: Option<(String, &TextLine)>, sure: f32| {
        found.extend(value.map(|(value, line)| candidate(name, value, &line.text(), sheet.side, sure * line.confidence, line.quad)));
    };
    let Names { surname, given, whole: both } = names(sheet, &coded, n_numbered, issuer);
    let whole = surname.as_ref().zip(given.as_ref()).map(|((surname, _), (given, line))| (reading_order(given, surname), *line));
    push(FieldName::Surname, surname, 0.9);
    push(FieldName::GivenNames, given, 0.9);
    push(FieldName::Name, both, 0.9);
    push(FieldName::Name, whole, 0.9);
    let birth = |text: &str| find_date(text, context.order(), Century::Past(context.today)).filter(|date| *date < context.today).map(iso);
    let near = |text: &str| find_date(text, context.order(), Century::Near(context.today)).map(iso);
    push(FieldName::DateOfBirth, value("3", &birth), 0.9);
    push(FieldName::PlaceOfBirth, value("3", &birth_place), 0.7);
    push(FieldName::IssueDate, value("4A", &near), 0.85);
    push(FieldName::ExpiryDate, value("4B", &near), 0.85);
    push(FieldName::Authority, value("4C", &|text| Some(tidy(text)).filter(|text| text.len() > 1)), 0.8);
    push(FieldName::PersonalNumber, value("4D", &|text| shape::number(text)), 0.85);
    push(FieldName::IdNumber, value("5", &licence_number), 0.9);
    push(FieldName::Address, address_of(sheet, &coded, issuer), 0.8);
    found
}

/// The address behind its number, with the lines below that go on with it.
fn address_of<'a>(sheet: &'a Sheet, coded: &[Coded], issuer: Option<&str>) -> Option<(String, &'a TextLine)> {
    let field = coded.iter().find(|field| field.code == "8")?;
    let first = &sheet.lines[field.line];
    let value = first.edges_of(field.start, field.end);
    let mut text = first.slice(field.start, field.end);
    let mut last = first;
    while let Some((index, line)) = sheet.lines.iter().enumerate().find(|(_, line)| {
        let step = line.edges.middle() - last.edges.middle();
        let height = last.edges.height();
        (0.5 * height..1.5 * height).contains(&step) && (line.edges.left - value.left).abs() < 1.2 * height
    }) {
        if line.upright || coded.iter().any(|other| other.line == index) || has_stopword(&line.text()) {
            break;
        }
        text = format!("{text}\n{}", line.text());
        last = line;
    }
    let text = latin_lines(&text.lines().collect::<Vec<_>>(), issuer).join("\n");
    Some((address(&text).filter(|text| text.chars().count() > 3 && !has_stopword(text))?, first))
}

/// The fields that tell a licence's column of values.
const FIELDS: [&str; 6] = ["1", "2", "3", "4A", "4B", "5"];

/// The fields by their order in the column of values, where the small numbers before them are not legible: surname and
/// given names stand directly above the first date, the licence's number below the last one.
fn fields_by_place(context: &Context<'_>, sheet: &Sheet) -> Vec<Coded> {
    let lines = || sheet.lines.iter().enumerate().filter(|(_, line)| !line.upright);
    let date_of = |line: &TextLine| {
        let text = line.text();
        find_date(&text, context.order(), Century::Past(context.today)).filter(|_| text.chars().filter(char::is_ascii_digit).count() >= 6)
    };
    let field = |code: &str, index: usize| Coded {
        code: code.to_owned(),
        line: index,
        start: skipped(&sheet.lines[index]),
        end: sheet.lines[index].chars.len(),
    };
    for (index, birth) in lines() {
        let Some(date) = date_of(birth) else { continue };
        let height = birth.edges.height();
        let column = |line: &TextLine| (line.edges.left - birth.edges.left).abs() < 1.2 * height;
        let later: Vec<usize> = lines()
            .filter(|(_, line)| line.edges.middle() > birth.edges.middle() + 0.5 * height && column(line))
            .filter(|(_, line)| date_of(line).is_some_and(|other| other.year() != date.year()))
            .map(|(other, _)| other)
            .collect();
        // A field's number in a box of its own is no value.
        let has_letters = |line: &TextLine| line.compact.chars.iter().any(|c| c.is_alphabetic());
        let mut above: Vec<(f32, usize)> = lines()
            .filter(|(_, line)| column(line) && has_letters(line) && line.edges.middle() < birth.edges.middle() - 0.5 * height)
            .map(|(other, line)| (birth.edges.middle() - line.edges.middle(), other))
            .filter(|(step, _)| *step < 6.0 * height)
            .collect();
        above.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Two dates follow, and nobody drives before the age of fifteen.
        let issue = later.first().and_then(|other| date_of(&sheet.lines[*other]));
        let others =
            lines().filter(|(_, line)| line.edges.middle() > birth.edges.middle() + 0.5 * height && date_of(line).is_some()).count();
        if later.is_empty() || others < 2 || above.len() < 2 || issue.is_none_or(|issue| issue.year() - date.year() < 15) {
            continue;
        }
        let last_date = sheet.lines[*later.last().unwrap_or(&index)].edges.bottom;
        let number = lines().filter(|(_, line)| line.edges.top > last_date - 0.3 * height && column(line)).find(|(_, line)| {
            let text = line.slice(skipped(line), line.chars.len());
            licence_number(&text).is_some()
        });
        let mut fields = vec![field("3", index), field("2", above[0].1), field("1", above[1].1), field("4A", later[0])];
        fields.extend(later.get(1).map(|other| field("4B", *other)));
        fields.extend(number.map(|(other, _)| field("5", other)));
        return fields;
    }
    Vec::new()
}

/// How many characters at the beginning of a line are the field's number.
pub(super) fn skipped(line: &TextLine) -> usize {
    let text = plain(&line.chars);
    CODE.captures(&text)
        .or_else(|| GLUED.captures(&text))
        .or_else(|| BIRTH.captures(&text))
        .or_else(|| LETTER.captures(&text))
        .and_then(|hit| hit.get(2))
        .map_or(0, |value| value.start())
}

/// What follows the date: `14.07.1981 (Utopia City)`.
fn birth_place(text: &str) -> Option<String> {
    let pivot = time::Date::from_calendar_date(2030, time::Month::January, 1).ok()?;
    let date = *find_dates(text, Order::DayFirst, Century::Past(pivot)).first()?;
    let rest: String = text.chars().skip(date.end).collect();
    let place = tidy(rest.trim_matches(|c: char| matches!(c, '(' | ')' | ' ' | ',' | '.')));
    (place.chars().filter(|c| c.is_alphabetic()).count() > 2).then_some(place)
}

/// Licence numbers have letters, digits, blanks, slashes and hyphens; what has no digit is none.
fn licence_number(text: &str) -> Option<String> {
    let number = tidy(text);
    let alnum = number.chars().filter(char::is_ascii_alphanumeric).count();
    let digits = number.chars().filter(char::is_ascii_digit).count();
    let odd = number.chars().any(|c| !c.is_ascii_alphanumeric() && !matches!(c, ' ' | '-' | '/' | '.'));
    ((5..=24).contains(&alnum) && digits >= 3 && !odd && !number.chars().any(|c| c.is_ascii_lowercase())).then_some(number)
}

pub(super) fn coded_fields(sheet: &Sheet) -> Vec<Coded> {
    let mut fields = Vec::new();
    for (index, line) in sheet.lines.iter().enumerate() {
        if line.upright {
            continue;
        }
        let text = plain(&line.chars);
        let bare = text.trim_end_matches(['.', ':', ',', ' ']);
        if matches!(bare, "1" | "2" | "3" | "4A" | "4B" | "4C" | "4D" | "5" | "8") {
            fields.extend(beside(sheet, index).map(|other| Coded {
                code: bare.to_owned(),
                line: other,
                start: 0,
                end: sheet.lines[other].chars.len(),
            }));
            continue;
        }
        let hit = CODE.captures(&text).or_else(|| GLUED.captures(&text)).or_else(|| BIRTH.captures(&text));
        let Some(hit) = hit.or_else(|| LETTER.captures(&text)) else { continue };
        let (Some(code), Some(rest)) = (hit.get(1), hit.get(2)) else { continue };
        let code: String = code.as_str().chars().filter(|c| *c != ' ').collect::<String>().replace("46", "4B");
        // New Zealand numbers its cards 5b.
        let code = code.replace("5A", "5");
        let code = match code.as_str() {
            "I" | "L" | "|" => "1".to_owned(),
            "Z" => "2".to_owned(),
            _ => code,
        };
        // Sri Lanka and others print the whole name under both numbers.
        let code = if code.starts_with('1') && code.ends_with('2') { "1,2".to_owned() } else { code };
        // Two fields in one line: `4a. 01.01.2013 4c. 99999 Utopia`.
        let second = rest.as_str().match_indices("4").find_map(|(at, _)| {
            let tail = &rest.as_str()[at..];
            let hit = GLUED.captures(tail)?;
            let value = hit.get(2)?;
            let before = rest.as_str()[..at].chars().last();
            let starts = at > 3 && !before.is_some_and(|c| matches!(c, '.' | '/' | '-') || c.is_ascii_digit()) && !tail.starts_with("46");
            starts.then(|| (at, hit.get(1).map_or("", |c| c.as_str()).replace(' ', ""), at + value.start()))
        });
        let end = second.as_ref().map_or(line.chars.len(), |(at, ..)| rest.start() + at);
        fields.push(Coded { code, line: index, start: rest.start(), end });
        if let Some((_, code, start)) = second {
            fields.push(Coded { code, line: index, start: rest.start() + start, end: line.chars.len() });
        }
    }
    fields
}

/// The print beside a number that stands in a box of its own.
fn beside(sheet: &Sheet, index: usize) -> Option<usize> {
    let own = &sheet.lines[index].edges;
    sheet
        .lines
        .iter()
        .enumerate()
        .filter(|(other, line)| {
            let height = line.edges.height();
            *other != index
                && !line.upright
                && (line.edges.middle() - own.middle()).abs() < 0.6 * height
                // Detected boxes reach beyond their print by about a third of its height, both of them.
                && line.edges.left > own.right - 0.7 * height
                && line.edges.left - own.right < 2.5 * height
        })
        .min_by(|a, b| a.1.edges.left.total_cmp(&b.1.edges.left))
        .map(|(other, _)| other)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use crate::document::classify::Class;
    use crate::document::field::{FieldName, Side};
    use crate::document::layout::Sheet;
    use crate::document::testing::page;
    use crate::document::viz::Context;
    use crate::document::viz::pairs::pair;

    fn check(lines: &[(f32, f32, &str)], expected: &[(FieldName, &str)]) {
        let sheets = [Sheet::new(Side::Front, &page(lines))];
        let context = Context { class: Class::default(), sheets: &sheets, zones: &[], today: date!(2026 - 06 - 01) };
        let pairings: Vec<_> = sheets.iter().map(pair).collect();
        let found = super::read(&context, &pairings);
        for (name, value) in expected {
            let read = found.iter().find(|candidate| candidate.name == *name).map(|candidate| candidate.value.as_str());
            assert_eq!(read, Some(*value), "{name:?}");
        }
    }

    #[test]
    fn a_licence_is_read_by_its_numbers() {
        check(
            &[
                (100.0, 10.0, "PERMIS DE CONDUIRE"),
                (100.0, 50.0, "1. DURAND"),
                (100.0, 80.0, "2. Zoé"),
                (100.0, 110.0, "314.07.1981(Utopia)"),
                (100.0, 140.0, "4a.01.01.2013 4c.99999 Utopia"),
                (100.0, 170.0, "4631.12.2033"),
                (100.0, 200.0, "5.13AA00009"),
            ],
            &[
                (FieldName::Name, "Zoé DURAND"),
                (FieldName::DateOfBirth, "1981-07-14"),
                (FieldName::IssueDate, "2013-01-01"),
                (FieldName::ExpiryDate, "2033-12-31"),
                (FieldName::IdNumber, "13AA00009"),
                (FieldName::PlaceOfBirth, "Utopia"),
            ],
        );
    }

    #[test]
    fn numbers_in_boxes_of_their_own_belong_to_what_stands_beside() {
        check(
            &[
                (100.0, 50.0, "1"),
                (130.0, 50.0, "Jansen"),
                (100.0, 80.0, "2"),
                (130.0, 80.0, "Anna"),
                (100.0, 110.0, "3"),
                (130.0, 110.0, "29.05.1998"),
                (100.0, 140.0, "5"),
                (130.0, 140.0, "6236186430"),
            ],
            &[(FieldName::Name, "Anna Jansen"), (FieldName::DateOfBirth, "1998-05-29"), (FieldName::IdNumber, "6236186430")],
        );
        // The first number is not legible, and the second one stands in the column of values.
        check(
            &[
                (130.0, 50.0, "Jansen"),
                (110.0, 82.0, "2"),
                (130.0, 80.0, "Anna"),
                (130.0, 110.0, "29.05.1998"),
                (130.0, 140.0, "01.06.2025"),
                (300.0, 140.0, "01.06.2035"),
                (130.0, 170.0, "6236186430"),
            ],
            &[(FieldName::Name, "Anna Jansen"), (FieldName::DateOfBirth, "1998-05-29"), (FieldName::IdNumber, "6236186430")],
        );
    }
}
