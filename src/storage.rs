//! Object key -> bytes, within limits. All of aws-sdk-s3; knows nothing of queues and of documents.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as ProvidedCredentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, ProvideCredentials, Region, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::stream;
use futures_util::{StreamExt, TryFutureExt};
use secrecy::ExposeSecret;
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::Instrument;

use crate::config::{self, read_secret};
use crate::failure::{Class, Dependency, Failure};
use crate::job::{Job, ObjectKey};
use crate::reader::{ImageSource, OpenImage, parse_http_date};

/// Longest wait for a TCP connection to the store.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long credentials from a file are used before the file is read again.
const CREDENTIALS_LIFE: Duration = Duration::from_secs(300);

/// Images in S3.
#[derive(Debug, Clone)]
pub struct Storage {
    client: Client,
    settings: config::Storage,
}

impl Storage {
    /// A client for these settings; connects at the first request.
    ///
    /// # Errors
    /// The credentials file cannot be read.
    pub async fn new(settings: config::Storage) -> anyhow::Result<Self> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(path) = &settings.credentials_file {
            let file = CredentialsFile { path: path.clone() };
            file.read().context("failed to read the credentials for S3")?;
            loader = loader.credentials_provider(file);
        }
        let region = settings.region.clone().or_else(|| settings.endpoint.as_ref().map(|_| "us-east-1".into()));
        if let Some(region) = region {
            loader = loader.region(Region::new(region));
        }
        let shared = loader.load().await;
        let mut builder = aws_sdk_s3::config::Builder::from(&shared)
            // Retries are ours: the circuit has to see each failure.
            .force_path_style(settings.path_style)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build());
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        if !settings.verify_checksums {
            builder = builder.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        Ok(Self { client: Client::from_conf(builder.build()), settings })
    }

    /// The bucket of a job's images.
    ///
    /// # Errors
    /// [`Class::BadJob`] where the job names a bucket that is not on the allow-list.
    pub fn bucket_of<'a>(&'a self, job: &'a Job) -> Result<&'a str, Failure> {
        let Some(named) = &job.bucket else { return Ok(&self.settings.bucket) };
        let allowed = *named == self.settings.bucket || self.settings.allowed_buckets.contains(named);
        if allowed { Ok(named) } else { Err(Failure::new(Class::BadJob, "the job names a bucket that is not in storage.allowed_buckets")) }
    }

    /// The image at a key, to be opened when somebody wants to read it.
    pub fn image(&self, bucket: &str, key: &ObjectKey) -> ImageSource {
        let (storage, bucket, key) = (self.clone(), bucket.to_owned(), key.clone());
        ImageSource::new(move || {
            let (storage, bucket, key) = (storage.clone(), bucket.clone(), key.clone());
            async move { storage.open(&bucket, &key).await }
        })
    }

    /// Uploads an object.
    ///
    /// # Errors
    /// The store cannot be reached, does not answer in time, or refuses us.
    pub async fn put(&self, key: &ObjectKey, bytes: Vec<u8>) -> anyhow::Result<()> {
        let request = self.client.put_object().bucket(&self.settings.bucket).key(key.as_str()).body(ByteStream::from(bytes));
        let sent = tokio::time::timeout(self.settings.timeout, request.send())
            .await
            .with_context(|| format!("failed to upload to S3: it took longer than storage.timeout, {:?}", self.settings.timeout))?;
        let Err(error) = sent else { return Ok(()) };
        match error.raw_response().map(|raw| raw.status().as_u16()) {
            Some(403) => bail!("failed to upload to S3: it denies access (403); check credentials, and that they have s3:PutObject"),
            _ => bail!("failed to upload to S3: {}", self.classify(&error, &self.settings.bucket).reason),
        }
    }

    /// Whether the bucket can be read, and the store's clock where it tells: asks for an object that should not be there.
    ///
    /// # Errors
    /// What a job would meet: the store cannot be reached, refuses us, or has no such bucket.
    pub async fn probe(&self, bucket: &str) -> (Result<(), Failure>, Option<OffsetDateTime>) {
        let request = self.client.get_object().bucket(bucket).key("idmill-doctor/no-such-object").send();
        let answer = match tokio::time::timeout(self.settings.timeout, request).await {
            Ok(answer) => answer,
            Err(_) => return (Err(Failure::of(Dependency::Storage, Class::Unavailable, "the object store did not answer in time")), None),
        };
        let Err(error) = answer else { return (Ok(()), None) };
        let date = error.raw_response().and_then(|raw| raw.headers().get("date")).and_then(parse_http_date);
        let failure = self.classify(&error, bucket);
        let outcome = match failure.class {
            // Whoever is no object store answers 404 too, in words of its own.
            Class::ImageMissing if error.code().is_none() => {
                Err(Failure::of(Dependency::Storage, Class::Unavailable, "what answers (404) does not speak like an object store"))
            }
            Class::ImageMissing => Ok(()),
            _ => Err(failure),
        };
        (outcome, date)
    }

    async fn open(&self, bucket: &str, key: &ObjectKey) -> Result<OpenImage, Failure> {
        // One time-out for answer and body: the SDK has none by default, and its operation time-out leaves the body out. It
        // counts what is spent waiting for the store: a hosted API that takes its time over the images is not the store's fault.
        let (timeout, started) = (self.settings.timeout, Instant::now());
        let overdue =
            move || Failure::of(Dependency::Storage, Class::Unavailable, format!("the object store took longer than {timeout:?}"));
        let request = self.client.get_object().bucket(bucket).key(key.as_str()).send();
        let request = request.map_err(|error| self.classify(&error, bucket));
        let span = tracing::info_span!("S3 GetObject", otel.kind = "client", rpc.system = "aws-api");
        let object = tokio::time::timeout(timeout, request).instrument(span).await.map_err(|_| overdue())??;
        let left = timeout.saturating_sub(started.elapsed());
        let Some(len) = object.content_length().and_then(|len| u64::try_from(len).ok()) else {
            return Err(Failure::of(Dependency::Storage, Class::Unavailable, "the object store does not say how long the object is"));
        };
        if len == 0 {
            return Err(Failure::new(Class::BadImage, "the object is empty"));
        }
        if len > self.settings.max_object_bytes {
            return Err(Failure::new(
                Class::BadImage,
                format!("the object has {len} bytes, storage.max_object_bytes is {}", self.settings.max_object_bytes),
            ));
        }
        let chunks = stream::try_unfold((object.body, len, left), move |(mut body, n_missing, left)| async move {
            let asked = Instant::now();
            let next = tokio::time::timeout(left, body.next()).await.map_err(|_| overdue())?;
            let left = left.saturating_sub(asked.elapsed());
            let broken = || Failure::of(Dependency::Storage, Class::Unavailable, "the object store broke off in the middle of an object");
            match next {
                Some(Ok(chunk)) => {
                    let n_missing = n_missing.checked_sub(chunk.len() as u64).ok_or_else(broken)?;
                    Ok(Some((chunk, (body, n_missing, left))))
                }
                None if n_missing == 0 => Ok(None::<(Bytes, _)>),
                Some(Err(_)) | None => Err(broken()),
            }
        });
        Ok(OpenImage { len, chunks: chunks.boxed() })
    }

    /// The one place where the store's errors become ours. No key and no bucket of the job is in the words.
    fn classify<E: ProvideErrorMetadata>(&self, error: &SdkError<E>, bucket: &str) -> Failure {
        match error {
            SdkError::ServiceError(answer) => {
                let (status, code) = (answer.raw().status().as_u16(), answer.err().code().unwrap_or_default());
                failure_of_answer(status, code, bucket == self.settings.bucket)
            }
            _ => failure_without_answer(error),
        }
    }
}

