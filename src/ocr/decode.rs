//! Image bytes -> upright RGB pixels, within limits that are checked before memory is spent.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::error::ImageError;
use super::heic::Heic;

/// Limits on what is decoded; the caller decides.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most pixels that an image may have, as its header states them.
    pub max_pixels: u64,
}

/// Bytes of a decoded pixel that the limit is made for: colour with transparency, 8 bits each. It is memory that the limit
/// guards, so that an image with 16 or 32 bits a channel may have fewer pixels.
const MAX_PIXEL_BYTES: u64 = 4;

/// Bytes that [`media_type`] wants to see to decide for sure.
pub(crate) const SNIFF_BYTES: usize = 12;

/// Below this short side no line of a document is legible.
const MIN_SIDE: u32 = 32;

/// Looks at an image without decoding it: what can be said from its first bytes, its header and its markers.
///
/// # Errors
/// What about the bytes will keep them from being read.
pub fn inspect(bytes: &[u8], limits: Limits) -> Result<(), ImageError> {
    open(bytes, limits).map(drop)
}

/// Image bytes whose header was found to be within the limits.
enum Opened<'a> {
    /// A format of the crate `image`.
    Raster(Box<dyn ImageDecoder + 'a>),
    /// The format of phones, which has a decoder of its own.
    Heic(Heic<'a>),
}

fn open(bytes: &[u8], limits: Limits) -> Result<Opened<'_>, ImageError> {
    let format = match sniff(bytes)? {
        Format::Raster(format) => format,
        Format::Heic => {
            let heic = Heic::open(bytes)?;
            check_size((heic.width, heic.height), None, limits)?;
            return Ok(Opened::Heic(heic));
        }
    };
    let decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(|_| ImageError::Corrupt)?;
    check_size(decoder.dimensions(), Some(decoder.total_bytes()), limits)?;
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(ImageError::Corrupt);
    }
    Ok(Opened::Raster(Box::new(decoder)))
}

/// Holds what a header says against the limits; `decoded` bytes where that may be more than the limit's four a pixel.
fn check_size((width, height): (u32, u32), decoded: Option<u64>, limits: Limits) -> Result<(), ImageError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels {
        return Err(ImageError::TooManyPixels { pixels, limit: limits.max_pixels });
    }
    let limit = limits.max_pixels.saturating_mul(MAX_PIXEL_BYTES);
    if let Some(bytes) = decoded.filter(|bytes| *bytes > limit) {
        return Err(ImageError::TooDeep { bytes, limit });
    }
    if width.min(height) < MIN_SIDE {
        return Err(ImageError::TooSmall);
    }
    Ok(())
}

/// Decodes an image and turns it upright as its EXIF orientation says; transparency becomes white paper.
///
/// # Errors
/// What about the bytes kept them from being an image.
pub(crate) fn decode(bytes: &[u8], limits: Limits) -> Result<RgbImage, ImageError> {
    let picture = match open(bytes, limits)? {
        Opened::Heic(heic) => DynamicImage::ImageRgba8(heic.decode()?),
        Opened::Raster(mut decoder) => {
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| ImageError::Corrupt)?;
            picture.apply_orientation(orientation);
            picture
        }
    };
    Ok(if picture.color().has_alpha() { on_white(picture) } else { picture.into_rgb8() })
}

/// The media type of an image, `image/jpeg` for example, by its first [`SNIFF_BYTES`].
///
/// # Errors
/// They are not those of a format that is read here.
pub(crate) fn media_type(start: &[u8]) -> Result<&'static str, ImageError> {
    sniff(start).map(|format| match format {
        Format::Raster(format) => format.to_mime_type(),
        Format::Heic => "image/heic",
    })
}

/// A format that is read.
enum Format {
    /// One that the crate `image` decodes.
    Raster(ImageFormat),
    /// HEIC.
    Heic,
}

/// What the first bytes say the format is; a name or a declared type is never asked.
fn sniff(bytes: &[u8]) -> Result<Format, ImageError> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if starts(&[0xFF, 0xD8, 0xFF]) {
        return Ok(Format::Raster(ImageFormat::Jpeg));
    }
    if starts(b"\x89PNG\r\n\x1a\n") {
        return Ok(Format::Raster(ImageFormat::Png));
    }
    if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok(Format::Raster(ImageFormat::WebP));
    }
    if starts(b"BM") && bytes.get(6..10) == Some(&[0; 4]) {
        return Ok(Format::Raster(ImageFormat::Bmp));
    }
    if starts(b"II*\0") || starts(b"MM\0*") {
        return Ok(Format::Raster(ImageFormat::Tiff));
    }
    Err(ImageError::Unsupported(match bytes.get(4..12) {
        // What phones write, and `mif1`, which leaves the coding open; other brands are films.
        Some(b"ftypheic" | b"ftypheix" | b"ftyphevc" | b"ftypheim" | b"ftypheis" | b"ftypmif1" | b"ftypmsf1") => {
            return Ok(Format::Heic);
        }
        Some(b"ftypavif" | b"ftypavis") => "AVIF",
        _ if starts(b"%PDF") => "PDF",
        _ if starts(b"GIF8") => "GIF",
        _ if starts(b"\xFF\x0A") || starts(b"\0\0\0\x0CJXL ") => "JPEG XL",
        _ if starts(b"\0\0\0\x0CjP  ") => "JPEG 2000",
        _ => return Err(ImageError::NotAnImage),
    }))
}

