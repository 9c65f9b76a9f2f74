//! What KEDA reads of the work queue, with the rights that deploy/README.md gives its user.

use lapin::options::BasicGetOptions;
use serde_json::{Value, json};

use crate::doctor::make_topology;
use crate::stage::Stage;
use crate::worker_process::OwnBroker;

#[tokio::test(flavor = "multi_thread")]
async fn the_autoscaler_may_look_and_counts_jobs_in_flight() {
    let broker = OwnBroker::start_with(|dir| {
        std::fs::write(dir.join("enabled_plugins"), "[rabbitmq_management].").expect("enabled_plugins");
    });
    broker.ctl(&["add_user", "keda", "PASSWORD"]);
    broker.ctl(&["set_user_tags", "keda", "management"]);
    broker.ctl(&["set_permissions", "--vhost", "/", "keda", "^$", "^$", "^$"]);
    let stage = Stage::on_broker(broker.url()).await;
    make_topology(&stage).await;
    for id in ["first", "second", "third"] {
        stage.publish(&json!({"id": id, "front": "front.jpg"})).await;
    }
    // Two are taken and not answered, as a worker has them while it reads.
    let channel = stage.channel().await;
    for _ in 0..2 {
        let taken = channel.basic_get(stage.name("jobs").into(), BasicGetOptions::default()).await.expect("an answer");
        assert!(taken.is_some());
    }

    // The scaler with `protocol: http` and `mode: QueueLength` asks for this address, and takes `messages` of the answer.
    let address = format!("{}/api/queues/%2F/{}", broker.management_url(), stage.name("jobs"));
    let client = reqwest::Client::builder().no_proxy().build().expect("client");
    stage
        .until("the management API counts three jobs, two of them in flight", async || {
            let Ok(answer) = client.get(&address).basic_auth("keda", Some("PASSWORD")).send().await else { return false };
            let queue: Value = answer.json().await.unwrap_or_default();
            (&queue["messages"], &queue["messages_ready"]) == (&json!(3), &json!(1))
        })
        .await;
}
