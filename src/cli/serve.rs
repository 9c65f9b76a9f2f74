//! `idmill serve`: the HTTP API.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::TcpListener;

use crate::api::{self, Patience};
use crate::config::Settings;
use crate::health::Health;
use crate::reader::EmbeddedReader;
use crate::shutdown::Shutdown;
use crate::telemetry::{start_logging, start_metrics};

/// Answer `POST /ai/v1/ocr` with the engine inside, with a page to try it at `/`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  IDMILL__API__OPEN=true idmill serve\n  IDMILL__API__LISTEN=0.0.0.0:8080 IDMILL__API__KEYS_FILE=/run/secrets/keys idmill serve"
)]
pub(super) struct ServeArgs {}

impl ServeArgs {
    /// Serves until the process is told to stop.
    ///
    /// # Errors
    /// What keeps the server from starting.
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let shutdown = Shutdown::on_signals()?;
        let _spans = start_logging(&settings.telemetry)?;
        let metrics = start_metrics()?;
        let reader = tokio::task::spawn_blocking({
            let engine = settings.engine.clone();
            move || EmbeddedReader::open(&engine)
        });
        let Some(reader) = shutdown.unless_begun(reader).await else { return Ok(ExitCode::SUCCESS) };
        let reader = reader.context("making the engine ready panicked")?.context("failed to make the engine ready")?;
        let health = Arc::new(Health::default());
        let router = api::router(&settings, reader, Arc::clone(&health), metrics)?;
        let patience = Patience { client: settings.api.read_timeout, drain: settings.api.drain_timeout };
        let listen = settings.api.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| format!("failed to listen on api.listen, {listen}"))?;
        tracing::info!(address = %listener.local_addr()?, "serving POST /ai/v1/ocr on http://{}", listener.local_addr()?);
        let begun = async {
            shutdown.begun.cancelled().await;
            health.set("process", "shutting down");
        };
        tokio::select! {
            () = api::serve(listener, router, patience, begun) => {}
            () = shutdown.at_once.cancelled() => tracing::warn!("told to stop once more: requests in flight are cut off"),
        }
        Ok(ExitCode::SUCCESS)
    }
}
