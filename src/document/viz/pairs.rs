//! Captions and the values that stand beside them, by geometry: in the same line, to the right, below, rarely above.
//!
//! Every caption bids for every piece of print whose shape fits it; the cheapest bids win, and a piece is sold once.
//! So a date goes to the date's caption and a name to the name's, also where rows and columns are crowded.

use crate::document::labels::{Kind, Shape, captions_of};
use crate::document::layout::{Edges, Sheet, TextLine};
use crate::ocr::Quad;

use super::captions::{Label, group, resolve_names, stack};
use super::pieces::{Piece, pieces_of};
use super::shape::fits;
use super::split_lines::{goes_on, is_next_group, is_next_word};

/// A value that was found for a caption.
#[derive(Clone)]
pub(crate) struct Pair {
    /// What the caption announces.
    pub(crate) kind: Kind,
    /// The value as printed; several lines are joined by `\n`.
    pub(crate) text: String,
    /// The box of the value.
    pub(crate) edges: Edges,
    /// The box in the page's frame.
    pub(crate) quad: Quad,
    /// The recogniser's confidence in the value's lines, the least of them.
    pub(crate) confidence: f32,
    /// How far the value stands from where it is expected: 0 is beside, 1 is doubtful.
    pub(crate) cost: f32,
    /// Index of the value's first line in the sheet.
    pub(crate) line: usize,
}

/// Captions and values of one sheet.
#[derive(Default)]
pub(crate) struct Pairing {
    /// Values by caption, in reading order.
    pub(crate) pairs: Vec<Pair>,
    /// Kinds that a caption announces, value found or not.
    pub(crate) announced: Vec<Kind>,
}

impl Pairing {
    /// The nearest value of a kind.
    pub(crate) fn best(&self, kind: Kind) -> Option<&Pair> {
        self.pairs.iter().filter(|pair| pair.kind == kind).min_by(|a, b| a.cost.total_cmp(&b.cost))
    }

    /// Whether the document has a caption of this kind.
    pub(crate) fn announces(&self, kind: Kind) -> bool {
        self.announced.contains(&kind)
    }

    /// Whether it has a caption of the holder's name or of a part of it.
    pub(crate) fn announces_name(&self) -> bool {
        let is_name = |kind: &Kind| kind.value().0 == Shape::Name && !matches!(kind, Kind::OtherName | Kind::Relative);
        self.announced.iter().any(is_name)
    }
}

/// What is read with less confidence than this is a pattern of the card's ground more often than a value, and costs so much
/// more: other print is preferred. Found on cards whose pattern below a caption was taken for the name beside it.
const LEGIBLE: f32 = 0.6;
const NOISE: f32 = 0.5;

/// Heights of a line between a caption and the name below it, at the most.
const NEAR: f32 = 1.2;

/// Heights of a line between a caption and the value to its right, at the most; a colon before the value bridges more.
const REACH: f32 = 14.0;
const REACH_OF_COLON: f32 = 28.0;

/// Whether a text has capitals only.
fn shouts(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase)
}

/// Whether a text begins with a word or two and a colon.
pub(super) fn is_captioned(text: &str) -> bool {
    let words = text.split_once(':').map_or("", |(words, _)| words);
    words.chars().filter(|c| c.is_alphabetic()).count() > 3 && words.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '\'' | '/'))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Inline,
    Right,
    Below,
    Above,
}

/// Pairs the captions of a sheet with their values.
pub(crate) fn pair(sheet: &Sheet) -> Pairing {
    let mut labels = Vec::new();
    let mut pieces = Vec::new();
    for ((index, line), captions) in sheet.lines.iter().enumerate().zip(captions_of(&sheet.lines)) {
        if line.upright || is_machine_zone(line) {
            continue;
        }
        let groups = group(line, index, &captions);
        pieces.extend(pieces_of(line, index, &groups));
        labels.extend(groups.into_iter().map(|(_, label)| label));
    }
    stack(&mut labels);
    resolve_names(&mut labels);
    let announced = labels.iter().map(|label| label.kind).collect();
    let pairs = assign(&labels, &pieces, sheet);
    Pairing { pairs, announced }
}

/// Lines of a machine-readable zone are full of fillers.
pub(crate) fn is_machine_zone(line: &TextLine) -> bool {
    let fillers = line.chars.iter().filter(|c| matches!(c, '<' | '«')).count();
    fillers >= 3 || (line.chars.len() >= 28 && fillers >= 1 && !line.chars.contains(&' '))
}

