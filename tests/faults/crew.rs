//! Everything that the campaign starts: broker nodes, links, the OCR stand-in, and the workers under test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Mutex;

use crate::faults::Link;
use crate::hosted_api::HostedApi;
use crate::jobs;
use crate::ledger::Ledger;
use crate::proxy::Proxy;
use crate::stage::{Stage, environment};
use crate::worker_process::{OwnBroker, WorkerProcess};

/// Largest object that the workers read.
pub(crate) const MAX_OBJECT_BYTES: usize = 20_000;

/// Attempts that the workers' schedule allows: one, and one after each of its delays.
pub(crate) const MAX_ATTEMPTS: u32 = 7;

/// Retry and deferral delays of the workers: short, since the faults are.
const DELAYS: &str = "200ms,400ms,800ms,1600ms,3s,6s";
const MISSING_DELAYS: &str = "200ms,400ms";
const DEFER_DELAYS: &str = "200ms,800ms,2s";

/// Jobs whose time in hold queues is measured.
const N_MEASURED: usize = 5;

/// Time that a worker's jobs get to finish after SIGTERM.
const DRAIN_S: u64 = 10;

/// The campaign's own servers and processes.
pub(crate) struct Crew {
    /// Queues and object keys.
    pub(crate) stage: Stage,
    /// The OCR stand-in.
    pub(crate) ocr: HostedApi,
    /// The broker's nodes: one, or three.
    pub(crate) nodes: Vec<OwnBroker>,
    /// What the broker says it is.
    pub(crate) version: String,
    /// The workers' logs.
    pub(crate) logs: Vec<PathBuf>,
    workers: Vec<Mutex<Option<WorkerProcess>>>,
    links: [Proxy; 3],
    n_misbehaved: AtomicUsize,
    /// The campaign's own way to a cluster; never misbehaves.
    _balancer: Proxy,
}

impl Crew {
    /// Starts everything and waits until the workers consume.
    pub(crate) async fn muster(n_workers: usize, cluster: bool, logs: &Path) -> Self {
        let nodes = tokio::task::block_in_place(|| {
            let mut nodes = vec![OwnBroker::start()];
            if cluster {
                nodes.push(nodes[0].start_member());
                nodes.push(nodes[0].start_member());
            }
            nodes
        });
        let version = tokio::task::block_in_place(|| nodes[0].ctl(&["version"])).trim().to_owned();
        let addresses: Vec<_> = nodes.iter().map(|node| address(&node.url())).collect();
        let balancer = Proxy::balance(addresses.clone()).await;
        let stage = Stage::on_broker(through(&balancer, &nodes[0].url())).await;
        jobs::upload(&stage).await;
        let ocr = HostedApi::start().await;
        let store = environment("IDMILL_TEST_S3_ENDPOINT").trim_start_matches("http://").to_owned();
        let links = [Proxy::balance(addresses).await, Proxy::start(&store).await, Proxy::start(&ocr.address).await];
        std::fs::create_dir_all(logs).expect("folder for logs");
        let crew = Self {
            stage,
            ocr,
            version,
            logs: (0..n_workers).map(|n| logs.join(format!("worker-{n}.log"))).collect(),
            workers: (0..n_workers).map(|_| Mutex::default()).collect(),
            links,
            n_misbehaved: AtomicUsize::new(0),
            nodes,
            _balancer: balancer,
        };
        for n in 0..n_workers {
            *crew.workers[n].lock().await = Some(crew.start_worker(n));
        }
        let jobs = crew.stage.name("jobs");
        crew.stage.until("all workers consume", async || crew.stage.depth(&jobs).await.is_some_and(|(_, n)| n as usize == n_workers)).await;
        crew
    }

    /// The most that a hold queue took beyond its delay, work on the job included, while there is nothing else to do.
    pub(crate) async fn measure_holds(&self) -> Duration {
        let delays: Duration = MISSING_DELAYS.split(',').map(|delay| humantime::parse_duration(delay).expect("a delay")).sum();
        let n_holds = MISSING_DELAYS.split(',').count() as u32;
        let mut worst = Duration::ZERO;
        for n in 0..N_MEASURED {
            self.stage.publish(&json!({"id": format!("idle-{n}"), "front": self.stage.key("nowhere.jpg")})).await;
            let letter = self.stage.next_dead_letter().await;
            let moment = |header| OffsetDateTime::parse(letter.header(header), &Rfc3339).expect("a moment");
            let took: Duration = (moment("x-idmill-dead-since") - moment("x-idmill-first-seen")).try_into().expect("time that passed");
            worst = worst.max(took.saturating_sub(delays) / n_holds);
            self.stage.next_event().await;
        }
        worst
    }

    /// The proxy on a link.
    pub(crate) fn link(&self, link: Link) -> &Proxy {
        match link {
            Link::Broker => &self.links[0],
            Link::Store => &self.links[1],
            Link::Ocr => &self.links[2],
        }
    }

