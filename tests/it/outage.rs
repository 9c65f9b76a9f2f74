//! Outages of what a worker depends on: who waits, who is blamed, and what a worker asks meanwhile.

use std::time::{Duration, Instant};

use image::{ImageFormat, Rgb, RgbImage};
use lapin::options::QueueDeleteOptions;
use serde_json::json;

use crate::hosted_api::{Answer, HostedApi, image};
use crate::proxy::{Mode, Proxy};
use crate::stage::{Stage, environment};
use crate::worker::n_ended;
use crate::worker_process::WorkerProcess;

/// S3's refusal of one object, which is also its answer to a missing one where s3:ListBucket is not granted.
const DENIED: &str = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: 50\r\nConnection: close\r\n\r\n<Error><Code>AccessDenied</Code><Message/></Error>";

/// S3's answer for an object that was moved to an archive, and MinIO's for a key that it takes for none.
const ARCHIVED: &str = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: 56\r\nConnection: close\r\n\r\n<Error><Code>InvalidObjectState</Code><Message/></Error>";
const BAD_NAME: &str = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\nContent-Length: 61\r\nConnection: close\r\n\r\n<Error><Code>XMinioInvalidObjectName</Code><Message/></Error>";

/// Ten minutes in the scale of this test, one to fifty: every delay and interval is a fiftieth of its default.
const TEN_MINUTES: Duration = Duration::from_secs(12);
const INTERVAL: Duration = Duration::from_millis(100);

#[tokio::test]
async fn ten_minutes_without_the_hosted_api_burn_no_attempt_and_cost_one_probe_an_interval() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let mut workers = Vec::new();
    for _ in 0..2 {
        let worker = stage
            .worker()
            .reads_remotely(&api.address)
            .set("worker.concurrency", "8")
            .set("retry.delays", "100ms,600ms,2400ms,12s")
            .set("retry.defer_delays", "100ms,600ms,2400ms")
            .set("retry.probe_interval", "100ms");
        workers.push(worker.start().await);
    }
    api.set(Answer::Status(500), 1.0);
    for n in 0..40 {
        stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
    }
    let opened = |log: &str| log.contains("the circuit of a dependency opened");
    stage.until("both circuits open", async || workers.iter().all(|worker| opened(&worker.log()))).await;
    // The jobs in flight when the circuits opened have had their answers.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (n_before, start) = (api.n_calls(), Instant::now());
    tokio::time::sleep(TEN_MINUTES).await;
    let n_probes = api.n_calls() - n_before;
    let n_intervals = start.elapsed().as_millis().div_ceil(INTERVAL.as_millis()) as usize;
    api.set(Answer::Well, 1.0);

    for _ in 0..40 {
        assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    }
    assert!(n_probes > 0 && n_probes <= workers.len() * (n_intervals + 1), "{n_probes} probes in {n_intervals} intervals");
    for worker in &workers {
        assert_eq!(n_ended(&worker.log(), "retried"), 0, "no attempt was burned");
    }
    assert!(stage.depth(&stage.name("dead")).await.is_some_and(|(n, _)| n == 0));
    // Jobs trickle in, and whichever worker was well first has room for all of them: the other one gets its probe all the same.
    stage
        .until("both circuits close", async || {
            stage.publish(&json!({"id": "trickle", "front": front})).await;
            workers.iter().all(|worker| worker.log().contains("the circuit closed"))
        })
        .await;
}

#[tokio::test]
async fn a_hold_queue_that_is_missing_when_an_outage_needs_it_is_made_again() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker =
        stage.worker().reads_remotely(&api.address).set("retry.defer_delays", "100ms").set("retry.probe_interval", "100ms").start().await;
    let hold = stage.name("jobs.retry.100ms");
    stage.channel().await.queue_delete(hold.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    api.set(Answer::Status(500), 1.0);
    for n in 0..2 {
        stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
    }
    stage.until("jobs are put off", async || n_ended(&worker.log(), "deferred") > 0).await;
    assert!(worker.log().contains("declaring the topology again"));
    api.set(Answer::Well, 1.0);
    for _ in 0..2 {
        assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    }
    assert_eq!(n_ended(&worker.log(), "lost"), 0, "no lease was given up for it");
}

