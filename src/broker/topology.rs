use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ErrorKind, ExchangeKind};

use crate::config::TopologyMode;

/// AMQP's code for a declaration that contradicts what is there.
const PRECONDITION_FAILED: u16 = 406;
/// AMQP's code for something that the user has no permission for.
const ACCESS_REFUSED: u16 = 403;
/// AMQP's code for something that another connection has for itself.
const RESOURCE_LOCKED: u16 = 405;
/// AMQP's code for something that is not there.
const NOT_FOUND: u16 = 404;
/// AMQP's code for a fault of the broker's own.
const INTERNAL_ERROR: u16 = 541;

/// Delivery limit of the dead letters' queue: each look at a letter counts, and one look a second takes 31 years to reach
/// it. Not -1, which 3.10 takes for a limit that is always reached.
const DEAD_DELIVERY_LIMIT: i64 = 1_000_000_000;

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
    /// Something is not there, and is not ours to make.
    #[error("{0}")]
    Missing(String),
    /// The broker could not be asked.
    #[error("failed to ask the broker about its queues: {0}")]
    Unavailable(#[from] lapin::Error),
}

/// Declares or verifies every queue and exchange, as the mode says.
///
/// # Errors
/// [`SetUpError::Conflict`] names the queue and the argument that differs, [`SetUpError::Missing`] what is missing.
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
    for wanted in dead_letters(names) {
        declare(connection, &wanted, passive).await.map_err(|error| explain(error, &wanted, mode))?;
    }
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
    for wanted in work(names, holds, delivery_limit) {
        declare(connection, &wanted, passive).await.map_err(|error| explain(error, &wanted, mode))?;
    }
    Ok(())
}

/// A queue or an exchange of the topology, as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `queue` or `exchange`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it is like.
    pub state: PartState,
}

/// What a part of the topology is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartState {
    /// As a worker would declare it.
    AsExpected,
    /// Not there.
    Missing,
    /// There, and different: the broker's sentence, which names the argument.
    Differs(String),
    /// There, but the broker does not let us compare: the broker's sentence.
    Hidden(String),
}

/// Compares every queue and exchange with what a worker would declare. Makes nothing: only what is there is declared
/// once more, which the broker answers with a comparison.
///
/// # Errors
/// The broker could not be asked.
pub async fn inspect(connection: &Connection, names: &Names, holds: &[Duration], delivery_limit: u32) -> Result<Vec<Part>, lapin::Error> {
    let mut parts = Vec::new();
    for wanted in dead_letters(names).into_iter().chain(work(names, holds, delivery_limit)) {
        let state = match declare(connection, &wanted, true).await {
            Ok(()) => match declare(connection, &wanted, false).await {
                Ok(()) => PartState::AsExpected,
                Err(error) => match refusal(&error) {
                    Some((PRECONDITION_FAILED, text)) => PartState::Differs(text),
                    Some((ACCESS_REFUSED, text)) => PartState::Hidden(text),
                    _ => return Err(error),
                },
            },
            Err(error) => match refusal(&error) {
                Some((NOT_FOUND, _)) => PartState::Missing,
                Some((ACCESS_REFUSED, text)) => PartState::Hidden(text),
                _ => return Err(error),
            },
        };
        parts.push(Part { kind: wanted.kind(), name: wanted.name().to_owned(), state });
    }
    Ok(parts)
}

/// What a declaration asks for.
enum Wanted {
    Exchange(String, ExchangeKind),
    Queue(String, FieldTable),
}

impl Wanted {
    fn kind(&self) -> &'static str {
        match self {
            Self::Exchange(..) => "exchange",
            Self::Queue(..) => "queue",
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Exchange(name, _) | Self::Queue(name, _) => name,
        }
    }
}

/// Where dead letters go. These come first: at-least-once dead-lettering to a target that is missing blocks the queue
/// behind it.
fn dead_letters(names: &Names) -> [Wanted; 2] {
    [Wanted::Exchange(names.dead_exchange.clone(), ExchangeKind::Direct), Wanted::Queue(names.dead.clone(), dead_arguments())]
}