    /// How many workers there are.
    pub(crate) fn n_workers(&self) -> usize {
        self.workers.len()
    }

    /// kill -9, and the next one takes the place.
    pub(crate) async fn kill_worker(&self, n: usize) {
        let mut place = self.workers[n].lock().await;
        if let Some(mut worker) = place.take() {
            self.expect_alive(&mut worker);
            worker.kill();
        }
        *place = Some(self.start_worker(n));
    }

    /// SIGTERM, the worker's end, and the next one takes the place.
    pub(crate) async fn terminate_worker(&self, n: usize) {
        let mut place = self.workers[n].lock().await;
        if let Some(worker) = place.take() {
            self.end_worker(worker).await;
        }
        *place = Some(self.start_worker(n));
    }

    /// Waits until nothing is on its way any more, as long as that gets less.
    pub(crate) async fn drain_queues(&self, ledger: &Ledger) {
        let start = Instant::now();
        let mut n_looks = 0;
        // What is in a worker's hand lies in no queue for a moment.
        while n_looks < 10 && start.elapsed().min(ledger.silence()) < Duration::from_secs(60) {
            n_looks = if self.n_waiting().await > 0 { 0 } else { n_looks + 1 };
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends the workers; returns how many of them, over the whole campaign, did not behave as promised.
    pub(crate) async fn dismiss(&self) -> usize {
        for place in &self.workers {
            if let Some(worker) = place.lock().await.take() {
                self.end_worker(worker).await;
            }
        }
        self.n_misbehaved.load(Ordering::SeqCst)
    }

    /// Jobs in the work queue and in the hold queues.
    pub(crate) async fn n_waiting(&self) -> u32 {
        let jobs = self.stage.name("jobs");
        let mut queues = vec![jobs.clone()];
        for list in [DELAYS, MISSING_DELAYS, DEFER_DELAYS] {
            queues.extend(list.split(',').map(|delay| {
                let delay = humantime::parse_duration(delay).expect("a delay");
                format!("{jobs}.retry.{}ms", delay.as_millis())
            }));
        }
        let mut n_waiting = 0;
        for queue in queues {
            n_waiting += self.stage.depth(&queue).await.map_or(0, |(n, _)| n);
        }
        n_waiting
    }

    async fn end_worker(&self, mut worker: WorkerProcess) {
        // Before that it may know of no signals; it says so whether or not there is a broker.
        while worker.ended().is_none() && !worker.log().contains("serving /metrics") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.expect_alive(&mut worker);
        worker.terminate();
        let start = Instant::now();
        loop {
            match worker.ended() {
                Some(status) if status.success() => return,
                Some(status) => return self.misbehaved(&format!("a worker ended with {status} after SIGTERM")),
                None if start.elapsed() > Duration::from_secs(DRAIN_S + 60) => {
                    return self.misbehaved(&format!("a worker did not end within {:?} after SIGTERM", start.elapsed()));
                }
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    fn expect_alive(&self, worker: &mut WorkerProcess) {
        if let Some(status) = worker.ended() {
            self.misbehaved(&format!("a worker had ended of itself with {status}"));
        }
    }

    fn misbehaved(&self, what: &str) {
        eprintln!("  misbehaved: {what}");
        self.n_misbehaved.fetch_add(1, Ordering::SeqCst);
    }

    fn start_worker(&self, n: usize) -> WorkerProcess {
        let broker = through(self.link(Link::Broker), &self.nodes[0].url());
        let store = format!("http://{}", self.link(Link::Store).address);
        let ocr = self.link(Link::Ocr).address.to_string();
        let settings = [
            ("broker.url", broker.as_str()),
            ("broker.publish_timeout", "4s"),
            ("storage.endpoint", &store),
            ("storage.timeout", "3s"),
            ("storage.max_object_bytes", &MAX_OBJECT_BYTES.to_string()),
            ("reader.remote.timeout", "3s"),
            ("worker.concurrency", "8"),
            ("worker.drain_timeout", &format!("{DRAIN_S}s")),
            ("retry.delays", DELAYS),
            ("retry.missing_delays", MISSING_DELAYS),
            ("retry.defer_delays", DEFER_DELAYS),
            ("retry.probe_interval", "500ms"),
        ];
        let mut builder = self.stage.worker().log_to(&self.logs[n]).reads_remotely(&ocr);
        for (key, value) in settings {
            builder = builder.set(key, value);
        }
        builder.spawn()
    }
}

/// `host:port` of an AMQP URL.
pub(crate) fn address(url: &str) -> String {
    let (_, tail) = url.rsplit_once('@').expect("an URL with a user");
    tail.split_once('/').expect("an URL with a vhost").0.to_owned()
}

/// The same URL through a proxy.
fn through(proxy: &Proxy, url: &str) -> String {
    url.replace(&address(url), &proxy.address.to_string())
}
