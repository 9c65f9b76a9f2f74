//! The engine's steps one by one, for benchmarks: [`Engine::read`] is what reads a page.

use image::RgbImage;

use super::decode::{Limits, decode};
use super::engine::{DETECTION_LONG_SIDE, Engine};
use super::error::ImageError;
use super::frame::Frame;
use super::network::RunError;
use super::page::Quad;
use super::picture::Picture;

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
