use anyhow::{Context, bail};
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection};
use time::OffsetDateTime;

use super::connect::{Connector, Role};
use super::header::{integer, is_known, text};
use super::letter::Letter;
use super::message::{Outgoing, is_direct_reply};
use super::publisher::{PublishError, Publisher};
use super::topology::{is_locked, is_missing};
use crate::job::Job;

/// Times that a letter may have been given back before it is written anew. Each look at a quorum queue counts towards
/// its delivery limit, and at the limit a letter without a further route is dropped: RabbitMQ 4 sets a limit of 20 where
/// the queue names none. Half of that leaves room for looks that were cut off.
const RENEW_AFTER: u32 = 10;

/// One look through the dead letters.
///
/// Letters are taken on one channel and stay unacknowledged until they are given back or removed, so that whatever cuts
/// the look off, the broker puts all of them back.
pub struct DeadQueue {
    connection: Connection,
    channel: Channel,
    queue: String,
    publisher: Publisher,
    /// Letters that were there when the look began and have not been seen yet; `None` before the first one. What arrives
    /// later is left for another look, or a replay that fails at once would never end.
    n_left: Option<u32>,
    n_at_start: u32,
    is_shared: bool,
}

/// A letter in hand. Its body is not shown by `Debug`.
pub struct DeadLetter {
    /// What it says about itself.
    pub letter: Letter,
    tag: u64,
    properties: BasicProperties,
    body: Vec<u8>,
}

impl DeadQueue {
    /// Connects to the queue.
    ///
    /// # Errors
    /// The broker cannot be reached, or there is no such queue.
    pub async fn open(connector: &Connector, queue: &str) -> anyhow::Result<Self> {
        let connection = connector.connect(Role::Operate).await?;
        let channel = connection.create_channel().await?;
        let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
        let state = match channel.queue_declare(queue.into(), passive, FieldTable::default()).await {
            Ok(state) => state,
            Err(error) if is_missing(&error) => bail!("queue {queue} does not exist: is topology.prefix right? A worker declares it"),
            Err(error) => return Err(error).with_context(|| format!("failed to look at queue {queue}")),
        };
        let n_at_start = state.message_count();
        let is_shared = is_shared(&connection, queue).await;
        let publisher = Publisher::new(connector.clone());
        Ok(Self { connection, channel, queue: queue.into(), publisher, n_left: None, n_at_start, is_shared })
    }

    /// Whether somebody else looks too, and has letters in hand that this look cannot see.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// About how many letters there are.
    pub fn n_letters(&self) -> u32 {
        self.n_at_start
    }

    /// The next letter, or `None` when every one that was there at the start was seen.
    ///
    /// # Errors
    /// The connection is lost; the broker puts every letter in hand back.
    pub async fn next(&mut self) -> anyhow::Result<Option<DeadLetter>> {
        if self.n_left == Some(0) {
            return Ok(None);
        }
        let got = self.channel.basic_get(self.queue.as_str().into(), BasicGetOptions { no_ack: false }).await;
        let Some(got) = got.context("lost the dead letters' queue; every letter that was not settled is still there")? else {
            return Ok(None);
        };
        self.n_left = Some(self.n_left.map_or(got.message_count, |n_left| n_left - 1));
        let delivery = got.delivery;
        Ok(Some(DeadLetter {
            letter: Letter::of(&delivery.properties, &delivery.data),
            tag: delivery.delivery_tag,
            properties: delivery.properties,
            body: delivery.data,
        }))
    }

    /// Leaves a letter where it is. It goes back at the end of the look; one that was given back often is written anew
    /// at once: publish, confirm, acknowledge.
    ///
    /// # Errors
    /// The copy could not be written; the letter itself is still there.
    pub async fn keep(&self, letter: DeadLetter) -> anyhow::Result<()> {
        if letter.letter.n_deliveries < RENEW_AFTER {
            return Ok(());
        }
        match self.publisher.publish(&letter.renewed(&self.queue)).await {
            Ok(()) => self.remove(letter.tag).await,
            // The broker moved it here itself, being larger than what may be published: no other letter waits for it.
            Err(PublishError::Rejected(_)) => Ok(()),
            Err(error) => Err(error).context("failed to write a letter anew; it is still there"),
        }
    }

