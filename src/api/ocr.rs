//! `POST /ai/v1/ocr`: from the request to the answer, a list of steps.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::admission::Admission;
use super::body::{self, Parts};
use super::error::{ApiError, Code};
use super::incoming::{Incoming, announced_length};
use super::keys::Access;
use crate::document::{Reading, answer, mask_aadhaar};
use crate::failure::{Class, Failure};
use crate::ocr::{self, ImageError, Limits};
use crate::reader::EmbeddedReader;
use crate::telemetry::{Step, StepTimes};

/// What answering a document needs.
pub(super) struct Service {
    /// Who may ask.
    pub(super) access: Access,
    /// Who reads.
    pub(super) reader: EmbeddedReader,
    /// How many at once.
    pub(super) admission: Admission,
    /// What is accepted.
    pub(super) limits: RequestLimits,
    /// Whether Aadhaar numbers leave masked.
    pub(super) mask_aadhaar: bool,
}

/// Limits of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestLimits {
    /// Largest body in bytes.
    pub(super) max_body_bytes: usize,
    /// Largest decoded image in bytes.
    pub(super) max_image_bytes: usize,
    /// Largest image in pixels.
    pub(super) max_pixels: u64,
    /// Time for the body to arrive.
    pub(super) read_timeout: Duration,
}

/// The query of the request.
#[derive(Debug, Deserialize)]
pub(super) struct Options {
    /// `true`: the answer also says where each field was read, and what speaks for it.
    #[serde(default)]
    details: bool,
}

/// Reads the document that the request holds.
pub(super) async fn read_document(
    State(service): State<Arc<Service>>,
    options: Result<Query<Options>, QueryRejection>,
    request: Request<Body>,
) -> Response {
    let (head, body) = request.into_parts();
    let mut body = Incoming::new(&head.headers, body, service.limits);
    let outcome = service.answer(options, &head.headers, &mut body).await;
    if outcome.is_err() {
        body.discard().await;
    }
    outcome.unwrap_or_else(ApiError::into_response)
}

impl Service {
    async fn answer(
        &self,
        options: Result<Query<Options>, QueryRejection>,
        headers: &HeaderMap,
        body: &mut Incoming,
    ) -> Result<Response, ApiError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.access.check(headers, now)?;
        check_media_type(headers)?;
        let Query(options) = options.map_err(|_| ApiError::new(Code::ParameterInvalid, "details must be true or false"))?;
        let announced = announced_length(headers, self.limits.max_body_bytes)?;
        let _place = self.admission.admit(announced)?;

        let started = Instant::now();
        let bytes = body.receive(announced).await?;
        let received = Instant::now();
        let limits = self.limits;
        let parts = tokio::task::spawn_blocking(move || parse(&bytes, limits)).await.map_err(|_| ApiError::from(Code::Internal))??;
        let parsed = Instant::now();
        let mut steps = StepTimes::default();
        let reading = self.reader.read(parts.front, parts.back, &mut steps).await.map_err(|failure| error_of(&failure))?;
        let read = parsed.elapsed();
        // Who has to come back later waits for as long as those inside take, one after the other: with the wait for an engine
        // the queue would be counted twice.
        self.admission.note(read.saturating_sub(steps.total(Step::Wait).unwrap_or_default()));
        if reading.fields.is_empty() {
            return Err(Code::NoDocument.into());
        }

        let timing = Timing { receive: received - started, parse: parsed - received, read, steps };
        let reading = if self.mask_aadhaar { mask_aadhaar(reading) } else { reading };
        let answer = answer_json(&reading, options.details.then_some(&timing));
        Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store")), timing.header()], Json(answer)).into_response())
    }
}

/// Where the time of one request went.
struct Timing {
    receive: Duration,
    parse: Duration,
    /// In the engine, with the wait for an idle one.
    read: Duration,
    /// The parts of `read`.
    steps: StepTimes,
}

