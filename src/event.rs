//! Job + outcome -> CloudEvents 1.0 JSON with an id that does not depend on when or how often it is made.
//!
//! Does no input or output; the time is an argument.

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::failure::Failure;
use crate::job::{JobId, Metadata};

/// The contract's version, part of every event's type and id.
const CONTRACT: &str = "v1";

/// Routing key of a document that was read.
const READ: &str = "document.read";
/// Routing key of a job that was given up.
const FAILED: &str = "document.failed";

/// Namespace of event ids: drawn once, never to change, since every duplicate must carry the same id.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f0d_0f0e_5bb5_5f5a_9d43_3c1a_6f2e_8a71);

/// A terminal event, ready to be published. `Debug` does not show the body.
#[derive(Clone)]
pub struct Event {
    /// CloudEvents `id`: the same for every duplicate of the same job.
    pub id: Uuid,
    /// Routing key on the reply exchange: `document.read` or `document.failed`.
    pub routing_key: &'static str,
    /// The CloudEvents envelope in structured JSON mode.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event").field("id", &self.id).field("routing_key", &self.routing_key).finish_non_exhaustive()
    }
}

/// Which life of which job an event speaks about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The job.
    pub job_id: &'a JobId,
    /// How often an operator replayed it from the dead letters. A replay's event is news, so it has an id of its own:
    /// a consumer that drops duplicates by id must not drop the answer that it waited for.
    pub replay: u32,
    /// What the producer wants back.
    pub metadata: &'a Metadata,
}

impl Event {
    /// The event of a document that was read; `data` holds `fields`, `details` and `warnings`.
    pub fn read(subject: Subject<'_>, data: Map<String, Value>, now: OffsetDateTime) -> Self {
        Self::new(subject, READ, data, now)
    }

    /// The event of a job that was given up.
    pub fn failed(subject: Subject<'_>, failure: &Failure, attempts: u32, now: OffsetDateTime) -> Self {
        let mut data = Map::new();
        data.insert(
            "failure".into(),
            json!({"class": failure.class, "dependency": failure.dependency, "reason": failure.reason, "attempts": attempts}),
        );
        Self::new(subject, FAILED, data, now)
    }

    /// Whether it tells of a job that was given up.
    pub fn is_failure(&self) -> bool {
        self.routing_key == FAILED
    }

    fn new(subject: Subject<'_>, routing_key: &'static str, outcome: Map<String, Value>, now: OffsetDateTime) -> Self {
        let id = event_id(subject.job_id, subject.replay);
        let envelope = Envelope {
            specversion: "1.0",
            id: id.to_string(),
            kind: format!("idmill.{routing_key}.{CONTRACT}"),
            source: "idmill",
            subject: subject.job_id.as_str(),
            time: rfc3339(now),
            datacontenttype: "application/json",
            data: Data { outcome, metadata: subject.metadata },
        };
        let body = serde_json::to_vec(&envelope).expect("texts, JSON values and JSON text are written without fail");
        Self { id, routing_key, body }
    }
}

/// The envelope, in the order in which it is written.
#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    source: &'static str,
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(flatten)]
    outcome: Map<String, Value>,
    metadata: &'a Metadata,
}

/// The id that every event of this life of the job carries.
pub fn event_id(job_id: &JobId, replay: u32) -> Uuid {
    let name = match replay {
        0 => format!("{CONTRACT}:{job_id}"),
        n => format!("{CONTRACT}:{job_id}:replay-{n}"),
    };
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

/// The moment in RFC 3339, in whole milliseconds of UTC.
pub fn rfc3339(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    let milliseconds = moment.replace_millisecond(moment.millisecond()).unwrap_or(moment);
    milliseconds.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::failure::Class;

    #[test]
    fn the_envelope_is_a_cloud_event() {
        let job_id = JobId::parse("a-1").unwrap();
        let metadata: Metadata = serde_json::from_str(r#"{"k": 98765432109876543210, "d": 1.10}"#).unwrap();
        let subject = Subject { job_id: &job_id, replay: 0, metadata: &metadata };
        let failure = Failure::new(Class::BadImage, "the image is empty");
        let event = Event::failed(subject, &failure, 1, datetime!(2030-01-02 03:04:05.678_901 UTC));
        insta::assert_snapshot!(String::from_utf8(event.body).unwrap(), @r#"{"specversion":"1.0","id":"ca6479c8-a42e-5b22-bf46-0230e1e07a6b","type":"idmill.document.failed.v1","source":"idmill","subject":"a-1","time":"2030-01-02T03:04:05.678Z","datacontenttype":"application/json","data":{"failure":{"class":"bad_image","dependency":null,"reason":"the image is empty","attempts":1},"metadata":{"k": 98765432109876543210, "d": 1.10}}}"#);
    }

    #[test]
    fn an_id_depends_on_the_job_and_its_life_alone() {
        let id = |text: &str, replay| event_id(&JobId::parse(text).unwrap(), replay);
        assert_eq!(id("a", 0), id("a", 0));
        assert_ne!(id("a", 0), id("b", 0));
        assert_ne!(id("a", 0), id("a", 1));
    }
}
