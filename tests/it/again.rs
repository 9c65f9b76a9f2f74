//! Jobs that come again after they were given up: which are answered from memory, and which are read.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::time::Duration;

use lapin::BasicProperties;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::hosted_api::{Answer, HostedApi, image};
use crate::proxy::{Mode, Proxy};
use crate::stage::Stage;
use crate::worker::{n_ended, with_two_copies_in_work};
use crate::worker_process::WorkerProcess;

#[tokio::test]
async fn a_job_that_is_published_again_and_put_off_is_not_answered_with_its_earlier_failure() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let worker = stage.worker().reads_remotely(&api.address).set("retry.missing_delays", "50ms").start().await;
    let job = json!({"id": "job", "front": stage.key("late.jpg")}).to_string();
    stage.publish_raw(job.as_bytes(), BasicProperties::default()).await;
    assert_eq!(stage.next_dead_letter().await.header("x-idmill-class"), "image_missing");
    let failed = stage.next_event().await.json();
    assert_eq!(failed["data"]["failure"]["class"], "image_missing");
    stage.until("it is settled", async || n_ended(&worker.log(), "failed") == 1).await;

    // The copy of the first time that a hold queue had kept: it was there when the job was given up.
    let seen_at = |first_seen: OffsetDateTime| {
        let mut headers = FieldTable::default();
        headers.insert("x-idmill-first-seen".into(), AMQPValue::LongString(first_seen.format(&Rfc3339).unwrap().into()));
        BasicProperties::default().with_headers(headers)
    };
    stage.publish_raw(job.as_bytes(), seen_at(OffsetDateTime::now_utc() - time::Duration::HOUR)).await;
    assert_eq!(stage.next_event().await.json(), failed, "the very same");

    // Another worker took what the sender published again, and put it off.
    stage.upload("late.jpg", image(b"a fictional document")).await;
    stage.publish_raw(job.as_bytes(), seen_at(OffsetDateTime::now_utc())).await;
    assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    assert_eq!(stage.depth(&stage.name("dead")).await, Some((0, 0)));
}

#[tokio::test]
async fn a_dead_letter_that_somebody_moves_back_is_read() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let worker = stage.worker().reads_remotely(&api.address).set("retry.missing_delays", "50ms").start().await;
    stage.publish(&json!({"id": "job", "front": stage.key("late.jpg")})).await;
    // As "Move messages" of the management page and shovels do: the letter as it is.
    let move_back = async || {
        let letter = stage.next_dead_letter().await;
        assert_eq!(letter.header("x-idmill-class"), "image_missing");
        assert_eq!(stage.next_event().await.json()["data"]["failure"]["class"], "image_missing");
        stage.publish_raw(&letter.body, letter.properties).await;
    };
    move_back().await;
    // Nothing has changed yet: it fails once more, and is not lost for it.
    move_back().await;
    stage.until("it failed twice", async || n_ended(&worker.log(), "failed") == 2).await;
    let letter = stage.next_dead_letter().await;
    stage.next_event().await;
    stage.upload("late.jpg", image(b"a fictional document")).await;
    stage.publish_raw(&letter.body, letter.properties).await;
    assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    assert_eq!(stage.depth(&stage.name("dead")).await, Some((0, 0)));
}

#[tokio::test]
async fn two_copies_of_a_job_at_once_fail_once() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let worker = with_two_copies_in_work(&stage, &api).await;
    // The call that hung is answered 502, which is tried again at once.
    api.set(Answer::Status(422), 1.0);
    let events = [stage.next_event().await.json(), stage.next_event().await.json()];
    assert_eq!(events[0], events[1], "the very same, with its id and its time");
    assert_eq!(events[0]["data"]["failure"]["class"], "rejected");
    stage.next_dead_letter().await;
    stage.until("both are settled", async || n_ended(&worker.log(), "failed") == 2).await;
    assert_eq!((stage.depth(&stage.name("dead")).await, api.n_calls()), (Some((0, 0)), 2));
}

