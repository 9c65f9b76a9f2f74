//! Where the text is: runs the detection network over a whole picture.

use super::boxes::{BoxParams, text_boxes};
use super::geometry::TurnedRect;
use super::network::{Network, RunError};
use super::page::Point;
use super::picture::Picture;

/// Mean and deviation per channel that the network was trained with, as 0..=1, in the order of its input planes.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// The network halves its input five times.
const STRIDE: u32 = 32;

/// Finds the boxes of text lines.
pub(crate) struct TextDetector {
    network: Network,
}

impl TextDetector {
    /// Wraps the detection network.
    pub(crate) fn new(network: Network) -> Self {
        Self { network }
    }

    /// Boxes of text in pixels of the picture, looked for at a size of `long_side` pixels.
    pub(crate) fn find(&mut self, picture: &Picture, long_side: u32) -> Result<Vec<TurnedRect>, RunError> {
        let (full_width, full_height) = picture.full().dimensions();
        let scale = long_side as f32 / full_width.max(full_height) as f32;
        let side = |full: u32| (((full as f32 * scale) / STRIDE as f32).round() as u32 * STRIDE).max(STRIDE);
        let (width, height) = (side(full_width), side(full_height));
        let small = picture.resized(width, height);
        let (width, height) = (width as usize, height as usize);
        let mut planes = vec![0.0; 3 * width * height];
        for (channel, plane) in planes.chunks_exact_mut(width * height).enumerate() {
            // Planes are blue, green, red; pixels are red, green, blue.
            let factor = 1.0 / (255.0 * DEVIATION[channel]);
            let offset = MEAN[channel] / DEVIATION[channel];
            for (value, pixel) in plane.iter_mut().zip(small.as_raw().chunks_exact(3)) {
                *value = f32::from(pixel[2 - channel]) * factor - offset;
            }
        }
        let boxes = self.network.run(&planes, height, width, |_, map| text_boxes(map, width, height, &BoxParams::default()))?;
        let (scale_x, scale_y) = (full_width as f32 / width as f32, full_height as f32 / height as f32);
        Ok(boxes.into_iter().map(|found| stretched(found, scale_x, scale_y)).collect())
    }
}

/// The rectangle after the plane is stretched; the two factors differ by less than a stride, so it stays a rectangle.
fn stretched(rect: TurnedRect, scale_x: f32, scale_y: f32) -> TurnedRect {
    let (sin, cos) = rect.angle.sin_cos();
    let along = (cos * scale_x).hypot(sin * scale_y);
    let across = (sin * scale_x).hypot(cos * scale_y);
    TurnedRect {
        center: Point { x: rect.center.x * scale_x, y: rect.center.y * scale_y },
        width: rect.width * along,
        height: rect.height * across,
        angle: (sin * scale_y).atan2(cos * scale_x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_grows_with_the_picture() {
        let rect = TurnedRect { center: Point { x: 10.0, y: 20.0 }, width: 30.0, height: 6.0, angle: 0.2 };
        let grown = stretched(rect, 2.0, 2.0);
        assert_eq!((grown.center.x, grown.center.y), (20.0, 40.0));
        assert!((grown.width - 60.0).abs() < 1e-3 && (grown.height - 12.0).abs() < 1e-3 && (grown.angle - 0.2).abs() < 1e-5);
    }
}
