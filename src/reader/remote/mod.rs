//! The client of the hosted API: `POST /ai/v1/ocr` with streamed bodies.
//!
//! Constant memory: see `body.rs`. One call is one attempt, but for the two cases in which the second call is a different
//! one: another token after the first was refused, and the other spelling of the keys after a refusal that names them, until
//! a document was read with one of the two. Each call sends both images.

mod answer;
pub mod body;
mod credentials;
mod probe;
mod refusal;
mod words;

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::TryStreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

pub use self::probe::{Probe, TokenVerdict};

use self::body::Spelling;
use self::credentials::Credentials;
use super::ImageSource;
use crate::config::{self, KeySpelling};
use crate::document::Reading;
use crate::failure::{Class, Dependency, Failure};
use crate::telemetry::TraceContext;

/// Longest wait for a connection; the time-out of the call covers the rest.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes of an answer that are read: seven short strings are expected.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Reads documents by asking the hosted API.
pub struct RemoteReader {
    client: reqwest::Client,
    url: reqwest::Url,
    credentials: Credentials,
    key_spelling: KeySpelling,
    /// How the keys were spelled when a document was first read; for [`KeySpelling::Auto`].
    proven_spelling: OnceLock<Spelling>,
    duplicate_front: bool,
    max_image_bytes: u64,
}

