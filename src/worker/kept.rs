//! Events of jobs that ended, kept so that a job that comes again is not read, and paid for, again.
//!
//! One rule says which message a kept event answers; all of them name the same job, life and body.
//! - The event of a document that was read answers every message.
//! - The event of a job that was given up answers what was there when it was given up: a message that was first seen no later,
//!   and one that is delivered again while the broker may not have heard our acknowledgement. Any other was published
//!   since, and so was its dead letter, where somebody moved that back: something was mended. It is read, and the failure is
//!   forgotten.
//!
//! A message is first seen when a worker first takes it, which copies out of a hold queue carry with them, and before it waits
//! for its turn: of two copies that were there at once, the second one is answered. The broker may not have heard what was
//! acknowledged shortly before a session ended, or never; what it did not hear of it brings again soon after it is back.

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

/// Time in a session by which the broker has brought again what it did not hear of in the last one; generous, since it puts all
/// of it back when it notices that the connection is gone. Who brings it later at worst has the job told a second time, with an
/// equal id.
const BROUGHT_AGAIN_WITHIN: Duration = Duration::from_secs(600);

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
    /// When its job was given up, where it is a dead letter that somebody moved back.
    pub(super) dead_since: Option<OffsetDateTime>,
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
    ack: Ack,
}

/// What became of the acknowledgement of a job's message.
#[derive(Debug, Clone, Copy)]
enum Ack {
    /// The job is in work.
    Missing,
    /// It was sent then.
    Sent(Instant),
    /// The broker may not have heard of it; this is when the next session began.
    InDoubt(Instant),
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

impl GivenUp {
    /// Whether a message is the dead letter of this very end, or of a later one: somebody moved it back to have it read. It would
    /// be gone if it were answered.
    fn is_undone_by(&self, taken: Taken) -> bool {
        // A header has milliseconds.
        let at = self.at.replace_millisecond(self.at.millisecond()).unwrap_or(self.at);
        taken.dead_since.is_some_and(|dead_since| dead_since >= at)
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
    pub(super) fn get(&self, key: &Key, taken: Taken, now: Instant) -> Option<Ended> {
        let mut inner = self.lock();
        let entry = inner.entries.get(key)?;
        let answers = match &entry.ended {
            Ended::Read(_) => true,
            Ended::GivenUp(given_up) if given_up.is_undone_by(taken) => false,
            Ended::GivenUp(given_up) => taken.first_seen <= given_up.at || taken.redelivered && entry.ack.is_open(now),
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
        inner.entries.insert(key.clone(), Entry { ended, ack: Ack::Missing });
        inner.order.push_back(key);
        while inner.order.len() > self.capacity || inner.n_bytes > self.max_bytes {
            let Some(oldest) = inner.order.front().cloned() else { break };
            inner.remove(&oldest);
        }
    }

    /// Notes that the message was acknowledged.
    pub(super) fn acked(&self, key: &Key, now: Instant) {
        if let Some(entry) = self.lock().entries.get_mut(key) {
            entry.ack = Ack::Sent(now);
        }
    }

    /// Forgets how a job ended: whatever comes of it from here on is to be read.
    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Notes that a session with the broker begins now, after one that ended then: the broker may not have heard what was
    /// acknowledged last in that one.
    pub(super) fn session_begins(&self, last_ended_at: Instant, now: Instant) {
        for entry in self.lock().entries.values_mut() {
            entry.ack = match entry.ack {
                Ack::Sent(sent_at) if last_ended_at.duration_since(sent_at) > HEARD_AFTER => entry.ack,
                Ack::Missing | Ack::Sent(_) => Ack::InDoubt(now),
                Ack::InDoubt(_) => entry.ack,
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_work(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.in_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ack {
    /// Whether the broker may bring the message again for want of this.
    fn is_open(self, now: Instant) -> bool {
        match self {
            Self::Missing => true,
            Self::Sent(_) => false,
            Self::InDoubt(since) => now.duration_since(since) <= BROUGHT_AGAIN_WITHIN,
        }
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

    const GIVEN_UP_AT: OffsetDateTime = datetime!(2030-01-02 03:04:05.123456 UTC);
    const EARLIER: OffsetDateTime = datetime!(2030-01-02 03:04:04 UTC);
    const LATER: OffsetDateTime = datetime!(2030-01-02 03:04:06 UTC);
    const MUCH_LATER: Duration = Duration::from_secs(11 * 60);

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

    /// What became of the acknowledgement of a job that was given up, and when its message comes again.
    #[derive(Debug, Clone, Copy)]
    enum History {
        /// It was not sent, and the job is in work.
        InWork,
        /// It was not sent, since the lease was lost.
        Unsent,
        /// It was sent, and the session goes on.
        Sent,
        /// It was sent just before the session ended.
        InDoubt,
        /// As `InDoubt`, and the broker has long been back.
        NoLongerInDoubt,
        /// As `Unsent`, and the broker has long been back.
        LongUnsent,
        /// It was sent long before the session ended.
        Heard,
    }

    #[test]
    fn a_failure_answers_what_was_there_when_the_job_was_given_up_and_nothing_else() {
        use History::{Heard, InDoubt, InWork, LongUnsent, NoLongerInDoubt, Sent, Unsent};
        for (first_seen, redelivered, history, answered) in [
            // Copies out of hold queues, and copies that waited for their turn.
            (EARLIER, false, InWork, true),
            (EARLIER, false, Sent, true),
            (EARLIER, false, Heard, true),
            (GIVEN_UP_AT, false, Sent, true),
            (EARLIER, true, Heard, true),
            (EARLIER, true, NoLongerInDoubt, true),
            // Published anew, and perhaps put off or given back since.
            (LATER, false, Sent, false),
            (LATER, false, InDoubt, false),
            (LATER, true, Sent, false),
            (LATER, true, Heard, false),
            (LATER, true, NoLongerInDoubt, false),
            (LATER, true, LongUnsent, false),
            // The message itself, which the broker brings again.
            (LATER, true, InWork, true),
            (LATER, true, Unsent, true),
            (LATER, true, InDoubt, true),
        ] {
            let (kept, asked_at) = kept_after(history);
            let case = format!("{first_seen} {redelivered} {history:?}");
            let taken = Taken { first_seen, redelivered, dead_since: None };
            assert_eq!(kept.get(&key("1"), taken, asked_at).is_some(), answered, "{case}");
            assert_eq!(answers(&kept, "1", EARLIER, false), answered, "what does not answer once is forgotten: {case}");
        }
    }

    #[test]
    fn a_failure_does_not_answer_the_letter_that_was_written_of_it() {
        let in_header = datetime!(2030-01-02 03:04:05.123 UTC);
        for (dead_since, answered) in [(None, true), (Some(EARLIER), true), (Some(in_header), false), (Some(LATER), false)] {
            for redelivered in [false, true] {
                let (kept, asked_at) = kept_after(History::InDoubt);
                let taken = Taken { first_seen: EARLIER, redelivered, dead_since };
                assert_eq!(kept.get(&key("1"), taken, asked_at).is_some(), answered, "{dead_since:?} {redelivered}");
            }
        }
    }

    #[test]
    fn what_is_forgotten_answers_nothing() {
        let kept = KeptEvents::new(2);
        kept.keep(key("1"), given_up());
        kept.forget(&key("1"));
        assert!(!answers(&kept, "1", EARLIER, true));
    }

    /// A failure with that history, and the moment at which somebody asks for it.
    fn kept_after(history: History) -> (KeptEvents, Instant) {
        let kept = KeptEvents::new(2);
        kept.keep(key("1"), given_up());
        let sent_at = Instant::now();
        if !matches!(history, History::InWork | History::Unsent | History::LongUnsent) {
            kept.acked(&key("1"), sent_at);
        }
        let ended_at = sent_at + if matches!(history, History::Heard) { HEARD_AFTER * 2 } else { HEARD_AFTER / 2 };
        // Doubt does not end while the broker is away.
        let begun_at = ended_at + MUCH_LATER;
        if !matches!(history, History::InWork | History::Sent) {
            kept.session_begins(ended_at, begun_at);
        }
        let much_later = begun_at + MUCH_LATER;
        // Another session, long after: what was in doubt is not in doubt once more.
        if matches!(history, History::NoLongerInDoubt | History::LongUnsent) {
            kept.session_begins(much_later, much_later);
            return (kept, much_later);
        }
        (kept, begun_at)
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
        kept.get(&key(body), Taken { first_seen, redelivered, dead_since: None }, Instant::now()).is_some()
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
