//! `idmill dead replay`: sends dead letters back to the work queue. Publish, confirm, acknowledge: stopped anywhere, a
//! letter is in one of the two queues, or at worst in both.

use std::collections::HashSet;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::ProgressBar;
use time::OffsetDateTime;
use tokio::time::{Interval, MissedTickBehavior};

use super::filter::Selection;
use super::{Place, progress, say, table};
use crate::broker::{DeadLetter, LetterClass};
use crate::failure::Class;
use crate::job::JobId;

/// Longest time that letters are held on one channel. The broker takes everything back from a consumer that sits on a
/// message for longer than its time-out, half an hour by default; a slow replay starts over before that.
const LONGEST_LOOK: Duration = Duration::from_secs(300);

/// Send dead letters back to the work queue, as if new. Their events get an id of their own, since they are news.
///
/// Letters whose deadline is over stay: they would be dead again at once. Letters of the class delivery_limit, which killed
/// their worker, go only where --class or --id names them; those of a sender who is answered by direct reply-to, on a connection
/// that may be gone, only where --id does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  idmill dead replay --class unavailable --older-than 10m --dry-run
  idmill dead replay --class unavailable --rate 20
  idmill dead replay --id 8d1c40")]
pub(super) struct Replay {
    #[command(flatten)]
    selection: Selection,

    /// List what would be replayed, and change nothing.
    #[arg(long)]
    dry_run: bool,

    /// Most letters a second, for example 20 or 0.5.
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    rate: Option<f64>,
}

/// What was replayed so far.
#[derive(Default)]
struct Done {
    classes: Vec<LetterClass>,
    /// Jobs and the number of their latest replay: one that fails at once and is dead again must not be sent round and
    /// round.
    lives: HashSet<(JobId, u32)>,
    /// What the latest look left although the selection means it.
    left: Left,
}

/// Letters that are not replayed although the selection means them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    n_too_late: u32,
    n_killers: u32,
    n_unheard: u32,
}

/// Why a look ended.
enum Ended {
    AllSeen,
    Stopped,
    HeldForLong,
}

impl Replay {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let mut done = Done::default();
        let mut pace = self.rate.map(|rate| {
            let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        let mut stop = Box::pin(async { drop(tokio::signal::ctrl_c().await) });
        let outcome = loop {
            match self.look(place, &mut done, &mut pace, stop.as_mut()).await {
                Ok(Ended::HeldForLong) => {}
                other => break other,
            }
        };
        let summary = table::summary(done.classes.iter().copied());
        if self.dry_run {
            say(&format!("would replay {summary}; nothing was changed"))?;
        } else {
            say(&format!("replayed {summary} to {}", place.names.jobs))?;
        }
        done.left.lines().try_for_each(|line| say(&line))?;
        match outcome.context("the replay ended early; no letter is lost, and running it again goes on where it ended")? {
            Ended::Stopped => {
                say("stopped; running it again goes on from here")?;
                Ok(ExitCode::FAILURE)
            }
            Ended::AllSeen | Ended::HeldForLong => Ok(ExitCode::SUCCESS),
        }
    }

    /// One look through the queue.
    async fn look(
        &self,
        place: &Place,
        done: &mut Done,
        pace: &mut Option<Interval>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> anyhow::Result<Ended> {
        let now = OffsetDateTime::now_utc();
        let mut queue = place.open().await?;
        let bar = Bar(progress(queue.n_letters()));
        let started = Instant::now();
        let mut meant = Vec::new();
        done.left = Left::default();
        let ended = loop {
            let next = tokio::select! {
                biased;
                () = &mut stop => break Ended::Stopped,
                next = queue.next() => next?,
            };
            let Some(letter) = next else { break Ended::AllSeen };
            bar.0.inc(1);
            let life = (letter.letter.id.clone(), letter.letter.history.replay);
            if !self.selection.filter.matches(&letter.letter, now) || done.lives.contains(&life) {
                queue.keep(letter).await?;
                continue;
            }
            if self.is_left(&letter, now, &mut done.left) {
                queue.keep(letter).await?;
                continue;
            }
            if self.dry_run {
                done.classes.push(letter.letter.class);
                meant.push(letter.letter.clone());
                queue.keep(letter).await?;
                continue;
            }
            if let Some(pace) = pace {
                tokio::select! {
                    biased;
                    () = &mut stop => break Ended::Stopped,
                    _ = pace.tick() => {}
                }
            }
            // Before the publish: what was sent and could not be acknowledged must not be sent again by this run.
            done.lives.insert((life.0, life.1.saturating_add(1)));
            queue.publish(&letter.replayed(&place.names.jobs)).await?;
            queue.remove(letter.tag()).await?;
            done.classes.push(letter.letter.class);
            if started.elapsed() > LONGEST_LOOK {
                break Ended::HeldForLong;
            }
        };
        queue.close().await?;
        drop(bar);
        if self.dry_run {
            std::io::Write::write_all(&mut std::io::stdout(), table::table(&meant, now).as_bytes())?;
        }
        Ok(ended)
    }

    /// Counts a letter that a replay would do nothing for, or that needs to be meant by name.
    fn is_left(&self, letter: &DeadLetter, now: OffsetDateTime, left: &mut Left) -> bool {
        let killer = LetterClass::Failed(Class::DeliveryLimit);
        if letter.letter.class == killer && !self.selection.filter.names(killer) {
            left.n_killers += 1;
        } else if letter.deadline().is_some_and(|deadline| deadline < now) {
            left.n_too_late += 1;
        } else if letter.answers_a_connection() && !self.selection.filter.names_ids() {
            left.n_unheard += 1;
        } else {
            return false;
        }
        true
    }
}

impl Left {
    /// What to tell of them.
    fn lines(&self) -> impl Iterator<Item = String> {
        let too_late = match self.n_too_late {
            0 => None,
            n => Some(format!("left {n} whose deadline is over: they would be dead again at once; the sender has to publish them anew")),
        };
        let killers = match self.n_killers {
            0 => None,
            n => Some(format!(
                "left {n} of the class delivery_limit, which killed their worker: name the class or a job's id to replay them"
            )),
        };
        let unheard = match self.n_unheard {
            0 => None,
            n => Some(format!(
                "left {n} whose event goes to their sender's connection alone, which may be gone: name a job's id to replay it all the same"
            )),
        };
        [too_late, killers, unheard].into_iter().flatten()
    }
}

/// A progress bar that leaves no trace, however the look ends.
struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("a number of letters a second, 0.001 to 100000".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        assert_eq!(parse_rate("0.5"), Ok(0.5));
        for text in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
