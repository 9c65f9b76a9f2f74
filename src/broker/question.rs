use anyhow::{Context, bail};
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{Connection, Consumer};

use super::connect::{Connector, Role};
use super::message::{DIRECT_REPLY, Outgoing};
use super::publisher::publish_on;

/// A job whose event comes to us and to nobody else: RabbitMQ's direct reply-to.
///
/// There is no queue and no binding that an event of somebody else could take, and none that stays: while nobody listens
/// to the reply exchange, a queue of ours on it would make workers believe that somebody does.
pub struct Question {
    consumer: Consumer,
    connection: Connection,
}

impl Question {
    /// Publishes the job, and listens for its event from before it leaves.
    ///
    /// # Errors
    /// The broker cannot be reached, or no queue takes the job.
    pub async fn ask(connector: &Connector, job: Outgoing) -> anyhow::Result<Self> {
        let connection = connector.connect(Role::Operate).await?;
        // The broker tells whose answer it is by the channel that consumed when the question was published.
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(DIRECT_REPLY.into(), "".into(), options, FieldTable::default()).await?;
        let job = job.answered_to(DIRECT_REPLY);
        match tokio::time::timeout(connector.publish_timeout(), publish_on(&channel, &job)).await {
            Ok(published) => published?,
            Err(_) => bail!("the broker did not confirm within {:?}", connector.publish_timeout()),
        }
        Ok(Self { consumer, connection })
    }

    /// The body of the event, waited for.
    ///
    /// # Errors
    /// The connection to the broker is lost, and with it the way of the event.
    pub async fn answer(&mut self) -> anyhow::Result<Vec<u8>> {
        let delivery = self.consumer.next().await.context("the connection to the broker was lost while waiting")?;
        Ok(delivery.context("the connection to the broker was lost while waiting")?.data)
    }

    /// Closes the connection: an event that comes later is dropped by the broker.
    pub async fn close(self) {
        // Nothing depends on how it ends.
        let _ = self.connection.close(200, "done".into()).await;
    }
}
