use std::future::poll_fn;
use std::io::ErrorKind;
use std::pin::Pin;

use anyhow::{Context, bail, ensure};
use futures_io::{AsyncRead, AsyncWrite};
use lapin::tcp::AMQPUriTcpExt;
use lapin::types::parsing::parse_field_table;

use super::connect::Connector;
use super::header::text;

/// Largest greeting that is read, in bytes; RabbitMQ's has about 500.
const MAX_GREETING_BYTES: usize = 64 * 1024;

/// Class and method of `connection.start`, the first thing that a broker says.
const CONNECTION_START: [u8; 4] = [0, 10, 0, 10];

/// What a broker says of itself before anybody logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// For example `RabbitMQ`.
    pub product: String,
    /// For example `3.10.8`.
    pub version: String,
}

impl Greeting {
    /// The first two numbers of the version, (3, 10) for example; `None` where it does not begin with two.
    pub fn major_minor(&self) -> Option<(u32, u32)> {
        let mut numbers = self.version.split('.').map(|part| part.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    }
}

/// Opens a connection, reads the greeting and hangs up. lapin reads it too, and keeps it for itself.
///
/// # Errors
/// Nobody answers there in time, or somebody who does not speak AMQP 0-9-1.
pub async fn greet(connector: &Connector) -> anyhow::Result<Greeting> {
    let timeout = connector.settings().connect_timeout;
    match tokio::time::timeout(timeout, read_greeting(connector)).await {
        Ok(greeting) => greeting,
        Err(_) => bail!("no greeting within {timeout:?}"),
    }
}

async fn read_greeting(connector: &Connector) -> anyhow::Result<Greeting> {
    let (uri, tls) = (connector.uri()?, connector.tls()?);
    let runtime = lapin::runtime::default_runtime().context("failed to find the tokio runtime")?;
    let mut stream = uri.connect_with_config_async(tls.as_ref(), &runtime).await.context("no connection")?;
    // Eight bytes into an empty socket: they go at once or not at all.
    let sent = poll_fn(|context| Pin::new(&mut stream).poll_write(context, b"AMQP\0\0\x09\x01")).await;
    ensure!(sent.context("the connection was closed at once")? == 8, "the connection takes nothing");
    poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await.context("the connection was closed at once")?;
    let mut head = [0; 7];
    read_exact(&mut stream, &mut head).await.context("the connection was closed before a greeting")?;
    let [_kind, _, _, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    ensure!(&head != b"AMQP\0\0\x09" && length <= MAX_GREETING_BYTES, "who answers there does not speak AMQP 0-9-1");
    let mut payload = vec![0; length];
    read_exact(&mut stream, &mut payload).await?;
    let Some(table) = payload.strip_prefix(&CONNECTION_START).and_then(|rest| rest.get(2..)) else {
        bail!("who answers there does not speak AMQP 0-9-1");
    };
    let Ok((_, properties)) = parse_field_table(table) else { bail!("the broker's greeting makes no sense") };
    let said = |name: &str| text(&properties, name).unwrap_or_else(|| "unknown".to_owned());
    Ok(Greeting { product: said("product"), version: said("version") })
}

async fn read_exact(stream: &mut (impl AsyncRead + Unpin), mut buffer: &mut [u8]) -> std::io::Result<()> {
    while !buffer.is_empty() {
        let n_read = poll_fn(|context| Pin::new(&mut *stream).poll_read(context, buffer)).await?;
        if n_read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[n_read..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let numbers = |version: &str| Greeting { product: String::new(), version: version.into() }.major_minor();
        assert_eq!(numbers("3.10.8"), Some((3, 10)));
        assert_eq!(numbers("4.1.0-rc.1"), Some((4, 1)));
        assert_eq!(numbers("unknown"), None);
    }
}
