//! Rolling updates and scale-downs, as an orchestrator does them: SIGTERM, one process after the other, under load.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::hosted_api::{HostedApi, image};
use crate::stage::Stage;
use crate::worker_process::WorkerProcess;

/// Jobs that are published while processes come and go.
const N_JOBS: usize = 400;

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

    let publishing = async {
        for n in 0..N_JOBS {
            stage.publish(&json!({"id": format!("job-{n}"), "front": front})).await;
        }
    };
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
        (last, logs)
    };
    let ((), (last, mut logs)) = tokio::join!(publishing, replacing);

    let mut events = HashMap::<String, usize>::new();
    for _ in 0..N_JOBS {
        let event = stage.next_event().await.json();
        assert_eq!(event["type"], "idmill.document.read.v1");
        *events.entry(event["subject"].as_str().expect("subject").to_owned()).or_default() += 1;
    }
    logs.push(stop(last).await);
    assert_eq!(events.len(), N_JOBS, "every job has its event");
    assert!(stage.next_event_within(Duration::from_millis(200)).await.is_none(), "no job has two");
    assert_eq!(api.n_calls(), N_JOBS, "no document was read twice");
    let redelivered = || logs.iter().flat_map(|log| log.lines()).filter(|line| line.contains(r#""redelivered":true"#));
    assert_eq!(redelivered().count(), 0, "no job was delivered twice: {:#?}", redelivered().collect::<Vec<_>>());
    assert_eq!(stage.depth(&stage.name("jobs")).await.map(|(n_waiting, _)| n_waiting), Some(0));
    let n_at_work = logs.iter().filter(|log| log.contains(r#""outcome":"read""#)).count();
    assert!(n_at_work >= 4, "only {n_at_work} of the six processes had any work: the load was over before the update");
}