impl RemoteReader {
    /// A reader as the settings describe it; images over `max_image_bytes` are refused before anything is sent.
    ///
    /// # Errors
    /// The URL, the proxy or the credentials cannot be used; the message names the setting.
    pub fn new(settings: &config::Remote, max_image_bytes: u64) -> anyhow::Result<Self> {
        let url: reqwest::Url = settings.url.parse().context("reader.remote.url is no URL")?;
        ensure!(matches!(url.scheme(), "http" | "https"), "reader.remote.url must begin with http:// or https://");
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("idmill/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(settings.timeout)
            // A redirect would carry token and document to a host that nobody configured.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &settings.ca_file {
            let pem = std::fs::read(path).with_context(|| format!("failed to read reader.remote.ca_file: {}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).context("reader.remote.ca_file holds no certificate")?;
            ensure!(!certificates.is_empty(), "reader.remote.ca_file holds no certificate");
            builder = builder.tls_certs_merge(certificates);
        }
        builder = match &settings.proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy).context("reader.remote.proxy is no URL")?),
            None => builder.no_proxy(),
        };
        Ok(Self {
            client: builder.build().context("failed to set up the client of the OCR API")?,
            url,
            credentials: Credentials::new(settings)?,
            key_spelling: settings.key_spelling,
            proven_spelling: OnceLock::new(),
            duplicate_front: settings.duplicate_front,
            max_image_bytes,
        })
    }

    /// Has the document read.
    ///
    /// # Errors
    /// What the images' store, the network or the API has against it, classed for the worker.
    pub async fn read(&self, front: &ImageSource, back: Option<&ImageSource>) -> Result<Reading, Failure> {
        let back = back.or(self.duplicate_front.then_some(front));
        let mut token = self.token()?;
        let mut spelling = self.spelling();
        let mut may_renew = true;
        // Once the spelling is known, a refusal that names a key is about the image that the key holds.
        let mut may_respell = self.key_spelling == KeySpelling::Auto && self.proven_spelling.get().is_none();
        loop {
            let answer = self.call(&token, spelling, front, back).await?;
            let is_answered = (200..300).contains(&answer.status);
            let outcome = if is_answered {
                answer::parse_answer(&answer.body)
            } else {
                Err(refusal::failure_of_status(answer.status, answer.retry_after, &answer.body))
            };
            let refuses_token =
                answer.status == 401 || is_answered && outcome.as_ref().is_err_and(|failure| failure.class == Class::Unauthorised);
            if refuses_token
                && may_renew
                && let Some(renewed) = self.renewed(&token)?
            {
                may_renew = false;
                token = renewed;
            } else if may_respell && refusal::names_a_body_key(answer.status, &answer.body) {
                may_respell = false;
                spelling = match spelling {
                    Spelling::Camel => Spelling::Lower,
                    Spelling::Lower => Spelling::Camel,
                };
            } else {
                let reading = outcome?;
                self.proven_spelling.get_or_init(|| spelling);
                return Ok(reading);
            }
        }
    }

    fn token(&self) -> Result<SecretString, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.credentials.token(now).map_err(|error| {
            // The error names the file, and a reason is published: where secrets lie is nobody's business.
            let why = error.downcast_ref::<std::io::Error>().map_or_else(|| "it holds none".to_owned(), |error| error.kind().to_string());
            let reason = format!("no token for the OCR API can be made of the file that {} names: {why}", self.credentials.setting());
            Failure::of(Dependency::Ocr, Class::Unauthorised, reason)
        })
    }

    /// The token to use instead of one that was refused; `None` where it is the very same one, which would be refused again.
    fn renewed(&self, refused: &SecretString) -> Result<Option<SecretString>, Failure> {
        self.credentials.forget(refused);
        let token = self.token()?;
        Ok((token.expose_secret() != refused.expose_secret()).then_some(token))
    }

    fn spelling(&self) -> Spelling {
        match self.key_spelling {
            KeySpelling::Camel => Spelling::Camel,
            KeySpelling::Lower => Spelling::Lower,
            KeySpelling::Auto => self.proven_spelling.get().copied().unwrap_or(Spelling::Camel),
        }
    }

    async fn call(
        &self,
        token: &SecretString,
        spelling: Spelling,
        front: &ImageSource,
        back: Option<&ImageSource>,
    ) -> Result<Answer, Failure> {
        let open_back = async {
            match back {
                Some(back) => body::open_checked(back, self.max_image_bytes).await.map(Some),
                None => Ok(None),
            }
        };
        let (front, back) = tokio::try_join!(body::open_checked(front, self.max_image_bytes), open_back)?;
        let body = body::body(spelling, front, back);
        let span = tracing::info_span!("POST", otel.kind = "client", http.request.method = "POST");
        span.set_attribute("server.address", self.url.host_str().unwrap_or_default().to_owned());
        let mut request = self.client.post(self.url.clone());
        for (name, value) in TraceContext::of(&span).headers() {
            request = request.header(name, value);
        }
        let response = request
            .header(AUTHORIZATION, authorization(token)?)
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, body.len)
            .body(reqwest::Body::wrap_stream(body.stream))
            .send()
            .instrument(span.clone())
            .await
            .map_err(|error| failure_of_transport(&error))?;
        let status = response.status().as_u16();
        span.set_attribute("http.response.status_code", i64::from(status));
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| refusal::parse_retry_after(value, OffsetDateTime::now_utc()));
        Ok(Answer { status, retry_after, body: collect(response).await? })
    }
}

fn authorization(token: &SecretString) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(token.expose_secret())
        .map_err(|_| Failure::of(Dependency::Ocr, Class::Unauthorised, "the token holds characters that no header may hold"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl std::fmt::Debug for RemoteReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteReader").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

async fn collect(response: reqwest::Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let mut chunks = std::pin::pin!(response.bytes_stream());
    while let Some(chunk) = chunks.try_next().await.map_err(|error: reqwest::Error| failure_of_transport(&error))? {
        let chunk: Bytes = chunk;
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(Failure::of(Dependency::Ocr, Class::Unavailable, "the OCR API's answer is larger than 1 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A call that brought no whole answer. A failure of the images' store, met while sending, is passed on as it is.
fn failure_of_transport(error: &reqwest::Error) -> Failure {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.clone();
        }
        source = cause.source();
    }
    let reason = if error.is_timeout() {
        "the OCR API did not answer in time"
    } else if error.is_connect() {
        "no connection to the OCR API (address, proxy or TLS)"
    } else {
        "the connection to the OCR API broke"
    };
    Failure::of(Dependency::Ocr, Class::Unavailable, reason)
}
