//! Events of jobs that ended, kept so that a job that comes again is not read, and paid for, again.
//!
//! One rule says which message a kept event answers; all of them name the same job, life and body.
//! - The event of a document that was read answers every message.
//! - The event of a job that was given up answers what was there when it was given up: a message that was first seen no later,
//!   and one that is delivered again while the broker may not have heard our acknowledgement. Any other was published
//!   since: its sender has mended something. It is read, and the failure is forgotten.
//!
//! A message is first seen when a worker first takes it, which copies out of a hold queue carry with them, and before it waits
//! for its turn: of two copies that were there at once, the second one is answered. The broker may not have heard what was
//! acknowledged shortly before a session ended, or never.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::event::Event;
use crate::failure::Failure;
use crate::job::JobId;

/// Most bytes of all kept events together. An event of an ordinary document has a few thousand, one that the hosted API fills
/// with pictures up to a million.
const MAX_BYTES: usize = 32 << 20;

/// An acknowledgement that was sent so long before its session ended was heard: heartbeats, every 10 s, had found a
/// connection dead that carried nothing any more.
const HEARD_AFTER: Duration = Duration::from_secs(60);

/// The kept events. Bounded: the oldest goes first. A redelivery comes soon after the first delivery or never.
#[derive(Debug)]
pub(super) struct KeptEvents {
    capacity: usize,
    max_bytes: usize,
    inner: Mutex<Inner>,
    /// Jobs that somebody works on now.
    in_work: Mutex<HashSet<Key>>,
    /// Says that one of them is no longer worked on.
    put_down: Notify,
}

/// How a job ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    Read(Arc<Event>),
    GivenUp(Arc<GivenUp>),
}

/// What is left of a job that was given up.
#[derive(Debug)]
pub(super) struct GivenUp {
    pub(super) event: Arc<Event>,
    pub(super) failure: Failure,
    pub(super) at: OffsetDateTime,
    /// Whether the broker confirmed the dead letter.
    pub(super) has_letter: AtomicBool,
}

/// What a message says about when it was published.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    /// When a worker first took it, or one that it is a copy of.
    pub(super) first_seen: OffsetDateTime,
    /// Whether the broker delivered this very message before.
    pub(super) redelivered: bool,
}

/// The right to work on a job, for as long as this lives.
pub(super) struct Turn<'a> {
    kept: &'a KeptEvents,
    key: Key,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Key, Entry>,
    order: VecDeque<Key>,
    n_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    ended: Ended,
    /// When its message was acknowledged; `None` while it was not, or the broker may not have heard of it.
    acked_at: Option<Instant>,
}

/// Job, life and body: the same id with another body names other images and has to be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn new(job_id: &JobId, replay: u32, body: &[u8]) -> Self {
        let digest =
            Sha256::new().chain_update(job_id.as_str()).chain_update([0]).chain_update(replay.to_be_bytes()).chain_update(body).finalize();
        Self(digest.into())
    }
}

impl Ended {
    fn n_bytes(&self) -> usize {
        match self {
            Self::Read(event) => event.body.capacity(),
            Self::GivenUp(given_up) => given_up.event.body.capacity(),
        }
    }
}

