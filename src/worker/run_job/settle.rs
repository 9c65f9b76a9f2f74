//! What becomes of a job: answered, put off, or given up. Each ends with the acknowledgement, and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::{End, Run};
use crate::broker::{History, LeaseLost};
use crate::event::Event;
use crate::failure::{Class, Dependency, Failure};
use crate::retry::{self, Verdict};

impl Run<'_> {
    /// Answers with the event of a document that was read; where its exchange refuses it, that is the job's failure.
    pub(super) async fn settle_read(&self, event: &Event, exchange: &str, end: End) -> Result<End, LeaseLost> {
        match self.offer(exchange, event).await? {
            Ok(()) => {
                self.delivery.ack().await?;
                Ok(end)
            }
            Err(failure) => self.settle_failure(failure, exchange).await,
        }
    }

    /// Answers with an event from memory.
    pub(super) async fn settle_kept(&self, event: Arc<Event>, exchange: &str) -> Result<End, LeaseLost> {
        if !event.is_failure() {
            return self.settle_read(&event, exchange, End::Kept(Arc::clone(&event))).await;
        }
        self.tell_failure(exchange, &event).await?;
        self.delivery.ack().await?;
        Ok(End::Kept(event))
    }

    /// Puts the job off or gives it up, as its failure and its history want it.
    pub(super) async fn settle_failure(&self, failure: Failure, exchange: &str) -> Result<End, LeaseLost> {
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
                self.tell_failure(exchange, &event).await?;
                self.delivery.ack().await?;
                Ok(End::DeadLettered(failure))
            }
        }
    }

    /// Gives up a job that ended none of the deliveries it may have, without touching its images: whatever it does to
    /// the process, it would do again. The event goes first. Should the process die even now, the broker dead-letters
    /// the job by itself, but nobody else would tell of it.
    pub(super) async fn give_up_unread(&self, exchange: &str) -> Result<End, LeaseLost> {
        let now = OffsetDateTime::now_utc();
        let n_deliveries = self.delivery.n_earlier_deliveries();
        let failure = Failure::new(Class::DeliveryLimit, format!("the job was delivered {n_deliveries} times and never answered"));
        let event = Arc::new(Event::failed(self.subject(), &failure, self.history.attempt, now));
        self.tell_failure(exchange, &event).await?;
        self.bury(&failure, now).await?;
        self.worker.kept.keep(self.key(), event);
        self.delivery.ack().await?;
        Ok(End::DeadLettered(failure))
    }

    /// Publishes the job as a dead letter.
    async fn bury(&self, failure: &Failure, now: OffsetDateTime) -> Result<(), LeaseLost> {
        let letter = self.delivery.copy_to(&self.worker.link.names.dead).with_history(self.history).with_failure(failure, now);
        self.insist(letter).await
    }

    async fn hold(&self, delay: Duration, history: History) -> Result<(), LeaseLost> {
        let copy = self.delivery.copy_to(&self.worker.link.names.hold(delay)).with_history(history);
        self.insist(copy).await?;
        self.delivery.ack().await
    }

    /// Whether the job failed on a dependency that is known to be down, so that it did nothing wrong; but not for ever
    /// where the dependency fails on nothing else.
    fn waits_for_outage(&self, failure: &Failure) -> bool {
        let circuits = &self.worker.circuits;
        let Some(dependency) = failure.dependency.filter(|dependency| circuits.is_open(*dependency)) else { return false };
        match failure.class {
            // Whether our exchange takes events hangs on no document.
            Class::Unavailable if dependency == Dependency::Reply => true,
            Class::Unavailable => self.history.deferrals < retry::LONE_DEFERRALS || !circuits.fails_alone(dependency, self.caller),
            Class::Denied => true,
            // Those of a dependency are deferred in any case, and the others are the job's own.
            Class::Throttled | Class::Unauthorised => false,
            Class::BadJob
            | Class::Expired
            | Class::BadImage
            | Class::ImageMissing
            | Class::Rejected
            | Class::NoData
            | Class::Internal
            | Class::DeliveryLimit => false,
        }
    }
}
