use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use metrics::{counter, gauge};
use tokio::sync::watch;

use crate::circuit::{Caller, Circuit, Limits, Signal};
use crate::failure::{Class, Dependency, Failure};
use crate::health::Health;
use crate::telemetry::metric::{CIRCUIT_OPEN, DEPENDENCY_FAILURES};

/// The circuits of all dependencies, and the news that one of them opened or closed.
#[derive(Debug)]
pub(super) struct Circuits {
    circuits: Mutex<[Circuit; 3]>,
    n_open: watch::Sender<usize>,
    health: std::sync::Arc<Health>,
}

impl Circuits {
    pub(super) fn new(limits: Limits, health: std::sync::Arc<Health>) -> Self {
        for dependency in Dependency::ALL {
            gauge!(CIRCUIT_OPEN, "dependency" => dependency.as_str()).set(0.0);
        }
        Self { circuits: Mutex::new(std::array::from_fn(|_| Circuit::new(limits))), n_open: watch::Sender::new(0), health }
    }

    /// Notes what a job's way through its dependencies showed.
    pub(super) fn note_outcome<T>(&self, outcome: &Result<T, Failure>, caller: Caller, reads_remotely: bool) {
        let note = |dependency, signal, reason| self.note(dependency, signal, caller, reason);
        let Err(failure) = outcome else {
            note(Dependency::Storage, Signal::Healthy, "");
            if reads_remotely {
                note(Dependency::Ocr, Signal::Healthy, "");
            }
            return;
        };
        if let Some(dependency) = failure.dependency {
            counter!(DEPENDENCY_FAILURES, "dependency" => dependency.as_str(), "class" => failure.class.as_str()).increment(1);
        }
        match (failure.class, failure.dependency) {
            (Class::Unavailable, Some(dependency)) => note(dependency, Signal::Failed, &failure.reason),
            (Class::Unauthorised, Some(dependency)) => note(dependency, Signal::Refused, &failure.reason),
            (Class::ImageMissing, Some(dependency)) => note(dependency, Signal::Denied, &failure.reason),
            (Class::ImageMissing, None) => note(Dependency::Storage, Signal::Healthy, ""),
            (Class::Rejected | Class::NoData, _) => self.note_outcome::<()>(&Ok(()), caller, reads_remotely),
            (
                Class::BadJob
                | Class::Expired
                | Class::BadImage
                | Class::Throttled
                | Class::Internal
                | Class::DeliveryLimit
                | Class::Unavailable
                | Class::Unauthorised,
                _,
            ) => {}
        }
        // Whoever got as far as the OCR call had the images.
        if failure.dependency == Some(Dependency::Ocr) {
            note(Dependency::Storage, Signal::Healthy, "");
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

    fn lock(&self) -> MutexGuard<'_, [Circuit; 3]> {
        self.circuits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index(dependency: Dependency) -> usize {
    match dependency {
        Dependency::Storage => 0,
        Dependency::Ocr => 1,
        Dependency::Reply => 2,
    }
}
