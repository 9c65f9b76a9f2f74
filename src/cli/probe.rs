//! `idmill probe`: a health check for images without a shell, and what a person asks first.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::Process;
use crate::config::Settings;

/// Time for each of connecting, asking and answering. Shorter than the time-out of the image's health check.
const PATIENCE: Duration = Duration::from_secs(2);

/// More than any answer of ours; what follows is not read.
const MAX_ANSWER: u64 = 64 * 1024;

/// Ask the process beside this one whether it is alive, or whether it takes work and why not; where there is no curl.
///
/// Exit status: 0 it is, 1 it is not, or does not answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  idmill probe\n  idmill probe api\n  idmill probe --ready")]
pub(super) struct ProbeArgs {
    /// Who is asked, at `worker.listen` or `api.listen`.
    #[arg(value_enum, default_value_t = Process::Worker)]
    process: Process,

    /// Ask `/readyz` instead of `/livez`, and print its answer: whether the process takes work, and every reason why it does not.
    #[arg(long)]
    ready: bool,
}

impl ProbeArgs {
    /// Asks once; the exit status is the answer.
    pub(super) fn run(&self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let listen = match self.process {
            Process::Worker => settings.worker.listen,
            Process::Api => settings.api.listen,
        };
        let path = if self.ready { "/readyz" } else { "/livez" };
        let address = reachable(listen);
        let answer = ask(address, path)?;
        if self.ready {
            writeln!(std::io::stdout(), "{}", answer.body.trim_end())?;
        } else if !answer.is_ok() {
            bail!("{path} on {address} answered {}", answer.status);
        }
        Ok(if answer.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What the process said.
#[derive(Debug)]
struct Answer {
    /// The first line.
    status: String,
    body: String,
}

impl Answer {
    fn is_ok(&self) -> bool {
        self.status == "HTTP/1.1 200 OK"
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

/// One GET, by hand: a client with TLS and a runtime would take longer to start than the question takes.
fn ask(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(|| format!("nothing answers on {address}"))?;
    stream.set_read_timeout(Some(PATIENCE)).context("failed to set a time-out")?;
    stream.set_write_timeout(Some(PATIENCE)).context("failed to set a time-out")?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(|| format!("failed to ask {path}"))?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).with_context(|| format!("no answer from {path}"))?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok(Answer { status: head.lines().next().unwrap_or_default().to_owned(), body: body.to_owned() })
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
    fn only_a_200_counts_and_what_is_said_is_kept() {
        for (answer, is_ok, body) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nalive\n", true, "alive\n"),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false}", false, "{\"ready\":false}"),
            ("", false, ""),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 1024];
                let n_bytes = stream.read(&mut asked).unwrap();
                assert!(asked[..n_bytes].starts_with(b"GET /readyz HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).unwrap();
            });
            let answer = ask(address, "/readyz").unwrap();
            assert_eq!((answer.is_ok(), answer.body.as_str()), (is_ok, body), "{}", answer.status);
            server.join().unwrap();
            assert!(ask(address, "/readyz").is_err(), "nobody listens any more");
        }
    }
}
