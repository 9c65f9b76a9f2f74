//! Reply exchanges that take no events: whose jobs wait for it, and whose do not.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, ExchangeKind};
use serde_json::json;

use crate::hosted_api::{HostedApi, image};
use crate::stage::{PATIENCE, Stage};
use crate::worker::n_ended;
use crate::worker_process::{WorkerBuilder, WorkerProcess};

/// A stage, a hosted API, since none of these tests is about reading, and exchanges of two customers.
struct Play {
    stage: Stage,
    api: HostedApi,
    front: String,
    /// Exists, and nothing is bound to it.
    unbound: String,
    /// Does not exist.
    missing: String,
}

impl Play {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let front = stage.upload("front.jpg", image(b"a fictional document")).await;
        let (unbound, missing) = (stage.name("unbound"), stage.name("missing"));
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let channel = stage.channel().await;
        channel.exchange_declare(unbound.as_str().into(), ExchangeKind::Topic, durable, FieldTable::default()).await.expect("exchange");
        Self { api: HostedApi::start().await, stage, front, unbound, missing }
    }

    fn worker(&self) -> WorkerBuilder<'_> {
        self.stage
            .worker()
            .reads_remotely(&self.api.address)
            .set("topology.allowed_reply_exchanges", &format!("{},{}", self.unbound, self.missing))
            .set("retry.defer_delays", "100ms")
            .set("retry.probe_interval", "100ms")
    }

    async fn publish(&self, id: &str, reply_to: Option<&str>) {
        let job = json!({"id": id, "front": self.front});
        let properties = reply_to.map_or_else(Default::default, |reply_to| BasicProperties::default().with_reply_to(reply_to.into()));
        self.stage.publish_raw(job.to_string().as_bytes(), properties).await;
    }

    /// A queue that holds one message and refuses a second, bound to the exchange; it is full.
    async fn bind_full_queue(&self, exchange: &str) -> String {
        let queue = format!("{exchange}.full");
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(1));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        let channel = self.stage.channel().await;
        channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments).await.expect("queue");
        self.bind(exchange, &queue).await;
        channel.basic_publish("".into(), queue.as_str().into(), Default::default(), b"full", Default::default()).await.expect("publish");
        self.stage.until("the queue is full", async || self.stage.depth(&queue).await.is_some_and(|(n, _)| n == 1)).await;
        queue
    }

    async fn bind_new_queue(&self, exchange: &str) -> String {
        let queue = format!("{exchange}.queue");
        let channel = self.stage.channel().await;
        channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), FieldTable::default()).await.expect("queue");
        self.bind(exchange, &queue).await;
        queue
    }

    async fn bind(&self, exchange: &str, queue: &str) {
        let channel = self.stage.channel().await;
        channel.queue_bind(queue.into(), exchange.into(), "#".into(), Default::default(), Default::default()).await.expect("binding");
    }

    async fn next_of(&self, queue: &str) -> serde_json::Value {
        self.stage.next_message(queue, PATIENCE).await.expect("an event in time").json()
    }
}

fn paused(worker: &WorkerProcess) -> bool {
    worker.log().contains("taking no more jobs")
}

