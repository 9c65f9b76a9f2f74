//! Licences and identity cards of the United States and Canada without a readable barcode.
//!
//! The AAMVA card design standard numbers the fields (`1` surname, `2` given names, `3` birth date, `4d` number, `8` address,
//! `15` sex), and states print the numbers, the words, both or neither, often without a blank before the value.

mod marks;
mod names;
mod number;

use regex_lite::Regex;

use crate::document::date::{Century, Found, Order, find_dates, iso};
use crate::document::field::{Candidate, FieldName};
use crate::document::layout::{Sheet, TextLine};
use crate::document::text::plain;

use super::american_address::find_address;
use super::sex::sex;
use super::{Context, candidate};
use marks::MARKS;
use names::Part;

/// Nobody gets a card of these before this age, in years.
const YOUNGEST: i32 = 10;

/// Reads the sides of a card that follow the standard.
pub(super) fn read(context: &Context<'_>) -> Vec<Candidate> {
    context.sheets.iter().flat_map(|sheet| read_sheet(context, sheet)).collect()
}

fn read_sheet(context: &Context<'_>, sheet: &Sheet) -> Vec<Candidate> {
    let card = Card { sheet, texts: sheet.lines.iter().map(|line| plain(&line.chars)).collect(), order: context.order() };
    let mut found = Vec::new();
    let mut push = |name, value: String, line: usize, confidence: f32| {
        let line = &sheet.lines[line];
        let raw = line.text();
        found.push(candidate(name, value, &raw, sheet.side, confidence * line.confidence, line.quad));
    };
    let address = find_address(sheet, &card.texts);
    if let Some(block) = &address {
        push(FieldName::Address, block.text.clone(), block.lines[0], 0.85);
    }
    let birth = card.date(&MARKS.birth, Century::Past(context.today)).map(|(date, line)| (date, line, 0.9));
    let birth = birth.filter(|(date, ..)| context.today.year() - date.year() >= YOUNGEST).or_else(|| card.earliest_date(context));
    if let Some((date, line, confidence)) = birth {
        push(FieldName::DateOfBirth, iso(date), line, confidence);
    }
    for (mark, name) in [(&MARKS.issue, FieldName::IssueDate), (&MARKS.expiry, FieldName::ExpiryDate)] {
        if let Some((date, line)) = card.date(mark, Century::Near(context.today)) {
            push(name, iso(date), line, 0.85);
        }
    }
    if let Some((sex, line)) = card.sex() {
        push(FieldName::Gender, sex.to_owned(), line, 0.9);
    }
    if let Some((number, line, confidence)) = card.number() {
        push(FieldName::IdNumber, number, line, confidence);
    }
    if let Some(names) = card.names(address.as_ref()) {
        for (part, name) in [(&names.surname, FieldName::Surname), (&names.given, FieldName::GivenNames)] {
            if let Some(part) = part {
                push(name, part.text.clone(), part.line, names.confidence);
            }
        }
        // The whole is no surer than its less sure part.
        let parts = [&names.surname, &names.given].into_iter().flatten();
        let by_confidence = |a: &&Part, b: &&Part| sheet.lines[a.line].confidence.total_cmp(&sheet.lines[b.line].confidence);
        if let Some(weakest) = parts.min_by(by_confidence) {
            push(FieldName::Name, names.whole(), weakest.line, names.confidence);
        }
    }
    found
}

struct Card<'a> {
    sheet: &'a Sheet,
    /// The lines in capitals and ASCII, character for character.
    texts: Vec<String>,
    /// Whether day or month comes first in dates.
    order: Order,
}

