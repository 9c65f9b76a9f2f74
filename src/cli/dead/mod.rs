//! `idmill dead`: looks after dead letters. Nothing is consumed by looking, and nothing is lost by stopping anywhere.

mod discard;
mod filter;
mod replay;
mod table;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use self::filter::Filter;
use super::print_json;
use crate::broker::{Connector, DeadLetter, DeadQueue, Names};
use crate::config::Settings;
use crate::job::MAX_BODY_BYTES;

/// Look after dead letters: jobs that were given up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  idmill dead list --class unavailable && idmill dead replay --class unavailable --rate 5")]
pub(super) struct DeadArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Replay(replay::Replay),
    Drop(discard::Discard),
}

/// List dead letters, the oldest first. They stay where they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  idmill dead list\n  idmill dead list --class bad_image --newer-than 1h --json | jq -r .id")]
struct List {
    #[command(flatten)]
    filter: Filter,

    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Print the headers and the job of a dead letter as JSON. Metadata is shown: it is what the producer sent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  idmill dead show 8d1c40")]
struct Show {
    /// The job's id.
    id: String,
}

impl DeadArgs {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// The broker cannot be reached, there is no such queue, or the connection is lost on the way.
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<ExitCode> {
        let place = Place { connector: Connector::new(settings.broker.clone()), names: Names::new(&settings.topology.prefix) };
        match self.command {
            Command::List(list) => list.run(&place).await,
            Command::Show(show) => show.run(&place).await,
            Command::Replay(replay) => replay.run(&place).await,
            Command::Drop(discard) => discard.run(&place).await,
        }
    }
}

/// Where the letters are.
struct Place {
    connector: Connector,
    names: Names,
}

impl Place {
    async fn open(&self) -> anyhow::Result<DeadQueue> {
        let queue = DeadQueue::open(&self.connector, &self.names.dead).await?;
        if queue.is_shared() {
            say("somebody else looks at the letters right now, and what they have in hand is not seen here: try again when they are done")?;
        }
        Ok(queue)
    }
}

impl List {
    async fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let now = OffsetDateTime::now_utc();
        let mut queue = place.open().await?;
        let progress = progress(queue.n_letters());
        let mut letters = Vec::new();
        let mut n_seen = 0;
        while let Some(letter) = queue.next().await? {
            progress.inc(1);
            n_seen += 1;
            if self.filter.matches(&letter.letter, now) {
                letters.push(letter.letter.clone());
            }
            queue.keep(letter).await?;
        }
        queue.close().await?;
        progress.finish_and_clear();
        letters.sort_by_key(|letter| letter.dead_since);
        let text = if self.json { table::json_lines(&letters) } else { table::table(&letters, now) };
        std::io::stdout().write_all(text.as_bytes())?;
        if !self.json {
            let summary = table::summary(letters.iter().map(|letter| letter.class));
            // "no letters in idmill.dead" would be wrong where the filter leaves all of them out.
            let of = if letters.len() < n_seen { format!(", of {n_seen}") } else { String::new() };
            say(&format!("{summary}{of} in {}", place.names.dead))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Show {
    async fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let mut queue = place.open().await?;
        let progress = progress(queue.n_letters());
        let mut found = Vec::new();
        while let Some(letter) = queue.next().await? {
            progress.inc(1);
            if letter.letter.id.as_str() == self.id {
                found.push(shown(&letter));
            }
            queue.keep(letter).await?;
        }
        queue.close().await?;
        progress.finish_and_clear();
        if found.is_empty() {
            bail!("{} has no letter of a job {}", place.names.dead, self.id);
        }
        found.iter().try_for_each(print_json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A letter with its headers and its job.
fn shown(letter: &DeadLetter) -> Value {
    let properties: Map<String, Value> =
        letter.producer_properties().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({"id": letter.letter.id.as_str(), "headers": letter.headers(), "properties": properties, "job": shown_body(letter.body())})
}

/// The keys of a job as they are. Whatever else a message holds is not shown: a producer that put an image or a
/// document's text into it must not find it on a terminal.
fn shown_body(body: &[u8]) -> Value {
    const KEYS: [&str; 6] = ["id", "front", "back", "bucket", "metadata", "deadline"];
    const LONGEST: usize = 1024;
    let parsed = (body.len() <= MAX_BODY_BYTES).then(|| serde_json::from_slice::<Map<String, Value>>(body).ok()).flatten();
    let Some(object) = parsed else { return format!("({} bytes that are no job)", body.len()).into() };
    let shown = |(key, value): (String, Value)| {
        let hidden = match &value {
            Value::String(text) if text.len() > LONGEST => Some(format!("(a text of {} bytes)", text.len())),
            _ if !KEYS.contains(&key.as_str()) => Some("(not shown: no key of a job)".to_owned()),
            _ => None,
        };
        (key, hidden.map_or(value, Value::String))
    };
    Value::Object(object.into_iter().map(shown).collect())
}

/// A bar on a terminal, nothing elsewhere.
fn progress(n_letters: u32) -> ProgressBar {
    if std::io::stderr().is_terminal() { ProgressBar::new(u64::from(n_letters)) } else { ProgressBar::hidden() }
}

/// A line for the person at the terminal; stdout is for results.
fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{line}")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_of_a_job_is_not_shown() {
        let body = json!({"id": "a", "front": "f", "metadata": {"k": 1}, "name": "JANE DOE", "back": "x".repeat(2000)});
        let shown = shown_body(body.to_string().as_bytes());
        assert_eq!((&shown["front"], &shown["metadata"]["k"]), (&json!("f"), &json!(1)));
        assert_eq!(shown["name"], "(not shown: no key of a job)");
        assert_eq!(shown["back"], "(a text of 2000 bytes)");
        assert_eq!(shown_body(b"JANE DOE"), "(8 bytes that are no job)");
        assert_eq!(shown_body(b"[\"JANE DOE\"]"), "(12 bytes that are no job)");
    }
}
