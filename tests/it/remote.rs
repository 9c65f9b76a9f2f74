//! The remote reader against a server on a real socket that answers as the hosted API might.
#![expect(clippy::unwrap_used, reason = "a panic is a test's report")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use idmill::config::{self, KeySpelling, ReaderOrder, Remote, Settings};
use idmill::document::{FieldName, IdType, Reading};
use idmill::failure::{Class, Dependency, Failure};
use idmill::reader::remote::RemoteReader;
use idmill::reader::{ImageSource, OpenImage, Reader, token};
use idmill::telemetry::StepTimes;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::api::specimen;
use crate::stage::environment;

const SECRET: &str = "secret of the tests";

/// The start of a JPEG and a tail that no three bytes divide.
const FRONT: &[u8] = b"\xFF\xD8\xFF\xE0 front of a fictional document";
const BACK: &[u8] = b"\xFF\xD8\xFF\xE0 back";

/// A server that gives the answers it was told to give, one a request.
struct StandIn {
    url: String,
    state: Arc<Told>,
}

#[derive(Default)]
struct Told {
    answers: Mutex<VecDeque<Response>>,
    requests: Mutex<Vec<Seen>>,
    pause: Mutex<Option<Duration>>,
}

struct Seen {
    /// As it stands in the request's line: a whole URL where the client believes to talk to a proxy.
    target: String,
    headers: HeaderMap,
    body: Value,
}

impl StandIn {
    async fn start(answers: impl IntoIterator<Item = Response>) -> Self {
        let state = Arc::new(Told { answers: Mutex::new(answers.into_iter().collect()), ..Told::default() });
        let router = Self::router(&state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ai/v1/ocr", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// The same over TLS, with a certificate that the authority signed for `localhost`.
    async fn start_tls(authority: &Authority, answers: impl IntoIterator<Item = Response>) -> Self {
        let state = Arc::new(Told { answers: Mutex::new(answers.into_iter().collect()), ..Told::default() });
        let router = Self::router(&state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/ai/v1/ocr", listener.local_addr().unwrap().port());
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(authority.server()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, router) = (acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    // A client that does not trust us hangs up here.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = hyper_util::service::TowerToHyperService::new(router);
                    let _ =
                        hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
                });
            }
        });
        Self { url, state }
    }

    fn router(state: &Arc<Told>) -> Router {
        Router::new().fallback(answer).layer(axum::extract::DefaultBodyLimit::disable()).with_state(Arc::clone(state))
    }

    fn bodies(&self) -> Vec<Value> {
        self.state.requests.lock().unwrap().iter().map(|seen| seen.body.clone()).collect()
    }

    fn tokens(&self) -> Vec<String> {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().map(|seen| seen.headers["authorization"].to_str().unwrap().to_owned()).collect()
    }
}

/// A certificate authority of the test's own.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    fn server(&self) -> ServerConfig {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }
}

async fn answer(State(told): State<Arc<Told>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-length"].to_str().unwrap(), body.len().to_string());
    let body = serde_json::from_slice(&body).expect("the request's body is JSON");
    told.requests.lock().unwrap().push(Seen { target: uri.to_string(), headers, body });
    let pause = *told.pause.lock().unwrap();
    if let Some(pause) = pause {
        tokio::time::sleep(pause).await;
    }
    told.answers.lock().unwrap().pop_front().unwrap_or_else(|| StatusCode::IM_A_TEAPOT.into_response())
}

fn status(status: u16, body: impl Into<Body>) -> Response {
    Response::builder().status(status).body(body.into()).unwrap()
}

fn with_retry_after(status: u16, value: &str) -> Response {
    Response::builder().status(status).header("retry-after", value).body(Body::empty()).unwrap()
}

fn documented() -> Value {
    json!({"idType": "passport", "idNumber": "L898902C3", "name": "ANNA MARIA ERIKSSON", "dateOfBirth": "1974-08-12",
           "address": "", "gender": "F", "mobileNumber": ""})
}

struct Client {
    reader: RemoteReader,
    /// Holds the secret.
    home: TempDir,
}

fn client(url: &str, adjust: impl FnOnce(&mut Remote)) -> Client {
    let home = TempDir::new().unwrap();
    let secret_file = home.path().join("secret");
    std::fs::write(&secret_file, SECRET).unwrap();
    let mut settings = Remote {
        url: url.to_owned(),
        api_key: "key of the tests".into(),
        secret_file: Some(secret_file),
        timeout: Duration::from_secs(5),
        ..Remote::default()
    };
    adjust(&mut settings);
    Client { reader: RemoteReader::new(&settings, 1_000_000).unwrap(), home }
}

