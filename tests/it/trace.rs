//! Traces, seen by a real OTLP receiver: rotel, which writes down every span that it is sent.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use tempfile::TempDir;

use crate::stage::{Stage, environment, free_port};

/// A collector of the test's own; killed when dropped.
struct Collector {
    process: Child,
    endpoint: String,
    home: TempDir,
}

impl Collector {
    async fn start(stage: &Stage) -> Self {
        let home = TempDir::new().expect("folder");
        let [http, grpc] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let log = File::create(home.path().join("log")).expect("log");
        let mut process = Command::new(environment("IDMILL_TEST_ROTEL"))
            .args(["start", "--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"])
            .args(["--otlp-http-endpoint", &http.to_string(), "--otlp-grpc-endpoint", &grpc.to_string()])
            .arg("--pid-file")
            .arg(home.path().join("pid"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("rotel starts");
        let listens = async || {
            let ended = process.try_wait().expect("the collector can be asked");
            assert!(ended.is_none(), "the collector ended: {}", std::fs::read_to_string(home.path().join("log")).unwrap_or_default());
            tokio::net::TcpStream::connect(http).await.is_ok()
        };
        stage.until("the collector listens", listens).await;
        Self { process, endpoint: format!("http://{http}"), home }
    }

    /// What was received so far, as (trace, parent, name) of each span.
    fn spans(&self) -> Vec<(String, String, String)> {
        let log = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        let value = |span: &str, key: &str| {
            let line = span.lines().map(str::trim).find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        log.split("Span #").skip(1).map(|span| (value(span, "Trace ID"), value(span, "Parent ID"), value(span, "Name"))).collect()
    }

    /// Names of the spans of one trace.
    fn names_in(&self, trace: &str) -> Vec<String> {
        self.spans().into_iter().filter(|(of, _, _)| of == trace).map(|(_, _, name)| name).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_job_goes_on_with_its_senders_trace_through_s3_the_engine_and_the_reply() {
    let stage = Stage::new().await;
    let collector = Collector::start(&stage).await;
    let (front, back) = stage.upload_specimen("passport-1").await;
    let mut worker = stage.worker().set("telemetry.otlp_endpoint", &collector.endpoint).start().await;
    let (trace, sender) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString(format!("00-{trace}-{sender}-01").into()));
    let job = json!({"id": "traced", "front": front, "back": back});
    stage.publish_raw(job.to_string().as_bytes(), BasicProperties::default().with_headers(headers)).await;

    let event = stage.next_event().await;
    let traceparent = event.header("traceparent");
    assert!(traceparent.starts_with(&format!("00-{trace}-")), "the event's trace is {traceparent}");
    assert!(!traceparent.contains(sender), "the event names the sender's span instead of ours");
    worker.terminate();
    assert!(worker.wait().await.success());

    let process = format!("process {}", stage.name("jobs"));
    let publish = format!("publish {}", stage.name("events"));
    let expected = [process.as_str(), "fetch images", "S3 GetObject", "read document", &publish];
    stage.until("all spans arrive", async || expected.iter().all(|name| collector.names_in(trace).iter().any(|seen| seen == name))).await;
    let root = collector.spans().into_iter().find(|(_, _, name)| *name == process).expect("the job's span");
    assert_eq!(root.1, sender, "the job's span hangs under the sender's");
    assert!(worker.log().contains(&format!(r#""trace_id":"{trace}""#)), "the job's line in the log names its trace");
}

#[tokio::test]
async fn no_span_holds_the_address_that_a_sender_is_answered_at() {
    let stage = Stage::new().await;
    let collector = Collector::start(&stage).await;
    let worker = stage.worker().set("telemetry.otlp_endpoint", &collector.endpoint).start().await;
    let address = "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAyMjMwNTk3MgAAA5MAAAAAawRD6Q==.GI3ZeVxQdZNZh3zi4s13fw==";
    stage.publish_raw(b"no job", BasicProperties::default().with_reply_to(address.into())).await;
    stage.next_dead_letter().await;
    let answers = || collector.spans().into_iter().any(|(_, _, name)| name == "publish amq.rabbitmq.reply-to");
    stage.until("the answer's span arrives", async || answers()).await;
    let received = std::fs::read_to_string(collector.home.path().join("log")).expect("log");
    assert!(!received.contains("g1h2AA5y"), "whoever has the address can answer in our name");
    drop(worker);
}

#[tokio::test]
async fn all_attempts_of_a_job_are_one_trace() {
    let stage = Stage::new().await;
    let collector = Collector::start(&stage).await;
    let worker = stage.worker().set("telemetry.otlp_endpoint", &collector.endpoint).set("retry.missing_delays", "50ms").start().await;
    stage.publish(&json!({"id": "missing", "front": stage.key("nowhere.jpg")})).await;
    stage.next_dead_letter().await;
    let process = format!("process {}", stage.name("jobs"));
    let attempts = || collector.spans().into_iter().filter(|(_, _, name)| *name == process).map(|(trace, _, _)| trace).collect::<Vec<_>>();
    stage.until("both attempts arrive", async || attempts().len() == 2).await;
    assert_eq!(attempts()[0], attempts()[1]);
    drop(worker);
}
