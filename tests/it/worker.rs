//! The worker's promises, each shown with a real broker, a real object store and real processes.

use std::time::{Duration, Instant};

use lapin::BasicProperties;
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions, QueuePurgeOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use crate::api::collect_texts;
use crate::hosted_api::{Answer, HostedApi, image};
use crate::proxy::{Mode, Proxy};
use crate::stage::{PATIENCE, Stage, environment};
use crate::worker_process::WorkerProcess;

/// The specimen that most tests use: its machine-readable zone makes reading it certain.
const SPECIMEN: &str = "passport-1";

fn store_address() -> String {
    environment("IDMILL_TEST_S3_ENDPOINT").trim_start_matches("http://").to_owned()
}

/// How many jobs the worker's log says ended that way.
pub(crate) fn n_ended(log: &str, outcome: &str) -> usize {
    log.matches(&format!(r#""outcome":"{outcome}""#)).count()
}

#[tokio::test]
async fn a_job_becomes_an_event() {
    let stage = Stage::new().await;
    let (front, back) = stage.upload_specimen(SPECIMEN).await;
    let _worker = stage.worker().start().await;
    let properties = BasicProperties::default().with_correlation_id("c-1".into());
    let metadata = r#"{"applicant": 98765432109876543210, "score": [1.10, 0.1234567890123456789]}"#;
    let job = format!(r#"{{"id": "job-1", "front": {}, "back": {}, "metadata": {metadata}}}"#, json!(front), json!(back));
    stage.publish_raw(job.as_bytes(), properties).await;

    let message = stage.next_event().await;
    let event = message.json();
    assert_eq!(message.routing_key, "document.read");
    assert_eq!(message.properties.correlation_id().as_ref().unwrap().as_str(), "c-1");
    assert_eq!(message.properties.delivery_mode(), &Some(2));
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "idmill.document.read.v1");
    assert_eq!(event["subject"], "job-1");
    assert!(String::from_utf8(message.body).unwrap().contains(metadata), "it comes back as it is");
    assert_eq!(event["data"]["fields"]["idType"], "passport");
    assert_ne!(event["data"]["fields"]["idNumber"], "");
    stage.until("the job is acknowledged", async || stage.depth(&stage.name("jobs")).await.is_some_and(|(n, _)| n == 0)).await;
}

#[tokio::test]
async fn one_image_as_front_and_back_is_read_once_and_told() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let _worker = stage.worker().start().await;
    stage.publish(&json!({"id": "twice", "front": front, "back": front})).await;
    let event = stage.next_event().await.json();
    assert_eq!(event["data"]["details"]["signals"]["sameImage"], true);
    assert_eq!(event["data"]["warnings"], json!(["front and back are the same image"]));
}

#[tokio::test]
async fn each_bad_input_gets_its_class_once_and_loses_nothing() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let whole = stage.s3.get_object().bucket("idmill").key(&front).send().await.unwrap().body.collect().await.unwrap().to_vec();
    let text = stage.upload("text.jpg", "I am no image.").await;
    let empty = stage.upload("empty.jpg", Vec::new()).await;
    let cut = stage.upload("cut.jpg", whole[..whole.len() / 2].to_vec()).await;
    let bomb = stage.upload("bomb.png", png_header(10_000, 6_000)).await;
    let large = stage.upload("large.jpg", vec![0; 1_200_000]).await;
    let worker = stage.worker().set("storage.max_object_bytes", "1000000").set("retry.missing_delays", "50ms").start().await;

    let job = |id: &str, front: &str| json!({"id": id, "front": front});
    let cases = [
        ("not-json", "bad_job", json!("…")),
        ("no-key", "bad_job", json!({"id": "no-key"})),
        ("bucket", "bad_job", json!({"id": "bucket", "front": front, "bucket": "somebody-elses"})),
        ("empty", "bad_image", job("empty", &empty)),
        ("text", "bad_image", job("text", &text)),
        ("cut", "bad_image", job("cut", &cut)),
        ("bomb", "bad_image", job("bomb", &bomb)),
        ("large", "bad_image", job("large", &large)),
        ("missing", "image_missing", job("missing", &stage.key("nowhere.jpg"))),
        ("expired", "expired", json!({"id": "expired", "front": front, "deadline": "2020-01-01T00:00:00Z"})),
    ];
    for (id, _, body) in &cases {
        let body = if *id == "not-json" { b"not json".to_vec() } else { body.to_string().into_bytes() };
        stage.publish_raw(&body, BasicProperties::default().with_message_id((*id).into())).await;
    }
    stage.publish(&json!({"id": "good", "front": front})).await;

    let mut classes = std::collections::BTreeMap::new();
    for _ in 0..cases.len() {
        let letter = stage.next_dead_letter().await;
        let id =
            letter.properties.message_id().as_ref().map_or_else(|| letter.json()["id"].as_str().unwrap().to_owned(), ToString::to_string);
        assert!(!letter.header("x-idmill-reason").is_empty() && !letter.header("x-idmill-first-seen").is_empty());
        assert_eq!(letter.header("x-idmill-attempt"), if id == "missing" { "2" } else { "1" }, "{id}");
        classes.insert(id, letter.header("x-idmill-class").to_owned());
    }
    let expected = cases.iter().map(|(id, class, _)| ((*id).to_owned(), (*class).to_owned())).collect();
    assert_eq!(classes, expected);

    let mut events = std::collections::BTreeMap::new();
    for _ in 0..=cases.len() {
        let event = stage.next_event().await.json();
        let class = event["data"]["failure"]["class"].as_str().unwrap_or("read").to_owned();
        assert!(events.insert(event["subject"].as_str().unwrap().to_owned(), class).is_none(), "one event a job");
    }
    assert_eq!(events.remove("good").as_deref(), Some("read"));
    assert_eq!(events, classes);
    assert!(!worker.log().contains("panicked"));
}