impl Card<'_> {
    fn lines(&self) -> impl Iterator<Item = (usize, &TextLine, &str)> {
        self.sheet
            .lines
            .iter()
            .zip(&self.texts)
            .enumerate()
            .filter(|(_, (line, _))| !line.upright)
            .map(|(index, (line, text))| (index, line, text.as_str()))
    }

    /// Lines where the value of a mark at `edges` of line `index` may stand: beside it, then below it.
    fn near(&self, index: usize, start: usize, end: usize) -> Vec<usize> {
        let own = &self.sheet.lines[index];
        let mark = own.edges_of(start, end);
        let height = own.edges.height();
        let mut beside: Vec<(f32, usize)> = Vec::new();
        let mut below: Vec<(f32, usize)> = Vec::new();
        for (other, line, _) in self.lines() {
            if other == index {
                continue;
            }
            let gap = line.edges.left - own.edges.right;
            if own.edges.same_row(&line.edges) && gap > -0.5 * height && gap < 10.0 * height {
                beside.push((gap, other));
            }
            let drop = line.edges.top - own.edges.bottom;
            if line.edges.middle() > own.edges.bottom - 0.2 * height && drop < 1.1 * height && line.edges.overlap_x(&mark) > -0.5 * height {
                below.push((drop + 0.1 * (line.edges.left - mark.left).abs(), other));
            }
        }
        beside.sort_by(|a, b| a.0.total_cmp(&b.0));
        below.sort_by(|a, b| a.0.total_cmp(&b.0));
        beside.into_iter().take(1).chain(below.into_iter().take(2)).map(|(_, index)| index).collect()
    }

    /// The date that a mark announces, and its line.
    fn date(&self, mark: &Regex, century: Century) -> Option<(time::Date, usize)> {
        for (index, line, text) in self.lines() {
            let Some(hit) = mark.find(text) else { continue };
            let rest = line.slice(hit.end(), line.chars.len());
            if let Some(found) = find_dates(&rest, self.order, century).first().filter(|found| found.start < 12) {
                return Some((found.date, index));
            }
        }
        for (index, _, text) in self.lines() {
            let Some(hit) = mark.find(text) else { continue };
            for other in self.near(index, hit.start(), hit.end()) {
                // A line with a mark of its own has the date of that mark.
                let foreign = [&MARKS.birth, &MARKS.issue, &MARKS.expiry].iter().any(|other_mark| other_mark.is_match(&self.texts[other]));
                if !foreign
                    && let Some(found) =
                        find_dates(&self.text(other), self.order, century).iter().find(|found| self.is_parted(other, found))
                {
                    return Some((found.date, other));
                }
            }
        }
        None
    }

    /// Without a legible mark, the earliest date is the birth date if its holder was grown when the others came.
    fn earliest_date(&self, context: &Context<'_>) -> Option<(time::Date, usize, f32)> {
        let mut dates: Vec<(time::Date, usize)> = self
            .lines()
            .flat_map(|(index, _, _)| {
                let found = find_dates(&self.text(index), self.order, Century::Past(context.today));
                found.into_iter().filter(|found| self.is_parted(index, found)).map(|found| (found.date, index)).collect::<Vec<_>>()
            })
            .collect();
        dates.sort();
        let distinct = dates.iter().map(|(date, _)| date).collect::<std::collections::BTreeSet<_>>();
        let (first, second) = (distinct.iter().next()?, distinct.iter().nth(1)?);
        let twice = dates.iter().filter(|(date, _)| date == *first).count() > 1;
        let grown = second.year() - first.year() >= 15;
        (grown && first.year() > 1900).then(|| (dates[0].0, dates[0].1, if twice { 0.75 } else { 0.6 }))
    }

    /// Whether a date is not digits alone: eight in a row may be anything, `5. 20100120` is the number of the blank card.
    fn is_parted(&self, index: usize, date: &Found) -> bool {
        self.texts[index].chars().take(date.end).skip(date.start).any(|c| !c.is_ascii_digit())
    }

    fn text(&self, index: usize) -> String {
        self.sheet.lines[index].text()
    }

    fn sex(&self) -> Option<(&'static str, usize)> {
        for (index, line, text) in self.lines() {
            let Some(hit) = MARKS.sex.find(text) else { continue };
            let rest = &text[hit.end()..];
            // `SEXM`, `SEX: F 16 HGT`, `SEXMHT`: one letter, then no word or the next mark.
            let mut after = rest.chars();
            if let Some(letter @ ('M' | 'F' | 'X')) = after.next() {
                let next: String = after.take(3).collect();
                let ends = !next.starts_with(|c: char| c.is_ascii_alphabetic())
                    || ["HT", "HGT", "HAI", "EYE", "WT", "ALE", "EMA"].iter().any(|word| next.starts_with(word));
                if ends {
                    return sex(&letter.to_string()).map(|sex| (sex, index));
                }
            }
            let mark = line.edges_of(hit.start(), hit.end());
            for other in self.near(index, hit.start(), hit.end()) {
                if let Some(sex) = self.letter_under(other, mark.left, mark.right) {
                    return Some((sex, other));
                }
            }
        }
        // Quebec prints the number of the field alone.
        self.lines().find_map(|(index, _, text)| {
            let letter = text.strip_prefix("15")?.trim_matches(['.', ':', ' ']);
            matches!(letter, "M" | "F" | "X").then(|| sex(letter)).flatten().map(|sex| (sex, index))
        })
    }

    /// The word of a line that stands under (or beside) a mark, where it is a sex.
    fn letter_under(&self, index: usize, left: f32, right: f32) -> Option<&'static str> {
        let line = &self.sheet.lines[index];
        let text = &self.texts[index];
        let mut start = 0;
        for word in text.split(' ') {
            let edges = line.edges_of(start, start + word.len());
            let middle = (edges.left + edges.right) / 2.0;
            let slack = 1.5 * line.edges.height();
            if matches!(word, "M" | "F" | "X") && ((left - slack..right + slack).contains(&middle) || start == 0) {
                return sex(word);
            }
            start += word.len() + 1;
        }
        None
    }
}
