/// Why image bytes could not become a page: always a property of the bytes, never of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There are no bytes at all.
    #[error("the image is empty")]
    Empty,
    /// The first bytes are those of no image format that is read here.
    #[error("the bytes are no JPEG, PNG, WebP, TIFF, BMP or HEIC image")]
    NotAnImage,
    /// The format is known and is not supported, AVIF and PDF for example.
    #[error("{0} images are not read: send JPEG, PNG, WebP, TIFF, BMP or HEIC instead")]
    Unsupported(&'static str),
    /// The header promises an image, the data behind it cannot be decoded.
    #[error("the image is corrupt or cut short")]
    Corrupt,
    /// Decoding would take more pixels than the limit allows; decided from the header, before memory is spent.
    #[error("the image has {pixels} pixels, the limit is {limit}")]
    TooManyPixels {
        /// Width times height as the header states them.
        pixels: u64,
        /// The limit that was in force.
        limit: u64,
    },
    /// Few enough pixels, and more bytes for each of them than the limit allows; decided from the header too.
    #[error("the image takes {bytes} bytes decoded, the limit is {limit}: send 8 bits a channel")]
    TooDeep {
        /// Bytes of the decoded image as the header states them.
        bytes: u64,
        /// The limit that was in force.
        limit: u64,
    },
    /// Too few pixels for any text to be legible.
    #[error("the image is too small to hold a document")]
    TooSmall,
}
