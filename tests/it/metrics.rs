//! `/metrics`, against which dashboard and alerts are written, as a worker shows it.

use std::collections::BTreeSet;

use serde_json::json;

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
