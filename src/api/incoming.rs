//! The body of a request on its way in: taken into memory within its limits, or let in and dropped.

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::http::{HeaderMap, header};
use futures_util::TryStreamExt;

use super::error::{ApiError, Code};
use super::ocr::RequestLimits;

/// A body of which all, some or nothing has arrived.
pub(super) struct Incoming {
    chunks: BodyDataStream,
    limits: RequestLimits,
    /// Whether the client sends nothing before it is told to.
    waits_for_permission: bool,
}

impl Incoming {
    /// The body of a request with these headers, none of it taken yet.
    pub(super) fn new(headers: &HeaderMap, body: Body, limits: RequestLimits) -> Self {
        Self { chunks: body.into_data_stream(), limits, waits_for_permission: headers.contains_key(header::EXPECT) }
    }

    /// Takes the whole body into memory, within the limits of size and time; it has `announced` bytes where that is known.
    ///
    /// # Errors
    /// It is too large, too slow or cut short.
    pub(super) async fn receive(&mut self, announced: Option<usize>) -> Result<Vec<u8>, ApiError> {
        // To ask for the first chunk is to tell the client to send.
        self.waits_for_permission = false;
        let max_body_bytes = self.limits.max_body_bytes;
        let collect = async {
            let mut bytes = Vec::with_capacity(announced.unwrap_or_default());
            while let Some(chunk) = self.chunks.try_next().await.map_err(|_| ApiError::new(Code::BodyInvalid, "the body was cut short"))? {
                if bytes.len() + chunk.len() > max_body_bytes {
                    return Err(too_large(max_body_bytes));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        tokio::time::timeout(self.limits.read_timeout, collect).await.unwrap_or_else(|_| Err(Code::BodyTimeout.into()))
    }

    /// Drops what the client still sends, for as long as a body may take: who writes all before the first look at the answer
    /// would see a broken connection in its place. However much that is, it costs no memory.
    pub(super) async fn discard(&mut self) {
        if self.waits_for_permission || self.chunks.is_end_stream() {
            return;
        }
        let discard = async { while let Ok(Some(_)) = self.chunks.try_next().await {} };
        let _ = tokio::time::timeout(self.limits.read_timeout, discard).await;
    }
}

/// The length that a body is announced with; `None` where it comes in chunks.
///
/// # Errors
/// More is announced than may come.
pub(super) fn announced_length(headers: &HeaderMap, max_body_bytes: usize) -> Result<Option<usize>, ApiError> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else { return Ok(None) };
    let length: Option<usize> = value.to_str().ok().and_then(|value| value.parse().ok());
    match length {
        Some(length) if length <= max_body_bytes => Ok(Some(length)),
        _ => Err(too_large(max_body_bytes)),
    }
}

fn too_large(max_body_bytes: usize) -> ApiError {
    ApiError::new(Code::BodyTooLarge, format!("the body is larger than {max_body_bytes} bytes"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn bodies_that_announce_too_much_are_refused_by_their_announcement() {
        let headers = |value| HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from_static(value))]);
        let check = |value| announced_length(&headers(value), 100).map_err(|error| error.code);
        assert_eq!(check("100"), Ok(Some(100)));
        assert_eq!(check("101"), Err(Code::BodyTooLarge));
        assert_eq!(check("99999999999999999999999999"), Err(Code::BodyTooLarge));
        assert_eq!(announced_length(&HeaderMap::new(), 100), Ok(None));
    }
}
