//! The visual zone: what is printed for people to read.
//!
//! Each family of documents has its own reader; all of them pair captions with values by geometry ([`pairs`]) and
//! yield candidates, which fusing weighs against the machine-readable zones.

mod american_address;
mod captions;
mod echo;
mod french_licence;
mod india;
mod indian_address;
mod labelled;
mod mykad;
mod national_number;
mod north_america;
mod numbered;
mod numbered_names;
mod pairs;
mod pieces;
mod sex;
mod shape;
mod split_lines;
mod street_dates;
mod town;
mod two_scripts;
mod uncaptioned;

use time::Date;

use crate::ocr::Quad;

use super::classify::{Class, Region};
use super::date::{Century, Found, Order, find_dates, iso};
use super::field::{Candidate, Check, FieldName, IdType, Side, Source};
use super::labels::Kind;
use super::layout::Sheet;

pub(crate) use american_address::ends_in_state_and_code;
use pairs::{Pairing, pair};
use street_dates::is_street;

/// Dates that the recogniser is less sure of than this say nothing against another one.
const LEGIBLE: f32 = 0.9;
/// What is left of the confidence in a birth date that is not the document's earliest date.
const AFTER_ANOTHER_DATE: f32 = 0.5;

/// What the readers of the visual zone are told.
pub(crate) struct Context<'a> {
    /// What the document is.
    pub(crate) class: Class,
    /// The straightened images.
    pub(crate) sheets: &'a [Sheet],
    /// What the machine-readable zones say: keys to the print that says the same.
    pub(crate) zones: &'a [Candidate],
    /// Today, for years of two digits and for what lies in the future.
    pub(crate) today: Date,
}

impl Context<'_> {
    /// Whether day or month comes first in dates of digits.
    fn order(&self) -> Order {
        self.class.order
    }
}

/// Reads the visual zone of a document.
pub(crate) fn read(context: &Context<'_>) -> Vec<Candidate> {
    let pairings: Vec<Pairing> = match context.class.region {
        Region::NorthAmerica => Vec::new(),
        Region::India | Region::Elsewhere => context.sheets.iter().map(pair).collect(),
    };
    let mut candidates = match context.class.region {
        Region::NorthAmerica => north_america::read(context),
        Region::India if is_indian_card(context, &pairings) => india::read(context, &pairings),
        Region::India | Region::Elsewhere => labelled::read(context, &pairings),
    };
    if context.class.id_type == IdType::DrivingLicence && context.class.region == Region::Elsewhere {
        candidates.extend(numbered::read(context, &pairings));
        candidates.extend(french_licence::read(context));
    }
    if context.class.id_type == IdType::NationalId {
        candidates.extend(mykad::read(context));
    }
    let has_address = candidates.iter().chain(context.zones).any(|candidate| candidate.name == FieldName::Address);
    if !has_address && context.class.region == Region::Elsewhere {
        candidates.extend(town::read(context));
    }
    candidates.extend(echo::read(context));
    if context.class.region == Region::Elsewhere {
        candidates.extend(uncaptioned::read(context, &pairings, &candidates));
    }
    // Elector's cards print the date on which their holder was of age, and more; Ethiopia prints dates of two calendars.
    if context.class.region != Region::India && context.class.issuer != Some("ETH") {
        doubt_births(context, &mut candidates);
    }
    national_number::mark(context, &mut candidates);
    candidates
}

/// Whether it is one of the cards that print the whole name: passports and what is like them have a caption for the surname.
fn is_indian_card(context: &Context<'_>, pairings: &[Pairing]) -> bool {
    let has_surname = || pairings.iter().any(|pairing| pairing.announces(Kind::Surname) && pairing.announces(Kind::GivenNames));
    match context.class.id_type {
        IdType::Pan | IdType::Aadhaar | IdType::VoterId | IdType::DrivingLicence => true,
        IdType::Passport => false,
        IdType::NationalId | IdType::ResidencePermit | IdType::Visa | IdType::Unknown => !has_surname(),
    }
}

/// Nobody is born after a date of their own document: where an earlier one is printed, the birth date is another one.
fn doubt_births(context: &Context<'_>, candidates: &mut [Candidate]) {
    let century = Century::Past(context.today);
    let print = |text: &str, found: &Found| text.chars().skip(found.start).take(found.end - found.start).collect::<String>();
    let addresses: Vec<String> =
        candidates.iter().filter(|candidate| candidate.name == FieldName::Address).map(|candidate| candidate.raw.clone()).collect();
    let lines = context.sheets.iter().flat_map(|sheet| &sheet.lines).filter(|line| !line.upright && line.confidence > LEGIBLE);
    let dates = lines.flat_map(|line| {
        let text = line.text();
        let found = find_dates(&text, context.order(), century);
        // Two digits of a year may be of this century or the last one, and eight digits may be anything.
        let is_day = |found: &&Found| !is_street(&text, found) && !addresses.iter().any(|address| address.contains(&print(&text, found)));
        let is_clear = |found: &&Found| print(&text, found).chars().any(|c| !c.is_ascii_digit());
        let has_century = |found: &&Found| {
            let year = format!("{:04}", found.date.year());
            print(&text, found).contains(&year)
        };
        found.iter().filter(is_clear).filter(has_century).filter(is_day).map(|found| iso(found.date)).collect::<Vec<_>>()
    });
    let Some(earliest) = dates.min() else { return };
    for candidate in candidates.iter_mut().filter(|candidate| candidate.name == FieldName::DateOfBirth && candidate.value.len() > 4) {
        if earliest < candidate.value {
            candidate.confidence *= AFTER_ANOTHER_DATE;
            candidate.checks.push(Check::FormatFailed);
        }
    }
}

/// A reading by the visual zone.
fn candidate(name: FieldName, value: String, raw: &str, side: Side, confidence: f32, quad: Quad) -> Candidate {
    Candidate { name, value, raw: raw.to_owned(), source: Source::Viz, side, confidence, quad: Some(quad), checks: Vec::new() }
}
