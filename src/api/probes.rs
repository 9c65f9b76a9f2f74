use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics::gauge;
use serde_json::json;

use crate::health::Health;
use crate::telemetry::Metrics;
use crate::telemetry::metric::READY;

/// `/livez`, `/readyz` and `/metrics`, the same for the worker and the API.
///
/// Liveness means that the process answers, and never asks the broker: a pod that is restarted because RabbitMQ is down
/// makes an outage worse. Readiness says why the process takes no work.
pub fn probes(health: Arc<Health>, metrics: Metrics) -> Router {
    let ready = async |State(health): State<Arc<Health>>| {
        let reasons = health.reasons();
        let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(json!({"ready": reasons.is_empty(), "reasons": reasons})))
    };
    let seen = Arc::clone(&health);
    let render = move || {
        gauge!(READY).set(if seen.reasons().is_empty() { 1.0 } else { 0.0 });
        let text = metrics.render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response() }
    };
    Router::new().route("/livez", get(async || "alive\n")).route("/readyz", get(ready)).with_state(health).route("/metrics", get(render))
}
