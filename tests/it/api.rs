//! The HTTP API as clients see it: `idmill serve` as a process of its own, with the engine inside.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use idmill::reader::token::{self, Claims};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::{PATIENCE, environment};

const KEY: &str = "key-of-the-tests";
const SECRET: &str = "secret-of-the-tests";

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    log: PathBuf,
    home: TempDir,
}

impl Server {
    /// Starts a server with a file of one key, and with these settings besides.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let home = TempDir::new().expect("folder");
        let keys = home.path().join("keys");
        std::fs::write(&keys, format!("# keys of the tests\n{KEY} {SECRET}\n")).expect("keys");
        let log = home.path().join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_idmill"));
        command.arg("serve").current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).expect("log"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("IDMILL__")) {
            command.env_remove(name);
        }
        command.env("IDMILL__API__LISTEN", "127.0.0.1:0").env("IDMILL__API__KEYS_FILE", keys);
        command.env("IDMILL__ENGINE__DIR", environment("IDMILL__ENGINE__DIR")).env("IDMILL__ENGINE__INSTANCES", "1");
        command.env("IDMILL__TELEMETRY__LOG_FORMAT", "json");
        for (key, value) in settings {
            command.env(format!("IDMILL__{}", key.to_uppercase().replace('.', "__")), value);
        }
        let mut child = command.spawn().expect("the server's process starts");
        let started = Instant::now();
        let address = loop {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(address) = lines.filter_map(|line| line["address"].as_str()?.parse().ok()).next() {
                break address;
            }
            if let Some(status) = child.try_wait().expect("process state") {
                panic!("the server ended at its start with {status}:\n{text}");
            }
            assert!(started.elapsed() < PATIENCE, "the server does not listen:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        };
        Self { child, address, log, home }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it has logged so far.
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Posts a body with a good token.
    async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let request =
            client().post(self.url("/ai/v1/ocr?details=true")).header(AUTHORIZATION, token()).header(CONTENT_TYPE, "application/json");
        answer(request.body(body).send().await.expect("an answer")).await
    }

    fn terminate(&self) {
        let done = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status().expect("sh");
        assert!(done.success());
    }

    /// Resident memory in KiB.
    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("client")
}

async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.expect("a JSON answer"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn token() -> String {
    token_of(&Claims::for_api(KEY, now(), 600), SECRET)
}

fn token_of(claims: &Claims, secret: &str) -> String {
    token::mint(claims, &secret.into()).expect("token").expose_secret().to_owned()
}

/// A rendered specimen's folder.
pub(crate) fn specimen(name: &str) -> PathBuf {
    Path::new(&environment("IDMILL_TEST_SPECIMENS")).join("clean").join(name)
}

fn image(name: &str) -> Vec<u8> {
    std::fs::read(specimen(name).join("front.jpg")).expect("specimen")
}

fn data_uri(bytes: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(bytes))
}

fn body(front: &[u8]) -> String {
    json!({"frontPart": data_uri(front)}).to_string()
}

fn check_error((status, body): &(u16, Value), expected: (u16, &str)) {
    assert_eq!((*status, body["code"].as_str().unwrap_or_default()), expected, "{body}");
    let mut keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
    keys.sort();
    assert_eq!(keys, ["code", "message", "requestId"]);
}

#[tokio::test]
async fn a_document_is_answered_with_the_seven_keys() {
    let server = Server::start(&[]);
    let front = image("passport-1");
    let truth: Value = serde_json::from_slice(&std::fs::read(specimen("passport-1").join("truth.json")).unwrap()).unwrap();
    let mut answers = Vec::new();
    for (keys, front) in [(["frontPart", "backPart"], data_uri(&front)), (["frontpart", "backpart"], BASE64_STANDARD.encode(&front))] {
        let body = json!({keys[0]: front, keys[1]: front}).to_string();
        let request = client().post(server.url("/ai/v1/ocr")).header(AUTHORIZATION, token()).header(CONTENT_TYPE, "application/json");
        let (status, answer) = answer(request.body(body).send().await.unwrap()).await;
        assert_eq!(status, 200, "{answer}");
        answers.push(answer);
    }
    assert_eq!(answers[0], answers[1]);
    let keys: Vec<&String> = answers[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["idType", "idNumber", "name", "dateOfBirth", "address", "gender", "mobileNumber"]);
    assert_eq!(answers[0]["idType"], "passport");
    assert_eq!(answers[0]["idNumber"], truth["truth"]["idNumber"]);

    let (_, detailed) = server.post(body(&front)).await;
    assert!(detailed["details"].is_object() && detailed["warnings"].is_array() && detailed["timing"]["readMs"].is_number());
}