impl KeptEvents {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, max_bytes: MAX_BYTES, inner: Mutex::default(), in_work: Mutex::default(), put_down: Notify::new() }
    }

    /// Waits until nobody else works on the job: of two copies the second finds what the first one kept.
    pub(super) async fn turn(&self, key: &Key) -> Turn<'_> {
        loop {
            // Before the look, so that no end in between is missed.
            let put_down = self.put_down.notified();
            if self.in_work().insert(key.clone()) {
                return Turn { kept: self, key: key.clone() };
            }
            put_down.await;
        }
    }

    /// How the message's job ended, where that answers it. Whoever asks has the turn.
    pub(super) fn get(&self, key: &Key, taken: Taken) -> Option<Ended> {
        let mut inner = self.lock();
        let entry = inner.entries.get(key)?;
        let answers = match &entry.ended {
            Ended::Read(_) => true,
            Ended::GivenUp(given_up) => taken.first_seen <= given_up.at || taken.redelivered && entry.acked_at.is_none(),
        };
        if !answers {
            inner.remove(key);
            return None;
        }
        Some(entry.ended.clone())
    }

    /// Keeps how a job ended, from the moment on at which that is decided.
    pub(super) fn keep(&self, key: Key, ended: Ended) {
        let mut inner = self.lock();
        inner.remove(&key);
        inner.n_bytes += ended.n_bytes();
        inner.entries.insert(key.clone(), Entry { ended, acked_at: None });
        inner.order.push_back(key);
        while inner.order.len() > self.capacity || inner.n_bytes > self.max_bytes {
            let Some(oldest) = inner.order.front().cloned() else { break };
            inner.remove(&oldest);
        }
    }

    /// Notes that the message was acknowledged.
    pub(super) fn acked(&self, key: &Key, now: Instant) {
        if let Some(entry) = self.lock().entries.get_mut(key) {
            entry.acked_at = Some(now);
        }
    }

    /// Notes that the session with the broker ended, which may not have heard what was acknowledged last.
    pub(super) fn session_ended(&self, now: Instant) {
        for entry in self.lock().entries.values_mut() {
            entry.acked_at = entry.acked_at.filter(|acked_at| now.duration_since(*acked_at) > HEARD_AFTER);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_work(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.in_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.n_bytes -= entry.ended.n_bytes();
            self.order.retain(|known| known != key);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.kept.in_work().remove(&self.key);
        self.kept.put_down.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::failure::Class;

    const GIVEN_UP_AT: OffsetDateTime = datetime!(2030-01-02 03:04:05 UTC);
    const EARLIER: OffsetDateTime = datetime!(2030-01-02 03:04:04 UTC);
    const LATER: OffsetDateTime = datetime!(2030-01-02 03:04:06 UTC);

    #[test]
    fn the_oldest_goes_first_and_another_body_is_another_job() {
        let kept = KeptEvents::new(2);
        for body in ["1", "2", "2", "3"] {
            kept.keep(key(body), read(10));
        }
        assert!(!answers(&kept, "1", EARLIER, true));
        assert!(answers(&kept, "2", LATER, false) && answers(&kept, "3", LATER, false));
    }

    #[test]
    fn events_are_kept_up_to_a_number_of_bytes() {
        let kept = KeptEvents::new(1000);
        for body in ["1", "2", "3"] {
            kept.keep(key(body), read(20 << 20));
        }
        assert_eq!(["1", "2", "3"].map(|body| answers(&kept, body, LATER, false)), [false, false, true]);
        kept.keep(key("3"), read(10));
        let inner = kept.lock();
        assert_eq!((inner.n_bytes, inner.order.len()), (10, 1));
    }

    #[test]
    fn a_document_that_was_read_answers_whatever_comes() {
        for first_seen in [EARLIER, LATER] {
            for redelivered in [false, true] {
                let kept = KeptEvents::new(2);
                kept.keep(key("1"), read(10));
                kept.acked(&key("1"), Instant::now());
                assert!(answers(&kept, "1", first_seen, redelivered));
            }
        }
    }

    /// What became of the acknowledgement of a job that was given up.
    #[derive(Debug, Clone, Copy)]
    enum Ack {
        /// It was not sent, since the job is in work or its lease was lost.
        Missing,
        /// It was sent, and the session goes on.
        Sent,
        /// It was sent just before the session ended.
        InDoubt,
        /// It was sent long before the session ended.
        Heard,
    }

    #[test]
    fn a_failure_answers_what_was_there_when_the_job_was_given_up_and_nothing_else() {
        use Ack::{Heard, InDoubt, Missing, Sent};
        for (first_seen, redelivered, ack, answered) in [
            // Copies out of hold queues, and copies that waited for their turn.
            (EARLIER, false, Missing, true),
            (EARLIER, false, Sent, true),
            (EARLIER, false, Heard, true),
            (GIVEN_UP_AT, false, Sent, true),
            (EARLIER, true, Heard, true),
            // Published anew, and perhaps put off or given back since.
            (LATER, false, Sent, false),
            (LATER, false, InDoubt, false),
            (LATER, true, Sent, false),
            (LATER, true, Heard, false),
            // The message itself, which the broker brings again.
            (LATER, true, Missing, true),
            (LATER, true, InDoubt, true),
        ] {
            let kept = KeptEvents::new(2);
            kept.keep(key("1"), given_up());
            let acked_at = Instant::now();
            match ack {
                Missing => {}
                Sent => kept.acked(&key("1"), acked_at),
                InDoubt | Heard => {
                    kept.acked(&key("1"), acked_at);
                    let later = if matches!(ack, Heard) { HEARD_AFTER * 2 } else { HEARD_AFTER / 2 };
                    kept.session_ended(acked_at + later);
                }
            }
            let case = format!("{first_seen} {redelivered} {ack:?}");
            assert_eq!(answers(&kept, "1", first_seen, redelivered), answered, "{case}");
            assert_eq!(answers(&kept, "1", EARLIER, false), answered, "what does not answer once is forgotten: {case}");
        }
    }

    #[tokio::test]
    async fn copies_of_a_job_take_turns_and_other_jobs_do_not_wait() {
        let kept = KeptEvents::new(2);
        let first = kept.turn(&key("1")).await;
        let _other = kept.turn(&key("2")).await;
        let (one, two) = (key("1"), key("1"));
        let (mut second, mut third) = (Box::pin(kept.turn(&one)), Box::pin(kept.turn(&two)));
        assert!(futures_util::poll!(&mut second).is_pending() && futures_util::poll!(&mut third).is_pending());
        drop(first);
        let second = second.await;
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(second);
        third.await;
    }

    fn answers(kept: &KeptEvents, body: &str, first_seen: OffsetDateTime, redelivered: bool) -> bool {
        kept.get(&key(body), Taken { first_seen, redelivered }).is_some()
    }

    fn read(n_bytes: usize) -> Ended {
        Ended::Read(Arc::new(Event { id: uuid::Uuid::nil(), routing_key: "document.read", body: Vec::with_capacity(n_bytes) }))
    }

    fn given_up() -> Ended {
        let event = Arc::new(Event { id: uuid::Uuid::nil(), routing_key: "document.failed", body: Vec::new() });
        let failure = Failure::new(Class::BadImage, "why");
        Ended::GivenUp(Arc::new(GivenUp { event, failure, at: GIVEN_UP_AT, has_letter: AtomicBool::new(false) }))
    }

    fn key(body: &str) -> Key {
        Key::new(&JobId::parse("a").unwrap(), 0, body.as_bytes())
    }
}
