//! Names without a caption, on cards that announce none: the only print that can be a name, below the card's title.
//!
//! Australia, South Africa, Nigeria and South Korea print licences so, Hong Kong, Panama and others identity cards.

use crate::document::classify::is_title;
use crate::document::customs::{Custom, has};
use crate::document::field::{Candidate, FieldName, IdType};
use crate::document::issuer::names_state;
use crate::document::labels::captions_of;
use crate::document::layout::{Edges, Sheet, TextLine};
use crate::document::person_name::{has_stopword, person_name, words};

use super::pairs::Pairing;
use super::{Context, candidate, labelled};

/// Lines that the recogniser is less sure of are scribbles or signatures.
const LEGIBLE: f32 = 0.85;
/// How sure the place of a name alone makes.
const BY_ITS_PLACE: f32 = 0.65;

/// The name, where no zone, caption or number of a field has given one.
pub(super) fn read(context: &Context<'_>, pairings: &[Pairing], found: &[Candidate]) -> Option<Candidate> {
    let is_card = matches!(context.class.id_type, IdType::DrivingLicence | IdType::NationalId | IdType::ResidencePermit);
    let is_name = |candidate: &Candidate| matches!(candidate.name, FieldName::Name | FieldName::Surname | FieldName::GivenNames);
    let is_named = found.iter().chain(context.zones).any(is_name) || pairings.iter().any(Pairing::announces_name);
    // A heading in a script that is not read looks like a name, and so does one of an issuer that is not known.
    let is_known = context.class.issuer.is_some() && !has(context.class.issuer, Custom::NamesInTwoScripts);
    if !is_card || is_named || !is_known {
        return None;
    }
    // The back has names of offices and towns.
    let side = found.iter().find(|candidate| matches!(candidate.name, FieldName::DateOfBirth | FieldName::IdNumber))?.side;
    let (sheet, pairing) = context.sheets.iter().zip(pairings).find(|(sheet, _)| sheet.side == side)?;
    let mut blocks = blocks(sheet, pairing).into_iter().filter(|block| block.len() > 1 || words(&block[0].text()).len() > 1);
    let block = blocks.next().filter(|block| block.len() <= 2)?;
    if blocks.next().is_some() {
        return None;
    }
    let lines: Vec<String> = in_reading_order(&block, context.class.issuer).into_iter().map(TextLine::text).collect();
    let print = lines.join("\n");
    let confidence = block.iter().map(|line| line.confidence).fold(BY_ITS_PLACE, |sure, confidence| sure.min(BY_ITS_PLACE * confidence));
    let quad = block[0].quad;
    Some(candidate(FieldName::Name, labelled::whole_name(context, &print)?, &print, sheet.side, confidence, quad))
}

/// The lines of a name, given names first: Australia prints the surname above them, others below.
fn in_reading_order<'a>(block: &[&'a TextLine], issuer: Option<&str>) -> Vec<&'a TextLine> {
    match *block {
        // Two given names are commoner than two surnames.
        [upper, lower] if has(issuer, Custom::SurnameAboveGivenNames) && words(&upper.text()).len() <= words(&lower.text()).len() => {
            vec![lower, upper]
        }
        _ => block.to_vec(),
    }
}

/// The lines below the first title that may be a name, those together that stand close above one another.
fn blocks<'a>(sheet: &'a Sheet, pairing: &Pairing) -> Vec<Vec<&'a TextLine>> {
    let is_heading = |line: &TextLine| is_title(line) || names_state(line) || has_stopword(&line.text());
    let Some(title) = sheet.lines.iter().position(|line| !line.upright && is_heading(line)) else { return Vec::new() };
    let captions = captions_of(&sheet.lines);
    let mut blocks: Vec<Vec<&TextLine>> = Vec::new();
    for (index, line) in sheet.lines.iter().enumerate().skip(title + 1) {
        let is_bought = pairing.pairs.iter().any(|pair| pair.line == index);
        let is_free = !line.upright && line.confidence > LEGIBLE && !is_bought && captions[index].is_empty() && !is_heading(line);
        if !is_free || person_name(&line.text()).is_none() || has_print_before(sheet, line) {
            continue;
        }
        match blocks.last_mut() {
            Some(block) if block.last().is_some_and(|last| goes_on(&last.edges, &line.edges)) => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    blocks
}

/// Whether something stands to the left of a line: a caption that was not understood.
fn has_print_before(sheet: &Sheet, line: &TextLine) -> bool {
    let reach = 4.0 * line.edges.height();
    sheet.lines.iter().any(|other| {
        !other.upright
            && other.edges.left < line.edges.left
            && (-0.5 * reach..reach).contains(&(line.edges.left - other.edges.right))
            && other.edges.same_row(&line.edges)
    })
}

/// Whether a line stands directly below another one, begins where it does, and has letters of the same size.
fn goes_on(upper: &Edges, lower: &Edges) -> bool {
    let height = upper.height().max(lower.height());
    let alike = upper.height().min(lower.height()) > 0.75 * height;
    alike && lower.top - upper.bottom < height && (upper.left - lower.left).abs() < 0.6 * height
}
