//! `idmill doctor` on real servers, whole and broken.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::path::Path;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use idmill::broker::{Connector, Names, Role, set_up};
use idmill::config::{self, TopologyMode};
use idmill::reader::token;
use lapin::types::FieldTable;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{CommandBuilder, Done};
use crate::stage::{Stage, environment};
use crate::worker_process::OwnBroker;

/// Makes the queues that a worker with default settings makes.
pub(crate) async fn make_topology(stage: &Stage) {
    let connector = Connector::new(config::Broker { url: stage.amqp_url.clone(), ..config::Broker::default() });
    let connection = connector.connect(Role::Operate).await.unwrap();
    let holds = config::Retry::default().schedule().rungs();
    set_up(&connection, &Names::new(&stage.prefix), &holds, 20, TopologyMode::Declare).await.unwrap();
}

fn doctor(stage: &Stage) -> CommandBuilder {
    CommandBuilder::new(stage).args(["doctor", "--json"])
}

/// The findings of one check: status and message of each.
fn findings(done: &Done, check: &str) -> Vec<(String, String)> {
    let report = done.json();
    let checks = report["checks"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    checks
        .map(|finding| {
            let status = text(finding, "status");
            assert_eq!(status != "ok", finding["advice"].is_string(), "what is not right comes with advice: {finding}");
            (status, text(finding, "message"))
        })
        .collect()
}

/// One check's only finding has this status, and says this.
#[track_caller]
fn check(done: &Done, check: &str, status: &str, message: &str) {
    let found = findings(done, check);
    assert!(found.len() == 1 && found[0].0 == status && found[0].1.contains(message), "{check}: {found:?}\n{}", done.stdout());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_the_doctor_says_so() {
    let stage = Stage::new().await;
    make_topology(&stage).await;
    let done = doctor(&stage).run().expect_code(0);
    check(&done, "broker.version", "ok", "RabbitMQ ");
    check(&done, "broker.login", "ok", "");
    check(&done, "topology", "ok", "queues and exchanges are as expected");
    check(&done, "routes", "warning", "was not checked");
    check(&done, "consumer_timeout", "ok", "30m (RabbitMQ's default");
    check(&done, "storage", "ok", "bucket idmill can be read");
    check(&done, "storage.clock", "ok", "clock");
    check(&done, "engine.files", "ok", "right checksums");
    check(&done, "engine.reads", "ok", "the test image was read");
    assert_eq!(done.json()["status"], "warning");

    let lines = CommandBuilder::new(&stage).args(["doctor"]).run().expect_code(0);
    assert!(
        lines.stdout().contains("warning  routes") && lines.stdout().contains("-> name RabbitMQ's management API"),
        "{}",
        lines.stdout()
    );
    assert!(!lines.stdout().contains('\u{1b}'), "no colours where there is no terminal");
}

#[tokio::test(flavor = "multi_thread")]
async fn for_the_api_neither_broker_nor_store_is_asked() {
    let stage = Stage::new().await;
    let home = TempDir::new().unwrap();
    let keys = home.path().join("keys");
    std::fs::write(&keys, "first hunter2\nsecond hunter3\n").unwrap();
    let api = || {
        let nowhere = "http://127.0.0.1:9";
        doctor(&stage).args(["api"]).set("broker.url", "amqp://127.0.0.1:9").set("storage.endpoint", nowhere).set("reader.order", "remote")
    };
    let keyed = api().set("api.keys_file", keys.to_str().unwrap()).run().expect_code(0);
    check(&keyed, "api.keys", "ok", "2 in the file");
    check(&keyed, "engine.reads", "ok", "the test image was read");
    assert_eq!(keyed.json()["status"], "ok");
    assert_eq!(keyed.json()["checks"].as_array().unwrap().len(), 3, "{}", keyed.stdout());
    check(&api().set("api.open", "true").run().expect_code(0), "api.keys", "ok", "none are wanted");
    check(&api().run().expect_code(1), "api.keys", "failure", "set api.keys_file");
    std::fs::write(&keys, "first hunter2\nfirst hunter3\n").unwrap();
    let twice = api().set("api.keys_file", keys.to_str().unwrap()).run().expect_code(1);
    check(&twice, "api.keys", "failure", "line 2 of api.keys_file names a key id for the second time");
    assert!(!(twice.stdout() + &twice.stderr()).contains("hunter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_or_refuses_us_is_told_apart_and_no_password_is_shown() {
    let stage = Stage::new().await;
    let gone = doctor(&stage).set("broker.url", "amqp://user:hunter2@127.0.0.1:9/%2f").run().expect_code(1);
    check(&gone, "broker.version", "failure", "does not answer");
    assert!(findings(&gone, "broker.login").is_empty(), "said once");
    let place = stage.amqp_url.rsplit_once('@').unwrap().1.to_owned();
    let refused = doctor(&stage).set("broker.url", &format!("amqp://idmill:hunter2@{place}")).run().expect_code(1);
    check(&refused, "broker.version", "ok", "RabbitMQ");
    check(&refused, "broker.login", "failure", "ACCESS_REFUSED");
    assert_eq!(findings(&refused, "broker.login")[0].1.matches("ACCESS_REFUSED").count(), 1, "{}", refused.stdout());
    let store = environment("IDMILL_TEST_S3_ENDPOINT").replace("http", "amqp");
    let stranger = doctor(&stage).set("broker.url", &store).set("broker.connect_timeout", "2s").run().expect_code(1);
    assert_eq!(findings(&stranger, "broker.version")[0].0, "failure");
    for done in [gone, refused] {
        assert!(!(done.stdout() + &done.stderr()).contains("hunter2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topology_that_is_missing_or_different_is_named_and_left_alone() {
    let stage = Stage::new().await;
    let missing = doctor(&stage).run().expect_code(0);
    assert!(findings(&missing, "topology").iter().any(|(status, text)| status == "warning" && text.contains(&stage.name("jobs"))));
    let promised = doctor(&stage).set("topology.mode", "verify").run().expect_code(1);
    assert!(findings(&promised, "topology").iter().any(|(status, text)| status == "failure" && text.contains("does not exist")));
    assert!(stage.depth(&stage.name("jobs")).await.is_none(), "looking makes nothing");

    make_topology(&stage).await;
    let different = doctor(&stage).set("topology.delivery_limit", "7").run().expect_code(1);
    check(&different, "topology", "failure", "x-delivery-limit");
    let budget = doctor(&stage).set("worker.job_budget", "31m").run().expect_code(1);
    check(&budget, "consumer_timeout", "failure", "a job may take 31m");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_or_refuses_us_or_misses_a_bucket_is_told_apart() {
    let stage = Stage::new().await;
    let home = TempDir::new().unwrap();
    let wrong = home.path().join("credentials");
    std::fs::write(&wrong, "idmill\nhunter2\n").unwrap();
    let refused = doctor(&stage).set("storage.credentials_file", wrong.to_str().unwrap()).run().expect_code(1);
    check(&refused, "storage", "failure", "refuses us (403, SignatureDoesNotMatch)");
    assert!(!refused.stdout().contains("hunter2"));
    let other = doctor(&stage).set("storage.allowed_buckets", "other,nowhere").run().expect_code(1);
    let statuses: Vec<_> = findings(&other, "storage").into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, ["ok", "ok", "failure"]);
    let gone = doctor(&stage).set("storage.endpoint", "http://127.0.0.1:9").run().expect_code(1);
    check(&gone, "storage", "failure", "cannot be reached");
    let unreadable = doctor(&stage).set("storage.credentials_file", "nowhere").run().expect_code(1);
    check(&unreadable, "storage", "failure", "storage.credentials_file");
    let nobody = doctor(&stage).without_s3_credentials().run().expect_code(1);
    check(&nobody, "storage", "failure", "there are no credentials");
    // Nothing is told of a missing object to whom may not list the bucket, nor of an existing one to whom may not read it.
    let denying = start(Router::new().fallback(|| async {
        let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>x</Message></Error>";
        (StatusCode::FORBIDDEN, [("content-type", "application/xml")], body)
    }))
    .await;
    let denied = doctor(&stage).set("storage.endpoint", &denying).run().expect_code(1);
    check(&denied, "storage", "failure", "denies access (403)");
    assert!(denied.stdout().contains("grant s3:GetObject and s3:ListBucket"), "{}", denied.stdout());
    let website = start(Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "<html>no such page</html>") })).await;
    let stranger = doctor(&stage).set("storage.endpoint", &website).run().expect_code(1);
    check(&stranger, "storage", "failure", "does not speak like an object store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_noticed_by_the_stores_answer() {
    let stage = Stage::new().await;
    // Only the store's clock can be turned here: it says what S3 says, years ago.
    let store = start(Router::new().fallback(|| async {
        let body = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>x</Message></Error>";
        (StatusCode::NOT_FOUND, [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("content-type", "application/xml")], body)
    }))
    .await;
    let done = doctor(&stage).set("storage.endpoint", &store).run().expect_code(1);
    check(&done, "storage", "ok", "can be read");
    check(&done, "storage.clock", "failure", "ahead of the object store's");
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_files_that_are_missing_or_others_are_named() {
    let stage = Stage::new().await;
    let nowhere = TempDir::new().unwrap();
    let missing = doctor(&stage).set("engine.dir", nowhere.path().to_str().unwrap()).run().expect_code(1);
    check(&missing, "engine.files", "failure", "libonnxruntime.so");
    let models = environment("IDMILL__ENGINE__DIR");
    for entry in std::fs::read_dir(&models).unwrap() {
        let entry = entry.unwrap();
        std::os::unix::fs::symlink(Path::new(&models).join(entry.file_name()), nowhere.path().join(entry.file_name())).unwrap();
    }
    let weight = nowhere.path().join("tiny-rec.onnx");
    std::fs::remove_file(&weight).unwrap();
    std::fs::write(&weight, "something else").unwrap();
    let other = doctor(&stage).set("engine.dir", nowhere.path().to_str().unwrap()).run().expect_code(1);
    check(&other, "engine.files", "failure", "tiny-rec.onnx");
    assert!(findings(&other, "engine.reads").is_empty(), "said once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosted_api_is_asked_whether_it_accepts_our_token() {
    const SECRET: &str = "secret of the tests";
    let stage = Stage::new().await;
    let home = TempDir::new().unwrap();
    let secret = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let checking = start(Router::new().fallback(|headers: HeaderMap, body: String| async move {
        assert_eq!(body, "{}", "no image is sent");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        match token::verify(headers["authorization"].to_str().unwrap(), &SECRET.into(), now) {
            Ok(_) => StatusCode::BAD_REQUEST,
            Err(_) => StatusCode::UNAUTHORIZED,
        }
    }))
    .await;
    let asked = |url: &str, secret_file: String| {
        let command = doctor(&stage).set("reader.order", "remote").set("reader.remote.url", &format!("{url}/ai/v1/ocr"));
        command.set("reader.remote.api_key", "key").set("reader.remote.secret_file", &secret_file).run()
    };
    let accepted = asked(&checking, secret("right", SECRET)).expect_code(0);
    check(&accepted, "ocr", "ok", "accepts our token");
    check(&accepted, "ocr.clock", "ok", "the OCR API");
    assert!(findings(&accepted, "engine.files").is_empty(), "a remote reader needs no weights");
    let refused = asked(&checking, secret("wrong", "another")).expect_code(1);
    check(&refused, "ocr", "failure", "401");
    let indifferent = start(Router::new().fallback(|| async { StatusCode::BAD_REQUEST })).await;
    check(&asked(&indifferent, secret("right", SECRET)).expect_code(0), "ocr", "warning", "with and without a valid token");
    let broken = start(Router::new().fallback(|| async { StatusCode::BAD_GATEWAY })).await;
    check(&asked(&broken, secret("right", SECRET)).expect_code(1), "ocr", "failure", "502");
    check(&asked("http://127.0.0.1:9", secret("right", SECRET)).expect_code(1), "ocr", "failure", "no connection");
    let denying = start(Router::new().fallback(|| async { StatusCode::FORBIDDEN })).await;
    let denied = asked(&denying, secret("right", SECRET)).expect_code(1);
    check(&denied, "ocr", "failure", "403 (does the plan include the OCR API?)");
    assert!(denied.stdout().contains("check the account's plan"), "{}", denied.stdout());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_management_api_shows_what_amqp_does_not() {
    let broker = OwnBroker::start_with(|dir| {
        std::fs::write(dir.join("enabled_plugins"), "[rabbitmq_management].").expect("enabled_plugins");
    });
    let stage = Stage::on_broker(broker.url()).await;
    make_topology(&stage).await;
    let management = broker.management_url();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    stage
        .until("the management API answers", async || client.get(&management).send().await.is_ok_and(|answer| answer.status() == 200))
        .await;
    let doctor = || doctor(&stage).args(["--management", &management]).run();
    let whole = doctor().expect_code(0);
    check(&whole, "dead_letter_route", "ok", "is bound");
    check(&whole, "reply_route", "ok", "both kinds of event");
    check(&whole, "delivery_limit", "ok", "20 deliveries");
    assert_eq!(whole.json()["status"], "ok", "{}", whole.stdout());

    let channel = stage.channel().await;
    let (dead, inbox, events) = (stage.name("dead"), stage.name("inbox"), stage.name("events"));
    let (unbound, bound) = (FieldTable::default, lapin::options::QueueBindOptions::default());
    channel.queue_unbind(dead.as_str().into(), dead.as_str().into(), dead.as_str().into(), unbound()).await.unwrap();
    channel.queue_unbind(inbox.as_str().into(), events.as_str().into(), "#".into(), unbound()).await.unwrap();
    channel.queue_bind(inbox.as_str().into(), events.as_str().into(), "document.read".into(), bound, unbound()).await.unwrap();
    let (user, password) = broker.credentials();
    let policy = json!({"pattern": "jobs$", "definition": {"delivery-limit": 5}, "apply-to": "queues"});
    let policies = format!("{management}/api/policies/%2f/strict");
    let set = client.put(policies).basic_auth(&user, Some(&password)).header("content-type", "application/json").body(policy.to_string());
    assert!(set.send().await.unwrap().status().is_success());
    let queue = format!("{management}/api/queues/%2f/{}", stage.name("jobs"));
    stage
        .until("the management API has heard of the policy", async || {
            let answer: Value = client.get(&queue).basic_auth(&user, Some(&password)).send().await.unwrap().json().await.unwrap();
            answer["effective_policy_definition"]["delivery-limit"] == 5
        })
        .await;
    let broken = doctor().expect_code(1);
    check(&broken, "dead_letter_route", "failure", "is not bound");
    check(&broken, "reply_route", "warning", "no queue for document.failed:");
    check(&broken, "delivery_limit", "warning", "given up after 5 deliveries");

    let nowhere = CommandBuilder::new(&stage).args(["doctor", "--json", "--management", "http://127.0.0.1:9"]).run().expect_code(1);
    check(&nowhere, "management", "failure", "cannot be reached");
}

/// Serves the router on a free port, and returns its URL.
async fn start(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
