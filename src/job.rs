//! Message bytes -> [`Job`]: parsed once at the door into types that cannot be wrong. Does no input or output.

use std::fmt;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::failure::{Class, Failure};

/// Largest message body that is parsed, in bytes: a job names images, it does not hold them.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Longest key that S3 allows, in bytes of UTF-8.
const MAX_KEY_BYTES: usize = 1024;

/// Longest job id, in bytes; ids travel in headers and log lines.
const MAX_ID_BYTES: usize = 200;

/// One document to read: where its images are, and what to hand back with the answer.
#[derive(Debug, Clone)]
pub struct Job {
    /// The identity: the same id gives the same event id, however often the job is delivered.
    pub id: JobId,
    /// The front image, or the only one.
    pub front: ObjectKey,
    /// The back image, where the document has one.
    pub back: Option<ObjectKey>,
    /// Bucket of both images; none: the configured one.
    pub bucket: Option<String>,
    /// Echoed in the event as it came. Not shown by `Debug` of the wrapping type.
    pub metadata: Metadata,
    /// After this moment nobody waits for the answer any more.
    pub deadline: Option<OffsetDateTime>,
}

impl Job {
    /// Parses a message body; the id in the body wins over the message's own.
    ///
    /// # Errors
    /// [`Class::BadJob`], with the key that is missing or wrong. The reason never quotes the body.
    pub fn parse(body: &[u8], message_id: Option<&str>) -> Result<Self, Failure> {
        let bad = |reason: String| Failure::new(Class::BadJob, reason);
        if body.len() > MAX_BODY_BYTES {
            return Err(bad(format!("the message has {} bytes, a job has at most {MAX_BODY_BYTES}", body.len())));
        }
        let message: JobMessage = serde_json::from_slice(body).map_err(|error| bad(describe(&error)))?;
        let id = match message.id.as_deref().or(message_id) {
            Some(id) => JobId::parse(id).ok_or_else(|| bad(format!("id must be 1 to {MAX_ID_BYTES} visible ASCII characters")))?,
            None => return Err(bad("the job has no id, neither in its body nor as message_id".into())),
        };
        let key = |name: &str, key: String| {
            ObjectKey::parse(key)
                .ok_or_else(|| bad(format!("{name} must be an object key of 1 to {MAX_KEY_BYTES} bytes without control characters")))
        };
        let deadline = message
            .deadline
            .map(|text| OffsetDateTime::parse(&text, &Rfc3339))
            .transpose()
            .map_err(|_| bad("deadline must be an RFC 3339 time".into()))?;
        Ok(Self {
            id,
            front: key("front", message.front)?,
            back: message.back.map(|back| key("back", back)).transpose()?,
            bucket: message.bucket,
            metadata: message.metadata,
            deadline,
        })
    }
}

/// The wire form of a job. Unknown keys are ignored, so that producers can add theirs before we know them.
#[derive(Deserialize, JsonSchema)]
#[schemars(title = "Job")]
pub struct JobMessage {
    /// The job's identity; may be left out where the AMQP property `message_id` is set.
    #[schemars(length(min = 1, max = 200))]
    id: Option<String>,
    /// S3 key of the front image, or of the only one.
    #[schemars(length(min = 1, max = 1024))]
    front: String,
    /// S3 key of the back image; left out where the document has one side.
    #[schemars(length(min = 1, max = 1024))]
    back: Option<String>,
    /// Bucket of both images, if not the configured one; must be on the allow-list.
    bucket: Option<String>,
    /// Anything; echoed in the event as it is.
    #[serde(default)]
    #[schemars(with = "Map<String, Value>")]
    metadata: Metadata,
    /// RFC 3339; a job that is taken later than this is dead-lettered unread.
    #[schemars(extend("format" = "date-time"))]
    deadline: Option<String>,
}

/// What the producer wants back with the answer: a JSON object, kept as the text that it came as, since numbers of many digits
/// do not survive being parsed. `Debug` shows its length only.
#[derive(Clone, Default)]
pub struct Metadata(Option<Box<RawValue>>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        // Whoever takes the event has to be able to parse it: an object, and no deeper than parsers go.
        serde_json::from_str::<Map<String, Value>>(text.get()).map_err(|_| D::Error::custom("metadata is no object"))?;
        Ok(Self(Some(text)))
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(text) => text.serialize(serializer),
            None => Map::<String, Value>::new().serialize(serializer),
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({} bytes)", self.0.as_ref().map_or(0, |text| text.get().len()))
    }
}

/// A job's identity: 1 to 200 visible ASCII characters, safe in headers and logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(String);

