//! One job from delivery to settlement. The order is the promise: publish, confirm, acknowledge.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use metrics::{counter, histogram};
use opentelemetry::trace::Status;
use time::OffsetDateTime;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::kept::Key;
use super::{Worker, makes_topology};
use crate::broker::{Delivery, History, LeaseLost, Outgoing, PublishError};
use crate::circuit::{Caller, Signal};
use crate::document::{Reading, answer};
use crate::event::{Event, Subject};
use crate::failure::{Class, Dependency, Failure};
use crate::job::{Job, JobId, Metadata};
use crate::retry::{self, Verdict};
use crate::telemetry::metric::{DELIVERIES, JOB_SECONDS, JOBS, KEPT_RESULTS, PUBLISH_FAILURES};
use crate::telemetry::{Step, StepTimes, TraceContext, trace_id};

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
    job_id: JobId,
    /// The job as the circuits know it.
    caller: Caller,
    metadata: Metadata,
    steps: Mutex<StepTimes>,
}

/// The job's span, which goes on with the sender's trace where there is one.
fn job_span(run: &Run<'_>) -> Span {
    let queue = run.worker.names.jobs.as_str();
    let span = tracing::info_span!("job", job.id = run.job_id.as_str(), otel.name = format!("process {queue}"), otel.kind = "consumer");
    run.delivery.trace_context().adopt(&span);
    span.set_attribute("messaging.system", "rabbitmq");
    span.set_attribute("messaging.operation.type", "process");
    span.set_attribute("messaging.destination.name", queue.to_owned());
    span.set_attribute("messaging.message.body.size", run.delivery.body().len() as i64);
    span.set_attribute("idmill.attempt", i64::from(run.history.attempt));
    span
}

/// Runs one job to its settlement, and says how it went in one line.
pub(super) async fn run(worker: &Arc<Worker>, delivery: Delivery) {
    let started = Instant::now();
    let mut history = delivery.history();
    history.first_seen.get_or_insert_with(OffsetDateTime::now_utc);
    let job_id = JobId::of_message(delivery.body(), delivery.message_id());
    let parsed = Job::parse(delivery.body(), delivery.message_id());
    let metadata = parsed.as_ref().map(|job| job.metadata.clone()).unwrap_or_default();
    let caller = BuildHasherDefault::<DefaultHasher>::default().hash_one(&job_id);
    let run = Run { worker, delivery: &delivery, history, job_id, caller, metadata, steps: Mutex::default() };
    counter!(DELIVERIES, "redelivered" => delivery.redelivered().to_string()).increment(1);
    let span = job_span(&run);

    let end = run.to_the_end(parsed).instrument(span.clone()).await;
    let took_ms = started.elapsed().as_millis() as u64;
    let (outcome, class) = match &end {
        Ok(End::Read) => ("read", "none"),
        Ok(End::Kept(event)) => (if event.is_failure() { "failed" } else { "read" }, "none"),
        Ok(End::Held { failure, burned: true, .. }) => ("retried", failure.class.as_str()),
        Ok(End::Held { failure, burned: false, .. }) => ("deferred", failure.class.as_str()),
        Ok(End::DeadLettered(failure)) => ("failed", failure.class.as_str()),
        Err(LeaseLost) => ("lost", "none"),
    };
    counter!(JOBS, "outcome" => outcome, "class" => class).increment(1);
    histogram!(JOB_SECONDS, "outcome" => outcome).record(started.elapsed());
    span.set_attribute("idmill.outcome", outcome);
    if class != "none" {
        span.set_attribute("error.type", class);
        span.set_status(Status::error(class));
    }
    let (job, attempt, redelivered) = (run.job_id.as_str(), run.history.attempt, delivery.redelivered());
    let trace_id = trace_id(&span);
    let steps = run.steps();
    // The fields that every line about a job has; steps that were not run are left out.
    macro_rules! log {
        ($level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
            tracing::$level!(
                job.id = job, trace_id, outcome, class, attempt, redelivered, $($name = $value,)* took_ms,
                fetch_ms = steps.millis(Step::Fetch), wait_ms = steps.millis(Step::Wait), decode_ms = steps.millis(Step::Decode),
                detect_ms = steps.millis(Step::Detect), recognise_ms = steps.millis(Step::Recognise), parse_ms = steps.millis(Step::Parse),
                ask_ms = steps.millis(Step::Ask), publish_ms = steps.millis(Step::Publish),
                $message
            )
        };
    }
    match &end {
        Ok(End::Read) => log!(info, "document read"),
        Ok(End::Kept(_)) => log!(info, "job answered from memory", kept = true),
        Ok(End::Held { failure, delay, burned }) => {
            let delay_ms = delay.as_millis() as u64;
            log!(warn, "job held, to be tried again", attempt_burned = burned, delay_ms = delay_ms, reason = failure.reason);
        }
        Ok(End::DeadLettered(failure)) => log!(warn, "job dead-lettered", reason = failure.reason),
        Err(LeaseLost) => log!(warn, "lost the lease on a job: the broker delivers it again"),
    }
}

