//! Processes that are told to stop while they start.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::command::CommandBuilder;
use crate::stage::{Stage, environment};

/// SIGTERM's bit in the masks of `/proc/PID/status`.
const TERM_BIT: u64 = 1 << 14;

/// A process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Whether a SIGTERM reaches it even where it is the first process of its container.
    fn listens_for_sigterm(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & TERM_BIT != 0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_listens_for_sigterm_before_all_else_and_ends_without_a_start() {
    let stage = Stage::new().await;
    for command in ["worker", "serve"] {
        let home = TempDir::new().unwrap();
        let weight = engine_that_does_not_open(home.path());
        let log = home.path().join("log");
        let said = || std::fs::read_to_string(&log).unwrap();
        let builder = CommandBuilder::new(&stage).args([command]).set("engine.dir", home.path().to_str().unwrap());
        let builder = builder.set("worker.listen", "127.0.0.1:0").set("api.listen", "127.0.0.1:0").set("api.open", "true");
        let mut process = Process(builder.spawn_with_log(File::create(&log).unwrap()));
        let id = process.0.id();
        stage
            .until("the process listens for SIGTERM", async || {
                assert!(process.0.try_wait().unwrap().is_none(), "it ended:\n{}", said());
                process.listens_for_sigterm()
            })
            .await;
        assert!(Command::new("sh").arg("-c").arg(format!("kill -TERM {id}")).status().unwrap().success());
        stage.until("the process gives its start up", async || said().contains("told to stop before the start was done")).await;
        // Lets the thread go that waits for the weight, and would be waited for.
        drop(File::options().read(true).write(true).open(&weight).unwrap());
        stage.until("the process ends", async || process.0.try_wait().unwrap().is_some()).await;
        assert!(process.0.wait().unwrap().success(), "{command}:\n{}", said());
    }
}

/// Lays a folder out as the engine wants it, but for one file, which is a pipe that nobody writes into; returns its path.
fn engine_that_does_not_open(folder: &Path) -> PathBuf {
    let pipe = folder.join("tiny-rec.onnx");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for entry in std::fs::read_dir(environment("IDMILL__ENGINE__DIR")).unwrap() {
        let entry = entry.unwrap();
        let place = folder.join(entry.file_name());
        if place != pipe {
            std::os::unix::fs::symlink(entry.path(), place).unwrap();
        }
    }
    pipe
}
