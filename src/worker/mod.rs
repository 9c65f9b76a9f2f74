//! The daemon: receive, process, decide, publish, acknowledge; pause, probe and drain. Knows nothing of images and S3.

mod circuits;
mod kept;
mod link;
mod routes;
mod run_job;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use metrics::{counter, gauge};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::broker::{Deliveries, Delivery, Session, SessionLost, SetUpError, backoff};
use crate::circuit::Limits;
use crate::config::{self, TopologyMode};
use crate::health::Health;
use crate::process::Processor;
use crate::retry::Schedule;
use crate::shutdown::Shutdown;
use crate::telemetry::metric::{IN_FLIGHT, SESSIONS};

use circuits::Circuits;
use kept::KeptEvents;
pub use link::Link;
use routes::Routes;

/// Earlier deliveries without an answer that make a job suspect of killing the process. One is what every job in flight
/// has after a broker's or a pod's restart; two is a pattern, and such a job is run alone, with nothing else taken,
/// so that it takes nobody with it.
const SUSPECT_DELIVERIES: u32 = 2;

/// Life of a session under which its end counts as a failed try to open one: a work queue that is missing or that we may
/// not read from ends each at its first call.
const SHORT_SESSION: Duration = Duration::from_secs(5);

/// What a worker is made of.
#[derive(Debug, Clone)]
pub struct Params {
    /// Jobs in flight at once, which is also the prefetch; at least 1.
    pub concurrency: u16,
    /// Whether every document is read by the hosted API, so that its circuit counts.
    pub reads_remotely: bool,
    /// Time-outs and limits of jobs.
    pub worker: config::Worker,
    /// Delays and circuits.
    pub retry: config::Retry,
    /// Names and mode of queues and exchanges.
    pub topology: config::Topology,
}

/// The daemon's parts, shared by all jobs in flight.
pub struct Worker {
    params: Params,
    schedule: Schedule,
    link: Arc<Link>,
    processor: Processor,
    circuits: Circuits,
    routes: Routes,
    kept: KeptEvents,
    health: Arc<Health>,
    in_flight: watch::Sender<usize>,
    /// Says that a queue is missing which the topology promises.
    queue_missing: Notify,
}

impl Worker {
    /// A worker that is ready to [`run`](Self::run).
    pub fn new(params: Params, link: Arc<Link>, processor: Processor, health: Arc<Health>) -> Self {
        let retry = &params.retry;
        let limits = Limits { threshold: retry.circuit_threshold.max(1), probe_interval: retry.probe_interval };
        health.set("broker", "not connected yet");
        Self {
            schedule: retry.schedule(),
            link,
            processor,
            circuits: Circuits::new(limits, Arc::clone(&health)),
            routes: Routes::new(limits),
            kept: KeptEvents::new(params.worker.kept_results),
            health,
            in_flight: watch::Sender::new(0),
            queue_missing: Notify::new(),
            params,
        }
    }

