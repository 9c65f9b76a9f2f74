//! Files of recognised lines -> readings, with the second look as the program takes it.

#![expect(clippy::print_stdout, reason = "the readings are this program's output")]

use std::fs;
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use idmill::document::{self, Reading, Side, answer};
use idmill::ocr::{Code, CodeKind, LATTICE_ALPHABET, Lattice, Line, Page, Point, Quad};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

#[derive(Deserialize)]
struct Document {
    front: Option<Sheet>,
    back: Option<Sheet>,
}

#[derive(Deserialize)]
struct Sheet {
    width: u32,
    height: u32,
    /// Each line as the fast recogniser and as the accurate one read it.
    lines: Vec<[Seen; 2]>,
    codes: Vec<SeenCode>,
}

#[derive(Deserialize)]
struct Seen {
    text: String,
    confidence: f32,
    quad: [[f32; 2]; 4],
    lattice: Option<String>,
}

#[derive(Deserialize)]
struct SeenCode {
    kind: String,
    bytes: String,
    quad: [[f32; 2]; 4],
}

/// Reads every document of a folder of files and prints a line of JSON for each.
pub(crate) fn replay(folder: &Path) -> anyhow::Result<()> {
    let mut files: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    for path in files {
        let document: Document = serde_json::from_slice(&fs::read(&path)?)?;
        let (mut fast, mut accurate) = (Vec::new(), Vec::new());
        for (side, sheet) in [(Side::Front, document.front), (Side::Back, document.back)] {
            let Some(sheet) = sheet else { continue };
            fast.push((side, page(&sheet, 0)?));
            accurate.push((side, page(&sheet, 1)?));
        }
        let reading = read(fast, &accurate);
        let mut value = answer::seven_keys(&reading);
        let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        value.insert("id".into(), json!(id));
        value.insert("mrz".into(), json!(reading.mrz));
        value.insert("details".into(), json!(answer::details(&reading)));
        value.insert("warnings".into(), json!(reading.warnings));
        println!("{}", serde_json::Value::Object(value));
    }
    Ok(())
}

/// What the embedded reader does, with the accurate lines taken from the file.
fn read(pages: Vec<(Side, Page)>, accurate: &[(Side, Page)]) -> Reading {
    let today = OffsetDateTime::now_utc().date();
    let reading = document::read(&pages, &[], today);
    let doubtful = document::doubtful_lines(&reading, &pages);
    if doubtful.iter().all(Vec::is_empty) {
        return reading;
    }
    let mut second_look = pages;
    for (((_, page), (_, again)), lines) in second_look.iter_mut().zip(accurate).zip(&doubtful) {
        for line in lines {
            page.lines[*line] = again.lines[*line].clone();
        }
    }
    let second = document::read(&second_look, &[], today);
    if document::faults(&second) > document::faults(&reading) { reading } else { second }
}

fn page(sheet: &Sheet, recogniser: usize) -> anyhow::Result<Page> {
    let line = |seen: &Seen| -> anyhow::Result<Line> {
        let lattice = seen.lattice.as_deref().map(lattice).transpose()?;
        Ok(Line { text: seen.text.clone(), confidence: seen.confidence, quad: quad(&seen.quad), lattice })
    };
    let code = |seen: &SeenCode| -> anyhow::Result<Code> {
        let kind = if seen.kind == "Qr" { CodeKind::Qr } else { CodeKind::Pdf417 };
        Ok(Code { kind, bytes: STANDARD.decode(&seen.bytes)?, quad: quad(&seen.quad) })
    };
    Ok(Page {
        width: sheet.width,
        height: sheet.height,
        lines: sheet.lines.iter().map(|seen| line(&seen[recogniser])).collect::<anyhow::Result<_>>()?,
        codes: sheet.codes.iter().map(code).collect::<anyhow::Result<_>>()?,
        ..Page::default()
    })
}

/// The probabilities of a line, step by step.
fn lattice(text: &str) -> anyhow::Result<Lattice> {
    let bytes = STANDARD.decode(text)?;
    let values: Vec<f32> = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect();
    let width = LATTICE_ALPHABET.len() + 1;
    let steps = values.chunks_exact(width).map(|step| step.try_into().context("a step of another width")).collect::<anyhow::Result<_>>()?;
    Ok(Lattice { steps })
}

fn quad(corners: &[[f32; 2]; 4]) -> Quad {
    Quad(corners.map(|[x, y]| Point { x, y }))
}
