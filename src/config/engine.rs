use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The embedded engine.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// Folder of the runtime library and the weights, as `deploy/fetch-models.sh` fills it; none: `./weights`,
    /// `weights` beside the executable, `/usr/local/share/idmill` and `/usr/share/idmill` are tried in turn.
    pub dir: Option<PathBuf>,
    /// Engine instances, one thread each; 0 takes one per core.
    pub instances: usize,
    /// Largest image in pixels, decided from the header. Decoded it may take four bytes for each of them: with 16 bits a channel
    /// an image may have half or two thirds as many.
    pub max_pixels: u64,
    /// Files (PEM or DER) with the certificates or public keys that sign Aadhaar codes, expired ones too. A code signed by
    /// one of them is believed before anything else on the document; without keys no code counts as signed.
    pub aadhaar_keys: Vec<PathBuf>,
}

impl Engine {
    /// How many instances that are: `instances`, or the number of cores.
    pub fn n_instances(&self) -> usize {
        match self.instances {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            set => set,
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self { dir: None, instances: 0, max_pixels: 25_000_000, aadhaar_keys: Vec::new() }
    }
}