#[tokio::test]
async fn exchanges_of_some_jobs_that_take_no_events_keep_no_other_job() {
    let play = Play::new().await;
    let worker = play.worker().set("retry.delays", "100ms,200ms").start().await;
    // More of them than the worker takes at once.
    let broken: Vec<_> = (0..4).flat_map(|n| [(format!("unbound-{n}"), &play.unbound), (format!("missing-{n}"), &play.missing)]).collect();
    for (id, exchange) in &broken {
        play.publish(id, Some(exchange)).await;
    }
    let bad_job = BasicProperties::default().with_reply_to(play.unbound.as_str().into()).with_message_id("bad".into());
    play.stage.publish_raw(b"no job", bad_job).await;
    for n in 0..4 {
        play.publish(&format!("well-{n}"), None).await;
    }
    let mut ended = BTreeMap::new();
    for _ in 0..broken.len() + 5 {
        let event = play.next_of(&play.stage.name("inbox")).await;
        let class = event["data"]["failure"]["class"].as_str().unwrap_or("read").to_owned();
        assert!(ended.insert(event["subject"].as_str().expect("a subject").to_owned(), class).is_none(), "one event a job");
    }
    for n in 0..4 {
        assert_eq!(ended.remove(&format!("well-{n}")).as_deref(), Some("read"));
    }
    assert_eq!(ended.remove("bad").as_deref(), Some("bad_job"), "nobody else hears of it");
    assert_eq!(ended.len(), broken.len());
    assert!(ended.values().all(|class| class == "unavailable"), "{ended:?}");

    for _ in 0..=broken.len() {
        let letter = play.stage.next_dead_letter().await;
        if letter.header("x-idmill-class") == "bad_job" {
            continue;
        }
        assert_eq!((letter.header("x-idmill-class"), letter.header("x-idmill-attempt")), ("unavailable", "3"));
        let (id, reason) = (letter.json()["id"].as_str().expect("an id").to_owned(), letter.header("x-idmill-reason"));
        let (_, exchange) = broken.iter().find(|(known, _)| *known == id).expect("a job of ours");
        assert!(reason.contains(exchange.as_str()), "{reason}");
        assert_eq!(letter.properties.reply_to().as_ref().map(|name| name.as_str()), Some(exchange.as_str()), "it can be replayed");
    }
    assert!(!paused(&worker), "nobody else waited");
    assert!(play.api.n_calls() < 4 + 2 * broken.len(), "{} documents were read for nobody", play.api.n_calls());
}

#[tokio::test]
async fn jobs_whose_exchange_takes_events_again_are_answered_there() {
    let play = Play::new().await;
    let worker = play.worker().set("retry.delays", &["400ms"; 30].join(",")).start().await;
    for n in 0..6 {
        play.publish(&format!("job-{n}"), Some(&play.unbound)).await;
    }
    let refused = |log: &str| log.contains("a reply exchange takes no events");
    play.stage.until("the exchange refuses", async || refused(&worker.log()) && n_ended(&worker.log(), "retried") >= 6).await;
    let queue = play.bind_new_queue(&play.unbound).await;
    let mut subjects: Vec<_> = Vec::new();
    for _ in 0..6 {
        let event = play.next_of(&queue).await;
        assert_eq!(event["type"], "idmill.document.read.v1");
        subjects.push(event["subject"].as_str().expect("a subject").to_owned());
    }
    subjects.sort();
    assert_eq!(subjects, ["job-0", "job-1", "job-2", "job-3", "job-4", "job-5"]);
    assert_eq!(play.api.n_calls(), 6, "each was read once: an event that was refused is kept");
    assert!(worker.log().contains("a reply exchange takes events again") && !paused(&worker));
}

