//! What a line says: runs a recognition network over one straightened crop.

use anyhow::ensure;

use super::alphabet::Alphabet;
use super::ctc::{self, Transcript};
use super::network::{Network, RunError};
use super::page::Quad;
use super::picture::{Picture, Range};

/// Height of the crops that the recognisers were trained on, in pixels.
const CROP_HEIGHT: usize = 48;

/// Crops narrower than this hold no character.
const MIN_CROP_WIDTH: usize = 16;

/// Wider crops cost time without bound; 44 characters of a machine-readable line take about 1300 pixels.
const MAX_CROP_WIDTH: usize = 3200;

/// Reads single lines of text.
pub(crate) struct Recogniser {
    network: Network,
    alphabet: Alphabet,
}

impl Recogniser {
    /// Wraps a recognition network and the characters of its classes.
    pub(crate) fn new(network: Network, alphabet: Alphabet) -> anyhow::Result<Self> {
        let mut recogniser = Self { network, alphabet };
        let n_classes = recogniser.network.run(&vec![0.0; 3 * CROP_HEIGHT * 32], CROP_HEIGHT, 32, |shape, _| shape.last().copied())?;
        let expected = recogniser.alphabet.len();
        ensure!(
            n_classes == i64::try_from(expected).ok(),
            "the recogniser and its dictionary of {expected} characters do not belong together"
        );
        Ok(recogniser)
    }

    /// Reads the line inside `quad`.
    pub(crate) fn read(&mut self, picture: &Picture, quad: &Quad) -> Result<Transcript, RunError> {
        let (width, planes) = input(picture, quad);
        let alphabet = &self.alphabet;
        self.network.run(&planes, CROP_HEIGHT, width, |_, steps| ctc::decode(steps, alphabet))
    }
}

/// The line inside `quad` as a recogniser takes it: its width, and (3, H, W) planes, each in [-1, 1].
pub(super) fn input(picture: &Picture, quad: &Quad) -> (usize, Vec<f32>) {
    let width = crop_width(quad);
    (width, picture.crop_planes(quad, width, CROP_HEIGHT, &Range::SYMMETRIC))
}

/// Width of a crop that keeps the line's proportions.
fn crop_width(quad: &Quad) -> usize {
    let aspect = quad.text_width() / quad.text_height().max(1.0);
    ((CROP_HEIGHT as f32 * aspect).round() as usize).clamp(MIN_CROP_WIDTH, MAX_CROP_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_keep_their_proportions_within_limits() {
        let check = |width: f32, height: f32, expected| assert_eq!(crop_width(&Quad::from_edges(0.0, 0.0, width, height)), expected);
        check(200.0, 20.0, 480);
        check(2.0, 20.0, MIN_CROP_WIDTH);
        check(9e6, 20.0, MAX_CROP_WIDTH);
    }
}
