//! The visual zone: what is printed for people to read.
//!
//! Each family of documents has its own reader; all of them pair captions with values by geometry ([`pairs`]) and
//! yield candidates, which fusing weighs against the machine-readable zones.

mod american_address;
mod births;
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
mod unclear_number;

use time::Date;

use crate::ocr::Quad;

use super::classify::{Class, Region};
use super::customs::{Custom, has};
use super::date::Order;
use super::field::{Candidate, FieldName, IdType, Side, Source};
use super::labels::Kind;
use super::layout::Sheet;

pub(crate) use american_address::ends_in_state_and_code;
use pairs::{Pairing, pair};

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

/// Whether captions announce the number of a passport and beside it one that is the document's own: it is a foreigner's card.
pub(crate) fn has_passport_beside_own_number(sheets: &[Sheet]) -> bool {
    let pairings: Vec<Pairing> = sheets.iter().map(pair).collect();
    let has = |kind| pairings.iter().any(|pairing| pairing.best(kind).is_some());
    has(Kind::PassportNumber) && has(Kind::Number)
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
        candidates.extend(births::uncaptioned(context, &pairings, &candidates));
    }
    // Elector's cards print the date on which their holder was of age, and more.
    if context.class.region != Region::India && !has(context.class.issuer, Custom::DatesOfTwoCalendars) {
        births::doubt(context, &mut candidates);
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

/// A reading by the visual zone.
fn candidate(name: FieldName, value: String, raw: &str, side: Side, confidence: f32, quad: Quad) -> Candidate {
    Candidate { name, value, raw: raw.to_owned(), source: Source::Viz, side, confidence, quad: Some(quad), checks: Vec::new() }
}
