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
    /// Listens for signals from now on: the first thing that a process does. To the first process of a container the kernel
    /// delivers no signal that it does not listen for, and drops it for good.
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

    /// What a process's start comes to; `None` where it is told to stop before the start is done, and is to end.
    pub async fn unless_begun<T>(&self, start: impl Future<Output = T>) -> Option<T> {
        let started = self.begun.run_until_cancelled(start).await;
        if started.is_none() {
            tracing::info!("told to stop before the start was done");
        }
        started
    }
}
