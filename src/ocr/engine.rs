//! The engine: image bytes -> page.

use unicode_normalization::UnicodeNormalization;

use super::alphabet::Alphabet;
use super::decode::{Limits, decode};
use super::detect::TextDetector;
use super::error::ImageError;
use super::geometry::{Homography, TurnedRect};
use super::network::{Network, RunError, load_runtime};
use super::order;
use super::orient::{LineOrientation, turned_over};
use super::page::{Line, Page, Quad};
use super::picture::Picture;
use super::recognise::Recogniser;
use super::weights::Weights;

/// Why no page could be made.
#[derive(Debug, thiserror::Error)]
pub enum OcrError {
    /// The bytes are at fault.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The engine is at fault.
    #[error(transparent)]
    Engine(#[from] RunError),
}

/// One instance of the engine: reads one image at a time on the calling thread. For more, open more.
pub struct Engine {
    detector: TextDetector,
    fast: Recogniser,
    accurate: Recogniser,
    line_orientation: LineOrientation,
    limits: Limits,
}

/// Long side of the picture that text is looked for in, in pixels. Found on evaluation documents: smaller loses the small
/// print of licences, larger costs time and splits lines.
const DETECTION_LONG_SIDE: u32 = 960;

/// The fast recogniser's line goes to the accurate one below this confidence.
const DOUBT: f32 = 0.95;

impl Engine {
    /// Builds the networks; loads the runtime library where this is the process's first engine.
    ///
    /// # Errors
    /// The runtime library cannot be loaded or refuses a network.
    pub fn new(weights: &Weights, limits: Limits) -> anyhow::Result<Self> {
        let environment = load_runtime(&weights.runtime_library)?;
        let network = |model: &[u8]| Network::new(&environment, model);
        let accurate = network(&weights.accurate)?;
        let accurate_dictionary = accurate.metadata("character").unwrap_or_default();
        Ok(Self {
            detector: TextDetector::new(network(&weights.detection)?),
            fast: Recogniser::new(network(&weights.fast)?, Alphabet::from_lines(&weights.fast_dictionary))?,
            accurate: Recogniser::new(accurate, Alphabet::from_lines(&accurate_dictionary))?,
            line_orientation: LineOrientation::new(network(&weights.line_orientation)?),
            limits,
        })
    }

    /// Reads one image.
    ///
    /// # Errors
    /// The bytes are no image that can be read, or the runtime fails.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Page, OcrError> {
        let picture = Picture::new(decode(bytes, self.limits)?);
        let rects = self.detector.find(&picture, DETECTION_LONG_SIDE)?;
        let direction = text_direction(&rects);
        let mut quads: Vec<Quad> = rects.iter().map(|rect| rect.facing(direction).corners()).collect();
        let mut angle = direction;
        if self.line_orientation.upside_down(&picture, &quads)? > 0.0 {
            quads.iter_mut().for_each(|quad| *quad = turned_over(quad));
            angle += std::f32::consts::PI;
        }
        let (width, height) = picture.full().dimensions();
        let frame = upright_frame(width as f32, height as f32, angle);
        let mut page = Page { width: frame.width, height: frame.height, to_original: frame.to_original.to_f32(), ..Page::default() };
        for quad in &quads {
            let mut transcript = self.fast.read(&picture, quad)?;
            let mut lattice = None;
            if may_be_machine_readable(&transcript.text) {
                let (accurate, probabilities) = self.accurate.read_with_lattice(&picture, quad)?;
                (transcript, lattice) = (accurate, Some(probabilities));
            } else if transcript.confidence < DOUBT || !transcript.text.is_ascii() {
                transcript = self.accurate.read(&picture, quad)?;
            }
            if transcript.text.trim().is_empty() {
                continue;
            }
            page.lines.push(Line {
                text: transcript.text.trim().nfc().collect(),
                confidence: transcript.confidence,
                quad: frame.from_original.map_quad(quad),
                lattice,
            });
        }
        order::sort(&mut page.lines);
        Ok(page)
    }
}

/// Whether a line may belong to a machine-readable zone: long, and made of what such zones are made of. Generous, since
/// the zone's own reader decides.
fn may_be_machine_readable(text: &str) -> bool {
    let n_chars = text.chars().count();
    let n_fitting = text.chars().filter(|c| matches!(c, 'A'..='Z' | '0'..='9' | '<' | '«' | ' ')).count();
    let n_fillers = text.chars().filter(|c| matches!(c, '<' | '«')).count();
    n_chars >= 15 && n_fitting * 10 >= n_chars * 8 && (n_fillers > 0 || n_chars >= 24)
}

/// The direction in which most text runs, in radians in -pi/2..=pi/2, long lines counting most; 0 without text.
fn text_direction(rects: &[TurnedRect]) -> f32 {
    // Doubled angles, so that both ends of a line say the same.
    let (mut sin_sum, mut cos_sum) = (0.0, 0.0);
    for rect in rects.iter().map(|rect| rect.lengthwise()).filter(|rect| rect.width > 2.0 * rect.height) {
        let (sin, cos) = (2.0 * rect.angle).sin_cos();
        sin_sum += rect.width * sin;
        cos_sum += rect.width * cos;
    }
    sin_sum.atan2(cos_sum) / 2.0
}

/// The frame in which text runs level.
struct Frame {
    width: u32,
    height: u32,
    to_original: Homography,
    from_original: Homography,
}

/// The picture turned by `-angle` about its middle, in the box that holds all of it.
fn upright_frame(width: f32, height: f32, angle: f32) -> Frame {
    let (sin, cos) = (angle.sin().abs(), angle.cos().abs());
    let (new_width, new_height) = (width * cos + height * sin, width * sin + height * cos);
    let from_original = Homography::translation(f64::from(-width / 2.0), f64::from(-height / 2.0))
        .then(&Homography::rotation(f64::from(-angle)))
        .then(&Homography::translation(f64::from(new_width / 2.0), f64::from(new_height / 2.0)));
    let to_original = from_original.inverse().unwrap_or(Homography::IDENTITY);
    Frame { width: new_width.round() as u32, height: new_height.round() as u32, to_original, from_original }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::Point;

    #[test]
    fn long_lines_decide_the_direction() {
        let rect = |width: f32, height: f32, angle: f32| TurnedRect { center: Point::default(), width, height, angle };
        let direction =
            text_direction(&[rect(200.0, 20.0, 0.1), rect(20.0, 180.0, 0.1 - std::f32::consts::FRAC_PI_2), rect(30.0, 10.0, 1.4)]);
        assert!((direction - 0.1).abs() < 0.1, "{direction}");
        assert_eq!(text_direction(&[]), 0.0);
    }

    #[test]
    fn the_upright_frame_of_a_picture_on_its_side_swaps_its_sides() {
        let frame = upright_frame(400.0, 300.0, std::f32::consts::FRAC_PI_2);
        assert_eq!((frame.width, frame.height), (300, 400));
        // Text that ran downwards on the left edge now runs to the right along the bottom.
        let p = frame.from_original.map(Point { x: 0.0, y: 0.0 });
        assert!((p.x - 0.0).abs() < 0.01 && (p.y - 400.0).abs() < 0.01, "{p:?}");
    }
}
