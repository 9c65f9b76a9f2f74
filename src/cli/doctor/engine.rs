//! The engine inside: its files, and whether it reads a specimen.

use std::time::Instant;

use super::finding::Finding;
use crate::config;
use crate::document::{FieldName, Reading};
use crate::ocr::{Fault, RUNTIME_LIBRARY, WEIGHTS, find_folder, read_checked};
use crate::reader::EmbeddedReader;

/// The back of a card of a person who does not exist, as `cargo run --example specimen -- --kind td1 --count 1` renders
/// it; grey, and 616 pixels wide, so that the program grows by 24 KiB only.
const SPECIMEN: &[u8] = include_bytes!("specimen.jpg");

/// What stands on it.
const PRINTED: [(FieldName, &str); 3] =
    [(FieldName::IdNumber, "HL6855193"), (FieldName::Name, "ANNA LUCIA SANTOSA"), (FieldName::DateOfBirth, "1959-07-13")];

const ADVICE: &str = "run deploy/fetch-models.sh, and name the folder it fills in engine.dir (IDMILL__ENGINE__DIR)";

/// Every check of the engine, on a thread of its own.
pub(super) async fn check(settings: config::Engine) -> Vec<Finding> {
    let checking = tokio::task::spawn_blocking(move || {
        let files = check_files(&settings);
        let usable = files.iter().all(|finding| finding.status != super::Status::Failure);
        // Without its files the engine says the same once more.
        let read = usable.then(|| check_reading(&settings));
        files.into_iter().chain(read).collect()
    });
    checking
        .await
        .unwrap_or_else(|_| vec![Finding::failure("engine", "checking the engine panicked", "please report it: a fault of idmill")])
}

fn check_files(settings: &config::Engine) -> Vec<Finding> {
    let folder = match find_folder(settings.dir.as_deref()) {
        Ok(folder) => folder,
        Err(error) => return vec![Finding::failure("engine.files", format!("{error:#}"), ADVICE)],
    };
    let mut findings = Vec::new();
    for weight in WEIGHTS {
        if let Err(fault) = read_checked(&folder, weight.file) {
            findings.push(Finding::failure(
                "engine.files",
                format!("{} ({}) {fault}", folder.join(weight.file).display(), weight.role),
                ADVICE,
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("engine.files", format!("{} files in {} have the right checksums", WEIGHTS.len(), folder.display())));
    }
    // Another build of the runtime may be a choice: what counts is that it loads.
    if read_checked(&folder, RUNTIME_LIBRARY) == Err(Fault::WrongContent) {
        findings.push(Finding::warning(
            "engine.runtime",
            format!("{RUNTIME_LIBRARY} is not the one that idmill is tested with"),
            "nothing, if you put it there; else run deploy/fetch-models.sh",
        ));
    }
    findings
}

fn check_reading(settings: &config::Engine) -> Finding {
    const CHECK: &str = "engine.reads";
    let reader = match EmbeddedReader::open(&config::Engine { instances: 1, ..settings.clone() }) {
        Ok(reader) => reader,
        Err(error) => return Finding::failure(CHECK, format!("the engine cannot be opened: {error:#}"), ADVICE),
    };
    let started = Instant::now();
    match reader.read_here(SPECIMEN, None) {
        Ok(reading) => judged(CHECK, &reading, started.elapsed().as_millis()),
        Err(failure) => Finding::failure(CHECK, format!("the test image was not read: {failure}"), ADVICE),
    }
}

fn judged(check: &'static str, reading: &Reading, took_ms: u128) -> Finding {
    let wrong: Vec<String> = PRINTED
        .into_iter()
        .filter(|(name, printed)| reading.value(*name) != *printed)
        .map(|(name, printed)| format!("{name:?} is {printed}, read {}", reading.value(name)))
        .collect();
    if wrong.is_empty() {
        Finding::ok(check, format!("the test image was read, in {took_ms} ms"))
    } else {
        Finding::failure(check, format!("the test image was misread: {}", wrong.join("; ")), "please report it, with the processor's type")
    }
}
