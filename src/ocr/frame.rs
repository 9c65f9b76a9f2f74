//! The upright frame: the part of a picture that holds the text, seen straight.

use super::geometry::Homography;
use super::page::Quad;

/// A plane in which text runs level, and how it lies in the picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Width in pixels, about as many as the picture has there.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// From the frame to the picture.
    pub(crate) to_picture: Homography,
    /// From the picture to the frame.
    pub(crate) from_picture: Homography,
}

/// Margin around the outermost lines, as a share of their extent: photo and edge of a card are wider than its text.
const MARGIN: f32 = 0.06;

impl Frame {
    /// The picture as it is.
    pub(crate) fn whole(width: u32, height: u32) -> Self {
        Self { width, height, to_picture: Homography::IDENTITY, from_picture: Homography::IDENTITY }
    }

    /// The part of a levelled picture that holds `quads`, with a margin but not beyond the picture. `leveller` maps the
    /// picture, `width` x `height`, to its levelled plane. `None` where the plane is folded.
    pub(crate) fn around(quads: &[Quad], leveller: &Homography, width: u32, height: u32) -> Option<Self> {
        let extent = |quads: &mut dyn Iterator<Item = Quad>| {
            quads.fold((f32::MAX, f32::MAX, f32::MIN, f32::MIN), |(left, top, right, bottom), quad| {
                (left.min(quad.left()), top.min(quad.top()), right.max(quad.right()), bottom.max(quad.bottom()))
            })
        };
        let border = leveller.map_quad(&Quad::from_edges(0.0, 0.0, width as f32, height as f32));
        let limits = extent(&mut std::iter::once(border));
        let text = if quads.is_empty() { limits } else { extent(&mut quads.iter().map(|quad| leveller.map_quad(quad))) };
        let margin = MARGIN * (text.2 - text.0).max(text.3 - text.1);
        let (left, top) = ((text.0 - margin).max(limits.0), (text.1 - margin).max(limits.1));
        let (right, bottom) = ((text.2 + margin).min(limits.2), (text.3 + margin).min(limits.3));
        let from_picture = leveller.then(&Homography::translation(f64::from(-left), f64::from(-top)));
        let to_picture = from_picture.inverse()?;
        let size = |from: f32, to: f32| ((to - from).round() as u32).max(1);
        Some(Self { width: size(left, right), height: size(top, bottom), to_picture, from_picture })
    }

    /// Whether the frame is the picture as it is.
    pub(crate) fn is_whole(&self) -> bool {
        self.to_picture == Homography::IDENTITY
    }

    /// The frame's corners in the picture.
    pub(crate) fn corners(&self) -> Quad {
        self.to_picture.map_quad(&Quad::from_edges(0.0, 0.0, self.width as f32, self.height as f32))
    }

    /// How many times larger the frame's text appears than that of the whole picture, `width` x `height`, when either is
    /// brought to the same long side.
    pub(crate) fn enlarges(&self, width: u32, height: u32) -> f32 {
        width.max(height) as f32 / self.width.max(self.height) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::Point;
    use crate::ocr::level::Slant;

    #[test]
    fn a_frame_holds_the_text_with_a_margin() {
        let level = Slant { angle: 0.0, convergence: 0.0 }.leveller(400.0, 300.0, false);
        let frame = Frame::around(&[Quad::from_edges(100.0, 100.0, 300.0, 200.0)], &level, 400, 300).unwrap();
        assert_eq!((frame.width, frame.height), (224, 124));
        let corner = frame.to_picture.map(Point { x: 0.0, y: 0.0 });
        assert!((corner.x - 88.0).abs() < 1e-3 && (corner.y - 88.0).abs() < 1e-3, "{corner:?}");
        assert!((frame.enlarges(400, 300) - 400.0 / 224.0).abs() < 1e-3);
    }

    #[test]
    fn a_picture_on_its_side_gives_a_frame_with_swapped_sides() {
        let level = Slant { angle: std::f32::consts::FRAC_PI_2, convergence: 0.0 }.leveller(400.0, 300.0, false);
        let frame = Frame::around(&[], &level, 400, 300).unwrap();
        assert_eq!((frame.width, frame.height), (300, 400));
        // Text that runs downwards along the left edge runs to the right along the bottom.
        let p = frame.from_picture.map(Point { x: 0.0, y: 0.0 });
        assert!(p.x.abs() < 0.01 && (p.y - 400.0).abs() < 0.01, "{p:?}");
    }
}
