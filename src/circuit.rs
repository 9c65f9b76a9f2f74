//! One dependency's outage as a state machine.
//!
//! Pure: the moment is an argument, and whoever drives the circuit sleeps. Closed: jobs flow. Open: nobody asks the
//! dependency until the probe is due; then one job is let through, and its outcome decides.

use std::time::{Duration, Instant};

/// Limits of a circuit.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Failures in a row that open the circuit, at least 1.
    pub threshold: u32,
    /// Time between opening and the first probe, and between probes.
    pub probe_interval: Duration,
}

/// The state of one dependency as its callers saw it.
#[derive(Debug, Clone)]
pub struct Circuit {
    limits: Limits,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { n_failures: u32 },
    Open { probe_at: Instant },
}

/// What a call to the dependency showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It answered as it should.
    Healthy,
    /// It did not answer, or with a fault that may heal; several of these in a row open the circuit.
    Failed,
    /// It refuses us: credentials, plan, address. One of these is enough, since no retry heals it.
    Refused,
}

impl Circuit {
    /// A closed circuit.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Closed { n_failures: 0 } }
    }

    /// Notes what a call showed; true when this opened or closed the circuit.
    pub fn note(&mut self, signal: Signal, now: Instant) -> bool {
        let was_open = self.is_open();
        let open = State::Open { probe_at: now + self.limits.probe_interval };
        self.state = match (self.state, signal) {
            (_, Signal::Healthy) => State::Closed { n_failures: 0 },
            (_, Signal::Refused) | (State::Open { .. }, Signal::Failed) => open,
            (State::Closed { n_failures }, Signal::Failed) if n_failures + 1 >= self.limits.threshold => open,
            (State::Closed { n_failures }, Signal::Failed) => State::Closed { n_failures: n_failures + 1 },
        };
        was_open != self.is_open()
    }

    /// Whether jobs that need this dependency must wait.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// When the next probe is due; `None` while closed.
    pub fn probe_at(&self) -> Option<Instant> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { probe_at } => Some(probe_at),
        }
    }

    /// Notes that a probe leaves now: the next one is due an interval later, whatever becomes of this one.
    pub fn probe_started(&mut self, now: Instant) {
        if let State::Open { probe_at } = &mut self.state {
            *probe_at = now + self.limits.probe_interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn circuit() -> Circuit {
        Circuit::new(Limits { threshold: 3, probe_interval: INTERVAL })
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let (mut circuit, now) = (circuit(), Instant::now());
        for signal in [Signal::Failed, Signal::Failed, Signal::Healthy, Signal::Failed, Signal::Failed] {
            assert!(!circuit.note(signal, now));
        }
        assert!(circuit.note(Signal::Failed, now));
        assert!(circuit.is_open());
    }

    #[test]
    fn a_refusal_opens_it_at_once() {
        let mut circuit = circuit();
        assert!(circuit.note(Signal::Refused, Instant::now()));
        assert!(circuit.is_open());
    }

    #[test]
    fn probes_are_an_interval_apart_and_a_healthy_one_closes_it() {
        let (mut circuit, start) = (circuit(), Instant::now());
        circuit.note(Signal::Refused, start);
        assert_eq!(circuit.probe_at(), Some(start + INTERVAL));
        circuit.probe_started(start + INTERVAL);
        assert_eq!(circuit.probe_at(), Some(start + 2 * INTERVAL));
        assert!(!circuit.note(Signal::Failed, start + INTERVAL));
        assert!(circuit.note(Signal::Healthy, start + 2 * INTERVAL));
        assert_eq!(circuit.probe_at(), None);
        assert!(!circuit.note(Signal::Failed, start + 3 * INTERVAL), "the count starts again");
    }
}
