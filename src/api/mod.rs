//! HTTP: the probes and metrics that an orchestrator asks for.

mod probes;

pub use probes::probes;
