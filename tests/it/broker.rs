//! Brokers that are killed, run out of memory, lose patience, or want certificates: each test has a node of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use idmill::broker::{Connector, DeadQueue, LetterClass, Outgoing, Question};
use idmill::config;
use lapin::BasicProperties;
use serde_json::json;

use crate::hosted_api::{Answer, HostedApi, image};
use crate::stage::{PATIENCE, Stage, free_port};
use crate::worker::n_ended;
use crate::worker_process::{OwnBroker, WorkerBuilder, WorkerProcess};

/// A node, a stage on it, and a hosted API, since none of these tests is about reading.
struct Play {
    stage: Stage,
    api: HostedApi,
    front: String,
    broker: OwnBroker,
}

impl Play {
    async fn on(broker: OwnBroker) -> Self {
        let stage = Stage::on_broker(broker.url()).await;
        let front = stage.upload("front.jpg", image(b"a fictional document")).await;
        Self { stage, api: HostedApi::start().await, front, broker }
    }

    fn worker(&self) -> WorkerBuilder<'_> {
        self.stage.worker().reads_remotely(&self.api.address).set("reader.remote.timeout", "60s")
    }

    async fn publish(&self, id: &str) {
        self.stage.publish(&json!({"id": id, "front": self.front})).await;
    }
}

fn n_sessions(log: &str) -> usize {
    log.matches("connected to the broker").count()
}

#[tokio::test]
async fn a_broker_that_was_killed_and_comes_back_is_consumed_from_again() {
    let play = Play::on(OwnBroker::start()).await;
    let worker = play.worker().start().await;
    play.broker.kill();
    until_logged(&worker, "connecting again", |log| log.contains("failed to connect to the broker")).await;
    play.broker.restart();
    until_logged(&worker, "a second session", |log| n_sessions(log) >= 2).await;
    play.publish("job").await;
    assert_eq!(play.stage.next_event().await.json()["subject"], "job");
}

