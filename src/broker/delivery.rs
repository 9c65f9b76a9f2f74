use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use time::OffsetDateTime;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use super::header::number;
use super::history::History;
use super::message::{Outgoing, dead_since, trace_context, untold};
use crate::failure::Failure;
use crate::telemetry::TraceContext;

/// One job as the broker handed it over, with the lease to settle it.
///
/// `Debug` is left out on purpose: bodies and headers belong to the producer.
pub struct Delivery {
    pub(super) inner: lapin::message::Delivery,
    lease: Lease,
}

/// The right to settle what one consumer was given.
#[derive(Clone)]
pub(super) struct Lease {
    /// Ends when the channel is lost: the broker then gives the jobs to someone else.
    pub(super) lost: CancellationToken,
    /// Read by whoever settles; written while nothing may be settled.
    pub(super) settling: Arc<RwLock<()>>,
    /// What the consumer was given and has not settled.
    pub(super) n_unsettled: Arc<AtomicUsize>,
}

impl Lease {
    pub(super) fn n_unsettled(&self) -> usize {
        self.n_unsettled.load(Ordering::SeqCst)
    }
}

/// The channel is gone, and with it the right to settle; the job will come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease on the job is lost; the broker will deliver it again")]
pub struct LeaseLost;

impl Delivery {
    pub(super) fn new(inner: lapin::message::Delivery, lease: Lease) -> Self {
        lease.n_unsettled.fetch_add(1, Ordering::SeqCst);
        Self { inner, lease }
    }

    /// The message's body.
    pub fn body(&self) -> &[u8] {
        &self.inner.data
    }

    /// The AMQP property `message_id`.
    pub fn message_id(&self) -> Option<&str> {
        self.inner.properties.message_id().as_ref().map(lapin::types::ShortString::as_str)
    }

    /// The AMQP property `reply_to`: the sender's wish, not to be trusted.
    pub fn reply_to(&self) -> Option<&str> {
        self.inner.properties.reply_to().as_ref().map(lapin::types::ShortString::as_str)
    }

    /// What the message says its job has behind it.
    pub fn history(&self) -> History {
        self.inner.properties.headers().as_ref().map_or_else(|| History::of(&Default::default()), History::of)
    }

    /// Why and when the job was given up, where it only waits for somebody who takes its event.
    pub fn untold(&self) -> Option<(Failure, OffsetDateTime)> {
        untold(self.inner.properties.headers().as_ref()?)
    }

    /// When the job was given up, where this is its dead letter that somebody moved back, or a copy of that.
    pub fn dead_since(&self) -> Option<OffsetDateTime> {
        dead_since(self.inner.properties.headers().as_ref()?)
    }

    /// Where the sender's trace stands.
    pub fn trace_context(&self) -> TraceContext {
        trace_context(&self.inner.properties)
    }

    /// How often the broker delivered this very message before and got no answer: crashes, lost connections.
    pub fn n_earlier_deliveries(&self) -> u32 {
        let counted = self.inner.properties.headers().as_ref().and_then(|headers| number(headers, "x-delivery-count"));
        n_earlier_deliveries(self.inner.redelivered, counted)
    }

    /// Whether the broker delivered this message before.
    pub fn redelivered(&self) -> bool {
        self.inner.redelivered
    }

    /// Is cancelled when the lease is lost, with all others of its session; whoever works on the job should stop then.
    pub fn lease_lost(&self) -> &CancellationToken {
        &self.lease.lost
    }

    /// A copy for another queue.
    pub fn copy_to(&self, queue: &str) -> Outgoing {
        Outgoing::copy_of(&self.inner.properties, &self.inner.data, queue)
    }

    /// The message, addressed as an answer to this job: correlation id and trace context are the asker's.
    pub fn answered_by(&self, answer: Outgoing) -> Outgoing {
        answer.answering(&self.inner.properties)
    }

    /// Tells the broker that the job is settled for good.
    ///
    /// # Errors
    /// [`LeaseLost`]: the broker did not hear it, and the job will come again.
    pub async fn ack(&self) -> Result<(), LeaseLost> {
        // After a channel closed, lapin answers Ok(false) or an error, depending on who noticed first.
        if !self.inner.acker.usable() {
            return Err(LeaseLost);
        }
        self.settle(self.inner.acker.ack(BasicAckOptions::default())).await
    }

    /// Gives the job back untouched: "not now". From 4.3 on this does not count towards the delivery limit.
    ///
    /// # Errors
    /// [`LeaseLost`]: the broker has taken it back already.
    pub async fn give_back(&self) -> Result<(), LeaseLost> {
        self.settle(self.inner.acker.nack(BasicNackOptions { requeue: true, multiple: false })).await
    }

    /// Has the broker move the job itself to the dead letters: the way out for one of which it takes no copy, since its limits on
    /// what is published do not bind it there. Such a letter has no header of ours.
    ///
    /// # Errors
    /// [`LeaseLost`]: the broker has taken it back already.
    pub async fn reject(&self) -> Result<(), LeaseLost> {
        self.settle(self.inner.acker.reject(BasicRejectOptions { requeue: false })).await
    }

    async fn settle(&self, call: impl Future<Output = Result<bool, lapin::Error>>) -> Result<(), LeaseLost> {
        let settling = async {
            let _allowed = self.lease.settling.read().await;
            call.await
        };
        tokio::select! {
            biased;
            settled = settling => match settled {
                Ok(true) => {
                    self.lease.n_unsettled.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                }
                Ok(false) | Err(_) => Err(LeaseLost),
            },
            () = self.lease.lost.cancelled() => Err(LeaseLost),
        }
    }
}

/// On a first delivery 3.10 sends 0, and 4.x leaves the header as the sender wrote it: nobody's count is believed there.
fn n_earlier_deliveries(redelivered: bool, counted: Option<u32>) -> u32 {
    if redelivered { counted.unwrap_or(1) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_delivery_has_none_before_it_whatever_its_sender_says() {
        for counted in [None, Some(0), Some(20)] {
            assert_eq!(n_earlier_deliveries(false, counted), 0);
        }
        assert_eq!((n_earlier_deliveries(true, None), n_earlier_deliveries(true, Some(3))), (1, 3));
    }
}
