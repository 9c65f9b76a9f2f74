//! Settings: defaults, then a TOML file, then `IDMILL__SECTION__KEY` variables, checked into [`Settings`].
//!
//! The only reader of the environment. A setting that nobody knows stops the start with a message that names it, since
//! a misspelt limit is a limit that is not there. Secrets come from files (`*_file`), so that they stand in no process
//! list and can be rotated.

mod api;
mod broker;
mod durations;
mod engine;
mod reader;
mod refusal;
mod storage;
mod telemetry;
mod worker;

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use api::{Api, Privacy};
pub use broker::{Broker, Topology, TopologyMode};
pub use engine::Engine;
pub use reader::{KeySpelling, Reader, ReaderOrder, Remote};
pub use storage::Storage;
pub use telemetry::{LogFormat, Telemetry};
pub use worker::{Retry, Worker};

/// Most jobs in flight: RabbitMQ opens 2,047 channels on a connection unless it is told otherwise, and over them all
/// publishes fail at once.
pub const MAX_CONCURRENCY: u16 = 2_000;

/// All settings of all commands, one section a concern.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How to reach RabbitMQ.
    pub broker: Broker,
    /// Names and arguments of queues and exchanges.
    pub topology: Topology,
    /// How jobs are worked on.
    pub worker: Worker,
    /// When a failed job is tried again.
    pub retry: Retry,
    /// Where the images are.
    pub storage: Storage,
    /// Who reads the documents.
    pub reader: Reader,
    /// The embedded engine.
    pub engine: Engine,
    /// The HTTP API.
    pub api: Api,
    /// What must not leave the process in clear.
    pub privacy: Privacy,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

impl Settings {
    /// Reads defaults, the file (if given) and the environment, and checks what types cannot.
    ///
    /// # Errors
    /// An unknown setting, a value of the wrong type, or values that do not fit together; the message names the setting.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        Self::read(file, None)
    }

    /// As [`Settings::load`]; variables that are given stand for the process's own.
    fn read(file: Option<&Path>, variables: Option<config::Map<String, String>>) -> anyhow::Result<Self> {
        let mut builder = config::Config::builder();
        if let Some(path) = file {
            builder = builder.add_source(config::File::from(path).format(config::FileFormat::Toml));
        }
        let environment = config::Environment::with_prefix("IDMILL").prefix_separator("__").separator("__").source(variables);
        let settings: Self = builder
            .add_source(Variables(environment))
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|error| refusal::without_values(&error, file))
            .context("failed to read the settings")?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.topology.prefix.is_empty(), "topology.prefix must not be empty");
        ensure!(
            self.topology.delivery_limit > 0,
            "topology.delivery_limit must be positive: without a limit a job that kills the process is never taken aside"
        );
        ensure!(
            self.worker.concurrency <= MAX_CONCURRENCY,
            "worker.concurrency must be at most {MAX_CONCURRENCY}: each job in flight publishes on a channel of its own"
        );
        ensure!(self.worker.job_budget >= Duration::from_secs(1), "worker.job_budget must be at least 1s");
        // What nobody calls cannot take too long.
        let remote = Some(("reader.remote.timeout", self.reader.remote.timeout)).filter(|_| self.reader.order != ReaderOrder::Embedded);
        for (key, timeout) in [("storage.timeout", self.storage.timeout)].into_iter().chain(remote) {
            ensure!(
                timeout < self.worker.job_budget,
                "worker.job_budget must be longer than {key}: an outage would look like a slow job and burn attempts"
            );
        }
        ensure!(!self.storage.bucket.is_empty(), "storage.bucket must not be empty");
        ensure!((0.0..=1.0).contains(&self.telemetry.sample_ratio), "telemetry.sample_ratio must be between 0 and 1");
        for (key, delays) in [
            ("retry.delays", &self.retry.delays),
            ("retry.missing_delays", &self.retry.missing_delays),
            ("retry.defer_delays", &self.retry.defer_delays),
        ] {
            ensure!(!delays.is_empty(), "{key} must name at least one delay");
            ensure!(delays.iter().all(|delay| *delay >= Duration::from_millis(1)), "{key} must not hold a delay under 1ms");
        }
        ensure!(
            !self.api.open || self.api.listen.ip().is_loopback(),
            "api.open is only allowed on a loopback address, and api.listen is not one"
        );
        if self.broker.client_cert_file.is_some() != self.broker.client_key_file.is_some() {
            bail!("broker.client_cert_file and broker.client_key_file go together");
        }
        Ok(())
    }
}

/// Settings that are lists; each variable of one is cut at its commas.
const LISTS: [&str; 7] = [
    "topology.allowed_reply_exchanges",
    "retry.delays",
    "retry.missing_delays",
    "retry.defer_delays",
    "storage.allowed_buckets",
    "reader.required_fields",
    "engine.aadhaar_keys",
];

/// The variables as texts and lists of texts: which of them are numbers is known to the settings' types alone. A bucket may
/// be called `2024`.
#[derive(Debug, Clone)]
struct Variables(config::Environment);

impl config::Source for Variables {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        let mut variables = self.0.collect()?;
        for key in LISTS {
            let Some(value) = variables.get_mut(key) else { continue };
            let text = value.clone().into_string()?;
            // The blank after a comma belongs to no entry, and an empty variable is an empty list.
            let entries: Vec<_> = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
            *value = entries.into();
        }
        Ok(variables)
    }
}