#[tokio::test]
async fn a_job_whose_headers_fill_a_frame_is_held_and_given_up_without_them() {
    let stage = Stage::new().await;
    let worker = stage.worker().set("retry.missing_delays", "50ms").start().await;
    let mut headers = FieldTable::default();
    // With ours beside it, it would not fit the 131,072 bytes of a frame, and the broker would close the connection.
    headers.insert("x-note".into(), AMQPValue::LongString("n".repeat(130_700).into()));
    let job = json!({"id": "job", "front": stage.key("nowhere.jpg")}).to_string();
    stage.publish_raw(job.as_bytes(), BasicProperties::default().with_headers(headers)).await;
    let letter = stage.next_dead_letter().await;
    assert_eq!((letter.header("x-idmill-class"), letter.header("x-idmill-attempt")), ("image_missing", "2"));
    assert!(!letter.headers.contains_key("x-note"));
    assert_eq!(n_ended(&worker.log(), "lost"), 0, "{}", worker.log());
}

#[tokio::test]
async fn who_tells_a_worker_twice_to_stop_need_not_wait_for_its_jobs() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let mut worker = stage.worker().reads_remotely(&api.address).start().await;
    api.set(Answer::Hang, 1.0);
    stage.publish(&json!({"id": "job", "front": front})).await;
    stage.until("the job is in flight", async || api.n_calls() > 0).await;
    worker.terminate();
    stage.until("it drains", async || worker.log().contains("draining")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(worker.ended().is_none(), "it waits for its job");
    let told = Instant::now();
    worker.terminate();
    assert!(worker.wait().await.success());
    assert!(told.elapsed() < Duration::from_secs(60), "it would have waited for its job for longer: {:?}", told.elapsed());
    api.set(Answer::Well, 1.0);
    let _heir = stage.worker().reads_remotely(&api.address).start().await;
    assert_eq!(stage.next_event().await.json()["subject"], "job");
}

