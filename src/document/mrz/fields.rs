//! A decoded zone -> fields, with what speaks for each.

use std::ops::Range;

use time::Date;

use super::layout::{Checked, Layout, LineSpec};
use super::zone::Zone;
use super::{Mrz, certainty, check_digit, names};
use crate::document::coded_date::{DateRole, from_yymmdd};
use crate::document::country::{is_same_state, is_state_code, reported_code};
use crate::document::customs::{Custom, has};
use crate::document::field::{Candidate, Check, FieldName, IdType, Side, Source};
use crate::document::number;
use crate::ocr::{Page, Quad};

/// Confidence of what has no check digit of its own, at the most.
pub(super) const MOST_WITHOUT_CHECK: f32 = 0.9;
/// Confidence of a field whose check digit does not hold, at the most: another zone's reading is better.
const MOST_WITH_FAILED_CHECK: f32 = 0.3;
/// Confidence of a field that was repaired, at the most.
const MOST_WHEN_REPAIRED: f32 = 0.95;

/// One field of a zone.
#[derive(Clone)]
pub(crate) struct FieldReading {
    pub(super) name: FieldName,
    pub(super) value: String,
    raw: String,
    pub(super) confidence: f32,
    line_idx: usize,
    pub(super) checks: Vec<Check>,
}

impl FieldReading {
    pub(super) fn candidate(&self, side: Side, quads: &[Option<Quad>]) -> Candidate {
        Candidate {
            name: self.name,
            value: self.value.clone(),
            raw: self.raw.clone(),
            source: Source::Mrz,
            side,
            confidence: self.confidence,
            quad: quads.get(self.line_idx).copied().flatten(),
            checks: self.checks.clone(),
        }
    }
}

/// Everything that a decoded zone says.
pub(super) fn mrz(zone: &Zone, quads: Vec<Option<Quad>>, page: &Page, today: Date) -> Mrz {
    let specs = zone.layout.lines();
    let lines: Vec<String> = zone.lines.iter().map(|line| line.as_ref().map_or_else(String::new, |line| line.text())).collect();
    let reader = Reader { zone, specs, lines, page, today };
    let all = [Checked::Number, Checked::Birth, Checked::Expiry, Checked::Personal, Checked::Composite];
    let readings = reader.readings();
    let checks = all
        .into_iter()
        .filter_map(|checked| {
            let holds = if checked == Checked::Number { reader.number_holds() } else { zone.holds(checked) };
            holds.map(|holds| (checked, holds))
        })
        .collect();
    let is_repaired = zone.lines.iter().flatten().any(|line| certainty::is_repaired(line, 0..line.symbols.len()));
    let id_type = reader.id_type();
    Mrz { layout: zone.layout, lines: reader.lines, checks, is_repaired, id_type, readings, quads }
}

/// Where a field stands in its layout: line, then the indices in it.
type Place = (usize, Range<usize>);

/// The places of one layout's fields.
struct Places {
    number: Place,
    birth: Place,
    sex: Place,
    expiry: Option<Place>,
    nationality: Option<Place>,
    optional: Option<Place>,
}

const fn places(layout: Layout) -> Places {
    match layout {
        Layout::Td3 | Layout::MrvA | Layout::Td2 | Layout::MrvB => Places {
            number: (1, 0..9),
            birth: (1, 13..19),
            sex: (1, 20..21),
            expiry: Some((1, 21..27)),
            nationality: Some((1, 10..13)),
            optional: match layout {
                Layout::Td3 => Some((1, 28..42)),
                Layout::Td2 => Some((1, 28..35)),
                // What visas carry there is no number of the person.
                _ => None,
            },
        },
        Layout::Td1 => Places {
            number: (0, 5..14),
            birth: (1, 0..6),
            sex: (1, 7..8),
            expiry: Some((1, 8..14)),
            nationality: Some((1, 15..18)),
            optional: Some((0, 15..30)),
        },
        Layout::FrenchId => {
            Places { number: (1, 0..12), birth: (1, 27..33), sex: (1, 34..35), expiry: None, nationality: None, optional: None }
        }
    }
}

