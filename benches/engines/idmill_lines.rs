//! What the engine of idmill reads on documents, as `benches/engines/lines.py` prints it for other engines: one JSON line
//! a document, with the text of its lines and the CPU time it took on one core, second looks and fields included.
//!
//! The lines of a machine-readable zone are printed twice, as the recogniser saw them and as they were decoded.
//!
//! `idmill_lines FOLDER`: for every `FOLDER/<id>/front.jpg` and `back.jpg`.

use std::path::Path;

use anyhow::Context;
use idmill::config::{Engine, Settings};
use idmill::reader::EmbeddedReader;
use serde_json::json;

#[expect(clippy::print_stdout, reason = "the lines are what it is for")]
fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).context("usage: idmill_lines FOLDER")?;
    let engine = Engine { instances: 1, ..Settings::load(None)?.engine };
    let reader = EmbeddedReader::open(&engine)?;
    let mut documents: Vec<_> = std::fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
    documents.sort_by_key(std::fs::DirEntry::file_name);
    let read = |path: &Path| -> anyhow::Result<_> {
        let front = std::fs::read(path.join("front.jpg"))?;
        let back = std::fs::read(path.join("back.jpg")).ok();
        let n_images = 1 + usize::from(back.is_some());
        let started = thread_seconds();
        let (reading, pages) = reader.read_and_show(&front, back.as_deref())?;
        let seconds = thread_seconds() - started;
        let seen = pages.iter().flat_map(|seen| &seen.page.lines).map(|line| line.text.as_str());
        let lines: Vec<_> = seen.chain(reading.mrz.iter().map(String::as_str)).collect();
        Ok(json!({"n_images": n_images, "cpu_s": seconds, "lines": lines}))
    };
    // The first image pays for what is set up once.
    read(&documents.first().context("the folder is empty")?.path())?;
    for document in &documents {
        let mut line = read(&document.path())?;
        line["id"] = document.file_name().to_string_lossy().into();
        println!("{line}");
    }
    Ok(())
}

/// CPU time of this thread, which does all the work.
fn thread_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e9
}
