//! Malaysia's identity card, which prints no captions: number, name and address stand in one column, and the number holds
//! the birth date and, in its last digit, the sex.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::address::address;
use crate::document::coded_date::{DateRole, from_yymmdd};
use crate::document::field::{Candidate, Check, FieldName};
use crate::document::layout::{Sheet, TextLine};
use crate::document::person_name::person_name;

use super::sex::sex;
use super::{Context, candidate};

/// Birth date, place of birth, serial number.
static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\d{6})-\d{2}-\d{3}(\d)$").expect("the pattern is part of the program and tested"));

/// Reads the sides that have such a number and name the country.
pub(super) fn read(context: &Context<'_>) -> Vec<Candidate> {
    let named = |sheet: &Sheet| {
        let is_title = |line: &TextLine| {
            let text: String = line.compact.chars.iter().collect();
            ["MALAYSIA", "KADPENGENALAN", "MYKAD"].iter().any(|title| text.contains(title))
        };
        sheet.lines.iter().any(is_title)
    };
    context.sheets.iter().filter(|sheet| named(sheet)).flat_map(|sheet| read_sheet(context, sheet)).collect()
}

fn read_sheet(context: &Context<'_>, sheet: &Sheet) -> Vec<Candidate> {
    let texts: Vec<String> = sheet.lines.iter().map(TextLine::text).collect();
    let numbered = sheet.lines.iter().zip(&texts).find_map(|(line, text)| Some((line, text, NUMBER.captures(text)?)));
    let Some((number_line, number, parts)) = numbered else { return Vec::new() };
    let part = |group| parts.get(group).map_or("", |part| part.as_str());
    let mut found = Vec::new();
    let mut push = |name, value: Option<String>, line: &TextLine, sure: f32| {
        let raw = line.text();
        let read = value.map(|value| candidate(name, value, &raw, sheet.side, sure * line.confidence, line.quad));
        found.extend(read.map(|mut read| {
            read.checks.push(Check::FormatOk);
            read
        }));
    };
    push(FieldName::IdNumber, Some(number.clone()), number_line, 0.95);
    push(FieldName::DateOfBirth, from_yymmdd(part(1), DateRole::Birth, context.today), number_line, 0.9);
    let odd = part(2).parse::<u32>().is_ok_and(|digit| digit % 2 == 1);
    let word = sheet
        .lines
        .iter()
        .zip(&texts)
        .find_map(|(line, text)| matches!(text.as_str(), "LELAKI" | "PEREMPUAN").then(|| (sex(text).map(str::to_owned), line)));
    let (sex, sex_line) = word.unwrap_or_else(|| (Some(if odd { "M" } else { "F" }.to_owned()), number_line));
    push(FieldName::Gender, sex, sex_line, 0.9);
    // The column below the number: a name, then the address to its end.
    let height = number_line.edges.height();
    let mut column: Vec<(&TextLine, &String)> = sheet
        .lines
        .iter()
        .zip(&texts)
        .filter(|(line, _)| line.edges.top > number_line.edges.bottom && (line.edges.left - number_line.edges.left).abs() < 1.5 * height)
        .collect();
    column.sort_by(|a, b| a.0.edges.top.total_cmp(&b.0.edges.top));
    let Some(name_at) = column.iter().position(|(_, text)| person_name(text).is_some_and(|name| name.contains(' '))) else { return found };
    let (name_line, name) = column[name_at];
    push(FieldName::Name, person_name(name), name_line, 0.8);
    let lines: Vec<&str> = column[name_at + 1..].iter().map(|(_, text)| text.as_str()).collect();
    if let Some((first, _)) = column.get(name_at + 1) {
        push(FieldName::Address, address(&lines.join("\n")).filter(|_| lines.len() > 1), first, 0.7);
    }
    found
}