#[tokio::test]
async fn tokens_are_asked_for_and_checked() {
    let server = Server::start(&[]);
    let claims = Claims::for_api(KEY, now(), 600);
    let unsigned = {
        let payload = token_of(&claims, SECRET).split('.').nth(1).unwrap().to_owned();
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")
    };
    for (token, expected) in [
        (None, (401, "TOKEN_MISSING")),
        (Some(String::new()), (401, "TOKEN_MISSING")),
        (Some("nonsense".into()), (401, "TOKEN_INVALID")),
        (Some(unsigned), (401, "TOKEN_INVALID")),
        (Some(token_of(&claims, "another secret")), (401, "TOKEN_INVALID")),
        (Some(token_of(&Claims { apikey: "nobody".into(), ..claims.clone() }, SECRET)), (401, "TOKEN_INVALID")),
        (Some(token_of(&Claims { roles: vec!["rtc".into()], ..claims.clone() }, SECRET)), (401, "TOKEN_INVALID")),
        (Some(format!("Bearer {}", token_of(&claims, SECRET))), (401, "TOKEN_INVALID")),
        (Some(token_of(&Claims::for_api(KEY, now() - 1000, 600), SECRET)), (401, "TOKEN_EXPIRED")),
        (Some(token_of(&claims, SECRET)), (400, "IMAGE_MISSING")),
    ] {
        let mut request = client().post(server.url("/ai/v1/ocr")).header(CONTENT_TYPE, "application/json").body("{}");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        check_error(&answer(request.send().await.unwrap()).await, expected);
    }
    std::fs::write(server.home.path().join("keys"), "another-key another-secret-of-the-tests\n").unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    check_error(&server.post("{}").await, (401, "TOKEN_INVALID"));
}

/// A PNG whose header promises this many pixels and whose data is missing.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    [&b"\x89PNG\r\n\x1a\n\0\0\0\x0d"[..], &chunk, &crc.sum().to_be_bytes(), b"\0\0\0\0IDAT"].concat()
}

