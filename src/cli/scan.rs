//! `idmill scan`: reads files with the engine inside and prints JSON.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::annotate;
use crate::config::{self, Settings};
use crate::document::{Reading, answer};
use crate::failure::Failure;
use crate::reader::EmbeddedReader;

/// Read document images and print what they say as JSON.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  idmill scan front.jpg back.jpg\n  idmill scan --annotate seen.png front.jpg\n  idmill scan --batch documents > readings.jsonl"
)]
pub(super) struct Scan {
    /// Image of the front.
    #[arg(required_unless_present = "batch", value_name = "FRONT")]
    front: Option<PathBuf>,

    /// Image of the back, where there is one.
    #[arg(value_name = "BACK")]
    back: Option<PathBuf>,

    /// Draw the pages with what was read where, as a PNG file.
    #[arg(long, value_name = "OUT.png", conflicts_with = "batch")]
    annotate: Option<PathBuf>,

    /// Read every folder in DIR that holds front.* and perhaps back.*, and print one JSON line for each.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["front", "back"])]
    batch: Option<PathBuf>,
}

impl Scan {
    /// Reads what the command line names.
    ///
    /// # Errors
    /// The engine cannot be opened, a file cannot be read, or the folder holds no document; a document that cannot be read is an answer, not an error,
    /// except where it is the only one.
    pub(super) fn run(&self, settings: &Settings) -> anyhow::Result<ExitCode> {
        match (&self.batch, &self.front) {
            (Some(folder), _) => batch(settings, folder),
            (None, Some(front)) => self.single(settings, front),
            (None, None) => bail!("name an image, or a folder with --batch"),
        }
    }

    fn single(&self, settings: &Settings, front: &Path) -> anyhow::Result<ExitCode> {
        let engine = config::Engine { instances: 1, ..settings.engine.clone() };
        let front = read_file(front)?;
        let back = self.back.as_deref().map(read_file).transpose()?;
        let reader = EmbeddedReader::open(&engine)?;
        let reading = match &self.annotate {
            None => reader.read_here(&front, back.as_deref())?,
            Some(path) => {
                let (reading, pages) = reader.read_and_show(&front, back.as_deref())?;
                let png = annotate::draw(&reading, pages).and_then(|canvas| canvas.to_png()).context("failed to draw the pages")?;
                std::fs::write(path, png).with_context(|| format!("failed to write {}", path.display()))?;
                reading
            }
        };
        writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&Value::Object(answer_of(&reading)))?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// One document of a batch.
struct Sides {
    id: String,
    front: PathBuf,
    back: Option<PathBuf>,
}

fn batch(settings: &Settings, folder: &Path) -> anyhow::Result<ExitCode> {
    let documents = documents_in(folder)?;
    ensure!(!documents.is_empty(), "{} holds no folder with a front.*; for one document name its files without --batch", folder.display());
    let reader = EmbeddedReader::open(&settings.engine)?;
    let progress = if std::io::stderr().is_terminal() { ProgressBar::new(documents.len() as u64) } else { ProgressBar::hidden() };
    let next = AtomicUsize::new(0);
    let output = Mutex::new(std::io::stdout());
    thread::scope(|scope| -> anyhow::Result<()> {
        let work = || -> anyhow::Result<()> {
            while let Some(sides) = documents.get(next.fetch_add(1, Ordering::Relaxed)) {
                let line = Value::Object(read_sides(&reader, sides)).to_string();
                let mut output = output.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                writeln!(output, "{line}")?;
                output.flush()?;
                progress.inc(1);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..reader.instances()).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a thread of the batch panicked")))
    })?;
    progress.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}

fn read_sides(reader: &EmbeddedReader, sides: &Sides) -> Map<String, Value> {
    let started = Instant::now();
    let cpu_started = thread_cpu_seconds();
    let outcome = (|| -> anyhow::Result<Result<Reading, Failure>> {
        let front = read_file(&sides.front)?;
        let back = sides.back.as_deref().map(read_file).transpose()?;
        Ok(reader.read_here(&front, back.as_deref()))
    })();
    let mut line = Map::new();
    line.insert("id".into(), json!(sides.id));
    match outcome {
        Ok(Ok(reading)) => line.extend(answer_of(&reading)),
        Ok(Err(failure)) => line.extend([("class".into(), json!(failure.class)), ("error".into(), json!(failure.reason))]),
        Err(error) => line.extend([("error".into(), json!(format!("{error:#}")))]),
    }
    line.insert("seconds".into(), json!(round_ms(started.elapsed().as_secs_f64())));
    if let (Some(before), Some(after)) = (cpu_started, thread_cpu_seconds()) {
        line.insert("cpuSeconds".into(), json!(round_ms(after - before)));
    }
    line
}

/// The seven keys first, then everything else.
fn answer_of(reading: &Reading) -> Map<String, Value> {
    let mut answer = answer::seven_keys(reading);
    answer.insert("mrz".into(), json!(reading.mrz));
    answer.insert("details".into(), Value::Object(answer::details(reading)));
    answer.insert("warnings".into(), json!(reading.warnings));
    answer
}

/// The folders of a batch, by name.
fn documents_in(folder: &Path) -> anyhow::Result<Vec<Sides>> {
    let list = |path: &Path| -> anyhow::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(path).with_context(|| format!("failed to list {}", path.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
        paths.sort();
        Ok(paths)
    };
    let mut documents = Vec::new();
    for path in list(folder)?.into_iter().filter(|path| path.is_dir()) {
        let files = list(&path)?;
        let side = |name: &str| files.iter().find(|file| file.is_file() && file.file_stem().is_some_and(|stem| stem == name)).cloned();
        if let Some(front) = side("front") {
            let id = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            documents.push(Sides { id, front, back: side("back") });
        }
    }
    Ok(documents)
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("failed to read {}", path.display()))
}

fn round_ms(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// CPU time of the calling thread, where the kernel tells.
fn thread_cpu_seconds() -> Option<f64> {
    // The first number is nanoseconds on the processor.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_every_folder_with_a_front() {
        let root = tempfile::tempdir().unwrap();
        for (folder, files) in [("b", &["front.jpg", "back.png"][..]), ("a", &["front.webp", "notes.txt"]), ("c", &["back.jpg"])] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
            files.iter().for_each(|file| std::fs::write(root.path().join(folder).join(file), b"").unwrap());
        }
        let documents = documents_in(root.path()).unwrap();
        let found: Vec<_> = documents.iter().map(|sides| (sides.id.as_str(), sides.back.is_some())).collect();
        assert_eq!(found, [("a", false), ("b", true)]);
        let error = batch(&Settings::default(), &root.path().join("a")).unwrap_err();
        assert!(error.to_string().contains("holds no folder with a front.*"), "{error:#}");
    }
}
