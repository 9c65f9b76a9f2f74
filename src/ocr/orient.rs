//! Which way up: single lines vote, since a line is the same to a network wherever it stands on a card.

use super::network::{Network, RunError};
use super::page::{Point, Quad};
use super::picture::{Picture, Range};

/// Size of the crops that the network was trained on.
const CROP: (usize, usize) = (192, 48);

/// Lines asked; more add time and no certainty.
const MAX_VOTERS: usize = 6;

/// Tells lines that are upside down.
pub(crate) struct LineOrientation {
    network: Network,
}

impl LineOrientation {
    /// Wraps the classifying network.
    pub(crate) fn new(network: Network) -> Self {
        Self { network }
    }

    /// How much speaks for the lines being upside down, as summed log odds over the longest lines: positive for upside
    /// down. No more lines are asked once the sum is at most `enough`.
    pub(crate) fn upside_down(&mut self, picture: &Picture, quads: &[Quad], enough: f32) -> Result<f32, RunError> {
        let mut log_odds = 0.0;
        for quad in suited_voters(quads) {
            if log_odds <= enough {
                break;
            }
            let p = self.probability(picture, quad)?.clamp(0.01, 0.99);
            log_odds += (p / (1.0 - p)).ln();
        }
        Ok(log_odds)
    }

    /// Probability that one line is upside down.
    fn probability(&mut self, picture: &Picture, quad: &Quad) -> Result<f32, RunError> {
        let (max_width, height) = CROP;
        // Long lines are cut, not squeezed: four characters say as much as forty.
        let aspect = quad.text_width() / quad.text_height().max(1.0);
        let head = start_of(quad, (max_width as f32 / height as f32 / aspect).min(1.0));
        let width = ((height as f32 * aspect).ceil() as usize).clamp(16, max_width);
        let crop = picture.crop_planes(&head, width, height, &Range::SYMMETRIC);
        let mut planes = vec![0.0; 3 * max_width * height];
        for (padded, row) in planes.chunks_exact_mut(max_width).zip(crop.chunks_exact(width)) {
            padded[..width].copy_from_slice(row);
        }
        self.network.run(&planes, height, max_width, |_, p| p.get(1).copied().unwrap_or(0.0))
    }
}

/// The lines that tell best which way up they are: long ones, but not the longest, since the fillers of a
/// machine-readable zone look alike from both sides.
pub(crate) fn suited_voters(quads: &[Quad]) -> impl Iterator<Item = &Quad> {
    let suited = |quad: &&Quad| (2.5..16.0).contains(&(quad.text_width() / quad.text_height().max(1.0)));
    let mut longest: Vec<&Quad> = quads.iter().filter(suited).collect();
    longest.sort_by(|a, b| b.text_width().total_cmp(&a.text_width()));
    longest.into_iter().take(MAX_VOTERS)
}

/// The first `share` of a line.
fn start_of(quad: &Quad, share: f32) -> Quad {
    let [top_left, top_right, bottom_right, bottom_left] = quad.0;
    let between = |a: Point, b: Point| Point { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share };
    Quad([top_left, between(top_left, top_right), between(bottom_left, bottom_right), bottom_left])
}

/// The same lines read from the other side.
pub(crate) fn turned_over(quad: &Quad) -> Quad {
    let [a, b, c, d] = quad.0;
    Quad([c, d, a, b])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_line_is_where_reading_begins() {
        let half = start_of(&Quad::from_edges(10.0, 0.0, 30.0, 5.0), 0.5);
        assert_eq!(half, Quad::from_edges(10.0, 0.0, 20.0, 5.0));
        let turned = turned_over(&Quad::from_edges(10.0, 0.0, 30.0, 5.0));
        assert_eq!(start_of(&turned, 0.5).left(), 20.0);
    }
}
