//! What every answer passes on its way out: an id, the error's JSON, one line of log, two metrics, and headers.

use std::time::Instant;

use axum::Json;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, histogram};
use opentelemetry::trace::Status;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use super::error::ApiError;
use crate::telemetry::metric::{REQUEST_SECONDS, REQUESTS};
use crate::telemetry::{TraceContext, trace_id};

/// Wraps one request.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = Uuid::new_v4().to_string();
    // A method may be any word of the client's; only the known ones reach the log.
    let method = known_method(request.method());
    // The route, not the path: a path is whatever the client writes.
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", request.id = request_id, otel.name = format!("{method} {route}"), otel.kind = "server");
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    TraceContext::read(header).adopt(&span);
    span.set_attribute("http.request.method", method);
    span.set_attribute("http.route", route.clone());

    let mut response = next.run(request).instrument(span.clone()).await;

    let error = response.extensions_mut().remove::<ApiError>();
    if let Some(error) = &error {
        let (parts, body) = Json(error.json(&request_id)).into_response().into_parts();
        *response.body_mut() = body;
        response.headers_mut().extend(parts.headers);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::try_from(&request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }

    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    let code = error.as_ref().map_or("", |error| error.code.name());
    span.set_attribute("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.set_status(Status::error(code));
    }
    counter!(REQUESTS, "route" => route.clone(), "status" => status.to_string(), "code" => code).increment(1);
    histogram!(REQUEST_SECONDS, "route" => route.clone()).record(elapsed);
    let duration_ms = elapsed.as_secs_f64() * 1000.0;
    // Probes come every few seconds and say nothing.
    if matches!(route.as_str(), "/livez" | "/readyz" | "/metrics") {
        tracing::debug!(http.status = status, duration_ms, "{method} {route} answered {status}");
    } else {
        tracing::info!(
            request.id = %request_id,
            trace_id = trace_id(&span),
            http.status = status,
            http.code = code,
            duration_ms,
            "{method} {route} answered {status} {code}"
        );
    }
    response
}

fn known_method(method: &Method) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"]
        .into_iter()
        .find(|known| method == known)
        .unwrap_or("other")
}
