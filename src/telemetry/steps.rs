use std::time::Duration;

use metrics::histogram;

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

/// How long the steps of one job took.
#[derive(Debug, Clone, Default)]
pub struct StepTimes(Vec<(Step, Duration)>);

impl StepTimes {
    /// Adds a step that is over, and counts it in the histogram of steps.
    pub fn add(&mut self, step: Step, took: Duration) {
        histogram!(STEP_SECONDS, "step" => step.as_str()).record(took);
        self.0.push((step, took));
    }

    /// Adds all steps of another part of the job, which were counted already.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Milliseconds of all runs of a step; `None` where it was not run.
    pub fn millis(&self, step: Step) -> Option<u64> {
        let mut took = self.0.iter().filter(|(ran, _)| *ran == step).map(|(_, took)| *took).peekable();
        took.peek()?;
        Some(took.sum::<Duration>().as_millis() as u64)
    }

    /// Steps in the order in which they ended.
    pub fn iter(&self) -> impl Iterator<Item = (Step, Duration)> + '_ {
        self.0.iter().copied()
    }
}
