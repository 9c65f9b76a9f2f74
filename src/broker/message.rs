use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use time::OffsetDateTime;

use super::header::{self, BROKERS_OWN, len_of_table, moment, number_value, text, text_value, without};
use super::history::History;
use crate::event::rfc3339;
use crate::failure::{Class, Dependency, Failure};
use crate::telemetry::TraceContext;

/// The pseudo queue of RabbitMQ's direct reply-to; a worker sees a longer name, which leads to the sender alone.
pub const DIRECT_REPLY: &str = "amq.rabbitmq.reply-to";

/// Headers by which a sender has the broker route a message to further queues, from 4.1 on by the last one too. A copy is ours and
/// goes where we send it: with these it would come back from there to whoever made it, again and again.
const ROUTING: [&str; 3] = ["CC", "BCC", "x-cc"];

/// Longest reason in a header, in bytes: all headers together must fit one frame.
const MAX_REASON_BYTES: usize = 500;

/// Most bytes of headers that a copy takes along. The broker closes the connection, 501, over headers that do not fit one
/// frame, which has 128 KiB by default, and what the broker and we add must fit too.
const MAX_COPIED_HEADERS_BYTES: usize = 64 * 1024;

/// A message on its way out.
#[derive(Clone)]
pub struct Outgoing {
    /// Exchange; empty: the default exchange, where the routing key is a queue's name.
    pub exchange: String,
    /// Routing key.
    pub routing_key: String,
    /// Properties with headers; always persistent.
    pub(super) properties: BasicProperties,
    /// The body.
    pub body: Vec<u8>,
}

impl Outgoing {
    /// A new persistent JSON message.
    pub fn json(exchange: &str, routing_key: &str, message_id: &str, content_type: &str, body: Vec<u8>) -> Self {
        let properties = persistent(BasicProperties::default()).with_message_id(message_id.into()).with_content_type(content_type.into());
        Self { exchange: exchange.into(), routing_key: routing_key.into(), properties, body }
    }

    /// The same message, to be answered there.
    #[must_use]
    pub fn answered_to(mut self, reply_to: &str) -> Self {
        self.properties = self.properties.with_reply_to(reply_to.into());
        self
    }

    /// Whether it must come back where no queue takes it: always, but for an answer to a sender who may be gone.
    pub fn is_mandatory(&self) -> bool {
        !(self.exchange.is_empty() && is_direct_reply(&self.routing_key))
    }

    /// The same message with its correlation id and trace context taken from the one it answers.
    #[must_use]
    pub(super) fn answering(mut self, question: &BasicProperties) -> Self {
        if let Some(id) = question.correlation_id() {
            self.properties = self.properties.with_correlation_id(id.clone());
        }
        self.with_trace_context(&trace_context(question))
    }

    /// A copy of a received message for another queue: body and the sender's properties as they were, the broker's own
    /// headers, those it routes by and any per-message expiry left behind; and all headers, where they leave no room for ours.
    pub fn copy_of(properties: &BasicProperties, body: &[u8], queue: &str) -> Self {
        let received = properties.headers().as_ref().filter(|headers| len_of_table(headers) <= MAX_COPIED_HEADERS_BYTES);
        let headers = without(&without(&received.cloned().unwrap_or_default(), &BROKERS_OWN), &ROUTING);
        // An expiry would let the copy vanish, or block the hold queue behind it: measured, 100 ms waited for 3 s.
        let mut copied = persistent(BasicProperties::default()).with_headers(headers);
        macro_rules! carry {
            ($($get:ident $set:ident),*) => { $( if let Some(value) = properties.$get() { copied = copied.$set(value.clone()); } )* };
        }
        carry!(content_type with_content_type, content_encoding with_content_encoding, priority with_priority, correlation_id with_correlation_id,
               message_id with_message_id, timestamp with_timestamp, kind with_type, app_id with_app_id);
        // Only a 0-9-1 sender has the pseudo queue replaced by an address; the broker takes no message that names it still.
        if let Some(reply_to) = properties.reply_to().as_ref().filter(|reply_to| reply_to.as_str() != DIRECT_REPLY) {
            copied = copied.with_reply_to(reply_to.clone());
        }
        Self { exchange: String::new(), routing_key: queue.into(), properties: copied, body: body.to_vec() }
    }

    /// The same message with what its job has behind it.
    #[must_use]
    pub fn with_history(self, history: History) -> Self {
        let mut message = self
            .with_header(header::ATTEMPT, number_value(history.attempt))
            .with_header(header::DEFERRALS, number_value(history.deferrals));
        if let Some(first_seen) = history.first_seen {
            message = message.with_header(header::FIRST_SEEN, text_value(&rfc3339(first_seen)));
        }
        if history.replay > 0 {
            message = message.with_header(header::REPLAY, number_value(history.replay));
        }
        message
    }

