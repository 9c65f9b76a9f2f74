//! Why a job failed: a closed set, and what each of them means for the job.
//!
//! A failure carries no document content, ever: its words may be logged, sent as headers and published.

use std::time::Duration;

use metrics::counter;
use serde::{Deserialize, Serialize};

use crate::telemetry::metric::DEPENDENCY_FAILURES;

/// What happens to a job that failed: the classes that operators see in headers, metrics and events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The message is not a job: not JSON, a key is missing, the bucket is not allowed.
    BadJob,
    /// The job's own deadline was over before it was read.
    Expired,
    /// The object is no image that can be read: too large, not an image, corrupt, too many pixels.
    BadImage,
    /// The object is not there, the upload may still be on its way.
    ImageMissing,
    /// A dependency denies what this job asks for, and may give it to others: either the job or we are at fault.
    Denied,
    /// The OCR service refuses the document (400, 413, 415, 422).
    Rejected,
    /// The document was read and no field was found.
    NoData,
    /// A dependency does not answer or answers with a fault that may heal.
    Unavailable,
    /// A dependency asks for patience, or no engine was free for a long time.
    Throttled,
    /// A dependency refuses our credentials: a matter of configuration, not of the job.
    Unauthorised,
    /// A fault of ours, a panic for example.
    Internal,
    /// The job was delivered again and again and never answered: it kills its worker.
    DeliveryLimit,
}

impl Class {
    /// Every class, in the order of the declaration.
    pub const ALL: [Self; 12] = [
        Self::BadJob,
        Self::Expired,
        Self::BadImage,
        Self::ImageMissing,
        Self::Denied,
        Self::Rejected,
        Self::NoData,
        Self::Unavailable,
        Self::Throttled,
        Self::Unauthorised,
        Self::Internal,
        Self::DeliveryLimit,
    ];

    /// The name in headers, metrics, logs and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadJob => "bad_job",
            Self::Expired => "expired",
            Self::BadImage => "bad_image",
            Self::ImageMissing => "image_missing",
            Self::Denied => "denied",
            Self::Rejected => "rejected",
            Self::NoData => "no_data",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Unauthorised => "unauthorised",
            Self::Internal => "internal",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// The services a job depends on; each has a circuit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// The hosted OCR API.
    Ocr,
    /// The object store.
    Storage,
    /// Our own reply exchange, and the queues that jobs are settled into.
    Reply,
}

impl Dependency {
    /// Every dependency, in the order of a job's way through them.
    pub const ALL: [Self; 3] = [Self::Storage, Self::Ocr, Self::Reply];

    /// The name in metrics, logs and `/readyz`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ocr => "ocr",
            Self::Storage => "storage",
            Self::Reply => "reply",
        }
    }
}

/// Why a job failed: class, the dependency at fault if any, and a sentence for the person who has to act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// What happens to the job.
    pub class: Class,
    /// Which dependency is at fault, or may be, for `Denied`, `Unavailable`, `Throttled` and `Unauthorised`.
    pub dependency: Option<Dependency>,
    /// A short sentence without any document content.
    pub reason: String,
    /// How long the dependency asked us to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that is the job's own, or ours.
    pub fn new(class: Class, reason: impl Into<String>) -> Self {
        Self { class, dependency: None, reason: reason.into(), retry_after: None }
    }

    /// A failure of a service the job depends on.
    pub fn of(dependency: Dependency, class: Class, reason: impl Into<String>) -> Self {
        Self { class, dependency: Some(dependency), reason: reason.into(), retry_after: None }
    }

    /// Counts it among the failures of the dependency at fault, if there is one.
    pub fn count(&self) {
        if let Some(dependency) = self.dependency {
            counter!(DEPENDENCY_FAILURES, "dependency" => dependency.as_str(), "class" => self.class.as_str()).increment(1);
        }
    }
}
