//! `idmill probe`: a health check for images without a shell.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::Process;
use crate::config::Settings;

/// Time for each of connecting, asking and answering. Shorter than the time-out of the image's health check.
const PATIENCE: Duration = Duration::from_secs(2);

/// More than the head of any answer of ours; what follows is not read.
const MAX_HEAD: u64 = 1024;

/// Ask the process beside this one whether it is alive; for health checks where there is no curl.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  idmill probe\n  idmill probe api")]
pub(super) struct ProbeArgs {
    /// Whose `/livez` is asked, at `worker.listen` or `api.listen`.
    #[arg(value_enum, default_value_t = Process::Worker)]
    process: Process,
}

impl ProbeArgs {
    /// Asks once; the exit status is the answer.
    pub(super) fn run(&self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let listen = match self.process {
            Process::Worker => settings.worker.listen,
            Process::Api => settings.api.listen,
        };
        ask(reachable(listen))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The address to connect to: where a process listens on all addresses, its loopback one.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    listen
}

/// One `GET /livez`, by hand: a client with TLS and a runtime would take longer to start than the question takes.
fn ask(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("nothing answers on {address}"))?;
    stream.set_read_timeout(Some(PATIENCE)).context("failed to set a time-out")?;
    stream.set_write_timeout(Some(PATIENCE)).context("failed to set a time-out")?;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).context("failed to ask /livez")?;
    let mut head = Vec::new();
    stream.take(MAX_HEAD).read_to_end(&mut head).context("no answer from /livez")?;
    let status = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    ensure!(status == b"HTTP/1.1 200 OK", "/livez on {address} answered {}", String::from_utf8_lossy(status));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_wildcard_address_is_asked_on_loopback() {
        for (listen, expected) in [("0.0.0.0:9464", "127.0.0.1:9464"), ("[::]:80", "[::1]:80"), ("10.1.2.3:80", "10.1.2.3:80")] {
            assert_eq!(reachable(listen.parse().unwrap()), expected.parse().unwrap(), "{listen}");
        }
    }

    #[test]
    fn only_a_200_counts_as_alive() {
        for (answer, alive) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nalive\n", true),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
            ("", false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 1024];
                let n_bytes = stream.read(&mut asked).unwrap();
                assert!(asked[..n_bytes].starts_with(b"GET /livez HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).unwrap();
            });
            assert_eq!(ask(address).is_ok(), alive, "{answer:?}");
            server.join().unwrap();
            assert!(ask(address).is_err(), "nobody listens any more");
        }
    }
}
