//! HEIC, the format in which phones keep photos: a HEIF container (ISO/IEC 23008-12) around HEVC still pictures.
//!
//! The crate decodes; what is here decides from the container, before memory or time is spent, whether it may.

use heifer::heifer_isobmff::HeifFile;
use image::RgbaImage;

use super::error::ImageError;

/// Most tiles that a picture is cut into. Phones cut 12 megapixels into 48 and 48 megapixels into 192; the container
/// allows 65,536, and each may hide a picture as large as the whole.
const MAX_TILES: usize = 256;

/// A HEIC file whose container was read.
pub(super) struct Heic<'a> {
    bytes: &'a [u8],
    /// Pixels, before the container's rotation.
    pub(super) width: u32,
    /// Pixels, before the container's rotation.
    pub(super) height: u32,
}

impl<'a> Heic<'a> {
    /// Reads the container.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let file = HeifFile::parse(bytes).map_err(|_| ImageError::Corrupt)?;
        let primary = file.primary_item().map_err(|_| ImageError::Corrupt)?;
        let is_hevc = |id| file.item(id).is_ok_and(|item| &item.item_type.0 == b"hvc1");
        let tiles = match &primary.item_type.0 {
            b"hvc1" => &[],
            b"grid" => file.referenced_items(primary.id, b"dimg"),
            b"av01" => return Err(ImageError::Unsupported("AVIF")),
            // Overlays and other ways to make pictures of pictures, which may multiply without end.
            _ => return Err(ImageError::Unsupported("composed HEIC")),
        };
        if tiles.len() > MAX_TILES || !tiles.iter().all(|&tile| is_hevc(tile)) {
            return Err(ImageError::Unsupported("composed HEIC"));
        }
        let (width, height) = file.image_size(primary.id).ok().flatten().ok_or(ImageError::Corrupt)?;
        Ok(Self { bytes, width, height })
    }

    /// Decodes the picture and turns it upright as the container says. An EXIF orientation only tells the same again, for
    /// programs that know nothing of the container.
    pub(super) fn decode(&self) -> Result<RgbaImage, ImageError> {
        // No part may be larger than the whole claims to be. Pictures are coded in blocks of up to 64 pixels a side.
        let coded = |side: u32| u64::from(side.next_multiple_of(64));
        let options = heifer::Options { max_threads: 1, max_pixels: coded(self.width) * coded(self.height) };
        let picture = heifer::decode_rgba8(self.bytes, &options).map_err(|fault| match fault {
            heifer::Error::Unsupported(_) => ImageError::Unsupported("HEIC of this kind"),
            _ => ImageError::Corrupt,
        })?;
        RgbaImage::from_raw(picture.width, picture.height, picture.data).ok_or(ImageError::Corrupt)
    }
}

#[cfg(test)]
mod tests {
    use heifer::EncodeOptions;
    use heifer::heifer_isobmff::writer::{HeifWriter, ImageSpec};
    use image::{Rgb, RgbImage};

    use super::super::decode::{Limits, decode};
    use super::*;

    const LIMITS: Limits = Limits { max_pixels: 1_000_000 };

    /// A picture of blocks that differ in brightness by place.
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([((x / 40 * 50 + y / 40 * 30) % 256) as u8; 3]))
    }

    fn encoded(picture: &RgbImage) -> Vec<u8> {
        let options = EncodeOptions { quality: 90, max_threads: 1 };
        heifer::encode_rgb8(picture.width(), picture.height(), picture, &options).unwrap()
    }

    /// Mean difference of a channel's bytes.
    fn difference(one: &RgbImage, other: &RgbImage) -> f64 {
        assert_eq!(one.dimensions(), other.dimensions());
        one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.as_raw().len() as f64
    }

    #[test]
    fn one_picture_and_one_of_tiles_are_decoded() {
        for (width, height) in [(200, 120), (700, 600)] {
            let picture = picture(width, height);
            let decoded = decode(&encoded(&picture), LIMITS).unwrap();
            assert!(difference(&picture, &decoded) < 3.0, "{width} x {height}");
        }
    }

    /// A file that shows one small picture many times, `columns` by 1.
    fn repeated(columns: u16, tile_type: &[u8; 4]) -> Vec<u8> {
        let bytes = encoded(&picture(64, 64));
        let file = HeifFile::parse(&bytes).unwrap();
        let config = file.hevc_config(file.primary_id).unwrap().unwrap().clone();
        // Each part of an item's data stands behind its length, four bytes.
        let slice = file.item_data(file.primary_id).unwrap()[4..].to_vec();
        let slices = [slice];
        let mut writer = HeifWriter::new();
        let tile = writer.add_image(&ImageSpec { hidden: true, ..ImageSpec::new(64, 64, config, &slices) });
        let grid = writer.add_grid(1, columns, 64 * u32::from(columns), 64, &vec![tile; usize::from(columns)], None, None);
        writer.set_primary(grid);
        let mut bytes = writer.finish();
        let at = bytes.windows(4).position(|part| part == b"hvc1").unwrap();
        bytes[at..at + 4].copy_from_slice(tile_type);
        bytes
    }

    #[test]
    fn pictures_that_multiply_are_not_decoded() {
        assert_eq!(decode(&repeated(200, b"hvc1"), LIMITS).unwrap().dimensions(), (12_800, 64));
        for bytes in [repeated(300, b"hvc1"), repeated(2, b"grid"), repeated(2, b"iovl")] {
            assert_eq!(decode(&bytes, Limits { max_pixels: 100_000_000 }), Err(ImageError::Unsupported("composed HEIC")));
        }
    }

    #[test]
    fn no_part_is_larger_than_the_whole_claims() {
        // The same bytes, whose container says 64 x 64 where 640 x 384 are coded.
        let mut bytes = encoded(&picture(640, 384));
        let file = HeifFile::parse(&bytes).unwrap();
        assert_eq!(file.image_size(file.primary_id).unwrap(), Some((640, 384)));
        let sizes: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, part)| part == b"ispe").map(|(at, _)| at).collect();
        for at in sizes {
            bytes[at + 8..at + 16].copy_from_slice(&[0, 0, 0, 64, 0, 0, 0, 64]);
        }
        assert_eq!(decode(&bytes, LIMITS), Err(ImageError::Corrupt));
    }

    #[test]
    fn limits_hold_before_anything_is_decoded() {
        let bytes = encoded(&picture(200, 120));
        assert_eq!(decode(&bytes, Limits { max_pixels: 20_000 }), Err(ImageError::TooManyPixels { pixels: 24_000, limit: 20_000 }));
        assert_eq!(decode(&encoded(&picture(64, 24)), LIMITS), Err(ImageError::TooSmall));
    }

    #[test]
    fn what_is_cut_short_is_corrupt() {
        let bytes = encoded(&picture(200, 120));
        for len in [12, 40, bytes.len() / 2, bytes.len() - 20] {
            assert_eq!(decode(&bytes[..len], LIMITS), Err(ImageError::Corrupt), "{len} bytes");
        }
    }
}
