//! Licences and identity cards of the United States and Canada without a readable barcode.
//!
//! The AAMVA card design standard numbers the fields (`1` surname, `2` given names, `3` birth date, `4d` number, `8` address,
//! `15` sex), and states print the numbers, the words, both or neither, often without a blank before the value.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::date::{Century, Order, find_date, find_dates, iso};
use crate::document::field::{Candidate, FieldName};
use crate::document::layout::{Sheet, TextLine};
use crate::document::person_name::{person_name, reading_order};
use crate::document::text::plain;

use super::american_address::{AddressBlock, find_address};
use super::{Context, candidate, shape};

/// Lines that the recogniser is less sure of are scribbles more often than names.
const LEGIBLE: f32 = 0.65;

/// Nobody gets a card of these before this age, in years.
const YOUNGEST: i32 = 10;

/// Words that announce a field, with the field's number before them; the value follows without a blank where it may.
struct Marks {
    birth: Regex,
    issue: Regex,
    expiry: Regex,
    sex: Regex,
    number: Regex,
    /// Any of the fields above and those of no interest: what a value ends at.
    any: Regex,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| {
    let regex = |pattern: &str| Regex::new(pattern).expect("the patterns are part of the program and tested");
    Marks {
        birth: regex(
            r"(?:^3[01]? ?[D0O][O0Q][B8]|(?:\b3[. ]?)?\bD[. ]?[O0Q][. ]?[B8]\b|[3J ]D[O0Q]B|\b3[O0]0?B\b|\bD[O0Q]B|DATE OF BIRTH|BIRTH ?DATE|\bBORN|\bDATE DE NAISSANCE|\b3 ?[O0]{2}B?)[ .:]*",
        ),
        issue: regex(r"(?:4 ?[A&][. ]?)?(?:\bI?SS(?:UED?|UE DATE)?\b|[1I]SS|\bISS(?:UED)?|DATE ISSUED|ISSUE DATE|DELIV\.?)[ .:]*"),
        expiry: regex(r"(?:4 ?[B&][. ]?)?(?:\bEXP(?:IRES|IRY|IRATION)?(?: DATE)?|[B ]EXP|\bVALID THRU|\bEX(?:PIR)?\b)[ .:/]*"),
        sex: regex(r"(?:15[. ]?)?(?:\bSEXE?(?:/SEXE?)?|5 ?SEX|\bGENDER)[ .:/]*"),
        number: regex(
            r"(?:\b4 ?[D0O][. ]*)(?:L[I1|]C[. ]*N[O0][. ]*|CUSTOMER IDENTIFIER|CUST(?:OMER)? ?ID|D ?LN?\b|DLN|DL ?N[O0][. ]*|DL ?#|(?:DL|ID|LIC(?:ENSE)?|IDENTIFICATION)[. ]*(?:N[O0](?:\.|\b)|NUMBER|#|ID)?|N[O0]\b|NUMBER)[ .:#]*|^[4A] ?[D0O][A-Z|]{1,4}[. ]*(?:N[O0])?[. :#]+|\b4 ?[D0O](?:[. :]+|$)|\b(?:CUSTOMER IDENTIFIER|(?:DRIVER'?S? ?)?LIC(?:EN[CS]E)?[. ]*(?:N[O0](?:\.|\b)|NUMBER|#)|DL ?(?:N?[O0][. ]+|#|NUMBER)|\bDLN|ID ?(?:N[O0]\b|#|NUMBER)|IDENTIFICATION (?:CARD )?(?:N[O0]|NUMBER|#)|DD REF|PERMIT (?:N[O0]|NUMBER|#)|OLN|CDL ?N?[O0]?)[ .:#]*|^(?:DL|ID|N[O0])(?:[.:# ]+|\b)|^DL ?[O0]?[.:# ]*|^D?L[I1|]C[. ]*N[O0][. :]*|^4[A-Z]{1,5}(?:[#.:]| N?[O0]?\b) *",
        ),
        any: regex(
            r"\b(?:3 ?D[O0Q]B|D[O0Q]B|4 ?A? ?ISS|ISS|4 ?B? ?EXP|EXP|15 ?SEX|SEX|9 ?CLASS|CLASS|9A ?END|END(?:ORS)?|12 ?REST|RESTR?|16 ?HGT|HGT|HT|17 ?WGT|WGT|WT|18 ?EYES|19 ?HAIR|HAIR|DONOR|5 ?DD|DD|DUPS?|REV|TYPE)\b|3?D[O0Q]B\b|EYES|\d?(?:3D[O0Q]B|9CLASS|15SEX)",
        ),
    }
});

/// Reads the sides of a card that follow the standard.
pub(super) fn read(context: &Context<'_>) -> Vec<Candidate> {
    context.sheets.iter().flat_map(|sheet| read_sheet(context, sheet)).collect()
}