    /// Takes and settles jobs until the shutdown begins, then finishes what is in flight. `first` is the first try to open a
    /// session, which may have begun before the worker was there.
    ///
    /// # Errors
    /// The broker's queues contradict the settings: nothing that waiting would heal.
    pub async fn run(self: &Arc<Self>, first: impl Future<Output = anyhow::Result<Session>>, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut n_failures = 0;
        let mut last_ended_at = None;
        let mut first = Some(first);
        while !shutdown.begun.is_cancelled() {
            let opening = async {
                match first.take() {
                    Some(first) => first.await,
                    None => self.link.open().await,
                }
            };
            let opened = tokio::select! {
                () = shutdown.begun.cancelled() => break,
                opened = opening => opened,
            };
            match opened {
                Ok(session) => {
                    let opened_at = Instant::now();
                    if let Some(ended_at) = last_ended_at {
                        self.kept.session_begins(ended_at, opened_at);
                    }
                    self.health.clear("broker");
                    // Whoever could not publish during the last session has lost its job to somebody.
                    self.health.clear("publish");
                    counter!(SESSIONS).increment(1);
                    tracing::info!(queue = self.link.names.jobs, concurrency = self.params.concurrency, "connected to the broker");
                    tokio::select! {
                        () = self.work(&session, &shutdown.begun) => {}
                        () = self.until_overdue(&shutdown) => {}
                        () = self.remake_topology(&session) => {}
                    }
                    if !shutdown.begun.is_cancelled() {
                        self.health.set("broker", "the session with the broker ended");
                        tracing::warn!("the session with the broker ended: jobs in flight will be delivered again");
                    }
                    session.close().await;
                    last_ended_at = Some(Instant::now());
                    n_failures = if opened_at.elapsed() < SHORT_SESSION { n_failures + 1 } else { 0 };
                }
                Err(error) if error.downcast_ref::<SetUpError>().is_some_and(|error| needs_a_person(error, last_ended_at.is_some())) => {
                    return Err(error);
                }
                Err(error) => {
                    n_failures += 1;
                    self.health.set("broker", format!("{error:#}"));
                    tracing::warn!(error = format!("{error:#}"), n_failures, "failed to connect to the broker, trying again");
                }
            }
            if n_failures > 0 {
                tokio::select! {
                    () = shutdown.begun.cancelled() => {}
                    () = tokio::time::sleep(backoff(n_failures, fastrand::f64())) => {}
                }
            }
        }
        self.link.close().await;
        Ok(())
    }

    /// Declares the topology again each time that a queue is found missing, whatever the worker does meanwhile: jobs in
    /// flight wait for that queue, and a probe waits for them. Returns when it cannot be declared.
    async fn remake_topology(&self, session: &Session) {
        loop {
            self.queue_missing.notified().await;
            tracing::warn!("a queue is missing that jobs are to be put into: declaring the topology again");
            if let Err(error) = self.link.declare_again(session).await {
                return tracing::warn!(%error, "failed to declare the topology");
            }
        }
    }

    /// Takes jobs until the session is lost, or the worker shuts down and has finished what it took.
    async fn work(self: &Arc<Self>, session: &Session, shutdown: &CancellationToken) {
        // A job that kills the process is the first of the queue after the restart. The first job is looked at by itself: a
        // suspect is run before anything else is taken, which keeps its neighbours out of the crash and the delivery limit.
        let mut cautious = true;
        while !shutdown.is_cancelled() && !session.lost().is_cancelled() {
            if self.link.is_blocked() {
                self.health.set("broker", "paused: the broker blocks publishers with a memory or disk alarm");
                tracing::warn!("taking no more jobs: the broker blocks publishers with a memory or disk alarm");
                tokio::select! {
                    () = shutdown.cancelled() => break,
                    () = session.lost().cancelled() => return,
                    () = self.link.until_blocked_is(false) => {}
                }
                self.health.clear("broker");
                tracing::info!("taking jobs again: the broker reads from publishers");
            } else if self.circuits.probe_at().is_some() {
                self.probe(session, shutdown).await;
            } else if cautious {
                match session.take_one().await {
                    Ok(Some(suspect)) if is_suspect(&suspect) => self.run_alone(session, suspect).await,
                    Ok(Some(delivery)) => {
                        drop(self.start(delivery));
                        cautious = false;
                    }
                    Ok(None) => cautious = false,
                    Err(SessionLost) => return,
                }
            } else {
                for delivery in self.consume(session, shutdown).await {
                    cautious |= is_suspect(&delivery);
                    self.run_later(session, delivery).await;
                }
            }
        }
        if shutdown.is_cancelled() {
            self.wait_until_idle().await;
        }
    }

    /// Runs a job that was taken and put aside: one that may kill the process alone, and any other when there is room for it.
    async fn run_later(self: &Arc<Self>, session: &Session, delivery: Delivery) {
        if is_suspect(&delivery) {
            return self.run_alone(session, delivery).await;
        }
        tokio::select! {
            () = session.lost().cancelled() => {}
            () = self.until_room() => drop(self.start(delivery)),
        }
    }