impl JobId {
    /// The id, or `None` where the text is empty, too long, or holds anything but visible ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// An identity for a message that is no job: its own id if it has a usable one, else one made of its bytes, so
    /// that a redelivery is recognised as the same.
    pub fn of_message(body: &[u8], message_id: Option<&str>) -> Self {
        /// All of a body that is looked at: what else is wrong with it takes nothing from its identity.
        #[derive(Deserialize)]
        struct Named {
            id: String,
        }
        let in_body = || Self::parse(&serde_json::from_slice::<Named>(body.get(..MAX_BODY_BYTES.min(body.len()))?).ok()?.id);
        in_body().or_else(|| message_id.and_then(Self::parse)).unwrap_or_else(|| Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, body).to_string()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of an object in S3.
///
/// Keys often hold applicants' numbers or names: `Debug` shows a fingerprint, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The key, or `None` where it is empty, over 1024 bytes, or holds control characters.
    pub fn parse(key: String) -> Option<Self> {
        let fits = (1..=MAX_KEY_BYTES).contains(&key.len()) && !key.chars().any(char::is_control);
        fits.then_some(Self(key))
    }

    /// The key in clear, for the S3 client alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hexadecimal digits of the key's SHA-256: enough to find it in a bucket, tells nothing by itself.
    pub fn fingerprint(&self) -> String {
        Sha256::digest(self.0.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectKey({})", self.fingerprint())
    }
}

/// What is wrong with the JSON, without quoting any of it: serde's own messages quote values.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match error.classify() {
        serde_json::error::Category::Data => {
            match ["missing field `front`", "duplicate field"].iter().find(|known| text.starts_with(**known)) {
                Some(known) => format!("the job is not complete: {}", known.replace('`', "")),
                None => format!("a key of the job has a value of the wrong type, near line {} column {}", error.line(), error.column()),
            }
        }
        _ => format!("the message is not JSON, near line {} column {}", error.line(), error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(body: &str, expected: &str) {
        let failure = Job::parse(body.as_bytes(), None).unwrap_err();
        assert_eq!(failure.class, Class::BadJob);
        assert_eq!(failure.reason, expected);
    }

    #[test]
    fn a_job_is_parsed_with_all_its_keys() {
        let body = br#"{"id":"a-1","front":"x/front.jpg","back":"x/back.jpg","bucket":"b","metadata":{"k":[1]},"deadline":"2030-01-02T03:04:05Z","new":1}"#;
        let job = Job::parse(body, Some("other")).unwrap();
        assert_eq!(job.id.as_str(), "a-1");
        assert_eq!(job.front.as_str(), "x/front.jpg");
        assert_eq!(job.back.unwrap().as_str(), "x/back.jpg");
        assert_eq!(job.bucket.as_deref(), Some("b"));
        assert_eq!(serde_json::to_string(&job.metadata).unwrap(), r#"{"k":[1]}"#);
        assert_eq!(job.deadline.unwrap().year(), 2030);
    }

    #[test]
    fn metadata_is_any_object_and_nothing_else() {
        let parse = |metadata: &str| Job::parse(format!(r#"{{"id":"a","front":"f","metadata":{metadata}}}"#).as_bytes(), None);
        for metadata in ["{}", r#"{ "n": 98765432109876543210, "d": [1.10, 0.1234567890123456789] }"#] {
            assert_eq!(serde_json::to_string(&parse(metadata).unwrap().metadata).unwrap(), metadata);
        }
        let deep = format!(r#"{{"k":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
        for metadata in ["null", "[1]", "7", &deep] {
            let reason = parse(metadata).unwrap_err().reason;
            assert!(reason.starts_with("a key of the job has a value of the wrong type"), "{reason}");
        }
        assert_eq!(serde_json::to_string(&Job::parse(br#"{"id":"a","front":"f"}"#, None).unwrap().metadata).unwrap(), "{}");
    }

    #[test]
    fn the_message_id_stands_in_for_an_id() {
        assert_eq!(Job::parse(br#"{"front":"f"}"#, Some("m-1")).unwrap().id.as_str(), "m-1");
    }

    #[test]
    fn what_is_wrong_is_named_without_quoting_the_body() {
        check_refused("hello Jane Doe", "the message is not JSON, near line 1 column 1");
        check_refused(r#"{"id":"a"}"#, "the job is not complete: missing field front");
        check_refused(r#"{"front":"f"}"#, "the job has no id, neither in its body nor as message_id");
        check_refused(r#"{"id":"a","front":7}"#, "a key of the job has a value of the wrong type, near line 1 column 19");
        check_refused(r#"{"id":"a b","front":"f"}"#, "id must be 1 to 200 visible ASCII characters");
        check_refused(r#"{"id":"a","front":""}"#, "front must be an object key of 1 to 1024 bytes without control characters");
        check_refused(r#"{"id":"a","front":"f","deadline":"tomorrow"}"#, "deadline must be an RFC 3339 time");
    }

    #[test]
    fn a_body_that_is_no_job_has_an_identity_that_lasts() {
        let first = JobId::of_message(b"garbage", None);
        assert_eq!(first, JobId::of_message(b"garbage", None));
        assert_ne!(first, JobId::of_message(b"other garbage", None));
        assert_eq!(JobId::of_message(b"garbage", Some("m-1")).as_str(), "m-1");
        assert_eq!(JobId::of_message(br#"{"id":"a-1"}"#, Some("m-1")).as_str(), "a-1");
        let deep = format!(r#"{{"metadata":{}{},"id":"a-1"}}"#, "[".repeat(1_000), "]".repeat(1_000));
        assert_eq!(JobId::of_message(deep.as_bytes(), None).as_str(), "a-1");
    }

    #[test]
    fn debug_shows_neither_keys_nor_metadata() {
        let job = Job::parse(br#"{"id":"a","front":"jane-doe.jpg","metadata":{"name":"Jane"}}"#, None).unwrap();
        let shown = format!("{job:?}");
        assert!(!shown.contains("jane") && !shown.contains("Jane"), "{shown}");
    }
}