fn read_sheet(context: &Context<'_>, sheet: &Sheet) -> Vec<Candidate> {
    let card = Card { sheet, texts: sheet.lines.iter().map(|line| plain(&line.chars)).collect() };
    let mut found = Vec::new();
    let mut push = |name, value: String, line: usize, confidence: f32| {
        let line = &sheet.lines[line];
        let raw: String = line.chars.iter().collect();
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
        if let Some(surname) = &names.surname {
            push(FieldName::Surname, surname.clone(), names.line, names.confidence);
        }
        if let Some(given) = &names.given {
            push(FieldName::GivenNames, given.clone(), names.line, names.confidence);
        }
        push(FieldName::Name, names.whole(), names.line, names.confidence);
    }
    found
}

/// Names as the card splits them.
struct Names {
    surname: Option<String>,
    given: Option<String>,
    /// Index of the line of one of them.
    line: usize,
    confidence: f32,
}

impl Names {
    fn whole(&self) -> String {
        reading_order(self.given.as_deref().unwrap_or_default(), self.surname.as_deref().unwrap_or_default())
    }
}

struct Card<'a> {
    sheet: &'a Sheet,
    /// The lines in capitals and ASCII, character for character.
    texts: Vec<String>,
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
            if let Some(found) = find_dates(&rest, Order::MonthFirst, century).first().filter(|found| found.start < 12) {
                return Some((found.date, index));
            }
        }
        for (index, _, text) in self.lines() {
            let Some(hit) = mark.find(text) else { continue };
            for other in self.near(index, hit.start(), hit.end()) {
                // A line with a mark of its own has the date of that mark.
                let foreign = [&MARKS.birth, &MARKS.issue, &MARKS.expiry].iter().any(|other_mark| other_mark.is_match(&self.texts[other]));
                if !foreign && let Some(date) = find_date(&self.text(other), Order::MonthFirst, century) {
                    return Some((date, other));
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
                let found = find_dates(&self.text(index), Order::MonthFirst, Century::Past(context.today));
                found.into_iter().map(move |found| (found.date, index)).collect::<Vec<_>>()
            })
            .collect();
        dates.sort();
        let distinct = dates.iter().map(|(date, _)| date).collect::<std::collections::BTreeSet<_>>();
        let (first, second) = (distinct.iter().next()?, distinct.iter().nth(1)?);
        let twice = dates.iter().filter(|(date, _)| date == *first).count() > 1;
        let grown = second.year() - first.year() >= 15;
        (grown && first.year() > 1900).then(|| (dates[0].0, dates[0].1, if twice { 0.75 } else { 0.6 }))
    }

    fn text(&self, index: usize) -> String {
        self.sheet.lines[index].chars.iter().collect()
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
                    return shape::sex(&letter.to_string()).map(|sex| (sex, index));
                }
            }
            let mark = line.edges_of(hit.start(), hit.end());
            for other in self.near(index, hit.start(), hit.end()) {
                if let Some(sex) = self.letter_under(other, mark.left, mark.right) {
                    return Some((sex, other));
                }
            }
        }
        None
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
                return shape::sex(word);
            }
            start += word.len() + 1;
        }
        None
    }

    /// The licence's number, by its mark, or as the only print that looks like one.
    fn number(&self) -> Option<(String, usize, f32)> {
        for (index, line, text) in self.lines() {
            let Some(hit) = MARKS.number.find(text) else { continue };
            let rest = line.slice(hit.end(), line.chars.len());
            let end = MARKS.any.find(&text[hit.end()..]).map_or(rest.chars().count(), |next| next.start());
            let mut value: String = rest.chars().take(end).collect();
            // `4d DLN 9999999993 DOB`: the 3 is the number of the next field, as the 4d is of this one.
            if hit.as_str().starts_with('4') && text[hit.end() + end..].starts_with('D') && value.trim_end().ends_with('3') {
                value = value.trim_end().strip_suffix('3').unwrap_or_default().to_owned();
            }
            if let Some(number) = licence_number(&value) {
                return Some((number, index, 0.9));
            }
            if !value.contains(|c: char| c.is_ascii_digit()) {
                for other in self.near(index, hit.start(), hit.end()) {
                    let text = &self.texts[other];
                    let end = MARKS.any.find(text).map_or(text.len(), |next| next.start());
                    if let Some(number) = licence_number(&self.sheet.lines[other].slice(0, end)) {
                        return Some((number, other, 0.85));
                    }
                }
            }
        }
        self.lone_number()
    }

    fn lone_number(&self) -> Option<(String, usize, f32)> {
        static LONE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^(?:[A-Z]{0,3}\d{6,13}[A-Z]?|[A-Z]\d{2,4}-\d{3,4}-\d{3,4}(?:-\d{2,4})*|\d{2,4}[- ]\d{2,3}[- ]\d{3,4})$")
                .expect("tested")
        });
        let tallest = self.lines().map(|(_, line, _)| line.edges.height()).fold(0.0, f32::max);
        let mut found: Vec<(String, usize)> = Vec::new();
        for (index, line, text) in self.lines() {
            let is_date = !find_dates(&self.text(index), Order::MonthFirst, Century::Near(time::Date::MIN)).is_empty();
            if LONE.is_match(text)
                && !is_date
                && line.confidence > 0.9
                && line.edges.height() > 0.25 * tallest
                && !found.iter().any(|(seen, _)| seen == text)
            {
                found.push((text.to_owned(), index));
            }
        }
        match found.as_slice() {
            [(number, index)] => Some((number.clone(), *index, 0.6)),
            _ => None,
        }
    }

    fn names(&self, address: Option<&AddressBlock>) -> Option<Names> {
        let coded = self.coded_names(address);
        if coded.surname.is_some() && coded.given.is_some() {
            return Some(coded);
        }
        // One of the two lines carries its number legibly: the other stands directly above or below it.
        if let Some(line) = coded.surname.is_some().then_some(coded.line) {
            let given = self.neighbour(line, address, 1.0);
            return Some(Names { confidence: if given.is_some() { 0.8 } else { 0.4 }, given, ..coded });
        }
        if let Some(line) = coded.given.is_some().then_some(coded.line)
            && let Some(surname) = self.neighbour(line, address, -1.0)
        {
            return Some(Names { confidence: 0.8, surname: Some(surname), ..coded });
        }
        let block = address?;
        let below = self.name_above(block.lines[0], 3.2)?;
        let (first, first_line) = below;
        match self.name_above(first_line, 2.6) {
            Some((surname, _)) => {
                Some(Names { surname: person_name(&surname), given: person_name(&first), line: first_line, confidence: 0.75 })
            }
            None if first.contains(' ') => {
                // A whole name on one line: `SURNAME, GIVEN` or in reading order.
                let (surname, given) = match first.split_once(',') {
                    Some((surname, given)) if given.trim().len() > 2 => (Some(surname.trim().to_owned()), given.trim().to_owned()),
                    _ => (None, first.clone()),
                };
                Some(Names { surname, given: Some(given), line: first_line, confidence: 0.7 })
            }
            None => None,
        }
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
        let mut names = Names { surname: None, given: None, line: 0, confidence: 0.9 };
        let numbered = self.lines().any(|(_, _, text)| text.starts_with("1 ") || text.starts_with("2 ") || text == "1" || text == "2");
        let words = self.texts.iter().any(|text| text.starts_with("LN")) && self.texts.iter().any(|text| text.starts_with("FN"));
        for (index, line, text) in self.lines() {
            if line.confidence < LEGIBLE || MARKS.any.is_match(text) || address.is_some_and(|block| block.lines.contains(&index)) {
                continue;
            }
            let digits = text.chars().take_while(char::is_ascii_digit).count();
            let mut prefix = match text.as_bytes() {
                [b'1' | b'2', ..] if digits == 1 => 1,
                [b'L' | b'F', b'N', ..] if words => 2,
                _ => captioned_prefix(text),
            };
            if prefix == 0 {
                continue;
            }
            prefix += text[prefix..].chars().take_while(|c| matches!(c, '.' | ':' | ' ' | ')')).count();
            let rest = line.slice(prefix, line.chars.len());
            let value = match person_name(&rest) {
                Some(name) => Some((name, index)),
                // The number in a box of its own: the name is what stands beside it.
                None if rest.is_empty() => self.beside(index).and_then(|other| person_name(&self.text(other)).map(|name| (name, other))),
                None => None,
            };
            let Some((name, at)) = value else { continue };
            let head = &text[..prefix];
            if names.surname.is_none() && SURNAME.is_match(head) {
                names.surname = Some(name);
                names.line = at;
            } else if names.given.is_none() && GIVEN.is_match(head) {
                names.given = Some(name);
                names.line = at;
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
    fn neighbour(&self, index: usize, address: Option<&AddressBlock>, direction: f32) -> Option<String> {
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
            .filter_map(|(_, line, text)| {
                let digits = text.chars().take_while(|c| matches!(c, '1' | '2' | '.' | ' ')).count();
                let name = person_name(&line.slice(digits, line.chars.len()))?;
                Some(((line.edges.middle() - own.edges.middle()).abs(), name))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name)
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
                let print = line.slice(digits, line.chars.len());
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

/// The number at the beginning of a value: letters, digits, blanks and hyphens as the state prints them.
fn licence_number(value: &str) -> Option<String> {
    let value = value.trim_start_matches(|c: char| !c.is_alphanumeric());
    // The number of the next field (`3 DOB`) may have been left at the end.
    let mut kept: Vec<&str> = Vec::new();
    for word in value.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let shaped = !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
        if !shaped || (!kept.is_empty() && word.chars().all(|c| c.is_ascii_uppercase()) && word.len() > 2) {
            break;
        }
        kept.push(word);
    }
    while kept.len() > 1 && matches!(kept[kept.len() - 1], "3" | "9" | "4A" | "4B" | "15" | "12" | "9A" | "1") {
        kept.pop();
    }
    let number = kept.join(" ");
    if !find_dates(&number, Order::MonthFirst, Century::Near(time::Date::MIN)).is_empty()
        && number.len() < 12
        && number.contains(['-', ' ', '/'])
    {
        return None;
    }
    let alnum = number.chars().filter(char::is_ascii_alphanumeric).count();
    let digits = number.chars().filter(char::is_ascii_digit).count();
    ((5..=20).contains(&alnum) && digits >= 3).then_some(number)
}
