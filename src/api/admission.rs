//! How many requests may be inside at once. Load is shed before it costs memory: a request is admitted before its body
//! is read, and pays for the bytes that it announces.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::{ApiError, Code};

/// Bodies of the largest size that may be in memory together. Requests of usual size never meet this limit: the queue is
/// full before.
const MAX_FULL_BODIES: usize = 8;

/// Longest wait that is asked of a client, in seconds.
const MAX_RETRY_AFTER_SECONDS: u64 = 60;

/// The places inside.
pub(super) struct Admission {
    places: Arc<Semaphore>,
    n_places: usize,
    n_engines: usize,
    /// In KiB, since a semaphore counts in 32 bits.
    memory: Arc<Semaphore>,
    max_body_bytes: usize,
    /// Moving average of the time that one document keeps an engine, in milliseconds.
    read_ms: AtomicU64,
}

/// A place, held until the answer is made.
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

impl Admission {
    /// Places for `n_engines` documents that are read and `queue` that wait.
    pub(super) fn new(n_engines: usize, queue: usize, max_body_bytes: usize) -> Self {
        let n_places = n_engines + queue;
        Self {
            places: Arc::new(Semaphore::new(n_places)),
            n_places,
            n_engines: n_engines.max(1),
            memory: Arc::new(Semaphore::new(MAX_FULL_BODIES * kib(max_body_bytes) as usize)),
            max_body_bytes,
            read_ms: AtomicU64::new(500),
        }
    }

    /// Admits a request whose body has `body_bytes`, or up to the limit when it does not say.
    pub(super) fn admit(&self, body_bytes: Option<usize>) -> Result<Place, ApiError> {
        let body_bytes = body_bytes.unwrap_or(self.max_body_bytes);
        let overloaded = || ApiError { retry_after: Some(self.retry_after()), ..Code::Overloaded.into() };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| overloaded())?;
        let memory = Arc::clone(&self.memory).try_acquire_many_owned(kib(body_bytes)).map_err(|_| overloaded())?;
        Ok(Place { _place: place, _memory: memory })
    }

    /// Requests that are inside now.
    pub(super) fn n_inside(&self) -> usize {
        self.n_places - self.places.available_permits()
    }

    /// Notes how long one document kept an engine, for the next `Retry-After`.
    pub(super) fn note(&self, read: Duration) {
        let read = read.as_millis() as u64;
        // Two requests at once may lose one of the two; an estimate can bear it.
        let average = self.read_ms.load(Ordering::Relaxed);
        self.read_ms.store((average * 7 + read) / 8, Ordering::Relaxed);
    }

    /// The time after which those who are inside now will be answered.
    fn retry_after(&self) -> Duration {
        let rounds = self.n_inside().div_ceil(self.n_engines) as u64;
        Duration::from_secs((rounds * self.read_ms.load(Ordering::Relaxed)).div_ceil(1000).clamp(1, MAX_RETRY_AFTER_SECONDS))
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_place_is_told_when_to_come_back() {
        let admission = Admission::new(1, 1, 1000);
        let first = admission.admit(Some(10)).unwrap();
        let _second = admission.admit(None).unwrap();
        let refused = admission.admit(Some(10)).map(drop).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (Code::Overloaded, Some(Duration::from_secs(1))));
        drop(first);
        assert!(admission.admit(Some(10)).is_ok());
    }

    #[test]
    fn the_wait_follows_the_queue_and_the_engines_speed() {
        let admission = Admission::new(2, 8, 1024 * 1024);
        let _places: Vec<_> = (0..10).map(|_| admission.admit(Some(1)).unwrap()).collect();
        (0..100).for_each(|_| admission.note(Duration::from_secs(4)));
        let wait = admission.admit(Some(1)).map(drop).unwrap_err().retry_after.unwrap();
        assert!((19..=20).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn large_bodies_are_refused_before_the_queue_is_full() {
        let admission = Admission::new(1, 100, 1024 * 1024);
        let places: Vec<_> = (0..100).map_while(|_| admission.admit(None).ok()).collect();
        assert_eq!(places.len(), MAX_FULL_BODIES);
        assert!(admission.admit(Some(100)).is_err());
        drop(places);
        assert_eq!((0..101).map_while(|_| admission.admit(Some(100)).ok()).count(), 101);
    }
}