struct Bid {
    label: usize,
    piece: usize,
    relation: Relation,
    cost: f32,
}

fn assign(labels: &[Label], pieces: &[Piece], sheet: &Sheet) -> Vec<Pair> {
    let mut bids = Vec::new();
    for (label_index, label) in labels.iter().enumerate() {
        for (piece_index, piece) in pieces.iter().enumerate() {
            let Some(penalty) = fits(label.kind, &piece.text) else { continue };
            let Some((relation, cost)) = relate(label, piece, labels) else { continue };
            // Words that go on behind `residence` are the rest of a title: `RESIDENCE CERTIFICATE`.
            let goes_on = relation == Relation::Inline && !piece.is_tied && !piece.text.contains(|c: char| c.is_ascii_digit());
            if label.kind == Kind::Address && goes_on {
                continue;
            }
            let noise = if piece.confidence < LEGIBLE { NOISE } else { 0.0 };
            bids.push(Bid { label: label_index, piece: piece_index, relation, cost: cost + penalty + noise });
        }
    }
    let habit = habit(labels, &bids);
    let is_name = |bid: &Bid| labels[bid.label].kind.value().0 == Shape::Name;
    for bid in &mut bids {
        bid.cost += match (habit, bid.relation) {
            (Some(Relation::Above), Relation::Above) => -0.7,
            (_, Relation::Above) => 1.2,
            (Some(Relation::Below), Relation::Right) | (Some(Relation::Right), Relation::Below) => 0.4,
            // What goes on behind a caption is the caption in one more language.
            (Some(Relation::Below), Relation::Inline) if is_name(bid) && pieces[bid.piece].after_slash => 1.2,
            (Some(Relation::Below), Relation::Inline) if is_name(bid) && !pieces[bid.piece].is_tied => 0.7,
            _ => 0.0,
        };
    }
    bids.retain(|bid| bid.cost < 1.6);
    bids.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.label.cmp(&b.label)).then(a.piece.cmp(&b.piece)));
    let mut owner: Vec<Option<usize>> = vec![None; pieces.len()];
    let mut bought: Vec<Option<(usize, f32, Relation)>> = vec![None; labels.len()];
    for bid in bids {
        if owner[bid.piece].is_none() && bought[bid.label].is_none() {
            owner[bid.piece] = Some(bid.label);
            bought[bid.label] = Some((bid.piece, bid.cost, bid.relation));
        }
    }
    let mut pairs = Vec::new();
    for (label, bought) in labels.iter().zip(&bought) {
        let Some((piece, cost, relation)) = *bought else { continue };
        pairs.push(extended(label, piece, (cost, relation), pieces, &mut owner, labels, sheet));
    }
    pairs.sort_by_key(|pair| pair.line);
    join_halves(&mut pairs);
    pairs
}

/// Joins names in two boxes that were bought by the two boxes of one caption.
fn join_halves(pairs: &mut Vec<Pair>) {
    let halves = |pairs: &[Pair]| {
        (1..pairs.len()).find(|index| {
            let (before, pair) = (&pairs[index - 1], &pairs[*index]);
            before.kind == pair.kind
                && pair.kind.value().0 == Shape::Name
                && is_next_word(&before.edges, &pair.edges)
                && goes_on(&before.text, &pair.text)
        })
    };
    while let Some(index) = halves(pairs) {
        let pair = pairs.remove(index);
        let before = &mut pairs[index - 1];
        before.text = format!("{} {}", before.text, pair.text);
        before.confidence = before.confidence.min(pair.confidence);
        before.edges = before.edges.union(&pair.edges);
    }
}

