//! How much memory the remote reader takes with many large documents in flight: `cargo bench --bench remote_memory`.
//!
//! The parent plays the hosted API and takes its time; a child of its own sends 32 documents of two 10 MB images at
//! once and prints its peak of resident memory, so that nothing of the parent counts. Exits with 1 over the limit.

use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use idmill::config::Remote;
use idmill::reader::remote::RemoteReader;
use idmill::reader::{ImageSource, OpenImage};

/// Documents in flight at once: what a remote-only worker takes by default.
const N_IN_FLIGHT: usize = 32;

/// Bytes of one image.
const IMAGE_BYTES: usize = 10 * 1000 * 1000;

/// Bytes of one chunk, as an S3 client yields them.
const CHUNK_BYTES: usize = 64 * 1024;

/// Peak of resident memory that the child must stay under.
const LIMIT_MIB: u64 = 128;

#[expect(clippy::print_stdout, reason = "a benchmark's result belongs on stdout")]
fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    if let Ok(url) = std::env::var("REMOTE_MEMORY_URL") {
        runtime.block_on(send_documents(url));
        println!("{}", peak_kib());
        return ExitCode::SUCCESS;
    }
    let address = runtime.block_on(start_slow_api());
    let started = Instant::now();
    let child = Command::new(std::env::current_exe().expect("own path"))
        .env("REMOTE_MEMORY_URL", format!("http://{address}/ai/v1/ocr"))
        .output()
        .expect("child");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let peak_mib = String::from_utf8_lossy(&child.stdout).trim().parse::<u64>().expect("KiB") / 1024;
    let seconds = started.elapsed().as_secs_f64();
    println!("{N_IN_FLIGHT} documents of two {} MB images in flight: peak {peak_mib} MiB in {seconds:.1} s", IMAGE_BYTES / 1_000_000);
    if peak_mib < LIMIT_MIB { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// An API that takes a pause after each megabyte, so that all documents are on their way at the same time.
async fn start_slow_api() -> SocketAddr {
    let take = async |body: Body| {
        let mut chunks = body.into_data_stream();
        let (mut n_bytes, mut pause_at) = (0, 1_000_000);
        while let Some(chunk) = chunks.try_next().await.expect("a whole body") {
            n_bytes += chunk.len();
            if n_bytes > pause_at {
                pause_at += 1_000_000;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        assert!(n_bytes > IMAGE_BYTES / 3 * 8, "both images arrived");
        r#"{"idType":"passport","idNumber":"L898902C3"}"#
    };
    let router = Router::new().route("/ai/v1/ocr", post(take)).layer(axum::extract::DefaultBodyLimit::disable());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listener");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn send_documents(url: String) {
    let token_file = std::env::temp_dir().join(format!("remote-memory-{}", std::process::id()));
    std::fs::write(&token_file, "token").expect("token");
    let settings = Remote { url, token_file: Some(token_file.clone()), timeout: Duration::from_secs(300), ..Remote::default() };
    let reader = Arc::new(RemoteReader::new(&settings, 2 * IMAGE_BYTES as u64).expect("reader"));
    let mut documents = tokio::task::JoinSet::new();
    for _ in 0..N_IN_FLIGHT {
        let reader = Arc::clone(&reader);
        documents.spawn(async move { reader.read(&image(), Some(&image())).await.map(drop) });
    }
    for outcome in documents.join_all().await {
        outcome.expect("the document is read");
    }
    let _ = std::fs::remove_file(token_file);
}

/// An image whose chunks are made when they are asked for, as an object's arrive from the store.
fn image() -> ImageSource {
    ImageSource::new(|| async {
        let chunks = stream::iter((0..IMAGE_BYTES).step_by(CHUNK_BYTES)).map(|at| {
            let mut chunk = vec![7; CHUNK_BYTES.min(IMAGE_BYTES - at)];
            if at == 0 {
                chunk[..4].copy_from_slice(b"\xFF\xD8\xFF\xE0");
            }
            Ok(Bytes::from(chunk))
        });
        Ok(OpenImage { len: IMAGE_BYTES as u64, chunks: chunks.boxed() })
    })
}

/// The process's peak of resident memory in KiB, as the kernel counts it.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}
