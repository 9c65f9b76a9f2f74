//! One dependency's outage as a state machine.
//!
//! Pure: the moment is an argument, and whoever drives the circuit sleeps. Closed: jobs flow. Open: nobody asks the
//! dependency until the probe is due; then one job is let through, and its outcome decides. A circuit also knows whether
//! all that went wrong was one caller's: a dependency that fails on one document is not out of order.

use std::time::{Duration, Instant};

use crate::failure::{Class, Failure};

/// Limits of a circuit.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Failures in a row that open the circuit, at least 1.
    pub threshold: u32,
    /// Time between opening and the first probe, and between probes.
    pub probe_interval: Duration,
}

/// Longest time between two probes, however long the dependency asks for: it may be well before.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Who called: a number that is the same for each attempt of one job.
pub type Caller = u64;

/// The caller of every call, where nobody asks who fails alone.
pub const ANYBODY: Caller = 0;

/// The state of one dependency as its callers saw it.
#[derive(Debug, Clone)]
pub struct Circuit {
    limits: Limits,
    state: State,
    /// Whether the dependency ever answered as it should.
    answered: bool,
    failing: Failing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { n_failures: u32 },
    Open { probe_at: Instant },
}

/// Whose calls went wrong since the dependency last answered as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    Nobody,
    Alone(Caller),
    Several,
}

/// What a call to the dependency showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It answered as it should.
    Healthy,
    /// It did not answer, or with a fault that may heal; several of these in a row open the circuit.
    Failed,
    /// It asks for patience, this long where it says so. As `Failed`, and the next probe waits for as long.
    Throttled(Duration),
    /// It refuses us: credentials, plan, address. One of these is enough, since no retry heals it.
    Refused,
    /// It refuses this request, for which the one object that was asked for may be the reason as well as our
    /// credentials. As `Refused`, unless it answered before and refuses one caller alone.
    Denied,
}

impl Signal {
    /// What a failure says about the dependency that it names; `None` where it names none, or none is at fault.
    pub fn of(failure: &Failure) -> Option<Self> {
        failure.dependency?;
        match failure.class {
            Class::Unavailable => Some(Self::Failed),
            Class::Throttled => Some(Self::Throttled(failure.retry_after.unwrap_or_default())),
            Class::Unauthorised => Some(Self::Refused),
            Class::Denied => Some(Self::Denied),
            Class::BadJob
            | Class::Expired
            | Class::BadImage
            | Class::ImageMissing
            | Class::Rejected
            | Class::NoData
            | Class::Internal
            | Class::DeliveryLimit => None,
        }
    }
}

