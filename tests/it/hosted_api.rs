//! A stand-in for the hosted API that answers as it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

/// In an image: its document is refused.
pub(crate) const REJECTED_MARK: &[u8] = b"stand-in: rejected";
/// In an image: nothing is found on it.
pub(crate) const NO_DATA_MARK: &[u8] = b"stand-in: no data";

/// The smallest image that the readers pass on: a JPEG by its first bytes, with this text in it.
pub(crate) fn image(text: &[u8]) -> Vec<u8> {
    [b"\xFF\xD8\xFF\xE0", text, [b' '; 1_500].as_slice()].concat()
}

/// How calls are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// As the documentation says.
    Well,
    /// With this status and nothing else.
    Status(u16),
    /// 429, with these seconds to wait.
    Throttle(u16),
    /// Not at all, for as long as this lasts.
    Hang,
    /// With a body that breaks off.
    CutBody,
}

/// The stand-in; it ends with the test.
pub(crate) struct HostedApi {
    /// `host:port`.
    pub(crate) address: String,
    state: Arc<Told>,
}

struct Told {
    answer: watch::Sender<(Answer, f64)>,
    n_calls: AtomicUsize,
    n_answered: AtomicUsize,
    n_hanging: AtomicUsize,
}

impl HostedApi {
    /// A stand-in that answers well.
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Told {
            answer: watch::Sender::new((Answer::Well, 1.0)),
            n_calls: AtomicUsize::new(0),
            n_answered: AtomicUsize::new(0),
            n_hanging: AtomicUsize::new(0),
        });
        let router = Router::new().fallback(answer).layer(axum::extract::DefaultBodyLimit::disable()).with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address").to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, state }
    }

    /// From now on this share of the calls is answered that way, and the rest well.
    pub(crate) fn set(&self, answer: Answer, share: f64) {
        self.state.answer.send_replace((answer, share));
    }

    /// All calls.
    pub(crate) fn n_calls(&self) -> usize {
        self.state.n_calls.load(Ordering::SeqCst)
    }

    /// Calls that were answered as the documentation says: what the hosted API would send a bill for.
    pub(crate) fn n_answered(&self) -> usize {
        self.state.n_answered.load(Ordering::SeqCst)
    }

    /// Calls that got, or still wait for, no answer because of [`Answer::Hang`].
    pub(crate) fn n_hanging(&self) -> usize {
        self.state.n_hanging.load(Ordering::SeqCst)
    }
}

async fn answer(State(told): State<Arc<Told>>, body: Bytes) -> Response {
    told.n_calls.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(5..50))).await;
    let (answer, share) = *told.answer.borrow();
    match if fastrand::f64() < share { answer } else { Answer::Well } {
        Answer::Well => {
            told.n_answered.fetch_add(1, Ordering::SeqCst);
            read(&body)
        }
        Answer::Status(status) => StatusCode::from_u16(status).expect("a status").into_response(),
        Answer::Throttle(seconds) => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response(),
        Answer::Hang => {
            told.n_hanging.fetch_add(1, Ordering::SeqCst);
            let _ = told.answer.subscribe().wait_for(|(answer, _)| *answer != Answer::Hang).await;
            StatusCode::BAD_GATEWAY.into_response()
        }
        Answer::CutBody => {
            let pieces = [Ok(Bytes::from_static(b"{\"idType\": \"pass")), Err(std::io::Error::other("cut"))];
            Response::new(Body::from_stream(stream::iter(pieces)))
        }
    }
}

fn read(body: &[u8]) -> Response {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let data = request["frontPart"].as_str().and_then(|uri| uri.split_once(";base64,"));
    let Some(image) = data.and_then(|(_, text)| BASE64_STANDARD.decode(text).ok()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let has = |mark: &[u8]| image.windows(mark.len()).any(|bytes| bytes == mark);
    let (id_type, number) = if has(NO_DATA_MARK) { ("", "") } else { ("passport", "L898902C3") };
    if has(REJECTED_MARK) {
        return (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(json!({"message": "no document"}))).into_response();
    }
    let fields =
        json!({"idType": id_type, "idNumber": number, "name": "", "dateOfBirth": "", "address": "", "gender": "", "mobileNumber": ""});
    axum::Json(fields).into_response()
}
