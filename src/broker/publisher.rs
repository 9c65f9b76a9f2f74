use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::connect::{Connector, Role, backoff};
use super::message::Outgoing;
use super::topology::{is_brokers_fault, is_forbidden, is_missing};

/// Publishes with confirm, over a connection of its own that it makes and remakes as needed.
///
/// One publish at a time is outstanding per channel, since lapin pairs a returned message with the next confirm and not
/// with its own; channels are pooled instead.
pub struct Publisher {
    connector: Connector,
    link: Mutex<Option<Arc<Link>>>,
    blocked: Arc<watch::Sender<Blocked>>,
}

/// Whether the broker stopped reading from the connection, because of a memory or disk alarm.
#[derive(Debug, Clone, Copy, Default)]
struct Blocked {
    /// Number of the connection that this is about: what an old one still has to say does not count.
    link: u64,
    blocked: bool,
}

/// Why a message was not published. The job stays unsettled in every case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The broker has nowhere to put it: exchange or binding is missing. A matter of configuration.
    #[error("no queue takes messages for {routing_key} on exchange \"{exchange}\": bind one, or declare it where the exchange has no name")]
    Unroutable {
        /// The exchange that was asked.
        exchange: String,
        /// The routing key that nothing is bound to.
        routing_key: String,
    },
    /// The broker's user may not publish there. A matter of configuration.
    #[error("the broker's user may not write to exchange \"{exchange}\" (amq.default, if it has no name): give it the right")]
    Forbidden {
        /// The exchange that was asked.
        exchange: String,
    },
    /// The broker refused to take responsibility: a full queue, or a majority of a queue's nodes is down.
    #[error("the broker refused the message: its queue is full or has no majority")]
    Refused,
    /// The broker closed the channel over this message, for something that is wrong with it.
    #[error("the broker does not take this message: {0}")]
    Rejected(String),
    /// The broker closed the connection over a fault of its own, for which this message may be the reason.
    #[error("the broker failed: {0}")]
    Fault(String),
    /// The broker could not be asked, or did not confirm in time.
    #[error("{0}")]
    Unavailable(String),
}

impl PublishError {
    /// Whether the broker answered, and what it answered was no.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Unroutable { .. } | Self::Forbidden { .. } | Self::Refused | Self::Rejected(_) => true,
            Self::Fault(_) | Self::Unavailable(_) => false,
        }
    }
}

/// One live connection and its idle channels.
struct Link {
    connection: Connection,
    idle: std::sync::Mutex<Vec<Channel>>,
}

impl Link {
    /// A channel on which nothing is outstanding.
    async fn channel(&self) -> Result<Channel, PublishError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(channel) = idle {
            return Ok(channel);
        }
        let opening = async {
            let channel = self.connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        };
        opening.await.map_err(|error: lapin::Error| PublishError::Unavailable(format!("the broker opened no channel: {error}")))
    }

    fn give_back(&self, channel: Channel) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
    }
}

impl Publisher {
    /// A publisher that connects at its first publish, or ahead of it.
    pub fn new(connector: Connector) -> Self {
        Self { connector, link: Mutex::new(None), blocked: Arc::default() }
    }

    /// Another publisher to the same broker, on a connection that nothing else is published on.
    pub fn apart(&self) -> Self {
        Self::new(self.connector.clone())
    }

    /// Connects ahead of the first publish, which would have to wait for it.
    ///
    /// # Errors
    /// The broker cannot be reached or refuses.
    pub async fn connect(&self) -> Result<(), PublishError> {
        let link = self.link().await?;
        let channel = link.channel().await?;
        link.give_back(channel);
        Ok(())
    }

    /// Publishes and waits for the broker's confirm, once.
    ///
    /// # Errors
    /// See [`PublishError`]. After `Unavailable` the message may have arrived all the same.
    pub async fn publish(&self, message: &Outgoing) -> Result<(), PublishError> {
        self.wait_until_unblocked().await?;
        let link = self.link().await?;
        let outcome = tokio::select! {
            outcome = publish_over(&link, message) => Some(outcome),
            () = self.confirm_is_overdue() => None,
        };
        match outcome {
            Some(Err(error @ (PublishError::Unavailable(_) | PublishError::Fault(_)))) => {
                self.drop_link(&link).await;
                Err(error)
            }
            Some(outcome) => outcome,
            None => {
                // Nobody knows what the broker still has in its ears: start over with a clean connection.
                self.drop_link(&link).await;
                Err(PublishError::Unavailable(format!("the broker did not confirm within {:?}", self.connector.publish_timeout())))
            }
        }
    }

