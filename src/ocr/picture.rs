//! A decoded picture and how crops are sampled from it.

use fast_image_resize as fir;
use image::{GrayImage, RgbImage, imageops};

use super::geometry::Homography;
use super::page::{Point, Quad};

/// A picture with half-sized copies, so that small crops of large pictures are averaged and not aliased.
pub(crate) struct Picture {
    /// Full size first, each level half of the one before.
    levels: Vec<RgbImage>,
}

impl Picture {
    /// Takes a decoded image and prepares its half-sized copies.
    pub(crate) fn new(full: RgbImage) -> Self {
        let mut levels = vec![full];
        while let Some(last) = levels.last() {
            // Below this size nothing is ever cropped.
            if last.width().min(last.height()) < 256 {
                break;
            }
            let half = resize(last, last.width() / 2, last.height() / 2, fir::FilterType::Box);
            levels.push(half);
        }
        Self { levels }
    }

    /// The picture at full size.
    pub(crate) fn full(&self) -> &RgbImage {
        &self.levels[0]
    }

    /// The largest copy whose sides are at most this long; the smallest copy where none is.
    pub(crate) fn at_most(&self, long_side: u32) -> &RgbImage {
        self.levels.iter().find(|level| level.width().max(level.height()) <= long_side).unwrap_or(self.smallest())
    }

    /// The smallest copy: enough for what does not depend on detail.
    pub(crate) fn smallest(&self) -> &RgbImage {
        self.levels.last().unwrap_or(self.full())
    }

    /// What lies inside `quad` (pixels of the full picture), straightened to `width` x `height` pixels.
    pub(crate) fn straightened(&self, quad: &Quad, width: u32, height: u32) -> RgbImage {
        let n_pixels = (width * height) as usize;
        let planes = self.crop_planes(quad, width as usize, height as usize, &Range { factor: [1.0; 3], offset: [0.0; 3] });
        let mut pixels = Vec::with_capacity(3 * n_pixels);
        for at in 0..n_pixels {
            pixels.extend([planes[2 * n_pixels + at] as u8, planes[n_pixels + at] as u8, planes[at] as u8]);
        }
        RgbImage::from_raw(width, height, pixels).expect("there are three bytes for each pixel")
    }

    /// What lies inside `quad` (pixels of the full picture), straightened to `width` x `height` pixels, without colours.
    pub(crate) fn gray(&self, quad: &Quad, width: u32, height: u32) -> GrayImage {
        let Some(sampling) = self.sampling(quad, width as usize, height as usize) else { return GrayImage::new(width, height) };
        // Only what lies around the quad, since brightness costs as much as a sample.
        let reach = |low: f32, high: f32, limit: u32| {
            let low = (low - 1.0).clamp(0.0, (limit - 1) as f32) as u32;
            (low, ((high + 2.0).max(0.0) as u32).clamp(low + 1, limit))
        };
        let corners = sampling.corners;
        let (left, right) = reach(corners.left(), corners.right(), sampling.source.width());
        let (top, bottom) = reach(corners.top(), corners.bottom(), sampling.source.height());
        let part = gray(&imageops::crop_imm(sampling.source, left, top, right - left, bottom - top).to_image());
        let (stride, pixels) = (part.width() as usize, part.as_raw());
        let last = (part.width() as usize - 1, part.height() as usize - 1);
        let mut values = Vec::with_capacity((width * height) as usize);
        sampling.each(|x, y| {
            let (x, y) = ((x - left as f32).max(0.0), (y - top as f32).max(0.0));
            let (x0, y0) = ((x as usize).min(last.0), (y as usize).min(last.1));
            let (fx, fy) = (x - x as usize as f32, y - y as usize as f32);
            let at = |x: usize, y: usize| f32::from(pixels[y.min(last.1) * stride + x.min(last.0)]);
            let upper = at(x0, y0) * (1.0 - fx) + at(x0 + 1, y0) * fx;
            let lower = at(x0, y0 + 1) * (1.0 - fx) + at(x0 + 1, y0 + 1) * fx;
            values.push((upper * (1.0 - fy) + lower * fy) as u8);
        });
        GrayImage::from_raw(width, height, values).expect("there is one value for each pixel")
    }

