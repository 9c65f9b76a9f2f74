//! The engine: image bytes -> page.

use unicode_normalization::UnicodeNormalization;

use super::alphabet::Alphabet;
use super::decode::{Limits, decode};
use super::detect::TextDetector;
use super::error::ImageError;
use super::frame::Frame;
use super::level::Slant;
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

/// Slant and convergence (radians, over the whole picture) below which a picture counts as level.
const LEVEL: f32 = 0.01;

/// Slant in radians from which on text is looked for again in the straightened picture.
const SECOND_LOOK: f32 = 0.07;

/// Share of the picture that text takes on a scan; a card on a table takes less.
const FILLED: f32 = 0.45;

/// Log odds from which on the vote of the lines is not questioned.
const CLEAR_VOTE: f32 = 9.0;

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
        let (frame, quads) = self.find_lines(&picture)?;
        let mut page = Page { width: frame.width, height: frame.height, to_original: frame.to_picture.to_f32(), ..Page::default() };
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
                quad: frame.from_picture.map_quad(quad),
                lattice,
            });
        }
        order::sort(&mut page.lines);
        Ok(page)
    }

    /// The upright frame of a picture, and the boxes of its lines in pixels of the picture, in reading direction.
    fn find_lines(&mut self, picture: &Picture) -> Result<(Frame, Vec<Quad>), RunError> {
        let (width, height) = picture.full().dimensions();
        let whole = Frame::whole(width, height);
        let rects = self.detector.find(picture, &whole, DETECTION_LONG_SIDE)?;
        let (w, h) = (width as f32, height as f32);
        let slant = Slant::of(&rects, w, h);
        let mut quads: Vec<Quad> = rects.iter().map(|rect| rect.facing(slant.direction_at(rect.center, w, h)).corners()).collect();
        let upside_down = self.is_upside_down(picture, &quads)?;
        if upside_down {
            quads.iter_mut().for_each(|quad| *quad = turned_over(quad));
        }
        if !upside_down && slant.angle.abs() < LEVEL && slant.convergence.abs() * w.max(h) < LEVEL {
            let spread = Frame::around(&quads, &slant.leveller(w, h, false), width, height);
            if spread.is_none_or(|spread| spread.share_of(width, height) > FILLED) {
                return Ok((whole, quads));
            }
        }
        let Some(frame) = Frame::around(&quads, &slant.leveller(w, h, upside_down), width, height) else { return Ok((whole, quads)) };
        let turned = upside_down || slant.angle.abs() > SECOND_LOOK || frame.share_of(width, height) < FILLED;
        if turned {
            // Text was found, and it lies badly: look again at the straightened part, where the network sees more of it.
            let rects = self.detector.find(picture, &frame, DETECTION_LONG_SIDE)?;
            quads = rects.iter().map(|rect| frame.to_picture.map_quad(&rect.facing(0.0).corners())).collect();
        }
        Ok((frame, quads))
    }

    fn is_upside_down(&mut self, picture: &Picture, quads: &[Quad]) -> Result<bool, RunError> {
        let log_odds = self.line_orientation.upside_down(picture, quads)?;
        if log_odds.abs() > CLEAR_VOTE {
            return Ok(log_odds > 0.0);
        }
        // The lines disagree: ask the recogniser, which is sure of itself only the right way up.
        let mut voters: Vec<&Quad> = quads.iter().filter(|quad| quad.text_width() > 2.0 * quad.text_height()).collect();
        voters.sort_by(|a, b| b.text_width().total_cmp(&a.text_width()));
        let mut upright = 0.0;
        for quad in voters.into_iter().take(4) {
            upright += self.fast.read(picture, quad)?.confidence - self.fast.read(picture, &turned_over(quad))?.confidence;
        }
        Ok(upright < 0.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_machine_readable_zones_are_told_from_print() {
        let check = |text: &str, expected| assert_eq!(may_be_machine_readable(text), expected, "{text}");
        check("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", true);
        check("L898902C36UTO7408122F1204159ZE184226B<<<<<10", true);
        check("Date of issue / Date de délivrance", false);
        check("123 MAIN STREET", false);
        check("P<UTO", false);
    }
}