    /// Publishes until the broker has the message, `give_up` ends, or `go_on`, which hears of each failure, does not want
    /// another try.
    ///
    /// # Errors
    /// The last failure, when one of the two ended it.
    pub async fn publish_until(
        &self,
        message: &Outgoing,
        give_up: &CancellationToken,
        mut go_on: impl FnMut(&PublishError) -> bool,
    ) -> Result<(), PublishError> {
        let mut n_failures = 0;
        loop {
            let outcome = tokio::select! {
                biased;
                () = give_up.cancelled() => Err(PublishError::Unavailable("given up while waiting".into())),
                outcome = self.publish(message) => outcome,
            };
            let Err(error) = outcome else { return Ok(()) };
            if give_up.is_cancelled() || !go_on(&error) {
                return Err(error);
            }
            n_failures += 1;
            tokio::select! {
                () = give_up.cancelled() => return Err(error),
                () = tokio::time::sleep(backoff(n_failures, fastrand::f64())) => {}
            }
        }
    }

    /// Whether the broker stopped this connection with a memory or disk alarm.
    pub fn is_blocked(&self) -> bool {
        self.blocked.borrow().blocked
    }

    /// Returns when [`is_blocked`](Self::is_blocked) is that.
    pub async fn until_blocked_is(&self, wanted: bool) {
        // The sender is ours, so that the wait cannot fail.
        let _ = self.blocked.subscribe().wait_for(|state| state.blocked == wanted).await;
    }

    /// Closes the connection; everything confirmed stays confirmed.
    pub async fn close(&self) {
        if let Some(link) = self.link.lock().await.take() {
            let closing = link.connection.close(200, "done".into());
            let _ = tokio::time::timeout(Duration::from_secs(2), closing).await;
        }
    }

    async fn link(&self) -> Result<Arc<Link>, PublishError> {
        let mut slot = self.link.lock().await;
        if let Some(link) = slot.as_ref().filter(|link| link.connection.status().connected()) {
            return Ok(Arc::clone(link));
        }
        let connection = self.connector.connect(Role::Publish).await.map_err(|error| PublishError::Unavailable(format!("{error:#}")))?;
        self.watch_alarms(&connection);
        let link = Arc::new(Link { connection, idle: std::sync::Mutex::default() });
        *slot = Some(Arc::clone(&link));
        Ok(link)
    }

    fn watch_alarms(&self, connection: &Connection) {
        let mut events = connection.events_listener();
        let blocked = Arc::clone(&self.blocked);
        let link = blocked.borrow().link + 1;
        blocked.send_replace(Blocked { link, blocked: false });
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Some(now) = is_alarm(&event) {
                    blocked.send_if_modified(|state| state.link == link && std::mem::replace(&mut state.blocked, now) != now);
                }
            }
        });
    }

    async fn wait_until_unblocked(&self) -> Result<(), PublishError> {
        // While blocked, a publish would sit in the socket and be sent again after its time-out.
        match tokio::time::timeout(self.connector.publish_timeout(), self.until_blocked_is(false)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(PublishError::Unavailable("the broker blocks publishers: a memory or disk alarm".into())),
        }
    }

    /// Returns when a confirm has been missing for the time-out. Time in which the broker does not read does not count:
    /// it has the message before it, and a second one would be a duplicate.
    async fn confirm_is_overdue(&self) {
        loop {
            self.until_blocked_is(false).await;
            if tokio::time::timeout(self.connector.publish_timeout(), self.until_blocked_is(true)).await.is_err() {
                return;
            }
        }
    }

    async fn drop_link(&self, broken: &Arc<Link>) {
        let mut slot = self.link.lock().await;
        if slot.as_ref().is_some_and(|link| Arc::ptr_eq(link, broken)) {
            *slot = None;
            // Its alarm goes with it: whoever waits for its end would wait for ever.
            self.blocked.send_modify(|state| *state = Blocked { link: state.link + 1, blocked: false });
            drop(slot);
            let broken = Arc::clone(broken);
            // Closing waits for an answer that a vanished peer will not give.
            tokio::spawn(async move {
                let closing = broken.connection.close(200, "reconnecting".into());
                let _ = tokio::time::timeout(Duration::from_secs(2), closing).await;
            });
        }
    }
}