    /// The whole picture at `width` x `height`, averaged, as [`Picture::crop_planes`] gives crops.
    pub(crate) fn planes(&self, width: u32, height: u32, range: &Range) -> Vec<f32> {
        // From the smallest copy that is still larger: the same result to the eye, and a quarter of the pixels or less.
        let source = self.levels.iter().rev().find(|level| level.width() >= width && level.height() >= height).unwrap_or(self.full());
        let small = resize(source, width, height, fir::FilterType::Bilinear);
        let mut planes = vec![0.0; 3 * (width * height) as usize];
        for (channel, plane) in planes.chunks_exact_mut((width * height) as usize).enumerate() {
            let (factor, offset) = (range.factor[channel], range.offset[channel]);
            for (value, pixel) in plane.iter_mut().zip(small.as_raw().chunks_exact(3)) {
                *value = f32::from(pixel[2 - channel]) * factor - offset;
            }
        }
        planes
    }

    /// What lies inside `quad` (pixels of the full picture), straightened to `width` x `height`, as (3, H, W) planes in
    /// the order blue, green, red, which is what the networks were trained on.
    pub(crate) fn crop_planes(&self, quad: &Quad, width: usize, height: usize, range: &Range) -> Vec<f32> {
        let mut planes = vec![0.0; 3 * width * height];
        let Some(sampling) = self.sampling(quad, width, height) else { return planes };
        let stride = sampling.source.width() as usize * 3;
        let pixels = sampling.source.as_raw();
        let (blue, rest) = planes.split_at_mut(width * height);
        let (green, red) = rest.split_at_mut(width * height);
        let mut out = 0;
        sampling.each(|x, y| {
            let (x0, y0) = (x as usize, y as usize);
            let (fx, fy) = (x - x0 as f32, y - y0 as f32);
            let at = y0 * stride + x0 * 3;
            let upper = &pixels[at..at + 6];
            let lower = &pixels[at + stride..at + stride + 6];
            let mix = |channel: usize| {
                let top = f32::from(upper[channel]) * (1.0 - fx) + f32::from(upper[channel + 3]) * fx;
                let bottom = f32::from(lower[channel]) * (1.0 - fx) + f32::from(lower[channel + 3]) * fx;
                top * (1.0 - fy) + bottom * fy
            };
            blue[out] = mix(2) * range.factor[0] - range.offset[0];
            green[out] = mix(1) * range.factor[1] - range.offset[1];
            red[out] = mix(0) * range.factor[2] - range.offset[2];
            out += 1;
        });
        planes
    }

    /// How to sample what lies inside `quad` at `width` x `height`, from the copy that is as large or a little larger;
    /// `None` where the quad is folded.
    fn sampling(&self, quad: &Quad, width: usize, height: usize) -> Option<Sampling<'_>> {
        let shrink = (quad.text_height() / height as f32).min(quad.text_width() / width as f32).max(1.0);
        let level = (shrink.log2().floor() as usize).min(self.levels.len() - 1);
        let source = &self.levels[level];
        let scale_x = source.width() as f32 / self.full().width() as f32;
        let scale_y = source.height() as f32 / self.full().height() as f32;
        let corners = quad.0.map(|p| Point { x: p.x * scale_x, y: p.y * scale_y });
        let target = Quad::from_edges(0.0, 0.0, width as f32, height as f32);
        let to_source = Homography::between(target.0, corners)?;
        Some(Sampling { source, corners: Quad(corners), to_source, width, height })
    }
}

/// Where the pixels of a straightened part lie in a copy of the picture.
struct Sampling<'a> {
    source: &'a RgbImage,
    /// Corners of the part, in pixels of the copy.
    corners: Quad,
    to_source: Homography,
    /// Pixels of the straightened part.
    width: usize,
    height: usize,
}

impl Sampling<'_> {
    /// Calls `sample` with the place of every pixel, row by row: pixels of the copy, with one more to the right and below.
    fn each(&self, mut sample: impl FnMut(f32, f32)) {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.to_source.0.map(|row| row.map(|value| value as f32));
        // From some 32,000 pixels on the thousandth is lost in rounding, and there would be no pixel to the right.
        let last = |side: u32| (side as f32 - 1.001).min((side as f32 - 1.0).next_down());
        let (max_x, max_y) = (last(self.source.width()), last(self.source.height()));
        // A row's places ahead of its samples: the compiler works out several at a time, which it cannot amid the samples.
        let mut places = vec![(0.0, 0.0); self.width];
        for row in 0..self.height {
            let v = row as f32 + 0.5;
            for (column, place) in places.iter_mut().enumerate() {
                let u = column as f32 + 0.5;
                let w = 1.0 / (g * u + h * v + i);
                *place = (((a * u + b * v + c) * w - 0.5).clamp(0.0, max_x), ((d * u + e * v + f) * w - 0.5).clamp(0.0, max_y));
            }
            for &(x, y) in &places {
                sample(x, y);
            }
        }
    }
}