#[tokio::test]
async fn a_document_that_only_the_hosted_api_can_read_waits_for_it_and_burns_no_attempt() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let mut blank = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(640, 400, Rgb([200; 3])).write_to(&mut blank, ImageFormat::Png).unwrap();
    let (blank, (printed, _)) = (stage.upload("blank.png", blank.into_inner()).await, stage.upload_specimen("passport-1").await);
    let worker = stage
        .worker()
        .reads_remotely(&api.address)
        .set("reader.order", "embedded_then_remote")
        .set("retry.delays", "100ms")
        .set("retry.defer_delays", "100ms")
        .set("retry.probe_interval", "100ms")
        .start()
        .await;
    api.set(Answer::Status(500), 1.0);
    stage.publish(&json!({"id": "blank", "front": blank})).await;
    stage.until("it is put off", async || n_ended(&worker.log(), "deferred") > 2).await;
    // The engine needs no API, and goes on.
    stage.publish(&json!({"id": "printed", "front": printed})).await;
    assert_eq!(stage.next_event().await.json()["subject"], "printed");
    api.set(Answer::Well, 1.0);
    assert_eq!(stage.next_event().await.json()["subject"], "blank");
    assert_eq!(n_ended(&worker.log(), "retried"), 0, "no attempt was burned");
}

#[tokio::test]
async fn a_document_on_which_alone_the_hosted_api_fails_is_given_up_at_last() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker = stage
        .worker()
        .reads_remotely(&api.address)
        .set("retry.delays", "50ms,50ms")
        .set("retry.defer_delays", "50ms")
        .set("retry.probe_interval", "50ms")
        .start()
        .await;
    stage.publish(&json!({"id": "innocent", "front": front})).await;
    assert_eq!(stage.next_event().await.json()["subject"], "innocent");
    // Nothing else is in the queue, so that nothing shows that the API works for others.
    api.set(Answer::Status(500), 1.0);
    stage.publish(&json!({"id": "poison", "front": front})).await;

    let letter = stage.next_dead_letter().await;
    assert_eq!((letter.header("x-idmill-class"), letter.header("x-idmill-attempt")), ("unavailable", "3"));
    assert_eq!(letter.header("x-idmill-deferrals"), "10");
    assert_eq!(n_ended(&worker.log(), "retried"), 2);
}

