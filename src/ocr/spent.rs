use std::time::{Duration, Instant};

/// Where an engine's time went, added up since it was last asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Image bytes to pixels.
    pub decode: Duration,
    /// Finding the card, its lines of text and its codes.
    pub detect: Duration,
    /// Lines of text to characters.
    pub recognise: Duration,
}

/// Tells one piece of work's time from the next one's.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start or the last lap.
    pub(super) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}
