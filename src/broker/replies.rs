use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use anyhow::Context;
use futures_util::Stream;
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, Consumer};

use super::connect::{Connector, Role};

/// The bodies of all events on the reply exchange from now on, over a queue that dies with the connection.
pub struct Replies {
    consumer: Consumer,
    _connection: Connection,
}

impl Replies {
    /// Starts to listen.
    ///
    /// # Errors
    /// The broker cannot be reached, or the exchange does not exist.
    pub async fn listen(connector: &Connector, exchange: &str) -> anyhow::Result<Self> {
        let connection = connector.connect(Role::Operate).await?;
        let channel = connection.create_channel().await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), options, FieldTable::default()).await?;
        let bound =
            channel.queue_bind(queue.name().clone(), exchange.into(), "#".into(), QueueBindOptions::default(), FieldTable::default()).await;
        bound.with_context(|| format!("failed to listen on exchange {exchange}; a worker declares it when it starts"))?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(queue.name().clone(), "".into(), options, FieldTable::default()).await?;
        Ok(Self { consumer, _connection: connection })
    }
}

impl Stream for Replies {
    type Item = Vec<u8>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.consumer).poll_next(context).map(|next| next.and_then(Result::ok).map(|delivery| delivery.data))
    }
}
