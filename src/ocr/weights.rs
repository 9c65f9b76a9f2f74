//! Which files the engine needs, what they must be, and where they are looked for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, anyhow, bail};
use sha2::{Digest, Sha256};

use super::network::{Environment, load_runtime};
use super::onnx;
use super::page::FILLER_LOOK_ALIKES;

/// One file of the engine's folder. Its SHA-256 stands in `deploy/models.txt`.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// The file's name in the folder.
    pub file: &'static str,
    /// What it is for, in a few words.
    pub role: &'static str,
}

/// The runtime library's name in the engine's folder.
pub const RUNTIME_LIBRARY: &str = "libonnxruntime.so";

/// Every file of weights the engine loads.
pub const WEIGHTS: [Weight; 5] = [
    Weight { file: "tiny-det.onnx", role: "text detection" },
    Weight { file: "tiny-rec.onnx", role: "fast recognition" },
    Weight { file: "tiny-dict.txt", role: "characters of the fast recogniser" },
    Weight { file: "small-rec.onnx", role: "accurate recognition" },
    Weight { file: "line-orientation.onnx", role: "orientation of a line" },
];

/// The list that the fetch script works by too, so that a checksum stands in one place.
const LIST: &str = include_str!("../../deploy/models.txt");

/// SHA-256 that a file of the engine's folder must have on this machine, lower-case hexadecimal; `None` for a file that
/// is not on the list.
fn sha256_of(file: &str) -> Option<&'static str> {
    LIST.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_package, _member, sha256, name, machine] = columns[..] else { return None };
        (name == file && (machine == "any" || machine == std::env::consts::ARCH)).then_some(sha256)
    })
}

/// What is wrong with one file of the engine's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The file is not there or cannot be read.
    Missing,
    /// The file is there, and it is another one.
    WrongContent,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing or cannot be read",
            Self::WrongContent => "is not the file the engine was made for: its SHA-256 differs",
        })
    }
}

/// The folder the engine loads from: the one the settings name, or the first of the usual places that holds the runtime library.
///
/// # Errors
/// None of the places has it; the message lists them.
pub fn find_folder(setting: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = setting {
        if folder.join(RUNTIME_LIBRARY).is_file() {
            return Ok(folder.to_owned());
        }
        bail!("engine.dir names {}, which holds no {RUNTIME_LIBRARY}; deploy/fetch-models.sh fills such a folder", folder.display());
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("weights")));
    let places: Vec<PathBuf> = [Some("./weights".into()), beside, Some("/usr/local/share/idmill".into()), Some("/usr/share/idmill".into())]
        .into_iter()
        .flatten()
        .collect();
    if let Some(folder) = places.iter().find(|place| place.join(RUNTIME_LIBRARY).is_file()) {
        return Ok(folder.clone());
    }
    let tried: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    bail!("no engine found in {}; run deploy/fetch-models.sh, or name its folder in engine.dir (IDMILL__ENGINE__DIR)", tried.join(", "))
}

/// Reads one file of the engine's folder and checks it.
///
/// # Errors
/// What is wrong with it.
pub fn read_checked(folder: &Path, file: &str) -> Result<Vec<u8>, Fault> {
    let bytes = std::fs::read(folder.join(file)).map_err(|_| Fault::Missing)?;
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if sha256_of(file) == Some(digest.as_str()) { Ok(bytes) } else { Err(Fault::WrongContent) }
}

/// The runtime, and the content of the engine's files, checked; engines are built from it.
pub struct Weights {
    pub(crate) environment: Environment,
    pub(crate) detection: Vec<u8>,
    pub(crate) fast: Vec<u8>,
    pub(crate) fast_dictionary: String,
    pub(crate) accurate: Vec<u8>,
    pub(crate) accurate_dictionary: String,
    pub(crate) line_orientation: Vec<u8>,
}

