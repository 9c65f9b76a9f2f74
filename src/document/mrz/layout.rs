//! Which symbol may stand where: the layouts of ICAO Doc 9303 parts 4 to 7 and of the French identity card before 2021.

use std::ops::Range;

use super::symbol::Class;

/// The layouts of machine-readable zones that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Passports: two lines of 44.
    Td3,
    /// Larger cards: two lines of 36.
    Td2,
    /// Cards of credit-card size: three lines of 30.
    Td1,
    /// Visas of passport-page size: two lines of 44, no composite digit.
    MrvA,
    /// Smaller visas: two lines of 36, no composite digit.
    MrvB,
    /// French identity cards issued before 2021: two lines of 36.
    FrenchId,
}

/// What a check digit stands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Checked {
    /// The document's number.
    Number,
    /// The date of birth.
    Birth,
    /// The date of expiry.
    Expiry,
    /// The personal number of passports.
    Personal,
    /// All of the above together.
    Composite,
}

/// A check digit inside one line: where it stands and what it covers, as indices of that line.
#[derive(Debug)]
pub(super) struct FieldCheck {
    pub(super) of: Checked,
    pub(super) covers: Range<usize>,
    pub(super) at: usize,
}

/// One line of a layout.
#[derive(Debug)]
pub(super) struct LineSpec {
    /// What may stand at each index.
    pub(super) classes: Vec<Class>,
    /// The check digits over fields, left to right.
    pub(super) checks: Vec<FieldCheck>,
    /// What the composite digit covers of this line, in order.
    pub(super) composite_covers: Vec<Range<usize>>,
    /// Where the composite digit stands, on the line that has it.
    pub(super) composite_at: Option<usize>,
    /// Where a state's code stands.
    pub(super) state: Option<Range<usize>>,
    /// Where six-digit dates stand.
    pub(super) dates: Vec<Range<usize>>,
    /// Where names stand.
    pub(super) names: Option<Range<usize>>,
}

impl LineSpec {
    pub(super) fn len(&self) -> usize {
        self.classes.len()
    }
}

const DIGIT: Class = Class::DIGIT;
const LETTER: Class = Class::LETTER;
const NAME: Class = LETTER.or(Class::FILLER);
const ANY: Class = NAME.or(DIGIT);
const DIGIT_OR_FILLER: Class = DIGIT.or(Class::FILLER);
const SEX: Class = Class::of(b"MFX").or(Class::FILLER);

impl Layout {
    /// All of them, the most frequent first.
    pub(super) const ALL: [Self; 6] = [Self::Td3, Self::Td1, Self::Td2, Self::MrvA, Self::MrvB, Self::FrenchId];

    /// The lines of the layout, top to bottom.
    pub(super) fn lines(self) -> Vec<LineSpec> {
        match self {
            Self::Td3 => vec![name_line(44, Class::of(b"P"), Class::FILLER), td3_second_line()],
            Self::Td2 => vec![name_line(36, Class::of(b"IACP"), Class::FILLER), td2_second_line(true)],
            Self::MrvA => vec![name_line(44, Class::of(b"V"), Class::FILLER), visa_second_line(44)],
            Self::MrvB => vec![name_line(36, Class::of(b"V"), Class::FILLER), td2_second_line(false)],
            Self::Td1 => vec![td1_first_line(), td1_second_line(), td1_third_line()],
            Self::FrenchId => vec![french_first_line(), french_second_line()],
        }
    }

    /// Characters on each line.
    pub fn width(self) -> usize {
        match self {
            Self::Td3 | Self::MrvA => 44,
            Self::Td2 | Self::MrvB | Self::FrenchId => 36,
            Self::Td1 => 30,
        }
    }

    /// Whether the layout ends in a digit over all checked fields.
    pub fn has_composite(self) -> bool {
        match self {
            Self::Td3 | Self::Td2 | Self::Td1 | Self::FrenchId => true,
            Self::MrvA | Self::MrvB => false,
        }
    }
}

/// Concatenates runs of one class each.
fn classes(runs: &[(usize, Class)]) -> Vec<Class> {
    runs.iter().flat_map(|&(n, class)| std::iter::repeat_n(class, n)).collect()
}

/// Stretches of a line, each from its first index to the one after its last.
fn spans(ends: &[(usize, usize)]) -> Vec<Range<usize>> {
    ends.iter().map(|&(start, end)| start..end).collect()
}

fn plain(classes: Vec<Class>) -> LineSpec {
    LineSpec { classes, checks: vec![], composite_covers: vec![], composite_at: None, state: None, dates: vec![], names: None }
}

fn check(of: Checked, covers: Range<usize>) -> FieldCheck {
    let at = covers.end;
    FieldCheck { of, covers, at }
}

