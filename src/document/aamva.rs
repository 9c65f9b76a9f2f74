//! Licences and identity cards of the United States and Canada: the payload of their PDF417 code (AAMVA Card Design
//! Standard, annex D) -> fields.
//!
//! The crate `aamva` was measured first: it wants offsets, lengths and headers exactly as the standard has them and reads
//! 1 of 32 payloads with the habits of real cards. So elements are found by their identifiers here, whatever the header
//! says of where they stand.

use std::collections::HashMap;

use super::coded_date::{from_ccyymmdd, from_mmddccyy};
use super::field::{Candidate, Check, FieldName, IdType, Side, Source};
use crate::ocr::{Code, CodeKind, Quad};

/// Payloads longer than this are none: three times what the symbology can hold.
const MAX_PAYLOAD: usize = 8 * 1024;
/// The code's own error correction has proved every byte; what remains is what the issuer put in.
const CONFIDENCE: f32 = 0.97;

/// What one payload says.
#[derive(Clone)]
pub(crate) struct Licence {
    /// Driving licence or identity card, by the payload's subfile.
    pub(crate) id_type: IdType,
    values: Vec<(FieldName, String)>,
    quad: Quad,
}

impl Licence {
    /// The payload's fields as candidates for fusing.
    pub(crate) fn candidates(&self, side: Side) -> Vec<Candidate> {
        let candidate = |(name, value): &(FieldName, String)| Candidate {
            name: *name,
            value: value.clone(),
            raw: value.clone(),
            source: Source::Pdf417,
            side,
            confidence: CONFIDENCE,
            quad: Some(self.quad),
            checks: vec![Check::FormatOk],
        };
        self.values.iter().map(candidate).collect()
    }
}