impl Weights {
    /// Reads and checks all files of a folder, and loads the runtime library where this is the process's first engine.
    ///
    /// # Errors
    /// A file is missing or is another one, or the library cannot be loaded; the message names it and says what to do.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        // Side by side, since a start waits for it: the library takes as long as all files, of whose bytes the accurate
        // recogniser is three quarters.
        thread::scope(|scope| {
            let environment = scope.spawn(|| load_runtime(&folder.join(RUNTIME_LIBRARY)));
            let accurate = scope.spawn(|| accurate_recogniser(folder));
            let dictionary = String::from_utf8(load(folder, "tiny-dict.txt")?).context("the dictionary is not UTF-8")?;
            let (fast, fast_dictionary) = without_most_ideographs(&load(folder, "tiny-rec.onnx")?, &dictionary)?;
            let detection = load(folder, "tiny-det.onnx")?;
            let line_orientation = load(folder, "line-orientation.onnx")?;
            let (accurate, accurate_dictionary) = joined(accurate)?;
            Ok(Self {
                environment: joined(environment)?,
                detection,
                fast,
                fast_dictionary,
                accurate,
                accurate_dictionary,
                line_orientation,
            })
        })
    }
}

/// The accurate recogniser and its dictionary, which its file holds.
fn accurate_recogniser(folder: &Path) -> anyhow::Result<(Vec<u8>, String)> {
    let model = load(folder, "small-rec.onnx")?;
    let dictionary = onnx::metadata(&model, "character").context("the accurate recogniser names no characters")?;
    without_most_ideographs(&model, &dictionary)
}

/// What a thread made that does a part of opening an engine.
pub(super) fn joined<T>(thread: ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().unwrap_or_else(|_| Err(anyhow!("opening the engine panicked")))
}

fn load(folder: &Path, file: &str) -> anyhow::Result<Vec<u8>> {
    match read_checked(folder, file) {
        Ok(bytes) => Ok(bytes),
        Err(fault) => bail!("{} {fault}; run deploy/fetch-models.sh", folder.join(file).display()),
    }
}

/// Of so many ideographs one is kept. Nobody asks which one a line has, but that it has some: the recogniser has to have
/// something to take Chinese or Japanese print for, or it would take it for Latin letters.
const IDEOGRAPHS_PER_KEPT: usize = 32;

/// A recogniser, and the lines of its dictionary, without most of the ideographs that are nine of ten of its characters:
/// its last layer weighs each of them at each step, which is an eighth of its time.
fn without_most_ideographs(model: &[u8], dictionary: &str) -> anyhow::Result<(Vec<u8>, String)> {
    let characters: Vec<&str> = dictionary.trim_end_matches(['\r', '\n']).split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let is_kept = |at: usize| {
        at.is_multiple_of(IDEOGRAPHS_PER_KEPT) || !characters[at].chars().all(|c| is_ideograph(c) && !FILLER_LOOK_ALIKES.contains(c))
    };
    let kept: Vec<usize> = (0..characters.len()).filter(|at| is_kept(*at)).collect();
    // The dictionary names neither the blank, which is the first class, nor the space, which is the last.
    let n_classes = characters.len() + 2;
    let classes: Vec<usize> = std::iter::once(0).chain(kept.iter().map(|at| at + 1)).chain([n_classes - 1]).collect();
    let model = onnx::keep_classes(model, n_classes, &classes).context("a recogniser has not the last layer that it should have")?;
    Ok((model, kept.iter().map(|at| characters[*at]).collect::<Vec<_>>().join("\n")))
}

/// Whether a character is a Chinese one, of whichever language.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_other_content_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = WEIGHTS[0].file;
        assert_eq!(read_checked(folder.path(), file), Err(Fault::Missing));
        std::fs::write(folder.path().join(file), b"something else").unwrap();
        assert_eq!(read_checked(folder.path(), file), Err(Fault::WrongContent));
        let message = load(folder.path(), file).unwrap_err().to_string();
        assert!(message.contains("tiny-det.onnx") && message.contains("SHA-256"), "{message}");
    }

    #[test]
    fn every_file_has_its_checksum_on_the_list() {
        for file in WEIGHTS.map(|weight| weight.file).into_iter().chain([RUNTIME_LIBRARY]) {
            assert!(sha256_of(file).is_some_and(|sum| sum.len() == 64), "{file}");
        }
        assert_eq!(sha256_of("something else"), None);
    }

    #[test]
    fn a_named_folder_without_a_runtime_is_an_error_that_names_the_setting() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find_folder(Some(folder.path())).unwrap_err().to_string().contains("engine.dir"));
    }
}
