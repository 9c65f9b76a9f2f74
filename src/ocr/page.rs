use std::fmt;

/// What was seen on one image, in the frame of the upright card.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Width of the upright frame in pixels; all quads lie in this frame.
    pub width: u32,
    /// Height of the upright frame in pixels.
    pub height: u32,
    /// Text lines in reading order: top to bottom, left to right.
    pub lines: Vec<Line>,
    /// Barcodes and two-dimensional codes.
    pub codes: Vec<Code>,
    /// What the image is like, as data.
    pub quality: Quality,
    /// Maps a point of the upright frame to the pixels of the decoded original (row-major 3x3 homography).
    pub to_original: [[f32; 3]; 3],
}

/// One line of text with its place.
///
/// `Debug` shows lengths only: recognised text never reaches a log.
#[derive(Clone, Default)]
pub struct Line {
    /// The text as recognised, Unicode NFC.
    pub text: String,
    /// Mean probability of the recognised characters, 0..=1.
    pub confidence: f32,
    /// The line's box.
    pub quad: Quad,
    /// Probabilities over [`LATTICE_ALPHABET`] per time step; only for lines that may belong to a machine-readable zone.
    pub lattice: Option<Lattice>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("n_chars", &self.text.chars().count()).field("confidence", &self.confidence).finish_non_exhaustive()
    }
}

/// The characters a [`Lattice`] speaks about, in the order of its columns; column 0 of a step is the CTC blank.
pub const LATTICE_ALPHABET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<";

/// What recognisers that know all scripts take the filler `<` of a machine-readable zone for: angles, whichever way they point.
pub const FILLER_LOOK_ALIKES: &str = "«‹〈《＜くㄑ≤⟨〱∠^Λ∧ヘへ人";

/// Lines of one machine-readable zone are at most this many text heights apart.
pub(crate) const MAX_ZONE_PITCH: f32 = 4.5;

/// What the filler becomes in print so blurred that its strokes close; among capitals it is never a letter.
pub(crate) const BLURRED_FILLER: char = 'e';

/// The recogniser's probabilities per time step, kept for decoders that know more than the recogniser does.
///
/// Each step is `[blank, p('0'), …, p('<')]`, each in 0..=1. The sum is below 1 where the recogniser saw characters
/// outside [`LATTICE_ALPHABET`].
#[derive(Clone, Default)]
pub struct Lattice {
    /// One entry per time step, left to right.
    pub steps: Vec<[f32; 38]>,
}

impl fmt::Debug for Lattice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lattice").field("n_steps", &self.steps.len()).finish_non_exhaustive()
    }
}

/// A decoded barcode or two-dimensional code.
///
/// `Debug` shows lengths only.
#[derive(Clone)]
pub struct Code {
    /// Which symbology it is.
    pub kind: CodeKind,
    /// The payload's bytes; text payloads are ISO-8859-1 or UTF-8 as the code's maker chose.
    pub bytes: Vec<u8>,
    /// Where it was found.
    pub quad: Quad,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("kind", &self.kind).field("n_bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// The symbologies that identity documents carry and this crate decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeKind {
    /// PDF417: US and Canadian licences (AAMVA), and others.
    Pdf417,
    /// QR code: Aadhaar, PAN.
    Qr,
}

/// A point in pixels; x to the right, y down.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// Pixels from the left edge.
    pub x: f32,
    /// Pixels from the top edge.
    pub y: f32,
}

/// Four corners in the text's own reading direction: top-left, top-right, bottom-right, bottom-left.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quad(pub [Point; 4]);

impl Quad {
    /// The axis-parallel quad with these edges, in pixels.
    pub fn from_edges(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self([Point { x: left, y: top }, Point { x: right, y: top }, Point { x: right, y: bottom }, Point { x: left, y: bottom }])
    }

    /// Smallest x of the four corners.
    pub fn left(&self) -> f32 {
        self.0.iter().map(|p| p.x).fold(f32::INFINITY, f32::min)
    }

    /// Largest x of the four corners.
    pub fn right(&self) -> f32 {
        self.0.iter().map(|p| p.x).fold(f32::NEG_INFINITY, f32::max)
    }

    /// Smallest y of the four corners.
    pub fn top(&self) -> f32 {
        self.0.iter().map(|p| p.y).fold(f32::INFINITY, f32::min)
    }

    /// Largest y of the four corners.
    pub fn bottom(&self) -> f32 {
        self.0.iter().map(|p| p.y).fold(f32::NEG_INFINITY, f32::max)
    }

    /// Length of the left edge, which is the height of the text, in pixels.
    pub fn text_height(&self) -> f32 {
        let [top_left, _, _, bottom_left] = self.0;
        (top_left.x - bottom_left.x).hypot(top_left.y - bottom_left.y)
    }

    /// Length of the top edge, which is the width of the text, in pixels.
    pub fn text_width(&self) -> f32 {
        let [top_left, top_right, ..] = self.0;
        (top_left.x - top_right.x).hypot(top_left.y - top_right.y)
    }

    /// How far below this quad the middle of `other` stands, along the normal of this text's direction, in pixels.
    pub fn depth_of(&self, other: &Self) -> f32 {
        let [top_left, top_right, ..] = self.0;
        let width = self.text_width().max(1.0);
        let (cos, sin) = ((top_right.x - top_left.x) / width, (top_right.y - top_left.y) / width);
        let (from, to) = (self.center(), other.center());
        (to.y - from.y) * cos - (to.x - from.x) * sin
    }

    /// Middle of the four corners.
    pub fn center(&self) -> Point {
        let sum = self.0.iter().fold(Point::default(), |a, p| Point { x: a.x + p.x, y: a.y + p.y });
        Point { x: sum.x / 4.0, y: sum.y / 4.0 }
    }
}

/// Quality signals of one image: data for whoever decides, never a verdict of genuineness.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quality {
    /// Sharpness: variance of the Laplacian over the text areas; below about 60 the eye sees blur.
    pub sharpness: f32,
    /// Share of the pixels around the text that are burnt out, 0..=1; 0 where the paper itself is white.
    pub glare: f32,
    /// Long side of the card in pixels of the original.
    pub card_long_side_px: u32,
    /// The card touches the image's edge.
    pub cropped: bool,
    /// There is next to no colour: a grey copy.
    pub grey: bool,
}
