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
    log: Option<PathBuf>,
}

impl<'a> WorkerBuilder<'a> {
    pub(crate) fn new(stage: &'a Stage) -> Self {
        let mut builder = Self { stage, settings: Vec::new(), log: None };
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

    /// Has documents read by a hosted API at `host:port`.
    pub(crate) fn reads_remotely(self, address: &str) -> Self {
        self.set("reader.order", "remote")
            .set("reader.remote.url", &format!("http://{address}/ai/v1/ocr"))
            .set("reader.remote.api_key", "tests")
    }

    /// Appends what it logs to this file, which outlives it.
    pub(crate) fn log_to(mut self, path: &Path) -> Self {
        self.log = Some(path.to_owned());
        self
    }

    /// Starts the process and waits until it consumes from the work queue.
    ///
    /// Its own log says that it has a session: the number of consumers alone does not rise when the broker has yet to
    /// notice that an earlier worker is dead.
    pub(crate) async fn start(self) -> WorkerProcess {
        let stage = self.stage;
        let jobs = stage.name("jobs");
        let mut worker = self.spawn();
        let start = Instant::now();
        while !worker.log().contains("connected to the broker") || stage.depth(&jobs).await.is_none_or(|(_, n_consumers)| n_consumers == 0)
        {
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
        let secret = home.path().join("secret");
        std::fs::write(&secret, "secret of the tests").expect("secret");
        let log = self.log.unwrap_or_else(|| home.path().join("log"));
        let output = File::options().create(true).append(true).open(&log).expect("log");
        let log_start = output.metadata().expect("log").len() as usize;
        let mut command = Command::new(env!("CARGO_BIN_EXE_idmill"));
        command.arg("worker").current_dir(home.path()).stdin(Stdio::null());
        command.stdout(output.try_clone().expect("log")).stderr(output);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IDMILL__")) {
            command.env_remove(name);
        }
        // As users start it.
        command.env_remove("RUST_MIN_STACK");
        command.env("IDMILL__STORAGE__CREDENTIALS_FILE", &credentials).env("IDMILL__READER__REMOTE__SECRET_FILE", &secret);
        for (key, value) in &self.settings {
            command.env(format!("IDMILL__{}", key.to_uppercase().replace('.', "__")), value);
        }
        let child = command.spawn().expect("the worker's process starts");
        WorkerProcess { child, log, log_start, _home: home }
    }
}

/// A running worker; killed when dropped.
pub(crate) struct WorkerProcess {
    child: Child,
    log: PathBuf,
    /// Bytes of the log that earlier processes wrote.
    log_start: usize,
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

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("process state")
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

    /// Where it listens, as its log says.
    pub(crate) fn address(&self) -> String {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("serving /metrics")).expect("the worker says where it listens");
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        line["address"].as_str().expect("an address").to_owned()
    }

    /// What its `/metrics` says now.
    pub(crate) async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.address());
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        client.get(url).send().await.expect("the worker's metrics").text().await.expect("text")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default().split_off(self.log_start)
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
}

impl OwnBroker {
    /// Starts a node; takes about ten seconds.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// Starts a node after `prepare` wrote into its directory: `extra.conf`, `advanced.config`, `enabled_plugins`, ….
    pub(crate) fn start_with(prepare: impl FnOnce(&Path)) -> Self {
        let broker = Self { dir: TempDir::new().expect("folder") };
        prepare(broker.path());
        broker.restart();
        broker
    }

    /// Starts a node as a member of this one's cluster.
    pub(crate) fn start_member(&self) -> Self {
        let member = Self { dir: TempDir::new().expect("folder") };
        member.control("start", &[&self.path().to_string_lossy()]);
        member
    }

    /// The node's directory.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
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
        let text = std::fs::read_to_string(self.path().join("env.sh")).expect("the node's address");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.expect("the node's address").trim_matches('\'').to_owned()
    }

    /// The node's name in its cluster.
    pub(crate) fn name(&self) -> String {
        std::fs::read_to_string(self.path().join("name.txt")).expect("the node's name").trim().to_owned()
    }

    /// kill -9.
    pub(crate) fn kill(&self) {
        self.control("kill", &[]);
    }

    /// Starts the killed node again, with what it had on disk; returns when it accepts connections.
    pub(crate) fn restart(&self) {
        self.control("start", &[]);
    }

    /// Sends the node a signal, `STOP` or `CONT` for example, and waits for nothing.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.path().join("pid")).expect("the node's process");
        let done = Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", pid.trim())).status().expect("sh");
        assert!(done.success(), "the test's own broker: kill -{signal} failed");
    }

    /// rabbitmqctl on this node; returns what it prints.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let done = servers("ctl", self.path(), arguments).stderr(Stdio::inherit()).output().expect("servers.sh");
        assert!(done.status.success(), "the test's own broker: rabbitmqctl {arguments:?} failed");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    fn control(&self, action: &str, arguments: &[&str]) {
        let done = servers(action, self.path(), arguments).status().expect("servers.sh");
        assert!(done.success(), "the test's own broker: {action} failed");
    }
}

fn servers(action: &str, dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/servers.sh"));
    command.args(["broker", action]).arg(dir).args(arguments).stdin(Stdio::null());
    command
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        let _ = servers("kill", self.path(), &[]).status();
    }
}
