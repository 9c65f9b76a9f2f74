//! `idmill dead`: looking consumes nothing, and stopping anywhere loses nothing.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use idmill::broker::{Connector, DeadQueue, Names, set_up};
use idmill::config::{self, TopologyMode};
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use serde_json::{Value, json};

use crate::command::CommandBuilder;
use crate::proxy::{Mode, Proxy};
use crate::stage::{PATIENCE, Stage};

/// A stage with the topology that a worker makes, and no worker.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    let connection = connector(&stage).connect(idmill::broker::Role::Operate).await.unwrap();
    set_up(&connection, &Names::new(&stage.prefix), &[Duration::from_secs(5)], 20, TopologyMode::Declare).await.unwrap();
    stage
}

fn connector(stage: &Stage) -> Connector {
    Connector::new(config::Broker { url: stage.amqp_url.clone(), ..config::Broker::default() })
}

fn command(stage: &Stage, line: &str) -> CommandBuilder {
    CommandBuilder::new(stage).args(line.split(' '))
}

/// Puts a letter of this class into the dead letters' queue, dead for so many hours.
async fn bury(channel: &Channel, stage: &Stage, id: &str, class: &str, hours: i64) {
    let job = json!({"id": id, "front": "front.jpg", "metadata": {"applicant": 42}, "unknown": "TEXT OF A DOCUMENT"});
    bury_job(channel, stage, &job, class, hours).await;
}

async fn bury_job(channel: &Channel, stage: &Stage, job: &Value, class: &str, hours: i64) {
    let id = job["id"].as_str().unwrap();
    let since = time::OffsetDateTime::now_utc() - time::Duration::hours(hours);
    let mut headers = FieldTable::default();
    let texts = [
        ("x-idmill-class", class.to_owned()),
        ("x-idmill-reason", format!("why {id}")),
        ("x-idmill-dead-since", since.format(&time::format_description::well_known::Rfc3339).unwrap()),
        ("x-idmill-first-seen", "2030-01-01T00:00:00Z".to_owned()),
        ("x-of-the-producer", "TEXT OF A DOCUMENT".to_owned()),
    ];
    for (name, value) in texts {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    }
    headers.insert("x-idmill-attempt".into(), AMQPValue::LongLongInt(3));
    let body = job.to_string();
    let properties = BasicProperties::default().with_headers(headers).with_delivery_mode(2).with_correlation_id("c-1".into());
    let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let dead = stage.name("dead");
    let confirm = channel.basic_publish("".into(), dead.as_str().into(), mandatory, body.as_bytes(), properties).await.unwrap();
    assert!(confirm.await.unwrap().is_ack());
}

async fn publishing(stage: &Stage) -> Channel {
    let channel = stage.channel().await;
    channel.confirm_select(Default::default()).await.unwrap();
    channel
}

async fn depth(stage: &Stage, queue: &str) -> u32 {
    stage.depth(&stage.name(queue)).await.unwrap().0
}

/// Waits until so many letters are to be had: one that a command gave back is so a moment after the command's end.
async fn until_letters(stage: &Stage, n_letters: u32) {
    stage.until("the letters lie where they lay", async || depth(stage, "dead").await == n_letters).await;
}

/// Waits until the broker has taken back what a replay had in hand that is gone.
async fn until_none_is_in_hand(stage: &Stage, n_letters: usize) {
    let n_seen = async || depth(stage, "jobs").await + depth(stage, "dead").await;
    stage.until("no letter is in hand", async || n_seen().await as usize >= n_letters).await;
}

