//! Inflicts faults, heals them, and measures how soon the workers consume after the broker is back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::crew::{Crew, address};
use crate::faults::Fault;
use crate::hosted_api::Answer;
use crate::ledger::Ledger;
use crate::proxy::Mode;

/// Longest that workers may take to consume from a broker that is back; what is measured is usually far less.
const LONGEST_RETURN: Duration = Duration::from_secs(60);

/// Memory watermark of the alarm, and the one of every day.
const ALARM_WATERMARK: &str = "0.000001";
const CALM_WATERMARK: &str = "0.4";

/// What breaks things.
pub(crate) struct Nemesis {
    crew: Arc<Crew>,
    ledger: Arc<Ledger>,
    n_allowed: Arc<AtomicUsize>,
    n_jobs: usize,
    n_faults: usize,
    n_inflicted: AtomicUsize,
    returns: Mutex<Vec<Duration>>,
    /// Held by a fault of a link, and while a return is measured: no link is broken then.
    links: tokio::sync::Mutex<()>,
    started: Instant,
    bar: ProgressBar,
}

impl Nemesis {
    pub(crate) fn new(
        crew: Arc<Crew>,
        ledger: Arc<Ledger>,
        n_allowed: Arc<AtomicUsize>,
        n_jobs: usize,
        n_faults: usize,
        started: Instant,
    ) -> Self {
        let style = ProgressStyle::with_template("[{elapsed}] {bar:30} {pos}/{len} faults {wide_msg}").unwrap();
        let bar = ProgressBar::new(n_faults as u64).with_style(style);
        Self {
            crew,
            ledger,
            n_allowed,
            n_jobs,
            n_faults,
            n_inflicted: AtomicUsize::new(0),
            returns: Mutex::default(),
            links: tokio::sync::Mutex::default(),
            started,
            bar,
        }
    }

    /// Inflicts one fault after another, each with its portion of the jobs.
    pub(crate) async fn inflict(self: Arc<Self>, faults: Vec<Fault>) {
        let portion = self.n_jobs.div_ceil(self.n_faults.max(1));
        for fault in faults {
            // Work must be there when it hits, and no mountain of it.
            while self.n_allowed.load(Ordering::SeqCst).saturating_sub(self.ledger.n_settled()) > 2 * portion + 100 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            self.n_allowed.fetch_add(portion, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..300))).await;
            let n = self.n_inflicted.fetch_add(1, Ordering::SeqCst) + 1;
            self.say(&format!("fault {n} of {}: {fault:?}", self.n_faults));
            self.bar.set_message(format!("{} of {} jobs settled", self.ledger.n_settled(), self.n_jobs));
            self.inflict_one(fault).await;
            self.bar.inc(1);
        }
    }

    /// Lets the jobs that are left be published.
    pub(crate) fn let_all_out(&self) {
        self.bar.finish_and_clear();
        self.n_allowed.store(self.n_jobs, Ordering::SeqCst);
    }

    /// The longest time from a broker that accepts connections again to workers that all consume, and how often that was
    /// measured.
    pub(crate) fn longest_return(&self) -> Option<(Duration, usize)> {
        let returns = self.returns.lock().unwrap();
        Some((*returns.iter().max()?, returns.len()))
    }

    async fn inflict_one(&self, fault: Fault) {
        let victim = fastrand::usize(..self.crew.n_workers());
        match fault {
            Fault::KillWorker => self.crew.kill_worker(victim).await,
            Fault::TerminateWorker => self.crew.terminate_worker(victim).await,
            Fault::KillBroker(down) => self.kill_broker(down).await,
            Fault::StopBroker(lasting) => {
                let node = &self.crew.nodes[fastrand::usize(..self.crew.nodes.len())];
                node.signal("STOP");
                tokio::time::sleep(lasting).await;
                node.signal("CONT");
            }
            Fault::MemoryAlarm(lasting) => {
                let node = &self.crew.nodes[0];
                tokio::task::block_in_place(|| node.ctl(&["set_vm_memory_high_watermark", ALARM_WATERMARK]));
                tokio::time::sleep(lasting).await;
                tokio::task::block_in_place(|| node.ctl(&["set_vm_memory_high_watermark", CALM_WATERMARK]));
            }
            Fault::CloseConnections => {
                tokio::task::block_in_place(|| self.crew.nodes[0].ctl(&["close_all_connections", "campaign"]));
            }
            Fault::Unbind(lasting) => {
                self.crew.stage.unbind_inbox().await;
                tokio::time::sleep(lasting).await;
                self.crew.stage.bind_inbox().await;
            }
            Fault::Link(link, mode, lasting) => {
                let _held = self.links.lock().await;
                self.crew.link(link).set(mode);
                tokio::time::sleep(lasting).await;
                self.crew.link(link).set(Mode::Pass);
            }
            Fault::Ocr(answer, share, lasting) => {
                let _held = self.links.lock().await;
                self.crew.ocr.set(answer, share);
                tokio::time::sleep(lasting).await;
                self.crew.ocr.set(Answer::Well, 1.0);
            }
        }
    }

    async fn kill_broker(&self, down: Duration) {
        let n = self.leader();
        let node = &self.crew.nodes[n];
        let address = address(&node.url());
        node.signal("KILL");
        tokio::time::sleep(down).await;
        let _held = self.links.lock().await;
        let port_opens = tokio::spawn(async move {
            while tokio::net::TcpStream::connect(&address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Instant::now()
        });
        tokio::task::block_in_place(|| node.restart());
        let n_nodes = self.crew.nodes.len();
        if n_nodes > 1 {
            // A cluster survives the loss of one node; the next may only go when this one is a member again. The workers have
            // moved to the others long before, so that its return tells nothing about them.
            tokio::task::block_in_place(|| node.ctl(&["await_online_nodes", &n_nodes.to_string()]));
            return;
        }
        let back_at = port_opens.await.unwrap();
        let jobs = self.crew.stage.name("jobs");
        let all_consume = async || self.crew.stage.depth(&jobs).await.is_some_and(|(_, n)| n as usize >= self.crew.n_workers());
        while !all_consume().await && back_at.elapsed() < LONGEST_RETURN {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let took = back_at.elapsed();
        self.say(&format!("  all workers consume {:.2} s after the broker was back", took.as_secs_f64()));
        self.returns.lock().unwrap().push(took);
    }

    /// The node that leads the job queue.
    fn leader(&self) -> usize {
        let nodes = &self.crew.nodes;
        if nodes.len() == 1 {
            return 0;
        }
        let list = tokio::task::block_in_place(|| nodes[0].ctl(&["list_queues", "name", "leader", "--no-table-headers"]));
        let jobs = self.crew.stage.name("jobs");
        let leader = list.lines().filter_map(|line| line.split_once('\t')).find(|(name, _)| *name == jobs);
        leader.and_then(|(_, leader)| nodes.iter().position(|node| node.name() == leader.trim())).unwrap_or(0)
    }

    fn say(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs();
        self.bar.suspend(|| eprintln!("[{}:{:02}] {what}", seconds / 60, seconds % 60));
    }
}
