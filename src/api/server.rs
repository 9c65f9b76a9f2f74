//! The listener: connections with time-outs, and a drain that lets answers out.
//!
//! `axum::serve` has neither a time-out for slow clients nor a bound on connections, hence this file.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::patient_stream::PatientStream;

/// Connections that may be open at once; more wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 1024;

/// Largest head of a request in bytes: the token is the only long thing in it.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Pause after the process ran out of file descriptors: trying again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How patient the server is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Time for a request's head to arrive, for an idle connection, and for a client to take some of what is written to it.
    pub client: Duration,
    /// Time for requests in flight to be answered after `shutdown`.
    pub drain: Duration,
}

/// Serves until `shutdown` is done, then drains.
pub async fn serve(listener: TcpListener, router: Router, patience: Patience, shutdown: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.client).max_buf_size(MAX_HEAD_BYTES);
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&connections).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if is_the_clients(&error) => continue,
            Err(error) => {
                tracing::error!("failed to accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are one small write each; waiting for more of it only costs time. Failing to say so harms nothing.
        let _ = stream.set_nodelay(true);
        let connection =
            http.serve_connection(TokioIo::new(PatientStream::new(stream, patience.client)), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // How a connection ends is the client's business.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let n_open = graceful.count();
    if n_open > 0 {
        tracing::info!("draining {n_open} connections");
    }
    if tokio::time::timeout(patience.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight at the end of api.drain_timeout and are cut off");
    }
}

fn is_the_clients(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// More than the kernel holds for a connection.
    const ANSWER_BYTES: usize = 64 << 20;

    async fn start(client: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || vec![b'x'; ANSWER_BYTES]));
        tokio::spawn(serve(listener, router, Patience { client, drain: Duration::ZERO }, std::future::pending()));
        address
    }

    /// How much of the answer comes after a pause of that length.
    async fn n_bytes_after(pause: Duration, address: SocketAddr) -> usize {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        tokio::time::sleep(pause).await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        answer.len()
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_loses_its_connection() {
        let address = start(Duration::from_secs(1)).await;
        assert!(n_bytes_after(Duration::from_secs(4), address).await < ANSWER_BYTES);
        assert!(n_bytes_after(Duration::ZERO, address).await > ANSWER_BYTES);
    }
}