/// Bodies that must be refused, with how.
fn hostile_bodies(front: &[u8]) -> Vec<(Vec<u8>, (u16, &'static str))> {
    let base64 = BASE64_STANDARD.encode(front);
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (text(""), (400, "BODY_INVALID")),
        (text("[]"), (400, "BODY_INVALID")),
        (text("null"), (400, "BODY_INVALID")),
        (text("{\"frontPart\":"), (400, "BODY_INVALID")),
        (vec![0xFF; 1000], (400, "BODY_INVALID")),
        ("[".repeat(200_000).into_bytes(), (400, "BODY_INVALID")),
        ("{\"a\":".repeat(100_000).into_bytes(), (400, "BODY_INVALID")),
        (text("{}"), (400, "IMAGE_MISSING")),
        (text("{\"frontPart\":null}"), (400, "IMAGE_MISSING")),
        (text("{\"frontPart\":7}"), (400, "IMAGE_NOT_BASE64")),
        (text("{\"frontPart\":{\"a\":[]}}"), (400, "IMAGE_NOT_BASE64")),
        (text("{\"frontPart\":\"https://example.org/front.jpg\"}"), (400, "IMAGE_NOT_BASE64")),
        (text(&format!("{{\"frontPart\":\"{}\"}}", &base64[..4001])), (400, "IMAGE_NOT_BASE64")),
        (text(&format!("{{\"frontPart\":\"{base64}\",\"frontpart\":\"aGVsbG8=\"}}")), (400, "IMAGE_AMBIGUOUS")),
        (body(b"%PDF-1.7 a document").into_bytes(), (415, "IMAGE_UNSUPPORTED")),
        (body(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif").into_bytes(), (415, "IMAGE_UNSUPPORTED")),
        (body(b"plain text").into_bytes(), (415, "IMAGE_UNSUPPORTED")),
        (body(&front[..front.len() / 2]).into_bytes(), (422, "IMAGE_CORRUPT")),
        (body(&png_header(100_000, 100_000)).into_bytes(), (413, "IMAGE_TOO_LARGE")),
        (body(&png_header(4, 4)).into_bytes(), (422, "IMAGE_TOO_SMALL")),
        (body(&png_header(500, 300)).into_bytes(), (422, "IMAGE_CORRUPT")),
    ]
}

#[tokio::test]
async fn hostile_requests_get_their_code_and_leave_the_server_answering() {
    let server = Server::start(&[("api.max_image_bytes", "2000000")]);
    let front = image("passport-1");
    assert_eq!(server.post(body(&front)).await.0, 200);
    let bodies = hostile_bodies(&front);
    for (body, expected) in &bodies {
        check_error(&server.post(body.clone()).await, *expected);
    }
    check_error(&server.post(body(&vec![7; 2_000_001])).await, (413, "IMAGE_TOO_LARGE"));
    check_error(&server.post(vec![b' '; 29 * 1024 * 1024]).await, (413, "BODY_TOO_LARGE"));
    let form = client().post(server.url("/ai/v1/ocr")).header(AUTHORIZATION, token()).header(CONTENT_TYPE, "text/plain").body("x");
    check_error(&answer(form.send().await.unwrap()).await, (415, "MEDIA_TYPE_UNSUPPORTED"));
    let odd = client().post(server.url("/ai/v1/ocr?details=perhaps")).header(AUTHORIZATION, token()).body("{}");
    check_error(&answer(odd.send().await.unwrap()).await, (400, "PARAMETER_INVALID"));
    check_error(&answer(client().get(server.url("/ai/v1/ocr")).send().await.unwrap()).await, (405, "METHOD_NOT_ALLOWED"));
    check_error(&answer(client().get(server.url("/nothing")).send().await.unwrap()).await, (404, "NOT_FOUND"));

    // Memory settles in the first rounds; what counts is that it then stays.
    let client = client();
    let mut settled = 0;
    for round in 0..40 {
        let token = token();
        if round == 10 {
            settled = server.memory_kib();
        }
        for (body, (status, _)) in &bodies {
            let request = client.post(server.url("/ai/v1/ocr")).header(AUTHORIZATION, &token).header(CONTENT_TYPE, "application/json");
            assert_eq!(request.body(body.clone()).send().await.unwrap().status().as_u16(), *status);
        }
    }
    let grown = server.memory_kib().saturating_sub(settled);
    assert!(grown < 32 * 1024, "{grown} KiB more than after the first rounds");
    assert_eq!(server.post(body(&front)).await.0, 200);
}

#[tokio::test]
async fn who_sends_much_that_is_not_wanted_before_it_reads_is_told_why() {
    const N_CHUNKS: usize = 30;
    // Far more than the limit and what the kernel holds for a connection.
    let chunk = vec![b'A'; 1_000_000];
    let server = Server::start(&[("api.max_body_bytes", "1000000"), ("api.read_timeout", "240s")]);
    let (document, nothing) = ("/ai/v1/ocr", "/ai/v1/orc");
    for (path, is_chunked, code) in [
        (document, false, "BODY_TOO_LARGE"),
        (document, true, "BODY_TOO_LARGE"),
        (nothing, false, "NOT_FOUND"),
        ("/openapi.json", true, "METHOD_NOT_ALLOWED"),
    ] {
        let length = match is_chunked {
            true => "transfer-encoding: chunked".to_owned(),
            false => format!("content-length: {}", N_CHUNKS * chunk.len()),
        };
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {}\r\n{length}\r\n\r\n", token());
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..N_CHUNKS {
            if is_chunked {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).unwrap();
            }
            stream.write_all(&chunk).expect("the server takes all that is sent");
            if is_chunked {
                stream.write_all(b"\r\n").unwrap();
            }
        }
        if is_chunked {
            stream.write_all(b"0\r\n\r\n").unwrap();
        }
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 4") && text.contains(code), "{path}: {text}");
    }
}

#[tokio::test]
async fn slow_clients_time_out() {
    let server = Server::start(&[("api.read_timeout", "1s")]);
    let wait = |start: &[u8]| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(start).unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    };
    let started = Instant::now();
    wait(b"POST /ai/v1/ocr HTTP/1.1\r\nhost: x\r\n");
    let head =
        format!("POST /ai/v1/ocr HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {}\r\ncontent-length: 1000\r\n\r\n{{", token());
    assert!(wait(head.as_bytes()).contains("BODY_TIMEOUT"));
    let refused = b"POST /ai/v1/ocr HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n{";
    assert!(wait(refused).contains("TOKEN_MISSING"), "it is not waited for any longer than others");
    assert!(started.elapsed() < Duration::from_secs(60), "three times the default would be longer");
}

#[tokio::test]
async fn what_finds_no_place_is_refused_at_once() {
    let server = Arc::new(Server::start(&[("api.queue", "1")]));
    let body = body(&image("passport-1"));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (server, body) = (Arc::clone(&server), body.clone());
        tasks.spawn(async move {
            let request = client().post(server.url("/ai/v1/ocr")).header(AUTHORIZATION, token()).header(CONTENT_TYPE, "application/json");
            let response = request.body(body).send().await.unwrap();
            (response.status().as_u16(), response.headers().contains_key("retry-after"))
        });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer, (200, false) | (429, true))), "{answers:?}");
    assert!(answers.contains(&(200, false)) && answers.contains(&(429, true)), "{answers:?}");
}