/// Reads the payload of a code; `None` where it is no AAMVA payload. Magnetic-stripe and compact encodings are none.
pub(crate) fn read(code: &Code) -> Option<Licence> {
    if code.kind != CodeKind::Pdf417 || code.bytes.len() > MAX_PAYLOAD {
        return None;
    }
    let text = match std::str::from_utf8(&code.bytes) {
        Ok(text) => text.to_owned(),
        // ISO-8859-1 otherwise, where every byte is the character of its number.
        Err(_) => code.bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    let (elements, is_identity_card) = elements(&text)?;
    let values = values(&elements);
    let id_type = if is_identity_card { IdType::NationalId } else { IdType::DrivingLicence };
    (values.len() >= 3).then_some(Licence { id_type, values, quad: code.quad })
}

/// Elements that stand first in a subfile on some card: the header runs up to one of them.
const FIRST_ELEMENTS: [&str; 20] = [
    "DAA", "DAB", "DAC", "DAG", "DAQ", "DBA", "DBB", "DBC", "DBD", "DBJ", "DCA", "DCB", "DCD", "DCF", "DCG", "DCS", "DCT", "DAJ", "DAK",
    "DDE",
];

/// Every element by its identifier, and whether the subfile is that of an identity card; `None` without the header.
fn elements(text: &str) -> Option<(HashMap<&str, &str>, bool)> {
    let start = text.find("ANSI ").or_else(|| text.find("AAMVA"))?;
    let body = text.get(start..)?;
    let first = (0..body.len()).find(|&at| is_first_element(body, at))?;
    let header = &body[..first];
    // The header names its subfiles; cards that break it still write the type before the first element.
    let is_identity_card = header.ends_with("ID") || header.contains("ID0") && !header.contains("DL");
    let mut elements = HashMap::new();
    for line in body[first..].split(['\n', '\r', '\u{1e}', '\u{1d}']) {
        let line = line.trim_start();
        if let Some((identifier, value)) = line.split_at_checked(3)
            && identifier.starts_with('D')
            && identifier.bytes().all(|b| b.is_ascii_uppercase())
        {
            let value = value.trim().trim_matches(',').trim();
            let is_said = !value.is_empty() && !matches!(value, "NONE" | "UNAVL" | "UNAVAIL" | "NMN" | "NFN");
            if is_said {
                elements.entry(identifier).or_insert(value);
            }
        }
    }
    Some((elements, is_identity_card))
}

fn is_first_element(body: &str, at: usize) -> bool {
    let Some((before, rest)) = body.split_at_checked(at) else { return false };
    let is_after_type =
        ["DL", "ID", "EN"].iter().any(|kind| before.ends_with(kind)) || before.ends_with(|c: char| c.is_ascii_digit() || c == '\n');
    is_after_type && FIRST_ELEMENTS.iter().any(|element| rest.starts_with(element))
}

/// A holder's name in its parts.
#[derive(Default)]
struct Name {
    first: String,
    middle: String,
    last: String,
    suffix: String,
}

fn values(elements: &HashMap<&str, &str>) -> Vec<(FieldName, String)> {
    let get = |identifier: &str| elements.get(identifier).copied();
    let name = name(elements);
    let given = joined(&[&name.first, &name.middle]);
    let surname = joined(&[&name.last, &name.suffix]);
    let country = match get("DCG") {
        Some("CAN" | "CDN" | "CA") => "CAN",
        Some(_) => "USA",
        None if get("DAJ").is_some_and(is_province) => "CAN",
        None => "USA",
    };
    [
        (FieldName::IdNumber, get("DAQ").or(get("DBJ")).map(single_spaced)),
        (FieldName::Name, Some(joined(&[&given, &surname]))),
        (FieldName::Surname, Some(surname)),
        (FieldName::GivenNames, Some(given)),
        (FieldName::DateOfBirth, get("DBB").and_then(date)),
        (FieldName::Gender, get("DBC").and_then(sex).map(str::to_owned)),
        (FieldName::Address, address(elements)),
        (FieldName::IssueDate, get("DBD").and_then(date)),
        (FieldName::ExpiryDate, get("DBA").and_then(date)),
        (FieldName::IssuingCountry, Some(country.to_owned())),
    ]
    .into_iter()
    .filter_map(|(field, value)| value.filter(|value| !value.is_empty()).map(|value| (field, value)))
    .collect()
}

fn name(elements: &HashMap<&str, &str>) -> Name {
    let get = |identifier: &str| elements.get(identifier).map(|value| single_spaced(value)).unwrap_or_default();
    let mut name = Name { first: get("DAC"), middle: get("DAD").replace(',', " "), last: get("DCS"), suffix: get("DCU") };
    if name.first.is_empty()
        && let Some(given) = elements.get("DCT")
    {
        // Versions 2 and 3 have all given names in one element.
        let mut parts = given.split([',', ' ']).filter(|part| !part.is_empty());
        name.first = parts.next().unwrap_or_default().to_owned();
        name.middle = parts.collect::<Vec<_>>().join(" ");
    }
    if let Some(full) = elements.get("DAA").filter(|_| name.last.is_empty()) {
        // Version 1 has the whole name: last, first, middle, suffix.
        let mut parts = full.split(',').map(single_spaced);
        let mut next = || parts.next().unwrap_or_default();
        name = Name { last: next(), first: next(), middle: next(), suffix: next() };
    }
    if name.last.is_empty() {
        name.last = get("DAB");
    }
    name.middle = single_spaced(&name.middle);
    name
}

fn address(elements: &HashMap<&str, &str>) -> Option<String> {
    let get = |identifier: &str| elements.get(identifier).map(|value| single_spaced(value)).unwrap_or_default();
    let (street, city, state) = (get("DAG"), get("DAI"), get("DAJ"));
    if street.is_empty() {
        return None;
    }
    // Some cards repeat city and state in the second line of the street.
    let second =
        Some(get("DAH")).filter(|second| city.is_empty() || !second.to_uppercase().contains(&city.to_uppercase())).unwrap_or_default();
    let end = joined(&[&state, &postal_code(&get("DAK"))]);
    Some([street, second, city, end].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "))
}

/// Nine digits as printed, without the last four where they say nothing.
fn postal_code(code: &str) -> String {
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    if code.chars().any(|c| c.is_ascii_alphabetic()) || digits.len() != 9 {
        return code.to_owned();
    }
    match digits.split_at(5) {
        (zip, "0000") => zip.to_owned(),
        (zip, more) => format!("{zip}-{more}"),
    }
}

/// Month first in the United States, year first in Canada and on old cards: never both a day of a plausible year.
fn date(value: &str) -> Option<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    from_mmddccyy(&digits).or_else(|| from_ccyymmdd(&digits))
}

fn sex(value: &str) -> Option<&'static str> {
    match value {
        "1" | "M" | "m" => Some("M"),
        "2" | "F" | "f" => Some("F"),
        "9" | "X" | "x" => Some("X"),
        _ => None,
    }
}

