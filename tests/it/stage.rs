//! What a test plays on: one broker and one object store for all tests, and names of its own for each, so that tests
//! run side by side.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::worker_process::WorkerBuilder;

/// Longest wait for anything that should happen; a debug build on a busy machine reads a document in seconds, and a broker
/// that was killed on one with ten builds beside it was seen to take a minute and a half to be back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Pause between two looks.
const TICK: Duration = Duration::from_millis(25);

/// The variable's value, as `tests/run.sh` sets it.
pub(crate) fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: the servers that these tests need are started by tests/run.sh"))
}

/// One test's own queues, exchange and object keys.
pub(crate) struct Stage {
    /// First part of the names of all queues and exchanges, and of all object keys.
    pub(crate) prefix: String,
    /// Where the broker is.
    pub(crate) amqp_url: String,
    /// The object store, with full rights.
    pub(crate) s3: aws_sdk_s3::Client,
    connection: Mutex<Option<Connection>>,
}

/// A message as a test looks at it.
pub(crate) struct Message {
    /// Routing key it was published with.
    pub(crate) routing_key: String,
    /// Headers, numbers and texts alike as text.
    pub(crate) headers: BTreeMap<String, String>,
    /// Properties, for example `message_id`.
    pub(crate) properties: BasicProperties,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// A header's text, or an empty one.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Stage {
    /// A stage on the common servers, its names unique to this run and this call.
    pub(crate) async fn new() -> Self {
        Self::on_broker(environment("IDMILL_TEST_AMQP_URL")).await
    }

