//! Names of the metrics, in one place, since dashboards and alerts are written against them.
//!
//! Where OpenTelemetry's semantic conventions for messaging have a name, it is theirs, as Prometheus spells it.

/// Counter: jobs that came to an end. Labels `outcome` (`read`, `failed`, `retried`, `deferred`, `lost`) and `class`.
pub const JOBS: &str = "idmill_jobs_total";
/// Histogram: seconds from delivery to settlement. Label `outcome`. The conventions' `messaging.process.duration`.
pub const JOB_SECONDS: &str = "messaging_process_duration_seconds";
/// Counter: deliveries taken. Label `redelivered` (`true`: the broker had delivered the job before). The conventions'
/// `messaging.client.consumed.messages`.
pub const DELIVERIES: &str = "messaging_client_consumed_messages_total";
/// Histogram: seconds of one step of a job or a request. Label `step`: see [`Step`](super::Step).
pub const STEP_SECONDS: &str = "idmill_step_duration_seconds";
/// Gauge: jobs in flight.
pub const IN_FLIGHT: &str = "idmill_jobs_in_flight";
/// Gauge: documents that wait for an idle engine.
pub const ENGINE_WAITING: &str = "idmill_engine_waiting";
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
