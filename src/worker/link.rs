use std::time::Duration;

use crate::broker::{Connector, Names, Publisher, Session, SetUpError, set_up};
use crate::config;

/// Longest time for connecting and declaring; a cluster that elects leaders takes seconds for each queue.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

/// The worker's way to the broker: what sessions are opened with, and the connection that is published on.
pub struct Link {
    connector: Connector,
    topology: config::Topology,
    /// The delay of each hold queue.
    holds: Vec<Duration>,
    pub(super) names: Names,
    pub(super) publisher: Publisher,
    /// What answers to senders by direct reply-to are published on. RabbitMQ 3.10 and 4.0 close a connection over an address
    /// whose node is gone, or that somebody made up; nobody else's message must be on it.
    pub(super) answers: Publisher,
}

impl Link {
    /// A link for these settings; nothing is connected yet.
    pub fn new(connector: Connector, topology: config::Topology, retry: &config::Retry) -> Self {
        Self {
            names: Names::new(&topology.prefix),
            holds: retry.schedule().rungs(),
            publisher: Publisher::new(connector.clone()),
            answers: Publisher::new(connector.clone()),
            connector,
            topology,
        }
    }

    /// Connects both connections, and declares the topology.
    ///
    /// # Errors
    /// The broker cannot be reached or refuses; a [`SetUpError`] where its queues are at fault.
    pub async fn open(&self) -> anyhow::Result<Session> {
        let opening = async {
            let session = Session::open(&self.connector, &self.names.jobs).await?;
            let declared = async { anyhow::Ok(self.declare_on(&session).await?) };
            let connected = async { anyhow::Ok(self.publisher.connect().await?) };
            tokio::try_join!(declared, connected)?;
            anyhow::Ok(session)
        };
        match tokio::time::timeout(OPEN_TIMEOUT, opening).await {
            Ok(session) => session,
            Err(_) => Err(unanswered()),
        }
    }

    /// Declares the topology again.
    ///
    /// # Errors
    /// As [`Link::open`].
    pub(super) async fn declare_again(&self, session: &Session) -> anyhow::Result<()> {
        match tokio::time::timeout(OPEN_TIMEOUT, self.declare_on(session)).await {
            Ok(declared) => Ok(declared?),
            Err(_) => Err(unanswered()),
        }
    }

    /// Whether the broker stopped what is published on with a memory or disk alarm. It tells each connection at its next publish;
    /// where all answers go to their senders, one of the two hears of it alone.
    pub(super) fn is_blocked(&self) -> bool {
        self.publisher.is_blocked() || self.answers.is_blocked()
    }

    /// Returns when [`is_blocked`](Self::is_blocked) is that.
    pub(super) async fn until_blocked_is(&self, wanted: bool) {
        while self.is_blocked() != wanted {
            // One that is as wanted already says nothing of the other.
            tokio::select! {
                () = self.publisher.until_blocked_is(wanted), if self.publisher.is_blocked() != wanted => {}
                () = self.answers.until_blocked_is(wanted), if self.answers.is_blocked() != wanted => {}
                else => {}
            }
        }
    }

    /// Closes what is published on; everything confirmed stays confirmed.
    pub(super) async fn close(&self) {
        self.publisher.close().await;
        self.answers.close().await;
    }

    async fn declare_on(&self, session: &Session) -> Result<(), SetUpError> {
        set_up(session.connection(), &self.names, &self.holds, self.topology.delivery_limit, self.topology.mode).await
    }
}

fn unanswered() -> anyhow::Error {
    anyhow::anyhow!("the broker did not answer a declaration within {OPEN_TIMEOUT:?}")
}
