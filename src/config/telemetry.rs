use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Logs and traces.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Form of the log; `auto` is `pretty` on a terminal and `json` elsewhere.
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by module, `idmill=debug,info` for example.
    pub log_filter: String,
    /// Where traces are sent, as the address of a collector that takes OTLP over HTTP: `http://collector:4318`.
    pub otlp_endpoint: Option<String>,
    /// Share of traces that are kept, 0 to 1, where the sender of the job has not decided it.
    pub sample_ratio: f64,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Lines for people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log_format: LogFormat::Auto, log_filter: "info".into(), otlp_endpoint: None, sample_ratio: 1.0 }
    }
}
