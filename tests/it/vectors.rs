//! Published payloads and symbols against the readers of codes and zones. They may not be handed on, so that most clones
//! have none; the samples of the public specifications are what every clone is tested with, in the readers' own tests.

use std::path::{Path, PathBuf};

use idmill::document::{Candidate, FieldName, Side, codes, mrz};
use idmill::ocr::{Code, CodeKind, Line, Page, Quad, find_codes};
use serde_json::Value;
use time::macros::date;

use crate::engine::shared;

/// Payloads whose holder, number, dates and address are all right, of 32.
const AAMVA: usize = 32;
/// Symbols that are found and decoded, of 33.
const PDF417: usize = 28;
/// Codes whose fields are all right, of 3.
const AADHAAR: usize = 3;
/// Zones whose digits hold and of which every character is right, of 26.
const MRZ: usize = 26;

#[test]
fn published_aamva_payloads_are_read() {
    let Some(folder) = vectors() else { return };
    let expected = json(&folder.join("aamva/expected.json"));
    let faults = |vector: &Value| {
        let bytes = std::fs::read(folder.join(vector["file"].as_str().expect("a file"))).expect("a payload");
        aamva_faults(vector, &Code { kind: CodeKind::Pdf417, bytes, quad: Quad::default() })
    };
    check("file", expected["vectors"].as_array().expect("vectors"), AAMVA, faults);
}

#[test]
fn published_pdf417_symbols_are_decoded() {
    let Some(folder) = vectors() else { return };
    let symbols: Vec<Value> = std::fs::read_dir(folder.join("aamva/pdf417_png"))
        .expect("symbols")
        .map(|entry| Value::from_iter([("file", entry.expect("an entry").path().to_string_lossy())]))
        .collect();
    check("file", &symbols, PDF417, |symbol| {
        let path = Path::new(symbol["file"].as_str().expect("a path"));
        let name = path.file_stem().expect("a name").to_string_lossy().replace('_', " ");
        let payload = std::fs::read(folder.join("aamva").join(format!("{name}.txt"))).expect("its payload");
        // Some of the files begin with a byte order mark, which no symbol holds.
        let payload = payload.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&payload);
        let codes = find_codes(&image::open(path).expect("a picture").to_luma8());
        match codes.as_slice() {
            [code] if code.bytes == payload => Vec::new(),
            [_] => vec!["payload"],
            _ => vec!["not found"],
        }
    });
}

#[test]
fn published_aadhaar_codes_are_read() {
    let Some(folder) = vectors() else { return };
    let expected = json(&folder.join("aadhaar_qr/vectors.json"));
    check("name", expected["vectors"].as_array().expect("vectors"), AADHAAR, |vector| {
        let picture = folder.join("aadhaar_qr").join(vector["name"].as_str().expect("a name"));
        let codes = match picture.is_file() {
            true => find_codes(&image::open(picture).expect("a picture").to_luma8()),
            false => vec![Code { kind: CodeKind::Qr, bytes: text(vector, "data").into_bytes(), quad: Quad::default() }],
        };
        let Some(reading) = codes::read(&codes, Side::Back, &[]).pop() else { return vec!["nothing"] };
        let truth = &vector["truth"];
        let birth: Vec<String> = text(truth, "dob").split('-').rev().map(str::to_owned).collect();
        let mut faults = differences(
            &reading.candidates,
            &[
                (FieldName::Name, "name", text(truth, "name")),
                (FieldName::DateOfBirth, "dateOfBirth", birth.join("-")),
                (FieldName::Gender, "gender", text(truth, "gender")),
            ],
        );
        let address = value(&reading.candidates, FieldName::Address);
        let parts =
            ["careOf", "house", "street", "landmark", "location", "vtc", "postOffice", "subDistrict", "district", "state", "pinCode"];
        if !parts.iter().all(|part| address.contains(&text(truth, part))) {
            faults.push("address");
        }
        faults
    });
}

