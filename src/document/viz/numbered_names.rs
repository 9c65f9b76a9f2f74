//! Surname and given names on licences that number their fields: on one line, on two, or said again in Latin letters below.

use crate::document::customs::{Custom, has};
use crate::document::layout::{Sheet, TextLine};
use crate::document::person_name::announced_name;

use super::numbered::{Coded, skipped};
use super::split_lines::{goes_on, name_line};
use super::two_scripts::{echoes, latin_half, latin_lines};

/// What the recogniser is less sure of than this does not go on with a name.
const LEGIBLE: f32 = 0.9;

/// Names behind the numbers of their fields, each with its line.
pub(super) struct Names<'a> {
    pub(super) surname: Option<(String, &'a TextLine)>,
    pub(super) given: Option<(String, &'a TextLine)>,
    /// Behind both numbers together.
    pub(super) whole: Option<(String, &'a TextLine)>,
}

/// A name behind the number of its field, and the line below that no number announces.
struct Printed<'a> {
    text: String,
    line: &'a TextLine,
    below: Option<Below<'a>>,
}

struct Below<'a> {
    text: String,
    line: &'a TextLine,
    /// It begins where the name does, in letters of the same size, and may be more of it.
    goes_on: bool,
}

/// The names of a side; of the fields, the first so many were found by their numbers.
pub(super) fn names<'a>(sheet: &'a Sheet, coded: &[Coded], n_numbered: usize, issuer: Option<&str>) -> Names<'a> {
    let all = |code: &str| -> Vec<Printed<'a>> {
        let fields = coded.iter().filter(|field| field.code == code);
        fields.map(|field| printed(sheet, field, coded, n_numbered)).collect()
    };
    let (surnames, given) = (all("1"), all("2"));
    let may_go_on = |names: &[Printed<'_>]| names.first().is_some_and(|name| name.below.as_ref().is_some_and(|below| below.goes_on));
    let is_said_again = |name: &Printed<'_>| name.below.as_ref().is_some_and(|below| echoes(&name.text, &below.text));
    // Where surname and given names have another line each, these say the same in Latin letters, or the names are long.
    let is_doubled = !has(issuer, Custom::NamesInTwoScripts) && may_go_on(&surnames) && may_go_on(&given);
    let is_open = is_doubled && !surnames.iter().chain(&given).any(is_said_again);
    let first = |names: Vec<Printed<'a>>| names.into_iter().find_map(|name| read(name, is_doubled, issuer));
    Names {
        surname: first(surnames).filter(|_| !is_open),
        given: first(given).filter(|_| !is_open),
        whole: all("1,2").into_iter().find_map(|name| read(name, false, issuer)),
    }
}

fn printed<'a>(sheet: &'a Sheet, field: &Coded, coded: &[Coded], n_numbered: usize) -> Printed<'a> {
    let line = &sheet.lines[field.line];
    let is_to_end = field.end == line.chars.len();
    let text = if is_to_end { name_line(sheet, line, field.start) } else { line.slice(field.start, field.end) };
    let left = line.edges_of(skipped(line), line.chars.len()).left;
    let is_one_of = |fields: &[Coded], index: usize| fields.iter().any(|field| field.line == index);
    let below = sheet.below(&line.edges, left);
    let below = below.filter(|index| skipped(&sheet.lines[*index]) == 0 && !is_one_of(&coded[..n_numbered], *index));
    let below = below.map(|index| {
        let below = &sheet.lines[index];
        let height = line.edges.height();
        let is_alike = (0.8..1.25).contains(&(below.edges.height() / height));
        let is_aligned = below.confidence > LEGIBLE && (below.edges.left - left).abs() < 0.8 * height;
        let goes_on = is_alike && is_aligned && !is_one_of(coded, index) && goes_on(&text, &below.text());
        Below { text: below.text(), line: below, goes_on }
    });
    Printed { text, line, below }
}

/// The name in Latin letters, with what goes on below; where both names have a line below, that line is the Latin one.
fn read<'a>(name: Printed<'a>, is_doubled: bool, issuer: Option<&str>) -> Option<(String, &'a TextLine)> {
    let whole = |text: &str| announced_name(latin_half(text, issuer));
    match name.below {
        // States with another script print the Latin letters below it, or behind it.
        Some(below) if is_doubled || latin_lines(&[&name.text, &below.text], issuer).len() == 1 || echoes(&name.text, &below.text) => {
            Some((announced_name(&below.text)?, below.line))
        }
        Some(below) if below.goes_on && !has(issuer, Custom::NamesInTwoScripts) => {
            Some((whole(&format!("{} {}", name.text, below.text))?, name.line))
        }
        _ => Some((whole(&name.text)?, name.line)),
    }
}

#[cfg(test)]
mod tests {
    use super::names;
    use crate::document::field::Side;
    use crate::document::layout::Sheet;
    use crate::document::testing::page;
    use crate::document::viz::numbered::coded_fields;

    fn check(lines: &[(f32, f32, &str)], expected: [Option<&str>; 2]) {
        let sheet = Sheet::new(Side::Front, &page(lines));
        let coded = coded_fields(&sheet);
        let names = names(&sheet, &coded, coded.len(), None);
        let read = [names.surname, names.given].map(|name| name.map(|(name, _)| name));
        assert_eq!(read.each_ref().map(Option::as_deref), expected);
    }

    #[test]
    fn given_names_go_on_below() {
        check(
            &[(100.0, 50.0, "1. HUDAKOVA"), (100.0, 75.0, "2. ZLATICA"), (130.0, 100.0, "MARIA"), (100.0, 125.0, "3. 08.03.1991")],
            [Some("HUDAKOVA"), Some("ZLATICA MARIA")],
        );
    }

    #[test]
    fn names_that_are_said_again_below_are_read_in_latin_letters() {
        check(
            &[(100.0, 50.0, "1. NANATEQPTIOY"), (130.0, 75.0, "PAPAGEORGIOU"), (100.0, 100.0, "2. OEOAQPA"), (130.0, 125.0, "THEODORA")],
            [Some("PAPAGEORGIOU"), Some("THEODORA")],
        );
    }

    #[test]
    fn two_lines_below_that_may_be_either_leave_the_name_open() {
        check(&[(100.0, 50.0, "1. QWXZKJ"), (130.0, 75.0, "MORROW"), (100.0, 100.0, "2. ZKXQWJ"), (130.0, 125.0, "OSKAR")], [None, None]);
    }
}
