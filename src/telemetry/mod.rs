//! Set-up of logs, metrics and traces. Knows nothing of documents: what is logged and counted is decided where it happens.

pub mod metric;
mod steps;
mod trace;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogFormat, Telemetry, may_colour};

pub use steps::{Step, StepTimes};
pub use trace::{SpanExport, TRACE_HEADERS, TraceContext, trace_id};

/// Upper bounds of the buckets of every histogram in seconds: from a cached step to a job's whole budget.
const SECONDS: [f64; 14] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 10.0, 30.0, 120.0];

/// How often what histograms have collected is put into their buckets. Until then each value takes room of its own, for
/// ever where nobody asks for `/metrics`.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Starts logging to stderr, so that stdout stays free for results, and sending traces where the settings say so.
///
/// Traces are sent for as long as the returned value lives. Panics are logged by their place alone from then on: a
/// panic's own words may quote the text it stumbled over.
///
/// # Errors
/// The filter or the collector's address cannot be used, or logging was started before.
pub fn start_logging(settings: &Telemetry) -> anyhow::Result<Option<SpanExport>> {
    let filter =
        EnvFilter::try_new(&settings.log_filter).with_context(|| format!("telemetry.log_filter is no filter: {}", settings.log_filter))?;
    let json = match settings.log_format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match json {
        true => lines.json().flatten_event(true).with_current_span(false).boxed(),
        false => lines.with_ansi(may_colour(&std::io::stderr())).boxed(),
    };
    let export = SpanExport::start(settings)?;
    tracing_subscriber::registry()
        .with(lines.with_filter(filter.and(filter_fn(is_harmless))))
        .with(export.as_ref().map(SpanExport::layer))
        .try_init()
        .context("failed to start logging")?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked: a fault of idmill");
    }));
    Ok(export)
}

/// Whether a library may log this. At TRACE, lapin writes every frame that it receives, and with it the jobs
/// and their metadata; and at WARN every message that no queue takes, which is an event with a document's fields. What opens its
/// connections writes the whole URL at TRACE, with the password.
/// From DEBUG on, the AWS SDK writes every request with its object's key.
fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let most = if target.starts_with("aws_") {
        Level::INFO
    } else if target.starts_with("lapin") || target.starts_with("amq_protocol") {
        Level::DEBUG
    } else {
        Level::TRACE
    };
    target != "lapin::returned_messages" && *metadata.level() <= most
}

/// The metrics of this process, as Prometheus reads them.
#[derive(Debug, Clone)]
pub struct Metrics {
    recorded: PrometheusHandle,
    process: metrics_process::Collector,
}

impl Metrics {
    /// The text of `/metrics`.
    pub fn render(&self) -> String {
        self.process.collect();
        self.recorded.render()
    }
}

/// Starts collecting metrics. Has to be called within a runtime, which keeps them small.
///
/// # Errors
/// A recorder was installed before.
pub fn start_metrics() -> anyhow::Result<Metrics> {
    let recorded = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .context("failed to set the histograms' buckets")?
        .install_recorder()
        .context("failed to start collecting metrics")?;
    let kept_small = recorded.clone();
    tokio::spawn(async move {
        let mut upkeep = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            upkeep.tick().await;
            kept_small.run_upkeep();
        }
    });
    let process = metrics_process::Collector::default();
    process.describe();
    metric::describe();
    Ok(Metrics { recorded, process })
}
