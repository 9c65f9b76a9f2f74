use std::net::SocketAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::durations;
use crate::retry::Schedule;

/// How jobs are worked on.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Jobs in flight at once, which is also the prefetch, at most 2000; 0 takes two per engine, or 32 when only the remote
    /// reader is used.
    pub concurrency: u16,
    /// Time that all steps of one job may take together, and as much for its wait for an engine; both must stay well below the
    /// broker's `consumer_timeout`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub job_budget: Duration,
    /// Time that jobs in flight get to finish after SIGTERM; what is not done then, or at a second SIGTERM, goes back to the
    /// queue.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
    /// Results kept in memory, so that a job that comes again, with the same id, replay and body, is not read twice.
    pub kept_results: usize,
    /// Listen address of `/metrics`, `/livez` and `/readyz`.
    pub listen: SocketAddr,
}

/// When a failed job is tried again.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Delays before the second, third, … attempt after a fault that may heal; each is a hold queue of its own.
    #[serde(with = "durations")]
    #[schemars(with = "Vec<String>")]
    pub delays: Vec<Duration>,
    /// Delays while an image is not there: the upload may still be on its way.
    #[serde(with = "durations")]
    #[schemars(with = "Vec<String>")]
    pub missing_delays: Vec<Duration>,
    /// Delays of a deferral, which burns no attempt: the hold queues that throttled and paused jobs wait in.
    #[serde(with = "durations")]
    #[schemars(with = "Vec<String>")]
    pub defer_delays: Vec<Duration>,
    /// Time after which a job is dead-lettered that was deferred at least once for each of `retry.defer_delays`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub give_up_after: Duration,
    /// Consecutive failures of one dependency that open its circuit.
    pub circuit_threshold: u32,
    /// Time between two probes while a circuit is open.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub probe_interval: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: 0,
            job_budget: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(150),
            kept_results: 1_000,
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
        }
    }
}

impl Retry {
    /// The delays as the retry decision wants them.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            delays: self.delays.clone(),
            missing_delays: self.missing_delays.clone(),
            defer_delays: self.defer_delays.clone(),
            give_up_after: self.give_up_after,
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        let seconds = |list: &[u64]| list.iter().map(|s| Duration::from_secs(*s)).collect();
        Self {
            delays: seconds(&[5, 30, 120, 600]),
            missing_delays: seconds(&[1, 5, 30]),
            defer_delays: seconds(&[5, 30, 120]),
            give_up_after: Duration::from_secs(24 * 3600),
            circuit_threshold: 3,
            probe_interval: Duration::from_secs(5),
        }
    }
}
