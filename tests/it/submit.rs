//! `idmill submit` and `idmill token`, as a person runs them to try things.

use std::time::Duration;

use serde_json::json;

use crate::api::specimen;
use crate::command::CommandBuilder;
use crate::stage::{PATIENCE, Stage};
use crate::worker::n_ended;
use crate::worker_process::OwnBroker;

fn submit(stage: &Stage, specimen_name: &str, options: &[&str]) -> CommandBuilder {
    let front = specimen(specimen_name).join("front.jpg");
    CommandBuilder::new(stage).args(["submit".as_ref(), front.as_os_str()]).args(options)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_document_is_uploaded_and_its_event_printed() {
    let stage = Stage::new().await;
    let _worker = stage.worker().start().await;
    let id = format!("{}-submitted", stage.prefix);
    let read = submit(&stage, "passport-1", &["--id", &id]).run().expect_code(0).json();
    assert_eq!((&read["subject"], &read["data"]["fields"]["idType"]), (&json!(id), &json!("passport")));

    let text = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(text.path(), "I am no image.").unwrap();
    let failed = CommandBuilder::new(&stage).args(["submit".as_ref(), text.path().as_os_str()]).run().expect_code(3).json();
    assert_eq!(failed["data"]["failure"]["class"], "bad_image");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_of_a_submitted_document_goes_to_nobody_else_and_nobody_elses_to_whoever_submits() {
    let stage = Stage::new().await;
    let worker = stage.worker().start().await;
    let (front, _) = stage.upload_specimen("passport-1").await;
    // Nobody listens: jobs wait, and whoever submits must not take their events for being there.
    stage.unbind_inbox().await;
    stage.publish(&json!({"id": "somebody-elses", "front": front})).await;
    stage.until("its event waits for a queue", async || worker.log().contains("bind one")).await;
    let waited = submit(&stage, "passport-1", &["--id", "own", "--timeout", "4s"]).run();
    assert!(waited.code() == 0 && waited.json()["subject"] == "own" || waited.code() == 1, "{}", waited.stderr());
    stage.bind_inbox().await;
    assert_eq!(stage.next_event().await.json()["subject"], "somebody-elses");
    stage.until("both are read", async || n_ended(&worker.log(), "read") == 2).await;

    let read = submit(&stage, "passport-1", &["--id", "again"]).run().expect_code(0).json();
    assert_eq!(read["subject"], "again");
    assert!(stage.next_event_within(Duration::from_millis(300)).await.is_none(), "a document that was submitted to try it is no news");
}

/// As deploy/README.md gives them to operators.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_needs_no_right_to_read_events_or_to_declare() {
    let broker = OwnBroker::start();
    let stage = Stage::on_broker(broker.url()).await;
    let _worker = stage.worker().start().await;
    let (_, place) = stage.amqp_url.rsplit_once('@').unwrap();
    broker.ctl(&["add_user", "operator", "secret"]);
    broker.ctl(&["set_permissions", "operator", "^$", r"^amq\.default$", "^$"]);
    let url = format!("amqp://operator:secret@{place}");
    let read = submit(&stage, "passport-1", &[]).set("broker.url", &url).run().expect_code(0).json();
    assert_eq!(read["data"]["fields"]["idType"], "passport");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_gets_the_job_and_whoever_waits_in_vain_is_told() {
    let stage = Stage::new().await;
    // A worker that declares the queues, and is gone when the job comes.
    stage.worker().start().await.kill();
    let job = submit(&stage, "passport-1", &["--no-wait", "--id", "later"]).run().expect_code(0).json();
    assert_eq!(job["id"], "later");
    let queued = stage.next_message(&stage.name("jobs"), PATIENCE).await.unwrap();
    assert_eq!(queued.json(), job);
    let key = job["front"].as_str().unwrap();
    assert!(stage.s3.head_object().bucket("idmill").key(key).send().await.is_ok(), "the image is in the bucket");

    let waited = submit(&stage, "passport-1", &["--timeout", "300ms"]).run().expect_code(1);
    assert!(waited.stderr().contains("the job is in the queue and will still be worked on"), "{}", waited.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_reach_the_broker_is_told_so_and_nothing_else() {
    let stage = Stage::new().await;
    // A port that is nobody's.
    let address = "127.0.0.1:1";
    for options in [&["--no-wait"][..], &[]] {
        let failed = submit(&stage, "passport-1", options).set("broker.url", &format!("amqp://{address}/%2f")).run().expect_code(1);
        let words = failed.stderr();
        assert!(words.contains(&format!("failed to connect to the broker at {address}")), "{words}");
        assert!(!words.contains("confirm") && !words.contains("topology"), "{words}");
    }
    let failed = submit(&stage, "passport-1", &["--no-wait"]).run().expect_code(1);
    assert!(failed.stderr().contains("is a worker, or its topology, set up?"), "{}", failed.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_token_is_accepted_by_the_one_who_knows_its_secret() {
    let stage = Stage::new().await;
    let home = tempfile::TempDir::new().unwrap();
    let secret = |name: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, format!("the secret {name}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ours, other) = (secret("ours"), secret("other"));
    let mint = ["token", "mint", "--api-key", "key-1", "--secret-file", &ours];
    let token = CommandBuilder::new(&stage).args(mint).run().expect_code(0).stdout();
    let inspect =
        |secret_file: &str| CommandBuilder::new(&stage).args(["token", "inspect", "--secret-file", secret_file]).run_with_input(&token);
    let accepted = inspect(&ours).expect_code(0).json();
    assert_eq!((&accepted["verdict"], &accepted["claims"]["apikey"]), (&json!("accepted"), &json!("key-1")));
    let refused = inspect(&other).expect_code(1).json();
    assert_ne!(refused["verdict"], "accepted");
    let unchecked = CommandBuilder::new(&stage).args(["token", "inspect"]).run_with_input(&token).expect_code(0).json();
    assert_eq!(unchecked["verdict"], "accepted, if the signature holds");
}
