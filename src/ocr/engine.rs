//! The engine: image bytes -> page.

use std::thread;

use unicode_normalization::UnicodeNormalization;

use super::alphabet::Alphabet;
use super::codes;
use super::ctc::Transcript;
use super::decode::{Limits, decode};
use super::detect::TextDetector;
use super::draw::Canvas;
use super::error::ImageError;
use super::frame::Frame;
use super::level::Slant;
use super::network::{Network, RunError};
use super::order;
use super::orient::{LineOrientation, suited_voters, turned_over};
use super::page::{Line, Page, Quad};
use super::picture::Picture;
use super::quality;
use super::recognise::Recogniser;
use super::spent::{Spent, Stopwatch};
use super::weights::{Weights, joined};
use super::zone_box;

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

/// The picture that a page was read from, kept for a second look at some of its lines.
pub struct Original {
    picture: Picture,
    frame: Frame,
}

impl Original {
    /// The picture as the page's frame sees it: upright, straight, in the page's pixels.
    pub fn upright(&self) -> Canvas {
        Canvas::new(match self.frame.is_whole() {
            true => self.picture.full().clone(),
            false => self.picture.straightened(&self.frame.corners(), self.frame.width, self.frame.height),
        })
    }
}

/// One instance of the engine: reads one image at a time on the calling thread. For more, open more.
pub struct Engine {
    pub(super) detector: TextDetector,
    pub(super) fast: Recogniser,
    accurate: Recogniser,
    line_orientation: LineOrientation,
    limits: Limits,
    spent: Spent,
}

/// Long side of the picture that text is looked for in, in pixels. Found on evaluation documents: smaller loses the small
/// print of licences, larger costs time and splits lines.
pub(super) const DETECTION_LONG_SIDE: u32 = 832;

/// Slant and convergence (radians, over the whole picture) below which a picture counts as level.
const LEVEL: f32 = 0.01;

/// Slant in radians from which on text is looked for again in the straightened picture.
const SECOND_LOOK: f32 = 0.07;

/// How many times larger text appears when only the part that holds it is looked at, from which on that is done: the
/// captions of a card on a table are too small for the network otherwise.
const WORTH_A_CLOSER_LOOK: f32 = 1.15;

/// Lines that are read both ways up where it is not clear; each takes two runs of the recogniser.
const N_READ_BOTH_WAYS: usize = 3;

/// Log odds of being upside down under which the lines are believed to be upright.
const CLEARLY_UPRIGHT: f32 = -6.0;

/// Confidence, letters and number of lines that show that a page is the right way up. On evaluation documents no line of
/// pages that were upside down read at more than 0.88, and of 306 pages photographed on a table 17 have no two at 0.9.
const LEGIBLE: f32 = 0.9;
const WORD: usize = 4;
const N_LEGIBLE: usize = 2;

/// How much less sure of a line of a zone the recogniser may be at the zone's full width.
const WORSE_WHEN_WIDE: f32 = 0.1;

impl Engine {
    /// Builds the networks.
    ///
    /// # Errors
    /// The runtime refuses a network.
    pub fn new(weights: &Weights, limits: Limits) -> anyhow::Result<Self> {
        // Side by side: the runtime optimises each on one thread, and a worker takes no job until it is done.
        let [detection, fast, accurate, line_orientation] = thread::scope(|scope| {
            let models = [&weights.detection, &weights.fast, &weights.accurate, &weights.line_orientation];
            models.map(|model| scope.spawn(|| Network::new(&weights.environment, model))).map(joined)
        });
        Ok(Self {
            detector: TextDetector::new(detection?),
            fast: Recogniser::new(fast?, Alphabet::from_lines(&weights.fast_dictionary))?,
            accurate: Recogniser::new(accurate?, Alphabet::from_lines(&weights.accurate_dictionary))?,
            line_orientation: LineOrientation::new(line_orientation?),
            limits,
            spent: Spent::default(),
        })
    }

