use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri, SASLMechanism};
use lapin::{Connection, ConnectionProperties};
use secrecy::ExposeSecret;

use crate::config::{self, read_secret};

/// Seconds between heartbeats when the URL names none: a peer that vanished without a word is noticed after twice that.
const HEARTBEAT_S: u16 = 10;

/// Longest pause between two tries to connect.
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// What a connection is for; shows in RabbitMQ's management page as the connection's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes jobs and acknowledges them.
    Consume,
    /// Publishes events, retry copies and dead letters.
    Publish,
    /// An operator's command.
    Operate,
}

/// Knows how to connect; reads URL and certificates anew each time, so that rotated ones are picked up.
#[derive(Debug, Clone)]
pub struct Connector {
    settings: config::Broker,
}

impl Connector {
    /// A connector for these settings; nothing is connected yet.
    pub fn new(settings: config::Broker) -> Self {
        Self { settings }
    }

    /// The settings it connects by.
    pub(super) fn settings(&self) -> &config::Broker {
        &self.settings
    }

    /// Longest wait for a confirm.
    pub(super) fn publish_timeout(&self) -> Duration {
        self.settings.publish_timeout
    }

    /// One try to connect, within the configured time-out.
    ///
    /// # Errors
    /// The broker cannot be reached, refuses us, or a file cannot be read; the message never shows the URL's password.
    pub async fn connect(&self, role: Role) -> anyhow::Result<Connection> {
        let uri = self.uri()?;
        let place = format!("{}:{}", uri.authority.host, uri.authority.port);
        let name = match role {
            Role::Consume => "idmill consume",
            Role::Publish => "idmill publish",
            Role::Operate => "idmill operate",
        };
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let runtime = lapin::runtime::default_runtime().context("failed to find the tokio runtime")?;
        let connecting = Connection::connect_uri_with_config(uri, properties, self.tls()?, runtime);
        match tokio::time::timeout(self.settings.connect_timeout, connecting).await {
            // lapin's errors name their own cause: as a source it would be said twice.
            Ok(connection) => connection.map_err(|error| anyhow!("failed to connect to the broker at {place}: {error}")),
            Err(_) => bail!("the broker at {place} did not answer within {:?}", self.settings.connect_timeout),
        }
    }

    pub(super) fn uri(&self) -> anyhow::Result<AMQPUri> {
        let url = match &self.settings.url_file {
            Some(path) => read_secret("broker.url_file", path)?,
            None => self.settings.url.as_str().into(),
        };
        // The parser's own message quotes the URL, and with it the password.
        let Ok(mut uri) = url.expose_secret().parse::<AMQPUri>() else {
            bail!("broker.url is no AMQP URL; expected amqp://user:password@host:port/vhost or amqps://…");
        };
        if self.settings.client_cert_file.is_some() {
            if uri.scheme != AMQPScheme::AMQPS {
                bail!("broker.client_cert_file needs an amqps:// URL");
            }
            uri.query.auth_mechanism.get_or_insert(SASLMechanism::External);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        Ok(uri)
    }

    pub(super) fn tls(&self) -> anyhow::Result<OwnedTLSConfig> {
        let read = |setting: &str, path: &std::path::Path| {
            std::fs::read(path).with_context(|| format!("failed to read the file that {setting} names: {}", path.display()))
        };
        let cert_chain = match &self.settings.ca_file {
            Some(path) => Some(String::from_utf8(read("broker.ca_file", path)?).context("broker.ca_file is not a PEM file")?),
            None => None,
        };
        let identity = match (&self.settings.client_cert_file, &self.settings.client_key_file) {
            (Some(cert), Some(key)) => {
                Some(OwnedIdentity::PKCS8 { pem: read("broker.client_cert_file", cert)?, key: read("broker.client_key_file", key)? })
            }
            _ => None,
        };
        Ok(OwnedTLSConfig { identity, cert_chain })
    }
}

/// The pause before try number `n_failures` + 1: doubles from 50 ms to 2 s; `chance` in 0..=1 takes off up to half, so
/// that a hundred pods do not come back in step.
pub(crate) fn backoff(n_failures: u32, chance: f64) -> Duration {
    let full = Duration::from_millis(50).saturating_mul(2_u32.saturating_pow(n_failures.saturating_sub(1).min(10))).min(MAX_BACKOFF);
    full.mul_f64(1.0 - 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_stay_within_their_bounds(n_failures in 0u32..1_000, chance in 0.0f64..=1.0) {
            let pause = backoff(n_failures, chance);
            prop_assert!(pause >= Duration::from_millis(25) && pause <= MAX_BACKOFF);
        }
    }

    #[test]
    fn an_url_that_does_not_parse_is_not_shown() {
        let settings = config::Broker { url: "amqp://user:hunter2@:bad:/".into(), ..config::Broker::default() };
        let error = Connector::new(settings).uri().unwrap_err();
        assert!(!format!("{error:#}").contains("hunter2"));
    }
}
