//! One job from delivery to settlement. The order is the promise: publish, confirm, acknowledge.

mod line;
mod publish;
mod settle;

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use metrics::counter;
use time::OffsetDateTime;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::Worker;
use super::kept::{Ended, Key, Taken};
use crate::broker::{Delivery, History, LeaseLost, is_direct_reply};
use crate::circuit::Caller;
use crate::document::{Reading, answer};
use crate::event::{Event, Subject};
use crate::failure::{Class, Failure};
use crate::job::{Job, JobId, Metadata};
use crate::telemetry::StepTimes;
use crate::telemetry::metric::{DELIVERIES, KEPT_RESULTS};

/// Pauses before trying again at once, in the same process: a blip heals here without burning an attempt, and an outage
/// shows itself here, before the job is judged.
const IMMEDIATE: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// How a job left the worker.
enum End {
    Read,
    /// Answered from memory.
    Kept(Arc<Event>),
    /// Waits in a hold queue; `burned` tells a retry from a deferral.
    Held {
        failure: Failure,
        delay: Duration,
        burned: bool,
    },
    DeadLettered(Failure),
}

/// The job's standing data through its run.
struct Run<'a> {
    worker: &'a Worker,
    delivery: &'a Delivery,
    history: History,
    /// When a worker first took the job, which may be now.
    first_seen: OffsetDateTime,
    job_id: JobId,
    /// The job as the circuits know it.
    caller: Caller,
    metadata: Metadata,
    steps: Mutex<StepTimes>,
}

/// Runs one job to its settlement, and says how it went in one line.
pub(super) async fn run(worker: &Arc<Worker>, delivery: Delivery) {
    let started = Instant::now();
    let now = OffsetDateTime::now_utc();
    let history = delivery.history().seen_at(now);
    let first_seen = history.first_seen.unwrap_or(now);
    let job_id = JobId::of_message(delivery.body(), delivery.message_id());
    let parsed = Job::parse(delivery.body(), delivery.message_id());
    let metadata = parsed.as_ref().map(|job| job.metadata.clone()).unwrap_or_default();
    let caller = BuildHasherDefault::<DefaultHasher>::default().hash_one(&job_id);
    let run = Run { worker, delivery: &delivery, history, first_seen, job_id, caller, metadata, steps: Mutex::default() };
    counter!(DELIVERIES, "redelivered" => delivery.redelivered().to_string()).increment(1);
    let span = run.span();
    let end = run.to_the_end(parsed).instrument(span.clone()).await;
    line::tell(&run, &span, &end, started.elapsed());
}