fn is_province(state: &str) -> bool {
    matches!(state, "AB" | "BC" | "MB" | "NB" | "NL" | "NS" | "NT" | "NU" | "ON" | "PE" | "QC" | "SK" | "YT")
}

fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn joined(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The sample of the standard, Virginia.
    const VIRGINIA: &str = "@\n\u{1e}\rANSI 636000100102DL00410278ZV03190008DLDAQT64235789\nDCSSAMPLE\nDDEN\nDACMICHAEL\nDDFN\nDADJOHN\nDDGN\n\
        DCUJR\nDCAD\nDCBK\nDCDPH\nDBD06062019\nDBB06061986\nDBA12102024\nDBC1\nDAU068 in\nDAYBRO\nDAG2300 WEST BROAD STREET\nDAIRICHMOND\nDAJVA\n\
        DAK232690000  \nDCF2424244747474786102204\nDCGUSA\nDCK123456789\nDDAF\nDDB06062018\nDDC06062020\nDDD1\rZVZVA01\r";

    fn read_text(text: &str) -> Option<Licence> {
        read(&Code { kind: CodeKind::Pdf417, bytes: text.as_bytes().to_vec(), quad: Quad::default() })
    }

    fn check(text: &str, expected: &[(FieldName, &str)]) {
        let licence = read_text(text).expect("a payload of AAMVA");
        for &(name, value) in expected {
            let read = licence.values.iter().find(|(read, _)| *read == name).map(|(_, value)| value.as_str());
            assert_eq!(read, Some(value), "{name:?}");
        }
    }

    #[test]
    fn the_sample_of_the_standard() {
        check(
            VIRGINIA,
            &[
                (FieldName::IdNumber, "T64235789"),
                (FieldName::Name, "MICHAEL JOHN SAMPLE JR"),
                (FieldName::DateOfBirth, "1986-06-06"),
                (FieldName::ExpiryDate, "2024-12-10"),
                (FieldName::IssueDate, "2019-06-06"),
                (FieldName::Gender, "M"),
                (FieldName::Address, "2300 WEST BROAD STREET, RICHMOND, VA 23269"),
                (FieldName::IssuingCountry, "USA"),
            ],
        );
        assert_eq!(read_text(VIRGINIA).map(|licence| licence.id_type), Some(IdType::DrivingLicence));
    }

    #[test]
    fn old_cards_have_the_whole_name_in_one_element_and_broken_headers() {
        check(
            "@\n6AAMVA6360990101DL00290182DAASAMPLE,ROSA,MARIA LUZ,SR\nDAG1 ELM LN\nDAINOWHERE\nDAJCT\nDAK066140123  \nDAQ123456782\nDBB19761007\nDBC2\n",
            &[
                (FieldName::Name, "ROSA MARIA LUZ SAMPLE SR"),
                (FieldName::DateOfBirth, "1976-10-07"),
                (FieldName::Gender, "F"),
                (FieldName::Address, "1 ELM LN, NOWHERE, CT 06614-0123"),
            ],
        );
    }

    #[test]
    fn canadian_cards_write_the_year_first_and_given_names_together() {
        check(
            "@\n\nANSI 636012030001DLabacDLDCSSAMPLE,\nDCTMARY,ANN\nDBB19960603\nDAG1 KING ST E,\nDAIFERGUS\nDAJON\nDAKN1M 3J6    \nDAQA1234-56789\n",
            &[
                (FieldName::Name, "MARY ANN SAMPLE"),
                (FieldName::DateOfBirth, "1996-06-03"),
                (FieldName::Address, "1 KING ST E, FERGUS, ON N1M 3J6"),
                (FieldName::IssuingCountry, "CAN"),
            ],
        );
    }

    #[test]
    fn identity_cards_say_so() {
        let text = VIRGINIA.replace("DL00410278", "ID00410278").replace("DLDAQ", "IDDAQ");
        assert_eq!(read_text(&text).map(|licence| licence.id_type), Some(IdType::NationalId));
    }

    #[test]
    fn other_payloads_are_none() {
        for text in ["", "ANSI ", "%CAANYTOWN^SAMPLE$JANE^", "M1DESMARAIS/LUC       EABC123 YULFRAAC", "ANSI é636000DLDAQ"] {
            assert!(read_text(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_payload_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "(ANSI |AAMVA)[0-9]{6,12}DL[\\PC\n]{0,200}") {
            let _ = read(&Code { kind: CodeKind::Pdf417, bytes, quad: Quad::default() });
            let _ = read_text(&text);
        }
    }
}