/// The brightness of a picture's pixels, by ITU-R BT.709 as the eye weighs the channels.
pub(crate) fn gray(picture: &RgbImage) -> GrayImage {
    let brightness = |pixel: &[u8]| ((54 * u32::from(pixel[0]) + 183 * u32::from(pixel[1]) + 19 * u32::from(pixel[2])) >> 8) as u8;
    let values = picture.as_raw().chunks_exact(3).map(brightness).collect();
    GrayImage::from_raw(picture.width(), picture.height(), values).expect("there is one value for each pixel")
}

/// How bytes of a channel become the values a network takes: `byte * factor - offset`, in the order of its planes.
pub(crate) struct Range {
    /// Per plane.
    pub(crate) factor: [f32; 3],
    /// Per plane.
    pub(crate) offset: [f32; 3],
}

impl Range {
    /// Bytes to [-1, 1].
    pub(crate) const SYMMETRIC: Self = Self { factor: [1.0 / 127.5; 3], offset: [1.0; 3] };
}

/// Resizes with an averaging filter; the box is enough for halves, and takes half the time.
fn resize(source: &RgbImage, width: u32, height: u32, filter: fir::FilterType) -> RgbImage {
    let (width, height) = (width.max(1), height.max(1));
    let mut target = fir::images::Image::new(width, height, fir::PixelType::U8x3);
    let view = fir::images::ImageRef::new(source.width(), source.height(), source.as_raw(), fir::PixelType::U8x3)
        .expect("an RGB image has three bytes a pixel");
    let options = fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(filter)).use_alpha(false);
    fir::Resizer::new().resize(&view, &mut target, &options).expect("both images have the same pixel type and are not empty");
    RgbImage::from_raw(width, height, target.into_vec()).expect("the target has three bytes a pixel")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> Picture {
        Picture::new(RgbImage::from_fn(width, height, |x, y| image::Rgb([(x / 4) as u8, (y / 4) as u8, 7])))
    }

    fn level(value: f32) -> f32 {
        (value + 1.0) * 127.5
    }

    #[test]
    fn a_level_crop_holds_the_pixels_it_covers() {
        let planes = gradient(800, 600).crop_planes(&Quad::from_edges(100.0, 200.0, 200.0, 248.0), 100, 48, &Range::SYMMETRIC);
        let (blue, red) = (&planes[..4800], &planes[9600..]);
        assert!((level(blue[0]) - 7.0).abs() < 0.1);
        assert!((level(red[0]) - 25.0).abs() < 1.0 && (level(red[99]) - 49.0).abs() < 1.5);
    }

    #[test]
    fn a_crop_upside_down_starts_at_its_own_first_corner() {
        let Quad([a, b, c, d]) = Quad::from_edges(100.0, 200.0, 200.0, 248.0);
        let planes = gradient(800, 600).crop_planes(&Quad([c, d, a, b]), 100, 48, &Range::SYMMETRIC);
        assert!((level(planes[9600]) - 49.0).abs() < 1.5);
    }

    #[test]
    fn a_straightened_part_is_a_picture_again() {
        let part = gradient(800, 600).straightened(&Quad::from_edges(100.0, 200.0, 200.0, 300.0), 100, 100);
        assert_eq!(part.get_pixel(50, 40).0, [37, 60, 7]);
    }

    #[test]
    fn a_part_without_colours_is_as_bright_as_the_part() {
        let picture = Picture::new(RgbImage::from_fn(800, 600, |x, y| image::Rgb([((x + y) / 8) as u8; 3])));
        for quad in [Quad::from_edges(100.0, 200.0, 200.0, 300.0), Quad::from_edges(-20.0, 560.0, 80.0, 660.0)] {
            let (coloured, gray) = (picture.straightened(&quad, 50, 50), picture.gray(&quad, 50, 50));
            assert!(coloured.pixels().zip(gray.pixels()).all(|(one, other)| one.0[0].abs_diff(other.0[0]) <= 1));
        }
    }

    #[test]
    fn the_last_pixels_of_a_very_long_side_can_be_cropped() {
        let planes = gradient(33_000, 40).crop_planes(&Quad::from_edges(32_950.0, 0.0, 33_010.0, 50.0), 60, 50, &Range::SYMMETRIC);
        assert!((level(planes[9_000 - 1]) - f32::from((32_999 / 4) as u8)).abs() < 0.1);
    }

    #[test]
    fn crops_reaching_over_the_edge_repeat_the_edge() {
        let planes = gradient(400, 300).crop_planes(&Quad::from_edges(-50.0, -20.0, 50.0, 28.0), 100, 48, &Range::SYMMETRIC);
        assert!((level(planes[9600]) - 0.0).abs() < 0.1);
    }
}
