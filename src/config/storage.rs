use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the images are.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Bucket of jobs that name none.
    pub bucket: String,
    /// Buckets that a job may name besides that one.
    pub allowed_buckets: Vec<String>,
    /// Endpoint of an S3-compatible server; none: AWS.
    pub endpoint: Option<String>,
    /// Region; none: the SDK's own chain, or `us-east-1` with an endpoint.
    pub region: Option<String>,
    /// Bucket in the path instead of the host name, as most S3-compatible servers want it.
    pub path_style: bool,
    /// Check response checksums whenever the server sends one; off for servers that send wrong ones.
    pub verify_checksums: bool,
    /// File with `ACCESS_KEY_ID` on its first line and `SECRET_ACCESS_KEY` on its second; none: the SDK's own chain.
    pub credentials_file: Option<PathBuf>,
    /// Time that the store may take for one object, body included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// Largest object that is read, in bytes.
    pub max_object_bytes: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            bucket: "idmill".into(),
            allowed_buckets: Vec::new(),
            endpoint: None,
            region: None,
            path_style: false,
            verify_checksums: true,
            credentials_file: None,
            timeout: Duration::from_secs(20),
            max_object_bytes: 10 * 1024 * 1024,
        }
    }
}
