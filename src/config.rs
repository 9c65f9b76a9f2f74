//! Settings: defaults, then a TOML file, then `IDMILL__SECTION__KEY` variables, checked into [`Settings`].
//!
//! The only reader of the environment. A setting that nobody knows stops the start with a message that names it, since
//! a misspelt limit is a limit that is not there. Secrets come from files (`*_file`), so that they stand in no process
//! list and can be rotated.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// Logs.
    pub telemetry: Telemetry,
}

/// How to reach RabbitMQ.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Broker {
    /// AMQP URL, `amqp://user:password@host:5672/vhost` or `amqps://…`.
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
    /// Deliveries of one job after which the broker itself dead-letters it: the backstop for jobs that kill the process.
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

/// How jobs are worked on.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Jobs in flight at once, which is also the prefetch; 0 takes one per core, or 32 when only the remote reader is used.
    pub concurrency: u16,
    /// Time that all steps of one job may take together; must stay well below the broker's `consumer_timeout`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub job_budget: Duration,
    /// Time that jobs in flight get to finish after SIGTERM; what is not done then goes back to the queue.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
    /// Results kept in memory by job id, so that a redelivered job is not read twice.
    pub kept_results: usize,
    /// Listen address of `/metrics`, `/livez` and `/readyz`; none: no listener.
    pub listen: Option<SocketAddr>,
}

/// When a failed job is tried again.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Delays before the second, third, … attempt after a fault that may heal; each is a hold queue of its own.
    #[serde(with = "durations")]
    #[schemars(with = "Vec<String>")]
    pub delays: Vec<Duration>,
    /// Delays while an image is not there: the upload may still be on its way.
    #[serde(with = "durations")]
    #[schemars(with = "Vec<String>")]
    pub missing_delays: Vec<Duration>,
    /// Delays of a deferral, which burns no attempt: the hold queues that throttled and paused jobs wait in.
    #[serde(with = "durations")]
    #[schemars(with = "Vec<String>")]
    pub defer_delays: Vec<Duration>,
    /// Time after which a job is dead-lettered however often it was deferred.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub give_up_after: Duration,
    /// Consecutive failures of one dependency that open its circuit.
    pub circuit_threshold: u32,
    /// Time between two probes while a circuit is open.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub probe_interval: Duration,
}

/// Where the images are.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Bucket of jobs that name none.
    pub bucket: String,
    /// Buckets that a job may name besides that one.
    pub allowed_buckets: Vec<String>,
    /// Endpoint of an S3-compatible server; none: AWS.
    pub endpoint: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Bucket in the path instead of the host name, as most S3-compatible servers want it.
    pub path_style: bool,
    /// Check response checksums whenever the server sends one; off for servers that send wrong ones.
    pub verify_checksums: bool,
    /// File with `ACCESS_KEY_ID` on its first line and `SECRET_ACCESS_KEY` on its second; none: the SDK's own chain.
    pub credentials_file: Option<PathBuf>,
    /// Time that one object may take, body included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// Largest object that is read, in bytes.
    pub max_object_bytes: u64,
}

/// Who reads the documents.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Reader {
    /// Which readers are asked, and in which order.
    pub order: ReaderOrder,
    /// Fields whose absence sends a document on to the remote reader, for `embedded_then_remote`.
    pub required_fields: Vec<String>,
    /// The hosted API.
    pub remote: Remote,
}

/// Which readers are asked, and in which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReaderOrder {
    /// The engine in this process.
    #[default]
    Embedded,
    /// The hosted API.
    Remote,
    /// The hosted API, and the engine while its circuit is open.
    RemoteThenEmbedded,
    /// The engine, and the hosted API when a required field is missing.
    EmbeddedThenRemote,
}

/// The hosted API.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Remote {
    /// Full URL of the OCR call.
    pub url: String,
    /// API key: the `apikey` claim of minted tokens.
    pub api_key: String,
    /// File that holds the API secret that tokens are signed with.
    pub secret_file: Option<PathBuf>,
    /// File that holds a ready token instead; read again when it changes.
    pub token_file: Option<PathBuf>,
    /// Spelling of the two body keys.
    pub key_spelling: KeySpelling,
    /// Send the front image as back too when a document has one side.
    pub duplicate_front: bool,
    /// Time that one call may take, answer included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// PEM file of a private authority.
    pub ca_file: Option<PathBuf>,
    /// HTTP proxy URL.
    pub proxy: Option<String>,
}