/// Where the piece stands relative to the caption, and how well it stands there; none if it stands elsewhere.
fn relate(label: &Label, piece: &Piece, labels: &[Label]) -> Option<(Relation, f32)> {
    let height = label.edges.height().min(2.0 * piece.edges.height()).max(piece.edges.height());
    if piece.line == label.line && piece.start >= label.end {
        // Another caption between the two owns the piece.
        let between = labels.iter().any(|other| other.line == label.line && other.end > label.end && other.end <= piece.start);
        return (!between).then_some((Relation::Inline, if piece.after_slash { 0.5 } else { 0.0 }));
    }
    let (a, b) = (&label.edges, &piece.edges);
    let beside = (a.middle() - b.middle()).abs() < 0.6 * a.height().max(b.height());
    if beside && b.left >= a.right - 0.6 * height {
        let gap = ((b.left - a.right) / height).max(0.0);
        let between = labels.iter().any(|other| {
            other.edges.left > a.left + 1.0
                && other.edges.right <= b.left + 0.5 * height
                && (other.edges.middle() - a.middle()).abs() < 0.6 * height
        });
        let reach = if piece.is_tied { REACH_OF_COLON } else { REACH };
        return (gap < reach && !between).then_some((Relation::Right, 0.25 + 0.05 * gap.min(REACH)));
    }
    let near_left = (a.left - b.left).abs().min((a.right - b.right).abs()) / height;
    if a.overlap_x(b) <= 0.0 && near_left > 1.0 {
        return None;
    }
    let below = (b.top - a.bottom) / height;
    if b.middle() > a.bottom - 0.1 * height && below < 2.2 {
        // Germany stacks the captions of surname and name at birth, and then their values.
        let stacked = |upper: &Label, lower: &Label| {
            (upper.kind, lower.kind) == (Kind::Surname, Kind::OtherName)
                && (0.0..0.6 * height).contains(&(lower.edges.top - upper.edges.bottom))
                && (lower.edges.left - upper.edges.left).abs() < height
        };
        let shielded = labels.iter().any(|other| {
            other.edges.top > a.bottom - 0.3 * height
                && other.edges.bottom < b.top + 0.3 * height
                && other.edges.overlap_x(b) > 0.0
                && !stacked(label, other)
        });
        let shield = match labels.iter().any(|other| stacked(other, label)) {
            true => 0.4,
            false if shielded => 0.8,
            false => 0.0,
        };
        // A name that stands so far below is another line's, whose caption was not understood.
        let far = if label.kind.value().0 == Shape::Name { (below - NEAR).max(0.0) } else { 0.0 };
        return Some((Relation::Below, 0.2 + 0.5 * below.max(0.0) + far + (0.12 * near_left).min(0.7) + shield));
    }
    let above = (a.top - b.bottom) / height;
    (b.middle() < a.top + 0.1 * height && above < 0.8)
        .then_some((Relation::Above, 0.5 + 0.5 * above.max(0.0) + (0.12 * near_left).min(0.7)))
}

/// Where this document prints its values, by the captions whose values cannot be taken for others.
fn habit(labels: &[Label], bids: &[Bid]) -> Option<Relation> {
    let mut votes = [0_usize; 3];
    for (index, label) in labels.iter().enumerate() {
        let is_telling = matches!(
            label.kind,
            Kind::BirthDate
                | Kind::IssueDate
                | Kind::ExpiryDate
                | Kind::Sex
                | Kind::Number
                | Kind::PassportNumber
                | Kind::CardNumber
                | Kind::IdentityNumber
        );
        if !is_telling {
            continue;
        }
        let best = bids.iter().filter(|bid| bid.label == index).min_by(|a, b| a.cost.total_cmp(&b.cost));
        match best.map(|bid| bid.relation) {
            Some(Relation::Below) => votes[0] += 1,
            Some(Relation::Inline | Relation::Right) => votes[1] += 1,
            Some(Relation::Above) => votes[2] += 1,
            None => {}
        }
    }
    match votes {
        [below, beside, above] if above >= 2 && above > beside + below => Some(Relation::Above),
        // A single value below is that of a title.
        [0 | 1, _, 0] if names_stand_above(labels, bids) => Some(Relation::Above),
        // A single one may be a title, with the number below it.
        [below, beside, _] if below > beside.max(1) => Some(Relation::Below),
        [below, beside, _] if beside > below.max(1) => Some(Relation::Right),
        _ => None,
    }
}

/// Whether the names of a side without other captions stand above theirs, as Colombia prints them.
fn names_stand_above(labels: &[Label], bids: &[Bid]) -> bool {
    let names: Vec<usize> =
        (0..labels.len()).filter(|index| matches!(labels[*index].kind, Kind::Surname | Kind::GivenNames | Kind::Name)).collect();
    let nearest = |label: usize| bids.iter().filter(|bid| bid.label == label).min_by(|a, b| a.cost.total_cmp(&b.cost));
    names.len() >= 2 && names.iter().all(|label| nearest(*label).is_some_and(|bid| bid.relation == Relation::Above))
}

