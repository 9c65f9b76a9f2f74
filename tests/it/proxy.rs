//! A TCP proxy that misbehaves on command: between a worker and its broker, its object store or its OCR API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to connections, those that stand and those to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Bytes pass.
    Pass,
    /// Connections are cut, new ones at once.
    Cut,
    /// Bytes are taken and go nowhere.
    BlackHole,
    /// As `BlackHole`, for connections on which the client sends these bytes.
    BlackHoleOn(&'static str),
    /// Nothing passes, and what was sent passes when this is over: what a network that loses every packet looks like.
    Stall,
    /// Bytes pass after this pause.
    Delay(Duration),
    /// The client of a connection that stands is told that nothing more will come; the server hears nothing of it.
    HalfClose,
    /// A request that holds `to` is answered with these bytes, and the server hears nothing of it.
    Answer {
        /// What it holds; empty: every request is answered so.
        to: &'static str,
        /// The answer.
        with: &'static str,
    },
    /// Of each answer this many bytes pass, then the connection is cut.
    Truncate(usize),
}

/// The proxy; it ends with the test.
pub(crate) struct Proxy {
    /// Where clients should connect.
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
    n_swallowed: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy in front of `target`, `host:port`.
    pub(crate) async fn start(target: &str) -> Self {
        Self::balance(vec![target.to_owned()]).await
    }

    /// A proxy that passes each connection to the first of the targets that accepts it.
    pub(crate) async fn balance(targets: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let mode = watch::Sender::new(Mode::Pass);
        let n_swallowed = Arc::new(AtomicUsize::new(0));
        let (targets, modes, swallowed) = (Arc::new(targets), mode.clone(), Arc::clone(&n_swallowed));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&targets), modes.subscribe(), Arc::clone(&swallowed)));
            }
        });
        Self { address, mode, n_swallowed }
    }

    /// Changes what happens from now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How often bytes of a client went nowhere.
    pub(crate) fn n_swallowed(&self) -> usize {
        self.n_swallowed.load(Ordering::SeqCst)
    }
}

/// One connection, until either side or the mode ends it.
async fn serve(mut client: TcpStream, targets: Arc<Vec<String>>, mut modes: watch::Receiver<Mode>, n_swallowed: Arc<AtomicUsize>) {
    let mut mode = modes.borrow_and_update().clone();
    if mode == Mode::Cut {
        return;
    }
    let Some(mut server) = connect(&targets).await else { return };
    let (mut up, mut down) = (vec![0_u8; 64 * 1024], vec![0_u8; 64 * 1024]);
    let (mut swallowing, mut n_answered) = (false, 0);
    loop {
        let stalled = mode == Mode::Stall;
        tokio::select! {
            // The mode first: bytes that come after its change are treated by it.
            biased;
            changed = modes.changed() => {
                mode = modes.borrow_and_update().clone();
                if changed.is_err() || mode == Mode::Cut {
                    return;
                }
                if mode == Mode::HalfClose {
                    let _ = client.shutdown().await;
                    // The server keeps what it believes to be a connection for as long as the mode lasts.
                    let _ = modes.changed().await;
                    return;
                }
            }
            read = client.read(&mut up), if !stalled => {
                let Ok(n @ 1..) = read else { return };
                n_answered = 0;
                match &mode {
                    Mode::Answer { to, with } if holds(&up[..n], to) => {
                        let _ = client.write_all(with.as_bytes()).await;
                        return;
                    }
                    Mode::BlackHole => swallowing = true,
                    Mode::BlackHoleOn(mark) => swallowing |= holds(&up[..n], mark),
                    Mode::Delay(pause) => tokio::time::sleep(*pause).await,
                    Mode::Pass | Mode::Cut | Mode::Stall | Mode::HalfClose | Mode::Answer { .. } | Mode::Truncate(_) => swallowing = false,
                }
                if swallowing {
                    n_swallowed.fetch_add(1, Ordering::SeqCst);
                } else if server.write_all(&up[..n]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down), if !stalled => {
                let Ok(mut n @ 1..) = read else { return };
                if let Mode::Delay(pause) = mode {
                    tokio::time::sleep(pause).await;
                }
                if let Mode::Truncate(most) = mode {
                    n = n.min(most.saturating_sub(n_answered));
                    n_answered += n;
                }
                let lost = swallowing || mode == Mode::BlackHole;
                if !lost && client.write_all(&down[..n]).await.is_err() {
                    return;
                }
                if matches!(mode, Mode::Truncate(most) if n_answered >= most) {
                    return;
                }
            }
        }
    }
}

fn holds(bytes: &[u8], mark: &str) -> bool {
    mark.is_empty() || bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
}

async fn connect(targets: &[String]) -> Option<TcpStream> {
    for target in targets {
        if let Ok(server) = TcpStream::connect(target).await {
            return Some(server);
        }
    }
    None
}
