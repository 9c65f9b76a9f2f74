use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::event::Event;
use crate::job::JobId;

/// Events of jobs that ended, kept so that a job that comes again is not read, and paid for, again.
///
/// Bounded: the oldest goes first. A redelivery comes soon after the first delivery or never.
#[derive(Debug)]
pub(super) struct KeptEvents {
    capacity: usize,
    inner: Mutex<Inner>,
    /// Jobs that somebody works on now.
    in_work: Mutex<HashSet<Key>>,
    /// Says that one of them is no longer worked on.
    put_down: Notify,
}

/// The right to work on a job, for as long as this lives.
pub(super) struct Turn<'a> {
    kept: &'a KeptEvents,
    key: Key,
}

#[derive(Debug, Default)]
struct Inner {
    events: HashMap<Key, Arc<Event>>,
    order: VecDeque<Key>,
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

impl KeptEvents {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, inner: Mutex::default(), in_work: Mutex::default(), put_down: Notify::new() }
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

    /// The event that answers the job. One that is published anew, and is no copy of a job that ended, is not answered with an
    /// earlier failure: its sender has mended something.
    pub(super) fn get(&self, key: &Key, anew: bool) -> Option<Arc<Event>> {
        let mut inner = self.lock();
        if anew && inner.events.get(key).is_some_and(|event| event.is_failure()) {
            inner.events.remove(key);
            inner.order.retain(|known| known != key);
        }
        inner.events.get(key).cloned()
    }

    pub(super) fn keep(&self, key: Key, event: Arc<Event>) {
        let mut inner = self.lock();
        if inner.events.insert(key.clone(), event).is_none() {
            inner.order.push_back(key);
        }
        while inner.order.len() > self.capacity {
            let Some(oldest) = inner.order.pop_front() else { break };
            inner.events.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_work(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.in_work.lock().unwrap_or_else(PoisonError::into_inner)
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
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_another_body_is_another_job() {
        let kept = KeptEvents::new(2);
        for body in ["1", "2", "2", "3"] {
            kept.keep(key(body), event("document.read"));
        }
        assert!(kept.get(&key("1"), false).is_none());
        assert!(kept.get(&key("2"), true).is_some() && kept.get(&key("3"), true).is_some());
    }

    #[test]
    fn a_failure_answers_copies_until_the_job_is_published_anew() {
        let kept = KeptEvents::new(2);
        kept.keep(key("1"), event("document.failed"));
        assert!(kept.get(&key("1"), false).is_some());
        assert!(kept.get(&key("1"), true).is_none());
        assert!(kept.get(&key("1"), false).is_none(), "what becomes of it now is another matter");
        for body in ["1", "2"] {
            kept.keep(key(body), event("document.read"));
        }
        assert!(kept.get(&key("1"), false).is_some() && kept.get(&key("2"), false).is_some());
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

    fn event(routing_key: &'static str) -> Arc<Event> {
        Arc::new(Event { id: uuid::Uuid::nil(), routing_key, body: Vec::new() })
    }

    fn key(body: &str) -> Key {
        Key::new(&JobId::parse("a").unwrap(), 0, body.as_bytes())
    }
}
