use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use metrics::gauge;
use tokio::sync::watch;

use crate::circuit::{Caller, Circuit, Limits, Signal};
use crate::failure::{Class, Dependency, Failure};
use crate::health::Health;
use crate::telemetry::metric::CIRCUIT_OPEN;

/// The circuits of all dependencies, and the news that one of them opened or closed.
#[derive(Debug)]
pub(super) struct Circuits {
    circuits: Mutex<[Circuit; 3]>,
    n_open: watch::Sender<usize>,
    /// Queues and exchanges of ours that refused a message when they were last asked: what the circuit of replies waits for.
    refusing: Mutex<HashSet<String>>,
    health: std::sync::Arc<Health>,
}

impl Circuits {
    pub(super) fn new(limits: Limits, health: std::sync::Arc<Health>) -> Self {
        for dependency in Dependency::ALL {
            gauge!(CIRCUIT_OPEN, "dependency" => dependency.as_str()).set(0.0);
        }
        let circuits = Mutex::new(std::array::from_fn(|_| Circuit::new(limits)));
        Self { circuits, n_open: watch::Sender::new(0), refusing: Mutex::default(), health }
    }

    /// Notes what a job's way through its dependencies showed.
    pub(super) fn note_outcome<T>(&self, outcome: &Result<T, Failure>, caller: Caller, reads_remotely: bool) {
        let failure = outcome.as_ref().err();
        if let Some(failure) = failure {
            failure.count();
        }
        for (dependency, signal) in signals_of(failure, reads_remotely) {
            self.note(dependency, signal, caller, failure.map_or("", |failure| &failure.reason));
        }
    }

    /// Notes what one call to one dependency showed.
    pub(super) fn note(&self, dependency: Dependency, signal: Signal, caller: Caller, reason: &str) {
        let mut circuits = self.lock();
        let circuit = &mut circuits[index(dependency)];
        if !circuit.note(signal, caller, Instant::now()) {
            return;
        }
        let open = circuit.is_open();
        gauge!(CIRCUIT_OPEN, "dependency" => dependency.as_str()).set(if open { 1.0 } else { 0.0 });
        if open {
            tracing::error!(dependency = dependency.as_str(), reason, "taking no more jobs: the circuit of a dependency opened");
            self.health.set(dependency.as_str(), format!("paused: {reason}"));
        } else {
            tracing::info!(dependency = dependency.as_str(), "taking jobs again: the circuit closed");
            self.health.clear(dependency.as_str());
        }
        let n_open = circuits.iter().filter(|circuit| circuit.is_open()).count();
        self.n_open.send_replace(n_open);
    }

    /// Notes that a queue or an exchange of ours refused a message that all jobs may need it for.
    pub(super) fn refused_by(&self, place: &str, signal: Signal, caller: Caller, reason: &str) {
        self.refusing().insert(place.to_owned());
        self.note(Dependency::Reply, signal, caller, reason);
    }

    /// Notes that a queue of ours took a message. That says nothing of any other place: the circuit of replies closes where
    /// nothing else had refused one.
    pub(super) fn taken_by(&self, queue: &str, caller: Caller) {
        let mut refusing = self.refusing();
        let was_last = refusing.remove(queue) && refusing.is_empty();
        drop(refusing);
        if was_last {
            self.note(Dependency::Reply, Signal::Healthy, caller, "");
        }
    }

    /// Notes that a job was answered, which is what all else is for: the circuit of replies closes.
    pub(super) fn answered(&self, caller: Caller) {
        self.refusing().clear();
        self.note(Dependency::Reply, Signal::Healthy, caller, "");
    }

    pub(super) fn is_open(&self, dependency: Dependency) -> bool {
        self.lock()[index(dependency)].is_open()
    }

    /// Whether this caller's are the only failures of a dependency that answered before.
    pub(super) fn fails_alone(&self, dependency: Dependency, caller: Caller) -> bool {
        self.lock()[index(dependency)].fails_alone(caller)
    }

    /// When the next probe is due; `None` while every circuit is closed.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        self.lock().iter().filter_map(Circuit::probe_at).max()
    }

    /// Notes that one job is let through to see whether the dependencies are back.
    pub(super) fn probe_started(&self) {
        let now = Instant::now();
        self.lock().iter_mut().for_each(|circuit| circuit.probe_started(now));
    }

    /// Hears of each circuit that opens or closes.
    pub(super) fn subscribe(&self) -> watch::Receiver<usize> {
        self.n_open.subscribe()
    }

    fn refusing(&self) -> MutexGuard<'_, HashSet<String>> {
        self.refusing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, [Circuit; 3]> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a job's way through its dependencies shows of each of them; without a failure it went all the way.