impl Circuit {
    /// A closed circuit.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Closed { n_failures: 0 }, answered: false, failing: Failing::Nobody }
    }

    /// Notes what a call showed; true when this opened or closed the circuit.
    pub fn note(&mut self, signal: Signal, caller: Caller, now: Instant) -> bool {
        let was_open = self.is_open();
        self.answered |= signal == Signal::Healthy;
        self.failing = match (signal, self.failing) {
            (Signal::Healthy, _) => Failing::Nobody,
            (_, Failing::Nobody) => Failing::Alone(caller),
            (_, Failing::Alone(known)) if known == caller => Failing::Alone(caller),
            (_, Failing::Alone(_) | Failing::Several) => Failing::Several,
        };
        let wait = if let Signal::Throttled(wait) = signal { wait.min(LONGEST_WAIT) } else { Duration::ZERO };
        let open = State::Open { probe_at: now + wait.max(self.limits.probe_interval) };
        self.state = match (self.state, signal) {
            (_, Signal::Healthy) => State::Closed { n_failures: 0 },
            (State::Closed { .. }, Signal::Denied) if self.fails_alone(caller) => self.state,
            (_, Signal::Refused | Signal::Denied) | (State::Open { .. }, Signal::Failed | Signal::Throttled(_)) => open,
            (State::Closed { n_failures }, _) if n_failures + 1 >= self.limits.threshold => open,
            (State::Closed { n_failures }, Signal::Failed | Signal::Throttled(_)) => State::Closed { n_failures: n_failures + 1 },
        };
        was_open != self.is_open()
    }

    /// Whether the dependency answered before, and since then nothing went wrong but what this caller asked for.
    pub fn fails_alone(&self, caller: Caller) -> bool {
        self.answered && self.failing == Failing::Alone(caller)
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

    /// Whether a call may be made now: any while closed, one an interval while open.
    pub fn admits(&mut self, now: Instant) -> bool {
        let admitted = self.probe_at().is_none_or(|probe_at| probe_at <= now);
        if admitted {
            self.probe_started(now);
        }
        admitted
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
            assert!(!circuit.note(signal, 1, now));
        }
        assert!(circuit.note(Signal::Failed, 1, now));
        assert!(circuit.is_open());
    }

    #[test]
    fn a_refusal_opens_it_at_once() {
        let mut circuit = circuit();
        assert!(circuit.note(Signal::Refused, 1, Instant::now()));
        assert!(circuit.is_open());
    }

    #[test]
    fn a_denial_opens_it_unless_it_meets_one_caller_alone_after_others_were_answered() {
        let now = Instant::now();
        let mut never_answered = circuit();
        assert!(never_answered.note(Signal::Denied, 1, now));
        let mut answered = circuit();
        answered.note(Signal::Healthy, 1, now);
        for _ in 0..4 {
            assert!(!answered.note(Signal::Denied, 2, now));
        }
        assert!(answered.fails_alone(2) && !answered.fails_alone(3));
        assert!(answered.note(Signal::Denied, 3, now), "a second caller is no coincidence");
        assert!(!answered.fails_alone(2) && !answered.fails_alone(3));
    }

    #[test]
    fn a_caller_fails_alone_until_another_does_or_is_answered() {
        let (mut circuit, now) = (circuit(), Instant::now());
        circuit.note(Signal::Failed, 1, now);
        assert!(!circuit.fails_alone(1), "a dependency that never answered may be at fault");
        for (signal, caller, alone) in
            [(Signal::Healthy, 2, false), (Signal::Failed, 1, true), (Signal::Failed, 2, false), (Signal::Failed, 1, false)]
        {
            circuit.note(signal, caller, now);
            assert_eq!(circuit.fails_alone(1), alone);
        }
    }

    #[test]
    fn a_probe_waits_for_as_long_as_the_dependency_asks_for_and_not_for_ever() {
        let now = Instant::now();
        for (asked, waited) in [(Duration::ZERO, INTERVAL), (10 * INTERVAL, 10 * INTERVAL), (Duration::MAX, LONGEST_WAIT)] {
            let mut circuit = circuit();
            for opens in [false, false, true] {
                assert_eq!(circuit.note(Signal::Throttled(asked), 1, now), opens);
            }
            assert_eq!(circuit.probe_at(), Some(now + waited));
            circuit.probe_started(now + waited);
            circuit.note(Signal::Throttled(asked), 1, now + waited);
            assert_eq!(circuit.probe_at(), Some(now + 2 * waited));
        }
    }

    #[test]
    fn probes_are_an_interval_apart_and_a_healthy_one_closes_it() {
        let (mut circuit, start) = (circuit(), Instant::now());
        circuit.note(Signal::Refused, 1, start);
        assert_eq!(circuit.probe_at(), Some(start + INTERVAL));
        circuit.probe_started(start + INTERVAL);
        assert_eq!(circuit.probe_at(), Some(start + 2 * INTERVAL));
        assert!(!circuit.note(Signal::Failed, 1, start + INTERVAL));
        assert!(circuit.note(Signal::Healthy, 1, start + 2 * INTERVAL));
        assert_eq!(circuit.probe_at(), None);
        assert!(!circuit.note(Signal::Failed, 1, start + 3 * INTERVAL), "the count starts again");
    }

    #[test]
    fn an_open_one_admits_one_call_an_interval() {
        let (mut circuit, start) = (circuit(), Instant::now());
        assert!(circuit.admits(start) && circuit.admits(start));
        circuit.note(Signal::Refused, 1, start);
        for (after, admitted) in [(INTERVAL / 2, false), (INTERVAL, true), (INTERVAL, false), (2 * INTERVAL, true)] {
            assert_eq!(circuit.admits(start + after), admitted, "{after:?}");
        }
    }
}
