use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use tokio_util::sync::CancellationToken;

use super::connect::{Connector, Role};
use super::delivery::Delivery;

/// One life of the consuming connection. A new connection is a new session with new leases: a delivery of an old one can
/// only ever be settled on its own dead channel, so a stale acknowledgement cannot hit another job.
pub struct Session {
    connection: Connection,
    channel: Channel,
    queue: String,
    lost: CancellationToken,
}

/// Connection or channel is gone; a new session has to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session with the broker is lost")]
pub struct SessionLost;

/// Deliveries of one consumer, until it is cancelled.
pub struct Deliveries {
    consumer: Consumer,
    lost: CancellationToken,
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
            let broken = async { while !matches!(events.next().await, Some(lapin::Event::Error(_)) | None) {} };
            tokio::select! {
                () = broken => notice.cancel(),
                () = notice.cancelled() => {}
            }
        });
        Ok(Self { connection, channel, queue: queue.into(), lost })
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
        Ok(message.map(|message| Delivery::new(message.delivery, self.lost.clone())))
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
        Ok(Deliveries { consumer, lost: self.lost.clone() })
    }

    /// Stops a consumer and returns what it had taken and nobody has begun; all jobs keep their lease.
    pub async fn cancel(&self, mut deliveries: Deliveries) -> Vec<Delivery> {
        let tag = deliveries.consumer.tag();
        if self.unless_lost(self.channel.basic_cancel(tag, BasicCancelOptions::default())).await.is_err() {
            return Vec::new();
        }
        let mut taken = Vec::new();
        while let Some(Ok(delivery)) = deliveries.consumer.next().await {
            taken.push(Delivery::new(delivery, self.lost.clone()));
        }
        taken
    }

    /// The broker's answer. A call whose connection breaks at the wrong moment is never answered, so that nothing here
    /// waits for longer than the session lasts.
    async fn unless_lost<T>(&self, call: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, SessionLost> {
        tokio::select! {
            biased;
            answer = call => answer.map_err(|_| {
                self.lost.cancel();
                SessionLost
            }),
            () = self.lost.cancelled() => Err(SessionLost),
        }
    }

    /// Closes channel and connection; what is unsettled goes back to the queue.
    pub async fn close(self) {
        self.lost.cancel();
        let closing = self.connection.close(200, "done".into());
        let _ = tokio::time::timeout(Duration::from_secs(2), closing).await;
    }
}

impl Deliveries {
    /// The next job; `None` when the broker cancelled the consumer or the session is lost.
    pub async fn next(&mut self) -> Option<Delivery> {
        match self.consumer.next().await {
            Some(Ok(delivery)) => Some(Delivery::new(delivery, self.lost.clone())),
            // The channel is closed, by the broker's consumer time-out for example: every lease on it is void.
            Some(Err(_)) => {
                self.lost.cancel();
                None
            }
            None => None,
        }
    }
}
