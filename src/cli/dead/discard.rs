//! `idmill dead drop`: removes dead letters for good, after asking.

use std::io::Write;
use std::process::ExitCode;

use time::OffsetDateTime;

use super::filter::Selection;
use super::{Place, progress, say, table};

/// Remove dead letters for good. Asks first; what was counted is what is removed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  idmill dead drop --class bad_image --older-than 30days\n  idmill dead drop --id 8d1c40 --yes")]
pub(super) struct Discard {
    #[command(flatten)]
    selection: Selection,

    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl Discard {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let now = OffsetDateTime::now_utc();
        let mut queue = place.open().await?;
        let progress = progress(queue.n_letters());
        let (mut tags, mut classes) = (Vec::new(), Vec::new());
        while let Some(letter) = queue.next().await? {
            progress.inc(1);
            if self.selection.filter.matches(&letter.letter, now) {
                tags.push(letter.tag());
                classes.push(letter.letter.class);
            } else {
                queue.keep(letter).await?;
            }
        }
        progress.finish_and_clear();
        let summary = table::summary(classes.into_iter());
        if tags.is_empty() {
            say(&format!("{summary} in {} to drop", place.names.dead))?;
            queue.close().await?;
            return Ok(ExitCode::SUCCESS);
        }
        // The letters stay in hand while the person thinks, so that nothing else can be removed than what was counted.
        if !self.yes && !confirmed(&format!("Drop {summary}? They are gone for good. [y/N] ")).await? {
            queue.close().await?;
            say("nothing was dropped")?;
            return Ok(ExitCode::FAILURE);
        }
        for tag in tags {
            queue.remove(tag).await?;
        }
        queue.close().await?;
        say(&format!("dropped {summary}"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks, and takes nothing but a `y` or `yes` for an answer.
async fn confirmed(question: &str) -> anyhow::Result<bool> {
    let mut error = std::io::stderr();
    error.write_all(question.as_bytes())?;
    error.flush()?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await??;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