/// Code, issuer and names, as passports, visas and larger cards begin.
fn name_line(width: usize, first: Class, second_extra: Class) -> LineSpec {
    LineSpec {
        state: Some(2..5),
        names: Some(5..width),
        ..plain(classes(&[(1, first), (1, LETTER.or(second_extra)), (1, LETTER), (2, NAME), (width - 5, NAME)]))
    }
}

/// Number, nationality, birth, sex and expiry: the 28 characters that all second lines but those of cards begin with.
const COMMON_SECOND_LINE: [(usize, Class); 7] =
    [(9, ANY), (1, DIGIT_OR_FILLER), (1, LETTER), (2, NAME), (6, DIGIT_OR_FILLER), (1, DIGIT), (1, SEX)];

fn second_line(rest: &[(usize, Class)]) -> LineSpec {
    let runs: Vec<_> = COMMON_SECOND_LINE.iter().chain(&[(6, DIGIT_OR_FILLER), (1, DIGIT_OR_FILLER)]).chain(rest).copied().collect();
    LineSpec {
        checks: vec![check(Checked::Number, 0..9), check(Checked::Birth, 13..19), check(Checked::Expiry, 21..27)],
        state: Some(10..13),
        dates: spans(&[(13, 19), (21, 27)]),
        ..plain(classes(&runs))
    }
}

fn td3_second_line() -> LineSpec {
    let mut line = second_line(&[(14, ANY), (1, DIGIT_OR_FILLER), (1, DIGIT)]);
    line.checks.push(check(Checked::Personal, 28..42));
    line.composite_covers = spans(&[(0, 10), (13, 20), (21, 43)]);
    line.composite_at = Some(43);
    line
}

fn td2_second_line(has_composite: bool) -> LineSpec {
    if !has_composite {
        return visa_second_line(36);
    }
    let mut line = second_line(&[(7, ANY), (1, DIGIT)]);
    line.composite_covers = spans(&[(0, 10), (13, 20), (21, 35)]);
    line.composite_at = Some(35);
    line
}

fn visa_second_line(width: usize) -> LineSpec {
    second_line(&[(width - 28, ANY)])
}

fn td1_first_line() -> LineSpec {
    LineSpec {
        checks: vec![check(Checked::Number, 5..14)],
        composite_covers: spans(&[(5, 30)]),
        state: Some(2..5),
        // The second letter is a digit on permanent resident cards of the United States.
        ..plain(classes(&[
            (1, Class::of(b"IAC")),
            (1, NAME.or(Class::one_or_two())),
            (1, LETTER),
            (2, NAME),
            (9, ANY),
            (1, DIGIT_OR_FILLER),
            (15, ANY),
        ]))
    }
}

fn td1_second_line() -> LineSpec {
    LineSpec {
        checks: vec![check(Checked::Birth, 0..6), check(Checked::Expiry, 8..14)],
        composite_covers: spans(&[(0, 7), (8, 15), (18, 29)]),
        composite_at: Some(29),
        state: Some(15..18),
        dates: spans(&[(0, 6), (8, 14)]),
        ..plain(classes(&[
            (6, DIGIT_OR_FILLER),
            (1, DIGIT),
            (1, SEX),
            (6, DIGIT_OR_FILLER),
            (1, DIGIT_OR_FILLER),
            (1, LETTER),
            (2, NAME),
            (11, ANY),
            (1, DIGIT),
        ]))
    }
}

fn td1_third_line() -> LineSpec {
    LineSpec { names: Some(0..30), ..plain(classes(&[(1, LETTER), (29, NAME)])) }
}

fn french_first_line() -> LineSpec {
    LineSpec {
        composite_covers: spans(&[(0, 36)]),
        names: Some(5..30),
        ..plain(classes(&[
            (1, Class::of(b"I")),
            (1, Class::of(b"D")),
            (1, Class::of(b"F")),
            (1, Class::of(b"R")),
            (1, Class::of(b"A")),
            (25, NAME),
            (3, ANY),
            (3, ANY),
        ]))
    }
}

fn french_second_line() -> LineSpec {
    LineSpec {
        checks: vec![check(Checked::Number, 0..12), check(Checked::Birth, 27..33)],
        composite_covers: spans(&[(0, 35)]),
        composite_at: Some(35),
        dates: spans(&[(27, 33)]),
        names: Some(13..27),
        ..plain(classes(&[(4, DIGIT), (3, ANY), (5, DIGIT), (1, DIGIT), (14, NAME), (6, DIGIT), (1, DIGIT), (1, SEX), (1, DIGIT)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_layout_has_its_width_and_checks_inside_it() {
        for layout in Layout::ALL {
            for line in layout.lines() {
                assert_eq!(line.len(), layout.width(), "{layout:?}");
                assert!(line.checks.iter().all(|check| check.at < line.len() && check.covers.end == check.at), "{layout:?}");
                assert!(line.composite_at.is_none_or(|at| at + 1 == line.len()), "{layout:?}");
            }
            assert_eq!(layout.lines().iter().any(|line| line.composite_at.is_some()), layout.has_composite());
        }
    }
}