impl Run<'_> {
    async fn to_the_end(&self, parsed: Result<Job, Failure>) -> Result<End, LeaseLost> {
        // A reply_to that is not allowed is not asked; its failure is told to everyone.
        let everyone = &self.worker.names.events;
        let (job, exchange) = match (parsed, self.reply_exchange()) {
            (Ok(job), Ok(exchange)) => (job, exchange),
            (Err(failure), exchange) => return self.settle_failure(failure, exchange.as_deref().unwrap_or(everyone)).await,
            (Ok(_), Err(failure)) => return self.settle_failure(failure, everyone).await,
        };
        if let Some(event) = self.worker.kept.get(&self.key()).filter(|event| !event.is_failure() || self.delivery.redelivered()) {
            counter!(KEPT_RESULTS).increment(1);
            self.reply(&exchange, &event).await?;
            self.delivery.ack().await?;
            return Ok(End::Kept(event));
        }
        if self.delivery.n_earlier_deliveries() >= self.worker.params.topology.delivery_limit {
            return self.give_up_unread(&exchange).await;
        }
        match self.read(&job).await? {
            Ok(reading) => {
                let event = Arc::new(Event::read(self.subject(), answer::event_data(&reading), OffsetDateTime::now_utc()));
                drop(reading);
                self.worker.kept.keep(self.key(), Arc::clone(&event));
                self.reply(&exchange, &event).await?;
                self.delivery.ack().await?;
                Ok(End::Read)
            }
            Err(failure) => self.settle_failure(failure, &exchange).await,
        }
    }

    /// Reads the document, within budget, lease and deadline; tries again at once while that may help.
    async fn read(&self, job: &Job) -> Result<Result<Reading, Failure>, LeaseLost> {
        if job.deadline.is_some_and(|deadline| deadline < OffsetDateTime::now_utc()) {
            return Ok(Err(Failure::new(Class::Expired, "the job's deadline was over before it was read")));
        }
        let budget = tokio::time::sleep(self.worker.params.worker.job_budget);
        tokio::pin!(budget);
        let mut last = None;
        for pause in IMMEDIATE.into_iter().map(Some).chain([None]) {
            let mut steps = StepTimes::default();
            let attempt = AssertUnwindSafe(self.worker.processor.process(job, &mut steps)).catch_unwind();
            let outcome = tokio::select! {
                biased;
                () = self.delivery.lease().cancelled() => return Err(LeaseLost),
                outcome = attempt => outcome.unwrap_or_else(|_| Err(Failure::new(Class::Internal, "reading the document panicked: a fault of idmill"))),
                () = &mut budget => return Ok(Err(last.unwrap_or_else(|| self.over_budget()))),
            };
            self.steps().extend(steps);
            self.worker.circuits.note_outcome(&outcome, self.caller, self.worker.params.reads_remotely);
            let Err(failure) = outcome else { return Ok(outcome) };
            let may_heal_at_once = failure.class == Class::Unavailable
                && failure.dependency.is_none_or(|dependency| !self.worker.circuits.is_open(dependency));
            let Some(pause) = pause.filter(|_| may_heal_at_once) else { return Ok(Err(failure)) };
            last = Some(failure);
            tokio::select! {
                () = self.delivery.lease().cancelled() => return Err(LeaseLost),
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(Err(last.unwrap_or_else(|| self.over_budget())))
    }

    fn steps(&self) -> MutexGuard<'_, StepTimes> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over_budget(&self) -> Failure {
        Failure::new(Class::Unavailable, format!("the job used up its budget of {:?}", self.worker.params.worker.job_budget))
    }

    async fn settle_failure(&self, failure: Failure, reply_exchange: &str) -> Result<End, LeaseLost> {
        let now = OffsetDateTime::now_utc();
        let age = self.history.first_seen.map(|first_seen| now - first_seen).and_then(|age| age.try_into().ok()).unwrap_or_default();
        let history = retry::History { attempt: self.history.attempt, deferrals: self.history.deferrals, age };
        let schedule = &self.worker.schedule;
        let verdict = if self.waits_for_outage(&failure) {
            retry::defer(history, schedule, failure.retry_after)
        } else {
            retry::decide(&failure, history, schedule)
        };
        match verdict {
            Verdict::Retry { delay, attempt } => {
                self.hold(delay, History { attempt, ..self.history }).await?;
                Ok(End::Held { failure, delay, burned: true })
            }
            Verdict::Defer { delay } => {
                self.hold(delay, History { deferrals: self.history.deferrals.saturating_add(1), ..self.history }).await?;
                Ok(End::Held { failure, delay, burned: false })
            }
            Verdict::DeadLetter => {
                self.bury(&failure, now).await?;
                let event = Arc::new(Event::failed(self.subject(), &failure, self.history.attempt, now));
                // From here on the job has failed: if the broker brings it again, it must not be read after all.
                self.worker.kept.keep(self.key(), Arc::clone(&event));
                self.reply(reply_exchange, &event).await?;
                self.delivery.ack().await?;
                Ok(End::DeadLettered(failure))
            }
        }
    }

    /// Gives up a job that ended none of the deliveries it may have, without touching its images: whatever it does to
    /// the process, it would do again. The event goes first. Should the process die even now, the broker dead-letters
    /// the job by itself, but nobody else would tell of it.
    async fn give_up_unread(&self, reply_exchange: &str) -> Result<End, LeaseLost> {
        let now = OffsetDateTime::now_utc();
        let n_deliveries = self.delivery.n_earlier_deliveries();
        let failure = Failure::new(Class::DeliveryLimit, format!("the job was delivered {n_deliveries} times and never answered"));
        self.reply(reply_exchange, &Event::failed(self.subject(), &failure, self.history.attempt, now)).await?;
        self.bury(&failure, now).await?;
        self.delivery.ack().await?;
        Ok(End::DeadLettered(failure))
    }

    /// Publishes the job as a dead letter.
    async fn bury(&self, failure: &Failure, now: OffsetDateTime) -> Result<(), LeaseLost> {
        let letter = self.delivery.copy_to(&self.worker.names.dead).with_history(self.history).with_failure(failure, now);
        self.publish(letter).await
    }

    /// Whether the job failed on a dependency that is known to be down, so that it did nothing wrong; but not for ever
    /// where the dependency fails on nothing else.
    fn waits_for_outage(&self, failure: &Failure) -> bool {
        let circuits = &self.worker.circuits;
        let Some(dependency) = failure.dependency.filter(|dependency| circuits.is_open(*dependency)) else { return false };
        match failure.class {
            Class::Unavailable => self.history.deferrals < retry::LONE_DEFERRALS || !circuits.fails_alone(dependency, self.caller),
            Class::ImageMissing => true,
            // Those of a dependency are deferred in any case, and the others are the job's own.
            Class::Throttled | Class::Unauthorised => false,
            Class::BadJob | Class::Expired | Class::BadImage | Class::Rejected | Class::NoData | Class::Internal | Class::DeliveryLimit => {
                false
            }
        }
    }

    async fn hold(&self, delay: Duration, history: History) -> Result<(), LeaseLost> {
        let copy = self.delivery.copy_to(&self.worker.names.hold(delay)).with_history(history);
        self.publish(copy).await?;
        self.delivery.ack().await
    }

    fn key(&self) -> Key {
        Key::new(&self.job_id, self.history.replay, self.delivery.body())
    }

    fn subject(&self) -> Subject<'_> {
        Subject { job_id: &self.job_id, replay: self.history.replay, metadata: &self.metadata }
    }

    /// The exchange that the sender wants its answer on, where that is allowed.
    fn reply_exchange(&self) -> Result<String, Failure> {
        let names = &self.worker.names;
        match self.delivery.reply_to() {
            None => Ok(names.events.clone()),
            Some(wish)
                if *wish == names.events || self.worker.params.topology.allowed_reply_exchanges.iter().any(|allowed| allowed == wish) =>
            {
                Ok(wish.to_owned())
            }
            Some(_) => Err(Failure::new(Class::BadJob, "reply_to names an exchange that is not in topology.allowed_reply_exchanges")),
        }
    }

    async fn reply(&self, exchange: &str, event: &Event) -> Result<(), LeaseLost> {
        let message =
            Outgoing::json(exchange, event.routing_key, &event.id.to_string(), "application/cloudevents+json", event.body.clone());
        self.publish(self.delivery.answered_by(message)).await?;
        self.worker.circuits.note(Dependency::Reply, Signal::Healthy, self.caller, "");
        Ok(())
    }

    /// Publishes for as long as the lease lasts.
    async fn publish(&self, message: Outgoing) -> Result<(), LeaseLost> {
        let started = Instant::now();
        let note = |error: &PublishError| {
            counter!(PUBLISH_FAILURES).increment(1);
            tracing::warn!(job.id = self.job_id.as_str(), %error, "failed to publish, trying again");
            self.worker.health.set("publish", error.to_string());
            match error {
                PublishError::Unroutable { exchange, .. } if exchange.is_empty() && makes_topology(&self.worker.params) => {
                    self.worker.queue_missing.notify_one()
                }
                PublishError::Unroutable { .. } | PublishError::Forbidden { .. } => {
                    self.worker.circuits.note(Dependency::Reply, Signal::Refused, self.caller, &error.to_string())
                }
                PublishError::Refused | PublishError::Unavailable(_) => {}
            }
        };
        let destination = if message.exchange.is_empty() { &message.routing_key } else { &message.exchange };
        let span = tracing::info_span!("publish", otel.name = format!("publish {destination}"), otel.kind = "producer");
        span.set_attribute("messaging.system", "rabbitmq");
        span.set_attribute("messaging.operation.type", "send");
        span.set_attribute("messaging.destination.name", destination.clone());
        let message = message.with_trace_context(&TraceContext::of(&span));
        let publishing = self.worker.publisher.publish_until(&message, self.delivery.lease(), note);
        publishing.instrument(span).await.map_err(|_| LeaseLost)?;
        self.worker.health.clear("publish");
        self.steps().add(Step::Publish, started.elapsed());
        Ok(())
    }
}
