//! A TCP proxy that misbehaves on command: between a worker and its broker, its object store or its OCR API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let mode = watch::Sender::new(Mode::Pass);
        let n_swallowed = Arc::new(AtomicUsize::new(0));
        let (target, modes, swallowed) = (target.to_owned(), mode.clone(), Arc::clone(&n_swallowed));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, target.clone(), modes.subscribe(), Arc::clone(&swallowed)));
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

async fn serve(mut client: TcpStream, target: String, mut modes: watch::Receiver<Mode>, n_swallowed: Arc<AtomicUsize>) {
    if *modes.borrow_and_update() == Mode::Cut {
        return;
    }
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    let (mut up, mut down) = (vec![0_u8; 64 * 1024], vec![0_u8; 64 * 1024]);
    let mut swallowing = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(n @ 1..) = read else { return };
                let mode = modes.borrow().clone();
                swallowing = match mode {
                    Mode::Pass => false,
                    Mode::Cut => return,
                    Mode::BlackHole => true,
                    Mode::BlackHoleOn(marker) => swallowing || up[..n].windows(marker.len()).any(|bytes| bytes == marker.as_bytes()),
                };
                if swallowing {
                    n_swallowed.fetch_add(1, Ordering::SeqCst);
                } else if server.write_all(&up[..n]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(n @ 1..) = read else { return };
                let lost = swallowing || *modes.borrow() == Mode::BlackHole;
                if !lost && client.write_all(&down[..n]).await.is_err() {
                    return;
                }
            }
            changed = modes.changed() => {
                if changed.is_err() || *modes.borrow() == Mode::Cut {
                    return;
                }
            }
        }
    }
}