/// Where jobs and events go.
fn work(names: &Names, holds: &[Duration], delivery_limit: u32) -> Vec<Wanted> {
    let holds = holds.iter().map(|delay| Wanted::Queue(names.hold(*delay), hold_arguments(names, *delay)));
    let events = Wanted::Exchange(names.events.clone(), ExchangeKind::Topic);
    let jobs = Wanted::Queue(names.jobs.clone(), jobs_arguments(names, delivery_limit));
    [events, jobs].into_iter().chain(holds).collect()
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
    // A dead letter has nowhere to go, so that a limit would drop it. From 4.0 on there is one of 20 deliveries where none
    // is named; and where a policy limits the length, a full queue refuses letters, and jobs wait, instead of dropping the oldest.
    table(&[
        ("x-queue-type", text("quorum")),
        ("x-overflow", text("reject-publish")),
        ("x-delivery-limit", AMQPValue::LongLongInt(DEAD_DELIVERY_LIMIT)),
    ])
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

async fn declare(connection: &Connection, wanted: &Wanted, passive: bool) -> Result<(), lapin::Error> {
    // A channel each: a failed declaration closes the channel it was made on.
    let channel = connection.create_channel().await?;
    match wanted {
        Wanted::Queue(name, arguments) => {
            let options = QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(name.as_str().into(), options, arguments.clone()).await?;
        }
        Wanted::Exchange(name, kind) => {
            let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
            channel.exchange_declare(name.as_str().into(), kind.clone(), options, FieldTable::default()).await?;
        }
    }
    channel.close(200, "done".into()).await
}

/// Says what a person can do about a refused declaration; the broker's own text names the argument that differs.
fn explain(error: lapin::Error, wanted: &Wanted, mode: TopologyMode) -> SetUpError {
    let (what, name) = (wanted.kind(), wanted.name());
    match refusal(&error) {
        Some((PRECONDITION_FAILED, text)) => SetUpError::Conflict(format!(
            "{what} {name} exists with other arguments, and arguments can never be changed: {text}. Delete it when it is empty, or choose another topology.prefix, or set topology.mode to none"
        )),
        // RabbitMQ says the same of a queue whose process is stopped, or does not answer it in time.
        Some((NOT_FOUND, _)) if mode == TopologyMode::Verify => SetUpError::Missing(format!(
            "{what} {name} does not exist, and topology.mode is verify: declare it first, with the arguments that deploy/README.md lists, or set topology.mode to declare"
        )),
        _ => SetUpError::Unavailable(error),
    }
}

/// The code and the sentence with which the broker refused something.
fn refusal(error: &lapin::Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => Some((refusal.get_id(), refusal.get_message().to_string())),
        _ => None,
    }
}

/// Whether the broker says that what was asked for does not exist.
pub(super) fn is_missing(error: &lapin::Error) -> bool {
    refusal(error).is_some_and(|(code, _)| code == NOT_FOUND)
}

/// Whether the broker says that another connection has what was asked for.
pub(super) fn is_locked(error: &lapin::Error) -> bool {
    refusal(error).is_some_and(|(code, _)| code == RESOURCE_LOCKED)
}

/// Whether the broker says that its user may not do what was asked for.
pub(super) fn is_forbidden(error: &lapin::Error) -> bool {
    refusal(error).is_some_and(|(code, _)| code == ACCESS_REFUSED)
}

/// Whether the broker closed the whole connection over a fault of its own.
pub(super) fn is_brokers_fault(error: &lapin::Error) -> bool {
    refusal(error).is_some_and(|(code, _)| code == INTERNAL_ERROR)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Where workers may not declare, somebody else does, as deploy/README.md says.
    #[test]
    fn the_operators_table_has_every_argument() {
        let runbook = include_str!("../../deploy/README.md");
        let names = Names::new("idmill");
        for wanted in dead_letters(&names).into_iter().chain(work(&names, &[Duration::from_secs(5)], 20)) {
            let (name, said) = match &wanted {
                Wanted::Exchange(name, kind) => (name, vec![format!("`{}`", format!("{kind:?}").to_lowercase())]),
                Wanted::Queue(name, arguments) => (name, arguments.inner().iter().map(|(key, value)| shown(key.as_str(), value)).collect()),
            };
            let is_row = |line: &&str| line.starts_with(&format!("| `{name}`")) && line.contains(&format!("| {}: ", wanted.kind()));
            let row = runbook.lines().find(is_row).unwrap_or_else(|| panic!("no row for the {} {name}", wanted.kind()));
            for argument in said {
                assert!(row.contains(&argument), "{name}: {argument} is not in {row}");
            }
        }
    }

    fn shown(key: &str, value: &AMQPValue) -> String {
        match value {
            AMQPValue::LongString(text) if text.as_bytes().is_empty() => format!("`{key}: \"\"`"),
            AMQPValue::LongString(text) => format!("`{key}: {text}`"),
            AMQPValue::LongLongInt(number) => format!("`{key}: {number}`"),
            other => panic!("{other:?} has no place in the table"),
        }
    }
}
