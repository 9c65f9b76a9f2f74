//! How a job's messages get to the broker, and how long each of them is tried.
//!
//! While the broker does not answer, everything waits: nothing else could be done with the job. A refusal is another matter.
//! What must go into our own queues is tried for as long as the lease lasts, unless the broker has something against the message
//! itself; an event may be refused to the job, and the event of a job that was given up is put off like a job.

use std::time::Instant;

use metrics::counter;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::Run;
use crate::broker::{DIRECT_REPLY, LeaseLost, Outgoing, PublishError, Publisher, is_direct_reply};
use crate::circuit::Signal;
use crate::event::Event;
use crate::failure::{Class, Dependency, Failure};
use crate::telemetry::metric::PUBLISH_FAILURES;
use crate::telemetry::{Step, TraceContext};
use crate::worker::makes_topology;

/// Faults of the broker over one and the same answer, on connections that carried nothing else, after which its address is taken
/// for the reason.
const FAULTS_OF_AN_ADDRESS: u32 = 3;

/// Rejections of one and the same copy after which another try is of no use: the first one is believed, and confirmed once.
const REJECTIONS_OF_A_COPY: u32 = 2;

impl Run<'_> {
    /// Publishes the event of a document that was read; the failure is what becomes of the job where the exchange refuses it.
    pub(super) async fn offer(&self, exchange: &str, event: &Event) -> Result<Result<(), Failure>, LeaseLost> {
        if exchange == self.worker.link.names.events { self.offer_to_all(event).await } else { self.offer_to_one(exchange, event).await }
    }

    /// Our own exchange is everyone's: it is waited for, for one more job's budget, and no job is taken meanwhile. Then the
    /// job is put off: the broker takes back what was held for too long, and counts that as a delivery.
    async fn offer_to_all(&self, event: &Event) -> Result<Result<(), Failure>, LeaseLost> {
        let worker = self.worker;
        let give_up_at = Instant::now() + worker.params.worker.job_budget;
        let events = &worker.link.names.events;
        let go_on = |error: &PublishError| {
            self.note_refusal(events, error);
            match error {
                PublishError::Fault(_) | PublishError::Unavailable(_) => true,
                PublishError::Unroutable { .. } | PublishError::Forbidden { .. } => Instant::now() < give_up_at,
                // One queue of several may have refused it, and each try puts it into all others.
                PublishError::Refused => {
                    worker.circuits.refused_by(events, Signal::Failed, self.caller, &error.to_string());
                    !worker.circuits.is_open(Dependency::Reply)
                }
                PublishError::Rejected(_) => false,
            }
        };
        let published = self.publish(&worker.link.publisher, self.addressed(events, event), go_on).await?;
        if published.is_ok() {
            worker.circuits.answered(self.caller);
        }
        Ok(published.map_err(|error| {
            let failure = Failure::of(Dependency::Reply, Class::Unavailable, error.to_string());
            failure.count();
            failure
        }))
    }

    /// An exchange that the job names is this job's affair, and that of the others that name it: it is asked once.
    async fn offer_to_one(&self, exchange: &str, event: &Event) -> Result<Result<(), Failure>, LeaseLost> {
        let published = self.ask_once(exchange, event).await?;
        match &published {
            // An address is a sender's own, and no exchange that others name too.
            _ if is_direct_reply(exchange) => {}
            Ok(()) => self.worker.routes.took(exchange),
            Err(error) => self.worker.routes.refused(exchange, &error.to_string()),
        }
        Ok(published.map_err(|error| Failure::new(Class::Unavailable, error.to_string())))
    }

    /// Tells that the job was given up: where the job wants it, and on our own exchange where that refuses it. Neither is
    /// waited for, nor stops the intake: nobody may want to hear of failures. Nor does it show that anybody takes the events of
    /// documents.
    pub(super) async fn tell_failure(&self, exchange: &str, event: &Event) -> Result<Result<(), PublishError>, LeaseLost> {
        let ours = &self.worker.link.names.events;
        if exchange != ours && self.ask_once(exchange, event).await?.is_ok() {
            return Ok(Ok(()));
        }
        self.ask_once(ours, event).await
    }

    /// Publishes an event where the job wants it; what refuses it is not asked again.
    async fn ask_once(&self, exchange: &str, event: &Event) -> Result<Result<(), PublishError>, LeaseLost> {
        let published = if is_direct_reply(exchange) {
            self.answer_sender(exchange, event).await?
        } else {
            self.publish(&self.worker.link.publisher, self.addressed(exchange, event), |error| !error.is_refusal()).await?
        };
        if published.is_ok() && exchange != self.worker.link.names.events && self.worker.is_only_job() {
            // Whoever waited for our exchange or queues has gone, and those who come may not need them.
            self.worker.circuits.answered(self.caller);
        }
        Ok(published)
    }

    /// Answers by direct reply-to. Where the sender is gone, the broker drops the answer; where its node is gone too, or never
    /// was, it may fail over the address. Whether it was this one shows on a connection of its own: then nobody waits there.
    async fn answer_sender(&self, address: &str, event: &Event) -> Result<Result<(), PublishError>, LeaseLost> {
        let answers = &self.worker.link.answers;
        let answer = || self.addressed(address, event);
        let published = self.publish(answers, answer(), |error| matches!(error, PublishError::Unavailable(_))).await?;
        if !matches!(published, Err(PublishError::Fault(_))) {
            return Ok(published);
        }
        let apart = answers.apart();
        let mut n_faults = 0;
        let go_on = |error: &PublishError| {
            n_faults += u32::from(matches!(error, PublishError::Fault(_)));
            !error.is_refusal() && n_faults < FAULTS_OF_AN_ADDRESS
        };
        let published = self.publish(&apart, answer(), go_on).await?;
        apart.close().await;
        if matches!(published, Err(PublishError::Fault(_))) {
            tracing::warn!(job.id = self.job_id.as_str(), "the job's sender is not connected any more: nobody gets its event");
            return Ok(Ok(()));
        }
        Ok(published)
    }

    /// Puts a copy into a queue of ours, for as long as the lease lasts; the inner error is what the broker has against this very
    /// copy.
    pub(super) async fn insist(&self, copy: Outgoing) -> Result<Result<(), PublishError>, LeaseLost> {
        let queue = copy.routing_key.clone();
        let mut n_rejections = 0;
        let go_on = |error: &PublishError| {
            self.note_refusal(&queue, error);
            n_rejections += u32::from(matches!(error, PublishError::Rejected(_)));
            n_rejections < REJECTIONS_OF_A_COPY
        };
        let published = self.publish(&self.worker.link.publisher, copy, go_on).await?;
        if published.is_ok() {
            self.worker.circuits.taken_by(&queue, self.caller);
        }
        Ok(published)
    }

    /// Notes that a part of the topology that all jobs need is not there, or not ours to write to: the intake stops.
    fn note_refusal(&self, place: &str, error: &PublishError) {
        let worker = self.worker;
        match error {
            PublishError::Unroutable { exchange, .. } if exchange.is_empty() && makes_topology(&worker.params) => {
                worker.queue_missing.notify_one();
            }
            PublishError::Unroutable { .. } | PublishError::Forbidden { .. } => {
                worker.circuits.refused_by(place, Signal::Refused, self.caller, &error.to_string());
            }
            PublishError::Refused | PublishError::Rejected(_) | PublishError::Fault(_) | PublishError::Unavailable(_) => {}
        }
    }

    fn addressed(&self, exchange: &str, event: &Event) -> Outgoing {
        let (exchange, key) = if is_direct_reply(exchange) { ("", exchange) } else { (exchange, event.routing_key) };
        let message = Outgoing::json(exchange, key, &event.id.to_string(), "application/cloudevents+json", event.body.clone());
        self.delivery.answered_by(message)
    }

    /// Publishes until the broker has the message or `go_on` wants no other try; the inner error is the last one then.
    async fn publish(
        &self,
        publisher: &Publisher,
        message: Outgoing,
        mut go_on: impl FnMut(&PublishError) -> bool,
    ) -> Result<Result<(), PublishError>, LeaseLost> {
        let started = Instant::now();
        let go_on = |error: &PublishError| {
            counter!(PUBLISH_FAILURES).increment(1);
            let goes_on = go_on(error);
            tracing::warn!(job.id = self.job_id.as_str(), %error, goes_on, "failed to publish");
            if goes_on {
                self.worker.health.set("publish", error.to_string());
            }
            goes_on
        };
        let destination = match &message {
            // The key is all that is needed to answer in our name.
            message if !message.is_mandatory() => DIRECT_REPLY,
            message if message.exchange.is_empty() => &message.routing_key,
            message => &message.exchange,
        };
        let span = tracing::info_span!("publish", otel.name = format!("publish {destination}"), otel.kind = "producer");
        span.set_attribute("messaging.system", "rabbitmq");
        span.set_attribute("messaging.operation.type", "send");
        span.set_attribute("messaging.destination.name", destination.to_owned());
        let message = message.with_trace_context(&TraceContext::of(&span));
        let published = publisher.publish_until(&message, self.delivery.lease_lost(), go_on).instrument(span).await;
        if published.is_err() && self.delivery.lease_lost().is_cancelled() {
            return Err(LeaseLost);
        }
        self.worker.health.clear("publish");
        self.steps().add(Step::Publish, started.elapsed());
        Ok(published)
    }
}
