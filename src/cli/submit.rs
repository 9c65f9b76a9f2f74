use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::print_json;
use crate::broker::{Connector, Names, Outgoing, Publisher, Replies};
use crate::config::Settings;
use crate::job::{JobId, ObjectKey};
use crate::storage::Storage;

/// Exit status when the job ended in a failure event. Not 2, which is what a wrong command line ends with.
const FAILED: u8 = 3;

/// Upload a document, publish a job for it and print its event.
///
/// Both images stay in the bucket, under submitted/ID/.
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
        // Listening starts before the job leaves: the answer may be faster than we are.
        let replies = if self.no_wait { None } else { Some(Replies::listen(&connector, &names.events).await?) };
        let publisher = Publisher::new(connector);
        let message = Outgoing::json("", &names.jobs, id.as_str(), "application/json", job.to_string().into_bytes());
        publisher
            .publish(&message)
            .await
            .with_context(|| format!("failed to publish the job to queue {}; is a worker, or its topology, set up?", names.jobs))?;

        let code = match replies {
            None => {
                print_json(&job)?;
                ExitCode::SUCCESS
            }
            Some(mut replies) => match tokio::time::timeout(self.timeout, wait_for(&mut replies, &id)).await {
                Ok(event) => {
                    let event = event?;
                    print_json(&event)?;
                    if event["type"].as_str().is_some_and(|kind| kind.contains(".read.")) {
                        ExitCode::SUCCESS
                    } else {
                        ExitCode::from(FAILED)
                    }
                }
                Err(_) => bail!("no event for job {id} within {:?}; the job is in the queue and will still be worked on", self.timeout),
            },
        };
        publisher.close().await;
        Ok(code)
    }
}

async fn upload(storage: &Storage, id: &JobId, side: &str, path: &Path) -> anyhow::Result<String> {
    let bytes = tokio::fs::read(path).await.with_context(|| format!("failed to read {}", path.display()))?;
    let key = format!("submitted/{id}/{side}");
    let object_key = ObjectKey::parse(key.clone()).context("the id makes no object key")?;
    storage.put(&object_key, bytes).await?;
    Ok(key)
}

async fn wait_for(replies: &mut Replies, id: &JobId) -> anyhow::Result<Value> {
    while let Some(body) = replies.next().await {
        let event: Value = serde_json::from_slice(&body).context("an event on the reply exchange is not JSON")?;
        if event["subject"].as_str() == Some(id.as_str()) {
            return Ok(event);
        }
    }
    bail!("the connection to the broker was lost while waiting")
}
