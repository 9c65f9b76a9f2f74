//! Consumers that come and go while jobs flow.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use idmill::broker::{Connector, Delivery, Names, Role, Session, set_up};
use idmill::config::{self, TopologyMode};
use lapin::BasicProperties;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::hosted_api::{Answer, HostedApi, image};
use crate::stage::Stage;
use crate::worker_process::OwnBroker;

/// Jobs in flight of each consumer.
const PREFETCH: u16 = 4;

/// Consumers that come and go.
const N_ROUNDS: usize = 40;

/// Settles jobs as workers do: each after a while, all side by side.
#[derive(Clone, Default)]
struct Settled {
    n_first: Arc<AtomicUsize>,
    n_again: Arc<AtomicUsize>,
}

impl Settled {
    fn start(&self, delivery: Delivery) {
        let n = if delivery.redelivered() { &self.n_again } else { &self.n_first };
        n.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..6))).await;
            delivery.ack().await.unwrap();
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_finished_amid_the_flow_gives_nothing_back() {
    let stage = Stage::new().await;
    let connector = Connector::new(config::Broker { url: stage.amqp_url.clone(), ..config::Broker::default() });
    let connection = connector.connect(Role::Operate).await.unwrap();
    set_up(&connection, &Names::new(&stage.prefix), &[], 20, TopologyMode::Declare).await.unwrap();
    let jobs = stage.name("jobs");
    let over = CancellationToken::new();

    let channel = stage.channel().await;
    let publishing = tokio::spawn({
        let (jobs, over) = (jobs.clone(), over.clone());
        async move {
            let mut n_published = 0;
            while !over.is_cancelled() {
                let properties = BasicProperties::default().with_delivery_mode(2);
                channel.basic_publish("".into(), jobs.as_str().into(), Default::default(), b"{}", properties).await.unwrap();
                n_published += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            n_published
        }
    });
    let settled = Settled::default();
    // Another worker takes jobs all the time, so that the queue is mostly empty and every consumer has room for more.
    let other = Session::open(&connector, &jobs).await.unwrap();
    let mut others = other.consume(PREFETCH).await.unwrap();
    let rest = tokio::spawn({
        let settled = settled.clone();
        async move {
            while let Some(delivery) = others.next().await {
                settled.start(delivery);
            }
        }
    });
    let session = Session::open(&connector, &jobs).await.unwrap();
    for _ in 0..N_ROUNDS {
        let mut deliveries = session.consume(PREFETCH).await.unwrap();
        for _ in 0..8 {
            settled.start(deliveries.next().await.unwrap());
        }
        session.finish(deliveries, |delivery| settled.start(delivery)).await;
    }
    over.cancel();
    let n_published = publishing.await.unwrap();
    let n_settled = || settled.n_first.load(Ordering::SeqCst) + settled.n_again.load(Ordering::SeqCst);
    stage.until("every job was delivered", async || n_settled() >= n_published).await;
    assert_eq!(settled.n_again.load(Ordering::SeqCst), 0, "of {n_published} jobs");
    rest.abort();
}

#[tokio::test]
async fn no_more_jobs_are_in_work_than_a_worker_may_have_at_once() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker = || stage.worker().reads_remotely(&api.address).set("reader.remote.timeout", "100s").set("worker.concurrency", "1");
    worker().start().await.kill();
    let jobs = stage.name("jobs");
    stage.until("the queue has no consumer", async || stage.depth(&jobs).await == Some((0, 0))).await;
    api.set(Answer::Hang, 1.0);
    for n in 0..3 {
        stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
    }
    let worker = worker().start().await;
    // The first one was looked at by itself, and the consumer has room for another.
    stage.until("two jobs are taken", async || stage.depth(&jobs).await.is_some_and(|(n, _)| n == 1)).await;
    stage.until("the first is in work", async || api.n_calls() == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(api.n_calls(), 1, "the second one waits for it");
    let metrics = worker.metrics().await;
    assert!(metrics.lines().any(|line| line == "idmill_jobs_in_flight 1"), "{metrics}");
    api.set(Answer::Well, 1.0);
    for _ in 0..3 {
        assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_why_a_session_ended() {
    let broker = OwnBroker::start();
    let stage = Stage::on_broker(broker.url()).await;
    let worker = stage.worker().start().await;
    broker.ctl(&["close_all_connections", "maintenance tonight"]);
    stage.until("the worker is back", async || worker.log().matches("\"connected to the broker\"").count() >= 2).await;
    let ended: Vec<_> = worker.log().lines().filter(|line| line.contains("the session with the broker ends")).map(str::to_owned).collect();
    assert!(ended.len() == 1 && ended[0].contains("maintenance tonight"), "{ended:?}");
    assert!(!worker.log().contains("the broker cancelled the consumer"), "{}", worker.log());
}
