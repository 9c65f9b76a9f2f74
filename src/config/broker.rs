use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to reach RabbitMQ.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Broker {
    /// AMQP URL, `amqp://user:password@host:5672/vhost`, or `amqps://…` for TLS.
    pub url: String,
    /// File that holds the URL instead; read again at each connect, so that rotated credentials are picked up.
    pub url_file: Option<PathBuf>,
    /// PEM file of the authority that signed the broker's certificate, for a private one.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the client certificate for EXTERNAL authentication.
    pub client_cert_file: Option<PathBuf>,
    /// PEM file of the client certificate's PKCS#8 key.
    pub client_key_file: Option<PathBuf>,
    /// Longest wait for a connection, with its handshake.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// Longest wait for the broker's confirm of one publish.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub publish_timeout: Duration,
}

/// Names and arguments of queues and exchanges.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Topology {
    /// `declare` makes what is missing, `verify` only checks that it is there, `none` trusts that it is.
    pub mode: TopologyMode,
    /// First part of every name: `PREFIX.jobs`, `PREFIX.dead`, `PREFIX.events`, `PREFIX.jobs.retry.5000ms`.
    pub prefix: String,
    /// Deliveries of one job without an answer after which it is given up unread: the backstop for jobs that kill the process.
    pub delivery_limit: u32,
    /// Reply exchanges that a job's `reply_to` may name besides `PREFIX.events`; an entry is an exchange's name.
    pub allowed_reply_exchanges: Vec<String>,
}

/// What to do about queues and exchanges at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TopologyMode {
    /// Make what is missing.
    Declare,
    /// Check that everything is there, make nothing.
    Verify,
    /// Neither.
    None,
}

impl std::fmt::Debug for Broker {
    // The URL carries a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("url_file", &self.url_file).finish_non_exhaustive()
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            url: "amqp://guest:guest@127.0.0.1:5672/%2f".into(),
            url_file: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            connect_timeout: Duration::from_secs(5),
            publish_timeout: Duration::from_secs(10),
        }
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self { mode: TopologyMode::Declare, prefix: "idmill".into(), delivery_limit: 20, allowed_reply_exchanges: Vec::new() }
    }
}
