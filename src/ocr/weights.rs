//! Which files the engine needs, what they must be, and where they are looked for.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

/// One file of the engine's folder.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// The file's name in the folder.
    pub file: &'static str,
    /// What it is for, in a few words.
    pub role: &'static str,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// The runtime library's name in the engine's folder. It depends on the platform, so it has no checksum here; the fetch script checks the package it comes from.
pub const RUNTIME_LIBRARY: &str = "libonnxruntime.so";

/// Every file of weights the engine loads, with its checksum.
pub const WEIGHTS: [Weight; 5] = [
    Weight { file: "tiny-det.onnx", role: "text detection", sha256: "193bab7a04fca699a6c82e6abb5b81bdb28177f0abd4062552b04908dafb19f8" },
    Weight { file: "tiny-rec.onnx", role: "fast recognition", sha256: "9ef676d6ed3c88256a2d92c640c44f25b0c40947e111b14b8be8f594091563e6" },
    Weight {
        file: "tiny-dict.txt",
        role: "characters of the fast recogniser",
        sha256: "2af150bab777d86fa1ce821f6a37eabea90f1bb99ab9c41f031262e892a747bc",
    },
    Weight {
        file: "small-rec.onnx",
        role: "accurate recognition",
        sha256: "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    },
    Weight {
        file: "line-orientation.onnx",
        role: "orientation of a line",
        sha256: "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
    },
];

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

/// Reads one file of weights and checks it.
///
/// # Errors
/// What is wrong with it.
pub fn read_checked(folder: &Path, weight: &Weight) -> Result<Vec<u8>, Fault> {
    let bytes = std::fs::read(folder.join(weight.file)).map_err(|_| Fault::Missing)?;
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if digest == weight.sha256 { Ok(bytes) } else { Err(Fault::WrongContent) }
}

/// The content of the engine's files, checked; engines are built from it.
pub struct Weights {
    pub(crate) runtime_library: PathBuf,
    pub(crate) detection: Vec<u8>,
    pub(crate) fast: Vec<u8>,
    pub(crate) fast_dictionary: String,
    pub(crate) accurate: Vec<u8>,
    pub(crate) line_orientation: Vec<u8>,
}

impl Weights {
    /// Reads and checks all files of a folder.
    ///
    /// # Errors
    /// A file is missing or is another one; the message names it and says what to do.
    pub fn load(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            runtime_library: folder.join(RUNTIME_LIBRARY),
            detection: load(folder, "tiny-det.onnx")?,
            fast: load(folder, "tiny-rec.onnx")?,
            fast_dictionary: String::from_utf8(load(folder, "tiny-dict.txt")?).context("the dictionary is not UTF-8")?,
            accurate: load(folder, "small-rec.onnx")?,
            line_orientation: load(folder, "line-orientation.onnx")?,
        })
    }
}

/// The table's entry of this name, read and checked.
fn load(folder: &Path, file: &str) -> anyhow::Result<Vec<u8>> {
    let weight = WEIGHTS.iter().find(|weight| weight.file == file).with_context(|| format!("{file} is not one of the engine's files"))?;
    match read_checked(folder, weight) {
        Ok(bytes) => Ok(bytes),
        Err(fault) => bail!("{} {fault}; run deploy/fetch-models.sh", folder.join(file).display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_other_content_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let weight = &WEIGHTS[0];
        assert_eq!(read_checked(folder.path(), weight), Err(Fault::Missing));
        std::fs::write(folder.path().join(weight.file), b"something else").unwrap();
        assert_eq!(read_checked(folder.path(), weight), Err(Fault::WrongContent));
        let message = load(folder.path(), weight.file).unwrap_err().to_string();
        assert!(message.contains("tiny-det.onnx") && message.contains("SHA-256"), "{message}");
    }

    #[test]
    fn a_named_folder_without_a_runtime_is_an_error_that_names_the_setting() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find_folder(Some(folder.path())).unwrap_err().to_string().contains("engine.dir"));
    }
}
