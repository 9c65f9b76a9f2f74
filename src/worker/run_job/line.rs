//! How a job went, told in one line of the log, two metrics and the span's attributes.

use std::time::Duration;

use metrics::{counter, histogram};
use opentelemetry::trace::Status;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{End, Run};
use crate::broker::LeaseLost;
use crate::telemetry::metric::{JOB_SECONDS, JOBS};
use crate::telemetry::{Step, trace_id};

/// Tells how the job ended.
pub(super) fn tell(run: &Run<'_>, span: &Span, end: &Result<End, LeaseLost>, took: Duration) {
    let (outcome, class) = match end {
        Ok(End::Read) => ("read", "none"),
        Ok(End::Kept(event)) => (if event.is_failure() { "failed" } else { "read" }, "none"),
        Ok(End::Held { failure, burned: true, .. }) => ("retried", failure.class.as_str()),
        Ok(End::Held { failure, burned: false, .. }) => ("deferred", failure.class.as_str()),
        Ok(End::DeadLettered(failure)) => ("failed", failure.class.as_str()),
        Err(LeaseLost) => ("lost", "none"),
    };
    counter!(JOBS, "outcome" => outcome, "class" => class).increment(1);
    histogram!(JOB_SECONDS, "outcome" => outcome).record(took);
    span.set_attribute("idmill.outcome", outcome);
    if class != "none" {
        span.set_attribute("error.type", class);
        span.set_status(Status::error(class));
    }
    let took_ms = took.as_millis() as u64;
    let (job, attempt, redelivered) = (run.job_id.as_str(), run.history.attempt, run.delivery.redelivered());
    let trace_id = trace_id(span);
    let steps = run.steps();
    // The fields that every line about a job has; steps that were not run are left out.
    macro_rules! log {
        ($level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
            tracing::$level!(
                job.id = job, trace_id, outcome, class, attempt, redelivered, $($name = $value,)* took_ms,
                fetch_ms = steps.millis(Step::Fetch), wait_ms = steps.millis(Step::Wait), decode_ms = steps.millis(Step::Decode),
                detect_ms = steps.millis(Step::Detect), recognise_ms = steps.millis(Step::Recognise), parse_ms = steps.millis(Step::Parse),
                ask_ms = steps.millis(Step::Ask), publish_ms = steps.millis(Step::Publish),
                $message
            )
        };
    }
    match end {
        Ok(End::Read) => log!(info, "document read"),
        Ok(End::Kept(_)) => log!(info, "job answered from memory", kept = true),
        Ok(End::Held { failure, delay, burned }) => {
            let delay_ms = delay.as_millis() as u64;
            log!(warn, "job held, to be tried again", attempt_burned = burned, delay_ms = delay_ms, reason = failure.reason);
        }
        Ok(End::DeadLettered(failure)) => log!(warn, "job dead-lettered", reason = failure.reason),
        Err(LeaseLost) => log!(warn, "lost the lease on a job: the broker delivers it again"),
    }
}
