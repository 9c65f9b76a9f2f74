//! The readers behind one door, asked in the order that the settings name.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Context;
use bytes::Bytes;
use metrics::gauge;
use tracing::Instrument;

use super::embedded::EmbeddedReader;
use super::remote::RemoteReader;
use super::source::ImageSource;
use crate::circuit::{ANYBODY, Circuit, Limits, Signal};
use crate::config::{ReaderOrder, Settings};
use crate::document::{FieldName, Reading};
use crate::failure::{Class, Dependency, Failure};
use crate::telemetry::metric::CIRCUIT_OPEN;
use crate::telemetry::{Step, StepTimes};

/// Whoever reads documents for this process.
pub struct Reader {
    order: Order,
    /// Largest image in bytes.
    max_image_bytes: u64,
}

enum Order {
    Embedded(EmbeddedReader),
    Remote(RemoteReader),
    RemoteThenEmbedded { remote: OneOfTwo, embedded: EmbeddedReader },
    EmbeddedThenRemote { embedded: EmbeddedReader, remote: OneOfTwo, required: Vec<FieldName> },
}

/// The hosted API where there is another reader: its circuit is kept here, since the worker must not pause for it.
struct OneOfTwo {
    remote: RemoteReader,
    circuit: Mutex<Circuit>,
    /// What becomes of documents while the circuit is open, for the log.
    meanwhile: &'static str,
}

impl Reader {
    /// Opens the readers that the settings' order names, and no other: a remote-only worker needs no weights.
    ///
    /// # Errors
    /// What keeps one of them from being opened; the message names the setting.
    pub fn open(settings: &Settings) -> anyhow::Result<Self> {
        let max_image_bytes = settings.storage.max_object_bytes;
        // The broker takes back what is kept for too long, and a queue for engines is no fault of the job.
        let embedded = || anyhow::Ok(EmbeddedReader::open(&settings.engine)?.with_patience(settings.worker.job_budget));
        let remote = || RemoteReader::new(&settings.reader.remote, max_image_bytes);
        let limits = Limits { threshold: settings.retry.circuit_threshold.max(1), probe_interval: settings.retry.probe_interval };
        let one_of_two = |meanwhile| anyhow::Ok(OneOfTwo { remote: remote()?, circuit: Mutex::new(Circuit::new(limits)), meanwhile });
        let order = match settings.reader.order {
            ReaderOrder::Embedded => Order::Embedded(embedded()?),
            ReaderOrder::Remote => Order::Remote(remote()?),
            ReaderOrder::RemoteThenEmbedded => {
                Order::RemoteThenEmbedded { remote: one_of_two("the engine inside reads all documents")?, embedded: embedded()? }
            }
            ReaderOrder::EmbeddedThenRemote => {
                let required = settings.reader.required_fields.iter().map(|name| required_field(name)).collect::<Result<_, _>>()?;
                let meanwhile = "a document that lacks a field is published without it, and one on which the engine found nothing waits";
                Order::EmbeddedThenRemote { embedded: embedded()?, remote: one_of_two(meanwhile)?, required }
            }
        };
        Ok(Self { order, max_image_bytes })
    }

    /// Reads one document; without `back` it has one side.
    ///
    /// # Errors
    /// What the images, their store, the engine or the hosted API has against it.
    pub async fn read(&self, front: &ImageSource, back: Option<&ImageSource>, steps: &mut StepTimes) -> Result<Reading, Failure> {
        match &self.order {
            Order::Embedded(embedded) => self.read_embedded(embedded, front, back, steps).await,
            Order::Remote(remote) => ask(remote, front, back, steps).await,
            Order::RemoteThenEmbedded { remote, embedded } => match remote.ask(front, back, steps).await {
                Some(Ok(reading)) => Ok(reading),
                Some(Err(failure)) if !is_turned_away(&failure) => Err(counted(failure)),
                Some(Err(_)) | None => self.read_embedded(embedded, front, back, steps).await,
            },
            Order::EmbeddedThenRemote { embedded, remote, required } => {
                let outcome = self.read_embedded(embedded, front, back, steps).await;
                let is_final = match &outcome {
                    Ok(reading) => !reading.fields.is_empty() && required.iter().all(|name| !reading.value(*name).is_empty()),
                    Err(failure) => failure.class != Class::Internal,
                };
                if is_final {
                    return outcome;
                }
                let completed = match remote.ask(front, back, steps).await {
                    Some(outcome) => outcome.map_err(counted),
                    None => Err(out_of_order()),
                };
                match (outcome, completed) {
                    (_, Ok(reading)) => Ok(reading),
                    // A reading that misses a field is worth more than a refusal to complete it.
                    (Ok(mut reading), Err(failure)) if !reading.fields.is_empty() => {
                        tracing::warn!(class = failure.class.as_str(), reason = failure.reason, "the OCR API did not complete a document");
                        reading.warnings.push("a required field is missing, and the OCR API did not complete the document".into());
                        Ok(reading)
                    }
                    (_, Err(failure)) => Err(failure),
                }
            }
        }
    }

