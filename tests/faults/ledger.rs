//! What became of each job: events and dead letters, read back from the broker.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use idmill::event::event_id;
use idmill::job::JobId;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::crew::{Crew, MAX_ATTEMPTS};
use crate::jobs::{self, Kind};
use crate::stage::{Stage, texts};

/// Lost and wrong jobs that are told about one by one.
const N_TOLD: usize = 5;

/// Longest wait for an answer of the broker, before the connection is looked at.
const ANSWER: Duration = Duration::from_secs(10);

/// The book that the checker keeps.
pub(crate) struct Ledger {
    pages: Mutex<Book>,
}

struct Book {
    pages: Vec<Page>,
    n_settled: usize,
    last_news: Instant,
    /// What cannot even be put down to a job.
    stray: Vec<String>,
}

struct Page {
    kind: Kind,
    n_events: usize,
    n_letters: usize,
    wrong: Option<String>,
}

impl Page {
    fn is_settled(&self) -> bool {
        self.n_events > 0 && (self.kind.class().is_none() || self.n_letters > 0)
    }
}

/// The outcome of a campaign.
pub(crate) struct Verdict {
    /// Jobs without an event, or bad ones without a dead letter.
    pub(crate) n_lost: usize,
    /// Jobs with another event or dead letter than their kind demands.
    pub(crate) n_wrong: usize,
    /// Events and dead letters beyond the first of a job; all with the same id.
    pub(crate) n_duplicates: usize,
    /// Dead letters.
    pub(crate) n_letters: usize,
}

impl Ledger {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let page = |kind: &Kind| Page { kind: *kind, n_events: 0, n_letters: 0, wrong: None };
        let pages = kinds.iter().map(page).collect();
        Self { pages: Mutex::new(Book { pages, n_settled: 0, last_news: Instant::now(), stray: Vec::new() }) }
    }

    /// Reads events and dead letters from now on.
    pub(crate) fn read_queues(self: &Arc<Self>, crew: &Arc<Crew>) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        for (queue, note) in [("inbox", Self::note_event as fn(&Self, &Delivery)), ("dead", Self::note_letter)] {
            let (ledger, crew) = (Arc::clone(self), Arc::clone(crew));
            readers.spawn(async move {
                loop {
                    let _ = ledger.read_queue(&crew.stage, &crew.stage.name(queue), note).await;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
        readers
    }

    /// Jobs that have become what they must.
    pub(crate) fn n_settled(&self) -> usize {
        self.book().n_settled
    }

    /// Jobs of which something is still missing.
    pub(crate) fn n_missing(&self) -> usize {
        let book = self.book();
        book.pages.len() - book.n_settled
    }

    /// Time since the last event or dead letter came.
    pub(crate) fn silence(&self) -> Duration {
        self.book().last_news.elapsed()
    }

    /// Adds up, and shows the first lost and wrong jobs with what the workers logged about them.
    pub(crate) fn judge(&self, logs: &[PathBuf]) -> Verdict {
        let book = self.book();
        let lost: Vec<_> = (0..book.pages.len()).filter(|n| !book.pages[*n].is_settled()).collect();
        let wrong: Vec<_> = (0..book.pages.len()).filter_map(|n| Some((n, book.pages[n].wrong.as_ref()?))).collect();
        for n in lost.iter().take(N_TOLD) {
            let page = &book.pages[*n];
            eprintln!("lost: {} ({:?}): {} events, {} dead letters", jobs::id(*n), page.kind, page.n_events, page.n_letters);
            show_log(logs, *n);
        }
        for (n, why) in wrong.iter().take(N_TOLD) {
            eprintln!("wrong: {} ({:?}): {why}", jobs::id(*n), book.pages[*n].kind);
            show_log(logs, *n);
        }
        for why in &book.stray {
            eprintln!("wrong: {why}");
        }
        let beyond = |n: usize| n.saturating_sub(1);
        Verdict {
            n_lost: lost.len(),
            n_wrong: wrong.len() + book.stray.len(),
            n_duplicates: book.pages.iter().map(|page| beyond(page.n_events) + beyond(page.n_letters)).sum(),
            n_letters: book.pages.iter().map(|page| page.n_letters).sum(),
        }
    }

    /// Reads until the connection is lost, and never longer: a call that is not answered is given up.
    async fn read_queue(&self, stage: &Stage, queue: &str, note: fn(&Self, &Delivery)) -> Option<()> {
        let channel = stage.channel().await;
        let start = async {
            channel.basic_qos(200, BasicQosOptions::default()).await.ok()?;
            channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), Default::default()).await.ok()
        };
        let mut messages = timeout(ANSWER, start).await.ok()??;
        while channel.status().connected() {
            let Ok(message) = timeout(ANSWER, messages.next()).await else { continue };
            let message = message?.ok()?;
            // Noted first: what a lost connection brings again is no duplicate of the worker's, and is not counted as one.
            note(self, &message);
            timeout(ANSWER, message.ack(Default::default())).await.ok()?.ok()?;
        }
        None
    }

    fn note_event(&self, message: &Delivery) {
        let event: Value = serde_json::from_slice(&message.data).unwrap_or_default();
        let subject = event["subject"].as_str().unwrap_or_default();
        self.note(subject, |page| {
            if page.n_events == 0 || !message.redelivered {
                page.n_events += 1;
            }
            let id = JobId::parse(subject).map(|id| event_id(&id, 0).to_string());
            let attempts = event["data"]["failure"]["attempts"].as_u64().unwrap_or(1);
            if event["id"].as_str() != id.as_deref() {
                Err(format!("an event with the id {}", event["id"]))
            } else if event["data"]["failure"]["class"].as_str() != page.kind.class() {
                Err(format!("an event {} with the failure {}", event["type"], event["data"]["failure"]))
            } else if !(1..=u64::from(MAX_ATTEMPTS)).contains(&attempts) {
                Err(format!("{attempts} attempts"))
            } else {
                Ok(())
            }
        });
    }

    fn note_letter(&self, message: &Delivery) {
        let headers = message.properties.headers().as_ref().map(texts).unwrap_or_default();
        let id = message.properties.message_id().as_ref().map_or("", |id| id.as_str());
        let class = headers.get("x-idmill-class").map(String::as_str);
        self.note(id, |page| {
            if page.n_letters == 0 || !message.redelivered {
                page.n_letters += 1;
            }
            if class != page.kind.class() || class.is_none() { Err(format!("a dead letter with the headers {headers:?}")) } else { Ok(()) }
        });
    }

    fn note(&self, id: &str, change: impl FnOnce(&mut Page) -> Result<(), String>) {
        let mut book = self.book();
        book.last_news = Instant::now();
        let Some(page) = jobs::number(id).filter(|n| *n < book.pages.len()).map(|n| &mut book.pages[n]) else {
            book.stray.push(format!("a message about the unknown job \"{id}\""));
            return;
        };
        let was_settled = page.is_settled();
        if let Err(why) = change(page) {
            page.wrong.get_or_insert(why);
        }
        book.n_settled += usize::from(page.is_settled() && !was_settled);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.pages.lock().unwrap()
    }
}

/// The lines of the workers' logs that name the job.
fn show_log(logs: &[PathBuf], n: usize) {
    let mark = format!("\"{}\"", jobs::id(n));
    for log in logs {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        for line in text.lines().filter(|line| line.contains(&mark)) {
            eprintln!("  {}: {line}", log.file_name().unwrap_or_default().to_string_lossy());
        }
    }
}