/// Spelling of the two body keys of the hosted API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySpelling {
    /// `frontPart`, and once `frontpart` when the API says it misses it.
    #[default]
    Auto,
    /// `frontPart`.
    Camel,
    /// `frontpart`.
    Lower,
}

/// The embedded engine.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// Folder of the runtime library and the weights, as `deploy/fetch-models.sh` fills it; none: the places that
    /// README names are tried in turn.
    pub dir: Option<PathBuf>,
    /// Engine instances, one thread each; 0 takes one per core.
    pub instances: usize,
    /// Largest image in pixels, decided from the header.
    pub max_pixels: u64,
}

/// The HTTP API.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Listen address.
    pub listen: SocketAddr,
    /// File of API keys, a line each: `KEY_ID SECRET`; read again when it changes.
    pub keys_file: Option<PathBuf>,
    /// Answer without a token; only on a loopback address.
    pub open: bool,
    /// Serve the page to try it at `/`.
    pub page: bool,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// Largest decoded image in bytes.
    pub max_image_bytes: usize,
    /// Requests that may wait for the engine; beyond that the answer is 429.
    pub queue: usize,
    /// Time that a client may take to send its request.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub read_timeout: Duration,
    /// Time that requests in flight get to finish after SIGTERM.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
}

/// What must not leave the process in clear.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Privacy {
    /// Mask the first eight digits of Aadhaar numbers in events and API answers.
    pub mask_aadhaar: bool,
}

/// Logs.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Form of the log.
    pub log_format: LogFormat,
    /// Filter in the syntax of `tracing_subscriber`'s `EnvFilter`.
    pub log_filter: String,
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

impl Default for Worker {
    fn default() -> Self {
        Self {
            concurrency: 0,
            job_budget: Duration::from_secs(120),
            drain_timeout: Duration::from_secs(150),
            kept_results: 1_000,
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 9464))),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        let seconds = |list: &[u64]| list.iter().map(|s| Duration::from_secs(*s)).collect();
        Self {
            delays: seconds(&[5, 30, 120, 600]),
            missing_delays: seconds(&[1, 5, 30]),
            defer_delays: seconds(&[5, 30, 120]),
            give_up_after: Duration::from_secs(24 * 3600),
            circuit_threshold: 3,
            probe_interval: Duration::from_secs(5),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            bucket: "idmill".into(),
            allowed_buckets: Vec::new(),
            endpoint: None,
            region: None,
            path_style: false,
            verify_checksums: true,
            credentials_file: None,
            timeout: Duration::from_secs(20),
            max_object_bytes: 10 * 1024 * 1024,
        }
    }
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            url: "https://api.videosdk.live/ai/v1/ocr".into(),
            api_key: String::new(),
            secret_file: None,
            token_file: None,
            key_spelling: KeySpelling::Auto,
            duplicate_front: true,
            timeout: Duration::from_secs(30),
            ca_file: None,
            proxy: None,
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self { dir: None, instances: 0, max_pixels: 25_000_000 }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            keys_file: None,
            open: false,
            page: true,
            max_body_bytes: 28 * 1024 * 1024,
            max_image_bytes: 10 * 1024 * 1024,
            queue: 32,
            read_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log_format: LogFormat::Auto, log_filter: "info".into() }
    }
}

impl Settings {
    /// Reads defaults, the file (if given) and the environment, and checks what types cannot.
    ///
    /// # Errors
    /// An unknown setting, a value of the wrong type, or values that do not fit together; the message names the setting.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
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
        ];
        let mut environment =
            config::Environment::with_prefix("IDMILL").prefix_separator("__").separator("__").try_parsing(true).list_separator(",");
        for key in lists {
            environment = environment.with_list_parse_key(key);
        }
        let settings: Self =
            builder.add_source(environment).build().and_then(config::Config::try_deserialize).context("failed to read the settings")?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.topology.prefix.is_empty(), "topology.prefix must not be empty");
        ensure!(
            self.topology.delivery_limit > 0,
            "topology.delivery_limit must be positive: without a limit a job that kills the process is never taken aside"
        );
        ensure!(self.worker.job_budget >= Duration::from_secs(1), "worker.job_budget must be at least 1s");
        ensure!(!self.storage.bucket.is_empty(), "storage.bucket must not be empty");
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

mod durations {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Human(#[serde(with = "humantime_serde")] Duration);

    pub(super) fn serialize<S: Serializer>(list: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        list.iter().map(|delay| Human(*delay)).collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        Ok(Vec::<Human>::deserialize(deserializer)?.into_iter().map(|human| human.0).collect())
    }
}
