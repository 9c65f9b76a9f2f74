//! The date of birth among the dates of a document: none is earlier, and where its caption is not understood, all others are
//! much later.

use time::Date;

use crate::document::date::{Century, Found, find_dates, iso};
use crate::document::field::{Candidate, Check, FieldName, IdType};
use crate::document::labels::{Kind, Shape};
use crate::document::layout::TextLine;

use super::pairs::Pairing;
use super::street_dates::is_street;
use super::{Context, candidate};

/// Dates that the recogniser is less sure of than this say nothing against another one.
const LEGIBLE: f32 = 0.9;
/// What is left of the confidence in a birth date that is not the document's earliest date.
const AFTER_ANOTHER_DATE: f32 = 0.5;
/// Years from a birth to every other day of its document, at the least: what is valid for longer is rare.
const YEARS_BEFORE_OTHERS: i32 = 16;
/// How sure a date of birth is by that alone.
const BY_ITS_YEAR: f32 = 0.6;

/// Nobody is born after a date of their own document: where an earlier one is printed, the birth date is another one.
pub(super) fn doubt(context: &Context<'_>, candidates: &mut [Candidate]) {
    let addresses: Vec<String> =
        candidates.iter().filter(|candidate| candidate.name == FieldName::Address).map(|candidate| candidate.raw.clone()).collect();
    let lines = context.sheets.iter().flat_map(|sheet| &sheet.lines);
    let dates = lines.flat_map(|line| {
        let is_day = |print: &String| !addresses.iter().any(|address| address.contains(print));
        days(context, line).into_iter().filter(|(_, print)| is_day(print)).map(|(date, _)| iso(date)).collect::<Vec<_>>()
    });
    let Some(earliest) = dates.min() else { return };
    for candidate in candidates.iter_mut().filter(|candidate| candidate.name == FieldName::DateOfBirth && candidate.value.len() > 4) {
        if earliest < candidate.value {
            candidate.confidence *= AFTER_ANOTHER_DATE;
            candidate.checks.push(Check::FormatFailed);
        }
    }
}

/// The date of birth of a card or passport on which no caption of it was understood: the only date that is long before all
/// others, and that no other caption has bought.
pub(super) fn uncaptioned(context: &Context<'_>, pairings: &[Pairing], found: &[Candidate]) -> Option<Candidate> {
    let is_card = matches!(context.class.id_type, IdType::NationalId | IdType::ResidencePermit | IdType::Passport);
    let is_known = found.iter().chain(context.zones).any(|candidate| candidate.name == FieldName::DateOfBirth);
    if !is_card || is_known || pairings.iter().any(|pairing| pairing.announces(Kind::BirthYear)) {
        return None;
    }
    let mut dates = Vec::new();
    for (sheet, pairing) in context.sheets.iter().zip(pairings) {
        for (index, line) in sheet.lines.iter().enumerate() {
            let is_bought = pairing.pairs.iter().any(|pair| pair.line == index && pair.kind.value().0 == Shape::Date);
            dates.extend(days(context, line).into_iter().map(|(date, print)| (date, print, sheet.side, line, is_bought)));
        }
    }
    dates.sort_by_key(|(date, ..)| *date);
    let (birth, print, side, line, is_bought) = dates.first()?;
    let (next, ..) = dates.get(1)?;
    let is_birth = !is_bought && *birth < context.today && next.year() - birth.year() >= YEARS_BEFORE_OTHERS;
    is_birth.then(|| candidate(FieldName::DateOfBirth, iso(*birth), print, *side, BY_ITS_YEAR * line.confidence, line.quad))
}

/// The days that a legible line prints with the century of their year, and how; streets that are called after a day are none.
fn days(context: &Context<'_>, line: &TextLine) -> Vec<(Date, String)> {
    if line.upright || line.confidence <= LEGIBLE {
        return Vec::new();
    }
    let text = line.text();
    let print = |found: &Found| text.chars().skip(found.start).take(found.end - found.start).collect::<String>();
    // Two digits of a year may be of this century or the last one, and eight digits may be anything.
    let is_clear = |found: &Found| {
        let print = print(found);
        print.chars().any(|c| !c.is_ascii_digit()) && print.contains(&format!("{:04}", found.date.year()))
    };
    let found = find_dates(&text, context.order(), Century::Past(context.today));
    found.iter().filter(|found| is_clear(found) && !is_street(&text, found)).map(|found| (found.date, print(found))).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use crate::document::field::{FieldName, Side};
    use crate::document::read;
    use crate::document::testing::page;

    #[test]
    fn the_one_date_long_before_all_others_is_the_birth_date() {
        let check = |first: &str, second: &str, expected: &str| {
            let lines = [
                (60.0, 20.0, "KINGDOM OF UTOPIA"),
                (60.0, 50.0, "IDENTITY CARD"),
                (60.0, 100.0, "Gimmu dat"),
                (300.0, 100.0, first),
                (60.0, 150.0, "Date of issue"),
                (300.0, 150.0, second),
                (60.0, 200.0, "Date of expiry"),
                (300.0, 200.0, "13.05.2031"),
            ];
            let reading = read(&[(Side::Front, page(&lines))], &[], date!(2026 - 11 - 22));
            assert_eq!(reading.value(FieldName::DateOfBirth), expected, "{first}");
        };
        check("08.03.1991", "14.05.2021", "1991-03-08");
        check("08.03.91", "14.05.2021", "");
        check("08.03.2015", "14.05.2021", "");
        check("14.05.2021", "08.03.1991", "");
    }
}
