//! Names of our headers, and headers read and written whichever type the sender's library gave them.
//!
//! A retry copy is a new message, so the broker's own counters start again with it; what a job has behind it travels in ours.

use std::collections::BTreeMap;

use lapin::types::{AMQPValue, FieldTable};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::telemetry::TRACE_HEADERS;

/// The attempt that the message stands for, from 1.
pub const ATTEMPT: &str = "x-idmill-attempt";
/// How often the job was put off.
pub const DEFERRALS: &str = "x-idmill-deferrals";
/// When the job was first taken, RFC 3339.
pub const FIRST_SEEN: &str = "x-idmill-first-seen";
/// How often an operator replayed the job.
pub const REPLAY: &str = "x-idmill-replay";
/// Failure class of a dead letter.
pub const CLASS: &str = "x-idmill-class";
/// Why, in one sentence without document content.
pub const REASON: &str = "x-idmill-reason";
/// Which dependency was at fault, where it was one.
pub const DEPENDENCY: &str = "x-idmill-dependency";
/// Says of a message in a hold queue, as an AMQP boolean, that its job was given up, has its dead letter, and waits for
/// nothing but somebody who takes its event.
pub const UNTOLD: &str = "x-idmill-untold";
/// When the job was dead-lettered, RFC 3339.
pub const DEAD_SINCE: &str = "x-idmill-dead-since";

/// Headers that the broker adds and that must not travel on with a copy: they are stuck or start anew across a
/// republish, differently on 3.10 and 4.x, so nobody should count with them.
pub(super) const BROKERS_OWN: [&str; 9] = [
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
    "x-delivery-count",
    // From 4.3 on.
    "x-acquired-count",
];

/// Whether a header of that name holds nothing but what idmill, the broker or a tracer wrote. What a producer put into one of
/// its own may be anything.
pub(super) fn is_known(name: &str) -> bool {
    name.starts_with("x-idmill-") || BROKERS_OWN.contains(&name) || TRACE_HEADERS.contains(&name)
}

/// The headers but for those of these names.
pub(super) fn without(headers: &FieldTable, names: &[&str]) -> FieldTable {
    let kept = headers.inner().iter().filter(|(name, _)| !names.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect::<BTreeMap<_, _>>().into()
}

/// Bytes of a table on the wire, its length included.
pub(super) fn len_of_table(table: &FieldTable) -> usize {
    4 + table.inner().iter().map(|(name, value)| 1 + name.as_str().len() + 1 + len_of_value(value)).sum::<usize>()
}

/// Bytes of a value on the wire, its type not included; of those of a fixed length at least as many.
fn len_of_value(value: &AMQPValue) -> usize {
    match value {
        AMQPValue::LongString(text) => 4 + text.as_bytes().len(),
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.len(),
        AMQPValue::FieldArray(values) => 4 + values.as_slice().iter().map(|value| 1 + len_of_value(value)).sum::<usize>(),
        AMQPValue::FieldTable(table) => len_of_table(table),
        _ => 8,
    }
}

/// A header as text, whichever of the two string types the sender's library uses.
pub(super) fn text(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(value) => Some(value.to_string()),
        AMQPValue::ShortString(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A header as a moment in UTC; anybody may have written it.
pub(super) fn moment(headers: &FieldTable, name: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(&text(headers, name)?, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)
}

/// A header as a number, whichever of the integer types the sender's library uses.
pub(super) fn number(headers: &FieldTable, name: &str) -> Option<u32> {
    u32::try_from(integer(headers.inner().get(name)?)?).ok()
}

/// The value of any of the integer types.
pub(super) fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortShortUInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortInt(value) => Some(i64::from(*value)),
        AMQPValue::ShortUInt(value) => Some(i64::from(*value)),
        AMQPValue::LongInt(value) => Some(i64::from(*value)),
        AMQPValue::LongUInt(value) => Some(i64::from(*value)),
        AMQPValue::LongLongInt(value) => Some(*value),
        _ => None,
    }
}

pub(super) fn number_value(value: u32) -> AMQPValue {
    AMQPValue::LongLongInt(i64::from(value))
}

pub(super) fn text_value(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}