/// Publishes on a channel of the link, which is idle again afterwards; one that failed is not used again.
async fn publish_over(link: &Link, message: &Outgoing) -> Result<(), PublishError> {
    let channel = link.channel().await?;
    let outcome = publish_on(&channel, message).await;
    if channel.status().connected() && !matches!(outcome, Err(PublishError::Unavailable(_) | PublishError::Fault(_))) {
        link.give_back(channel);
    }
    outcome
}

/// Publishes on a channel with confirms on which nothing else is outstanding.
pub(super) async fn publish_on(channel: &Channel, message: &Outgoing) -> Result<(), PublishError> {
    let unroutable = || PublishError::Unroutable { exchange: message.exchange.clone(), routing_key: message.routing_key.clone() };
    let options = BasicPublishOptions { mandatory: message.is_mandatory(), ..BasicPublishOptions::default() };
    let sent = channel.basic_publish(
        message.exchange.as_str().into(),
        message.routing_key.as_str().into(),
        options,
        &message.body,
        message.properties.clone(),
    );
    let confirmed = match sent.await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    match confirmed {
        Ok(Confirmation::Ack(None)) => Ok(()),
        Ok(Confirmation::Ack(Some(returned))) if returned.delivery.properties.message_id().as_ref() == message.message_id() => {
            Err(unroutable())
        }
        // A return that is not ours would mean that the pairing broke: trust nothing on this channel.
        Ok(Confirmation::Ack(Some(_)) | Confirmation::NotRequested) => {
            Err(PublishError::Unavailable("the broker's confirm does not belong to the message".into()))
        }
        Ok(Confirmation::Nack(_)) => Err(PublishError::Refused),
        // The exchange does not exist, or is not ours to write to: the broker closes the channel, the connection lives on.
        Err(error) if is_missing(&error) => Err(unroutable()),
        Err(error) if is_forbidden(&error) => Err(PublishError::Forbidden { exchange: message.exchange.clone() }),
        // Whatever else is wrong with it costs its channel and nobody else's.
        Err(error) if error.is_amqp_soft_error() => Err(PublishError::Rejected(error.to_string())),
        Err(error) if is_brokers_fault(&error) => Err(PublishError::Fault(error.to_string())),
        Err(error) => Err(PublishError::Unavailable(format!("the broker did not confirm: {error}"))),
    }
}

/// What an event of the connection says about an alarm, which goes with the connection; `None` where it says nothing.
fn is_alarm(event: &lapin::Event) -> Option<bool> {
    match event {
        lapin::Event::ConnectionBlocked(_) => Some(true),
        lapin::Event::ConnectionUnblocked => Some(false),
        // One channel's own, over its message: the connection lives on, and its alarm with it.
        lapin::Event::Error(error) if error.is_amqp_soft_error() => None,
        lapin::Event::Error(_) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};
    use lapin::{ErrorKind, Event};

    use super::*;

    #[test]
    fn an_alarm_ends_with_its_connection_and_not_with_a_channel() {
        let error = |kind: AMQPErrorKind| Event::Error(ErrorKind::ProtocolError(AMQPError::new(kind, "why".into())).into());
        for (event, expected) in [
            (Event::ConnectionBlocked("low on memory".into()), Some(true)),
            (Event::ConnectionUnblocked, Some(false)),
            (error(AMQPHardError::CONNECTIONFORCED.into()), Some(false)),
            (Event::Error(ErrorKind::MissingHeartbeatError.into()), Some(false)),
            (error(AMQPSoftError::NOTFOUND.into()), None),
            (Event::Connected, None),
        ] {
            assert_eq!(is_alarm(&event), expected, "{event:?}");
        }
    }
}