/// What an answer of the store means for the job; `own_bucket` tells whether the bucket is that of the settings.
fn failure_of_answer(status: u16, code: &str, own_bucket: bool) -> Failure {
    let of = |class, reason: String| Failure::of(Dependency::Storage, class, reason);
    // Codes are words of the store's own vocabulary; whatever does not look like one is left out.
    let is_a_word = (1..=40).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let answer = if is_a_word { format!("{status}, {code}") } else { status.to_string() };
    match (status, code) {
        (301, _) | (_, "NoSuchBucket" | "InvalidBucketName") if own_bucket => {
            of(Class::Unauthorised, format!("the bucket does not exist there ({answer}): check storage.bucket and storage.region"))
        }
        // The store serves those who name no such bucket.
        (301, _) | (_, "NoSuchBucket" | "InvalidBucketName") => {
            let reason = format!("the bucket that the job names does not exist there ({answer}): check storage.allowed_buckets");
            Failure::new(Class::Denied, reason)
        }
        (404, _) => Failure::new(Class::ImageMissing, "the object does not exist"),
        (429, _) | (503, "SlowDown") => of(Class::Throttled, format!("the object store asks to slow down ({answer})")),
        // About us, whatever is asked for. The first is what S3 answers for another region than the bucket's.
        (
            _,
            "AuthorizationHeaderMalformed" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken"
            | "RequestTimeTooSkewed",
        )
        | (401, _) => of(Class::Unauthorised, format!("the object store refuses us ({answer}): check credentials, region and clock")),
        // About the key alone: Amazon's, and that of MinIO, which takes no `a//b`.
        (400, "KeyTooLongError" | "InvalidURI" | "XMinioInvalidObjectName") => {
            Failure::new(Class::BadJob, format!("the object store takes no such object key ({answer})"))
        }
        // The object lies in an archive: whoever is told so may read.
        (403, "InvalidObjectState") => {
            Failure::new(Class::Denied, format!("the object is archived ({answer}): restore it, then replay the job"))
        }
        (403, "AccessDenied") => of(
            Class::Denied,
            "the object store denies access (403): the object is missing and s3:ListBucket is not granted, or credentials or bucket policy do not let us read it".into(),
        ),
        // A key of encryption that is not ours, a policy, a proxy: this object, or all of them.
        (400 | 403, _) => of(Class::Denied, format!("the object store denies the object ({answer}): check it, and credentials and bucket policy")),
        _ => of(Class::Unavailable, format!("the object store answered {answer}")),
    }
}