/// Whether the picture has its end marker. The decoder fills what is missing with grey without a word, and a document
/// whose lower half is grey would be read as one without those fields. What follows the end is nobody's business.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(marker) = bytes.get(at..at + 2) {
        match marker {
            [0xFF, 0xD9] => return true,
            // Inside a scan (any byte, or an escaped FF), fill bytes, restart marks: one byte on is always safe.
            [0xFF, 0x00 | 0xFF | 0xD0..=0xD7] | [0..=0xFE, _] => at += 1,
            // A segment: its length counts itself. Thumbnails with end markers of their own lie in segments.
            [0xFF, _] => {
                let Some([high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
            }
            _ => return false,
        }
    }
    false
}

fn on_white(picture: DynamicImage) -> RgbImage {
    let rgba = picture.into_rgba8();
    let mut flat = RgbImage::new(rgba.width(), rgba.height());
    for (to, from) in flat.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, alpha] = from.0.map(u32::from);
        to.0 = [r, g, b].map(|channel| ((channel * alpha + 255 * (255 - alpha)) / 255) as u8);
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_pixels: 10_000 };

    fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        let noise = RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 7) as u8, (y * 13) as u8, (x * y) as u8]));
        DynamicImage::ImageRgb8(noise).write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    #[test]
    fn each_supported_format_is_decoded() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff, ImageFormat::Bmp] {
            let picture = decode(&encoded(80, 60, format), LIMITS).unwrap();
            assert_eq!(picture.dimensions(), (80, 60), "{format:?}");
        }
    }

    #[test]
    fn the_first_bytes_tell_the_media_type() {
        for (format, expected) in [
            (ImageFormat::Jpeg, "image/jpeg"),
            (ImageFormat::Png, "image/png"),
            (ImageFormat::WebP, "image/webp"),
            (ImageFormat::Tiff, "image/tiff"),
            (ImageFormat::Bmp, "image/bmp"),
        ] {
            assert_eq!(media_type(&encoded(80, 60, format)[..SNIFF_BYTES]), Ok(expected));
        }
        assert_eq!(media_type(b"MM\0*\0\0\0\x08"), Ok("image/tiff"));
        assert_eq!(media_type(b"\0\0\0\x18ftypheic"), Ok("image/heic"));
    }

    #[test]
    fn the_limit_is_decided_from_the_header() {
        let bytes = encoded(200, 100, ImageFormat::Png);
        assert_eq!(decode(&bytes[..60], LIMITS), Err(ImageError::TooManyPixels { pixels: 20_000, limit: 10_000 }));
    }

    #[test]
    fn deep_pixels_count_by_their_bytes() {
        for (colour, format, bytes) in
            [(image::ColorType::Rgba16, ImageFormat::Png, 80 * 60 * 8), (image::ColorType::Rgba32F, ImageFormat::Tiff, 80 * 60 * 16)]
        {
            let mut encoded = Vec::new();
            DynamicImage::new(80, 60, colour).write_to(&mut Cursor::new(&mut encoded), format).unwrap();
            let enough = Limits { max_pixels: bytes / 4 };
            assert_eq!(decode(&encoded, enough).unwrap().dimensions(), (80, 60));
            // There is room for the pixels, and for their bytes there is not.
            let short = Limits { max_pixels: bytes / 4 - 1 };
            assert_eq!(decode(&encoded, short), Err(ImageError::TooDeep { bytes, limit: bytes - 4 }));
        }
    }

    #[test]
    fn a_jpeg_that_is_cut_short_is_corrupt() {
        let bytes = encoded(90, 90, ImageFormat::Jpeg);
        assert!(decode(&bytes, LIMITS).is_ok());
        assert_eq!(decode(&bytes[..bytes.len() * 2 / 3], LIMITS), Err(ImageError::Corrupt));
        let followed = [&bytes[..], b"\xFF\xDA junk that some cameras leave"].concat();
        assert!(decode(&followed, LIMITS).is_ok());
    }

    #[test]
    fn what_is_no_image_gets_its_reason() {
        let check = |bytes: &[u8], expected| assert_eq!(decode(bytes, LIMITS), Err(expected));
        check(b"", ImageError::Empty);
        check(b"hello, I am a text file", ImageError::NotAnImage);
        check(b"%PDF-1.7 and so on", ImageError::Unsupported("PDF"));
        check(b"GIF89a....", ImageError::Unsupported("GIF"));
        check(b"\0\0\0\x18ftypheic\0\0\0\0", ImageError::Corrupt);
        check(b"\0\0\0\x18ftypavif\0\0\0\0", ImageError::Unsupported("AVIF"));
        check(b"\0\0\0\x18ftypisom\0\0\0\0", ImageError::NotAnImage);
        check(b"RIFF\x24\0\0\0WAVEfmt ", ImageError::NotAnImage);
        check(&encoded(20, 20, ImageFormat::Png), ImageError::TooSmall);
    }

    #[test]
    fn transparent_pixels_are_white() {
        let clear = image::RgbaImage::from_pixel(40, 40, image::Rgba([0, 0, 0, 0]));
        assert_eq!(on_white(DynamicImage::ImageRgba8(clear)).get_pixel(3, 3).0, [255, 255, 255]);
    }
}
