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

/// A typed document and what it has to yield.
#[derive(Default)]
pub(super) struct Specimen {
    pub(super) title: String,
    pub(super) front: Page,
    pub(super) back: Option<Page>,
    /// Type, number, name, date of birth, address, sex.
    pub(super) expected: Vec<String>,
}

/// The files, by whose documents are in them.
pub(super) const FILES: [(&str, &str); 23] = [
    ("Europe", include_str!("specimens/europe.txt")),
    ("more of Europe", include_str!("specimens/more_europe.txt")),
    ("Asia and Africa", include_str!("specimens/asia_africa.txt")),
    ("more of Asia and Africa", include_str!("specimens/more_asia_africa.txt")),
    ("the Americas", include_str!("specimens/americas.txt")),
    ("more of the Americas", include_str!("specimens/more_americas.txt")),
    ("states and provinces", include_str!("specimens/states.txt")),
    ("India", include_str!("specimens/india.txt")),
    ("more of India", include_str!("specimens/more_india.txt")),
    ("passports", include_str!("specimens/passports.txt")),
    ("all over the world", include_str!("specimens/second.txt")),
    ("all over the world, garbled", include_str!("specimens/third.txt")),
    ("once more all over the world", include_str!("specimens/fourth.txt")),
    ("a fifth time, garbled", include_str!("specimens/fifth.txt")),
    ("a sixth time, garbled", include_str!("specimens/sixth.txt")),
    ("a seventh time, garbled", include_str!("specimens/seventh.txt")),
    ("an eighth time, garbled", include_str!("specimens/eighth.txt")),
    ("a ninth time, garbled", include_str!("specimens/ninth.txt")),
    ("a tenth time", include_str!("specimens/tenth.txt")),
    ("an eleventh time", include_str!("specimens/eleventh.txt")),
    ("a twelfth time", include_str!("specimens/twelfth.txt")),
    ("a thirteenth time", include_str!("specimens/thirteenth.txt")),
    ("what looks like something else", include_str!("specimens/likeness.txt")),
];

/// The documents of a file.
pub(super) fn specimens(file: &str) -> Vec<Specimen> {
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

/// What is read off a document, in the order of what is expected.
pub(super) fn read_off(specimen: Specimen) -> [String; 6] {
    let mut pages = vec![(Side::Front, specimen.front)];
    pages.extend(specimen.back.map(|back| (Side::Back, back)));
    let reading = read(&pages, &[], date!(2026 - 11 - 22));
    let id_type = serde_json::to_value(reading.id_type).expect("a type is a word");
    let value = |name| reading.value(name).to_owned();
    [
        id_type.as_str().unwrap_or_default().to_owned(),
        value(FieldName::IdNumber),
        value(FieldName::Name),
        value(FieldName::DateOfBirth),
        value(FieldName::Address),
        value(FieldName::Gender),
    ]
}

#[test]
fn typed_documents_are_read() {
    let mut faults = Vec::new();
    for (place, file) in FILES {
        for specimen in specimens(file) {
            let (title, expected) = (specimen.title.clone(), specimen.expected.clone());
            let read = read_off(specimen);
            assert_eq!(expected.len(), read.len(), "{title}");
            for (value, expected) in read.iter().zip(&expected).filter(|(value, expected)| !is_same(value, expected)) {
                faults.push(format!("{place}, {title}: {value:?} instead of {expected:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