    /// The same message with the failure that ended its job.
    #[must_use]
    pub fn with_failure(mut self, failure: &Failure, now: OffsetDateTime) -> Self {
        // A letter that somebody moved back may have these of its last end.
        let headers = without(&self.properties.headers().clone().unwrap_or_default(), &[header::DEPENDENCY, header::UNTOLD]);
        self.properties = self.properties.with_headers(headers);
        let mut reason = failure.reason.clone();
        while reason.len() > MAX_REASON_BYTES {
            reason.pop();
        }
        let message = match failure.dependency {
            Some(dependency) => self.with_header(header::DEPENDENCY, text_value(dependency.as_str())),
            None => self,
        };
        message
            .with_header(header::CLASS, text_value(failure.class.as_str()))
            .with_header(header::REASON, text_value(&reason))
            .with_header(header::DEAD_SINCE, text_value(&rfc3339(now)))
    }

    /// The same message, whose job has ended and only waits for somebody who takes its event.
    #[must_use]
    pub fn untold(self) -> Self {
        self.with_header(header::UNTOLD, AMQPValue::Boolean(true))
    }

    /// The same message as the next place of a trace; an empty context leaves the sender's in place.
    #[must_use]
    pub fn with_trace_context(self, context: &TraceContext) -> Self {
        context.headers().fold(self, |message, (name, value)| message.with_header(name, text_value(value)))
    }

    /// The same message as a job that nobody has tried yet, but for the number of times that it was replayed.
    #[must_use]
    pub(super) fn starting_over(mut self, n_replays: u32) -> Self {
        // With the age it had, a job that was put off for long would be given up again at once.
        let past = [
            header::ATTEMPT,
            header::DEFERRALS,
            header::FIRST_SEEN,
            header::CLASS,
            header::REASON,
            header::DEAD_SINCE,
            header::DEPENDENCY,
            header::UNTOLD,
        ];
        let headers = without(&self.properties.headers().clone().unwrap_or_default(), &past);
        self.properties = self.properties.with_headers(headers);
        self.with_header(header::REPLAY, number_value(n_replays))
    }

    /// The same dead letter with its class and the time since which it is dead, where they are known.
    #[must_use]
    pub(super) fn dead_since(self, class: &str, since: Option<OffsetDateTime>) -> Self {
        let message = self.with_header(header::CLASS, text_value(class));
        match since {
            Some(since) => message.with_header(header::DEAD_SINCE, text_value(&rfc3339(since))),
            None => message,
        }
    }

    fn with_header(mut self, name: &str, value: AMQPValue) -> Self {
        let mut headers = self.properties.headers().clone().unwrap_or_default();
        headers.insert(name.into(), value);
        self.properties = self.properties.with_headers(headers);
        self
    }

    /// The message's own id, which a returned message is recognised by.
    pub(super) fn message_id(&self) -> Option<&ShortString> {
        self.properties.message_id().as_ref()
    }
}

/// Why and when the job of a message was given up that only waits for its event; `None` for any other message.
pub(super) fn untold(headers: &FieldTable) -> Option<(Failure, OffsetDateTime)> {
    if headers.inner().get(header::UNTOLD) != Some(&AMQPValue::Boolean(true)) {
        return None;
    }
    let named = |name| text(headers, name);
    let class = named(header::CLASS).and_then(|name| Class::ALL.into_iter().find(|class| class.as_str() == name))?;
    let dependency = named(header::DEPENDENCY).and_then(|name| Dependency::ALL.into_iter().find(|known| known.as_str() == name));
    let failure = Failure { dependency, ..Failure::new(class, named(header::REASON)?) };
    Some((failure, moment(headers, header::DEAD_SINCE)?))
}

/// When the job of a dead letter was given up that somebody moved back; `None` for any other message, also for one that only
/// waits for its event.
pub(super) fn dead_since(headers: &FieldTable) -> Option<OffsetDateTime> {
    if untold(headers).is_some() { None } else { moment(headers, header::DEAD_SINCE) }
}

/// Whether a `reply_to` leads to the sender's own connection, by the broker's direct reply-to: the routing key of an answer
/// on the default exchange.
pub fn is_direct_reply(reply_to: &str) -> bool {
    reply_to.strip_prefix(DIRECT_REPLY).is_some_and(|rest| rest.starts_with('.'))
}

/// Where the sender's trace stands.
pub(super) fn trace_context(properties: &BasicProperties) -> TraceContext {
    TraceContext::read(|name| text(properties.headers().as_ref()?, name))
}

