//! The reader in this process: a pool of engines, each with one thread's work at a time.

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use metrics::gauge;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::config;
use crate::document::{self, Reading, Side, SignerKey};
use crate::failure::{Class, Failure};
use crate::ocr::{Canvas, Engine, Limits, OcrError, Original, Page, Spent, Weights, find_folder};
use crate::telemetry::metric::ENGINE_WAITING;
use crate::telemetry::{Step, StepTimes};

/// Reads documents with the engines inside; cloning shares them.
#[derive(Clone)]
pub struct EmbeddedReader {
    pool: Arc<Pool>,
    /// As many permits as engines, so that waiting for one takes no thread.
    permits: Arc<Semaphore>,
    /// Kept for its end.
    _opening: Arc<Opening>,
    n_instances: usize,
    /// Longest wait for an engine.
    patience: Duration,
    /// The keys that may have signed Aadhaar codes.
    aadhaar_keys: Arc<[SignerKey]>,
}

impl EmbeddedReader {
    /// Loads the weights once and opens the first engine; the others follow behind it, while it may be reading already.
    ///
    /// # Errors
    /// The engine's folder is not found, or a file in it is missing or is another one; a file of keys holds none.
    pub fn open(settings: &config::Engine) -> anyhow::Result<Self> {
        let aadhaar_keys = settings.aadhaar_keys.iter().map(|path| keys_in(path)).collect::<anyhow::Result<Vec<_>>>()?.concat().into();
        let weights = Arc::new(Weights::load(&find_folder(settings.dir.as_deref())?)?);
        let limits = Limits { max_pixels: settings.max_pixels };
        let n_instances = settings.n_instances();
        let pool = Arc::new(Pool { idle: Mutex::new(vec![Engine::new(&weights, limits)?]), returned: Condvar::new() });
        let permits = Arc::new(Semaphore::new(1));
        let open_another = |_| {
            let (pool, permits, weights) = (Arc::clone(&pool), Arc::clone(&permits), Arc::clone(&weights));
            thread::spawn(move || match Engine::new(&weights, limits) {
                Ok(engine) => {
                    pool.put(engine);
                    permits.add_permits(1);
                }
                // The first one opened with the same files: memory is short.
                Err(error) => tracing::error!(error = format!("{error:#}"), "failed to open another engine, reading with fewer"),
            })
        };
        let opening = Arc::new(Opening((1..n_instances).map(open_another).collect()));
        Ok(Self { pool, permits, _opening: opening, n_instances, patience: Duration::MAX, aadhaar_keys })
    }

    /// The same reader for documents that come again: one that waits for an engine for that long is put off.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How many documents are read at the same time.
    pub fn instances(&self) -> usize {
        self.n_instances
    }

    /// Reads one document on a blocking thread, waiting for an idle engine without holding one.
    ///
    /// # Errors
    /// `BadImage` names the side at fault; `Internal` is ours; `Throttled` where no engine was free in time.
    pub async fn read(&self, front: Bytes, back: Option<Bytes>, steps: &mut StepTimes) -> Result<Reading, Failure> {
        let internal = |what: &str| Failure::new(Class::Internal, what);
        let permit = self.wait_for_an_engine(steps).await?;
        let reader = self.clone();
        let span = tracing::info_span!("read document");
        let reading = tokio::task::spawn_blocking(move || {
            // Held here and not by the caller, who may give up: the engine is busy until this thread is done.
            let _permit = permit;
            span.in_scope(|| {
                let outcome = reader.guarded(&front, back.as_deref());
                if let Ok(read) = &outcome {
                    for (step, took) in read.steps() {
                        span.set_attribute(format!("idmill.{}.duration", step.as_str()), took.as_secs_f64());
                    }
                }
                outcome
            })
        });
        let read = reading.await.unwrap_or_else(|_| Err(internal("reading the document was cut off")))?;
        for (step, took) in read.steps() {
            steps.add(step, took);
        }
        Ok(document::in_original_frame(read.reading, &read.pages))
    }

    async fn wait_for_an_engine(&self, steps: &mut StepTimes) -> Result<OwnedSemaphorePermit, Failure> {
        let started = Instant::now();
        let waiting = Waiting::start();
        steps.waits(true);
        let permit = tokio::time::timeout(self.patience, Arc::clone(&self.permits).acquire_owned()).await;
        steps.waits(false);
        drop(waiting);
        steps.add(Step::Wait, started.elapsed());
        match permit {
            Ok(permit) => permit.map_err(|_| Failure::new(Class::Internal, "the reader is closed")),
            Err(_) => {
                let reason = format!("no engine was free within {:?}: worker.concurrency is too high for engine.instances", self.patience);
                Err(Failure::new(Class::Throttled, reason))
            }
        }
    }

    /// Reads one document on the calling thread, waiting for an idle engine.
    ///
    /// # Errors
    /// As [`EmbeddedReader::read`].
    pub fn read_here(&self, front: &[u8], back: Option<&[u8]>) -> Result<Reading, Failure> {
        self.guarded(front, back).map(|read| document::in_original_frame(read.reading, &read.pages))
    }

    /// Reads one document on the calling thread and shows the pages it was read from.
    ///
    /// # Errors
    /// As [`EmbeddedReader::read`].
    pub fn read_and_show(&self, front: &[u8], back: Option<&[u8]>) -> Result<(Reading, Vec<SeenPage>), Failure> {
        let read = self.guarded(front, back)?;
        let seen = read.pages.into_iter().zip(&read.originals);
        let pages = seen.map(|((side, page), original)| SeenPage { side, page, picture: original.upright() }).collect();
        Ok((read.reading, pages))
    }

