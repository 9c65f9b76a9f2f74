//! Names of the metrics, in one place, since dashboards and alerts are written against them.
//!
//! Where OpenTelemetry's semantic conventions for messaging have a name, it is theirs, as Prometheus spells it.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Declares the names, and has `/metrics` explain each in the words of its comment.
macro_rules! names {
    ($($(#[doc = $words:literal])+ $kind:ident $name:ident = $text:literal;)+) => {
        $($(#[doc = $words])+ pub const $name: &str = $text;)+

        /// Tells the recorder what each metric is, for the `# HELP` lines of `/metrics`.
        pub(super) fn describe() {
            $($kind!($name, concat!($($words),+).trim_start());)+
        }
    };
}

names! {
    /// Jobs that came to an end. Labels: outcome (read, failed, retried, deferred, lost) and class, the reason. Each that
    /// failed with a class is a dead letter; with none, its event was told once more from memory.
    describe_counter JOBS = "idmill_jobs_total";
    /// Seconds from delivery to settlement. Label: outcome.
    describe_histogram JOB_SECONDS = "messaging_process_duration_seconds";
    /// Deliveries taken. Label: redelivered (true: the broker had delivered the job before).
    describe_counter DELIVERIES = "messaging_client_consumed_messages_total";
    /// Seconds of one step of a job or a request. Label: step (fetch, wait, decode, detect, recognise, parse, ask, publish).
    describe_histogram STEP_SECONDS = "idmill_step_duration_seconds";
    /// 1 while the process takes work; 0 while `/readyz` says why it does not: no broker, an open circuit, the end of the process.
    describe_gauge READY = "idmill_ready";
    /// Jobs in flight.
    describe_gauge IN_FLIGHT = "idmill_jobs_in_flight";
    /// Documents that wait for an idle engine.
    describe_gauge ENGINE_WAITING = "idmill_engine_waiting";
    /// 1 while the circuit of a dependency is open: jobs wait. Label: dependency.
    describe_gauge CIRCUIT_OPEN = "idmill_circuit_open";
    /// Calls to a dependency that failed. Labels: dependency and class.
    describe_counter DEPENDENCY_FAILURES = "idmill_dependency_failures_total";
    /// Redelivered jobs that were answered from memory, without reading the document again.
    describe_counter KEPT_RESULTS = "idmill_kept_results_total";
    /// Sessions with the broker that were opened; all but the first are reconnects.
    describe_counter SESSIONS = "idmill_broker_sessions_total";
    /// Publishes that the broker did not confirm at once.
    describe_counter PUBLISH_FAILURES = "idmill_publish_failures_total";
    /// Requests to the API. Labels: route, status and code.
    describe_counter REQUESTS = "idmill_http_requests_total";
    /// Seconds from a request's head to its answer. Label: route.
    describe_histogram REQUEST_SECONDS = "idmill_http_request_duration_seconds";
}