#[tokio::test]
async fn who_waits_for_an_engine_uses_up_nothing() {
    const N_JOBS: usize = 24;
    let stage = Stage::new().await;
    let (front, back) = stage.upload_specimen(SPECIMEN).await;
    let publish = async |id: &str| stage.publish(&json!({"id": id, "front": front, "back": back})).await;
    let first = stage.worker().start().await;
    publish("measured").await;
    stage.next_event().await;
    stage.until("it is settled", async || n_ended(&first.log(), "read") == 1).await;
    // A third of the time that the last of them waits, and eight times as long as one is worked on.
    let budget = 8 * collect_ms(&first.log(), "took_ms")[0].max(100);
    first.kill();
    let worker = stage
        .worker()
        .set("worker.concurrency", "24")
        .set("worker.job_budget", &format!("{budget}ms"))
        .set("storage.timeout", &format!("{}ms", budget / 2))
        .set("retry.defer_delays", "200ms")
        .start()
        .await;
    for n in 0..N_JOBS {
        publish(&format!("job-{n}")).await;
    }
    for _ in 0..N_JOBS {
        assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    }
    let longest = collect_ms(&worker.log(), "wait_ms").into_iter().max().unwrap();
    assert!(longest > budget, "some waited for longer than a job may take, {budget} ms: {longest} ms");
    assert_eq!(n_ended(&worker.log(), "retried"), 0, "{}", worker.log());
}

/// What the log says of jobs under this name, in milliseconds.
fn collect_ms(log: &str, name: &str) -> Vec<u64> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line[name].as_u64()).collect()
}

#[tokio::test]
async fn an_image_that_arrives_late_is_waited_for_with_the_ladders_delay() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let worker = stage.worker().set("retry.missing_delays", "8s,8s").start().await;
    let late = stage.key("late.jpg");
    stage.publish(&json!({"id": "late", "front": late})).await;
    stage.until("the first attempt failed", async || n_ended(&worker.log(), "retried") >= 1).await;
    let failed_at = Instant::now();
    stage.s3.copy_object().bucket("idmill").copy_source(format!("idmill/{front}")).key(&late).send().await.unwrap();

    assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    assert!(failed_at.elapsed() >= Duration::from_secs(4), "the hold queue's delay was kept");
    assert_eq!(n_ended(&worker.log(), "retried"), 1, "the second attempt was the last");
    assert!(stage.depth(&stage.name("dead")).await.is_some_and(|(n, _)| n == 0));
}

#[tokio::test]
async fn an_outage_of_the_store_burns_no_attempt_and_dead_letters_nothing() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let store = Proxy::start(&store_address()).await;
    let worker = stage
        .worker()
        .set("storage.endpoint", &format!("http://{}", store.address))
        .set("retry.defer_delays", "200ms,500ms")
        .set("retry.circuit_threshold", "3")
        .set("retry.probe_interval", "300ms")
        .start()
        .await;
    store.set(Mode::Cut);
    for n in 0..6 {
        stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
    }
    stage.until("the circuit opens", async || worker.log().contains("the circuit of a dependency opened")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    store.set(Mode::Pass);

    let mut subjects: Vec<_> = Vec::new();
    for _ in 0..6 {
        let event = stage.next_event().await.json();
        assert_eq!(event["type"], "idmill.document.read.v1");
        subjects.push(event["subject"].as_str().unwrap().to_owned());
    }
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 6, "each job was answered");
    assert_eq!(n_ended(&worker.log(), "retried"), 0, "no attempt was burned");
    assert!(n_ended(&worker.log(), "deferred") > 0);
    assert!(stage.depth(&stage.name("dead")).await.is_some_and(|(n, _)| n == 0));
}