#[tokio::test]
async fn a_memory_alarm_stops_the_intake_and_its_end_resumes_it() {
    let play = Play::on(OwnBroker::start()).await;
    let worker = play.worker().start().await;
    play.api.set(Answer::Hang, 1.0);
    for n in 0..6 {
        play.publish(&format!("job-{n}")).await;
    }
    play.stage.until("jobs are in flight", async || play.api.n_calls() >= 2).await;
    play.broker.ctl(&["set_vm_memory_high_watermark", "0.000001"]);
    play.api.set(Answer::Well, 1.0);
    play.stage.until("the intake stops", async || worker.log().contains("taking no more jobs: the broker blocks publishers")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let n_read = play.api.n_answered();
    assert!(n_read <= 4, "{n_read} documents were read whose events cannot be published");

    play.broker.ctl(&["set_vm_memory_high_watermark", "0.4"]);
    play.stage.until("the intake resumes", async || worker.log().contains("taking jobs again: the broker reads")).await;
    let mut subjects = std::collections::BTreeSet::new();
    for _ in 0..6 {
        assert!(subjects.insert(play.stage.next_event().await.json()["subject"].to_string()), "no event came twice");
    }
    assert!(play.stage.next_event_within(Duration::from_millis(300)).await.is_none());
    assert_eq!((n_ended(&worker.log(), "lost"), n_sessions(&worker.log())), (0, 1));
}

#[tokio::test]
async fn an_alarm_stops_the_intake_also_where_all_answers_go_to_their_senders() {
    let play = Play::on(OwnBroker::start()).await;
    let worker = play.worker().start().await;
    play.api.set(Answer::Hang, 1.0);
    let job = json!({"id": "asked", "front": play.front}).to_string().into_bytes();
    let asked = Outgoing::json("", &play.stage.name("jobs"), "asked", "application/json", job);
    let connector = Connector::new(config::Broker { url: play.broker.url(), ..config::Broker::default() });
    let mut question = Question::ask(&connector, asked).await.expect("a question");
    play.stage.until("the job is in flight", async || play.api.n_calls() >= 1).await;
    play.broker.ctl(&["set_vm_memory_high_watermark", "0.000001"]);
    play.api.set(Answer::Well, 1.0);
    play.stage.until("the intake stops", async || worker.log().contains("taking no more jobs: the broker blocks publishers")).await;
    play.broker.ctl(&["set_vm_memory_high_watermark", "0.4"]);
    play.stage.until("the intake resumes", async || worker.log().contains("taking jobs again: the broker reads")).await;
    let event: serde_json::Value = serde_json::from_slice(&question.answer().await.expect("an answer")).expect("JSON");
    assert_eq!((&event["subject"], &event["type"]), (&json!("asked"), &json!("idmill.document.read.v1")));
}

#[tokio::test]
async fn a_job_of_which_the_broker_takes_no_copy_is_told_and_moved_to_the_dead_letters_as_it_is() {
    let play = Play::on(OwnBroker::start()).await;
    play.worker().start().await.kill();
    let jobs = play.stage.name("jobs");
    play.stage.publish_raw(&[b'x'; 30_000], BasicProperties::default().with_message_id("no-job".into())).await;
    let padded = |id: &str, front: &str| format!("{}{:30000}", json!({"id": id, "front": front}), "");
    play.stage.publish_raw(padded("missing", &play.stage.key("nowhere.jpg")).as_bytes(), BasicProperties::default()).await;
    // As an operator does who wants no more of these.
    play.broker.kill();
    std::fs::write(play.broker.path().join("extra.conf"), "max_message_size = 20000\n").expect("extra.conf");
    play.broker.restart();

    let worker = play.worker().start().await;
    play.publish("well").await;
    let mut ended = std::collections::BTreeMap::new();
    for _ in 0..3 {
        let event = play.stage.next_event().await.json();
        let class = event["data"]["failure"]["class"].as_str().unwrap_or("read").to_owned();
        ended.insert(event["subject"].as_str().expect("a subject").to_owned(), class);
    }
    let expected = [("missing", "image_missing"), ("no-job", "bad_job"), ("well", "read")];
    assert_eq!(ended, expected.map(|(id, class)| (id.to_owned(), class.to_owned())).into());
    let dead = play.stage.name("dead");
    play.stage.until("both are dead letters", async || play.stage.depth(&dead).await.is_some_and(|(n, _)| n == 2)).await;
    play.stage.until("the work queue is empty", async || play.stage.depth(&jobs).await.is_some_and(|(n, _)| n == 0)).await;
    assert_eq!((n_ended(&worker.log(), "failed"), n_ended(&worker.log(), "lost")), (2, 0));

    // A look that cannot write them anew leaves them where they are.
    let connector = Connector::new(config::Broker { url: play.broker.url(), ..config::Broker::default() });
    for _ in 0..12 {
        let mut look = DeadQueue::open(&connector, &dead).await.expect("a look");
        let mut classes = Vec::new();
        while let Some(letter) = look.next().await.expect("a letter") {
            classes.push(letter.letter.class);
            look.keep(letter).await.expect("kept");
        }
        look.close().await.expect("closed");
        assert!(classes.iter().all(|class| *class == LetterClass::Unknown), "{classes:?}");
    }
    play.stage.until("both are there still", async || play.stage.depth(&dead).await.is_some_and(|(n, _)| n == 2)).await;
    assert_eq!(play.stage.next_dead_letter().await.header("x-first-death-reason"), "rejected");
}

#[tokio::test]
async fn a_job_that_the_broker_loses_patience_with_is_stopped_and_delivered_again() {
    let play = Play::on(OwnBroker::start_with(|dir| {
        std::fs::write(dir.join("extra.conf"), "consumer_timeout = 2000\n").expect("extra.conf");
        // Only here: in rabbitmq.conf the node does not know it.
        let ticks = "[{rabbit, [{channel_tick_interval, 1000}, {quorum_tick_interval, 1000}]}].";
        std::fs::write(dir.join("advanced.config"), ticks).expect("advanced.config");
    }))
    .await;
    let worker = play.worker().start().await;
    play.api.set(Answer::Hang, 1.0);
    play.publish("slow").await;
    until_logged(&worker, "the broker takes the job back", |log| n_ended(log, "lost") == 1).await;
    play.api.set(Answer::Well, 1.0);
    assert_eq!(play.stage.next_event().await.json()["subject"], "slow");
    until_logged(&worker, "the job is settled", |log| n_ended(log, "read") == 1).await;
    assert!(n_sessions(&worker.log()) >= 2);
}

#[tokio::test]
async fn a_client_certificate_is_all_that_a_worker_needs_to_log_in() {
    let port = free_port();
    let play = Play::on(OwnBroker::start_with(|dir| {
        issue(dir, "ca", &["-addext", "keyUsage=critical,keyCertSign"]);
        for name in ["server", "reader"] {
            let signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"];
            issue(dir, name, &[&signed[..], &["-addext", "subjectAltName=DNS:localhost"]].concat());
        }
        let file = |name: &str| dir.join(name).display().to_string();
        let settings = format!(
            "listeners.ssl.default = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
             ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\nssl_cert_login_from = common_name\n\
             auth_mechanisms.1 = PLAIN\nauth_mechanisms.2 = AMQPLAIN\nauth_mechanisms.3 = EXTERNAL\n",
            file("ca.pem"),
            file("server.pem"),
            file("server.key"),
        );
        std::fs::write(dir.join("extra.conf"), settings).expect("extra.conf");
        std::fs::write(dir.join("enabled_plugins"), "[rabbitmq_auth_mechanism_ssl].").expect("enabled_plugins");
    }))
    .await;
    play.broker.ctl(&["add_user", "reader", "no password that anybody knows"]);
    play.broker.ctl(&["set_permissions", "reader", ".*", ".*", ".*"]);
    let file = |name: &str| play.broker.path().join(name).display().to_string();
    let over_tls = || play.worker().set("broker.url", &format!("amqps://localhost:{port}/%2f")).set("broker.ca_file", &file("ca.pem"));
    let _worker =
        over_tls().set("broker.client_cert_file", &file("reader.pem")).set("broker.client_key_file", &file("reader.key")).start().await;
    play.publish("job").await;
    assert_eq!(play.stage.next_event().await.json()["subject"], "job");
    let connections = play.broker.ctl(&["list_connections", "user", "auth_mechanism", "ssl"]);
    assert!(connections.lines().any(|line| line.starts_with("reader\tEXTERNAL\ttrue")), "{connections}");

    let nobody = over_tls().spawn();
    until_logged(&nobody, "without a certificate it is refused", |log| log.contains("failed to connect to the broker")).await;
}

/// Makes NAME.pem and NAME.key in `dir`; without a CA among the options, a self-signed one.
fn issue(dir: &Path, name: &str, options: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]).current_dir(dir);
    command.args(["-subj", &format!("/CN={name}"), "-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]).args(options);
    let done = command.stdin(Stdio::null()).output().expect("openssl");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn rotated_credentials_are_picked_up_without_a_restart() {
    let play = Play::on(OwnBroker::start()).await;
    let home = tempfile::TempDir::new().expect("folder");
    let url_file = home.path().join("url");
    let rotate_to = |user: &str| {
        play.broker.ctl(&["add_user", user, "secret"]);
        play.broker.ctl(&["set_permissions", user, ".*", ".*", ".*"]);
        let (_, place) = play.stage.amqp_url.rsplit_once('@').expect("an URL with a user");
        std::fs::write(&url_file, format!("amqp://{user}:secret@{place}\n")).expect("url");
    };
    rotate_to("yesterday");
    let worker = play.worker().set("broker.url_file", &url_file.display().to_string()).start().await;
    play.publish("before").await;
    assert_eq!(play.stage.next_event().await.json()["subject"], "before");

    rotate_to("today");
    play.broker.ctl(&["delete_user", "yesterday"]);
    play.broker.ctl(&["close_all_connections", "rotation"]);
    // One more where the worker was back before the second command.
    until_logged(&worker, "a second session", |log| n_sessions(log) >= 2).await;
    play.publish("after").await;
    assert_eq!(play.stage.next_event().await.json()["subject"], "after");
    let users = play.broker.ctl(&["list_connections", "user"]);
    assert!(users.contains("today") && !users.contains("yesterday"), "{users}");
}

/// Those of deploy/README.md, as they stand there but for the prefix.
#[tokio::test]
async fn a_worker_needs_no_more_rights_than_the_runbook_gives_it() {
    let play = Play::on(OwnBroker::start()).await;
    play.broker.ctl(&["add_user", "rights", "secret"]);
    let (_, place) = play.stage.amqp_url.rsplit_once('@').expect("an URL with a user");
    let url = format!("amqp://rights:secret@{place}");
    for (n, mode) in ["declare", "verify", "none"].into_iter().enumerate() {
        let line = include_str!("../../deploy/README.md")
            .lines()
            .find(|line| line.starts_with("rabbitmqctl set_permissions") && line.contains("# topology.mode") && line.contains(mode))
            .expect("a line for each mode");
        let patterns: Vec<String> =
            line.split('\'').skip(1).step_by(2).map(|pattern| pattern.replace("idmill", &play.stage.prefix)).collect();
        let [configure, write, read] = patterns.as_slice() else { panic!("three patterns in {line}") };
        play.broker.ctl(&["set_permissions", "rights", configure, write, read]);
        let mut worker =
            play.worker().set("broker.url", &url).set("topology.mode", mode).set("retry.missing_delays", "300ms").start().await;
        play.publish(&format!("read-{n}")).await;
        assert_eq!(play.stage.next_event().await.json()["subject"], format!("read-{n}"), "{mode}: {}", worker.log());
        // It is held, comes back, and is given up.
        play.stage.publish(&json!({"id": format!("held-{n}"), "front": "nowhere.jpg"})).await;
        let failed = play.stage.next_event().await.json();
        assert_eq!(failed["data"]["failure"]["class"], "image_missing", "{mode}: {}", worker.log());
        let letter = play.stage.next_message(&play.stage.name("dead"), PATIENCE).await.expect("a dead letter");
        assert_eq!(letter.json()["id"], format!("held-{n}"));
        // What one left unsettled would be the next one's.
        until_logged(&worker, "both are settled", |log| n_ended(log, "read") + n_ended(log, "failed") == 2).await;
        worker.terminate();
        assert!(worker.wait().await.success());
    }
}

/// Waits for something in a worker's log while its broker may be away.
async fn until_logged(worker: &WorkerProcess, what: &str, condition: impl Fn(&str) -> bool) {
    let start = Instant::now();
    while !condition(&worker.log()) {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}\n{}", worker.log());
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
