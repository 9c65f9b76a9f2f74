//! What becomes of a job: answered, put off, or given up. Each ends with the acknowledgement, and nothing else does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::{End, Run};
use crate::broker::{History, LeaseLost, Outgoing, PublishError};
use crate::event::Event;
use crate::failure::{Class, Dependency, Failure};
use crate::retry::{self, Verdict};
use crate::worker::kept::{Ended, GivenUp};

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
    pub(super) async fn settle_kept(&self, ended: Ended, exchange: &str) -> Result<End, LeaseLost> {
        match ended {
            Ended::Read(event) => self.settle_read(&event, exchange, End::Kept(Arc::clone(&event))).await,
            Ended::GivenUp(given_up) => {
                let was_told = self.delivery.untold().is_none();
                let end = if was_told { End::Kept(Arc::clone(&given_up.event)) } else { End::DeadLettered(given_up.failure.clone()) };
                self.settle_given_up(&given_up, exchange, end).await
            }
        }
    }

    /// Puts the job off or gives it up, as its failure and its history want it.
    pub(super) async fn settle_failure(&self, failure: Failure, exchange: &str) -> Result<End, LeaseLost> {
        let now = OffsetDateTime::now_utc();
        let history = self.past(self.first_seen, now);
        let schedule = &self.worker.schedule;
        let verdict = if self.waits_for_outage(&failure) {
            retry::defer(history, schedule, failure.retry_after)
        } else {
            retry::decide(&failure, history, schedule)
        };
        let (delay, history, burned) = match verdict {
            Verdict::Retry { delay, attempt } => (delay, History { attempt, ..self.history }, true),
            Verdict::Defer { delay } => (delay, self.deferred_once_more(), false),
            Verdict::DeadLetter => return self.give_up(failure, exchange, now).await,
        };
        match self.insist(self.copy_to_hold(delay, history)).await? {
            Ok(()) => {
                self.delivery.ack().await?;
                Ok(End::Held { failure, delay, burned })
            }
            Err(error) => {
                let reason = format!("{}; and the job cannot wait for another try: {error}", failure.reason);
                self.give_up(Failure { reason, ..failure }, exchange, now).await
            }
        }
    }

    /// Gives up a job that ended none of the deliveries it may have, without touching its images: whatever it does to
    /// the process, it would do again.
    pub(super) async fn give_up_unread(&self, exchange: &str) -> Result<End, LeaseLost> {
        let n_deliveries = self.delivery.n_earlier_deliveries();
        let failure = Failure::new(Class::DeliveryLimit, format!("the job was delivered {n_deliveries} times and never answered"));
        self.give_up(failure, exchange, OffsetDateTime::now_utc()).await
    }

    /// Gives the job up. From here on it has failed: if the broker brings it again, it must not be read after all.
    async fn give_up(&self, failure: Failure, exchange: &str, now: OffsetDateTime) -> Result<End, LeaseLost> {
        let given_up = self.given_up(failure, now, false);
        self.settle_given_up(&given_up, exchange, End::DeadLettered(given_up.failure.clone())).await
    }

    /// Tells of a job that was given up then, perhaps by another process, and has its letter.
    pub(super) async fn tell_at_last(&self, failure: Failure, at: OffsetDateTime, exchange: &str) -> Result<End, LeaseLost> {
        let given_up = self.given_up(failure, at, true);
        self.settle_given_up(&given_up, exchange, End::DeadLettered(given_up.failure.clone())).await
    }

    fn given_up(&self, failure: Failure, at: OffsetDateTime, has_letter: bool) -> Arc<GivenUp> {
        let event = Arc::new(Event::failed(self.subject(), &failure, self.history.attempt, at));
        let given_up = Arc::new(GivenUp { event, failure, at, has_letter: AtomicBool::new(has_letter) });
        self.worker.kept.keep(self.key(), Ended::GivenUp(Arc::clone(&given_up)));
        given_up
    }

    /// Writes the dead letter of a job that was given up, where that is still to be done, and tells its event, or puts that
    /// off where nobody takes it.
    ///
    /// Of a job that may kill the process the event goes first: should it die even now, the broker dead-letters the job by
    /// itself, but nobody else would tell of it.
    async fn settle_given_up(&self, given_up: &GivenUp, exchange: &str, end: End) -> Result<End, LeaseLost> {
        let may_kill = given_up.failure.class == Class::DeliveryLimit;
        let told = if may_kill { Some(self.tell_failure(exchange, &given_up.event).await?) } else { None };
        if !given_up.has_letter.load(Ordering::Relaxed) {
            let letter = self.delivery.copy_to(&self.worker.link.names.dead).with_history(self.history);
            let written = self.insist(letter.with_failure(&given_up.failure, given_up.at)).await?;
            given_up.has_letter.store(written.is_ok(), Ordering::Relaxed);
        }
        let told = match told {
            Some(told) => told,
            None => self.tell_failure(exchange, &given_up.event).await?,
        };
        let end = match told {
            Ok(()) => {
                self.lay_to_rest(given_up).await?;
                end
            }
            Err(error) => self.put_off_event(given_up, &error).await?,
        };
        self.worker.kept.acked(&self.key(), Instant::now());
        Ok(end)
    }

    /// Settles a job that was given up and needs nothing more: by its letter, or as its own letter where the broker takes no copy
    /// of it, being larger than what may be published by now.
    async fn lay_to_rest(&self, given_up: &GivenUp) -> Result<(), LeaseLost> {
        if given_up.has_letter.load(Ordering::Relaxed) {
            return self.delivery.ack().await;
        }
        tracing::warn!(
            job.id = self.job_id.as_str(),
            class = given_up.failure.class.as_str(),
            "the broker takes no copy of a job that was given up: it moves the job to the dead letters itself, where its class is unknown"
        );
        self.delivery.reject().await?;
        // Nothing in that letter says when the job was given up, should somebody move it back.
        self.worker.kept.forget(&self.key());
        Ok(())
    }

    /// Has a job that has ended wait for somebody who takes its event; but not for longer than any other job waits.
    async fn put_off_event(&self, given_up: &GivenUp, error: &PublishError) -> Result<End, LeaseLost> {
        let failure = Failure { reason: format!("given up, and nobody takes its event: {error}"), ..given_up.failure.clone() };
        let verdict = retry::defer(self.past(given_up.at, OffsetDateTime::now_utc()), &self.worker.schedule, None);
        // Whoever takes the copy relies on the letter.
        if let Verdict::Defer { delay } = verdict
            && given_up.has_letter.load(Ordering::Relaxed)
        {
            let copy = self.copy_to_hold(delay, self.deferred_once_more());
            if self.insist(copy.with_failure(&given_up.failure, given_up.at).untold()).await?.is_ok() {
                self.delivery.ack().await?;
                return Ok(End::Held { failure, delay, burned: false });
            }
        }
        tracing::error!(job.id = self.job_id.as_str(), %error, "nobody took the event of a job that was given up: its dead letter alone tells of it");
        self.lay_to_rest(given_up).await?;
        Ok(End::DeadLettered(failure))
    }

    fn deferred_once_more(&self) -> History {
        History { deferrals: self.history.deferrals.saturating_add(1), ..self.history }
    }

    fn copy_to_hold(&self, delay: Duration, history: History) -> Outgoing {
        self.delivery.copy_to(&self.worker.link.names.hold(delay)).with_history(history)
    }

    /// What the job has behind it, its age counted from then on.
    fn past(&self, since: OffsetDateTime, now: OffsetDateTime) -> retry::History {
        let age = (now - since).try_into().unwrap_or_default();
        retry::History { attempt: self.history.attempt, deferrals: self.history.deferrals, age }
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
