//! What is published: mostly good jobs, one in a hundred of each bad kind; and what must become of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lapin::BasicProperties;
use lapin::Confirmation;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use serde_json::json;

use crate::crew::{Crew, MAX_OBJECT_BYTES};
use crate::hosted_api::{NO_DATA_MARK, REJECTED_MARK, image};
use crate::stage::Stage;

/// Jobs that are confirmed together.
const BATCH: usize = 50;

/// What is wrong with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Good,
    NotJson,
    NoFront,
    ForeignBucket,
    Expired,
    Empty,
    NoImage,
    TooLarge,
    Missing,
    Rejected,
    NoData,
}

const BAD: [Kind; 10] = [
    Kind::NotJson,
    Kind::NoFront,
    Kind::ForeignBucket,
    Kind::Expired,
    Kind::Empty,
    Kind::NoImage,
    Kind::TooLarge,
    Kind::Missing,
    Kind::Rejected,
    Kind::NoData,
];

impl Kind {
    /// The class of its dead letter and failure event; `None` where the document must be read.
    pub(crate) fn class(self) -> Option<&'static str> {
        match self {
            Self::Good => None,
            Self::NotJson | Self::NoFront | Self::ForeignBucket => Some("bad_job"),
            Self::Expired => Some("expired"),
            Self::Empty | Self::NoImage | Self::TooLarge => Some("bad_image"),
            Self::Missing => Some("image_missing"),
            Self::Rejected => Some("rejected"),
            Self::NoData => Some("no_data"),
        }
    }

    /// Whether the OCR API is asked, and answers.
    pub(crate) fn reaches_ocr(self) -> bool {
        matches!(self, Self::Good | Self::Rejected | Self::NoData)
    }

    fn image(self) -> &'static str {
        match self {
            Self::Good | Self::NotJson | Self::NoFront | Self::ForeignBucket | Self::Expired => "good.jpg",
            Self::Empty => "empty.jpg",
            Self::NoImage => "text.jpg",
            Self::TooLarge => "large.jpg",
            Self::Missing => "nowhere.jpg",
            Self::Rejected => "rejected.jpg",
            Self::NoData => "no-data.jpg",
        }
    }

    fn body(self, stage: &Stage, n: usize) -> Vec<u8> {
        let mut job = json!({"id": id(n), "front": stage.key(self.image()), "metadata": {"n": n}});
        match self {
            Self::NotJson => return b"not JSON".to_vec(),
            Self::NoFront => job["front"] = json!(null),
            Self::ForeignBucket => job["bucket"] = json!("somebody-elses"),
            Self::Expired => job["deadline"] = json!("2020-01-01T00:00:00Z"),
            // Every other good one has two sides.
            Self::Good if n.is_multiple_of(2) => job["back"] = job["front"].clone(),
            Self::Good | Self::Empty | Self::NoImage | Self::TooLarge | Self::Missing | Self::Rejected | Self::NoData => {}
        }
        job.to_string().into_bytes()
    }
}

/// The identity of job number `n`.
pub(crate) fn id(n: usize) -> String {
    format!("campaign-{n}")
}

/// The number of the job with that identity.
pub(crate) fn number(id: &str) -> Option<usize> {
    id.strip_prefix("campaign-")?.parse().ok()
}

/// Draws the kinds of all jobs: one in a hundred of each bad one, at random places.
pub(crate) fn draw(n_jobs: usize, seed: u64) -> Vec<Kind> {
    let mut kinds = vec![Kind::Good; n_jobs];
    let n_each = n_jobs.div_ceil(100);
    for (place, kind) in kinds.iter_mut().zip(BAD.into_iter().cycle().take(n_each * BAD.len())) {
        *place = kind;
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut kinds);
    kinds
}

/// Uploads the images that all jobs share.
pub(crate) async fn upload(stage: &Stage) {
    stage.upload("good.jpg", image(b"a fictional document")).await;
    stage.upload("rejected.jpg", image(REJECTED_MARK)).await;
    stage.upload("no-data.jpg", image(NO_DATA_MARK)).await;
    stage.upload("empty.jpg", Vec::new()).await;
    stage.upload("text.jpg", "I am no image, and never was one.").await;
    stage.upload("large.jpg", vec![0; MAX_OBJECT_BYTES + 1]).await;
}

/// Publishes the jobs in order, never more than are allowed; returns when the broker has confirmed all of them.
pub(crate) async fn publish(crew: Arc<Crew>, kinds: Vec<Kind>, n_allowed: Arc<AtomicUsize>) {
    let mut n_published = 0;
    while n_published < kinds.len() {
        let end = n_allowed.load(Ordering::SeqCst).min(kinds.len()).min(n_published + BATCH);
        // A batch that was not confirmed is published again: producers have to, and duplicates are no news here.
        if end > n_published && publish_batch(&crew.stage, &kinds, n_published..end).await.is_some() {
            n_published = end;
        } else {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn publish_batch(stage: &Stage, kinds: &[Kind], batch: std::ops::Range<usize>) -> Option<()> {
    let publishing = async {
        let channel = stage.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.ok()?;
        let jobs = stage.name("jobs");
        let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let mut confirms = Vec::new();
        for n in batch {
            let properties = BasicProperties::default().with_delivery_mode(2).with_message_id(id(n).as_str().into());
            let body = kinds[n].body(stage, n);
            confirms.push(channel.basic_publish("".into(), jobs.as_str().into(), mandatory, &body, properties).await.ok()?);
        }
        for confirm in confirms {
            let Ok(Confirmation::Ack(None)) = confirm.await else { return None };
        }
        let _ = channel.close(200, "done".into()).await;
        Some(())
    };
    tokio::time::timeout(Duration::from_secs(30), publishing).await.ok().flatten()
}
