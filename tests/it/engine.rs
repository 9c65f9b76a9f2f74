//! What the engine reads off whole documents, by `idmill scan`: rendered specimens, and where they are at hand real
//! samples that are no part of this repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use idmill::config;
use idmill::failure::Class;
use idmill::reader::EmbeddedReader;
use idmill::telemetry::StepTimes;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::stage::environment;

/// Documents with number, name and date of birth all right that a folder must not fall below.
///
/// Measured with the weights of `deploy/fetch-models.sh`, less one or two documents for the rounding of other processors:
/// 30 of the 30 clean, of the tilted and of the photographed ones, and 134 samples.
mod floor {
    /// Of the specimens as a scanner delivers them: nearly every one.
    pub(super) const CLEAN: usize = 29;
    /// Of the ones that are turned a little, soft and compressed.
    pub(super) const MILD: usize = 28;
    /// Of the ones that were photographed on a busy desk.
    pub(super) const HARD: usize = 28;
    /// Of the samples beside the repository, out of 142.
    pub(super) const SAMPLES: usize = 132;
}

#[test]
fn number_name_and_birth_date_are_read_off_every_clean_specimen() {
    check(&specimens("clean"), floor::CLEAN);
}

#[test]
fn reading_leaves_nothing_in_the_home_folder() {
    // Where the runtime's telemetry runs, it keeps a device's identifier and a database of events there, and a thread sends them.
    let home = tempfile::tempdir().expect("a folder");
    let status = Command::new(env!("CARGO_BIN_EXE_idmill"))
        .args(["scan", "src/cli/doctor/specimen.jpg"])
        .env("HOME", home.path())
        .env_remove("ORT_DISABLE_TELEMETRY")
        .stdout(Stdio::null())
        .status()
        .expect("idmill starts");
    assert!(status.success());
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("the folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_barcode_on_a_licences_back_is_read() {
    let folder = specimens("clean");
    let readings = scan(&folder);
    let licences: Vec<_> = truths(&folder).into_keys().filter(|id| id.starts_with("aamva")).collect();
    assert!(!licences.is_empty());
    for id in licences {
        assert_eq!(readings[&id]["details"]["idNumber"]["source"], "pdf417", "{id}");
    }
}

#[test]
fn the_code_on_an_aadhaar_cards_back_is_read() {
    let folder = specimens("clean");
    let cards: Vec<_> = scan(&folder).into_iter().filter(|(id, _)| id.starts_with("aadhaar")).collect();
    assert!(!cards.is_empty());
    for (id, answer) in cards {
        assert_eq!(answer["details"]["address"]["source"], "qr", "{id}");
        assert_eq!(answer["details"]["signals"]["back.codes"], serde_json::json!(["qr"]), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_waits_too_long_for_an_engine_is_put_off() {
    let dir = Some(environment("IDMILL__ENGINE__DIR").into());
    let settings = config::Engine { dir, instances: 1, ..config::Engine::default() };
    let reader = EmbeddedReader::open(&settings).expect("engine").with_patience(std::time::Duration::from_millis(20));
    let front = bytes::Bytes::from(std::fs::read(specimens("clean").join("passport-1/front.jpg")).expect("specimen"));
    let (mut first, mut second) = (StepTimes::default(), StepTimes::default());
    let (read, put_off) = tokio::join!(reader.read(front.clone(), None, &mut first), reader.read(front.clone(), None, &mut second));
    assert!(read.is_ok());
    // What a throttled job gets: another try, and no attempt burned.
    assert_eq!(put_off.expect_err("there is one engine").class, Class::Throttled);
}

#[test]
fn slightly_distorted_specimens_are_read_as_well_as_before() {
    check(&specimens("mild"), floor::MILD);
}

#[test]
fn photographed_specimens_are_read_as_well_as_before() {
    check(&specimens("hard"), floor::HARD);
}

#[test]
fn samples_beside_the_repository_are_read_as_well_as_before() {
    if let Some(shared) = shared() {
        check(&shared.join("dev"), floor::SAMPLES);
    }
}

/// Samples and vectors beside the repository, or where `IDMILL_TEST_SHARED` says. They may not be handed on, so that most
/// clones have none; the specimens are what every clone is tested with.
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("IDMILL_TEST_SHARED").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

pub(crate) fn specimens(distortion: &str) -> PathBuf {
    Path::new(&environment("IDMILL_TEST_SPECIMENS")).join(distortion)
}

/// Reads every document below the folder and counts those that are all right.
pub(crate) fn check(folder: &Path, floor: usize) {
    let readings = scan(folder);
    let mut n_right = 0;
    let mut wrong = Vec::new();
    for (id, document) in truths(folder) {
        let reading = readings.get(&id).unwrap_or(&Value::Null);
        let faults: Vec<&str> = faults(&document, reading);
        if faults.is_empty() { n_right += 1 } else { wrong.push(format!("{id}: {}", faults.join(", "))) }
    }
    assert!(
        n_right >= floor,
        "{n_right} documents of {} are read right, and it were at least {floor}:\n{}",
        n_right + wrong.len(),
        wrong.join("\n")
    );
}

/// `idmill scan --batch` over the folder; one answer a document.
pub(crate) fn scan(folder: &Path) -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_idmill"))
        .args(["scan", "--batch"])
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("idmill scan runs");
    assert!(output.status.success(), "idmill scan --batch ended with {}", output.status);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answers = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a JSON line a document"));
    answers.map(|answer| (answer["id"].as_str().expect("an id").to_owned(), answer)).collect()
}

pub(crate) fn truths(folder: &Path) -> BTreeMap<String, Value> {
    let mut truths = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
        if let Ok(text) = std::fs::read(entry.path().join("truth.json")) {
            truths.insert(entry.file_name().to_string_lossy().into_owned(), serde_json::from_slice(&text).expect("JSON"));
        }
    }
    assert!(!truths.is_empty(), "{} holds no documents", folder.display());
    truths
}

/// Which of the three key fields are wrong. A field that is not on the document must be left out.
fn faults(document: &Value, reading: &Value) -> Vec<&'static str> {
    let truth = &document["truth"];
    let mut faults = Vec::new();
    for key in ["idNumber", "name", "dateOfBirth"] {
        let read = reading[key].as_str().unwrap_or_default();
        let Some(wanted) = truth[key].as_str() else {
            if !read.is_empty() {
                faults.push(key);
            }
            continue;
        };
        let right = match key {
            "idNumber" => accepted(document, "acceptedIdNumbers", wanted).any(|wanted| cells(wanted) == cells(read)),
            "name" => accepted(document, "acceptedNames", wanted).any(|wanted| !spellings(wanted).is_disjoint(&spellings(read))),
            _ => wanted == read,
        };
        if !right {
            faults.push(key);
        }
    }
    faults
}

fn accepted<'a>(document: &'a Value, list: &str, wanted: &'a str) -> impl Iterator<Item = &'a str> {
    let others = document[list].as_array().into_iter().flatten().filter_map(Value::as_str);
    std::iter::once(wanted).chain(others)
}

/// Letters and digits alone: spaces and hyphens of a number are its issuer's taste.
fn cells(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// The spellings of a name that count as the same: words in any order, with letters transliterated or without their marks.
fn spellings(name: &str) -> BTreeSet<Vec<String>> {
    let transliterated = [("Ä", "AE"), ("Ö", "OE"), ("Ü", "UE"), ("Å", "AA"), ("Ø", "OE")];
    let unmarked = [("Ø", "O"), ("Ł", "L"), ("Đ", "D"), ("Æ", "AE"), ("ß", "SS"), ("Œ", "OE"), ("Ð", "D"), ("Þ", "TH"), ("ı", "I")];
    let upper: String = name.nfc().flat_map(char::to_uppercase).filter(|letter| !"'’.".contains(*letter)).collect();
    let replaced = transliterated.iter().fold(upper.clone(), |text, (from, to)| text.replace(from, to));
    [upper, replaced]
        .iter()
        .map(|text| {
            let text = unmarked.iter().fold(text.clone(), |text, (from, to)| text.replace(from, to));
            let plain: String = text.nfkd().filter(|letter| !is_combining_mark(*letter)).collect();
            let mut words: Vec<String> = plain.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(Into::into).collect();
            words.sort();
            words
        })
        .collect()
}
