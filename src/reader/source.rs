//! An image that a reader can open: where it comes from is the caller's business.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use crate::failure::{Class, Failure};

/// The bytes of one image as they arrive.
pub struct OpenImage {
    /// How many bytes the stream will yield, as the store states it.
    pub len: u64,
    /// The bytes, in order.
    pub chunks: BoxStream<'static, Result<Bytes, Failure>>,
}

/// An image that can be opened as often as a reader needs: for a second attempt, and to send one side twice.
#[derive(Clone)]
pub struct ImageSource {
    open: Arc<dyn Fn() -> BoxFuture<'static, Result<OpenImage, Failure>> + Send + Sync>,
}

impl ImageSource {
    /// An image that `open` opens anew at each call.
    pub fn new<F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<OpenImage, Failure>> + Send + 'static,
    {
        Self { open: Arc::new(move || open().boxed()) }
    }

    /// An image that is in memory already.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::new(move || {
            let bytes = bytes.clone();
            async move { Ok(OpenImage { len: bytes.len() as u64, chunks: stream::once(async { Ok(bytes) }).boxed() }) }
        })
    }

    /// Opens the image from its start.
    ///
    /// # Errors
    /// What the store says.
    pub async fn open(&self) -> Result<OpenImage, Failure> {
        (self.open)().await
    }

    /// Reads the whole image into memory.
    ///
    /// # Errors
    /// What the store says, and an image larger than `max_bytes`: checked against the stated length first and against
    /// the bytes while they arrive.
    pub async fn read_all(&self, max_bytes: u64) -> Result<Vec<u8>, Failure> {
        let mut image = self.open().await?;
        let too_large = || Failure::new(Class::BadImage, format!("the image is larger than {max_bytes} bytes"));
        if image.len > max_bytes {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(image.len as usize);
        while let Some(chunk) = image.chunks.try_next().await? {
            if (bytes.len() + chunk.len()) as u64 > max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

impl fmt::Debug for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageSource").finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenImage").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_image_in_memory_opens_again_and_again() {
        let source = ImageSource::from_bytes(Bytes::from_static(b"image"));
        assert_eq!(source.read_all(5).await.unwrap(), b"image");
        assert_eq!(source.read_all(5).await.unwrap(), b"image");
        assert_eq!(source.open().await.unwrap().len, 5);
    }

    #[tokio::test]
    async fn an_image_over_the_limit_is_refused_by_its_stated_and_by_its_real_length() {
        let source = ImageSource::from_bytes(Bytes::from_static(b"image"));
        assert_eq!(source.read_all(4).await.unwrap_err().class, Class::BadImage);
        let liar = ImageSource::new(|| async {
            Ok(OpenImage { len: 1, chunks: stream::once(async { Ok(Bytes::from_static(b"image")) }).boxed() })
        });
        assert_eq!(liar.read_all(4).await.unwrap_err().class, Class::BadImage);
    }
}
