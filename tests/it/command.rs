//! `idmill` commands as an operator runs them, on a stage's queues and objects.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{Stage, environment};

/// A command line yet to be run.
pub(crate) struct CommandBuilder {
    command: Command,
    home: TempDir,
}

impl CommandBuilder {
    /// `idmill` with the stage's settings, and nothing of the caller's.
    pub(crate) fn new(stage: &Stage) -> Self {
        let home = TempDir::new().expect("folder");
        let credentials = home.path().join("credentials");
        std::fs::write(&credentials, format!("{}\n{}\n", environment("IDMILL_TEST_S3_KEY"), environment("IDMILL_TEST_S3_SECRET")))
            .expect("credentials");
        let mut command = Command::new(env!("CARGO_BIN_EXE_idmill"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IDMILL__") || name == "IDMILL_CONFIG") {
            command.env_remove(name);
        }
        command.current_dir(home.path()).stdin(Stdio::null());
        let builder = Self { command, home };
        builder
            .set("broker.url", &stage.amqp_url)
            .set("topology.prefix", &stage.prefix)
            .set("storage.endpoint", &environment("IDMILL_TEST_S3_ENDPOINT"))
            .set("storage.region", "us-east-1")
            .set("storage.path_style", "true")
            .set("storage.credentials_file", credentials.to_str().expect("a path in UTF-8"))
            .set("engine.dir", &environment("IDMILL__ENGINE__DIR"))
            .set("engine.instances", "1")
    }

    /// Gives a setting, `section.key`, another value than the stage's.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.command.env(format!("IDMILL__{}", key.to_uppercase().replace('.', "__")), value);
        self
    }

    /// Leaves it without any S3 credentials, wherever the SDK looks for some.
    pub(crate) fn without_s3_credentials(mut self) -> Self {
        for name in ["IDMILL__STORAGE__CREDENTIALS_FILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"] {
            self.command.env_remove(name);
        }
        let home = self.home.path().to_owned();
        self.command.env("HOME", home).env("AWS_EC2_METADATA_DISABLED", "true");
        self
    }

    /// Appends arguments.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Runs it to its end. Blocks the test's thread, which has nothing else to do.
    pub(crate) fn run(self) -> Done {
        self.run_with_input("")
    }

    /// Runs it to its end with this on its standard input.
    pub(crate) fn run_with_input(mut self, input: &str) -> Done {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the command starts");
        // A command that does not read its input has closed it: that is no fault.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        Done(child.wait_with_output().expect("the command's output"))
    }

    /// Starts it, for tests that interrupt it.
    pub(crate) fn spawn(self) -> Child {
        self.spawn_with_log(Stdio::null())
    }

    /// Starts it, for tests that interrupt it; its log goes there.
    pub(crate) fn spawn_with_log(mut self, log: impl Into<Stdio>) -> Child {
        let child = self.command.stdout(Stdio::null()).stderr(log).spawn().expect("the command starts");
        // The folder has to outlive the process; the system's own cleaning takes it.
        let _ = self.home.keep();
        child
    }
}

/// A command that came to its end.
pub(crate) struct Done(Output);

impl Done {
    /// Its exit status.
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().expect("an exit status")
    }

    /// What it printed as its result.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    /// What it told the person at the terminal.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("UTF-8")
    }

    /// The result as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout).unwrap_or_else(|error| panic!("{error} in {}{}", self.stdout(), self.stderr()))
    }

    /// The result as JSON lines.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.stdout().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Fails the test unless the exit status is this.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "stdout:\n{}stderr:\n{}", self.stdout(), self.stderr());
        self
    }
}
