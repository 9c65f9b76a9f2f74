//! `/metrics`, against which dashboard and alerts are written, as a worker shows it.

use std::collections::BTreeSet;

use serde_json::json;

use crate::command::CommandBuilder;
use crate::hosted_api::{Answer, HostedApi};
use crate::stage::Stage;

/// The value of one series, written as Prometheus writes it; `None` where it is not there.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).and_then(|value| value.parse().ok())
}

#[tokio::test]
async fn what_a_worker_did_stands_in_its_metrics() {
    let stage = Stage::new().await;
    let (front, back) = stage.upload_specimen("passport-1").await;
    let worker = stage.worker().set("retry.missing_delays", "50ms").set("worker.concurrency", "1").start().await;
    // The second one is a duplicate, and the third is tried twice.
    for _ in 0..2 {
        stage.publish(&json!({"id": "twice", "front": front, "back": back})).await;
    }
    stage.publish(&json!({"id": "missing", "front": stage.key("nowhere.jpg")})).await;
    let given_up = r#"idmill_jobs_total{outcome="failed",class="image_missing"}"#;
    let mut metrics = String::new();
    let settled = |metrics: &str| value(metrics, given_up) == Some(1.0) && value(metrics, "idmill_jobs_in_flight") == Some(0.0);
    stage
        .until("all jobs are settled", async || {
            metrics = worker.metrics().await;
            settled(&metrics)
        })
        .await;

    for (series, expected) in [
        (r#"idmill_jobs_total{outcome="read",class="none"}"#, 2.0),
        (r#"idmill_jobs_total{outcome="retried",class="image_missing"}"#, 1.0),
        (r#"messaging_process_duration_seconds_count{outcome="read"}"#, 2.0),
        (r#"messaging_client_consumed_messages_total{redelivered="false"}"#, 4.0),
        ("idmill_kept_results_total", 1.0),
        ("idmill_engine_waiting", 0.0),
        ("idmill_ready", 1.0),
        ("idmill_broker_sessions_total", 1.0),
        (r#"idmill_circuit_open{dependency="storage"}"#, 0.0),
        (r#"idmill_step_duration_seconds_count{step="decode"}"#, 1.0),
        (r#"idmill_step_duration_seconds_count{step="detect"}"#, 1.0),
        (r#"idmill_step_duration_seconds_count{step="recognise"}"#, 1.0),
        (r#"idmill_step_duration_seconds_count{step="parse"}"#, 1.0),
    ] {
        assert_eq!(value(&metrics, series), Some(expected), "{series} in\n{metrics}");
    }
    for series in [
        r#"idmill_step_duration_seconds_sum{step="fetch"}"#,
        r#"idmill_step_duration_seconds_sum{step="publish"}"#,
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(value(&metrics, series).is_some_and(|value| value > 0.0), "{series} in\n{metrics}");
    }
    // It counts whole seconds, which a quick machine does not need.
    assert!(value(&metrics, "process_cpu_seconds_total").is_some(), "in\n{metrics}");

    let named = |kind: &str| -> BTreeSet<String> {
        metrics.lines().filter_map(|line| Some(line.strip_prefix(kind)?.split(' ').next()?.to_owned())).collect()
    };
    assert_eq!(named("# HELP "), named("# TYPE "), "each metric says what it is");
    for secret in ["twice", "nowhere.jpg", &front] {
        assert!(!metrics.contains(secret), "metrics name no job and no object");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_work_says_why_where_there_is_no_curl() {
    let stage = Stage::new().await;
    let worker = stage.worker().start().await;
    let probe = |options: &[&str]| CommandBuilder::new(&stage).set("worker.listen", &worker.address()).args(["probe"]).args(options).run();
    assert_eq!(probe(&["--ready"]).expect_code(0).json(), json!({"ready": true, "reasons": {}}));
    stage.unbind_inbox().await;
    let (front, _) = stage.upload_specimen("passport-1").await;
    stage.publish(&json!({"id": "unheard", "front": front})).await;
    stage.until("the worker pauses", async || worker.log().contains("taking no more jobs")).await;
    let paused = probe(&["--ready"]).expect_code(1).json();
    assert!(paused["ready"] == false && paused["reasons"]["reply"].as_str().unwrap().contains("bind one"), "{paused}");
    assert_eq!(value(&worker.metrics().await, "idmill_ready"), Some(0.0));
    assert_eq!(probe(&[]).expect_code(0).stdout(), "", "it lives all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_circuit_of_the_hosted_api_is_seen_also_where_the_engine_reads_meanwhile() {
    let stage = Stage::new().await;
    let api = HostedApi::start().await;
    api.set(Answer::Status(503), 1.0);
    let worker = stage.worker().reads_remotely(&api.address).set("reader.order", "remote_then_embedded");
    let worker = worker.set("retry.circuit_threshold", "1").set("retry.probe_interval", "100ms").start().await;
    let circuit = r#"idmill_circuit_open{dependency="ocr"}"#;
    assert_eq!(value(&worker.metrics().await, circuit), Some(0.0));
    let (front, _) = stage.upload_specimen("passport-1").await;
    stage.publish(&json!({"id": "by-the-engine", "front": front})).await;
    assert_eq!(stage.next_event().await.routing_key, "document.read");
    let metrics = worker.metrics().await;
    assert_eq!((value(&metrics, circuit), value(&metrics, "idmill_ready")), (Some(1.0), Some(1.0)), "nothing waits for it");
    api.set(Answer::Well, 1.0);
    stage.publish(&json!({"id": "by-the-api", "front": front})).await;
    stage.next_event().await;
    assert_eq!(value(&worker.metrics().await, circuit), Some(0.0));
}
