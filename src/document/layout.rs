//! The lines of one image as boxes in straight rows, and who stands beside or below whom.

use crate::ocr::{Page, Point, Quad};

use super::field::Side;
use super::text::Compact;

/// A line that leans more than this, in degrees, makes the page be turned straight.
const STRAIGHT_DEGREES: f32 = 0.3;

/// Axis-parallel edges in the straightened frame, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edges {
    /// Smallest x.
    pub(crate) left: f32,
    /// Smallest y.
    pub(crate) top: f32,
    /// Largest x.
    pub(crate) right: f32,
    /// Largest y.
    pub(crate) bottom: f32,
}

impl Edges {
    /// Height in pixels.
    pub(crate) fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// Width in pixels.
    pub(crate) fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Vertical middle.
    pub(crate) fn middle(&self) -> f32 {
        (self.top + self.bottom) / 2.0
    }

    /// Whether the two stand on one row: the middle of the lower box lies within the higher one, roughly.
    pub(crate) fn same_row(&self, other: &Self) -> bool {
        (self.middle() - other.middle()).abs() < 0.5 * self.height().min(other.height()).max(0.6 * self.height().max(other.height()))
    }

    /// Length of the common stretch of x.
    pub(crate) fn overlap_x(&self, other: &Self) -> f32 {
        self.right.min(other.right) - self.left.max(other.left)
    }

    /// The smallest box around both.
    pub(crate) fn union(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

/// One recognised line, straightened and folded.
#[derive(Clone)]
pub(crate) struct TextLine {
    /// The characters as recognised, without blanks at the ends.
    pub(crate) chars: Vec<char>,
    /// Its letters and digits, folded.
    pub(crate) compact: Compact,
    /// Where it stands.
    pub(crate) edges: Edges,
    /// The box as the page has it.
    pub(crate) quad: Quad,
    /// 0..=1, the recogniser's.
    pub(crate) confidence: f32,
    /// Whether the text runs upwards or downwards beside the horizontal text.
    pub(crate) upright: bool,
}

impl TextLine {
    /// All of the text.
    pub(crate) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// The part of the text between two characters.
    pub(crate) fn slice(&self, start: usize, end: usize) -> String {
        self.chars[start.min(self.chars.len())..end.min(self.chars.len())].iter().collect()
    }

    /// The box of the part between two characters, every character taken as equally wide.
    pub(crate) fn edges_of(&self, start: usize, end: usize) -> Edges {
        let n = self.chars.len().max(1) as f32;
        let x = |place: usize| self.edges.left + self.edges.width() * (place as f32 / n).min(1.0);
        Edges { left: x(start), right: x(end), ..self.edges }
    }
}

/// The lines of one image in reading order: row by row, left to right.
#[derive(Clone)]
pub(crate) struct Sheet {
    /// Which image it is.
    pub(crate) side: Side,
    /// Lines with text, sorted by row and then by x.
    pub(crate) lines: Vec<TextLine>,
}

impl Sheet {
    /// Straightens a page.
    pub(crate) fn new(side: Side, page: &Page) -> Self {
        let turn = Turn::of(page);
        let mut lines: Vec<TextLine> = page
            .lines
            .iter()
            .filter(|line| !line.text.trim().is_empty())
            .map(|line| {
                let text = line.text.trim().to_owned();
                let (edges, upright) = turn.straighten(&line.quad);
                TextLine {
                    chars: text.chars().collect(),
                    compact: Compact::new(&text),
                    edges,
                    quad: line.quad,
                    confidence: line.confidence,
                    upright,
                }
            })
            .collect();
        sort_by_rows(&mut lines);
        Self { side, lines }
    }

    /// The line directly below a box that begins where the box does, or at `left`.
    pub(crate) fn below(&self, own: &Edges, left: f32) -> Option<usize> {
        self.lines.iter().position(|line| {
            let step = line.edges.middle() - own.middle();
            let aligned = (line.edges.left - own.left).abs().min((line.edges.left - left).abs()) < 0.8 * own.height();
            (0.5 * own.height()..1.6 * own.height()).contains(&step) && aligned
        })
    }
}

fn sort_by_rows(lines: &mut Vec<TextLine>) {
    lines.sort_by(|a, b| a.edges.middle().total_cmp(&b.edges.middle()));
    let mut rows: Vec<Vec<TextLine>> = Vec::new();
    for line in lines.drain(..) {
        match rows.last_mut() {
            Some(row) if row[0].edges.same_row(&line.edges) => row.push(line),
            _ => rows.push(vec![line]),
        }
    }
    for mut row in rows {
        row.sort_by(|a, b| a.edges.left.total_cmp(&b.edges.left));
        lines.append(&mut row);
    }
}

/// The rotation that makes the page's lines horizontal.
struct Turn {
    sin: f32,
    cos: f32,
}

impl Turn {
    fn of(page: &Page) -> Self {
        // Short lines have steep boxes by accident; the median of the long ones is the page's lean.
        let mut angles: Vec<f32> = page
            .lines
            .iter()
            .filter(|line| line.text.chars().count() > 5 && line.quad.text_width() > 3.0 * line.quad.text_height())
            .map(|line| lean(&line.quad))
            .filter(|angle| angle.abs() < 30.0)
            .collect();
        angles.sort_by(f32::total_cmp);
        let angle = angles.get(angles.len() / 2).copied().unwrap_or(0.0);
        let angle = if angle.abs() < STRAIGHT_DEGREES { 0.0 } else { -angle.to_radians() };
        Self { sin: angle.sin(), cos: angle.cos() }
    }

    fn straighten(&self, quad: &Quad) -> (Edges, bool) {
        let Quad(corners) = quad;
        let turned = corners.map(|p| Point { x: p.x * self.cos - p.y * self.sin, y: p.x * self.sin + p.y * self.cos });
        let lean = lean(&Quad(turned)).abs();
        let tall = quad.bottom() - quad.top() > 1.5 * (quad.right() - quad.left());
        let upright = (45.0..135.0).contains(&lean) || (tall && quad.text_height() > 2.0 * quad.text_width());
        let quad = Quad(turned);
        (Edges { left: quad.left(), top: quad.top(), right: quad.right(), bottom: quad.bottom() }, upright)
    }
}

/// Direction of the top edge in degrees, clockwise.
fn lean(quad: &Quad) -> f32 {
    let [a, b, ..] = quad.0;
    (b.y - a.y).atan2(b.x - a.x).to_degrees()
}