/// Every message of a queue, taken out of it: how often each job is there.
async fn drain(stage: &Stage, queue: &str) -> BTreeMap<String, usize> {
    let mut jobs = BTreeMap::new();
    while let Some(message) = stage.next_message(&stage.name(queue), Duration::from_millis(300)).await {
        *jobs.entry(message.json()["id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
    }
    jobs
}

fn ids(lines: &[Value]) -> BTreeSet<&str> {
    lines.iter().map(|line| line["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_listed_filtered_and_shown_and_stay_where_they_are() {
    let stage = stage().await;
    let channel = publishing(&stage).await;
    bury(&channel, &stage, "old", "bad_image", 5).await;
    bury(&channel, &stage, "new", "bad_image", 1).await;
    bury(&channel, &stage, "other", "internal", 1).await;

    let all = command(&stage, "dead list --json").run().expect_code(0).json_lines();
    assert_eq!(ids(&all), BTreeSet::from(["old", "new", "other"]));
    assert_eq!(all[0]["id"], "old", "the oldest comes first");
    assert_eq!((&all[0]["class"], &all[0]["attempt"], &all[0]["reason"]), (&json!("bad_image"), &json!(3), &json!("why old")));
    for (filter, expected) in [
        ("--class bad_image", &["old", "new"][..]),
        ("--class bad_image --class internal --newer-than 2h", &["new", "other"]),
        ("--older-than 2h", &["old"]),
        ("--attempt 2", &[]),
        ("--id other", &["other"]),
    ] {
        let lines = command(&stage, &format!("dead list --json {filter}")).run().expect_code(0).json_lines();
        assert_eq!(ids(&lines), expected.iter().copied().collect(), "{filter}");
    }
    let table = command(&stage, "dead list").run().expect_code(0);
    assert!(table.stdout().contains("why other") && table.stderr().contains("3 letters: 2 bad_image, 1 internal"), "{}", table.stderr());
    let none = command(&stage, "dead list --attempt 2").run().expect_code(0);
    assert!(none.stderr().contains("no letters, of 3 in "), "{}", none.stderr());
    assert!(!table.stdout().contains('\u{1b}'), "no colours where there is no terminal");

    let shown = command(&stage, "dead show new").run().expect_code(0);
    let letter = shown.json();
    assert_eq!((&letter["headers"]["x-idmill-attempt"], &letter["properties"]["correlation_id"]), (&json!(3), &json!("c-1")));
    assert_eq!((&letter["job"]["front"], &letter["job"]["metadata"]["applicant"]), (&json!("front.jpg"), &json!(42)));
    assert!(!shown.stdout().contains("TEXT OF A DOCUMENT"), "what is no key of a job, or a header of the producer's, is not shown");
    assert!(letter["headers"]["x-of-the-producer"].as_str().unwrap().contains("not shown"));
    let nobody = command(&stage, "dead show nobody").run().expect_code(1);
    assert!(nobody.stderr().contains("no letter of a job nobody"), "{}", nobody.stderr());
    until_letters(&stage, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_gave_up_is_listed_with_its_reason_and_age() {
    let stage = Stage::new().await;
    let connection = connector(&stage).connect(idmill::broker::Role::Operate).await.unwrap();
    set_up(&connection, &Names::new(&stage.prefix), &[], 1, TopologyMode::Declare).await.unwrap();
    stage.publish(&json!({"id": "killer", "front": "f"})).await;
    let channel = stage.channel().await;
    stage
        .until("the broker gives the job up", async || {
            if let Some(got) = channel.basic_get(stage.name("jobs").as_str().into(), Default::default()).await.unwrap() {
                got.delivery.acker.reject(lapin::options::BasicRejectOptions { requeue: true }).await.unwrap();
            }
            depth(&stage, "dead").await == 1
        })
        .await;
    let lines = command(&stage, "dead list --json --class delivery_limit --newer-than 1h").run().expect_code(0).json_lines();
    assert_eq!(ids(&lines), BTreeSet::from(["killer"]));
}

/// The limit of 20 that RabbitMQ 4 gives to queues that name none, and at which it drops what has no further route.
#[tokio::test(flavor = "multi_thread")]
async fn looking_again_and_again_does_not_use_up_a_delivery_limit() {
    let stage = Stage::new().await;
    let channel = publishing(&stage).await;
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(20));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(stage.name("dead").as_str().into(), durable, arguments).await.unwrap();
    for id in ["a", "b", "c"] {
        bury(&channel, &stage, id, "internal", 1).await;
    }
    let look = async || {
        let mut queue = DeadQueue::open(&connector(&stage), &stage.name("dead")).await.unwrap();
        let mut ids = BTreeSet::new();
        while let Some(letter) = queue.next().await.unwrap() {
            assert!(ids.insert(letter.letter.id.to_string()), "each letter is seen once a look");
            assert_eq!((letter.letter.class.as_str(), letter.letter.dead_since.is_some()), ("internal", true));
            queue.keep(letter).await.unwrap();
        }
        queue.close().await.unwrap();
        ids
    };
    for n in 0..50 {
        assert_eq!(look().await.len(), 3, "after {n} looks");
    }
    assert_eq!(drain(&stage, "dead").await.into_values().collect::<Vec<_>>(), [1, 1, 1], "none was doubled either");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_letters_queue_drops_nothing_by_a_limit_of_deliveries_or_length() {
    let stage = stage().await;
    let refusal = async |limit: i64, overflow: &str| {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(limit));
        arguments.insert("x-overflow".into(), AMQPValue::LongString(overflow.into()));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let answer = stage.channel().await.queue_declare(stage.name("dead").as_str().into(), durable, arguments).await;
        answer.unwrap_err().to_string()
    };
    let limit = refusal(20, "reject-publish").await;
    assert!(limit.contains("x-delivery-limit") && limit.contains("1000000000"), "{limit}");
    let overflow = refusal(1_000_000_000, "drop-head").await;
    assert!(overflow.contains("x-overflow") && overflow.contains("reject-publish"), "{overflow}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_job_starts_over_and_says_that_it_was_replayed() {
    let stage = stage().await;
    let channel = publishing(&stage).await;
    bury(&channel, &stage, "a", "unavailable", 1).await;
    bury(&channel, &stage, "b", "bad_image", 1).await;

    let dry = command(&stage, "dead replay --class unavailable --dry-run").run().expect_code(0);
    assert!(dry.stdout().contains("why a") && dry.stderr().contains("would replay 1 letter: 1 unavailable"), "{}", dry.stderr());
    until_letters(&stage, 2).await;
    assert_eq!(depth(&stage, "jobs").await, 0);

    let done = command(&stage, "dead replay --class unavailable").run().expect_code(0);
    assert!(done.stderr().contains("replayed 1 letter: 1 unavailable"), "{}", done.stderr());
    let mut job = stage.next_message(&stage.name("jobs"), PATIENCE).await.unwrap();
    assert_eq!(job.json()["id"], "a");
    // 3.10 counts deliveries from the first one on, 4.x from the second; 4.3 counts differently besides.
    for counted in ["x-delivery-count", "x-acquired-count"] {
        job.headers.remove(counted);
    }
    assert_eq!(job.headers.remove("x-of-the-producer").unwrap(), "TEXT OF A DOCUMENT", "what is the producer's goes on with it");
    assert_eq!(job.headers, BTreeMap::from([("x-idmill-replay".to_owned(), "1".to_owned())]), "nothing of its past goes with it");
    assert_eq!(job.properties.correlation_id().as_ref().unwrap().as_str(), "c-1");
    assert_eq!(job.properties.delivery_mode(), &Some(2));
    assert_eq!(drain(&stage, "dead").await, BTreeMap::from([("b".to_owned(), 1)]));
    assert!(command(&stage, "dead replay").run().expect_code(2).stderr().contains("--all"), "everything has to be said");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replay_would_do_nothing_or_harm_for_is_left_and_told() {
    let stage = stage().await;
    let channel = publishing(&stage).await;
    for (id, deadline) in [("too-late", "2020-01-01T00:00:00Z"), ("in-time", "2120-01-01T00:00:00Z")] {
        bury_job(&channel, &stage, &json!({"id": id, "front": "f", "deadline": deadline}), "expired", 1).await;
    }
    bury(&channel, &stage, "killer", "delivery_limit", 1).await;
    let done = command(&stage, "dead replay --all").run().expect_code(0);
    for told in ["replayed 1 letter", "left 1 whose deadline is over", "left 1 of the class delivery_limit"] {
        assert!(done.stderr().contains(told), "{told}: {}", done.stderr());
    }
    assert_eq!(drain(&stage, "jobs").await, BTreeMap::from([("in-time".to_owned(), 1)]));
    let named = command(&stage, "dead replay --class delivery_limit").run().expect_code(0);
    assert!(named.stderr().contains("replayed 1 letter: 1 delivery_limit") && !named.stderr().contains("left"), "{}", named.stderr());
    assert_eq!(drain(&stage, "dead").await, BTreeMap::from([("too-late".to_owned(), 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_sender_may_be_gone_is_replayed_only_by_name() {
    let stage = stage().await;
    let channel = publishing(&stage).await;
    let dead = stage.name("dead");
    for (id, reply_to) in [("connected", "amq.rabbitmq.reply-to.g1h2.GI3Z"), ("bound", "an-exchange")] {
        let properties = BasicProperties::default().with_delivery_mode(2).with_reply_to(reply_to.into());
        let body = json!({"id": id, "front": "front.jpg"}).to_string();
        let confirm =
            channel.basic_publish("".into(), dead.as_str().into(), Default::default(), body.as_bytes(), properties).await.unwrap();
        assert!(confirm.await.unwrap().is_ack());
    }
    let done = command(&stage, "dead replay --all").run().expect_code(0);
    assert!(done.stderr().contains("replayed 1 letter") && done.stderr().contains("left 1 whose event goes to"), "{}", done.stderr());
    assert_eq!(drain(&stage, "jobs").await, BTreeMap::from([("bound".to_owned(), 1)]));
    let named = command(&stage, "dead replay --id connected").run().expect_code(0);
    assert!(named.stderr().contains("replayed 1 letter") && !named.stderr().contains("left"), "{}", named.stderr());
    assert_eq!(drain(&stage, "jobs").await, BTreeMap::from([("connected".to_owned(), 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_in_somebodys_hand_are_not_called_none() {
    let stage = stage().await;
    bury(&publishing(&stage).await, &stage, "a", "bad_image", 1).await;
    let mut held = DeadQueue::open(&connector(&stage), &stage.name("dead")).await.unwrap();
    let _in_hand = held.next().await.unwrap().unwrap();
    let meanwhile = command(&stage, "dead list").run().expect_code(0);
    assert!(meanwhile.stderr().contains("no letters") && meanwhile.stderr().contains("somebody else looks"), "{}", meanwhile.stderr());
    held.close().await.unwrap();
    let after = command(&stage, "dead list").run().expect_code(0);
    assert!(after.stderr().contains("1 letter") && !after.stderr().contains("somebody else"), "{}", after.stderr());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_killed_again_and_again_loses_nothing() {
    const N_LETTERS: usize = 400;
    const N_KILLS: usize = 6;
    let stage = stage().await;
    let channel = publishing(&stage).await;
    for n in 0..N_LETTERS {
        bury(&channel, &stage, &format!("job-{n}"), if n % 4 == 0 { "internal" } else { "unavailable" }, 1).await;
    }
    let mut n_before = 0;
    for kill in 0..N_KILLS {
        let mut replay = command(&stage, "dead replay --class unavailable --rate 20").spawn();
        stage.until("it has replayed some more", async || depth(&stage, "jobs").await > n_before + kill as u32).await;
        replay.kill().unwrap();
        replay.wait().unwrap();
        n_before = depth(&stage, "jobs").await;
        assert!((n_before as usize) < N_LETTERS / 4 * 3, "it was killed in the middle");
    }
    until_none_is_in_hand(&stage, N_LETTERS).await;
    command(&stage, "dead replay --class unavailable").run().expect_code(0);
    let (jobs, dead) = (drain(&stage, "jobs").await, drain(&stage, "dead").await);
    assert_eq!(jobs.len(), N_LETTERS / 4 * 3, "every letter that was meant is a job again");
    assert_eq!(dead.len(), N_LETTERS / 4, "and no other");
    assert!(dead.values().all(|n| *n == 1));
    let n_twice: usize = jobs.values().map(|n| n - 1).sum();
    assert!(n_twice <= N_KILLS, "at most one job a kill was sent twice, and {n_twice} were");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_whose_broker_goes_away_says_so_and_loses_nothing() {
    let stage = stage().await;
    let channel = publishing(&stage).await;
    for n in 0..40 {
        bury(&channel, &stage, &format!("job-{n}"), "unavailable", 1).await;
    }
    let url = stage.amqp_url.clone();
    let (head, tail) = url.rsplit_once('@').unwrap();
    let (target, vhost) = tail.split_once('/').unwrap();
    let broker = Proxy::start(target).await;
    let replay = command(&stage, "dead replay --all --rate 5").set("broker.url", &format!("{head}@{}/{vhost}", broker.address));
    let replay = tokio::task::spawn_blocking(move || replay.run());
    stage.until("some jobs are replayed", async || depth(&stage, "jobs").await > 3).await;
    broker.set(Mode::Cut);
    let done = replay.await.unwrap().expect_code(1);
    assert!(done.stderr().contains("no letter is lost") && done.stderr().contains("replayed "), "{}", done.stderr());
    until_none_is_in_hand(&stage, 40).await;
    let (jobs, dead) = (drain(&stage, "jobs").await, drain(&stage, "dead").await);
    let all: BTreeSet<&String> = jobs.keys().chain(dead.keys()).collect();
    assert_eq!(all.len(), 40);
    assert!(jobs.values().sum::<usize>() + dead.values().sum::<usize>() <= 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_job_gets_an_event_of_its_own() {
    let stage = Stage::new().await;
    let _worker = stage.worker().set("retry.missing_delays", "50ms").start().await;
    let missing = stage.key("late.jpg");
    stage.publish(&json!({"id": "late", "front": missing})).await;
    let failed = stage.next_event().await.json();
    assert_eq!(failed["data"]["failure"]["class"], "image_missing");
    let (front, _) = stage.upload_specimen("passport-1").await;
    stage.s3.copy_object().bucket("idmill").copy_source(format!("idmill/{front}")).key(&missing).send().await.unwrap();
    command(&stage, "dead replay --id late").run().expect_code(0);
    let read = stage.next_event().await.json();
    assert_eq!((&read["type"], &read["subject"]), (&json!("idmill.document.read.v1"), &json!("late")));
    assert_ne!(read["id"], failed["id"], "a consumer that drops duplicates must not drop it");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_dropped_when_the_question_is_answered_with_yes() {
    let stage = stage().await;
    let channel = publishing(&stage).await;
    bury(&channel, &stage, "a", "bad_image", 1).await;
    bury(&channel, &stage, "b", "internal", 1).await;
    for answer in ["", "n\n", "\n", "yesterday\n"] {
        let done = command(&stage, "dead drop --class bad_image").run_with_input(answer).expect_code(1);
        assert!(done.stderr().contains("Drop 1 letter: 1 bad_image?") && done.stderr().contains("nothing was dropped"));
    }
    until_letters(&stage, 2).await;
    command(&stage, "dead drop --class bad_image").run_with_input("y\n").expect_code(0);
    until_letters(&stage, 1).await;
    command(&stage, "dead drop --all --yes").run().expect_code(0);
    until_letters(&stage, 0).await;
    let done = command(&stage, "dead drop --all").run().expect_code(0);
    assert!(done.stderr().contains("no letters"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_is_named() {
    let stage = Stage::new().await;
    let done = command(&stage, "dead list").run().expect_code(1);
    assert!(done.stderr().contains(&format!("queue {} does not exist", stage.name("dead"))), "{}", done.stderr());
}
