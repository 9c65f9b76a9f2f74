use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::event::Event;
use crate::job::JobId;

/// Events of documents that were read, kept so that a redelivered job is not read, and paid for, again.
///
/// Bounded: the oldest goes first. A redelivery comes soon after the first delivery or never.
#[derive(Debug)]
pub(super) struct KeptEvents {
    capacity: usize,
    inner: Mutex<Inner>,
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
        Self { capacity, inner: Mutex::default() }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Event>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).events.get(key).cloned()
    }

    pub(super) fn keep(&self, key: Key, event: Arc<Event>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.events.insert(key.clone(), event).is_none() {
            inner.order.push_back(key);
        }
        while inner.order.len() > self.capacity {
            let Some(oldest) = inner.order.pop_front() else { break };
            inner.events.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_another_body_is_another_job() {
        let kept = KeptEvents::new(2);
        let event = || Arc::new(Event { id: uuid::Uuid::nil(), routing_key: "document.read", body: Vec::new() });
        let key = |body: &str| Key::new(&JobId::parse("a").unwrap(), 0, body.as_bytes());
        for body in ["1", "2", "2", "3"] {
            kept.keep(key(body), event());
        }
        assert!(kept.get(&key("1")).is_none());
        assert!(kept.get(&key("2")).is_some() && kept.get(&key("3")).is_some());
    }
}
