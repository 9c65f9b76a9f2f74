use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::circuit::{ANYBODY, Circuit, Limits, Signal};

/// The circuits of the exchanges that jobs name in `reply_to`. One that takes no events keeps the jobs that name it from
/// being read, and nobody else from anything.
///
/// Bounded: only exchanges of the allow-list are ever replied to.
#[derive(Debug)]
pub(super) struct Routes {
    limits: Limits,
    /// Those that took no event when they were last asked.
    circuits: Mutex<HashMap<String, Circuit>>,
}

impl Routes {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, circuits: Mutex::default() }
    }

    /// Whether a document may be read for this exchange: while it takes no events, one an interval, to see whether it does.
    pub(super) fn admits(&self, exchange: &str) -> bool {
        self.lock().get_mut(exchange).is_none_or(|circuit| circuit.admits(Instant::now()))
    }

    /// Notes that the exchange took the event of a document that was read.
    pub(super) fn took(&self, exchange: &str) {
        if self.lock().remove(exchange).is_some() {
            tracing::info!(exchange, "a reply exchange takes events again");
        }
    }

    /// Notes that it refused one.
    pub(super) fn refused(&self, exchange: &str, reason: &str) {
        let mut circuits = self.lock();
        let circuit = circuits.entry(exchange.to_owned()).or_insert_with(|| Circuit::new(self.limits));
        if circuit.note(Signal::Refused, ANYBODY, Instant::now()) {
            tracing::warn!(exchange, reason, "a reply exchange takes no events: jobs that name it are put off and given up at last");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Circuit>> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_exchange_that_refuses_keeps_nobody_elses_documents_from_being_read() {
        let routes = Routes::new(Limits { threshold: 3, probe_interval: Duration::from_secs(3600) });
        routes.refused("broken", "no queue");
        assert!(!routes.admits("broken") && routes.admits("other"));
        routes.took("other");
        assert!(!routes.admits("broken"));
        routes.took("broken");
        assert!(routes.admits("broken"));
    }
}
