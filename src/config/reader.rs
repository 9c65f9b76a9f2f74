use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who reads the documents.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reader {
    /// Which readers are asked, and in which order: the engine inside, the hosted API, or one when the other fails.
    pub order: ReaderOrder,
    /// Fields whose absence sends a document on to the remote reader, for `embedded_then_remote`.
    pub required_fields: Vec<String>,
    /// The hosted API.
    pub remote: Remote,
}

/// Which readers are asked, and in which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReaderOrder {
    /// The engine in this process.
    #[default]
    Embedded,
    /// The hosted API.
    Remote,
    /// The hosted API, and the engine while its circuit is open.
    RemoteThenEmbedded,
    /// The engine, and the hosted API when a required field is missing.
    EmbeddedThenRemote,
}

/// The hosted API.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Remote {
    /// Full URL of the OCR call.
    pub url: String,
    /// API key: the `apikey` claim of minted tokens.
    pub api_key: String,
    /// File that holds the API secret that tokens are signed with.
    pub secret_file: Option<PathBuf>,
    /// File that holds a ready token instead; read again when it changes.
    pub token_file: Option<PathBuf>,
    /// Spelling of the two body keys.
    pub key_spelling: KeySpelling,
    /// Send the front image as back too when a document has one side.
    pub duplicate_front: bool,
    /// Time that one call may take, answer included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// PEM file of a private authority that signed the API's certificate.
    pub ca_file: Option<PathBuf>,
    /// URL of an HTTP proxy; none: no proxy, whatever the environment says.
    pub proxy: Option<String>,
}

/// Spelling of the two body keys of the hosted API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySpelling {
    /// `frontPart`, and `frontpart` when the API says it misses it, until a document was read with one of the two.
    #[default]
    Auto,
    /// `frontPart`.
    Camel,
    /// `frontpart`.
    Lower,
}

impl std::fmt::Debug for Remote {
    // The URL of a proxy may carry a password, and the key names the account.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("secret_file", &self.secret_file).field("token_file", &self.token_file).finish_non_exhaustive()
    }
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            url: "https://api.videosdk.live/ai/v1/ocr".into(),
            api_key: String::new(),
            secret_file: None,
            token_file: None,
            key_spelling: KeySpelling::Auto,
            duplicate_front: true,
            timeout: Duration::from_secs(30),
            ca_file: None,
            proxy: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_key_nor_password() {
        let remote = Remote { api_key: "visible".into(), proxy: Some("http://user:visible@proxy:3128".into()), ..Remote::default() };
        let reader = Reader { remote, ..Reader::default() };
        assert!(!format!("{reader:?}").contains("visible"));
    }
}
