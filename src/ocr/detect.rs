//! Where the text is: runs the detection network over a whole picture.

use super::boxes::{BoxParams, text_boxes};
use super::frame::Frame;
use super::geometry::TurnedRect;
use super::network::{Network, RunError};
use super::page::Point;
use super::picture::{Picture, Range};

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

    /// Boxes of text in pixels of the frame, looked for at a size of `long_side` pixels.
    pub(crate) fn find(&mut self, picture: &Picture, frame: &Frame, long_side: u32) -> Result<Vec<TurnedRect>, RunError> {
        let scale = long_side as f32 / frame.width.max(frame.height) as f32;
        let side = |full: u32| (((full as f32 * scale) / STRIDE as f32).round() as u32 * STRIDE).max(STRIDE);
        let (width, height) = (side(frame.width), side(frame.height));
        let range = Range { factor: DEVIATION.map(|d| 1.0 / (255.0 * d)), offset: std::array::from_fn(|i| MEAN[i] / DEVIATION[i]) };
        let planes = if frame.is_whole() {
            picture.planes(width, height, &range)
        } else {
            picture.crop_planes(&frame.corners(), width as usize, height as usize, &range)
        };
        let (map_width, map_height) = (width as usize, height as usize);
        let read = |_: &[i64], map: &[f32]| text_boxes(map, map_width, map_height, &BoxParams::default());
        let boxes = self.network.run(&planes, map_height, map_width, read)?;
        let (scale_x, scale_y) = (frame.width as f32 / width as f32, frame.height as f32 / height as f32);
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
