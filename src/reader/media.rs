//! What kind of image some bytes are: decided by the bytes themselves, never by a name or a declared type.

/// Bytes that [`MediaType::sniff`] wants to see to decide for sure.
pub const SNIFF_BYTES: usize = 16;

/// The formats that can be told apart by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
    /// TIFF, either byte order.
    Tiff,
    /// HEIC, HEIF or AVIF: known, and not read here.
    Heif,
    /// PDF: known, and not read here.
    Pdf,
    /// GIF: known, and not read here.
    Gif,
    /// BMP: known, and not read here.
    Bmp,
}

impl MediaType {
    /// The format that starts with these bytes, or `None` where it is none of them.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Self::Tiff),
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if is_heif(brand) => Some(Self::Heif),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(Self::Bmp),
            _ => None,
        }
    }

    /// Whether images of this format are read.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Jpeg | Self::Png | Self::WebP | Self::Tiff => true,
            Self::Heif | Self::Pdf | Self::Gif | Self::Bmp => false,
        }
    }

    /// The media type as it stands in a `data:` URI.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Heif => "image/heif",
            Self::Pdf => "application/pdf",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
        }
    }
}

fn is_heif(brand: &[u8]) -> bool {
    [b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis"].iter().any(|known| brand.starts_with(*known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        for (bytes, expected) in [
            (&b"\xFF\xD8\xFF\xE0\x00\x10JFIF\0\x01\x01\0\0\x01"[..], Some(MediaType::Jpeg)),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some(MediaType::Png)),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some(MediaType::WebP)),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"II*\0\x08\0\0\0", Some(MediaType::Tiff)),
            (b"MM\0*\0\0\0\x08", Some(MediaType::Tiff)),
            (b"\0\0\0\x18ftypheic\0\0\0\0", Some(MediaType::Heif)),
            (b"\0\0\0\x18ftypisom\0\0\0\0", None),
            (b"%PDF-1.7\n", Some(MediaType::Pdf)),
            (b"GIF89a", Some(MediaType::Gif)),
            (b"BM\x36\0\x0c\0\0\0\0\0\x36\0", Some(MediaType::Bmp)),
            (b"<html>", None),
            (b"", None),
        ] {
            assert_eq!(MediaType::sniff(bytes), expected, "{bytes:?}");
        }
    }
}