fn failure_without_answer<E>(error: &SdkError<E>) -> Failure {
    let (class, what) = match error {
        SdkError::DispatchFailure(failure) if failure.as_connector_error().is_some_and(|error| lacks_credentials(error)) => (
            Class::Unauthorised,
            "there are no credentials for the object store: set storage.credentials_file, or give the process an identity",
        ),
        SdkError::ConstructionFailure(_) => {
            (Class::Unauthorised, "no request to the object store could be made: check region and credentials")
        }
        SdkError::TimeoutError(_) => (Class::Unavailable, "the object store did not answer in time"),
        SdkError::DispatchFailure(_) => (Class::Unavailable, "the object store cannot be reached"),
        _ => (Class::Unavailable, "the object store sent an answer that makes no sense"),
    };
    Failure::of(Dependency::Storage, class, what)
}

/// Whether nobody had credentials to sign the request with, which the SDK reports like a connection that failed.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| error.is::<CredentialsError>())
}

/// Credentials in a mounted file, read again every few minutes, so that rotated ones are picked up.
#[derive(Debug)]
struct CredentialsFile {
    path: PathBuf,
}

impl CredentialsFile {
    fn read(&self) -> anyhow::Result<Credentials> {
        let text = read_secret("storage.credentials_file", &self.path)?;
        let mut lines = text.expose_secret().lines().map(str::trim);
        let (Some(id), Some(secret)) = (lines.next(), lines.next()) else {
            bail!("storage.credentials_file must hold the access key id on its first line and the secret on its second");
        };
        Ok(Credentials::new(id, secret, None, Some(SystemTime::now() + CREDENTIALS_LIFE), "storage.credentials_file"))
    }
}

