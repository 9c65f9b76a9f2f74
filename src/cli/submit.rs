use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::print_json;
use crate::broker::{Connector, Names, Outgoing, PublishError, Publisher, Question};
use crate::config::Settings;
use crate::job::{JobId, ObjectKey};
use crate::storage::Storage;

/// Exit status when the job ended in a failure event. Not 2, which is what a wrong command line ends with.
const FAILED: u8 = 3;

/// Upload a document, publish a job for it and print its event.
///
/// Both images stay in the bucket, under submitted/ID/. The event comes here and to nobody else; a job of --no-wait is one like
/// any producer's, and its event goes to all who listen.
///
/// Exit status: 0 the document was read, 3 the job failed (its event is printed all the same), 2 the command line is wrong, 1
/// anything else.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  idmill submit front.jpg back.jpg --timeout 30s")]
pub(super) struct SubmitArgs {
    /// Front image.
    front: PathBuf,
    /// Back image, where the document has one.
    back: Option<PathBuf>,
    /// The job's id; without it a random one.
    #[arg(long)]
    id: Option<String>,
    /// Do not wait for the event; print the job instead.
    #[arg(long)]
    no_wait: bool,
    /// Longest wait for the event.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

impl SubmitArgs {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let names = Names::new(&settings.topology.prefix);
        let connector = Connector::new(settings.broker.clone());
        let storage = Storage::new(settings.storage.clone()).await?;
        let id = match &self.id {
            Some(id) => JobId::parse(id).context("--id must be 1 to 200 visible ASCII characters")?,
            None => JobId::parse(&uuid::Uuid::new_v4().to_string()).context("failed to make an id")?,
        };

        let mut job = json!({"id": id.as_str(), "front": upload(&storage, &id, "front", &self.front).await?});
        if let Some(back) = &self.back {
            job["back"] = upload(&storage, &id, "back", back).await?.into();
        }
        let message = Outgoing::json("", &names.jobs, id.as_str(), "application/json", job.to_string().into_bytes());
        let not_published = |error: anyhow::Error| {
            let is_unroutable = matches!(error.downcast_ref(), Some(PublishError::Unroutable { .. }));
            let hint = if is_unroutable { "; is a worker, or its topology, set up?" } else { "" };
            error.context(format!("failed to publish the job to queue {}{hint}", names.jobs))
        };
        if self.no_wait {
            let publisher = Publisher::new(connector);
            publisher.publish(&message).await.map_err(|error| not_published(error.into()))?;
            publisher.close().await;
            print_json(&job)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut question = Question::ask(&connector, message).await.map_err(not_published)?;
        let Ok(answer) = tokio::time::timeout(self.timeout, question.answer()).await else {
            bail!(
                "no event for job {id} within {:?}; the job is in the queue and will still be worked on, but its event has nowhere to go",
                self.timeout
            );
        };
        let event: Value = serde_json::from_slice(&answer?).context("the event is not JSON")?;
        question.close().await;
        print_json(&event)?;
        let is_read = event["type"].as_str().is_some_and(|kind| kind.contains(".read."));
        Ok(if is_read { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

async fn upload(storage: &Storage, id: &JobId, side: &str, path: &Path) -> anyhow::Result<String> {
    let bytes = tokio::fs::read(path).await.with_context(|| format!("failed to read {}", path.display()))?;
    let key = format!("submitted/{id}/{side}");
    let object_key = ObjectKey::parse(key.clone()).context("the id makes no object key")?;
    storage.put(&object_key, bytes).await?;
    Ok(key)
}