/// Whether to write colours to a stream: only on a terminal, and never against the user's `NO_COLOR`.
pub fn may_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Reads a secret from its file, without the line end that editors leave.
///
/// # Errors
/// The file cannot be read or is empty; the message names the setting and the path, never the content.
pub fn read_secret(setting: &str, path: &Path) -> anyhow::Result<secrecy::SecretString> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("failed to read the file that {setting} names: {}", path.display()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    ensure!(!text.is_empty(), "the file that {setting} names is empty: {}", path.display());
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_variables(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        Settings::read(None, Some(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()))
    }

    #[test]
    fn lists_in_variables_have_no_blank_and_no_empty_entries() {
        let settings = of_variables(&[
            ("IDMILL__TOPOLOGY__ALLOWED_REPLY_EXCHANGES", " first ,second,"),
            ("IDMILL__STORAGE__ALLOWED_BUCKETS", "a, b"),
            ("IDMILL__READER__REQUIRED_FIELDS", ""),
            ("IDMILL__RETRY__DELAYS", "5s, 30s"),
            ("IDMILL__ENGINE__AADHAAR_KEYS", "keys/one.pem, keys/two.pem"),
        ])
        .unwrap();
        assert_eq!(settings.topology.allowed_reply_exchanges, ["first", "second"]);
        assert_eq!(settings.storage.allowed_buckets, ["a", "b"]);
        assert!(settings.reader.required_fields.is_empty());
        assert_eq!(settings.retry.delays, [Duration::from_secs(5), Duration::from_secs(30)]);
        assert_eq!(settings.engine.aadhaar_keys, [Path::new("keys/one.pem"), Path::new("keys/two.pem")]);
        assert!(of_variables(&[("IDMILL__ENGINE__AADHAAR_KEYS", "")]).unwrap().engine.aadhaar_keys.is_empty());
    }

    #[test]
    fn texts_in_variables_that_look_like_numbers_stay_as_they_are() {
        let settings = of_variables(&[
            ("IDMILL__STORAGE__ALLOWED_BUCKETS", "2024"),
            ("IDMILL__TOPOLOGY__ALLOWED_REPLY_EXCHANGES", "true,007"),
            ("IDMILL__STORAGE__BUCKET", "00123"),
            ("IDMILL__READER__REMOTE__API_KEY", "1e5"),
        ])
        .unwrap();
        assert_eq!(settings.storage.allowed_buckets, ["2024"]);
        assert_eq!(settings.topology.allowed_reply_exchanges, ["true", "007"]);
        assert_eq!((settings.storage.bucket.as_str(), settings.reader.remote.api_key.as_str()), ("00123", "1e5"));
    }

    #[test]
    fn variables_of_every_type_are_read() {
        let settings = of_variables(&[
            ("IDMILL__WORKER__CONCURRENCY", "4"),
            ("IDMILL__WORKER__KEPT_RESULTS", "7"),
            ("IDMILL__WORKER__LISTEN", "127.0.0.1:1"),
            ("IDMILL__WORKER__JOB_BUDGET", "3m"),
            ("IDMILL__STORAGE__MAX_OBJECT_BYTES", "99"),
            ("IDMILL__STORAGE__PATH_STYLE", "true"),
            ("IDMILL__TOPOLOGY__MODE", "verify"),
            ("IDMILL__TOPOLOGY__DELIVERY_LIMIT", "3"),
            ("IDMILL__READER__ORDER", "remote_then_embedded"),
            ("IDMILL__ENGINE__DIR", "/srv/1"),
            ("IDMILL__TELEMETRY__SAMPLE_RATIO", "0.25"),
        ])
        .unwrap();
        assert_eq!((settings.worker.concurrency, settings.worker.kept_results, settings.worker.listen.port()), (4, 7, 1));
        assert_eq!((settings.worker.job_budget, settings.storage.max_object_bytes), (Duration::from_secs(180), 99));
        assert_eq!((settings.storage.path_style, settings.topology.mode), (true, TopologyMode::Verify));
        assert_eq!((settings.topology.delivery_limit, settings.reader.order), (3, ReaderOrder::RemoteThenEmbedded));
        assert_eq!((settings.engine.dir.as_deref(), settings.telemetry.sample_ratio), (Some(Path::new("/srv/1")), 0.25));
        for (name, value) in
            [("IDMILL__WORKER__CONCURRENCY", "many"), ("IDMILL__WORKER__CONCURRENCY", "-1"), ("IDMILL__STORAGE__PATH_STYLE", "perhaps")]
        {
            assert!(of_variables(&[(name, value)]).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn no_more_jobs_are_in_flight_than_a_connection_has_channels() {
        assert_eq!(of_variables(&[("IDMILL__WORKER__CONCURRENCY", "2000")]).unwrap().worker.concurrency, 2_000);
        let error = of_variables(&[("IDMILL__WORKER__CONCURRENCY", "2001")]).unwrap_err();
        assert!(format!("{error:#}").contains("worker.concurrency"), "{error:#}");
    }

    #[test]
    fn a_setting_that_nobody_knows_is_named() {
        let error = of_variables(&[("IDMILL__STORAGE__BUKET", "a")]).unwrap_err();
        assert!(format!("{error:#}").contains("buket"), "{error:#}");
    }
}