    async fn read_embedded(
        &self,
        embedded: &EmbeddedReader,
        front: &ImageSource,
        back: Option<&ImageSource>,
        steps: &mut StepTimes,
    ) -> Result<Reading, Failure> {
        let started = Instant::now();
        let fetch_back = async {
            match back {
                Some(back) => back.read_all(self.max_image_bytes).await.map(Some),
                None => Ok(None),
            }
        };
        let fetching = async { tokio::try_join!(front.read_all(self.max_image_bytes), fetch_back) };
        let fetched = fetching.instrument(tracing::info_span!("fetch images")).await;
        steps.add(Step::Fetch, started.elapsed());
        let (front, back) = fetched?;
        embedded.read(front.into(), back.map(Bytes::from), steps).await
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let order = match &self.order {
            Order::Embedded(_) => ReaderOrder::Embedded,
            Order::Remote(_) => ReaderOrder::Remote,
            Order::RemoteThenEmbedded { .. } => ReaderOrder::RemoteThenEmbedded,
            Order::EmbeddedThenRemote { .. } => ReaderOrder::EmbeddedThenRemote,
        };
        f.debug_struct("Reader").field("order", &order).finish_non_exhaustive()
    }
}

impl OneOfTwo {
    /// Asks the hosted API; `None` while its circuit is open, and where this call opened it.
    async fn ask(&self, front: &ImageSource, back: Option<&ImageSource>, steps: &mut StepTimes) -> Option<Result<Reading, Failure>> {
        if !lock(&self.circuit).admits(Instant::now()) {
            return None;
        }
        let outcome = ask(&self.remote, front, back, steps).await;
        // What else failed is counted by whoever hears of it; this dependency is taken out of the failure for the worker.
        if let Some(failure) = outcome.as_ref().err().filter(|failure| failure.dependency == Some(Dependency::Ocr)) {
            failure.count();
        }
        if note(&self.circuit, &outcome) {
            let reason = outcome.as_ref().err().map(|failure| failure.reason.as_str());
            tracing::warn!(reason, meanwhile = self.meanwhile, "the OCR API is out of order");
            return None;
        }
        Some(outcome)
    }
}

/// Whether the hosted API turned the document away without a look at it. What the store denies no other reader gets either.
fn is_turned_away(failure: &Failure) -> bool {
    failure.dependency == Some(Dependency::Ocr) && matches!(failure.class, Class::Denied | Class::Throttled)
}

/// The failure as the worker is told of it: the hosted API's were counted by its circuit here, and the worker must not pause
/// for them.
fn counted(failure: Failure) -> Failure {
    Failure { dependency: failure.dependency.filter(|dependency| *dependency != Dependency::Ocr), ..failure }
}

/// The engine inside made nothing of the document, and the hosted API is out of order: the document waits for it, and
/// burns no attempt.
fn out_of_order() -> Failure {
    Failure::new(Class::Throttled, "the engine inside did not read the document, and the OCR API is out of order")
}

async fn ask(remote: &RemoteReader, front: &ImageSource, back: Option<&ImageSource>, steps: &mut StepTimes) -> Result<Reading, Failure> {
    let started = Instant::now();
    let outcome = remote.read(front, back).await;
    steps.add(Step::Ask, started.elapsed());
    outcome
}

fn required_field(name: &str) -> anyhow::Result<FieldName> {
    FieldName::named(name).with_context(|| format!("reader.required_fields names an unknown field: {name}"))
}

fn lock(circuit: &Mutex<Circuit>) -> MutexGuard<'_, Circuit> {
    circuit.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes what a call showed; true when the circuit is open now.
