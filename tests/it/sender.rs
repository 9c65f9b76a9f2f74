//! What a sender writes into a message beside its body: where its copies go, and whom its answer disturbs.

use std::time::Duration;

use idmill::broker::{Connector, DIRECT_REPLY, Outgoing, PublishError, Publisher};
use idmill::config;
use lapin::BasicProperties;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;

use crate::hosted_api::{HostedApi, image};
use crate::stage::{PATIENCE, Stage};
use crate::worker::n_ended;

/// A message with this id that the broker is to put into these queues, too.
fn also_to(queues: &[String], id: &str) -> BasicProperties {
    let queues: Vec<_> = queues.iter().map(|queue| AMQPValue::LongString(queue.as_str().into())).collect();
    let mut headers = FieldTable::default();
    headers.insert("CC".into(), AMQPValue::FieldArray(queues.into()));
    BasicProperties::default().with_headers(headers).with_message_id(id.into())
}

#[tokio::test]
async fn a_job_that_its_sender_sends_to_several_queues_does_not_circulate() {
    let stage = Stage::new().await;
    let elsewhere = stage.name("elsewhere");
    stage.channel().await.queue_declare(elsewhere.as_str().into(), QueueDeclareOptions::durable(), FieldTable::default()).await.unwrap();
    let worker = stage.worker().set("retry.missing_delays", "50ms,50ms").start().await;
    let queues = [stage.name("jobs"), elsewhere.clone()];
    let missing = json!({"id": "missing", "front": stage.key("nowhere.jpg")}).to_string();
    stage.publish_raw(b"no job", also_to(&queues, "garbage")).await;
    stage.publish_raw(missing.as_bytes(), also_to(&queues, "missing")).await;
    let mut ended = Vec::new();
    for _ in 0..2 {
        let letter = stage.next_dead_letter().await;
        assert!(!letter.headers.contains_key("CC"));
        ended.push((letter.header("x-idmill-class").to_owned(), letter.header("x-idmill-attempt").to_owned()));
        stage.next_event().await;
    }
    ended.sort();
    assert_eq!(ended, [("bad_job".into(), "1".into()), ("image_missing".into(), "3".into())]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(stage.depth(&stage.name("jobs")).await.map(|(n, _)| n), Some(0));
    assert_eq!(stage.depth(&stage.name("dead")).await, Some((0, 0)), "one letter each");
    assert_eq!(stage.depth(&elsewhere).await, Some((2, 0)), "what the sender sent there, and no copy of ours");
    assert!(stage.next_event_within(Duration::from_millis(200)).await.is_none());
    assert_eq!((n_ended(&worker.log(), "failed"), n_ended(&worker.log(), "retried")), (2, 2));
}

#[tokio::test]
async fn an_answer_to_nobodys_address_disturbs_no_other() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker = stage.worker().reads_remotely(&api.address).set("worker.concurrency", "8").start().await;
    // The first is none that a broker gave; the second names a process of a node that is gone. RabbitMQ 3.10 fails over both.
    let addresses = ["%%%.x", "g1h2AAdyZXBseUAxAAADkwAAAABrBEPp.GI3ZeVxQdZNZh3zi4s13fw=="];
    let publish = async |id: &str, properties| {
        stage.publish_raw(json!({"id": id, "front": front}).to_string().as_bytes(), properties).await;
    };
    for (n, address) in addresses.iter().enumerate() {
        let properties = BasicProperties::default().with_reply_to(format!("{DIRECT_REPLY}.{address}").into());
        publish(&format!("nobodys-{n}"), properties).await;
    }
    for n in 0..20 {
        publish(&format!("well-{n}"), BasicProperties::default()).await;
    }
    let mut subjects = std::collections::BTreeSet::new();
    for _ in 0..20 {
        assert!(subjects.insert(stage.next_event().await.json()["subject"].to_string()), "no event came twice");
    }
    stage.until("all are settled", async || n_ended(&worker.log(), "read") == 22).await;
    assert_eq!(api.n_answered(), 22, "each was read once");
    let log = worker.log();
    let failed: Vec<_> = log.lines().filter(|line| line.contains("failed to publish")).collect();
    assert!(failed.iter().all(|line| line.contains("nobodys-")), "{failed:#?}");
    assert!(stage.next_event_within(Duration::from_millis(200)).await.is_none());
}

#[tokio::test]
async fn a_message_that_the_broker_does_not_take_disturbs_no_other() {
    let stage = Stage::new().await;
    let publisher = Publisher::new(Connector::new(config::Broker {
        url: stage.amqp_url.clone(),
        publish_timeout: PATIENCE,
        ..config::Broker::default()
    }));
    let inbox = stage.name("inbox");
    let message = |n: usize| Outgoing::json("", &inbox, &format!("m-{n}"), "application/json", b"{}".to_vec());
    let outcomes = futures_util::future::join_all((0..100).map(|n| {
        let publisher = &publisher;
        // Nobody consumes from the pseudo queue on that channel, so that the broker closes it.
        let message = if n % 10 == 0 { message(n).answered_to(DIRECT_REPLY) } else { message(n) };
        async move { publisher.publish(&message).await }
    }))
    .await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Err(PublishError::Rejected(reason)) if n % 10 == 0 => assert!(reason.contains("PRECONDITION"), "{reason}"),
            outcome => assert!(outcome.is_ok() && n % 10 != 0, "{n}: {outcome:?}"),
        }
    }
    stage.until("the others are there", async || stage.depth(&inbox).await == Some((90, 0))).await;
    publisher.close().await;
}