    /// Runs a job that may kill the process when nothing else is in flight.
    async fn run_alone(self: &Arc<Self>, session: &Session, suspect: Delivery) {
        tokio::select! {
            () = session.lost().cancelled() => return,
            () = self.wait_until_idle() => {}
        }
        let _ = self.start(suspect).await;
    }

    /// Consumes at full concurrency until something ends it; returns the jobs that it was given and are to be run later.
    ///
    /// The prefetch is this consumer's own: jobs that were taken before it, by the first look or ahead of an alarm, take up
    /// room that it does not know of.
    async fn consume(self: &Arc<Self>, session: &Session, shutdown: &CancellationToken) -> Vec<Delivery> {
        let mut circuits = self.circuits.subscribe();
        let Ok(mut deliveries) = session.consume(self.params.concurrency).await else { return Vec::new() };
        let suspect = loop {
            match self.next_job(session, shutdown, &mut deliveries, circuits.wait_for(|n_open| *n_open > 0)).await {
                Ok(Some(delivery)) if is_suspect(&delivery) => break Some(delivery),
                Ok(Some(delivery)) => drop(self.start(delivery)),
                Ok(None) => break None,
                Err(SessionLost) => return Vec::new(),
            }
        };
        let was_suspect = suspect.is_some();
        let mut put_aside = Vec::from_iter(suspect);
        let take = |delivery| self.start_or_put_aside(delivery, &mut put_aside);
        if shutdown.is_cancelled() {
            // The drain has time for what comes now, and a redelivery would count towards the delivery limit.
            session.finish(deliveries, take).await;
        } else if was_suspect {
            // What was taken with it is not given back for it: until 4.3 that counts as a delivery, and where many jobs are
            // suspect, after a broker that died twice, they would bring each other to the limit.
            session.cancel(deliveries).await.into_iter().for_each(take);
        } else {
            for delivery in session.cancel(deliveries).await {
                let _ = delivery.give_back().await;
            }
        }
        put_aside
    }