    /// Reads the lines of one image with the fast recogniser; the original is kept for a second look, and for its codes.
    ///
    /// # Errors
    /// The bytes are no image that can be read, or the runtime fails.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(Page, Original), OcrError> {
        let mut watch = Stopwatch::start();
        let picture = Picture::new(decode(bytes, self.limits)?);
        self.spent.decode += watch.lap();
        let (mut frame, mut quads) = self.find_lines(&picture, Way::AsVoted)?;
        self.spent.detect += watch.lap();
        let mut lines = self.read_lines(&picture, &frame, &quads)?;
        self.spent.recognise += watch.lap();
        if !is_legible(&lines) && self.reads_better_turned_over(&picture, &quads)? {
            (frame, quads) = self.find_lines(&picture, Way::AgainstTheVote)?;
            self.spent.detect += watch.lap();
            lines = self.read_lines(&picture, &frame, &quads)?;
            self.spent.recognise += watch.lap();
        }
        let to_original = frame.to_picture.to_f32();
        let mut page = Page { width: frame.width, height: frame.height, to_original, lines, ..Page::default() };
        order::sort(&mut page.lines);
        page.quality = quality::measure(&picture, &frame, &quads);
        self.spent.detect += watch.lap();
        Ok((page, Original { picture, frame }))
    }

    /// Looks for the codes of a page: apart from reading it, since what was read may say that there is nothing to gain.
    pub fn find_codes(&mut self, page: &mut Page, original: &Original) {
        let mut watch = Stopwatch::start();
        page.codes = codes::on_page(&original.picture, &original.frame, &page.lines);
        self.spent.detect += watch.lap();
    }

    /// Reads some lines of a page again with the accurate recogniser, which takes several times as long a line, and
    /// keeps what it says where it is as sure as the fast one was. Lines that may be machine-readable are always
    /// replaced: their decoder weighs probabilities by itself. Those whose box ends before the other lines of the zone do
    /// are read at full width.
    ///
    /// # Errors
    /// The runtime fails.
    pub fn read_again(&mut self, page: &mut Page, original: &Original, lines: &[usize]) -> Result<(), OcrError> {
        let mut watch = Stopwatch::start();
        for idx in lines {
            let wide = zone_box::widened(&page.lines, *idx);
            let Some(line) = page.lines.get_mut(*idx) else { continue };
            let mut look = |quad: Quad| -> Result<Line, RunError> {
                let seen = self.accurate.read(&original.picture, &original.frame.to_picture.map_quad(&quad))?;
                Ok(line_of(seen, quad))
            };
            let mut again = look(line.quad)?;
            if let Some(wide) = wide.map(&mut look).transpose()? {
                // More of the line, unless what was left out is no text at all.
                if wide.lattice.is_some() && wide.confidence > again.confidence - WORSE_WHEN_WIDE {
                    again = wide;
                }
            }
            if again.lattice.is_some() || (!again.text.is_empty() && again.confidence >= line.confidence) {
                *line = again;
            }
        }
        self.spent.recognise += watch.lap();
        Ok(())
    }

    /// Where the time of reading went since this was last asked.
    pub fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// The lines of a picture that have text, in the frame, as the fast recogniser reads them.
    fn read_lines(&mut self, picture: &Picture, frame: &Frame, quads: &[Quad]) -> Result<Vec<Line>, RunError> {
        let mut lines = Vec::with_capacity(quads.len());
        for quad in quads {
            let line = line_of(self.fast.read(picture, quad)?, frame.from_picture.map_quad(quad));
            if !line.text.is_empty() {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    /// The upright frame of a picture, and the boxes of its lines in pixels of the picture, in reading direction.
    fn find_lines(&mut self, picture: &Picture, way: Way) -> Result<(Frame, Vec<Quad>), RunError> {
        let (width, height) = picture.full().dimensions();
        let whole = Frame::whole(width, height);
        let rects = self.detector.find(picture, &whole, DETECTION_LONG_SIDE)?;
        let (w, h) = (width as f32, height as f32);
        let slant = Slant::of(&rects, w, h);
        let mut quads: Vec<Quad> = rects.iter().map(|rect| rect.facing(slant.direction_at(rect.center, w, h)).corners()).collect();
        let upside_down = self.is_upside_down(picture, &quads)? != (way == Way::AgainstTheVote);
        if upside_down {
            quads.iter_mut().for_each(|quad| *quad = turned_over(quad));
        }
        if !upside_down && slant.angle.abs() < LEVEL && slant.convergence.abs() * w.max(h) < LEVEL {
            let spread = Frame::around(&quads, &slant.leveller(w, h, false), width, height);
            if spread.is_none_or(|spread| spread.enlarges(width, height) < WORTH_A_CLOSER_LOOK) {
                return Ok((whole, quads));
            }
        }
        let Some(frame) = Frame::around(&quads, &slant.leveller(w, h, upside_down), width, height) else { return Ok((whole, quads)) };
        let lies_badly = upside_down || slant.angle.abs() > SECOND_LOOK || frame.enlarges(width, height) >= WORTH_A_CLOSER_LOOK;
        if lies_badly {
            // Look again at the straightened part alone, where the network sees more of the text.
            let rects = self.detector.find(picture, &frame, DETECTION_LONG_SIDE)?;
            quads = rects.iter().map(|rect| frame.to_picture.map_quad(&rect.facing(0.0).corners())).collect();
        }
        Ok((frame, quads))
    }

    fn is_upside_down(&mut self, picture: &Picture, quads: &[Quad]) -> Result<bool, RunError> {
        let log_odds = self.line_orientation.upside_down(picture, quads, CLEARLY_UPRIGHT)?;
        // Few pictures are upside down and no vote is infallible, so only an upright one is believed at once.
        if log_odds <= CLEARLY_UPRIGHT {
            return Ok(false);
        }
        self.reads_better_turned_over(picture, quads)
    }

    /// Asks the recogniser, which is sure of itself only the right way up.
    fn reads_better_turned_over(&mut self, picture: &Picture, quads: &[Quad]) -> Result<bool, RunError> {
        let mut upright = 0.0;
        for quad in suited_voters(quads).take(N_READ_BOTH_WAYS) {
            upright += self.fast.read(picture, quad)?.confidence - self.fast.read(picture, &turned_over(quad))?.confidence;
        }
        Ok(upright < 0.0)
    }
}

/// Which way up a picture is taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As its lines vote.
    AsVoted,
    /// The other way round: the vote gave a page that nobody can read.
    AgainstTheVote,
}

/// Whether some lines of a page are certain: upside down none is, whatever the vote of their first letters was.
fn is_legible(lines: &[Line]) -> bool {
    let is_certain = |line: &&Line| line.confidence >= LEGIBLE && line.text.chars().filter(|c| c.is_alphanumeric()).count() >= WORD;
    lines.iter().filter(is_certain).count() >= N_LEGIBLE
}

/// A recognised line in its place; its text is empty where there is none.
fn line_of(seen: Transcript, quad: Quad) -> Line {
    Line { text: seen.text.trim().nfc().collect(), confidence: seen.confidence, quad, lattice: seen.lattice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_with_two_certain_words_is_the_right_way_up() {
        let line = |text: &str, confidence| Line { text: text.into(), confidence, ..Line::default() };
        let noise = [line("wogsp Áoo nopq", 0.7), line("1802/zo/60", 0.79), line("EP", 0.99), line("$$ : $$", 0.95)];
        assert!(!is_legible(&noise));
        assert!(is_legible(&[&noise[..], &[line("Address : 59/16", 0.97), line("Note", 0.9)]].concat()));
    }
}
