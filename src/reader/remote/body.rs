//! The request body, streamed: JSON prefix, base64 of the image bytes as they arrive, suffix.
//!
//! Neither an image nor its base64 text is ever held whole. The length is exact and known before the first byte is
//! sent, since the store states the objects' lengths.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::Simd;
use base64::engine::general_purpose::PAD;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};

use crate::failure::{Class, Dependency, Failure};
use crate::ocr::{SNIFF_BYTES, media_type};
use crate::reader::{ImageSource, OpenImage};

/// Most bytes that become base64 text at once; a multiple of three, so that nothing is left over between pieces.
const PIECE_BYTES: usize = 48 * 1024;

/// Base64 with the vector instructions that this processor has.
static BASE64: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));

/// An opened image whose first bytes were looked at.
pub struct CheckedImage {
    /// As it stands in a `data:` URI.
    media_type: &'static str,
    len: u64,
    /// The bytes that were read to look at, then the rest.
    chunks: BoxStream<'static, Result<Bytes, Failure>>,
}

/// Opens an image and checks its size and type on its first bytes, so that nothing is sent that must be refused.
pub async fn open_checked(source: &ImageSource, max_bytes: u64) -> Result<CheckedImage, Failure> {
    let OpenImage { len, mut chunks } = source.open().await?;
    if len == 0 {
        return Err(Failure::new(Class::BadImage, "the image is empty"));
    }
    if len > max_bytes {
        return Err(Failure::new(Class::BadImage, format!("the image is larger than {max_bytes} bytes")));
    }
    let mut seen: Vec<Bytes> = Vec::new();
    let mut start = Vec::with_capacity(SNIFF_BYTES);
    while start.len() < SNIFF_BYTES {
        let Some(chunk) = chunks.try_next().await? else { break };
        start.extend_from_slice(&chunk[..chunk.len().min(SNIFF_BYTES - start.len())]);
        seen.push(chunk);
    }
    let media_type = media_type(&start).map_err(|fault| Failure::new(Class::BadImage, fault.to_string()))?;
    Ok(CheckedImage { media_type, len, chunks: stream::iter(seen.into_iter().map(Ok)).chain(chunks).boxed() })
}

/// A request body with its exact length.
pub struct Body {
    /// Bytes that the stream yields, unless it fails.
    pub len: u64,
    /// The bytes.
    pub stream: BoxStream<'static, Result<Bytes, Failure>>,
}

/// The names of the two keys in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `frontPart`, `backPart`.
    Camel,
    /// `frontpart`, `backpart`.
    Lower,
}