    /// A stage on a broker of the test's own, for tests that kill it.
    pub(crate) async fn on_broker(amqp_url: String) -> Self {
        static N_STAGES: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}-{}", std::process::id(), N_STAGES.fetch_add(1, Ordering::Relaxed));
        let stage = Self { prefix, amqp_url, s3: s3_client(), connection: Mutex::new(None) };
        let channel = stage.channel().await;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let events = stage.name("events");
        channel.exchange_declare(events.as_str().into(), ExchangeKind::Topic, durable, FieldTable::default()).await.expect("exchange");
        let inbox = stage.name("inbox");
        // A quorum queue, as those that are tested: on a cluster it has to outlive a node.
        let mut quorum = FieldTable::default();
        quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        channel.queue_declare(inbox.as_str().into(), QueueDeclareOptions::durable(), quorum).await.expect("inbox");
        stage.bind_inbox().await;
        stage
    }

    /// Lets events flow into the inbox, as they do from the start.
    pub(crate) async fn bind_inbox(&self) {
        let (inbox, events) = (self.name("inbox"), self.name("events"));
        let binding = self.channel().await;
        let bound = binding.queue_bind(inbox.as_str().into(), events.as_str().into(), "#".into(), Default::default(), Default::default());
        bound.await.expect("binding");
    }

    /// Leaves events without any queue that takes them.
    pub(crate) async fn unbind_inbox(&self) {
        let (inbox, events) = (self.name("inbox"), self.name("events"));
        let binding = self.channel().await;
        binding.queue_unbind(inbox.as_str().into(), events.as_str().into(), "#".into(), Default::default()).await.expect("unbinding");
    }

    /// `PREFIX.suffix`, as queues and exchanges are named.
    pub(crate) fn name(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.prefix)
    }

    /// The key under which [`Stage::upload`] puts an object of that name.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    /// Puts an object into the default bucket and returns its key.
    pub(crate) async fn upload(&self, name: &str, bytes: impl Into<Vec<u8>>) -> String {
        let key = self.key(name);
        self.s3.put_object().bucket("idmill").key(&key).body(bytes.into().into()).send().await.expect("upload");
        key
    }

    /// Uploads the images of a clean specimen, for example `td1-1`; returns the keys of front and back.
    pub(crate) async fn upload_specimen(&self, specimen: &str) -> (String, Option<String>) {
        let folder = std::path::Path::new(&environment("IDMILL_TEST_SPECIMENS")).join("clean").join(specimen);
        let front = std::fs::read(folder.join("front.jpg")).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let front = self.upload(&format!("{specimen}/front.jpg"), front).await;
        let back = match std::fs::read(folder.join("back.jpg")) {
            Ok(back) => Some(self.upload(&format!("{specimen}/back.jpg"), back).await),
            Err(_) => None,
        };
        (front, back)
    }

    /// A worker on this stage, yet to be configured and started.
    pub(crate) fn worker(&self) -> WorkerBuilder<'_> {
        WorkerBuilder::new(self)
    }

    /// Publishes a job's JSON to the work queue. A worker must have declared it: see [`WorkerBuilder::start`].
    pub(crate) async fn publish(&self, job: &Value) {
        self.publish_raw(job.to_string().as_bytes(), BasicProperties::default()).await;
    }

    /// Publishes any bytes to the work queue.
    pub(crate) async fn publish_raw(&self, body: &[u8], properties: BasicProperties) {
        let jobs = self.name("jobs");
        let channel = self.channel().await;
        channel.confirm_select(Default::default()).await.expect("confirms");
        let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = properties.with_delivery_mode(2);
        let confirm = channel.basic_publish("".into(), jobs.as_str().into(), mandatory, body, properties).await.expect("publish");
        let confirm = confirm.await.expect("confirm");
        assert!(confirm.is_ack() && confirm.take_message().is_none(), "the broker did not take the job into {jobs}");
    }

    /// The next event, waited for.
    pub(crate) async fn next_event(&self) -> Message {
        self.next_event_within(PATIENCE).await.expect("an event in time")
    }

    /// The next event, or `None` when none comes in time: for tests that say that nothing more is published.
    pub(crate) async fn next_event_within(&self, patience: Duration) -> Option<Message> {
        self.next_message(&self.name("inbox"), patience).await
    }

    /// The next dead letter, waited for.
    pub(crate) async fn next_dead_letter(&self) -> Message {
        self.next_message(&self.name("dead"), PATIENCE).await.expect("a dead letter in time")
    }

    /// Takes one message out of a queue, or `None` when none comes in time. Outlives a restart of the broker.
    pub(crate) async fn next_message(&self, queue: &str, patience: Duration) -> Option<Message> {
        let start = Instant::now();
        loop {
            let got = self.channel().await.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await;
            if let Ok(Some(got)) = got {
                let delivery = got.delivery;
                let headers = delivery.properties.headers().as_ref().map(texts).unwrap_or_default();
                return Some(Message {
                    routing_key: delivery.routing_key.to_string(),
                    headers,
                    properties: delivery.properties,
                    body: delivery.data,
                });
            }
            if start.elapsed() > patience {
                return None;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// How many messages wait in a queue and how many consumers it has; `None` while there is no such queue.
    pub(crate) async fn depth(&self, queue: &str) -> Option<(u32, u32)> {
        let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
        let state = self.channel().await.queue_declare(queue.into(), passive, FieldTable::default()).await.ok()?;
        Some((state.message_count(), state.consumer_count()))
    }

    /// Waits until nobody consumes from a queue that is empty. RabbitMQ says so of any quorum queue, too, whose leader
    /// does not answer it within a quarter of a second: it has to say it three times.
    pub(crate) async fn until_unused(&self, queue: &str) {
        let mut n_looks = 0;
        let unused = async || {
            n_looks = if self.depth(queue).await == Some((0, 0)) { n_looks + 1 } else { 0 };
            n_looks == 3
        };
        self.until("the queue is empty and has no consumer", unused).await;
    }

    /// Looks again and again until the condition holds.
    pub(crate) async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let start = Instant::now();
        while !condition().await {
            assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
            tokio::time::sleep(TICK).await;
        }
    }

    /// A fresh channel; connects anew when the broker was restarted meanwhile.
    pub(crate) async fn channel(&self) -> Channel {
        let mut held = self.connection.lock().await;
        let start = Instant::now();
        loop {
            if let Some(connection) = held.as_ref()
                && let Ok(channel) = connection.create_channel().await
            {
                return channel;
            }
            assert!(start.elapsed() < PATIENCE, "the broker does not answer");
            *held = Connection::connect(&self.amqp_url, ConnectionProperties::default()).await.ok();
            if held.is_none() {
                tokio::time::sleep(TICK).await;
            }
        }
    }
}

/// A port for a program that cannot choose one by itself, from below the range that the kernel gives to others until it
/// is taken, and below that of `deploy/servers.sh`.
pub(crate) fn free_port() -> u16 {
    std::iter::repeat_with(|| fastrand::u16(12_000..20_000))
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// A client of the common object store with full rights.
fn s3_client() -> aws_sdk_s3::Client {
    let credentials = Credentials::new(environment("IDMILL_TEST_S3_KEY"), environment("IDMILL_TEST_S3_SECRET"), None, None, "tests");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(environment("IDMILL_TEST_S3_ENDPOINT"))
        .credentials_provider(credentials)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The headers' values as text, by name.
pub(crate) fn texts(headers: &FieldTable) -> BTreeMap<String, String> {
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::LongInt(number) => number.to_string(),
        AMQPValue::LongUInt(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    headers.inner().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
