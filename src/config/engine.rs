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
    /// Largest image in pixels, decided from the header.
    pub max_pixels: u64,
}

impl Default for Engine {
    fn default() -> Self {
        Self { dir: None, instances: 0, max_pixels: 25_000_000 }
    }
}
