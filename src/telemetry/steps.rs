use std::time::Duration;

use metrics::histogram;
use tokio::sync::watch;
use tokio::time::Instant;

use super::metric::STEP_SECONDS;

/// A step of a job or a request whose time is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Getting the images from S3.
    Fetch,
    /// Waiting for an idle engine.
    Wait,
    /// Image bytes to pixels.
    Decode,
    /// Finding the card, its lines of text and its codes.
    Detect,
    /// Lines of text to characters, second looks included.
    Recognise,
    /// Characters to fields.
    Parse,
    /// Asking the hosted API, with fetching: images are passed on while they arrive.
    Ask,
    /// From the first try to publish a message to its confirm.
    Publish,
}

impl Step {
    /// The value of the label `step`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Wait => "wait",
            Self::Decode => "decode",
            Self::Detect => "detect",
            Self::Recognise => "recognise",
            Self::Parse => "parse",
            Self::Ask => "ask",
            Self::Publish => "publish",
        }
    }
}

/// How long the steps of one job took, and whether it waits for its turn right now.
#[derive(Debug, Default)]
pub struct StepTimes {
    taken: Vec<(Step, Duration)>,
    waits: watch::Sender<bool>,
}

impl StepTimes {
    /// Adds a step that is over, and counts it in the histogram of steps.
    pub fn add(&mut self, step: Step, took: Duration) {
        histogram!(STEP_SECONDS, "step" => step.as_str()).record(took);
        self.taken.push((step, took));
    }

    /// Adds all steps of another part of the job, which were counted already.
    pub fn extend(&mut self, other: Self) {
        self.taken.extend(other.taken);
    }

    /// The time of all runs of a step; `None` where it was not run.
    pub fn total(&self, step: Step) -> Option<Duration> {
        self.taken.iter().filter(|(ran, _)| *ran == step).map(|(_, took)| *took).reduce(|sum, took| sum + took)
    }

    /// Milliseconds of all runs of a step; `None` where it was not run.
    pub fn millis(&self, step: Step) -> Option<u64> {
        self.total(step).map(|took| took.as_millis() as u64)
    }

    /// Steps in the order in which they ended.
    pub fn iter(&self) -> impl Iterator<Item = (Step, Duration)> + '_ {
        self.taken.iter().copied()
    }

    /// Says whether the job waits for what other jobs hold, from now on.
    pub fn waits(&self, waits: bool) {
        self.waits.send_replace(waits);
    }

    /// Returns when that much time is over, without that in which the job waited for what other jobs held.
    pub fn run_out(&self, budget: Duration) -> impl Future<Output = ()> + use<> {
        let mut waits = self.waits.subscribe();
        async move {
            let mut left = budget;
            // With the steps the job is gone, and so is whoever asks.
            while waits.wait_for(|waits| !waits).await.is_ok() {
                let started = Instant::now();
                tokio::select! {
                    () = tokio::time::sleep(left) => return,
                    _ = waits.wait_for(|waits| *waits) => left = left.saturating_sub(started.elapsed()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_in_which_a_job_waits_is_not_its_own() {
        const SECOND: Duration = Duration::from_secs(1);
        let (steps, started) = (StepTimes::default(), Instant::now());
        let job = async {
            for own in [SECOND, 2 * SECOND] {
                tokio::time::sleep(own).await;
                steps.waits(true);
                tokio::time::sleep(60 * SECOND).await;
                steps.waits(false);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = job => {}
            () = steps.run_out(5 * SECOND) => {}
        }
        assert_eq!(started.elapsed().as_secs(), 125);
    }
}
