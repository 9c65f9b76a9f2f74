//! Set-up of logs and metrics. Knows nothing of documents: what is logged and counted is decided where it happens.

use std::io::IsTerminal;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Telemetry, may_colour};

/// Names of the metrics, in one place, since dashboards and alerts are written against them.
pub mod metric {
    /// Counter: jobs that came to an end. Labels `outcome` (`read`, `failed`, `retried`, `deferred`, `lost`) and `class`.
    pub const JOBS: &str = "idmill_jobs_total";
    /// Histogram: seconds from delivery to settlement. Label `outcome`.
    pub const JOB_SECONDS: &str = "idmill_job_duration_seconds";
    /// Histogram: seconds of one step. Label `step` (`read`: fetching included; `publish`).
    pub const STEP_SECONDS: &str = "idmill_step_duration_seconds";
    /// Gauge: jobs in flight.
    pub const IN_FLIGHT: &str = "idmill_jobs_in_flight";
    /// Gauge: 1 while a dependency's circuit is open. Label `dependency`.
    pub const CIRCUIT_OPEN: &str = "idmill_circuit_open";
    /// Counter: calls to a dependency that failed. Labels `dependency` and `class`.
    pub const DEPENDENCY_FAILURES: &str = "idmill_dependency_failures_total";
    /// Counter: redelivered jobs that were answered from memory, without reading the document again.
    pub const KEPT_RESULTS: &str = "idmill_kept_results_total";
    /// Counter: sessions with the broker that were opened.
    pub const SESSIONS: &str = "idmill_broker_sessions_total";
    /// Counter: publishes that the broker did not confirm at once.
    pub const PUBLISH_FAILURES: &str = "idmill_publish_failures_total";
    /// Counter: requests to the API. Labels `route`, `status` and `code`.
    pub const REQUESTS: &str = "idmill_http_requests_total";
    /// Histogram: seconds from a request's head to its answer. Label `route`.
    pub const REQUEST_SECONDS: &str = "idmill_http_request_duration_seconds";
}

/// Upper bounds of the buckets of every histogram in seconds: from a cached step to a job's whole budget.
const SECONDS: [f64; 14] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10.0, 30.0, 120.0];

/// Starts logging to stderr, so that stdout stays free for results.
///
/// Panics are logged by their place alone from then on: a panic's own words may quote the text it stumbled over.
///
/// # Errors
/// The filter cannot be parsed, or logging was started before.
pub fn start_logging(settings: &Telemetry) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&settings.log_filter).with_context(|| format!("telemetry.log_filter is no filter: {}", settings.log_filter))?;
    let json = match settings.log_format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = if json {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        builder.with_ansi(may_colour(&std::io::stderr())).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("failed to start logging: {error}"))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked: a fault of idmill");
    }));
    Ok(())
}

/// Starts collecting metrics; the handle renders them for Prometheus.
///
/// # Errors
/// A recorder was installed before.
pub fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .context("failed to set the histograms' buckets")?
        .install_recorder()
        .context("failed to start collecting metrics")
}
