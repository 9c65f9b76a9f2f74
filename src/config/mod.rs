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
        let lists = [
            "topology.allowed_reply_exchanges",
            "retry.delays",
            "retry.missing_delays",
            "retry.defer_delays",
            "storage.allowed_buckets",
            "reader.required_fields",
            "engine.aadhaar_keys",
        ];
        let mut environment = config::Environment::with_prefix("IDMILL")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .source(variables);
        for key in lists {
            environment = environment.with_list_parse_key(key);
        }
        let mut settings: Self =
            builder.add_source(environment).build().and_then(config::Config::try_deserialize).context("failed to read the settings")?;
        settings.tidy_lists();
        settings.check()?;
        Ok(settings)
    }

    /// Variables are cut at their commas and nowhere else: the blank after one belongs to no entry, and an empty variable is
    /// an empty list.
    fn tidy_lists(&mut self) {
        let texts = [&mut self.topology.allowed_reply_exchanges, &mut self.storage.allowed_buckets, &mut self.reader.required_fields];
        for list in texts {
            list.iter_mut().for_each(|entry| *entry = entry.trim().to_owned());
            list.retain(|entry| !entry.is_empty());
        }
        let paths = &mut self.engine.aadhaar_keys;
        for path in paths.iter_mut() {
            if let Some(text) = path.to_str() {
                *path = text.trim().into();
            }
        }
        paths.retain(|path| !path.as_os_str().is_empty());
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.topology.prefix.is_empty(), "topology.prefix must not be empty");
        ensure!(
            self.topology.delivery_limit > 0,
            "topology.delivery_limit must be positive: without a limit a job that kills the process is never taken aside"
        );
        ensure!(self.worker.job_budget >= Duration::from_secs(1), "worker.job_budget must be at least 1s");
        let calls = [("storage.timeout", self.storage.timeout), ("reader.remote.timeout", self.reader.remote.timeout)];
        for (key, timeout) in calls {
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
    fn a_setting_that_nobody_knows_is_named() {
        let error = of_variables(&[("IDMILL__STORAGE__BUKET", "a")]).unwrap_err();
        assert!(format!("{error:#}").contains("buket"), "{error:#}");
    }
}