fn note(circuit: &Mutex<Circuit>, outcome: &Result<Reading, Failure>) -> bool {
    let mut circuit = lock(circuit);
    if let Some(signal) = signal_of(outcome)
        && circuit.note(signal, ANYBODY, Instant::now())
    {
        // The worker does not pause for this circuit, and does not know of it.
        gauge!(CIRCUIT_OPEN, "dependency" => Dependency::Ocr.as_str()).set(if circuit.is_open() { 1.0 } else { 0.0 });
    }
    outcome.is_err() && circuit.is_open()
}

/// What an outcome says about the hosted API; `None` where it says nothing, the images' store at fault for example.
fn signal_of(outcome: &Result<Reading, Failure>) -> Option<Signal> {
    let failure = match outcome {
        Ok(_) => return Some(Signal::Healthy),
        Err(failure) => failure,
    };
    match failure.class {
        Class::Rejected | Class::NoData => Some(Signal::Healthy),
        // Who is denied alone is not known here: the document is at fault until several are.
        Class::Denied if failure.dependency == Some(Dependency::Ocr) => Some(Signal::Failed),
        Class::BadJob
        | Class::Expired
        | Class::BadImage
        | Class::ImageMissing
        | Class::Denied
        | Class::Unavailable
        | Class::Throttled
        | Class::Unauthorised
        | Class::Internal
        | Class::DeliveryLimit => Signal::of(failure).filter(|_| failure.dependency == Some(Dependency::Ocr)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn outage() -> Result<Reading, Failure> {
        Err(Failure::of(Dependency::Ocr, Class::Unavailable, "down"))
    }

    #[test]
    fn the_engine_takes_over_when_the_circuit_opens_and_probes_go_on() {
        let circuit = Mutex::new(Circuit::new(Limits { threshold: 2, probe_interval: Duration::from_secs(3600) }));
        let may_ask = |circuit: &Mutex<Circuit>| lock(circuit).admits(Instant::now());
        assert!(may_ask(&circuit));
        assert!(!note(&circuit, &outage()), "one failure is the ladder's business");
        assert!(note(&circuit, &outage()));
        assert!(!may_ask(&circuit), "no probe is due yet");
        let impatient = Mutex::new(Circuit::new(Limits { threshold: 1, probe_interval: Duration::ZERO }));
        assert!(note(&impatient, &outage()));
        assert!(may_ask(&impatient));
        assert!(!note(&impatient, &Ok(Reading::default())));
    }

    #[test]
    fn only_the_apis_own_faults_count_against_it() {
        let of = |dependency, class| signal_of(&Err(Failure::of(dependency, class, "")));
        assert_eq!(of(Dependency::Ocr, Class::Unauthorised), Some(Signal::Refused));
        assert_eq!((of(Dependency::Ocr, Class::Denied), of(Dependency::Storage, Class::Denied)), (Some(Signal::Failed), None));
        assert_eq!(of(Dependency::Ocr, Class::Throttled), Some(Signal::Throttled(Duration::ZERO)));
        assert_eq!(of(Dependency::Storage, Class::Unavailable), None);
        assert_eq!(signal_of(&Err(Failure::new(Class::Rejected, ""))), Some(Signal::Healthy));
        assert_eq!(signal_of(&Err(Failure::new(Class::BadImage, ""))), None);
    }

    #[test]
    fn the_engine_reads_what_the_api_turns_away_and_not_what_the_store_does() {
        for class in [Class::Denied, Class::Throttled] {
            let failure = Failure::of(Dependency::Ocr, class, "");
            assert!(is_turned_away(&failure) && counted(failure).dependency.is_none());
            assert!(!is_turned_away(&Failure::of(Dependency::Storage, class, "")));
            // An archived object is denied to whoever asks, and no fault of the store.
            assert!(!is_turned_away(&Failure::new(class, "")));
        }
        assert!(!is_turned_away(&Failure::of(Dependency::Ocr, Class::Unavailable, "")));
        assert_eq!(counted(Failure::of(Dependency::Storage, Class::Denied, "")).dependency, Some(Dependency::Storage));
    }

    #[test]
    fn required_fields_are_known_names() {
        assert_eq!(required_field("idNumber").unwrap(), FieldName::IdNumber);
        assert!(required_field("shoeSize").is_err());
    }
}
