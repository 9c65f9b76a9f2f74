//! Traces over OTLP: one a job or request, joined to the sender's by W3C trace context.
//!
//! Spans carry names of steps, classes and ids, never document content; what is logged inside them stays in the log.

use std::time::Duration;

use anyhow::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config;

/// Longest wait for the collector, for one batch and at the end of the process.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Names of the headers of a trace context, as W3C Trace Context has them.
pub const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// Longest header of a trace context that is read: what W3C Trace Context wants to be passed on at least.
const MAX_HEADER_BYTES: usize = 512;

/// Sends spans to the collector; what is still held is sent when it is dropped.
#[derive(Debug)]
pub struct SpanExport(SdkTracerProvider);

impl SpanExport {
    /// Starts sending to the collector that the settings name; `None` where they name none.
    ///
    /// # Errors
    /// The endpoint is no URL.
    pub(super) fn start(settings: &config::Telemetry) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .with_context(|| format!("telemetry.otlp_endpoint cannot be used: {endpoint}"))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            // Whoever sent the job has decided already whether its trace is kept; we decide for the others.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.sample_ratio))))
            .with_resource(Resource::builder().with_service_name("idmill").build())
            .build();
        Ok(Some(Self(provider)))
    }

    /// The layer that turns our spans into the collector's.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("idmill"))
            .with_location(false)
            .with_threads(false)
            .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("idmill")))
    }
}

impl Drop for SpanExport {
    fn drop(&mut self) {
        // Without a subscriber of ours at this point there is nobody to tell, and nothing to be done.
        let _ = self.0.shutdown_with_timeout(EXPORT_TIMEOUT);
    }
}

/// A place in a trace, as it travels in headers of messages and requests: W3C Trace Context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext(Vec<(&'static str, String)>);

impl TraceContext {
    /// Reads the headers with a function from a header's name to its text; one that could not be sent on is left out.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        let fits = |value: &String| value.len() <= MAX_HEADER_BYTES && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        Self(TRACE_HEADERS.into_iter().filter_map(|name| Some((name, get(name).filter(fits)?))).collect())
    }

    /// The place of a span; empty when no traces are made.
    pub fn of(span: &Span) -> Self {
        let mut context = Self::default();
        TraceContextPropagator::new().inject_context(&span.context(), &mut context);
        context
    }

    /// Makes this place the parent of a span that has not been entered yet; a senseless or empty one changes nothing.
    pub fn adopt(&self, span: &Span) {
        let parent = TraceContextPropagator::new().extract(self);
        if parent.span().span_context().is_valid() {
            // Fails only where no traces are made.
            let _ = span.set_parent(parent);
        }
    }

    /// Names and texts of the headers.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }
}

impl Injector for TraceContext {
    fn set(&mut self, key: &str, value: String) {
        // An empty trace state says nothing.
        if let Some(name) = TRACE_HEADERS.into_iter().find(|name| *name == key).filter(|_| !value.is_empty()) {
            self.0.push((name, value));
        }
    }
}

/// The id of the trace that a span belongs to, to find it by a line of the log; `None` when no traces are made.
pub fn trace_id(span: &Span) -> Option<String> {
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn only_the_headers_of_trace_context_are_read() {
        let context = TraceContext::read(|name| (name == "traceparent").then(|| PARENT.to_owned()));
        assert_eq!(context.headers().collect::<Vec<_>>(), [("traceparent", PARENT)]);
        let parent = TraceContextPropagator::new().extract(&context);
        assert_eq!(parent.span().span_context().trace_id().to_string(), &PARENT[3..35]);
    }

    #[test]
    fn a_header_that_no_request_may_carry_is_left_out() {
        for (state, fits) in [("a=b,c=d", true), ("a=b\nc", false), ("a=\u{e9}", false), (&"a".repeat(513), false)] {
            let context = TraceContext::read(|name| Some(if name == "tracestate" { state.to_owned() } else { PARENT.to_owned() }));
            assert_eq!(context.headers().count(), if fits { 2 } else { 1 });
        }
    }

    #[test]
    fn without_an_exporter_no_trace_is_made_and_none_is_sent_on() {
        let span = tracing::info_span!("job");
        TraceContext::read(|_| Some(PARENT.to_owned())).adopt(&span);
        assert_eq!(TraceContext::of(&span), TraceContext::default());
        assert_eq!(trace_id(&span), None);
    }
}