    /// Removes a letter for good, by its [`DeadLetter::tag`].
    ///
    /// # Errors
    /// The connection is lost; the letter is still there.
    pub async fn remove(&self, tag: u64) -> anyhow::Result<()> {
        let acked = self.channel.basic_ack(tag, BasicAckOptions::default()).await;
        acked.context("lost the connection to the broker; every letter that was not settled is still there")
    }

    /// Publishes a message and waits for its confirm.
    ///
    /// # Errors
    /// The broker did not take it.
    pub async fn publish(&self, message: &Outgoing) -> anyhow::Result<()> {
        Ok(self.publisher.publish(message).await?)
    }

    /// Gives back what is in hand, and makes sure that the broker has heard of every removal.
    ///
    /// # Errors
    /// The connection is lost; letters that were removed last may still be there.
    pub async fn close(self) -> anyhow::Result<()> {
        let lost = "lost the connection to the broker at the end; letters that were settled last may still be there";
        // A nack, not a closed channel: from 4.3 on the broker does not count it towards the delivery limit.
        self.channel.basic_nack(0, BasicNackOptions { multiple: true, requeue: true }).await.context(lost)?;
        self.channel.close(200, "done".into()).await.context(lost)?;
        self.publisher.close().await;
        let _ = self.connection.close(200, "done".into()).await;
        Ok(())
    }
}

/// Whether another look has letters in hand. AMQP does not tell how many letters are with somebody; so each look holds a name
/// for as long as it lasts, as an exclusive queue that goes with its connection.
async fn is_shared(connection: &Connection, queue: &str) -> bool {
    let name = format!("{queue}.in-hand");
    let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    // A channel of its own: a refusal closes it. Whoever may not declare queues does not get to know.
    let Ok(channel) = connection.create_channel().await else { return false };
    channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await.is_err_and(|error| is_locked(&error))
}

impl DeadLetter {
    /// What [`DeadQueue::remove`] knows the letter by; only this look can use it.
    pub fn tag(&self) -> u64 {
        self.tag
    }

    /// The body: the job as its producer wrote it, or whatever was sent in its place.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The job once more, as if new, but for the header that counts its replays.
    pub fn replayed(&self, jobs: &str) -> Outgoing {
        Outgoing::copy_of(&self.properties, &self.body, jobs).starting_over(self.letter.history.replay.saturating_add(1))
    }

    /// Whether the job's event goes to nobody but the connection that its sender had.
    pub fn answers_a_connection(&self) -> bool {
        self.properties.reply_to().as_ref().is_some_and(|reply_to| is_direct_reply(reply_to.as_str()))
    }

    /// The time after which nobody waits for the job any more; `None` where it names none, or is no job.
    pub fn deadline(&self) -> Option<OffsetDateTime> {
        let message_id = self.properties.message_id().as_ref().map(lapin::types::ShortString::as_str);
        Job::parse(&self.body, message_id).ok()?.deadline
    }

    /// Headers of idmill, the broker and tracers, with texts and numbers as they are and anything else as its AMQP type's name;
    /// of a producer's own headers the names alone.
    pub fn headers(&self) -> serde_json::Map<String, serde_json::Value> {
        let headers = self.properties.headers().clone().unwrap_or_default();
        let shown = |(name, value): (&lapin::types::ShortString, &AMQPValue)| {
            let known =
                is_known(name.as_str()).then(|| text(&headers, name.as_str()).map(Into::into).or_else(|| Some(integer(value)?.into())));
            let hidden =
                if known.is_some() { format!("({:?})", value.get_type()) } else { "(not shown: a header of the producer's)".into() };
            (name.to_string(), known.flatten().unwrap_or_else(|| hidden.into()))
        };
        headers.inner().iter().map(shown).collect()
    }

    /// The AMQP properties that a producer sets: `message_id`, `correlation_id`, `reply_to` and `content_type`.
    pub fn producer_properties(&self) -> Vec<(&'static str, String)> {
        let properties = &self.properties;
        [
            ("message_id", properties.message_id()),
            ("correlation_id", properties.correlation_id()),
            ("reply_to", properties.reply_to()),
            ("content_type", properties.content_type()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?.to_string())))
        .collect()
    }

    /// The same letter as a new message, whose deliveries count from 0. What the broker had noted about it is kept in
    /// our own headers, since the broker's do not travel.
    fn renewed(&self, queue: &str) -> Outgoing {
        let letter = &self.letter;
        Outgoing::copy_of(&self.properties, &self.body, queue).dead_since(letter.class.as_str(), letter.dead_since)
    }
}