fn signals_of(failure: Option<&Failure>, reads_remotely: bool) -> Vec<(Dependency, Signal)> {
    let all_well = || {
        let ocr = reads_remotely.then_some((Dependency::Ocr, Signal::Healthy));
        [(Dependency::Storage, Signal::Healthy)].into_iter().chain(ocr).collect()
    };
    let Some(failure) = failure else { return all_well() };
    let own = failure.dependency.zip(Signal::of(failure));
    // Whoever got as far as the OCR call had the images.
    let store_is_well = match failure.class {
        Class::Rejected | Class::NoData => return all_well(),
        // The store answered, and what it said is about the object.
        Class::ImageMissing => true,
        Class::Denied if failure.dependency.is_none() => true,
        Class::BadJob
        | Class::Expired
        | Class::BadImage
        | Class::Denied
        | Class::Unavailable
        | Class::Throttled
        | Class::Unauthorised
        | Class::Internal
        | Class::DeliveryLimit => failure.dependency == Some(Dependency::Ocr),
    };
    own.into_iter().chain(store_is_well.then_some((Dependency::Storage, Signal::Healthy))).collect()
}

fn index(dependency: Dependency) -> usize {
    match dependency {
        Dependency::Storage => 0,
        Dependency::Ocr => 1,
        Dependency::Reply => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_circuit_of_replies_closes_when_what_opened_it_takes_messages_again() {
        let limits = Limits { threshold: 3, probe_interval: Duration::from_secs(3600) };
        let circuits = Circuits::new(limits, std::sync::Arc::default());
        let refused = |place| circuits.refused_by(place, Signal::Refused, 1, "");
        let is_open = || circuits.is_open(Dependency::Reply);
        refused("dead");
        circuits.taken_by("hold", 1);
        assert!(is_open(), "another queue says nothing of this one");
        circuits.taken_by("dead", 1);
        assert!(!is_open());
        refused("events");
        refused("dead");
        circuits.taken_by("dead", 1);
        assert!(is_open(), "events of documents are refused still");
        refused("dead");
        circuits.answered(1);
        assert!(!is_open());
        refused("hold");
        circuits.taken_by("hold", 1);
        assert!(!is_open(), "what was refused before an answer does not count any more");
    }

    #[test]
    fn a_failure_speaks_for_and_against_the_dependencies_it_met() {
        use Dependency::{Ocr, Storage};
        use Signal::{Denied, Failed, Healthy, Refused, Throttled};
        let check = |class, dependency, expected: &[(Dependency, Signal)]| {
            let failure = Failure { dependency, ..Failure::new(class, "") };
            assert_eq!(signals_of(Some(&failure), true), expected, "{class:?} of {dependency:?}");
        };
        for class in [Class::BadJob, Class::Expired, Class::BadImage, Class::Internal, Class::DeliveryLimit, Class::Unavailable] {
            check(class, None, &[]);
        }
        check(Class::ImageMissing, None, &[(Storage, Healthy)]);
        check(Class::Denied, None, &[(Storage, Healthy)]);
        check(Class::Denied, Some(Storage), &[(Storage, Denied)]);
        check(Class::Denied, Some(Ocr), &[(Ocr, Denied), (Storage, Healthy)]);
        check(Class::Unavailable, Some(Storage), &[(Storage, Failed)]);
        check(Class::Unauthorised, Some(Storage), &[(Storage, Refused)]);
        check(Class::Throttled, None, &[]);
        check(Class::Throttled, Some(Storage), &[(Storage, Throttled(Duration::ZERO))]);
        check(Class::Throttled, Some(Ocr), &[(Ocr, Throttled(Duration::ZERO)), (Storage, Healthy)]);
        check(Class::Unavailable, Some(Ocr), &[(Ocr, Failed), (Storage, Healthy)]);
        check(Class::Unauthorised, Some(Ocr), &[(Ocr, Refused), (Storage, Healthy)]);
        for failure in [None, Some(Failure::new(Class::Rejected, "")), Some(Failure::new(Class::NoData, ""))] {
            assert_eq!(signals_of(failure.as_ref(), true), [(Storage, Healthy), (Ocr, Healthy)]);
            assert_eq!(signals_of(failure.as_ref(), false), [(Storage, Healthy)], "nobody asked the hosted API");
        }
    }
}
