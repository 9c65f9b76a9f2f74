//! The fault campaign: jobs flow, a nemesis breaks everything around the workers, a checker reads back what became of
//! each job. `tests/faults.sh` starts what it needs; without that it does nothing, so that `cargo test` stays quick.
//!
//! One seed decides the jobs, the faults and their order; when each fault hits depends on the machine.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the campaign reports to a person")]

#[expect(dead_code, reason = "shared with the integration tests, which use the rest")]
#[path = "../it/hosted_api.rs"]
mod hosted_api;
#[expect(dead_code, reason = "shared with the integration tests, which use the rest")]
#[path = "../it/proxy.rs"]
mod proxy;
#[expect(dead_code, reason = "shared with the integration tests, which use the rest")]
#[path = "../it/stage.rs"]
mod stage;
#[expect(dead_code, reason = "shared with the integration tests, which use the rest")]
#[path = "../it/worker_process.rs"]
mod worker_process;

mod crew;
mod faults;
mod jobs;
mod ledger;
mod nemesis;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::json;

use crew::Crew;
use ledger::Ledger;
use nemesis::Nemesis;

/// Time without any news after which what is missing counts as lost. The longest way of a healthy job is its ladder, a
/// few seconds; a broker's own retry of dead-lettering takes up to three minutes.
const SILENCE: Duration = Duration::from_secs(300);

/// Breaks everything around the workers, and checks that no job is lost.
#[derive(Debug, Parser)]
struct Arguments {
    /// Jobs to publish.
    #[arg(long, default_value_t = 1_000)]
    jobs: usize,
    /// Faults to inject.
    #[arg(long, default_value_t = 20)]
    faults: usize,
    /// Decides jobs and faults; drawn and printed where it is left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Worker processes.
    #[arg(long, default_value_t = 3)]
    workers: usize,
    /// Three broker nodes, and the leader of the job queue is killed.
    #[arg(long)]
    cluster: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Folder for the workers' logs; set by `tests/faults.sh`.
const LOGS: &str = "IDMILL_FAULTS_LOGS";

#[tokio::main]
async fn main() -> ExitCode {
    let Some(logs) = std::env::var_os(LOGS).map(PathBuf::from) else {
        eprintln!("the fault campaign takes minutes and servers of its own: tests/faults.sh runs it");
        return ExitCode::SUCCESS;
    };
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let started = Instant::now();
    eprintln!("campaign: {} jobs, {} faults, seed {seed}", arguments.jobs, arguments.faults);

    let kinds = jobs::draw(arguments.jobs, seed);
    let (machine_faults, link_faults) = faults::draw(arguments.faults, seed, arguments.cluster);
    let crew = Arc::new(Crew::muster(arguments.workers, arguments.cluster, &logs).await);
    let worst_hold = crew.measure_holds().await;
    let ledger = Arc::new(Ledger::new(&kinds));
    let readers = ledger.read_queues(&crew);
    // Jobs are let out a portion a fault, so that each fault meets work.
    let n_allowed = Arc::new(AtomicUsize::new(0));
    let generator = tokio::spawn(jobs::publish(Arc::clone(&crew), kinds.clone(), Arc::clone(&n_allowed)));

    let nemesis = Arc::new(Nemesis::new(Arc::clone(&crew), Arc::clone(&ledger), n_allowed, kinds.len(), arguments.faults, started));
    let (_, _) =
        tokio::join!(tokio::spawn(Arc::clone(&nemesis).inflict(machine_faults)), tokio::spawn(Arc::clone(&nemesis).inflict(link_faults)),);
    nemesis.let_all_out();
    generator.await.unwrap();
    while ledger.n_missing() > 0 && ledger.silence() < SILENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    crew.drain_queues(&ledger).await;
    let n_misbehaved = crew.dismiss().await;
    let n_left = crew.n_waiting().await;
    // What the last settlements published has to be read as well.
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(readers);

    let verdict = ledger.judge(&crew.logs);
    let n_read = kinds.iter().filter(|kind| kind.reaches_ocr()).count();
    let calls_per_job = crew.ocr.n_answered() as f64 / n_read.max(1) as f64;
    let longest_return = nemesis.longest_return();
    let good = verdict.n_lost == 0 && verdict.n_wrong == 0 && n_left == 0 && n_misbehaved == 0;
    if arguments.json {
        println!(
            "{}",
            json!({
                "broker": crew.version, "jobs": kinds.len(), "faults": arguments.faults, "seed": seed, "lost": verdict.n_lost, "wrong": verdict.n_wrong,
                "duplicates": verdict.n_duplicates, "dead_letters": verdict.n_letters, "left_in_queues": n_left, "misbehaved_workers": n_misbehaved,
                "ocr_calls_per_job": calls_per_job, "worst_hold_ms": worst_hold.as_millis() as u64, "longest_return_s": longest_return.map(|(longest, _)| longest.as_secs_f64()),
                "returns": longest_return.map_or(0, |(_, n)| n), "took_s": started.elapsed().as_secs_f64(),
            })
        );
    } else {
        println!(
            "RabbitMQ {}: {} jobs, {} faults, seed {seed}: {} lost, {} wrong, {} duplicates (same id), {calls_per_job:.3} OCR calls a job, holds +{} ms when idle, consuming again {} after the broker was back, {n_left} left in queues, {n_misbehaved} workers misbehaved, {:.0} s",
            crew.version,
            kinds.len(),
            arguments.faults,
            verdict.n_lost,
            verdict.n_wrong,
            verdict.n_duplicates,
            worst_hold.as_millis(),
            longest_return
                .map_or_else(|| "(not measured)".into(), |(longest, n)| format!("at most {:.1} s ({n} times)", longest.as_secs_f64())),
            started.elapsed().as_secs_f64(),
        );
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