    /// While a circuit is open: lets one job through per interval, when no other is in flight.
    async fn probe(self: &Arc<Self>, session: &Session, shutdown: &CancellationToken) {
        let Some(due) = self.circuits.probe_at() else { return };
        let mut circuits = self.circuits.subscribe();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = session.lost().cancelled() => return,
            _ = circuits.wait_for(|n_open| *n_open == 0) => return,
            () = async { tokio::time::sleep_until(due.into()).await; self.wait_until_idle().await } => {}
        }
        // A consumer and not a get: the broker serves consumers first, so that beside workers that are well a get would
        // find nothing until all of them are full.
        let Ok(mut deliveries) = session.consume(1).await else { return };
        match self.next_job(session, shutdown, &mut deliveries, circuits.wait_for(|n_open| *n_open == 0)).await {
            Ok(Some(probe)) => {
                // It holds all that its prefetch allows, so that nothing is on its way when it is cancelled.
                drop(session.cancel(deliveries).await);
                self.circuits.probe_started();
                let _ = self.start(probe).await;
            }
            Ok(None) => {
                let mut put_aside = Vec::new();
                session.finish(deliveries, |delivery| self.start_or_put_aside(delivery, &mut put_aside)).await;
                for delivery in put_aside {
                    self.run_later(session, delivery).await;
                }
            }
            Err(SessionLost) => {}
        }
    }

    /// Starts a job, but for one that is to be run alone or has no room yet.
    fn start_or_put_aside(self: &Arc<Self>, delivery: Delivery, put_aside: &mut Vec<Delivery>) {
        if is_suspect(&delivery) || !self.has_room(*self.in_flight.borrow()) {
            put_aside.push(delivery);
        } else {
            drop(self.start(delivery));
        }
    }

    /// The next job of a consumer; `None` when no more are to be taken, for `circuits` among other reasons.
    async fn next_job<T>(
        &self,
        session: &Session,
        shutdown: &CancellationToken,
        deliveries: &mut Deliveries,
        circuits: impl Future<Output = T>,
    ) -> Result<Option<Delivery>, SessionLost> {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(None),
            () = session.lost().cancelled() => Err(SessionLost),
            _ = circuits => Ok(None),
            () = self.link.until_blocked_is(true) => Ok(None),
            delivery = async { self.until_room().await; deliveries.next().await } => match delivery {
                Some(delivery) => Ok(Some(delivery)),
                None => {
                    self.consumer_ended(session);
                    Err(SessionLost)
                }
            }
        }
    }

    /// A consumer ends with its session; or the broker cancelled it and nothing else, as the queue was deleted or its leader
    /// moved.
    fn consumer_ended(&self, session: &Session) {
        if !session.lost().is_cancelled() {
            tracing::warn!(queue = self.link.names.jobs, "the broker cancelled the consumer");
            session.lost().cancel();
        }
    }

    /// Starts a job on a task of its own.
    fn start(self: &Arc<Self>, delivery: Delivery) -> tokio::task::JoinHandle<()> {
        let in_flight = InFlight::new(Arc::clone(self));
        let lease_lost = delivery.lease_lost().clone();
        tokio::spawn(async move {
            let running = AssertUnwindSafe(run_job::run(&in_flight.0, delivery));
            if running.catch_unwind().await.is_err() {
                // Nobody would settle this job any more. As after a crash, the broker brings it again and counts.
                tracing::error!("a job was given back to the broker, and with it all that are in flight: a fault of idmill");
                lease_lost.cancel();
            }
        })
    }

    /// Whether the job that asks is the only one in flight, as a probe is.
    fn is_only_job(&self) -> bool {
        *self.in_flight.borrow() == 1
    }

    fn has_room(&self, n_in_flight: usize) -> bool {
        n_in_flight < self.params.concurrency.into()
    }

    /// Returns when another job may be started.
    async fn until_room(&self) {
        let _ = self.in_flight.subscribe().wait_for(|n| self.has_room(*n)).await;
    }

    async fn wait_until_idle(&self) {
        let _ = self.in_flight.subscribe().wait_for(|n| *n == 0).await;
    }

    /// Returns when the worker shuts down and the time for its jobs is over, or nobody wants to wait for them.
    async fn until_overdue(&self, shutdown: &Shutdown) {
        shutdown.begun.cancelled().await;
        self.health.set("broker", "shutting down");
        tracing::info!(n_in_flight = *self.in_flight.borrow(), "draining: no more jobs are taken");
        let timeout = self.params.worker.drain_timeout;
        let why = tokio::select! {
            () = tokio::time::sleep(timeout) => "jobs in flight did not finish in time and go back to the queue",
            () = shutdown.at_once.cancelled() => "told to stop once more: jobs in flight go back to the queue",
        };
        tracing::warn!(n_in_flight = *self.in_flight.borrow(), ?timeout, "{why}");
    }
}

/// A job in flight, counted for as long as this lives.
struct InFlight(Arc<Worker>);

impl InFlight {
    fn new(worker: Arc<Worker>) -> Self {
        worker.in_flight.send_modify(|n| *n += 1);
        gauge!(IN_FLIGHT).increment(1.0);
        Self(worker)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
        self.0.in_flight.send_modify(|n| *n -= 1);
    }
}

fn is_suspect(delivery: &Delivery) -> bool {
    delivery.n_earlier_deliveries() >= SUSPECT_DELIVERIES
}

/// Whether waiting mends nothing. What is missing from a topology that was there may just be made anew.
fn needs_a_person(error: &SetUpError, was_open: bool) -> bool {
    match error {
        SetUpError::Conflict(_) => true,
        SetUpError::Missing(_) => !was_open,
        SetUpError::Unavailable(_) => false,
    }
}

/// Whether the topology is ours to make, so that a queue that went missing can be made again.
fn makes_topology(params: &Params) -> bool {
    params.topology.mode == TopologyMode::Declare
}
