//! Rolling updates and scale-downs, as an orchestrator does them: SIGTERM, one process after the other, under load.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use lapin::BasicProperties;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::hosted_api::{HostedApi, image};
use crate::stage::Stage;
use crate::worker_process::WorkerProcess;

/// Jobs that wait while processes come and go, at least: nobody is without work then.
const N_WAITING: usize = 50;

async fn start_worker(stage: &Stage, url: &str, token_file: &Path) -> WorkerProcess {
    let token_file = token_file.to_str().expect("path");
    let worker = stage.worker().set("reader.order", "remote").set("reader.remote.url", url);
    worker.set("reader.remote.token_file", token_file).set("worker.concurrency", "8").start().await
}

/// Stops a process as Kubernetes does, and returns its log.
async fn stop(mut worker: WorkerProcess) -> String {
    worker.terminate();
    let status = worker.wait().await;
    assert!(status.success(), "the worker ended with {status}:\n{}", worker.log());
    worker.log()
}

/// Keeps jobs waiting until it is over; returns how many there were.
async fn publish_until(over: &CancellationToken, stage: &Stage, front: &str) -> usize {
    let jobs = stage.name("jobs");
    let channel = stage.channel().await;
    channel.confirm_select(Default::default()).await.expect("confirms");
    let mut n_jobs = 0;
    while !over.is_cancelled() {
        if stage.depth(&jobs).await.expect("queue").0 as usize >= N_WAITING {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        let mut confirms = Vec::new();
        for _ in 0..N_WAITING {
            let body = json!({"id": format!("job-{n_jobs}"), "front": front}).to_string();
            let properties = BasicProperties::default().with_delivery_mode(2);
            let sent = channel.basic_publish("".into(), jobs.as_str().into(), Default::default(), body.as_bytes(), properties);
            confirms.push(sent.await.expect("publish"));
            n_jobs += 1;
        }
        for confirm in confirms {
            assert!(confirm.await.expect("confirm").is_ack());
        }
    }
    n_jobs
}

#[tokio::test]
async fn a_rolling_update_and_a_scale_down_lose_and_repeat_nothing() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    let url = format!("http://{}/ai/v1/ocr", api.address);
    let home = TempDir::new().expect("folder");
    let token_file = home.path().join("token");
    std::fs::write(&token_file, "a ready token").expect("token");
    let front = stage.upload("front.jpg", image(b"a fictional document")).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(start_worker(&stage, &url, &token_file).await);
    }

    let over = CancellationToken::new();
    let replacing = async {
        let mut logs = Vec::new();
        let mut successors = Vec::new();
        // The update: each old process leaves when its successor consumes.
        for old in workers {
            successors.push(start_worker(&stage, &url, &token_file).await);
            logs.push(stop(old).await);
        }
        // The scale-down: two of three leave at once.
        let (last, gone) = (successors.pop().expect("three"), successors);
        for worker in &gone {
            worker.terminate();
        }
        for mut worker in gone {
            assert!(worker.wait().await.success());
            logs.push(worker.log());
        }
        over.cancel();
        (last, logs)
    };
    let (n_jobs, (last, mut logs)) = tokio::join!(publish_until(&over, &stage, &front), replacing);

    let mut events = HashMap::<String, usize>::new();
    for _ in 0..n_jobs {
        let event = stage.next_event().await.json();
        assert_eq!(event["type"], "idmill.document.read.v1");
        *events.entry(event["subject"].as_str().expect("subject").to_owned()).or_default() += 1;
    }
    logs.push(stop(last).await);
    assert_eq!(events.len(), n_jobs, "every job has its event");
    assert!(stage.next_event_within(Duration::from_millis(200)).await.is_none(), "no job has two");
    assert_eq!(api.n_calls(), n_jobs, "no document was read twice");
    let redelivered = || logs.iter().flat_map(|log| log.lines()).filter(|line| line.contains(r#""redelivered":true"#));
    assert_eq!(redelivered().count(), 0, "no job was delivered twice: {:#?}", redelivered().collect::<Vec<_>>());
    assert_eq!(stage.depth(&stage.name("jobs")).await.map(|(n_waiting, _)| n_waiting), Some(0));
    let n_at_work = logs.iter().filter(|log| log.contains(r#""outcome":"read""#)).count();
    assert_eq!(n_at_work, logs.len(), "processes that had work");
}