fn persistent(properties: BasicProperties) -> BasicProperties {
    properties.with_delivery_mode(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_keeps_what_the_sender_said_and_drops_what_the_broker_added() {
        let mut headers = FieldTable::default();
        headers.insert("x-death".into(), text_value("…"));
        headers.insert("x-delivery-count".into(), number_value(3));
        headers.insert("traceparent".into(), text_value("00-1-2-01"));
        let received = BasicProperties::default().with_headers(headers).with_correlation_id("c-1".into()).with_expiration("100".into());
        let history = History { attempt: 2, deferrals: 1, first_seen: Some(time::macros::datetime!(2030-01-02 03:04:05 UTC)), replay: 0 };
        let copy = Outgoing::copy_of(&received, b"body", "hold").with_history(history);
        let headers = copy.properties.headers().clone().unwrap();
        assert_eq!(History::of(&headers), history);
        assert_eq!(text(&headers, "traceparent").as_deref(), Some("00-1-2-01"));
        assert!(!headers.inner().contains_key("x-death") && !headers.inner().contains_key("x-delivery-count"));
        assert_eq!(copy.properties.correlation_id().as_ref().unwrap().as_str(), "c-1");
        assert!(copy.properties.expiration().is_none());
        assert_eq!(copy.properties.delivery_mode(), &Some(2));
    }

    #[test]
    fn a_copy_goes_where_we_send_it_and_nowhere_else() {
        let mut headers = FieldTable::default();
        for name in ["CC", "BCC", "x-cc", "x-note"] {
            headers.insert(name.into(), AMQPValue::FieldArray(vec![text_value("jobs")].into()));
        }
        let received = |reply_to: &str| BasicProperties::default().with_headers(headers.clone()).with_reply_to(reply_to.into());
        let copy = |reply_to| Outgoing::copy_of(&received(reply_to), b"body", "dead").properties;
        let carried: Vec<_> = copy("exchange").headers().clone().unwrap().inner().keys().map(ToString::to_string).collect();
        assert_eq!(carried, ["x-note"]);
        for (reply_to, carried) in [("exchange", true), ("amq.rabbitmq.reply-to.g1h2.GI3Z", true), ("amq.rabbitmq.reply-to", false)] {
            assert_eq!(copy(reply_to).reply_to().is_some(), carried, "{reply_to}");
        }
    }

    #[test]
    fn only_an_answer_to_a_sender_who_may_be_gone_may_be_dropped() {
        let mandatory = |exchange: &str, key: &str| Outgoing::json(exchange, key, "m", "application/json", Vec::new()).is_mandatory();
        assert!(!mandatory("", "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA"));
        for (exchange, key) in [("", "amq.rabbitmq.reply-to"), ("", "idmill.dead"), ("idmill.events", "amq.rabbitmq.reply-to.g1h2")] {
            assert!(mandatory(exchange, key), "{exchange} {key}");
        }
    }

    #[test]
    fn a_copy_leaves_headers_behind_that_leave_no_room_for_ours() {
        let with = |n_bytes: usize| {
            let mut inner = FieldTable::default();
            inner.insert("list".into(), AMQPValue::FieldArray(vec![text_value(&"x".repeat(n_bytes))].into()));
            let mut headers = FieldTable::default();
            headers.insert("nested".into(), AMQPValue::FieldTable(inner));
            Outgoing::copy_of(&BasicProperties::default().with_headers(headers), b"body", "hold")
        };
        let n_headers = |copy: Outgoing| copy.properties.headers().clone().unwrap().inner().len();
        assert_eq!((n_headers(with(60_000)), n_headers(with(66_000))), (1, 0));
        let history = History { attempt: 2, deferrals: 1, first_seen: None, replay: 3 };
        assert_eq!(History::of(&with(66_000).with_history(history).properties.headers().clone().unwrap()), history);
    }

    #[test]
    fn a_copy_that_waits_for_its_event_says_why_its_job_was_given_up() {
        let at = time::macros::datetime!(2030-01-02 03:04:05.678 UTC);
        let headers = |message: Outgoing| message.properties.headers().clone().unwrap();
        for failure in [Failure::new(Class::BadImage, "the object is empty"), Failure::of(Dependency::Storage, Class::Unavailable, "503")] {
            let letter = Outgoing::json("", "hold", "m-1", "application/json", b"body".to_vec()).with_failure(&failure, at);
            assert_eq!(untold(&headers(letter.clone())), None, "a letter that somebody moved back is to be read");
            assert_eq!(dead_since(&headers(letter.clone())), Some(at));
            assert_eq!(untold(&headers(letter.clone().untold())), Some((failure, at)));
            assert_eq!(dead_since(&headers(letter.clone().untold())), None);
            let replayed = headers(letter.untold().starting_over(1));
            assert_eq!((untold(&replayed), dead_since(&replayed)), (None, None));
        }
    }

    #[test]
    fn a_replay_starts_over_and_counts() {
        let history = History { attempt: 4, deferrals: 2, first_seen: Some(OffsetDateTime::UNIX_EPOCH), replay: 1 };
        let letter = Outgoing::json("", "dead", "m-1", "application/json", b"body".to_vec()).with_history(history);
        let letter = letter.with_failure(&Failure::new(Class::Internal, "why"), OffsetDateTime::UNIX_EPOCH);
        let headers = letter.starting_over(2).properties.headers().clone().unwrap();
        assert_eq!(History::of(&headers), History { attempt: 1, deferrals: 0, first_seen: None, replay: 2 });
        assert_eq!(headers.inner().len(), 1, "{headers:?}");
    }
}