struct Reader<'a> {
    zone: &'a Zone,
    specs: Vec<LineSpec>,
    lines: Vec<String>,
    page: &'a Page,
    today: Date,
}

impl Reader<'_> {
    fn readings(&self) -> Vec<FieldReading> {
        let places = places(self.zone.layout);
        let mut readings = Vec::new();
        readings.extend(self.number(&places));
        readings.extend(self.date(FieldName::DateOfBirth, &places.birth, Checked::Birth, DateRole::Birth));
        if let Some(expiry) = &places.expiry {
            readings.extend(self.date(FieldName::ExpiryDate, expiry, Checked::Expiry, DateRole::Expiry));
        }
        readings.extend(self.sex(&places.sex));
        readings.extend(self.state(FieldName::IssuingCountry, Some(&(0, 2..5))));
        readings.extend(self.state(FieldName::Nationality, places.nationality.as_ref()));
        readings.extend(self.names());
        readings.extend(self.personal_number(&places));
        readings
    }

    /// The text at a place; `None` where its line was not found.
    fn text(&self, (line_idx, range): &Place) -> Option<&str> {
        self.lines[*line_idx].get(range.clone())
    }

    fn reading(&self, name: FieldName, place: &Place, value: String, checked: Option<Checked>) -> Option<FieldReading> {
        if value.is_empty() {
            return None;
        }
        let (line_idx, range) = place.clone();
        let reading = self.zone.lines[line_idx].as_ref()?;
        let raw = self.text(place)?.trim_end_matches('<').to_owned();
        // How many fillers follow does not matter to what they follow.
        let range = range.start..range.start + raw.len().max(1);
        let mut checks = Vec::new();
        let holds = match checked {
            Some(Checked::Number) => self.number_holds(),
            Some(checked) => self.zone.holds(checked),
            None => None,
        };
        let confidence = match (checked, holds) {
            (Some(checked), Some(true)) => {
                checks.push(Check::CheckDigitOk);
                certainty::of_checked(reading, &self.specs[line_idx], checked)
            }
            (Some(_), Some(false)) => {
                checks.push(Check::CheckDigitFailed);
                certainty::of_range(reading, range.clone()).min(MOST_WITH_FAILED_CHECK)
            }
            _ => certainty::of_range(reading, range.clone()).min(MOST_WITHOUT_CHECK),
        };
        let is_corrected = reading.corrected.iter().any(|idx| range.contains(idx));
        let is_repaired = certainty::is_repaired(reading, range);
        if is_repaired && holds == Some(true) || is_corrected {
            checks.push(Check::Repaired);
        }
        if checked.is_some() {
            match self.zone.composite {
                Some(true) => checks.push(Check::CompositeOk),
                Some(false) => checks.push(Check::CompositeFailed),
                None => {}
            }
        }
        let confidence = match (is_repaired, checks.contains(&Check::CompositeFailed)) {
            // The composite digit contradicts what the field's own digit was taken to prove.
            (true, true) => confidence.min(MOST_WITH_FAILED_CHECK),
            (true, false) => confidence.min(MOST_WHEN_REPAIRED),
            (false, _) => confidence,
        };
        Some(FieldReading { name, value, raw, confidence, line_idx, checks })
    }

    fn date(&self, name: FieldName, place: &Place, checked: Checked, role: DateRole) -> Option<FieldReading> {
        let field = self.text(place)?;
        let value = match from_yymmdd(field, role, self.today) {
            Some(value) if role == DateRole::Birth => with_printed_century(value, self.page, self.today),
            Some(value) => value,
            // Month and day may be unknown; the year alone is then what the zone says.
            None if role == DateRole::Birth && matches!(&field[2..], "<<<<" | "0000") => {
                from_yymmdd(&format!("{}0101", &field[..2]), role, self.today)?[..4].to_owned()
            }
            None => return None,
        };
        self.reading(name, place, value, Some(checked))
    }

    fn sex(&self, place: &Place) -> Option<FieldReading> {
        let value = match self.text(place)? {
            "M" => "M",
            "F" => "F",
            _ => "X",
        };
        self.reading(FieldName::Gender, place, value.to_owned(), None)
    }

    fn state(&self, name: FieldName, place: Option<&Place>) -> Option<FieldReading> {
        let place = place?;
        let code = self.text(place)?.trim_end_matches('<');
        is_state_code(code).then(|| self.reading(name, place, reported_code(code).to_owned(), None))?
    }

    fn issuer(&self) -> &str {
        self.text(&(0, 2..5)).unwrap_or_default().trim_end_matches('<')
    }

    fn names(&self) -> Vec<FieldReading> {
        let [surname_place, given_place] = self.name_places();
        let words = |place: &Place| self.text(place).map(names::words);
        let (surname, given) = (words(&surname_place), words(&given_place));
        let is_whole = surname.is_some() && given.is_some();
        let (surname, given) = (surname.unwrap_or_default(), given.unwrap_or_default());
        let full = [given.as_str(), surname.as_str()].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
        let parts = [
            self.reading(FieldName::Surname, &surname_place, surname, None),
            self.reading(FieldName::GivenNames, &given_place, given, None),
        ];
        let (line_idx, range) = if parts[1].is_some() { given_place } else { surname_place.clone() };
        let starts = if line_idx == surname_place.0 { surname_place.1.start } else { range.start };
        let mut name = if is_whole { self.reading(FieldName::Name, &(line_idx, starts..range.end), full, None) } else { None };
        if let Some(name) = &mut name {
            // As sure as its parts: how many fillers stand between them does not matter.
            name.confidence = parts.iter().flatten().map(|part| part.confidence).product();
        }
        parts.into_iter().chain([name]).flatten().collect()
    }

    /// Where the surname and the given names stand, without the fillers before and between them.
    fn name_places(&self) -> [Place; 2] {
        let (line_idx, range) = match self.zone.layout {
            // Given names are parted by double fillers there, and stand on a line of their own.
            Layout::FrenchId => return [(0, 5..30), (1, 13..27)],
            Layout::Td1 => (2, 0..30),
            layout => (0, 5..layout.width()),
        };
        let field = self.text(&(line_idx, range.clone())).unwrap_or_default();
        let (n_surname, n_before_given) = names::split(field);
        [(line_idx, range.start..range.start + n_surname), (line_idx, range.start + n_before_given..range.end)]
    }

    /// The document's number in full where it goes on in the optional data, and whether the digit over it holds.
    fn long_number(&self) -> Option<(String, bool)> {
        let (start, digit, optional) = match self.zone.layout {
            Layout::Td1 => ((0, 5..14), (0, 14..15), (0, 15..30)),
            Layout::Td2 => ((1, 0..9), (1, 9..10), (1, 28..35)),
            Layout::Td3 | Layout::MrvA | Layout::MrvB | Layout::FrenchId => return None,
        };
        let (start, rest) = (self.text(&start)?, self.text(&optional).filter(|_| self.text(&digit) == Some("<"))?);
        let rest = rest.split('<').next().filter(|rest| rest.len() >= 2)?;
        let (more, digit) = rest.split_at(rest.len() - 1);
        let number = format!("{start}{more}");
        let holds = check_digit::holds(&number, digit.chars().next()?);
        Some((number, holds))
    }

    /// Whether the digit over the number holds; `None` where the zone has none.
    fn number_holds(&self) -> Option<bool> {
        if let Some((_, holds)) = self.long_number() {
            return Some(holds);
        }
        let (line_idx, range) = places(self.zone.layout).number;
        let digit = self.text(&(line_idx, range.end..range.end + 1))?;
        if digit == "<" { None } else { self.zone.holds(Checked::Number) }
    }

    fn number(&self, places: &Places) -> Option<FieldReading> {
        let field = self.text(&places.number)?;
        let mut reading = self.reading(FieldName::IdNumber, &places.number, names::words(field).replace(' ', ""), Some(Checked::Number))?;
        // One whose digit does not hold may go on with something else.
        if let Some((number, true)) = self.long_number() {
            reading.value = number.replace('<', "");
        }
        if let Some(national) = self.holders_number() {
            // The number of the blank card stands where others print theirs.
            let optional = places.optional.as_ref()?;
            let mut own = self.reading(FieldName::IdNumber, optional, national, None)?;
            own.checks.push(Check::FormatOk);
            own.confidence = own.confidence.max(reading.confidence);
            own.checks.extend(reading.checks.iter().filter(|check| matches!(check, Check::CompositeOk | Check::CompositeFailed)));
            return Some(own);
        }
        Some(reading)
    }

    /// The number of the holder in the optional data of a card: the DNI or NIE of Spain.
    fn holders_number(&self) -> Option<String> {
        let optional = self
            .text(&(0, 15..30))
            .filter(|_| self.zone.layout == Layout::Td1 && has(Some(self.issuer()), Custom::ZoneHasHoldersNumber))?;
        optional
            .split('<')
            .filter_map(|part| part.get(..9))
            .find(|part| number::check(self.issuer(), number::Kind::National, part) == number::Verdict::Valid)
            .map(str::to_owned)
    }

    fn personal_number(&self, places: &Places) -> Option<FieldReading> {
        let place = places.optional.as_ref()?;
        if self.long_number().is_some() || self.holders_number().is_some() {
            return None;
        }
        let value = self.text(place)?.trim_matches('<').replace('<', "-");
        // Short leftovers are versions, sequence numbers and the like, not numbers of persons.
        if value.len() < 6 || value.bytes().all(|b| b == b'0') {
            return None;
        }
        let checked = (self.zone.layout == Layout::Td3).then_some(Checked::Personal);
        let mut reading = self.reading(FieldName::PersonalNumber, place, value, checked)?;
        reading.checks.extend(number::national_check(self.issuer(), &reading.value));
        Some(reading)
    }

    fn id_type(&self) -> IdType {
        let code = self.text(&(0, 0..2)).unwrap_or_default();
        match (self.zone.layout, code) {
            (Layout::Td3, _) => IdType::Passport,
            (Layout::MrvA | Layout::MrvB, _) => IdType::Visa,
            (Layout::FrenchId, _) => IdType::NationalId,
            // "P" and "IP" on a card are passport cards; the second letter of permits is R or T by habit of many states.
            (Layout::Td1 | Layout::Td2, "IR" | "AR" | "CR" | "IT" | "RP" | "C1" | "C2") => IdType::ResidencePermit,
            (Layout::Td1 | Layout::Td2, _) => {
                let nationality = places(self.zone.layout).nationality.and_then(|place| self.text(&place)).unwrap_or_default();
                let nationality = nationality.trim_end_matches('<');
                let is_foreigner = !self.issuer().is_empty()
                    && !nationality.is_empty()
                    && is_state_code(nationality)
                    && is_state_code(self.issuer())
                    && !is_same_state(self.issuer(), nationality);
                if is_foreigner { IdType::ResidencePermit } else { IdType::NationalId }
            }
        }
    }
}

/// Nobody is older, in years.
const OLDEST: i32 = 120;

/// A birth date with the century that the page prints: a holder of a hundred years is rare and not impossible.
fn with_printed_century(date: String, page: &Page, today: Date) -> String {
    let Some(earlier) = date[..4].parse::<u32>().ok().map(|year| (year - 100).to_string()) else { return date };
    let prints = |year: &str| {
        page.lines.iter().any(|line| {
            let mut runs = line.text.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
            let has_day = line.text.contains(&date[8..]);
            has_day && runs.any(|run| run == year || run.len() == 8 && (run.starts_with(year) || run.ends_with(year)))
        })
    };
    let is_possible = earlier.parse::<i32>().is_ok_and(|year| year + OLDEST >= today.year());
    if is_possible && !prints(&date[..4]) && prints(&earlier) { format!("{earlier}{}", &date[4..]) } else { date }
}