#[test]
fn published_zones_are_read() {
    let Some(folder) = vectors() else { return };
    let zones = json(&folder.join("mrz_vectors.json"));
    // The others are misread on purpose, or two first lines of different zones.
    let valid: Vec<Value> = zones.as_array().expect("zones").iter().filter(|zone| zone["checksumValid"] == true).cloned().collect();
    check("source", &valid, MRZ, |vector| {
        let lines: Vec<&str> = vector["lines"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
        let seen = |(idx, text): (usize, &&str)| Line {
            text: (*text).to_owned(),
            confidence: 0.95,
            quad: Quad::from_edges(10.0, 40.0 * idx as f32, 900.0, 40.0 * idx as f32 + 20.0),
            lattice: None,
        };
        let page = Page { width: 1000, height: 700, lines: lines.iter().enumerate().map(seen).collect(), ..Page::default() };
        match mrz::read(&page, &[&page], date!(2026 - 11 - 23)) {
            Some(zone) if zone.lines == lines && zone.is_valid() && !zone.is_repaired => Vec::new(),
            Some(_) => vec!["lines"],
            None => vec!["nothing"],
        }
    });
}

/// Where the vectors are, if anywhere.
fn vectors() -> Option<PathBuf> {
    Some(shared()?.join("vectors"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("the file is there")).expect("JSON")
}

/// Counts the vectors without faults, of which there have to be `floor`; the vectors' values are never printed.
fn check(name: &str, vectors: &[Value], floor: usize, faults: impl Fn(&Value) -> Vec<&'static str>) {
    let mut wrong = Vec::new();
    for (idx, vector) in vectors.iter().enumerate() {
        let faults = faults(vector);
        if !faults.is_empty() {
            wrong.push(format!("{idx} {}: {}", text(vector, name), faults.join(", ")));
        }
    }
    let n_right = vectors.len() - wrong.len();
    assert!(n_right >= floor, "{n_right} of {} are read right, and it were at least {floor}:\n{}", vectors.len(), wrong.join("\n"));
}

fn aamva_faults(vector: &Value, code: &Code) -> Vec<&'static str> {
    let Some(reading) = codes::read(std::slice::from_ref(code), Side::Back, &[]).pop() else { return vec!["nothing"] };
    let name: Vec<String> =
        ["first", "middle", "last", "suffix"].map(|part| text(vector, part)).into_iter().filter(|s| !s.is_empty()).collect();
    let number = Some(text(vector, "idNumber")).filter(|number| number != "NONE").unwrap_or_default();
    let mut faults = differences(
        &reading.candidates,
        &[
            (FieldName::IdNumber, "idNumber", number),
            (FieldName::Name, "name", name.join(" ").replace(',', " ")),
            (FieldName::DateOfBirth, "dateOfBirth", text(vector, "dateOfBirth")),
            (FieldName::Gender, "gender", text(vector, "gender")),
            (FieldName::ExpiryDate, "expiryDate", text(vector, "expiry")),
            (FieldName::IssueDate, "issueDate", text(vector, "issue")),
        ],
    );
    // Canadian codes have a blank in the middle, which the vectors leave out.
    let squeezed = |text: &str| text.to_uppercase().replace(' ', "");
    let address = squeezed(value(&reading.candidates, FieldName::Address));
    let zip: String = text(vector, "zip").chars().take(5).collect();
    if ![text(vector, "street1"), text(vector, "city"), text(vector, "state"), zip].iter().all(|part| address.contains(&squeezed(part))) {
        faults.push("address");
    }
    faults
}

/// The fields that are not what they should be.
fn differences(candidates: &[Candidate], wanted: &[(FieldName, &'static str, String)]) -> Vec<&'static str> {
    wanted.iter().filter(|(name, _, wanted)| value(candidates, *name) != wanted).map(|(_, key, _)| *key).collect()
}

fn value(candidates: &[Candidate], name: FieldName) -> &str {
    candidates.iter().find(|candidate| candidate.name == name).map_or("", |candidate| candidate.value.as_str())
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
