use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use crate::config::TopologyMode;

/// AMQP's code for a declaration that contradicts what is there.
const PRECONDITION_FAILED: u16 = 406;
/// AMQP's code for something that is not there.
const NOT_FOUND: u16 = 404;

/// The names of all queues and exchanges.
#[derive(Debug, Clone)]
pub struct Names {
    /// Work queue.
    pub jobs: String,
    /// Dead letters.
    pub dead: String,
    /// Reply exchange.
    pub events: String,
    /// Exchange through which the broker itself dead-letters a job that kills the process.
    pub dead_exchange: String,
}

impl Names {
    /// All names under one prefix.
    pub fn new(prefix: &str) -> Self {
        Self {
            jobs: format!("{prefix}.jobs"),
            dead: format!("{prefix}.dead"),
            events: format!("{prefix}.events"),
            dead_exchange: format!("{prefix}.dead"),
        }
    }

    /// The hold queue of one delay. The delay is in the name, since a queue's arguments can never be changed.
    pub fn hold(&self, delay: Duration) -> String {
        format!("{}.retry.{}ms", self.jobs, delay.as_millis())
    }
}

/// Why the topology is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// It contradicts what is there: only a person can decide which of the two is right.
    #[error("{0}")]
    Conflict(String),
    /// The broker could not be asked.
    #[error("failed to ask the broker about its queues: {0}")]
    Unavailable(#[from] lapin::Error),
}

/// Declares or verifies every queue and exchange, as the mode says.
///
/// # Errors
/// [`SetUpError::Conflict`] names the queue and the argument that differs, or what is missing.
pub async fn set_up(
    connection: &Connection,
    names: &Names,
    holds: &[Duration],
    delivery_limit: u32,
    mode: TopologyMode,
) -> Result<(), SetUpError> {
    let passive = match mode {
        TopologyMode::Declare => false,
        TopologyMode::Verify => true,
        TopologyMode::None => return Ok(()),
    };
    // Dead letters first: at-least-once dead-lettering to a target that is missing blocks the queue behind it.
    exchange(connection, &names.dead_exchange, ExchangeKind::Direct, passive).await?;
    queue(connection, &names.dead, dead_arguments(), passive).await?;
    if !passive {
        let channel = connection.create_channel().await?;
        channel
            .queue_bind(
                names.dead.as_str().into(),
                names.dead_exchange.as_str().into(),
                names.dead.as_str().into(),
                Default::default(),
                FieldTable::default(),
            )
            .await?;
        let _ = channel.close(200, "done".into()).await;
    }
    exchange(connection, &names.events, ExchangeKind::Topic, passive).await?;
    queue(connection, &names.jobs, jobs_arguments(names, delivery_limit), passive).await?;
    for delay in holds {
        queue(connection, &names.hold(*delay), hold_arguments(names, *delay), passive).await?;
    }
    Ok(())
}

fn jobs_arguments(names: &Names, delivery_limit: u32) -> FieldTable {
    // The limit is never -1: 4.0 reads that as unlimited, 3.10 drops the message at its first requeue.
    table(&[
        ("x-queue-type", text("quorum")),
        ("x-dead-letter-exchange", text(&names.dead_exchange)),
        ("x-dead-letter-routing-key", text(&names.dead)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
        ("x-delivery-limit", AMQPValue::LongLongInt(i64::from(delivery_limit))),
    ])
}

fn dead_arguments() -> FieldTable {
    table(&[("x-queue-type", text("quorum"))])
}

fn hold_arguments(names: &Names, delay: Duration) -> FieldTable {
    table(&[
        ("x-queue-type", text("quorum")),
        ("x-message-ttl", AMQPValue::LongLongInt(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX))),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&names.jobs)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

async fn queue(connection: &Connection, name: &str, arguments: FieldTable, passive: bool) -> Result<(), SetUpError> {
    // A channel each: a failed declaration closes the channel it was made on.
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(name.into(), options, arguments).await {
        Ok(_) => close(&channel).await,
        Err(error) => Err(explain(error, "queue", name)),
    }
}

async fn exchange(connection: &Connection, name: &str, kind: ExchangeKind, passive: bool) -> Result<(), SetUpError> {
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
    match channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await {
        Ok(()) => close(&channel).await,
        Err(error) => Err(explain(error, "exchange", name)),
    }
}

async fn close(channel: &Channel) -> Result<(), SetUpError> {
    Ok(channel.close(200, "done".into()).await?)
}

/// Says what a person can do about a refused declaration; the broker's own text names the argument that differs.
fn explain(error: lapin::Error, what: &str, name: &str) -> SetUpError {
    let ErrorKind::ProtocolError(refusal) = error.kind() else { return SetUpError::Unavailable(error) };
    match refusal.get_id() {
        PRECONDITION_FAILED => SetUpError::Conflict(format!(
            "{what} {name} exists with other arguments, and arguments can never be changed: {}. Delete it when it is empty, or choose another topology.prefix, or set topology.mode to none",
            refusal.get_message()
        )),
        NOT_FOUND => SetUpError::Conflict(format!(
            "{what} {name} does not exist, and topology.mode is verify: declare it first, or set topology.mode to declare"
        )),
        _ => SetUpError::Unavailable(error),
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}
