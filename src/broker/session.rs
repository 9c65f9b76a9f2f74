use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer, ErrorKind, Event};
use tokio::sync::RwLock;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::connect::{Connector, Role};
use super::delivery::{Delivery, Lease};

/// Time without a delivery after which the queue is asked whether it has nothing for a consumer that may still take some. The
/// longer, the less likely it is that a job is published just while the broker handles the cancel, which takes milliseconds.
const QUIET: Duration = Duration::from_secs(1);

/// Longest time that acknowledgements are held back for, where jobs trickle in and never fill a consumer.
const LONGEST_FILL: Duration = Duration::from_secs(5);

/// One life of the consuming connection. A new connection is a new session with new leases: a delivery of an old one can
/// only ever be settled on its own dead channel, so a stale acknowledgement cannot hit another job.
pub struct Session {
    connection: Connection,
    channel: Channel,
    queue: String,
    lost: CancellationToken,
    /// Written while acknowledgements are held back.
    settling: Arc<RwLock<()>>,
}

/// Connection or channel is gone; a new session has to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session with the broker is lost")]
pub struct SessionLost;

/// Deliveries of one consumer, until it is cancelled.
pub struct Deliveries {
    consumer: Consumer,
    prefetch: usize,
    lease: Lease,
}

impl Session {
    /// Connects and opens the one channel that jobs are taken and settled on.
    ///
    /// # Errors
    /// The broker cannot be reached or refuses; see [`Connector::connect`].
    pub async fn open(connector: &Connector, queue: &str) -> anyhow::Result<Self> {
        let connection = connector.connect(Role::Consume).await?;
        let channel = connection.create_channel().await?;
        let lost = CancellationToken::new();
        let mut events = connection.events_listener();
        let notice = lost.clone();
        tokio::spawn(async move {
            let broken = async {
                loop {
                    match events.next().await {
                        Some(Event::Error(error)) => return end(&notice, &error),
                        Some(_) => {}
                        None => return notice.cancel(),
                    }
                }
            };
            tokio::select! {
                () = broken => {}
                () = notice.cancelled() => {}
            }
        });
        Ok(Self { connection, channel, queue: queue.into(), lost, settling: Arc::default() })
    }

    /// The connection, to declare the topology on.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Ends when connection or channel is gone, and with them every lease.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Takes one job, or `None` when none is ready.
    ///
    /// # Errors
    /// The session is lost.
    pub async fn take_one(&self) -> Result<Option<Delivery>, SessionLost> {
        let message = self.unless_lost(self.channel.basic_get(self.queue.as_str().into(), BasicGetOptions { no_ack: false })).await?;
        Ok(message.map(|message| Delivery::new(message.delivery, self.lease())))
    }

    /// Starts a consumer that holds at most `prefetch` unsettled jobs. Never more than there are workers for: innocent
    /// jobs that are requeued together with one that kills the process count towards the delivery limit too.
    ///
    /// # Errors
    /// The session is lost, or the queue is gone.
    pub async fn consume(&self, prefetch: u16) -> Result<Deliveries, SessionLost> {
        let start = async {
            // Per consumer, never global: global QoS on a quorum queue kills the connection.
            self.channel.basic_qos(prefetch, BasicQosOptions { global: false }).await?;
            self.channel.basic_consume(self.queue.as_str().into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await
        };
        let consumer = self.unless_lost(start).await?;
        Ok(Deliveries { consumer, prefetch: prefetch.into(), lease: self.lease() })
    }

    /// Stops a consumer at once and returns what it had taken and nobody has begun; all jobs keep their lease.
    ///
    /// What the broker has on its way to the consumer in that moment never arrives: a quorum queue takes it back, as a
    /// redelivery that counts towards its limit. [`finish`](Self::finish) avoids that.
    pub async fn cancel(&self, mut deliveries: Deliveries) -> Vec<Delivery> {
        let tag = deliveries.consumer.tag();
        if self.unless_lost(self.channel.basic_cancel(tag, BasicCancelOptions::default())).await.is_err() {
            return Vec::new();
        }
        let mut taken = Vec::new();
        while let Some(Ok(delivery)) = deliveries.consumer.next().await {
            taken.push(Delivery::new(delivery, deliveries.lease.clone()));
        }
        taken
    }

    /// Stops a consumer so that nothing is delivered twice; `start` gets what it still takes, to be worked on at once.
    ///
    /// Nothing may be on its way when the broker hears of the cancel. So no acknowledgement makes room for another job
    /// until the consumer holds all that its prefetch allows, or the queue has nothing for it. No time without a delivery shows
    /// the latter, since a busy broker may take long over earlier acknowledgements, each of which lets it deliver another job: after
    /// three seconds of it one was seen to come back. A get is answered after all of them.
    pub async fn finish(&self, mut deliveries: Deliveries, mut start: impl FnMut(Delivery)) {
        let _held_back = tokio::select! {
            () = self.lost.cancelled() => return,
            held_back = self.settling.write() => held_back,
        };
        let ask_at = Instant::now() + LONGEST_FILL;
        while deliveries.lease.n_unsettled() < deliveries.prefetch {
            match timeout_at(ask_at.min(Instant::now() + QUIET), deliveries.next()).await {
                Ok(Some(delivery)) => start(delivery),
                // The broker has cancelled the consumer itself, or is gone: there is nothing to cancel.
                Ok(None) => return,
                Err(_) => match self.take_one().await {
                    Ok(Some(delivery)) => start(delivery),
                    Ok(None) => break,
                    Err(SessionLost) => return,
                },
            }
        }
        self.cancel(deliveries).await.into_iter().for_each(start);
    }

    fn lease(&self) -> Lease {
        Lease { lost: self.lost.clone(), settling: Arc::clone(&self.settling), n_unsettled: Arc::new(AtomicUsize::new(0)) }
    }

    /// The broker's answer. A call whose connection breaks at the wrong moment is never answered, so that nothing here
    /// waits for longer than the session lasts.
    async fn unless_lost<T>(&self, call: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, SessionLost> {
        tokio::select! {
            biased;
            answer = call => answer.map_err(|error| {
                end(&self.lost, &error);
                SessionLost
            }),
            () = self.lost.cancelled() => Err(SessionLost),
        }
    }

    /// Closes channel and connection; what is unsettled goes back to the queue.
    pub async fn close(self) {
        self.lost.cancel();
        let closing = self.connection.close(200, "done".into());
        let _ = timeout(Duration::from_secs(2), closing).await;
    }
}

impl Deliveries {
    /// The next job; `None` when the broker cancelled the consumer or the session is lost.
    pub async fn next(&mut self) -> Option<Delivery> {
        match self.consumer.next().await {
            Some(Ok(delivery)) => Some(Delivery::new(delivery, self.lease.clone())),
            // The channel is closed, by the broker's consumer time-out for example: every lease on it is void.
            Some(Err(error)) => {
                end(&self.lease.lost, &error);
                None
            }
            None => None,
        }
    }
}

/// Ends the session, and says why unless it has ended already.
fn end(lost: &CancellationToken, error: &lapin::Error) {
    // The listener and the consumer hear of an end at the same moment, on two threads.
    static ENDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = ENDING.lock().unwrap_or_else(PoisonError::into_inner);
    if !lost.is_cancelled() {
        let reason = match error.kind() {
            // These could quote what was read or written.
            ErrorKind::ParsingError(_) | ErrorKind::SerialisationError(_) => "a frame makes no sense".to_owned(),
            _ => error.to_string(),
        };
        tracing::warn!(reason, "the session with the broker ends");
    }
    lost.cancel();
}
