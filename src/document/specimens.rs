//! Fictional documents of many issuers, typed: what their layouts have to yield stands beside them in `specimens/*.txt`.
//!
//! A document begins with `== ISSUER, KIND`, its back with `== back`. A line is `LEFT TOP TEXT`, or `LEFT TOP/HEIGHT TEXT`
//! where it is not 20 high. It ends with `=> TYPE | NUMBER | NAME | DATE OF BIRTH | ADDRESS | SEX`; what is left empty
//! must not be given. Every person is made up.

use time::macros::date;

use super::field::{FieldName, Side};
use super::read;
use super::text::squeeze;
use crate::ocr::{Line, Page, Quad};

#[derive(Default)]
struct Specimen {
    title: String,
    front: Page,
    back: Option<Page>,
    expected: Vec<String>,
}

/// The documents of a file.
fn specimens(file: &str) -> Vec<Specimen> {
    let mut specimens: Vec<Specimen> = Vec::new();
    for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line == "== back" {
            specimens.last_mut().expect("a front comes first").back = Some(Page { width: 1000, height: 640, ..Page::default() });
        } else if let Some(title) = line.strip_prefix("== ") {
            let front = Page { width: 1000, height: 640, ..Page::default() };
            specimens.push(Specimen { title: title.to_owned(), front, ..Specimen::default() });
        } else if let Some(expected) = line.strip_prefix("=> ") {
            let specimen = specimens.last_mut().expect("a document comes before what it yields");
            specimen.expected = expected.split('|').map(|value| value.trim().to_owned()).collect();
        } else {
            let specimen = specimens.last_mut().expect("a title comes first");
            specimen.back.as_mut().unwrap_or(&mut specimen.front).lines.push(print(line));
        }
    }
    specimens
}

fn print(line: &str) -> Line {
    let mut parts = line.splitn(3, ' ');
    let (Some(left), Some(place), Some(text)) = (parts.next(), parts.next(), parts.next()) else { panic!("{line}") };
    let (top, height) = place.split_once('/').unwrap_or((place, "20"));
    let number = |text: &str| text.parse::<f32>().unwrap_or_else(|_| panic!("{line}"));
    let (left, top, height) = (number(left), number(top), number(height));
    let right = left + 0.5 * height * text.chars().count() as f32;
    Line { text: text.to_owned(), confidence: 0.98, quad: Quad::from_edges(left, top, right, top + height), lattice: None }
}

/// Whether a value is what was expected, blanks, commas and case apart: what they are like is tested elsewhere.
fn is_same(value: &str, expected: &str) -> bool {
    squeeze(value) == squeeze(expected)
}

fn check(file: &str) {
    let mut faults = Vec::new();
    for specimen in specimens(file) {
        let mut pages = vec![(Side::Front, specimen.front)];
        pages.extend(specimen.back.map(|back| (Side::Back, back)));
        let reading = read(&pages, &[], date!(2026 - 11 - 22));
        let id_type = serde_json::to_value(reading.id_type).expect("a type is a word");
        let read = [
            id_type.as_str().unwrap_or_default(),
            reading.value(FieldName::IdNumber),
            reading.value(FieldName::Name),
            reading.value(FieldName::DateOfBirth),
            reading.value(FieldName::Address),
            reading.value(FieldName::Gender),
        ];
        assert_eq!(specimen.expected.len(), read.len(), "{}", specimen.title);
        for (value, expected) in read.iter().zip(&specimen.expected).filter(|(value, expected)| !is_same(value, expected)) {
            faults.push(format!("{}: {value:?} instead of {expected:?}", specimen.title));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn european_documents_are_read() {
    check(include_str!("specimens/europe.txt"));
    check(include_str!("specimens/more_europe.txt"));
}

#[test]
fn asian_and_african_documents_are_read() {
    check(include_str!("specimens/asia_africa.txt"));
    check(include_str!("specimens/more_asia_africa.txt"));
}

#[test]
fn american_documents_are_read() {
    check(include_str!("specimens/americas.txt"));
    check(include_str!("specimens/more_americas.txt"));
    check(include_str!("specimens/states.txt"));
}

#[test]
fn indian_documents_are_read() {
    check(include_str!("specimens/india.txt"));
    check(include_str!("specimens/more_india.txt"));
}

#[test]
fn passports_whose_zone_is_not_legible_are_read() {
    check(include_str!("specimens/passports.txt"));
}