#[tokio::test]
async fn a_job_of_a_killed_worker_is_delivered_again() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let store = Proxy::start(&store_address()).await;
    let doomed = stage.worker().set("storage.endpoint", &format!("http://{}", store.address)).start().await;
    store.set(Mode::BlackHole);
    stage.publish(&json!({"id": "job", "front": front})).await;
    stage.until("the job is in flight", async || store.n_swallowed() > 0).await;
    doomed.kill();

    let _heir = stage.worker().start().await;
    assert_eq!(stage.next_event().await.json()["subject"], "job");
    assert!(stage.next_event_within(Duration::from_millis(300)).await.is_none());
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_and_gives_back_nothing() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let mut worker = stage.worker().set("worker.concurrency", "4").start().await;
    for n in 0..12 {
        stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
    }
    stage.until("some jobs are done", async || n_ended(&worker.log(), "read") >= 2).await;
    worker.terminate();
    assert!(worker.wait().await.success());

    let n_read = n_ended(&worker.log(), "read");
    let left = 12 - n_read;
    let n_waiting = async || stage.depth(&stage.name("jobs")).await.unwrap().0 as usize;
    stage.until("every job was either finished or never begun", async || n_waiting().await == left).await;
    assert_eq!(n_ended(&worker.log(), "lost"), 0);
    let heir = stage.worker().start().await;
    let mut subjects = std::collections::BTreeSet::new();
    for _ in 0..12 {
        assert!(subjects.insert(stage.next_event().await.json()["subject"].to_string()), "no job was read twice");
    }
    stage.until("the heir has settled the rest", async || n_ended(&heir.log(), "read") == left).await;
    assert_eq!(heir.log().matches(r#""redelivered":true"#).count(), 0, "no job was delivered twice");
}

#[tokio::test]
async fn a_job_that_outlasts_the_drain_goes_back_and_is_answered_once() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let mut worker = stage.worker().reads_remotely(&api.address).set("worker.drain_timeout", "1s").start().await;
    api.set(Answer::Hang, 1.0);
    stage.publish(&json!({"id": "slow", "front": front})).await;
    stage.until("the job is in flight", async || api.n_calls() == 1).await;
    let told_at = Instant::now();
    worker.terminate();
    assert!(worker.wait().await.success(), "a deployment is not held up by it");
    assert!(told_at.elapsed() >= Duration::from_secs(1), "it had the time that it was promised");
    let log = worker.log();
    let overdue = log.lines().find(|line| line.contains("jobs in flight did not finish in time and go back to the queue"));
    assert!(overdue.is_some_and(|line| line.contains(r#""n_in_flight":1"#)), "{log}");
    assert_eq!((n_ended(&log, "lost"), n_ended(&log, "read")), (1, 0));

    api.set(Answer::Well, 1.0);
    let heir = stage.worker().reads_remotely(&api.address).start().await;
    assert_eq!(stage.next_event().await.json()["subject"], "slow");
    stage.until("the job is settled", async || n_ended(&heir.log(), "read") == 1).await;
    assert!(heir.log().contains(r#""redelivered":true"#));
    assert!(stage.next_event_within(Duration::from_millis(300)).await.is_none());
}

#[tokio::test]
async fn the_same_job_twice_gives_the_same_event() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let _worker = stage.worker().start().await;
    let mut events = Vec::new();
    for _ in 0..2 {
        stage.publish(&json!({"id": "twice", "front": front})).await;
        events.push(stage.next_event().await.json());
    }
    assert_eq!(events[0], events[1], "the very same, with its id and its time");
    assert_eq!(events[0]["subject"], "twice");
}

/// A worker that took two copies of a job at once, of which the API does not answer the one that it is asked for.
pub(crate) async fn with_two_copies_in_work(stage: &Stage, api: &HostedApi) -> WorkerProcess {
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker = stage.worker().reads_remotely(&api.address).start().await;
    api.set(Answer::Hang, 1.0);
    for _ in 0..2 {
        stage.publish(&json!({"id": "twice", "front": front})).await;
    }
    stage
        .until("both were taken", async || {
            let metrics = worker.metrics().await;
            let both = metrics.lines().any(|line| line.starts_with("idmill_jobs_in_flight") && line.ends_with(" 2"));
            both && api.n_hanging() > 0
        })
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    worker
}

#[tokio::test]
async fn two_copies_of_a_job_at_once_are_read_once() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let _worker = with_two_copies_in_work(&stage, &api).await;
    assert_eq!(api.n_calls(), 1, "the other one waits");
    // The call that hung is answered 502, which is tried again at once.
    api.set(Answer::Well, 1.0);
    let events = [stage.next_event().await.json(), stage.next_event().await.json()];
    assert_eq!(events[0], events[1], "the very same, with its id and its time");
    assert_eq!((events[0]["subject"].as_str(), api.n_answered()), (Some("twice"), 1));
}

#[tokio::test]
async fn a_result_that_nobody_takes_is_kept_and_not_read_again() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let worker = stage.worker().start().await;
    stage.unbind_inbox().await;
    stage.publish(&json!({"id": "job", "front": front})).await;
    stage.until("the worker says why it waits", async || worker.log().contains("no queue takes messages for document.read")).await;
    stage.bind_inbox().await;
    let event = stage.next_event().await.json();
    assert_eq!(event["subject"], "job");
    stage.until("the job is settled", async || n_ended(&worker.log(), "read") == 1).await;
    // The broker gave the event back, and with it what is on the document.
    let mut forbidden = Vec::new();
    collect_texts(&event["data"], &mut forbidden);
    assert!(!forbidden.is_empty());
    assert_holds_none(&worker.log(), &forbidden);
    assert!(worker.log().contains("the circuit of a dependency opened") && worker.log().contains("the circuit closed"));
}

#[tokio::test]
async fn a_lost_connection_answers_from_memory_with_the_same_id_and_time() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let url = stage.amqp_url.clone();
    let (head, tail) = url.rsplit_once('@').unwrap();
    let (target, vhost) = tail.split_once('/').unwrap();
    let broker = Proxy::start(target).await;
    let worker = stage.worker().set("broker.url", &format!("{head}@{}/{vhost}", broker.address)).start().await;
    stage.unbind_inbox().await;
    stage.publish(&json!({"id": "job", "front": front})).await;
    stage.until("the document was read", async || worker.log().contains("failed to publish")).await;
    broker.set(Mode::Cut);
    stage.until("the lease is lost", async || n_ended(&worker.log(), "lost") == 1).await;
    stage.bind_inbox().await;
    broker.set(Mode::Pass);
    assert_eq!(stage.next_event().await.json()["subject"], "job");
    stage.until("the job is settled", async || n_ended(&worker.log(), "read") == 1).await;
    assert!(worker.log().contains(r#""kept":true"#), "it was not read again:\n{}", worker.log());
}

#[tokio::test]
async fn a_job_that_kills_the_process_ends_in_the_dead_queue_and_takes_no_neighbour_with_it() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let poison = stage.upload("poison.jpg", "x").await;
    let store = Proxy::start(&store_address()).await;
    store.set(Mode::BlackHoleOn("poison.jpg"));
    let worker = || {
        stage
            .worker()
            .set("storage.endpoint", &format!("http://{}", store.address))
            .set("topology.delivery_limit", "4")
            .set("worker.concurrency", "4")
    };
    worker().start().await.kill();
    for n in 0..3 {
        stage.publish(&json!({"id": format!("before-{n}"), "front": front})).await;
    }
    stage.publish(&json!({"id": "poison", "front": poison})).await;
    for n in 0..3 {
        stage.publish(&json!({"id": format!("after-{n}"), "front": front})).await;
    }
    // Wherever the worker touches the poisoned image, it dies.
    let mut n_deaths = 0;
    let _last = loop {
        let before = store.n_swallowed();
        let process = worker().spawn();
        stage
            .until("the poison is touched or taken aside", async || {
                store.n_swallowed() > before || stage.depth(&stage.name("dead")).await.is_some_and(|(n, _)| n > 0)
            })
            .await;
        if store.n_swallowed() == before {
            break process;
        }
        process.kill();
        n_deaths += 1;
        assert!(n_deaths <= 4, "the delivery limit does not work");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let mut types = std::collections::BTreeMap::new();
    // One that was answered and not yet settled when its process was killed is answered twice.
    while types.len() < 7 {
        let event = stage.next_event().await.json();
        if event["subject"] == "poison" {
            assert_eq!(event["data"]["failure"]["class"], "delivery_limit", "{event}");
        }
        types.insert(event["subject"].as_str().unwrap().to_owned(), event["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(types.remove("poison").as_deref(), Some("idmill.document.failed.v1"));
    assert_eq!(types.len(), 6, "every neighbour has an event: {types:?}");
    assert!(types.values().all(|kind| kind == "idmill.document.read.v1"), "{types:?}");
    let letter = stage.next_dead_letter().await;
    assert_eq!((&letter.json()["id"], letter.header("x-idmill-class")), (&json!("poison"), "delivery_limit"));
    assert!(stage.next_message(&stage.name("dead"), Duration::from_millis(200)).await.is_none(), "the poison alone is dead");
}

#[tokio::test]
async fn innocent_jobs_that_were_redelivered_often_do_not_bring_each_other_to_the_limit() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker = || stage.worker().reads_remotely(&api.address).set("worker.concurrency", "8").set("topology.delivery_limit", "4");
    worker().start().await.kill();
    let jobs = stage.name("jobs");
    stage.until_unused(&jobs).await;
    for n in 0..6 {
        stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
    }
    // As the crashes of a broker or of three workers do: taken by all of them, and answered by none.
    let take_all = async || {
        let channel = stage.channel().await;
        for _ in 0..6 {
            let take = async || channel.basic_get(jobs.as_str().into(), Default::default()).await.unwrap().is_some();
            stage.until("a job can be taken", take).await;
        }
        channel
    };
    for _ in 0..2 {
        take_all().await.close(200, "crash".into()).await.unwrap();
    }
    let last = take_all().await;
    let worker = worker().start().await;
    // Its consumer has room for all of them when they come back at once; those in our hand count as consumers, too.
    stage.until("it consumes", async || stage.depth(&jobs).await.is_some_and(|(_, n_consumers)| n_consumers > 1)).await;
    last.close(200, "crash".into()).await.unwrap();
    for _ in 0..6 {
        let event = stage.next_event().await.json();
        assert_eq!(event["type"], "idmill.document.read.v1", "{event}");
    }
    stage.until("all are settled", async || n_ended(&worker.log(), "read") == 6).await;
    assert_eq!(stage.depth(&stage.name("dead")).await, Some((0, 0)));
}

#[tokio::test]
async fn a_deleted_work_queue_is_made_again() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let worker = stage.worker().start().await;
    let channel = stage.channel().await;
    channel.queue_delete(stage.name("jobs").as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    stage
        .until("the worker consumes again", async || {
            worker.log().matches("connected to the broker").count() >= 2 && stage.depth(&stage.name("jobs")).await.is_some()
        })
        .await;
    stage.publish(&json!({"id": "job", "front": front})).await;
    assert_eq!(stage.next_event().await.json()["subject"], "job");
}

#[tokio::test]
async fn a_reply_goes_to_an_allowed_exchange_and_to_no_other() {
    let stage = Stage::new().await;
    let (front, _) = stage.upload_specimen(SPECIMEN).await;
    let other = stage.name("other-events");
    let channel = stage.channel().await;
    channel.exchange_declare(other.as_str().into(), lapin::ExchangeKind::Topic, Default::default(), Default::default()).await.unwrap();
    channel.queue_declare(other.as_str().into(), Default::default(), Default::default()).await.unwrap();
    channel.queue_bind(other.as_str().into(), other.as_str().into(), "#".into(), Default::default(), Default::default()).await.unwrap();
    let _worker = stage.worker().set("topology.allowed_reply_exchanges", &other).start().await;
    let job = |id: &str| json!({"id": id, "front": front}).to_string();
    stage.publish_raw(job("there").as_bytes(), BasicProperties::default().with_reply_to(other.as_str().into())).await;
    stage.publish_raw(job("nowhere").as_bytes(), BasicProperties::default().with_reply_to("amq.topic".into())).await;
    assert_eq!(stage.next_message(&other, PATIENCE).await.unwrap().json()["subject"], "there");
    let refused = stage.next_event().await.json();
    assert_eq!((&refused["subject"], &refused["data"]["failure"]["class"]), (&Value::from("nowhere"), &Value::from("bad_job")));
    channel.exchange_delete(other.as_str().into(), ExchangeDeleteOptions::default()).await.unwrap();
    channel.queue_purge(other.as_str().into(), QueuePurgeOptions::default()).await.unwrap();
}

#[tokio::test]
async fn a_queue_with_other_arguments_stops_the_start_and_is_named_with_its_argument() {
    let stage = Stage::new().await;
    stage.worker().set("topology.delivery_limit", "7").start().await.kill();
    let mut worker = stage.worker().set("topology.delivery_limit", "8").spawn();
    assert!(!worker.wait().await.success());
    let log = worker.log();
    let said = last_words(&log);
    assert!(said.contains(&stage.name("jobs")) && said.contains("x-delivery-limit") && said.contains("can never be changed"), "{log}");
}

/// What the last line of a log says of the end: JSON, as all others are.
fn last_words(log: &str) -> String {
    let last: Value = serde_json::from_str(log.lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {log}"));
    assert_eq!((&last["level"], &last["message"]), (&json!("ERROR"), &json!("idmill ends")), "{log}");
    last["error"].as_str().expect("a reason").to_owned()
}

#[tokio::test]
async fn verify_makes_nothing_and_says_what_is_missing() {
    let stage = Stage::new().await;
    let mut worker = stage.worker().set("topology.mode", "verify").spawn();
    assert!(!worker.wait().await.success());
    assert!(worker.log().contains("does not exist, and topology.mode is verify"), "{}", worker.log());
    assert!(stage.depth(&stage.name("jobs")).await.is_none());
}

#[tokio::test]
async fn with_verify_a_queue_that_is_deleted_and_made_again_ends_no_worker() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker = || stage.worker().reads_remotely(&api.address);
    worker().start().await.kill();
    let mut verifying = worker().set("topology.mode", "verify").start().await;
    let jobs = stage.name("jobs");
    stage.channel().await.queue_delete(jobs.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    stage.until("it is missed", async || verifying.log().contains("does not exist, and topology.mode is verify")).await;
    assert!(verifying.ended().is_none());
    worker().start().await.kill();
    stage.publish(&json!({"id": "job", "front": front})).await;
    assert_eq!(stage.next_event().await.json()["subject"], "job");
    assert!(verifying.log().matches("connected to the broker").count() >= 2);
}

#[tokio::test]
async fn without_a_topology_of_its_own_a_worker_makes_nothing_waits_for_it_and_works_on_it() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let waiting = stage.worker().reads_remotely(&api.address).set("topology.mode", "none").spawn();
    stage.until("it finds no queue", async || waiting.log().matches("the session with the broker ends").count() >= 2).await;
    assert!(waiting.log().contains("NOT_FOUND") && waiting.log().contains(&stage.name("jobs")), "{}", waiting.log());
    assert!(stage.depth(&stage.name("jobs")).await.is_none() && stage.depth(&stage.name("dead")).await.is_none());

    // Somebody else makes the queues, with arguments that this worker would not have chosen.
    stage.worker().reads_remotely(&api.address).set("topology.delivery_limit", "7").start().await.kill();
    stage.publish(&json!({"id": "job", "front": front})).await;
    assert_eq!(stage.next_event().await.json()["subject"], "job");
    stage.publish_raw(b"no job", BasicProperties::default()).await;
    assert_eq!(stage.next_dead_letter().await.header("x-idmill-class"), "bad_job");
    assert_eq!(stage.next_event().await.json()["data"]["failure"]["class"], "bad_job");
}

#[tokio::test]
async fn a_setting_that_nobody_knows_stops_the_start_and_is_named() {
    let stage = Stage::new().await;
    for (key, value) in [("worker.concurency", "2"), ("storage.timeout", "soon")] {
        let mut worker = stage.worker().set(key, value).spawn();
        assert!(!worker.wait().await.success());
        let (_, name) = key.split_once('.').unwrap();
        assert!(last_words(&worker.log()).contains(name), "{}", worker.log());
    }
}

/// A PNG that promises this many pixels and holds none.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&header[12..]);
    header.extend(crc.sum().to_be_bytes());
    header.extend(b"\x00\x00\x00\x00IEND\xae\x42\x60\x82");
    header
}

#[tokio::test]
async fn no_log_of_a_worker_holds_what_is_on_a_document() {
    let stage = Stage::new().await;
    let worker = stage.worker().set("telemetry.log_filter", "trace").start().await;
    let broker: reqwest::Url = stage.amqp_url.parse().unwrap();
    let mut forbidden = vec![environment("IDMILL_TEST_S3_SECRET"), broker.password().expect("a broker with a password").to_owned()];
    let specimens = ["passport-1", "td1-1", "td2-1", "licence-1", "aamva-1", "pan-1", "aadhaar-1"];
    for specimen in specimens {
        let (front, back) = stage.upload_specimen(specimen).await;
        // A key often holds whose document it is.
        forbidden.extend([front.clone()].into_iter().chain(back.clone()));
        stage.publish(&json!({"id": specimen, "front": front, "back": back, "metadata": {"note": "METADATA-OF-THE-PRODUCER"}})).await;
        let truth = std::fs::read(crate::api::specimen(specimen).join("truth.json")).unwrap();
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        for key in ["truth", "surname", "givenNames", "mrz"] {
            collect_texts(&truth[key], &mut forbidden);
        }
    }
    for _ in specimens {
        let event = stage.next_event().await;
        assert_eq!(event.routing_key, "document.read");
        collect_texts(&event.json()["data"], &mut forbidden);
    }
    stage.until("all are settled", async || n_ended(&worker.log(), "read") == specimens.len()).await;
    let log = worker.log();
    assert!(log.contains(r#""level":"TRACE""#), "the log is a log of everything");
    assert_holds_none(&log, &forbidden);
}

/// A log holds none of these texts, in any form that was seen so far.
#[track_caller]
fn assert_holds_none(log: &str, forbidden: &[String]) {
    let log = log.to_lowercase();
    for text in forbidden {
        assert!(!log.contains(&text.to_lowercase()), "the log holds something of a document ({} characters)", text.len());
        // Some libraries write bytes as lists of numbers.
        let bytes = text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
        assert!(!log.contains(&bytes), "the log holds the bytes of something of a document ({} characters)", text.len());
    }
}

#[test]
fn a_panics_message_never_reaches_the_log() {
    const SAID: &str = "JANE DOE IS PRINTED HERE";
    // The hook belongs to a process, so the panic happens in one of its own: this very test, run again.
    if std::env::var_os("IDMILL_TEST_PANIC").is_some() {
        let (log_format, log_filter) = (idmill::config::LogFormat::Json, "trace".into());
        let settings = idmill::config::Telemetry { log_format, log_filter, ..idmill::config::Telemetry::default() };
        let _traces = idmill::telemetry::start_logging(&settings).unwrap();
        let outcome = std::panic::catch_unwind(|| panic!("{SAID}"));
        assert!(outcome.is_err());
        return;
    }
    let itself = std::env::current_exe().unwrap();
    let arguments = ["--exact", "worker::a_panics_message_never_reaches_the_log", "--nocapture"];
    let done = std::process::Command::new(itself).args(arguments).env("IDMILL_TEST_PANIC", "1").output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("panicked: a fault of idmill") && said.contains("worker.rs:"), "{said}");
    assert!(!said.contains(SAID), "{said}");
}
