//! The engine's steps one by one, for benchmarks: [`Engine::read`] is what reads a page.

use image::RgbImage;

use super::alphabet::Alphabet;
use super::boxes::{self, BoxParams};
use super::ctc;
use super::decode::{Limits, decode};
use super::engine::{DETECTION_LONG_SIDE, Engine};
use super::error::ImageError;
use super::frame::Frame;
use super::network::RunError;
use super::page::Quad;
use super::picture::Picture;
use super::recognise;

/// A decoded image, ready to be looked at.
pub struct Decoded(Picture);

impl Decoded {
    /// Decodes an image and makes its half-sized copies.
    ///
    /// # Errors
    /// The bytes are no image that can be read.
    pub fn new(bytes: &[u8], limits: Limits) -> Result<Self, ImageError> {
        decode(bytes, limits).map(Picture::new).map(Self)
    }

    fn dimensions(&self) -> (u32, u32) {
        RgbImage::dimensions(self.0.full())
    }
}

/// Boxes of the lines of text, as they lie on the image.
///
/// # Errors
/// The runtime fails.
pub fn detect(engine: &mut Engine, image: &Decoded) -> Result<Vec<Quad>, RunError> {
    let (width, height) = image.dimensions();
    let boxes = engine.detector.find(&image.0, &Frame::whole(width, height), DETECTION_LONG_SIDE)?;
    Ok(boxes.into_iter().map(|found| found.facing(0.0).corners()).collect())
}

/// The number of characters that the fast recogniser reads in a box.
///
/// # Errors
/// The runtime fails.
pub fn recognise(engine: &mut Engine, image: &Decoded, quad: &Quad) -> Result<usize, RunError> {
    engine.fast.read(&image.0, quad).map(|seen| seen.text.chars().count())
}

/// Straightens the line in a box for the recogniser, and gives the width it has then, in pixels.
pub fn crop(image: &Decoded, quad: &Quad) -> usize {
    recognise::input(&image.0, quad).0
}

/// The number of boxes in a detector's map, (H, W) row-major.
pub fn text_boxes(map: &[f32], width: usize, height: usize) -> usize {
    boxes::text_boxes(map, width, height, &BoxParams::default()).len()
}

/// Makes text of a recogniser's probabilities.
pub struct Transcriber(Alphabet);

impl Transcriber {
    /// For the characters of a dictionary, one a line.
    pub fn new(dictionary: &str) -> Self {
        Self(Alphabet::from_lines(dictionary))
    }

    /// The number of characters of a line: `steps` is (T, C) row-major.
    pub fn read(&self, steps: &[f32]) -> usize {
        ctc::decode(steps, &self.0).text.chars().count()
    }
}
