//! `idmill worker` as a process of its own, so that tests can stop and kill it, and brokers of a test's own.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::stage::{PATIENCE, Stage, environment};

/// A worker yet to be started.
pub(crate) struct WorkerBuilder<'a> {
    stage: &'a Stage,
    settings: Vec<(String, String)>,
}

impl<'a> WorkerBuilder<'a> {
    pub(crate) fn new(stage: &'a Stage) -> Self {
        let mut builder = Self { stage, settings: Vec::new() };
        for (key, value) in [
            ("broker.url", stage.amqp_url.as_str()),
            ("topology.prefix", stage.prefix.as_str()),
            ("storage.endpoint", &environment("IDMILL_TEST_S3_ENDPOINT")),
            ("storage.region", "us-east-1"),
            ("storage.path_style", "true"),
            ("engine.dir", &environment("IDMILL__ENGINE__DIR")),
            // Port 0: tests run side by side, and each worker takes a port of its own.
            ("worker.listen", "127.0.0.1:0"),
            // Two cores serve all tests.
            ("worker.concurrency", "2"),
            ("engine.instances", "1"),
            ("telemetry.log_format", "json"),
        ] {
            builder = builder.set(key, value);
        }
        builder
    }

    /// Gives a setting, `section.key`, another value than the stage's.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != key);
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Starts the process and waits until it consumes from the work queue.
    pub(crate) async fn start(self) -> WorkerProcess {
        let stage = self.stage;
        let jobs = stage.name("jobs");
        let n_before = stage.depth(&jobs).await.map_or(0, |(_, n_consumers)| n_consumers);
        let mut worker = self.spawn();
        let start = Instant::now();
        while stage.depth(&jobs).await.is_none_or(|(_, n_consumers)| n_consumers <= n_before) {
            if let Some(status) = worker.child.try_wait().expect("process state") {
                panic!("the worker ended at its start with {status}:\n{}", worker.log());
            }
            assert!(start.elapsed() < PATIENCE, "the worker does not consume:\n{}", worker.log());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        worker
    }

    /// Starts the process and does not wait: for workers that are to fail at their start, or wait for a server.
    pub(crate) fn spawn(self) -> WorkerProcess {
        let home = TempDir::new().expect("folder");
        let credentials = home.path().join("credentials");
        std::fs::write(&credentials, format!("{}\n{}\n", environment("IDMILL_TEST_S3_KEY"), environment("IDMILL_TEST_S3_SECRET")))
            .expect("credentials");
        let log = home.path().join("log");
        let output = File::create(&log).expect("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_idmill"));
        command.arg("worker").current_dir(home.path()).stdin(Stdio::null());
        command.stdout(output.try_clone().expect("log")).stderr(output);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IDMILL__")) {
            command.env_remove(name);
        }
        command.env("IDMILL__STORAGE__CREDENTIALS_FILE", &credentials);
        for (key, value) in &self.settings {
            command.env(format!("IDMILL__{}", key.to_uppercase().replace('.', "__")), value);
        }
        let child = command.spawn().expect("the worker's process starts");
        WorkerProcess { child, log, _home: home }
    }
}

/// A running worker; killed when dropped.
pub(crate) struct WorkerProcess {
    child: Child,
    log: PathBuf,
    _home: TempDir,
}

impl WorkerProcess {
    /// SIGTERM: the worker should drain and exit.
    pub(crate) fn terminate(&self) {
        // The shell's own kill: the program of that name is missing on small systems.
        let done = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status().expect("sh");
        assert!(done.success(), "the worker was gone before it was told to stop:\n{}", self.log());
    }

    /// SIGKILL: no chance to settle anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Waits for the end of the process.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("process state") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the worker does not end:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "a failed test has to show what the worker said")]
            {
                eprintln!("--- the worker's log\n{}", self.log());
            }
        }
    }
}

/// A RabbitMQ node of the test's own, which may be killed; stopped when dropped.
pub(crate) struct OwnBroker {
    dir: TempDir,
    plugins: &'static str,
}

impl OwnBroker {
    /// Starts a node; takes about ten seconds.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a node with these plugins, separated by commas.
    pub(crate) fn start_with(plugins: &'static str) -> Self {
        let broker = Self { dir: TempDir::new().expect("folder"), plugins };
        broker.control("start");
        broker
    }

    /// Where it is; the same after a kill and a restart.
    pub(crate) fn url(&self) -> String {
        self.variable("AMQP_URL")
    }

    /// Where its management API is, with the plugin rabbitmq_management.
    pub(crate) fn management_url(&self) -> String {
        self.variable("MANAGEMENT_URL")
    }

    /// User and password.
    pub(crate) fn credentials(&self) -> (String, String) {
        let url: reqwest::Url = self.url().parse().expect("a URL");
        (url.username().to_owned(), url.password().expect("a password").to_owned())
    }

    fn variable(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.dir.path().join("env.sh")).expect("the node's address");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.expect("the node's address").trim_matches('\'').to_owned()
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        self.control("kill");
    }

    /// Starts the killed node again, with what it had on disk.
    pub(crate) fn restart(&self) {
        self.control("start");
    }

    fn control(&self, action: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/servers.sh");
        let done = Command::new(script)
            .args(["broker", action])
            .arg(self.dir.path())
            .env("IDMILL_BROKER_PLUGINS", self.plugins)
            .stdin(Stdio::null())
            .status()
            .expect("servers.sh");
        assert!(done.success(), "the test's own broker: {action} failed");
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/servers.sh");
        let _ = Command::new(script).args(["broker", "kill"]).arg(self.dir.path()).stdin(Stdio::null()).status();
    }
}