impl ProvideCredentials for CredentialsFile {
    fn provide_credentials<'a>(&'a self) -> ProvidedCredentials<'a>
    where
        Self: 'a,
    {
        ProvidedCredentials::ready(self.read().map_err(CredentialsError::provider_error))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use futures_util::TryStreamExt;

    use super::*;

    #[test]
    fn what_is_about_us_opens_the_circuit_and_what_is_about_one_object_does_not() {
        let class = |status, code, own_bucket| {
            let failure = failure_of_answer(status, code, own_bucket);
            assert_eq!(failure.dependency.is_none(), matches!(failure.class, Class::BadJob | Class::ImageMissing), "{status} {code}");
            failure.class
        };
        for (status, code, expected) in [
            (400, "AuthorizationHeaderMalformed", Class::Unauthorised),
            (400, "ExpiredToken", Class::Unauthorised),
            (401, "", Class::Unauthorised),
            (403, "InvalidAccessKeyId", Class::Unauthorised),
            (403, "SignatureDoesNotMatch", Class::Unauthorised),
            (403, "RequestTimeTooSkewed", Class::Unauthorised),
            (400, "XMinioInvalidObjectName", Class::BadJob),
            (400, "KeyTooLongError", Class::BadJob),
            (400, "InvalidRequest", Class::Denied),
            (400, "KMS.DisabledException", Class::Denied),
            (403, "AccessDenied", Class::Denied),
            (403, "", Class::Denied),
            (404, "NoSuchKey", Class::ImageMissing),
            (429, "", Class::Throttled),
            (503, "SlowDown", Class::Throttled),
            (500, "InternalError", Class::Unavailable),
        ] {
            assert_eq!(class(status, code, true), expected, "{status} {code}");
        }
        for (status, code) in [(301, "PermanentRedirect"), (404, "NoSuchBucket")] {
            assert_eq!(class(status, code, true), Class::Unauthorised, "{status} {code}");
        }
        for (status, code, own_bucket) in
            [(301, "PermanentRedirect", false), (404, "NoSuchBucket", false), (403, "InvalidObjectState", true)]
        {
            let failure = failure_of_answer(status, code, own_bucket);
            assert_eq!((failure.class, failure.dependency), (Class::Denied, None), "the store is well");
            assert!(failure.reason.contains(&format!("({status}, {code})")), "{}", failure.reason);
        }
        assert!(!failure_of_answer(403, "no word: jane-doe.jpg", true).reason.contains("jane"));
    }

    /// A store at the listener, with `timeout` for an object, and the folder of its credentials.
    async fn store_at(listener: &TcpListener, timeout: Duration) -> (Storage, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        let credentials_file = home.path().join("credentials");
        std::fs::write(&credentials_file, "key\nsecret\n").unwrap();
        let settings = config::Storage {
            endpoint: Some(format!("http://{}", listener.local_addr().unwrap())),
            credentials_file: Some(credentials_file),
            path_style: true,
            timeout,
            ..config::Storage::default()
        };
        (Storage::new(settings).await.unwrap(), home)
    }

    #[tokio::test]
    async fn time_in_which_nobody_asks_the_store_for_more_is_not_the_stores() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (storage, _home) = store_at(&listener, Duration::from_secs(60)).await;
        let (ask, asked) = mpsc::channel();
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            assert!(client.read(&mut [0; 8192]).unwrap() > 0);
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").unwrap();
            for rest in [&b"res"[..], b"t"] {
                asked.recv().unwrap();
                std::thread::sleep(Duration::from_millis(100));
                client.write_all(rest).unwrap();
            }
        });
        let mut image = storage.image("idmill", &ObjectKey::parse("front".into()).unwrap()).open().await.unwrap();
        let mut bytes = image.chunks.try_next().await.unwrap().unwrap().to_vec();
        for _ in 0..2 {
            // Whoever reads is busy elsewhere, for longer than the store may take.
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(61)).await;
            tokio::time::resume();
            ask.send(()).unwrap();
            bytes.extend(image.chunks.try_next().await.unwrap().unwrap());
        }
        assert_eq!((bytes.as_slice(), image.chunks.try_next().await.unwrap()), (&b"halfrest"[..], None));
        server.join().unwrap();
    }

    #[tokio::test]
    async fn a_store_that_stops_in_the_middle_of_an_object_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (storage, _home) = store_at(&listener, Duration::from_secs(5)).await;
        let (done, is_done) = mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            assert!(client.read(&mut [0; 8192]).unwrap() > 0);
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").unwrap();
            let _ = is_done.recv();
        });
        let image = storage.image("idmill", &ObjectKey::parse("front".into()).unwrap());
        let failure = tokio::time::timeout(Duration::from_secs(240), image.read_all(100)).await.unwrap().unwrap_err();
        assert_eq!((failure.class, failure.dependency), (Class::Unavailable, Some(Dependency::Storage)));
        drop(done);
        server.join().unwrap();
    }

    #[tokio::test]
    async fn an_upload_to_a_store_that_does_not_answer_ends() {
        // The kernel takes the connection, and nobody ever reads from it.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let (storage, _home) = store_at(&silent, Duration::from_millis(200)).await;
        let key = ObjectKey::parse("submitted/1/front".into()).unwrap();
        let error = tokio::time::timeout(Duration::from_secs(240), storage.put(&key, vec![1; 100])).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("storage.timeout"), "{error:#}");
    }
}
