//! The visual zone: what is printed for people to read.
//!
//! Each family of documents has its own reader; all of them pair captions with values by geometry ([`pairs`]) and
//! yield candidates, which fusing weighs against the machine-readable zones.

mod american_address;
mod echo;
mod french_licence;
mod india;
mod indian_address;
mod labelled;
mod mykad;
mod north_america;
mod numbered;
mod pairs;
mod pieces;
mod shape;
mod town;

use time::Date;

use crate::ocr::Quad;

use super::classify::{Class, Region};
use super::date::Order;
use super::field::{Candidate, FieldName, IdType, Side, Source};
use super::layout::Sheet;

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
        if self.class.region == Region::NorthAmerica { Order::MonthFirst } else { Order::DayFirst }
    }
}

/// Reads the visual zone of a document.
pub(crate) fn read(context: &Context<'_>) -> Vec<Candidate> {
    let mut candidates = match context.class.region {
        Region::NorthAmerica => north_america::read(context),
        Region::India if context.class.id_type != IdType::Passport => india::read(context),
        Region::India | Region::Elsewhere => labelled::read(context),
    };
    if context.class.id_type == IdType::DrivingLicence && context.class.region == Region::Elsewhere {
        candidates.extend(numbered::read(context));
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
    candidates
}

/// A reading by the visual zone.
fn candidate(name: FieldName, value: String, raw: &str, side: Side, confidence: f32, quad: Quad) -> Candidate {
    Candidate { name, value, raw: raw.to_owned(), source: Source::Viz, side, confidence, quad: Some(quad), checks: Vec::new() }
}