    fn guarded(&self, front: &[u8], back: Option<&[u8]>) -> Result<Read, Failure> {
        let mut engine = self.pool.take();
        catch_unwind(AssertUnwindSafe(|| read_pages(&mut engine, front, back, &self.aadhaar_keys)))
            .unwrap_or_else(|_| Err(Failure::new(Class::Internal, "the engine panicked")))
    }
}

/// A page with the picture it was read from, upright.
pub struct SeenPage {
    /// Which side it is.
    pub side: Side,
    /// What was seen.
    pub page: Page,
    /// The picture in the page's frame.
    pub picture: Canvas,
}

/// A reading and what it was made from.
struct Read {
    reading: Reading,
    pages: Vec<(Side, Page)>,
    originals: Vec<Original>,
    spent: Spent,
    parsing: Duration,
}

impl Read {
    fn steps(&self) -> [(Step, Duration); 4] {
        let Spent { decode, detect, recognise } = self.spent;
        [(Step::Decode, decode), (Step::Detect, detect), (Step::Recognise, recognise), (Step::Parse, self.parsing)]
    }
}

/// A document that waits for an engine, for as long as this lives.
struct Waiting;

impl Waiting {
    fn start() -> Self {
        gauge!(ENGINE_WAITING).increment(1.0);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        gauge!(ENGINE_WAITING).decrement(1.0);
    }
}

/// Reads both sides with the fast recogniser, then their codes where those may say more, then with the accurate one what
/// matters and was not read with certainty.
fn read_pages(engine: &mut Engine, front: &[u8], back: Option<&[u8]>, keys: &[SignerKey]) -> Result<Read, Failure> {
    // The same image twice costs as much as one.
    if back == Some(front) {
        let mut read = read_pages(engine, front, None, keys)?;
        document::mark_as_same_image(&mut read.reading);
        return Ok(read);
    }
    let today = OffsetDateTime::now_utc().date();
    // What an earlier document left when it failed.
    engine.take_spent();
    let mut pages = Vec::new();
    let mut originals = Vec::new();
    for (side, bytes) in [(Side::Front, Some(front)), (Side::Back, back)] {
        let Some(bytes) = bytes else { continue };
        let (page, original) = engine.read(bytes).map_err(|error| failure(side, &error))?;
        pages.push((side, page));
        originals.push(original);
    }
    let started = Instant::now();
    let mut reading = document::read(&pages, keys, today);
    let mut parsing = started.elapsed();
    if document::may_gain_from_codes(&reading) {
        for ((_, page), original) in pages.iter_mut().zip(&originals) {
            engine.find_codes(page, original);
        }
    }
    let started = Instant::now();
    if pages.iter().any(|(_, page)| !page.codes.is_empty()) {
        reading = document::read(&pages, keys, today);
    }
    let doubtful = document::doubtful_lines(&reading, &pages);
    parsing += started.elapsed();
    if doubtful.iter().any(|lines| !lines.is_empty()) {
        let mut second_look = pages.clone();
        for (((side, page), original), lines) in second_look.iter_mut().zip(&originals).zip(&doubtful) {
            engine.read_again(page, original, lines).map_err(|error| failure(*side, &error))?;
        }
        let started = Instant::now();
        let second = document::read(&second_look, keys, today);
        if document::faults(&second) <= document::faults(&reading) {
            (reading, pages) = (second, second_look);
        }
        parsing += started.elapsed();
    }
    Ok(Read { reading, pages, originals, spent: engine.take_spent(), parsing })
}

fn keys_in(path: &Path) -> anyhow::Result<Vec<SignerKey>> {
    let file = std::fs::read(path).with_context(|| format!("engine.aadhaar_keys: failed to read {}", path.display()))?;
    SignerKey::read_all(&file).with_context(|| format!("engine.aadhaar_keys: {}", path.display()))
}

fn failure(side: Side, error: &OcrError) -> Failure {
    match error {
        OcrError::Image(fault) => Failure::new(Class::BadImage, format!("{}: {fault}", side_name(side))),
        OcrError::Engine(fault) => Failure::new(Class::Internal, fault.to_string()),
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Front => "front",
        Side::Back => "back",
    }
}

/// The threads that open engines. The process must not end amid one of them: the runtime would be taken from under it.
struct Opening(Vec<JoinHandle<()>>);

impl Drop for Opening {
    fn drop(&mut self) {
        for thread in self.0.drain(..) {
            // A panic has been reported by its hook.
            let _ = thread.join();
        }
    }
}

/// Engines that nobody uses right now.
struct Pool {
    idle: Mutex<Vec<Engine>>,
    returned: Condvar,
}

impl Pool {
    fn take(&self) -> Borrowed<'_> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut idle = self.returned.wait_while(idle, |idle| idle.is_empty()).unwrap_or_else(PoisonError::into_inner);
        Borrowed { engine: idle.pop(), pool: self }
    }

    fn put(&self, engine: Engine) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
        self.returned.notify_one();
    }
}

/// An engine in use; it goes back to the pool even when its user panics.
struct Borrowed<'a> {
    /// `None` only while it is dropped.
    engine: Option<Engine>,
    pool: &'a Pool,
}

impl Deref for Borrowed<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.engine.as_ref().expect("a borrowed engine is there until it is dropped")
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut Engine {
        self.engine.as_mut().expect("a borrowed engine is there until it is dropped")
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.pool.put(engine);
        }
    }
}