/// Adds the boxes that stand so close to the right of a value that they are more of its line.
fn go_on_beside(pair: &mut Pair, goes_on: fn(&str, &str) -> bool, pieces: &[Piece], owner: &mut [Option<usize>]) {
    let next = |pair: &Pair, owner: &[Option<usize>]| {
        pieces.iter().enumerate().position(|(index, piece)| {
            owner[index].is_none() && piece.whole_line && is_next_word(&pair.edges, &piece.edges) && goes_on(&pair.text, &piece.text)
        })
    };
    while let Some(index) = next(pair, owner) {
        owner[index] = Some(usize::MAX);
        pair.text = format!("{} {}", pair.text, pieces[index].text);
        pair.confidence = pair.confidence.min(pieces[index].confidence);
        pair.edges = pair.edges.union(&pieces[index].edges);
    }
}

/// The value with the lines that continue it.
fn extended(
    label: &Label,
    first: usize,
    (cost, relation): (f32, Relation),
    pieces: &[Piece],
    owner: &mut [Option<usize>],
    labels: &[Label],
    sheet: &Sheet,
) -> Pair {
    let start = &pieces[first];
    let mut pair = Pair {
        kind: label.kind,
        text: start.text.clone(),
        edges: start.edges,
        quad: sheet.lines[start.line].quad,
        confidence: start.confidence,
        cost,
        line: start.line,
    };
    let most = match label.kind {
        // Beside captions, the next row is the next caption's.
        Kind::Surname | Kind::GivenNames | Kind::SurnameFirst if relation == Relation::Below => 1,
        Kind::Name if relation == Relation::Below => 2,
        Kind::Address => 4,
        _ => 0,
    };
    match label.kind.value().0 {
        Shape::Name => go_on_beside(&mut pair, goes_on, pieces, owner),
        Shape::Number => go_on_beside(&mut pair, is_next_group, pieces, owner),
        Shape::Date | Shape::Year | Shape::Sex | Shape::Address | Shape::State | Shape::Place | Shape::Telephone | Shape::Any => {}
    }
    let mut last = start.edges;
    for _ in 0..most {
        let next = pieces.iter().enumerate().find(|(index, piece)| {
            let height = last.height().max(piece.edges.height());
            let gap = piece.edges.top - last.bottom;
            let follows = piece.edges.middle() > last.bottom - 0.1 * height && gap < 0.45 * height;
            let is_address = label.kind == Kind::Address;
            let aligned = (piece.edges.left - start.edges.left).abs() < if is_address { 2.0 } else { 0.5 } * height
                || is_address && piece.edges.overlap_x(&pair.edges) > 0.5 * piece.edges.width()
                || is_address && (piece.edges.left - label.edges.left).abs() < height;
            // What goes on in small letters, in two languages, is a caption that was not understood.
            let caption = is_address && shouts(&start.text) && piece.text.contains('/') && !shouts(&piece.text);
            // Where values stand behind their captions, so do those whose caption was not understood: `Père: KALONJI`.
            let caption = caption || relation == Relation::Inline && is_captioned(&piece.text);
            let ratio = piece.edges.height() / last.height();
            let alike = label.kind == Kind::Address || (0.75..1.33).contains(&ratio);
            let free = owner[*index].is_none() && piece.whole_line;
            // A caption close above the piece is likelier to be its own.
            let captioned = labels.iter().any(|other| {
                other.edges.top > last.top + 0.3 * height
                    && other.edges.bottom < piece.edges.bottom
                    && other.edges.overlap_x(&piece.edges) > 0.0
            });
            follows && aligned && alike && free && !captioned && !caption && fits(label.kind, &piece.text).is_some()
        });
        let Some((index, piece)) = next else { break };
        owner[index] = Some(usize::MAX);
        pair.text.push('\n');
        pair.text.push_str(&piece.text);
        pair.confidence = pair.confidence.min(piece.confidence);
        pair.edges = pair.edges.union(&piece.edges);
        last = piece.edges;
    }
    pair
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::field::Side;
    use crate::document::testing::page;

    #[test]
    fn a_pattern_below_a_caption_is_not_preferred_to_the_print_beside_it() {
        let mut sheet = Sheet::new(Side::Front, &page(&[(60.0, 100.0, "NAME:"), (125.0, 100.0, "ASHA RAO"), (70.0, 124.0, "Pre")]));
        let name = |sheet: &Sheet| pair(sheet).best(Kind::Name).map(|pair| pair.text.clone());
        sheet.lines[2].confidence = 0.44;
        assert_eq!(name(&sheet).as_deref(), Some("ASHA RAO"));
        // Where nothing else is there it is better than nothing: fusing says how sure one can be of it.
        sheet.lines.remove(1);
        assert_eq!(name(&sheet).as_deref(), Some("Pre"));
    }
}
