//! Names on cards of the United States and Canada: by the numbers of their fields, else by where they stand.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::person_name::{person_name, reading_order};

use super::super::american_address::AddressBlock;
use super::super::split_lines::name_line;
use super::Card;
use super::marks::MARKS;

/// Lines that the recogniser is less sure of are scribbles more often than names.
const LEGIBLE: f32 = 0.65;

/// Names as the card splits them.
pub(super) struct Names {
    pub(super) surname: Option<Part>,
    pub(super) given: Option<Part>,
    pub(super) confidence: f32,
}

/// A part of a name and the index of its line.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) line: usize,
}

impl Names {
    pub(super) fn whole(&self) -> String {
        let text = |part: &'_ Option<Part>| part.as_ref().map(|part| part.text.clone()).unwrap_or_default();
        reading_order(&text(&self.given), &text(&self.surname))
    }
}

impl Card<'_> {
    pub(super) fn names(&self, address: Option<&AddressBlock>) -> Option<Names> {
        if let Some(names) = self.names_behind_both(address) {
            return Some(names);
        }
        let coded = self.coded_names(address);
        if coded.surname.is_some() && coded.given.is_some() {
            return Some(coded);
        }
        // One of the two lines carries its number legibly: the other stands directly above or below it.
        if let Some(surname) = &coded.surname {
            let given = self.neighbour(surname.line, address, 1.0);
            return Some(Names { confidence: if given.is_some() { 0.8 } else { 0.4 }, given, ..coded });
        }
        if let Some(given) = &coded.given
            && let Some(surname) = self.neighbour(given.line, address, -1.0)
        {
            return Some(Names { confidence: 0.8, surname: Some(surname), ..coded });
        }
        let block = address?;
        // Given names with their number, above the address: what stands above them is not legible, and they are no whole name.
        let is_above = |line: usize| self.sheet.lines[line].edges.middle() < self.sheet.lines[block.lines[0]].edges.middle();
        if coded.given.as_ref().is_some_and(|given| is_above(given.line)) {
            return None;
        }
        let below = self.name_above(block.lines[0], 3.2)?;
        let (first, first_line) = below;
        match self.name_above(first_line, 2.6) {
            // Given names that go on below: `SURNAME, GIVEN` and one more.
            Some((upper, upper_line)) if upper.contains(", ") => {
                let (surname, given) = upper.split_once(", ")?;
                let part = |text: Option<String>, line| text.map(|text| Part { text, line });
                let given = part(person_name(&format!("{given} {first}")), first_line);
                Some(Names { surname: part(person_name(surname), upper_line), given, confidence: 0.75 })
            }
            Some((surname, surname_line)) => {
                let part = |print: &str, line| person_name(print).map(|text| Part { text, line });
                Some(Names { surname: part(&surname, surname_line), given: part(&first, first_line), confidence: 0.75 })
            }
            None if first.contains(' ') => {
                // A whole name on one line: `SURNAME, GIVEN` or in reading order.
                let (surname, given) = match first.split_once(',') {
                    Some((surname, given)) if given.trim().len() > 2 => (Some(surname.trim().to_owned()), given.trim().to_owned()),
                    _ => (None, first.clone()),
                };
                let part = |text| Part { text, line: first_line };
                Some(Names { surname: surname.map(part), given: Some(part(given)), confidence: 0.7 })
            }
            None => None,
        }
    }

    /// Names behind the numbers of both fields, the given names on the line below: `1,2 THORNQUIST`, `MARGIT`.
    fn names_behind_both(&self, address: Option<&AddressBlock>) -> Option<Names> {
        static BOTH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^1 ?[,.&+/] ?2[ .:]+").expect("tested"));
        self.lines().find_map(|(index, line, text)| {
            let surname = person_name(&name_line(self.sheet, line, BOTH.find(text)?.end()))?;
            let given = self.neighbour(index, address, 1.0).filter(|_| !surname.contains(','))?;
            let surname = Part { text: surname, line: index };
            Some(Names { surname: Some(surname), given: Some(given), confidence: 0.85 })
        })
    }

    /// Names with the number or word of their field before them, in one box or in a box of its own.
    fn coded_names(&self, address: Option<&AddressBlock>) -> Names {
        static SURNAME: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^(?:[1I|L][.:)]? ?|LN ?|1?\.? ?(?:LAST NAME|FAMILY NAME|SURNAME|NAME|NOM)[ .:/]+)$").expect("tested")
        });
        static GIVEN: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^(?:[2Z][.:)]? ?|FN ?|2?\.? ?(?:FIRST(?: ?/ ?MIDDLE)? NAMES?|GIVEN NAMES?|FIRST|PRENOMS?)[ .:/]+)$")
                .expect("tested")
        });
        let mut names = Names { surname: None, given: None, confidence: 0.9 };
        let numbered = self.lines().any(|(_, _, text)| text.starts_with("1 ") || text.starts_with("2 ") || text == "1" || text == "2");
        let words = self.texts.iter().any(|text| text.starts_with("LN")) && self.texts.iter().any(|text| text.starts_with("FN"));
        for (index, line, text) in self.lines() {
            if line.confidence < LEGIBLE || MARKS.any.is_match(text) || address.is_some_and(|block| block.lines.contains(&index)) {
                continue;
            }
            let digits = text.chars().take_while(char::is_ascii_digit).count();
            let mut prefix = match text.as_bytes() {
                [b'1' | b'2', ..] if digits == 1 => 1,
                [b'I' | b'L' | b'|', b' ' | b'.', ..] if numbered => 1,
                [b'L' | b'F', b'N', ..] if words => 2,
                _ => captioned_prefix(text),
            };
            if prefix == 0 {
                continue;
            }
            prefix += text[prefix..].chars().take_while(|c| matches!(c, '.' | ':' | ' ' | ')')).count();
            let head = &text[..prefix];
            let rest = name_line(self.sheet, line, prefix);
            let value = match person_name(&rest) {
                Some(name) => Some((name, index)),
                // The number in a box of its own: the name is what stands beside it.
                None if rest.is_empty() => self.beside(index).and_then(|other| {
                    let name = person_name(&name_line(self.sheet, &self.sheet.lines[other], 0))?;
                    Some((name, other))
                }),
                None => None,
            };
            let Some((text, line)) = value else { continue };
            if names.surname.is_none() && SURNAME.is_match(head) {
                names.surname = Some(Part { text, line });
            } else if names.given.is_none() && GIVEN.is_match(head) {
                names.given = Some(Part { text, line });
            }
        }
        if !numbered && !words && names.surname.is_some() != names.given.is_some() {
            names.confidence = 0.7;
        }
        names
    }

    fn beside(&self, index: usize) -> Option<usize> {
        let own = &self.sheet.lines[index];
        let height = own.edges.height();
        self.lines()
            .filter(|(other, line, _)| {
                *other != index && own.edges.same_row(&line.edges) && line.edges.left > own.edges.right - 0.5 * height
            })
            .map(|(other, line, _)| (line.edges.left - own.edges.right, other))
            .filter(|(gap, _)| *gap < 3.0 * height)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, other)| other)
    }

    /// The name on the line above (-1) or below (1) another, aligned with it.
    fn neighbour(&self, index: usize, address: Option<&AddressBlock>, direction: f32) -> Option<Part> {
        let own = &self.sheet.lines[index];
        let height = own.edges.height();
        self.lines()
            .filter(|(other, line, text)| {
                let step = (line.edges.middle() - own.edges.middle()) * direction;
                *other != index
                    && step > 0.5 * height
                    && step < 2.0 * height
                    && (line.edges.left - own.edges.left).abs() < 2.0 * height
                    && !address.is_some_and(|block| block.lines.contains(other))
                    && !MARKS.any.is_match(text)
            })
            .filter_map(|(other, line, text)| {
                let digits = text.chars().take_while(|c| matches!(c, '1' | '2' | '.' | ' ')).count();
                let text = person_name(&name_line(self.sheet, line, digits))?;
                Some(((line.edges.middle() - own.edges.middle()).abs(), Part { text, line: other }))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, part)| part)
    }

    /// The name on the line above another, within so many heights of a line, in capitals.
    fn name_above(&self, index: usize, reach: f32) -> Option<(String, usize)> {
        let own = &self.sheet.lines[index];
        let height = own.edges.height();
        self.lines()
            .filter(|(other, line, text)| {
                let step = own.edges.middle() - line.edges.middle();
                *other != index
                    && step > 0.5 * height
                    && step < reach * height
                    && (line.edges.left - own.edges.left).abs() < 2.0 * height
                    && !MARKS.any.is_match(text)
                    && line.confidence > 0.7
            })
            .filter_map(|(other, line, text)| {
                let digits = text.chars().take_while(|c| matches!(c, '1' | '2' | '.' | ' ')).count();
                let print = name_line(self.sheet, line, digits);
                let name = person_name(&print)?;
                let capitals = name.chars().filter(|c| c.is_uppercase()).count() * 2 > name.chars().filter(|c| c.is_alphabetic()).count();
                capitals.then_some((own.edges.middle() - line.edges.middle(), name, other))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name, other)| (name, other))
    }
}

/// Length of a caption of a name at the beginning of a line.
fn captioned_prefix(text: &str) -> usize {
    static CAPTION: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[12]?\.? ?(?:LAST NAME|FAMILY NAME|SURNAME|FIRST(?: ?/ ?MIDDLE)? NAMES?|GIVEN NAMES?|NOM|PRENOMS?)[ .:/]+")
            .expect("tested")
    });
    CAPTION.find(text).map_or(0, |caption| caption.end())
}