#[tokio::test]
async fn a_full_queue_of_one_customer_keeps_no_other_job_and_is_tried_again() {
    let play = Play::new().await;
    let worker = play.worker().set("retry.delays", &["200ms"; 60].join(",")).start().await;
    let full = play.bind_full_queue(&play.unbound).await;
    // More of them than the worker takes at once.
    for n in 0..3 {
        play.publish(&format!("full-{n}"), Some(&play.unbound)).await;
    }
    play.stage.until("the broker refuses the event", async || worker.log().contains("the broker refused the message")).await;
    play.publish("well", None).await;
    assert_eq!(play.next_of(&play.stage.name("inbox")).await["subject"], "well");
    let filler = play.stage.next_message(&full, PATIENCE).await.expect("what filled it");
    assert_eq!(filler.body, b"full");
    let mut subjects = Vec::new();
    for _ in 0..3 {
        subjects.push(play.next_of(&full).await["subject"].to_string());
    }
    subjects.sort();
    assert_eq!(subjects, [r#""full-0""#, r#""full-1""#, r#""full-2""#]);
    assert!(!paused(&worker));
}

#[tokio::test]
async fn a_full_queue_of_everyones_events_stops_the_intake_until_it_has_room() {
    let play = Play::new().await;
    let events = play.stage.name("events");
    let worker = play.worker().start().await;
    play.stage.unbind_inbox().await;
    let full = play.bind_full_queue(&events).await;
    play.publish("first", None).await;
    play.stage.until("the intake stops", async || paused(&worker)).await;
    play.publish("second", None).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(play.api.n_calls() <= 2, "{} documents were read whose events nobody takes", play.api.n_calls());
    play.stage.next_message(&full, PATIENCE).await.expect("what filled it");
    let mut subjects = Vec::new();
    for _ in 0..2 {
        subjects.push(play.next_of(&full).await["subject"].to_string());
    }
    subjects.sort();
    assert_eq!(subjects, [r#""first""#, r#""second""#]);
    play.stage.until("both are settled", async || n_ended(&worker.log(), "read") == 2).await;
    assert_eq!((play.api.n_calls(), n_ended(&worker.log(), "failed")), (2, 0));
}

#[tokio::test]
async fn failures_that_are_heard_do_not_resume_the_intake_while_documents_are_not() {
    let play = Play::new().await;
    let (events, failures) = (play.stage.name("events"), play.stage.name("failures"));
    let worker = play
        .worker()
        .set("worker.job_budget", "6s")
        .set("storage.timeout", "5s")
        .set("reader.remote.timeout", "5s")
        .set("retry.delays", &["100ms"; 60].join(","))
        .start()
        .await;
    play.stage.unbind_inbox().await;
    let channel = play.stage.channel().await;
    channel.queue_declare(failures.as_str().into(), QueueDeclareOptions::durable(), FieldTable::default()).await.expect("queue");
    let failed = "document.failed".into();
    channel.queue_bind(failures.as_str().into(), events.into(), failed, Default::default(), Default::default()).await.expect("binding");
    play.publish("well", None).await;
    play.stage.until("the intake stops", async || paused(&worker)).await;
    // What is let through to see whether events are taken fails, and that is told.
    for n in 0..3 {
        play.stage.publish_raw(b"no job", BasicProperties::default().with_message_id(format!("bad-{n}").into())).await;
    }
    for _ in 0..3 {
        assert_eq!(play.next_of(&failures).await["data"]["failure"]["class"], "bad_job");
    }
    play.stage.until("they are settled", async || n_ended(&worker.log(), "failed") == 3).await;
    assert!(!worker.log().contains("the circuit closed"), "nobody takes events of documents");
    play.stage.bind_inbox().await;
    assert_eq!(play.stage.next_event().await.json()["subject"], "well");
    play.stage.until("the intake goes on", async || worker.log().contains("the circuit closed")).await;
}

#[tokio::test]
async fn a_job_does_not_wait_in_hand_for_longer_than_another_budget_for_somebody_to_take_its_event() {
    let play = Play::new().await;
    let worker = play
        .worker()
        .set("worker.job_budget", "5s")
        .set("storage.timeout", "4s")
        .set("reader.remote.timeout", "4s")
        .set("retry.delays", "100ms")
        .start()
        .await;
    play.stage.unbind_inbox().await;
    play.publish("job", None).await;
    play.stage.until("it is put off", async || n_ended(&worker.log(), "deferred") >= 2).await;
    assert!(paused(&worker));
    play.stage.bind_inbox().await;
    assert_eq!(play.next_of(&play.stage.name("inbox")).await["subject"], "job");
    play.stage.until("it is settled", async || n_ended(&worker.log(), "read") == 1).await;
    assert_eq!((play.api.n_calls(), n_ended(&worker.log(), "retried")), (1, 0), "it burned no attempt and was read once");
}

#[tokio::test]
async fn a_full_queue_beside_another_has_no_event_put_into_that_one_again_and_again() {
    let play = Play::new().await;
    let worker = play.worker().set("retry.defer_delays", "60s").set("retry.probe_interval", "60s").start().await;
    play.bind_full_queue(&play.stage.name("events")).await;
    play.publish("job", None).await;
    play.stage.until("it is put off", async || n_ended(&worker.log(), "deferred") == 1).await;
    assert!(paused(&worker));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let n_copies = async || play.stage.depth(&play.stage.name("inbox")).await.expect("an inbox").0;
    play.stage.until("a copy is there", async || n_copies().await > 0).await;
    let n_copies = n_copies().await;
    assert!(n_copies <= 3, "{n_copies} copies of an event, where three refusals in a row stop the intake");
    assert_eq!(n_ended(&worker.log(), "retried"), 0, "it burned no attempt");
}

#[tokio::test]
async fn failures_that_nobody_hears_of_keep_no_other_job_and_are_told_at_last() {
    let play = Play::new().await;
    let queue = play.bind_new_queue(&play.unbound).await;
    let mut worker = play.worker().start().await;
    play.stage.unbind_inbox().await;
    // More of them than the worker takes at once, and what they name is not allowed.
    for n in 0..4 {
        play.publish(&format!("nowhere-{n}"), Some("amq.topic")).await;
    }
    play.stage.until("all of them wait", async || n_ended(&worker.log(), "deferred") >= 8).await;
    for n in 0..4 {
        play.publish(&format!("well-{n}"), Some(&play.unbound)).await;
    }
    for _ in 0..4 {
        assert_eq!(play.next_of(&queue).await["type"], "idmill.document.read.v1");
    }
    assert!(!paused(&worker), "nobody else waited");
    let mut letters = BTreeMap::new();
    for _ in 0..4 {
        let letter = play.stage.next_dead_letter().await;
        letters.insert(letter.json()["id"].to_string(), letter.header("x-idmill-dead-since").to_owned());
    }
    assert_eq!(letters.len(), 4);
    worker.terminate();
    assert!(worker.wait().await.success());

    // Another process knows of them by their messages alone.
    let heir = play.worker().start().await;
    play.stage.bind_inbox().await;
    for _ in 0..4 {
        let event = play.next_of(&play.stage.name("inbox")).await;
        assert_eq!(event["data"]["failure"]["class"], "bad_job");
        assert_eq!(Some(event["time"].as_str().expect("a time")), letters.remove(&event["subject"].to_string()).as_deref());
    }
    play.stage.until("all are settled", async || n_ended(&heir.log(), "failed") == 4).await;
    assert!(play.stage.next_event_within(Duration::from_millis(300)).await.is_none());
    assert_eq!(play.stage.depth(&play.stage.name("dead")).await, Some((0, 0)), "one letter each");
    assert_eq!(play.api.n_calls(), 4);
}

#[tokio::test]
async fn an_event_of_a_failure_waits_no_longer_than_a_job_does() {
    let play = Play::new().await;
    let worker = play.worker().set("retry.give_up_after", "1s").start().await;
    play.stage.unbind_inbox().await;
    play.stage.publish_raw(b"no job", BasicProperties::default()).await;
    let given_up = |log: &str| log.contains("nobody took the event of a job that was given up");
    play.stage.until("its event is given up", async || given_up(&worker.log())).await;
    assert_eq!(play.stage.next_dead_letter().await.header("x-idmill-class"), "bad_job");
    assert_eq!(play.stage.depth(&play.stage.name("jobs")).await.map(|(n, _)| n), Some(0));
    assert!(n_ended(&worker.log(), "deferred") > 0 && !paused(&worker));
}

#[tokio::test]
async fn the_intake_goes_on_when_a_queue_is_back_also_where_nobody_needs_everyones_exchange() {
    let play = Play::new().await;
    let queue = play.bind_new_queue(&play.unbound).await;
    let worker = || play.worker().set("retry.missing_delays", "100ms");
    worker().start().await.kill();
    let (jobs, hold) = (play.stage.name("jobs"), play.stage.name("jobs.retry.100ms"));
    let channel = play.stage.channel().await;
    channel.queue_delete(hold.as_str().into(), Default::default()).await.expect("a queue");
    let worker = worker().set("topology.mode", "none").start().await;
    let missing = json!({"id": "missing", "front": play.stage.key("nowhere.jpg")}).to_string();
    let answered_there = || BasicProperties::default().with_reply_to(play.unbound.as_str().into());
    play.stage.publish_raw(missing.as_bytes(), answered_there()).await;
    play.stage.until("the intake stops", async || paused(&worker)).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(100));
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(jobs.as_str().into()));
    channel.queue_declare(hold.as_str().into(), QueueDeclareOptions::durable(), arguments).await.expect("a queue");
    assert_eq!(play.next_of(&queue).await["subject"], "missing");
    for n in 0..3 {
        play.publish(&format!("job-{n}"), Some(&play.unbound)).await;
    }
    for _ in 0..3 {
        assert_eq!(play.next_of(&queue).await["type"], "idmill.document.read.v1");
    }
    assert!(worker.log().contains("the circuit closed"), "jobs went on one at a time");
}