impl Run<'_> {
    async fn to_the_end(&self, parsed: Result<Job, Failure>) -> Result<End, LeaseLost> {
        // A reply_to that is not allowed is not asked; its failure is told to everyone.
        let (job, exchange) = match (parsed, self.reply_exchange()) {
            (parsed, Ok(exchange)) => (parsed, exchange),
            (parsed, Err(failure)) => (parsed.and(Err(failure)), self.worker.link.names.events.clone()),
        };
        let key = self.key();
        let _turn = tokio::select! {
            biased;
            () = self.delivery.lease_lost().cancelled() => return Err(LeaseLost),
            turn = self.worker.kept.turn(&key) => turn,
        };
        let taken = Taken { first_seen: self.first_seen, redelivered: self.delivery.redelivered(), dead_since: self.delivery.dead_since() };
        if let Some(ended) = self.worker.kept.get(&key, taken, Instant::now()) {
            counter!(KEPT_RESULTS).increment(1);
            return self.settle_kept(ended, &exchange).await;
        }
        if let Some((failure, at)) = self.delivery.untold() {
            return self.tell_at_last(failure, at, &exchange).await;
        }
        let job = match job {
            Ok(job) => job,
            Err(failure) => return self.settle_failure(failure, &exchange).await,
        };
        if self.delivery.n_earlier_deliveries() >= self.worker.params.topology.delivery_limit {
            return self.give_up_unread(&exchange).await;
        }
        match self.read(&job, &exchange).await? {
            Ok(reading) => {
                let event = Arc::new(Event::read(self.subject(), answer::event_data(&reading), OffsetDateTime::now_utc()));
                drop(reading);
                self.worker.kept.keep(key, Ended::Read(Arc::clone(&event)));
                self.settle_read(&event, &exchange, End::Read).await
            }
            Err(failure) => self.settle_failure(failure, &exchange).await,
        }
    }

    /// Reads the document, within budget, lease and deadline; tries again at once while that may help.
    async fn read(&self, job: &Job, exchange: &str) -> Result<Result<Reading, Failure>, LeaseLost> {
        if job.deadline.is_some_and(|deadline| deadline < OffsetDateTime::now_utc()) {
            return Ok(Err(Failure::new(Class::Expired, "the job's deadline was over before it was read")));
        }
        if !self.worker.routes.admits(exchange) {
            let reason = format!("not read, as the exchange that reply_to names takes no events: \"{exchange}\"");
            return Ok(Err(Failure::new(Class::Unavailable, reason)));
        }
        let mut steps = StepTimes::default();
        let outcome = self.read_within_budget(job, &mut steps).await;
        self.steps().extend(steps);
        outcome
    }

    async fn read_within_budget(&self, job: &Job, steps: &mut StepTimes) -> Result<Result<Reading, Failure>, LeaseLost> {
        let budget = steps.run_out(self.worker.params.worker.job_budget);
        tokio::pin!(budget);
        let mut last = None;
        for pause in IMMEDIATE.into_iter().map(Some).chain([None]) {
            let attempt = AssertUnwindSafe(self.worker.processor.process(job, steps)).catch_unwind();
            let outcome = tokio::select! {
                biased;
                () = self.delivery.lease_lost().cancelled() => return Err(LeaseLost),
                outcome = attempt => outcome.unwrap_or_else(|_| Err(Failure::new(Class::Internal, "reading the document panicked: a fault of idmill"))),
                () = &mut budget => return Ok(Err(last.unwrap_or_else(|| self.over_budget()))),
            };
            self.worker.circuits.note_outcome(&outcome, self.caller, self.worker.params.reads_remotely);
            let Err(failure) = outcome else { return Ok(outcome) };
            let may_heal_at_once = failure.class == Class::Unavailable
                && failure.dependency.is_none_or(|dependency| !self.worker.circuits.is_open(dependency));
            let Some(pause) = pause.filter(|_| may_heal_at_once) else { return Ok(Err(failure)) };
            last = Some(failure);
            tokio::select! {
                () = self.delivery.lease_lost().cancelled() => return Err(LeaseLost),
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(Err(last.unwrap_or_else(|| self.over_budget())))
    }

    fn over_budget(&self) -> Failure {
        Failure::new(Class::Unavailable, format!("the job used up its budget of {:?}", self.worker.params.worker.job_budget))
    }

    fn steps(&self) -> MutexGuard<'_, StepTimes> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> Key {
        Key::new(&self.job_id, self.history.replay, self.delivery.body())
    }

    fn subject(&self) -> Subject<'_> {
        Subject { job_id: &self.job_id, replay: self.history.replay, metadata: &self.metadata }
    }

    /// The exchange that the sender wants its answer on, where that is allowed.
    fn reply_exchange(&self) -> Result<String, Failure> {
        let names = &self.worker.link.names;
        match self.delivery.reply_to() {
            None => Ok(names.events.clone()),
            // It leads to the sender's own connection and to nobody else.
            Some(wish) if is_direct_reply(wish) => Ok(wish.to_owned()),
            Some(wish)
                if *wish == names.events || self.worker.params.topology.allowed_reply_exchanges.iter().any(|allowed| allowed == wish) =>
            {
                Ok(wish.to_owned())
            }
            Some(_) => Err(Failure::new(Class::BadJob, "reply_to names an exchange that is not in topology.allowed_reply_exchanges")),
        }
    }

    /// The job's span, which goes on with the sender's trace where there is one.
    fn span(&self) -> Span {
        let queue = self.worker.link.names.jobs.as_str();
        let span =
            tracing::info_span!("job", job.id = self.job_id.as_str(), otel.name = format!("process {queue}"), otel.kind = "consumer");
        self.delivery.trace_context().adopt(&span);
        span.set_attribute("messaging.system", "rabbitmq");
        span.set_attribute("messaging.operation.type", "process");
        span.set_attribute("messaging.destination.name", queue.to_owned());
        span.set_attribute("messaging.message.body.size", self.delivery.body().len() as i64);
        span.set_attribute("idmill.attempt", i64::from(self.history.attempt));
        span
    }
}