#[tokio::test]
async fn who_is_to_come_back_later_is_told_how_long_those_inside_take() {
    // One is read and four wait.
    const N_PLACES: usize = 5;
    let server = Arc::new(Server::start(&[("api.queue", "4"), ("api.read_timeout", "240s")]));
    let body = body(&image("passport-1"));
    let mut longest_ms = 0.0_f64;
    let mut waits = Vec::new();
    let started = Instant::now();
    // The first round has a place for everybody; those after it have not, unless the machine is slow to send them.
    for n_requests in std::iter::once(N_PLACES).chain(std::iter::repeat(3 * N_PLACES)) {
        let mut round = tokio::task::JoinSet::new();
        for _ in 0..n_requests {
            let (server, body) = (Arc::clone(&server), body.clone());
            round.spawn(async move {
                let request =
                    client().post(server.url("/ai/v1/ocr")).header(AUTHORIZATION, token()).header(CONTENT_TYPE, "application/json");
                let response = request.body(body).send().await.unwrap();
                let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
                (response.status().as_u16(), header("retry-after"), header("server-timing"))
            });
        }
        for answer in round.join_all().await {
            match answer {
                (200, None, Some(timing)) => longest_ms = longest_ms.max(in_engine_ms(&timing)),
                (429, Some(wait), None) => waits.push(wait.parse::<u32>().unwrap()),
                other => panic!("{other:?}"),
            }
        }
        if !waits.is_empty() {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "nobody was refused");
    }
    // Before the first document the server reckons with half a second for each.
    let all_inside_ms = N_PLACES as f64 * longest_ms.max(500.0);
    assert!(waits.iter().all(|wait| f64::from(*wait) <= (all_inside_ms / 1000.0).ceil()), "{waits:?} s, {all_inside_ms} ms");
}

/// What a document took without its wait for the engine, as the header `Server-Timing` says.
fn in_engine_ms(timing: &str) -> f64 {
    let millis = |name: &str| {
        let part = timing.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix(";dur=")).expect("the step");
        part.parse::<f64>().expect("milliseconds")
    };
    millis("read") - millis("read-wait")
}

#[tokio::test]
async fn requests_in_flight_are_answered_before_the_end() {
    let mut server = Server::start(&[("api.read_timeout", "200s")]);
    let body = body(&image("passport-1"));
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /ai/v1/ocr HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\n\r\n",
        token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It asks for the body once the request is being worked on.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    server.terminate();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    let started = Instant::now();
    let status = loop {
        match server.child.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > PATIENCE => panic!("the server does not end"),
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    assert!(status.success());
}

#[tokio::test]
async fn no_log_at_any_level_holds_content_or_tokens() {
    let server = Server::start(&[("telemetry.log_filter", "trace")]);
    let token = token();
    let mut forbidden = vec![token.clone(), token.rsplit('.').next().unwrap().to_owned(), SECRET.to_owned()];
    for name in ["passport-1", "licence-1", "pan-1"] {
        let front = image(name);
        let base64 = BASE64_STANDARD.encode(&front);
        forbidden.extend([base64[..40].to_owned(), base64[base64.len() / 2..][..40].to_owned()]);
        let truth: Value = serde_json::from_slice(&std::fs::read(specimen(name).join("truth.json")).unwrap()).unwrap();
        collect_texts(&truth, &mut forbidden);
        let request =
            client().post(server.url("/ai/v1/ocr?details=true")).header(AUTHORIZATION, &token).header(CONTENT_TYPE, "application/json");
        let (_, answer) = answer(request.body(body(&front)).send().await.unwrap()).await;
        collect_texts(&answer["details"], &mut forbidden);
        let cut = format!("{{\"frontPart\":\"{}", &base64[..2000]);
        let request = client().post(server.url("/ai/v1/ocr")).header(AUTHORIZATION, &token).header(CONTENT_TYPE, "application/json");
        request.body(cut).send().await.unwrap();
    }
    let log = server.log().to_lowercase();
    assert!(log.contains("answered 200"), "the log is the server's");
    for text in forbidden {
        assert!(!log.contains(&text.to_lowercase()), "the log holds something of a document or a token ({} characters)", text.len());
    }
}

/// Texts long enough to be told from the words of a log.
pub(crate) fn collect_texts(value: &Value, texts: &mut Vec<String>) {
    const WORDS: [&str; 16] = [
        "passport",
        "national_id",
        "driving_licence",
        "aadhaar",
        "check_digit_ok",
        "format_ok",
        "composite_ok",
        "cross_match",
        "cross_mismatch",
        "format_failed",
        "signature_ok",
        "repaired",
        "signed_qr",
        "pdf417",
        "derived",
        "front",
    ];
    match value {
        Value::String(text) if text.chars().count() >= 5 && !WORDS.contains(&text.as_str()) => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect_texts(value, texts)),
        Value::Object(object) => object.values().for_each(|value| collect_texts(value, texts)),
        _ => {}
    }
}