/// A worker that was about to write the dead letter of this job, could not, and lost its connection; now it may.
async fn interrupted(stage: &Stage, id: &str) -> (WorkerProcess, Proxy) {
    let dead = stage.name("dead");
    stage.channel().await.queue_delete(dead.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    let (head, tail) = stage.amqp_url.rsplit_once('@').unwrap();
    let (target, vhost) = tail.split_once('/').unwrap();
    let broker = Proxy::start(target).await;
    let worker = stage
        .worker()
        .set("broker.url", &format!("{head}@{}/{vhost}", broker.address))
        .set("topology.mode", "none")
        .set("topology.delivery_limit", "2")
        .set("retry.probe_interval", "100ms")
        .spawn();
    let waits = |log: &str| log.lines().any(|line| line.contains("failed to publish") && line.contains(&format!(r#""job.id":"{id}""#)));
    stage.until("the letter cannot be written", async || waits(&worker.log())).await;
    broker.set(Mode::Cut);
    stage.until("the lease is lost", async || n_ended(&worker.log(), "lost") == 1).await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    stage.channel().await.queue_declare(dead.as_str().into(), durable, FieldTable::default()).await.unwrap();
    broker.set(Mode::Pass);
    (worker, broker)
}

/// A stage with the topology of a worker that is gone.
async fn stage_without_worker() -> Stage {
    let stage = Stage::new().await;
    stage.worker().start().await.kill();
    stage.until_unused(&stage.name("jobs")).await;
    stage
}

#[tokio::test]
async fn what_is_no_job_has_one_letter_and_one_event_also_where_the_connection_is_lost() {
    let stage = stage_without_worker().await;
    stage.publish_raw(b"no job", BasicProperties::default().with_message_id("garbage".into())).await;
    let (worker, _broker) = interrupted(&stage, "garbage").await;
    let letter = stage.next_dead_letter().await;
    let event = stage.next_event().await.json();
    assert_eq!((letter.header("x-idmill-class"), &event["data"]["failure"]["class"]), ("bad_job", &json!("bad_job")));
    assert_eq!(event["time"], letter.header("x-idmill-dead-since"));
    stage.until("it is settled", async || n_ended(&worker.log(), "failed") == 1).await;
    assert!(worker.log().contains(r#""kept":true"#));
    assert!(stage.next_event_within(Duration::from_millis(300)).await.is_none());
    assert_eq!(stage.depth(&stage.name("dead")).await, Some((0, 0)));
    // What refused the letter takes messages again, and nobody but a letter could show that.
    stage.until("the intake goes on", async || worker.log().contains("the circuit closed")).await;
}

#[tokio::test]
async fn a_job_at_its_last_delivery_has_one_letter_and_equal_events_also_where_the_connection_is_lost() {
    let stage = stage_without_worker().await;
    let jobs = stage.name("jobs");
    stage.publish(&json!({"id": "killer", "front": stage.key("front.jpg")})).await;
    for _ in 0..2 {
        let channel = stage.channel().await;
        let take = async || channel.basic_get(jobs.as_str().into(), Default::default()).await.unwrap().is_some();
        stage.until("the job can be taken", take).await;
        channel.close(200, "crash".into()).await.unwrap();
    }
    let (worker, _broker) = interrupted(&stage, "killer").await;
    let letter = stage.next_dead_letter().await;
    assert_eq!(letter.header("x-idmill-class"), "delivery_limit");
    // The event goes first, should the job kill the process even now; and again, as nobody knows what became of it.
    let events = [stage.next_event().await.json(), stage.next_event().await.json()];
    assert_eq!(events[0], events[1], "the very same, with its id and its time");
    assert_eq!(events[0]["time"], letter.header("x-idmill-dead-since"));
    stage.until("it is settled", async || n_ended(&worker.log(), "failed") == 1).await;
    assert_eq!(stage.depth(&stage.name("dead")).await, Some((0, 0)));
}