async fn read_with(client: &Client) -> Result<Reading, Failure> {
    let (front, back) = (ImageSource::from_bytes(FRONT.into()), ImageSource::from_bytes(BACK.into()));
    client.reader.read(&front, Some(&back)).await
}

async fn read_from(answers: impl IntoIterator<Item = Response>) -> Result<Reading, Failure> {
    let stand_in = StandIn::start(answers).await;
    read_with(&client(&stand_in.url, |_| {})).await
}

fn data_uri(bytes: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(bytes))
}

#[tokio::test]
async fn a_document_is_sent_and_its_answer_read() {
    for answer in [
        status(200, documented().to_string()),
        status(201, json!({"data": documented()}).to_string()),
        status(200, json!([{"result": documented()}]).to_string()),
    ] {
        let stand_in = StandIn::start([answer]).await;
        let reading = read_with(&client(&stand_in.url, |_| {})).await.unwrap();
        assert_eq!(reading.id_type, IdType::Passport);
        assert_eq!(reading.value(FieldName::Name), "ANNA MARIA ERIKSSON");
        assert_eq!(stand_in.bodies(), [json!({"frontPart": data_uri(FRONT), "backPart": data_uri(BACK)})]);
        let token = stand_in.tokens().remove(0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let claims = token::verify(&token, &SECRET.into(), now).unwrap();
        assert_eq!((claims.apikey.as_str(), claims.version), ("key of the tests", Some(2)));
    }
}

#[tokio::test]
async fn a_single_side_is_sent_twice_unless_the_settings_say_otherwise() {
    let front = ImageSource::from_bytes(FRONT.into());
    for (duplicate_front, expected) in
        [(true, json!({"frontPart": data_uri(FRONT), "backPart": data_uri(FRONT)})), (false, json!({"frontPart": data_uri(FRONT)}))]
    {
        let stand_in = StandIn::start([status(200, documented().to_string())]).await;
        let client = client(&stand_in.url, |settings| settings.duplicate_front = duplicate_front);
        client.reader.read(&front, None).await.unwrap();
        assert_eq!(stand_in.bodies(), [expected]);
    }
}

#[tokio::test]
async fn the_other_spelling_is_tried_once_and_remembered() {
    let refusal = || status(400, r#"{"message":"\"frontpart\" is required"}"#);
    let stand_in = StandIn::start([refusal(), status(200, documented().to_string()), status(200, documented().to_string())]).await;
    let client = client(&stand_in.url, |_| {});
    read_with(&client).await.unwrap();
    read_with(&client).await.unwrap();
    let keys: Vec<bool> = stand_in.bodies().iter().map(|body| body.get("frontPart").is_some()).collect();
    assert_eq!(keys, [true, false, false]);

    // Once a document was read, a refusal that names a key is about the image in it, and is not paid for twice.
    let about_the_image = status(422, r#"{"message":"frontPart is no valid image"}"#);
    let stand_in = StandIn::start([status(200, documented().to_string()), about_the_image]).await;
    let client = self::client(&stand_in.url, |_| {});
    read_with(&client).await.unwrap();
    assert_eq!((read_with(&client).await.unwrap_err().class, stand_in.bodies().len()), (Class::Rejected, 2));

    let stand_in = StandIn::start([refusal(), refusal()]).await;
    let failure = read_with(&self::client(&stand_in.url, |_| {})).await.unwrap_err();
    assert_eq!((failure.class, stand_in.bodies().len()), (Class::Rejected, 2));

    let stand_in = StandIn::start([refusal()]).await;
    let camel = self::client(&stand_in.url, |settings| settings.key_spelling = KeySpelling::Camel);
    assert_eq!(read_with(&camel).await.unwrap_err().class, Class::Rejected);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let refusal = || status(401, r#"{"message":"Invalid token"}"#);
    let well = || status(200, documented().to_string());
    let rotate = |client: &Client| std::fs::write(client.home.path().join("secret"), "the next secret").unwrap();
    let stand_in = StandIn::start([well(), refusal(), well()]).await;
    let client = client(&stand_in.url, |_| {});
    read_with(&client).await.unwrap();
    rotate(&client);
    read_with(&client).await.unwrap();
    let tokens = stand_in.tokens();
    assert!(tokens.len() == 3 && tokens[1] == tokens[0] && tokens[2] != tokens[1], "{}", tokens.len());

    let stand_in = StandIn::start([well(), refusal(), refusal()]).await;
    let client = self::client(&stand_in.url, |_| {});
    read_with(&client).await.unwrap();
    rotate(&client);
    let failure = read_with(&client).await.unwrap_err();
    assert_eq!((failure.class, failure.dependency), (Class::Unauthorised, Some(Dependency::Ocr)));
    assert_eq!(failure.reason, "the OCR API answered 401: Invalid token");
    assert_eq!(stand_in.bodies().len(), 3);
}

#[tokio::test]
async fn a_token_that_is_refused_with_200_is_replaced_once_too() {
    let refusal = || status(200, r#"{"message":"Invalid token"}"#);
    let well = || status(200, documented().to_string());
    let stand_in = StandIn::start([well(), refusal(), well(), refusal(), refusal()]).await;
    let client = client(&stand_in.url, |_| {});
    let rotate = |secret: &str| std::fs::write(client.home.path().join("secret"), secret).unwrap();
    read_with(&client).await.unwrap();
    rotate("the next secret");
    read_with(&client).await.unwrap();
    rotate("the one after");
    let failure = read_with(&client).await.unwrap_err();
    assert_eq!((failure.class, failure.dependency), (Class::Unauthorised, Some(Dependency::Ocr)));
    assert_eq!(failure.reason, "the OCR API answered 2xx with an error: Invalid token");
    let tokens = stand_in.tokens();
    assert!(tokens.len() == 5 && tokens[1] == tokens[0] && tokens[2] != tokens[1] && tokens[4] != tokens[3], "{}", tokens.len());
}

#[tokio::test]
async fn a_refused_token_that_nobody_replaces_is_not_sent_again() {
    let stand_in = StandIn::start([status(401, r#"{"message":"Invalid token"}"#)]).await;
    let home = TempDir::new().unwrap();
    let path = home.path().join("token");
    std::fs::write(&path, "ready.made.token\n").unwrap();
    let client = client(&stand_in.url, |settings| settings.token_file = Some(path));
    assert_eq!(read_with(&client).await.unwrap_err().class, Class::Unauthorised);
    assert_eq!(stand_in.bodies().len(), 1);
}

#[tokio::test]
async fn a_token_that_cannot_be_had_is_told_by_its_setting_and_not_by_its_path() {
    let stand_in = StandIn::start([]).await;
    let client = client(&stand_in.url, |_| {});
    let path = client.home.path().join("secret");
    for (break_it, why) in [("", "it holds none"), ("gone", "entity not found")] {
        std::fs::write(&path, "").unwrap();
        if break_it == "gone" {
            std::fs::remove_file(&path).unwrap();
        }
        let failure = read_with(&client).await.unwrap_err();
        assert_eq!((failure.class, failure.dependency), (Class::Unauthorised, Some(Dependency::Ocr)));
        assert_eq!(failure.reason, format!("no token for the OCR API can be made of the file that reader.remote.secret_file names: {why}"));
    }
    assert!(stand_in.bodies().is_empty());
}

#[tokio::test]
async fn a_ready_token_is_sent_as_it_is() {
    let stand_in = StandIn::start([status(200, documented().to_string())]).await;
    let home = TempDir::new().unwrap();
    let path = home.path().join("token");
    std::fs::write(&path, "ready.made.token\n").unwrap();
    let client = client(&stand_in.url, |settings| settings.token_file = Some(path));
    read_with(&client).await.unwrap();
    assert_eq!(stand_in.tokens(), ["ready.made.token"]);
}

#[tokio::test]
async fn refusals_and_outages_are_classed() {
    for (answer, class) in [
        (status(400, "{}"), Class::Rejected),
        (status(402, "{}"), Class::Unauthorised),
        (status(403, "{}"), Class::Denied),
        (status(431, ""), Class::Denied),
        (status(404, "<html>"), Class::Unauthorised),
        (with_retry_after(302, "1"), Class::Unauthorised),
        (status(408, ""), Class::Unavailable),
        (status(413, ""), Class::Rejected),
        (status(422, ""), Class::Rejected),
        (status(500, "oops"), Class::Unavailable),
        (status(502, "<html>"), Class::Unavailable),
        (status(200, "<html>proxy</html>"), Class::Unavailable),
        (status(200, "{}"), Class::NoData),
        (status(200, r#"{"idType":"","name":""}"#), Class::NoData),
        (status(200, r#"{"error":{"message":"Invalid token","code":4002}}"#), Class::Unauthorised),
        (status(200, r#"{"message":"jwt expired"}"#), Class::Unauthorised),
        (status(200, r#"{"message":"no document in the image"}"#), Class::Rejected),
        (status(200, vec![b' '; 2_000_000]), Class::Unavailable),
    ] {
        let answered = answer.status();
        assert_eq!(read_from([answer]).await.unwrap_err().class, class, "{answered}");
    }
}

#[tokio::test]
async fn the_wait_that_is_asked_for_is_passed_on() {
    let failure = read_from([with_retry_after(429, "17")]).await.unwrap_err();
    assert_eq!((failure.class, failure.retry_after), (Class::Throttled, Some(Duration::from_secs(17))));
    let date = time::OffsetDateTime::now_utc() + Duration::from_secs(90);
    let format = time::macros::format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    let failure = read_from([with_retry_after(429, &date.format(format).unwrap())]).await.unwrap_err();
    assert!((60..=90).contains(&failure.retry_after.unwrap().as_secs()));
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_breaks_off_is_an_outage() {
    let stand_in = StandIn::start([]).await;
    *stand_in.state.pause.lock().unwrap() = Some(Duration::from_secs(60));
    let failure = read_with(&client(&stand_in.url, |settings| settings.timeout = Duration::from_millis(300))).await.unwrap_err();
    assert_eq!((failure.class, failure.reason.as_str()), (Class::Unavailable, "the OCR API did not answer in time"));

    let pieces = stream::iter([Ok(Bytes::from_static(b"{\"idType\":")), Err(std::io::Error::other("cut"))]);
    let failure = read_from([status(200, Body::from_stream(pieces))]).await.unwrap_err();
    assert_eq!(failure.class, Class::Unavailable);

    let failure = read_with(&client("http://127.0.0.1:9/ai/v1/ocr", |_| {})).await.unwrap_err();
    assert_eq!((failure.class, failure.dependency), (Class::Unavailable, Some(Dependency::Ocr)));
}

#[tokio::test]
async fn a_fault_of_the_images_store_is_not_blamed_on_the_api() {
    let stand_in = StandIn::start([]).await;
    let client = client(&stand_in.url, |_| {});
    let broken = ImageSource::new(|| async {
        let fault = Failure::of(Dependency::Storage, Class::Unavailable, "the store broke off");
        let chunks = stream::iter([Ok(Bytes::from_static(FRONT)), Err(fault)]).boxed();
        Ok(OpenImage { len: 500_000, chunks })
    });
    let failure = client.reader.read(&broken, None).await.unwrap_err();
    assert_eq!((failure.dependency, failure.reason.as_str()), (Some(Dependency::Storage), "the store broke off"));

    let text = ImageSource::from_bytes(Bytes::from_static(b"this is no image at all"));
    assert_eq!(client.reader.read(&text, None).await.unwrap_err().class, Class::BadImage);
    assert!(stand_in.bodies().is_empty(), "nothing was sent whole");
}

#[tokio::test]
async fn calls_go_through_the_proxy_that_the_settings_name() {
    let proxy = StandIn::start([status(200, documented().to_string())]).await;
    let address = proxy.url.trim_end_matches("/ai/v1/ocr").to_owned();
    // The name leads nowhere: only a proxy can answer.
    let client = client("http://ocr.invalid/ai/v1/ocr", |settings| settings.proxy = Some(address));
    assert_eq!(read_with(&client).await.unwrap().id_type, IdType::Passport);
    assert_eq!(proxy.state.requests.lock().unwrap()[0].target, "http://ocr.invalid/ai/v1/ocr");

    let gone = self::client(&proxy.url, |settings| settings.proxy = Some("http://127.0.0.1:9".into()));
    let failure = read_with(&gone).await.unwrap_err();
    assert_eq!((failure.class, proxy.bodies().len()), (Class::Unavailable, 1), "it is not gone around");
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_the_settings_name_it_and_no_other() {
    let (authority, other) = (Authority::new(), Authority::new());
    let stand_in = StandIn::start_tls(&authority, [status(200, documented().to_string())]).await;
    let home = TempDir::new().unwrap();
    let file = |name: &str, pem: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, pem).unwrap();
        Some(path)
    };
    for ca_file in [None, file("other.pem", &other.pem)] {
        let failure = read_with(&client(&stand_in.url, |settings| settings.ca_file = ca_file)).await.unwrap_err();
        assert_eq!((failure.class, failure.dependency), (Class::Unavailable, Some(Dependency::Ocr)));
        assert!(stand_in.bodies().is_empty(), "neither token nor document was sent");
    }
    let trusting = client(&stand_in.url, |settings| settings.ca_file = file("authority.pem", &authority.pem));
    assert_eq!(read_with(&trusting).await.unwrap().id_type, IdType::Passport);
}

/// A reader with the engine inside and this hosted API.
fn both(order: ReaderOrder, url: &str, home: &TempDir, probe_interval: Duration) -> Reader {
    let secret_file = home.path().join("secret");
    std::fs::write(&secret_file, SECRET).unwrap();
    let remote = Remote { url: url.to_owned(), api_key: "key".into(), secret_file: Some(secret_file), ..Remote::default() };
    let engine = config::Engine { dir: Some(environment("IDMILL__ENGINE__DIR").into()), instances: 1, ..config::Engine::default() };
    let retry = config::Retry { circuit_threshold: 2, probe_interval, ..config::Retry::default() };
    let reader = config::Reader { order, required_fields: vec!["idNumber".into(), "mobileNumber".into()], remote };
    Reader::open(&Settings { reader, engine, retry, ..Settings::default() }).unwrap()
}

/// The front of a specimen, with the number that is printed on it.
fn printed(name: &str) -> (ImageSource, String) {
    let front = std::fs::read(specimen(name).join("front.jpg")).unwrap();
    let truth: Value = serde_json::from_slice(&std::fs::read(specimen(name).join("truth.json")).unwrap()).unwrap();
    (ImageSource::from_bytes(front.into()), truth["truth"]["idNumber"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_takes_over_while_the_api_is_out_of_order() {
    let stand_in = StandIn::start([status(503, ""), status(503, ""), status(200, documented().to_string())]).await;
    let home = TempDir::new().unwrap();
    let reader = both(ReaderOrder::RemoteThenEmbedded, &stand_in.url, &home, Duration::from_secs(3600));
    let (front, number) = printed("passport-1");
    let failure = reader.read(&front, None, &mut StepTimes::default()).await.unwrap_err();
    assert_eq!((failure.class, failure.dependency), (Class::Unavailable, None), "one failure is retried, and pauses no worker");
    for what in ["the circuit opens, the engine reads", "no call while it is open"] {
        let reading = reader.read(&front, None, &mut StepTimes::default()).await.unwrap();
        assert_eq!((reading.value(FieldName::IdNumber), stand_in.bodies().len()), (number.as_str(), 2), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_asked_again_when_a_probe_is_due() {
    let healthy = || status(200, documented().to_string());
    let stand_in = StandIn::start([status(503, ""), status(503, ""), healthy(), healthy()]).await;
    let home = TempDir::new().unwrap();
    let reader = both(ReaderOrder::RemoteThenEmbedded, &stand_in.url, &home, Duration::ZERO);
    let (front, number) = printed("passport-1");
    assert!(reader.read(&front, None, &mut StepTimes::default()).await.is_err());
    assert_eq!(reader.read(&front, None, &mut StepTimes::default()).await.unwrap().value(FieldName::IdNumber), number);
    for n_calls in [3, 4] {
        let reading = reader.read(&front, None, &mut StepTimes::default()).await.unwrap();
        assert_eq!((reading.value(FieldName::IdNumber), stand_in.bodies().len()), ("L898902C3", n_calls), "the API reads again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_asked_when_the_engine_misses_a_required_field() {
    let (front, number) = printed("passport-1");
    let home = TempDir::new().unwrap();
    let stand_in = StandIn::start([status(200, documented().to_string()), status(503, "")]).await;
    let reader = both(ReaderOrder::EmbeddedThenRemote, &stand_in.url, &home, Duration::ZERO);
    // No passport has a mobile number.
    assert_eq!(reader.read(&front, None, &mut StepTimes::default()).await.unwrap().value(FieldName::IdNumber), "L898902C3");
    assert_eq!(stand_in.bodies().len(), 1);
    let kept = reader.read(&front, None, &mut StepTimes::default()).await.unwrap();
    assert_eq!(kept.value(FieldName::IdNumber), number, "a reading that misses a field is worth more than an outage");
    assert_eq!(stand_in.bodies().len(), 2);

    // What is no image is no business of the API's.
    let text = ImageSource::from_bytes(Bytes::from_static(b"this is no image at all"));
    assert_eq!(reader.read(&text, None, &mut StepTimes::default()).await.unwrap_err().class, Class::BadImage);
    assert_eq!(stand_in.bodies().len(), 2);
}