impl Timing {
    fn header(&self) -> (header::HeaderName, HeaderValue) {
        let [receive, parse, read] = [self.receive, self.parse, self.read].map(millis);
        let mut text = format!("receive;dur={receive}, parse;dur={parse}, read;dur={read}");
        for (step, took) in self.steps.iter() {
            let _ = write!(text, ", read-{};dur={}", step.as_str(), millis(took));
        }
        (header::HeaderName::from_static("server-timing"), HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("")))
    }

    fn json(&self) -> Value {
        let whole = [("receive", self.receive), ("parse", self.parse), ("read", self.read)].map(|(name, took)| (name.to_owned(), took));
        let parts = self.steps.iter().map(|(step, took)| (format!("read.{}", step.as_str()), took));
        whole.into_iter().chain(parts).map(|(name, took)| (format!("{name}Ms"), json!(millis(took)))).collect::<Map<_, _>>().into()
    }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

/// The seven keys, flat; with a timing also the details.
fn answer_json(reading: &Reading, details: Option<&Timing>) -> Value {
    let mut answer = answer::seven_keys(reading);
    if let Some(timing) = details {
        answer.insert("details".into(), Value::Object(answer::details(reading)));
        answer.insert("warnings".into(), json!(reading.warnings));
        answer.insert("timing".into(), timing.json());
    }
    Value::Object(answer)
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        Ok(())
    } else {
        Err(Code::MediaTypeUnsupported.into())
    }
}

/// The body's images, looked at without decoding them: a bomb must not get as far as the engine's queue.
fn parse(body: &[u8], limits: RequestLimits) -> Result<Parts, ApiError> {
    let parts = body::parse(body, limits.max_image_bytes)?;
    for (name, image) in [("frontPart", Some(&parts.front)), ("backPart", parts.back.as_ref())] {
        if let Some(image) = image {
            let limits = Limits { max_pixels: limits.max_pixels };
            ocr::inspect(image, limits).map_err(|fault| ApiError::new(code_of(fault), format!("{name}: {fault}")))?;
        }
    }
    Ok(parts)
}

fn code_of(fault: ImageError) -> Code {
    match fault {
        ImageError::Empty => Code::ImageMissing,
        ImageError::NotAnImage | ImageError::Unsupported(_) => Code::ImageUnsupported,
        ImageError::Corrupt => Code::ImageCorrupt,
        ImageError::TooManyPixels { .. } | ImageError::TooDeep { .. } => Code::ImageTooLarge,
        ImageError::TooSmall => Code::ImageTooSmall,
    }
}

/// What the engine says about images that looked well from outside.
fn error_of(failure: &Failure) -> ApiError {
    match failure.class {
        Class::BadImage => ApiError::new(Code::ImageCorrupt, failure.reason.clone()),
        Class::NoData => Code::NoDocument.into(),
        Class::BadJob
        | Class::Expired
        | Class::ImageMissing
        | Class::Denied
        | Class::Rejected
        | Class::Unavailable
        | Class::Throttled
        | Class::Unauthorised
        | Class::Internal
        | Class::DeliveryLimit => {
            tracing::error!(class = ?failure.class, "a document could not be read: {failure}");
            Code::Internal.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn json_is_the_only_media_type() {
        for value in ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/problem+json"] {
            assert!(check_media_type(&headers(header::CONTENT_TYPE, value)).is_ok(), "{value}");
        }
        for value in ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""] {
            assert!(check_media_type(&headers(header::CONTENT_TYPE, value)).is_err(), "{value}");
        }
    }

    #[test]
    fn images_are_judged_by_their_bytes() {
        let limits = RequestLimits { max_body_bytes: 1000, max_image_bytes: 1000, max_pixels: 1000, read_timeout: Duration::from_secs(1) };
        let code = |body: &[u8]| parse(body, limits).unwrap_err().code;
        assert_eq!(code(br#"{"frontPart":"data:image/jpeg;base64,JVBERi0xLjcK"}"#), Code::ImageUnsupported);
        assert_eq!(code(br#"{"frontPart":"aGVsbG8gd29ybGQ="}"#), Code::ImageUnsupported);
        assert_eq!(code(br#"{"frontPart":"/9j/4AAQSkZJRg=="}"#), Code::ImageCorrupt);
    }
}