/// Builds the body out of the front and, where there is one, the back.
pub fn body(spelling: Spelling, front: CheckedImage, back: Option<CheckedImage>) -> Body {
    let (front_key, back_key) = match spelling {
        Spelling::Camel => ("frontPart", "backPart"),
        Spelling::Lower => ("frontpart", "backpart"),
    };
    let mut parts = vec![text(format!(r#"{{"{front_key}":"data:{};base64,"#, front.media_type)), encoded(front)];
    if let Some(back) = back {
        parts.push(text(format!(r#"","{back_key}":"data:{};base64,"#, back.media_type)));
        parts.push(encoded(back));
    }
    parts.push(text(r#""}"#.to_owned()));
    let len = parts.iter().map(|part| part.len).sum();
    Body { len, stream: stream::iter(parts.into_iter().map(|part| part.stream)).flatten().boxed() }
}

fn text(text: String) -> Body {
    Body { len: text.len() as u64, stream: stream::once(async { Ok(Bytes::from(text)) }).boxed() }
}

fn encoded(image: CheckedImage) -> Body {
    let pieces = image.chunks.flat_map(|chunk| stream::iter(split(chunk)));
    Body { len: image.len.div_ceil(3) * 4, stream: base64(pieces, image.len).boxed() }
}

/// Cuts a chunk into pieces whose base64 text stays small.
fn split(chunk: Result<Bytes, Failure>) -> Vec<Result<Bytes, Failure>> {
    match chunk {
        Err(failure) => vec![Err(failure)],
        Ok(mut chunk) => {
            let mut pieces = Vec::with_capacity(chunk.len() / PIECE_BYTES + 1);
            while chunk.len() > PIECE_BYTES {
                pieces.push(Ok(chunk.split_to(PIECE_BYTES)));
            }
            pieces.push(Ok(chunk));
            pieces
        }
    }
}

/// Base64 of a stream of exactly `len` bytes; fails when it has more or fewer, since the length was promised.
fn base64(
    pieces: impl Stream<Item = Result<Bytes, Failure>> + Send + Unpin,
    len: u64,
) -> impl Stream<Item = Result<Bytes, Failure>> + Send {
    struct State<S> {
        pieces: S,
        /// Up to two bytes that wait for a third.
        rest: Bytes,
        missing: u64,
        done: bool,
    }
    let changed = || Failure::of(Dependency::Storage, Class::Unavailable, "the object's length changed while it was read");
    stream::try_unfold(State { pieces, rest: Bytes::new(), missing: len, done: false }, move |mut state| async move {
        while !state.done {
            let Some(mut piece) = state.pieces.try_next().await? else {
                if state.missing > 0 {
                    return Err(changed());
                }
                state.done = true;
                return Ok(Some((text_of(&[], &state.rest), state)));
            };
            state.missing = state.missing.checked_sub(piece.len() as u64).ok_or_else(changed)?;
            // Only what completes a group of three is copied.
            let mut group = Vec::new();
            if !state.rest.is_empty() {
                group.extend_from_slice(&state.rest);
                group.extend_from_slice(&piece.split_to(piece.len().min(3 - group.len())));
            }
            state.rest = match group.len() {
                0 | 3 => piece.split_off(piece.len() - piece.len() % 3),
                _ => Bytes::from(std::mem::take(&mut group)),
            };
            if group.len() + piece.len() > 0 {
                return Ok(Some((text_of(&group, &piece), state)));
            }
        }
        Ok(None)
    })
}

/// The text of whole groups of three, and of whatever comes last.
fn text_of(group: &[u8], bytes: &[u8]) -> Bytes {
    let n_group_chars = group.len() / 3 * 4;
    let mut text = vec![0; n_group_chars + bytes.len().div_ceil(3) * 4];
    let (group_text, bytes_text) = text.split_at_mut(n_group_chars);
    // There is room for exactly the text, which is all that can be wrong.
    let written = BASE64.encode_slice(group, group_text).and_then(|_| BASE64.encode_slice(bytes, bytes_text));
    debug_assert!(written.is_ok());
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\x00\x10JFIF and so on";

    fn source_of(chunks: Vec<Vec<u8>>, len: u64) -> ImageSource {
        ImageSource::new(move || {
            let chunks: Vec<_> = chunks.iter().cloned().map(|chunk| Ok(Bytes::from(chunk))).collect();
            async move { Ok(OpenImage { len, chunks: stream::iter(chunks).boxed() }) }
        })
    }

    async fn collect(body: Body) -> Result<Vec<u8>, Failure> {
        body.stream
            .try_fold(Vec::new(), |mut all, chunk| async move {
                all.extend_from_slice(&chunk);
                Ok(all)
            })
            .await
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn the_body_is_the_json_of_both_images_and_has_the_length_it_states(
            tails in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6),
            one_sided in any::<bool>(),
        ) {
            let mut chunks = vec![JPEG.to_vec()];
            chunks.extend(tails);
            let bytes = chunks.concat();
            let source = source_of(chunks, bytes.len() as u64);
            run(async {
                let front = open_checked(&source, 10_000).await.unwrap();
                let back = if one_sided { None } else { Some(open_checked(&source, 10_000).await.unwrap()) };
                let body = body(Spelling::Camel, front, back);
                let stated = body.len;
                let sent = collect(body).await.unwrap();
                assert_eq!(sent.len() as u64, stated);
                let json: serde_json::Value = serde_json::from_slice(&sent).unwrap();
                let uri = format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(&bytes));
                assert_eq!(json["frontPart"], uri);
                assert_eq!(json["backPart"], if one_sided { serde_json::Value::Null } else { uri.into() });
            });
        }
    }

    #[test]
    fn whatever_the_engine_reads_is_sent() {
        run(async {
            for (start, media_type) in [(&b"BM\x36\0\x0c\0\0\0\0\0\x36\0"[..], "image/bmp"), (b"II*\0\x08\0\0\0", "image/tiff")] {
                let image = open_checked(&ImageSource::from_bytes(start.into()), 100).await.unwrap();
                assert_eq!(image.media_type, media_type);
            }
        });
    }

    #[test]
    fn images_are_refused_before_anything_is_sent() {
        run(async {
            for (chunks, len, max) in [
                (vec![], 0, 100),
                (vec![JPEG.to_vec()], 101, 100),
                (vec![b"<html>not an image</html>".to_vec()], 25, 100),
                (vec![b"%PDF".to_vec(), b"-1.7 and so on".to_vec()], 18, 100),
                (vec![vec![0xFF]], 1, 100),
            ] {
                let failure = open_checked(&source_of(chunks, len), max).await.map(drop).unwrap_err();
                assert_eq!(failure.class, Class::BadImage);
            }
        });
    }

    #[test]
    fn an_object_that_changes_its_length_fails_the_body() {
        run(async {
            for len in [JPEG.len() as u64 - 1, JPEG.len() as u64 + 1] {
                let front = open_checked(&source_of(vec![JPEG.to_vec()], len), 100).await.unwrap();
                assert_eq!(collect(body(Spelling::Camel, front, None)).await.unwrap_err().class, Class::Unavailable);
            }
        });
    }

    #[test]
    fn large_chunks_are_cut_into_small_pieces() {
        run(async {
            let mut bytes = JPEG.to_vec();
            bytes.resize(1_000_000, 7);
            let front = open_checked(&ImageSource::from_bytes(bytes.into()), 2_000_000).await.unwrap();
            let lengths: Vec<_> = body(Spelling::Lower, front, None).stream.map(|chunk| chunk.unwrap().len()).collect().await;
            assert!(lengths.iter().all(|len| *len <= PIECE_BYTES / 3 * 4 + 4));
        });
    }
}
