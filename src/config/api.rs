use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The HTTP API.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Listen address of the API.
    pub listen: SocketAddr,
    /// File of API keys, a line each: `KEY_ID SECRET`; read again when it changes.
    pub keys_file: Option<PathBuf>,
    /// Answer without a token; only on a loopback address.
    pub open: bool,
    /// Serve the page to try it at `/`.
    pub page: bool,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// Largest decoded image in bytes.
    pub max_image_bytes: usize,
    /// Requests that may be inside besides those that the engine reads, counted before their body arrives; beyond that the answer
    /// is 429.
    pub queue: usize,
    /// Time that a client may take to send its request, and to take some of an answer that waits for it.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub read_timeout: Duration,
    /// Time that requests in flight get to finish after SIGTERM.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
}

/// What must not leave the process in clear.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// Mask the first eight digits of Aadhaar numbers in events and API answers: every twelve digits that stand together, on
    /// documents of an unknown type too.
    pub mask_aadhaar: bool,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            keys_file: None,
            open: false,
            page: true,
            max_body_bytes: 28 * 1024 * 1024,
            max_image_bytes: 10 * 1024 * 1024,
            queue: 32,
            read_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
