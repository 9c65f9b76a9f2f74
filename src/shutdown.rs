//! How a process is told to stop: SIGTERM or SIGINT begins the drain, and another one ends it.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the process was told so far.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Take no more, and finish what was taken.
    pub begun: CancellationToken,
    /// Finish nothing more.
    pub at_once: CancellationToken,
}

impl Shutdown {
    /// Listens for signals from now on.
    ///
    /// # Errors
    /// Signals cannot be listened for.
    pub fn on_signals() -> anyhow::Result<Self> {
        let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
        let shutdown = Self::default();
        let told = shutdown.clone();
        tokio::spawn(async move {
            for token in [told.begun, told.at_once] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(shutdown)
    }
}