#[tokio::test]
async fn a_hosted_api_that_asks_for_patience_burns_no_attempt() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker =
        stage.worker().reads_remotely(&api.address).set("retry.delays", "50ms").set("retry.defer_delays", "50ms,1s,1500ms").start().await;
    api.set(Answer::Throttle(1), 1.0);
    stage.publish(&json!({"id": "job", "front": front})).await;
    stage.until("it is put off again and again", async || n_ended(&worker.log(), "deferred") >= 3).await;
    assert!(worker.log().contains(r#""delay_ms":1000"#), "as long as the API asked for: {}", worker.log());
    api.set(Answer::Well, 1.0);
    assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    stage.until("it is settled", async || n_ended(&worker.log(), "read") == 1).await;
    assert_eq!(n_ended(&worker.log(), "retried"), 0, "no attempt was burned, though the ladder has one rung");
    assert!(worker.log().lines().filter(|line| line.contains(r#""job.id":"job""#)).all(|line| !line.contains(r#""attempt":2"#)));
}

/// A worker that is soon through with its delays, and the store that it asks, whose answers can be others.
async fn behind_a_store_that_denies(stage: &Stage, api: &HostedApi) -> (Proxy, WorkerProcess) {
    let store = Proxy::start(environment("IDMILL_TEST_S3_ENDPOINT").trim_start_matches("http://")).await;
    let worker = stage
        .worker()
        .reads_remotely(&api.address)
        .set("storage.endpoint", &format!("http://{}", store.address))
        .set("retry.missing_delays", "50ms,50ms")
        .set("retry.defer_delays", "50ms")
        .set("retry.probe_interval", "50ms")
        .start()
        .await;
    (store, worker)
}

#[tokio::test]
async fn one_object_that_the_store_denies_is_no_outage_and_all_objects_are() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let (store, worker) = behind_a_store_that_denies(&stage, &api).await;
    stage.publish(&json!({"id": "there", "front": front})).await;
    assert_eq!(stage.next_event().await.json()["subject"], "there");

    store.set(Mode::Answer { to: "nowhere.jpg", with: DENIED });
    stage.publish(&json!({"id": "nowhere", "front": stage.key("nowhere.jpg")})).await;
    let letter = stage.next_dead_letter().await;
    assert_eq!((letter.header("x-idmill-class"), letter.header("x-idmill-attempt")), ("denied", "3"));
    let reason = letter.header("x-idmill-reason");
    assert!(reason.contains("s3:ListBucket") && reason.contains("bucket policy"), "{reason}");
    assert!(!worker.log().contains("the circuit of a dependency opened"));
    assert_eq!(stage.next_event().await.json()["subject"], "nowhere");

    // As many as the worker takes at once hear of it together: a first one alone would be given up in the meantime.
    store.set(Mode::Stall);
    for n in 0..4 {
        stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
    }
    store.set(Mode::Answer { to: "", with: DENIED });
    stage.until("the circuit opens", async || worker.log().contains("the circuit of a dependency opened")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    store.set(Mode::Pass);
    for _ in 0..4 {
        assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    }
}

#[tokio::test]
async fn what_one_job_alone_is_denied_stops_nobody_else() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let (store, worker) = behind_a_store_that_denies(&stage, &api).await;
    let read = async |id: &str| {
        stage.publish(&json!({"id": id, "front": front})).await;
        assert_eq!(stage.next_event().await.json()["subject"], id);
    };
    let given_up = async |id: &str, front: &str, class: &str, attempts: &str| {
        stage.publish(&json!({"id": id, "front": front})).await;
        let letter = stage.next_dead_letter().await;
        assert_eq!((letter.header("x-idmill-class"), letter.header("x-idmill-attempt")), (class, attempts));
        assert_eq!(stage.next_event().await.json()["subject"], id);
        letter.header("x-idmill-reason").to_owned()
    };
    read("before").await;
    store.set(Mode::Answer { to: "archived.jpg", with: ARCHIVED });
    let reason = given_up("archived", &stage.key("archived.jpg"), "denied", "3").await;
    assert!(reason.contains("403, InvalidObjectState"), "{reason}");
    read("between").await;
    store.set(Mode::Answer { to: "name.jpg", with: BAD_NAME });
    given_up("bad-name", &stage.key("bad//name.jpg"), "bad_job", "1").await;
    store.set(Mode::Pass);
    read("later").await;
    // What a firewall before the API does with one body that it takes for an attack.
    api.set(Answer::Status(403), 1.0);
    given_up("attack", &front, "denied", "3").await;
    api.set(Answer::Well, 1.0);
    read("after").await;
    assert!(!worker.log().contains("the circuit of a dependency opened"));
}

#[tokio::test]
async fn a_hosted_api_that_asks_everybody_for_patience_is_not_asked_by_every_job() {
    const N_JOBS: usize = 60;
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let worker =
        stage.worker().reads_remotely(&api.address).set("worker.concurrency", "4").set("retry.defer_delays", "100ms").start().await;
    api.set(Answer::Throttle(30), 1.0);
    for n in 0..N_JOBS {
        stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
    }
    stage.until("the circuit opens", async || worker.log().contains("the circuit of a dependency opened")).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    // Three open the circuit, the others were in flight or had been delivered. The probe is due after half a minute.
    assert!(api.n_calls() <= 12, "{} calls", api.n_calls());
    api.set(Answer::Well, 1.0);
    for _ in 0..N_JOBS {
        assert_eq!(stage.next_event().await.json()["type"], "idmill.document.read.v1");
    }
    assert_eq!(n_ended(&worker.log(), "retried"), 0, "no attempt was burned");
}
