use std::fmt;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use time::OffsetDateTime;

use super::header::{self, moment, number, text};
use super::history::History;
use crate::failure::Class;
use crate::job::JobId;

/// What a dead letter says about itself. Holds nothing of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The job's identity, or one made of the bytes where the message is no job.
    pub id: JobId,
    /// Why it is here.
    pub class: LetterClass,
    /// The worker's sentence; `None` where no worker wrote one.
    pub reason: Option<String>,
    /// What the job had behind it.
    pub history: History,
    /// When it was given up; `None` where nobody noted it.
    pub dead_since: Option<OffsetDateTime>,
    /// How often it was looked at since it lies here and given back: what a delivery limit counts.
    pub n_deliveries: u32,
    /// Length of the body.
    pub body_bytes: usize,
}

/// Why a letter is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LetterClass {
    /// A worker gave the job up; or the broker did, at the delivery limit.
    Failed(Class),
    /// Neither left a word: somebody put the message here, or it is one of which the broker takes no copy, so that the worker
    /// had it moved here as it was.
    Unknown,
}

impl LetterClass {
    /// Every class.
    pub fn all() -> Vec<Self> {
        Class::ALL.into_iter().map(Self::Failed).chain([Self::Unknown]).collect()
    }

    /// The name, as operators see and type it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed(class) => class.as_str(),
            Self::Unknown => "unknown",
        }
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|class| class.as_str() == name)
    }
}

impl fmt::Display for LetterClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad`, so that columns can be aligned.
        f.pad(self.as_str())
    }
}

impl Letter {
    /// Reads a letter's properties and the identity in its body.
    pub(super) fn of(properties: &BasicProperties, body: &[u8]) -> Self {
        let headers = properties.headers().clone().unwrap_or_default();
        let message_id = properties.message_id().as_ref().map(lapin::types::ShortString::as_str);
        let named = text(&headers, header::CLASS).and_then(|name| LetterClass::parse(&name));
        let by_broker = text(&headers, "x-first-death-reason").is_some_and(|reason| reason == "delivery_limit");
        let noted = moment(&headers, header::DEAD_SINCE);
        Self {
            id: JobId::of_message(body, message_id),
            class: named.unwrap_or(if by_broker { LetterClass::Failed(Class::DeliveryLimit) } else { LetterClass::Unknown }),
            reason: text(&headers, header::REASON),
            history: History::of(&headers),
            dead_since: noted.or_else(|| time_of_death(&headers)),
            n_deliveries: number(&headers, "x-delivery-count").unwrap_or(0),
            body_bytes: body.len(),
        }
    }
}

/// The time in the broker's own record of the last time that it dead-lettered the message.
fn time_of_death(headers: &FieldTable) -> Option<OffsetDateTime> {
    let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else { return None };
    let AMQPValue::FieldTable(last) = deaths.as_slice().first()? else { return None };
    let AMQPValue::Timestamp(seconds) = last.inner().get("time")? else { return None };
    OffsetDateTime::from_unix_timestamp(i64::try_from(*seconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_workers_letter_says_why_it_is_dead() {
        let mut headers = FieldTable::default();
        for (name, value) in
            [(header::CLASS, "bad_image"), (header::REASON, "the object is empty"), (header::DEAD_SINCE, "2030-01-02T03:04:05Z")]
        {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        }
        headers.insert("x-delivery-count".into(), AMQPValue::LongLongInt(3));
        let letter = Letter::of(&BasicProperties::default().with_headers(headers), br#"{"id":"a-1"}"#);
        assert_eq!((letter.id.as_str(), letter.class), ("a-1", LetterClass::Failed(Class::BadImage)));
        assert_eq!((letter.reason.as_deref(), letter.n_deliveries), (Some("the object is empty"), 3));
        assert_eq!(letter.dead_since, Some(datetime!(2030-01-02 03:04:05 UTC)));
    }

    #[test]
    fn a_letter_without_headers_is_of_unknown_class() {
        let letter = Letter::of(&BasicProperties::default(), b"anything");
        assert_eq!((letter.class, letter.dead_since, letter.history.attempt), (LetterClass::Unknown, None, 1));
    }

    #[test]
    fn class_names_are_unique_and_parse() {
        for class in LetterClass::all() {
            assert_eq!(LetterClass::parse(class.as_str()), Some(class));
        }
    }
}
