use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::api::{self, Patience, probes};
use crate::broker::Connector;
use crate::config::{MAX_CONCURRENCY, ReaderOrder, Settings};
use crate::health::Health;
use crate::process::Processor;
use crate::reader::Reader;
use crate::shutdown::Shutdown;
use crate::storage::Storage;
use crate::telemetry::{start_logging, start_metrics};
use crate::worker::{Link, Params, Worker};

/// Jobs in flight of a worker that only waits for the hosted API.
const REMOTE_CONCURRENCY: u16 = 32;

/// Longer than the usual minute between two scrapes, so that a scraper keeps its connection.
const PROBES_PATIENCE: Patience = Patience { client: Duration::from_secs(75), drain: Duration::ZERO };

/// Take jobs from the queue until SIGTERM: read, publish events, retry, dead-letter.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  IDMILL__BROKER__URL=amqp://user:password@rabbit:5672/%2f IDMILL__STORAGE__BUCKET=applicants idmill worker"
)]
pub(super) struct WorkerArgs {}

impl WorkerArgs {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let shutdown = Shutdown::on_signals()?;
        let _spans = start_logging(&settings.telemetry)?;
        let metrics = start_metrics()?;
        let health = Arc::new(Health::default());
        // Side by side: nothing of the broker, of the store's certificates and of the networks waits for another.
        let link = Arc::new(Link::new(Connector::new(settings.broker.clone()), settings.topology.clone(), &settings.retry));
        let session = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.open().await }
        });
        let storage = tokio::spawn(Storage::new(settings.storage.clone()));
        let reader = tokio::task::spawn_blocking({
            let settings = settings.clone();
            move || Reader::open(&settings)
        });
        let start = async {
            let storage = storage.await.context("making the store's client ready panicked")??;
            let reader = reader.await.context("making the reader ready panicked")?.context("failed to make the reader ready")?;
            anyhow::Ok((storage, reader))
        };
        let Some(started) = shutdown.unless_begun(start).await else { return Ok(ExitCode::SUCCESS) };
        let (storage, reader) = started?;
        let params = Params {
            concurrency: concurrency(&settings),
            reads_remotely: settings.reader.order == ReaderOrder::Remote,
            worker: settings.worker.clone(),
            retry: settings.retry.clone(),
            topology: settings.topology.clone(),
        };
        let worker =
            Worker::new(params, link, Processor { storage, reader, mask_aadhaar: settings.privacy.mask_aadhaar }, Arc::clone(&health));
        let address = settings.worker.listen;
        let listener = TcpListener::bind(address).await.with_context(|| format!("failed to listen on worker.listen, {address}"))?;
        tracing::info!(address = %listener.local_addr()?, "serving /metrics, /livez and /readyz");
        // Until the process ends: a worker that drains is still looked at.
        tokio::spawn(api::serve(listener, probes(health, metrics), PROBES_PATIENCE, std::future::pending()));
        // A broker that cannot be reached yet is tried again by the worker itself.
        let first = async { session.await.context("opening a session panicked")? };
        Arc::new(worker).run(first, shutdown).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What the setting says; else two jobs per engine, so that one is fetched while the other is read.
fn concurrency(settings: &Settings) -> u16 {
    match (settings.worker.concurrency, settings.reader.order) {
        (0, ReaderOrder::Remote) => REMOTE_CONCURRENCY,
        (0, _) => u16::try_from(2 * settings.engine.n_instances()).map_or(MAX_CONCURRENCY, |n_jobs| n_jobs.min(MAX_CONCURRENCY)),
        (set, _) => set,
    }
}
