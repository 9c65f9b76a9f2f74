//! Addresses without a caption that is understood: a line with a postal code and a town, and a line with a street and the
//! number of a house directly above or below it.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::address::address;
use crate::document::date::has_date;
use crate::document::field::{Candidate, FieldName};
use crate::document::layout::{Sheet, TextLine};
use crate::document::person_name::has_stopword;
use crate::document::text::plain;

use super::{Context, candidate};

struct Patterns {
    /// A postal code as European states write them, then a town, or a town, a state of Australia and the code.
    town: Regex,
    /// Words with the number of a house before or behind them.
    street: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |pattern: &str| Regex::new(pattern).expect("the patterns are part of the program and tested");
    Patterns {
        town: regex(
            r"^(?:[A-Z]{1,2}-)?(?:\d{5}|\d{4}(?: ?[A-Z]{2}|-\d{3})?|\d{3} \d{2}|\d{2}-\d{3}) +[A-Z?][A-Z?' -]{2,30}$|^[A-Z' ]{3,} (?:NSW|VIC|QLD|SA|WA|TAS|ACT|NT) +\d{4}$",
        ),
        street: regex(
            r"^(?:[1-9][0-9O]{0,3}[A-Z]?,? +[A-Z?][A-Z?'. -]{3,}|[A-Z?][A-Z?'. -]{3,} +\d{1,4}[A-Z]?(?:[/-]\d{1,3})?(?:, ?(?:ST|KL|\d{1,2})\.? ?(?:TV|TH|MF)?\.?)?)$",
        ),
    }
});

/// States that are printed below the town.
const STATES: [&str; 6] = ["FRANCE", "DEUTSCHLAND", "ITALIA", "PORTUGAL", "BELGIQUE", "SUISSE"];

/// The address of the first side that has one.
pub(super) fn read(context: &Context<'_>) -> Option<Candidate> {
    context.sheets.iter().find_map(read_sheet)
}

fn read_sheet(sheet: &Sheet) -> Option<Candidate> {
    let texts: Vec<String> = sheet.lines.iter().map(|line| plain(&line.chars)).collect();
    let lines = || sheet.lines.iter().zip(&texts).filter(|(line, _)| !line.upright && line.confidence > 0.8);
    let is_part = |pattern: &Regex, text: &str| pattern.is_match(text) && !has_date(text) && !has_stopword(text);
    lines().filter(|(_, text)| is_part(&PATTERNS.town, text)).find_map(|(town, _)| {
        let (street, _) = lines().find(|(line, text)| is_near(town, line) && is_part(&PATTERNS.street, text))?;
        let state = lines().find(|(line, text)| {
            STATES.contains(&text.as_str()) && is_near(town, line) && line.edges.middle() > town.edges.middle().max(street.edges.middle())
        });
        let mut parts: Vec<&TextLine> = vec![town, street];
        parts.extend(state.map(|(line, _)| line));
        parts.sort_by(|a, b| a.edges.middle().total_cmp(&b.edges.middle()));
        let text = parts.iter().map(|line| line.text()).collect::<Vec<_>>().join("\n");
        let confidence = parts.iter().map(|line| line.confidence).fold(1.0, f32::min);
        Some(candidate(FieldName::Address, address(&text)?, &text, sheet.side, 0.65 * confidence, street.quad))
    })
}

/// Whether a line stands directly above or below another one and begins where it does, in letters of the same size.
fn is_near(line: &TextLine, other: &TextLine) -> bool {
    let height = line.edges.height().max(other.edges.height());
    let step = (line.edges.middle() - other.edges.middle()).abs();
    let alike = 0.6 * height < line.edges.height().min(other.edges.height());
    alike && (0.4 * height..1.6 * height).contains(&step) && (line.edges.left - other.edges.left).abs() < 1.2 * height
}
