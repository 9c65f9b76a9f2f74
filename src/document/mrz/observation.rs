//! What a recogniser saw of one line, in the form that the decoder searches: probabilities per time step.
//!
//! A line that comes with a lattice keeps it; a line that is text only gets an artificial lattice in which every
//! character may be one of its look-alikes, fillers may have been lost, and blanks may have been fillers.

use unicode_normalization::UnicodeNormalization;

use crate::ocr::{FILLER_LOOK_ALIKES, Lattice};

use super::symbol::{FILLER, N_SYMBOLS, Symbol, blurred_filler, filler_look_alikes, is_filler_like, look_alikes, symbol};

/// Natural logarithms of the probabilities at one time step.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Of the blank: no character begins here.
    pub(super) ln_blank: f32,
    /// Of the symbols that are possible at all.
    pub(super) symbols: Vec<(Symbol, f32)>,
    /// A symbol here is a new one, never more of the one at the step before.
    pub(super) starts_anew: bool,
}

/// The time steps of one line, left to right.
#[derive(Debug, Clone, Default)]
pub(super) struct Observation {
    pub(super) steps: Vec<Step>,
}

/// Below this no symbol is searched: it would cost more than a failed check digit does.
const LEAST_PROBABILITY: f32 = 2e-4;
/// How much of a look-alike's likelihood is left where the recogniser's own probabilities speak already.
const DOUBT: f32 = 0.1;
/// A step that is a blank as certainly as this, after another such, says nothing more.
const CERTAIN_BLANK: f32 = 0.998;
/// A recogniser that is certain is still wrong this often about fillers next to fillers, in their number above all.
const FILLER_SLIP: f32 = 0.01;
/// So many characters at the end of a row that may all be fillers are, and if this many of them were read as letters,
/// the row is blurred.
const N_AT_END: usize = 8;
const N_LETTERS_AT_END: usize = 2;
/// A character of a text line was recognised as itself.
const READ_RIGHT: f32 = 0.9;
/// A character of a text line is not on the document at all.
const READ_TOO_MUCH: f32 = 5e-4;
/// A filler of a text line is one too many.
const FILLER_TOO_MUCH: f32 = 0.02;
/// A filler was lost between two characters that are no fillers.
const FILLER_LOST: f32 = 2e-3;
/// A filler was lost beside a filler.
const FILLER_LOST_IN_RUN: f32 = 0.06;
/// A filler was lost at the end of the line, where detection boxes end too early.
const FILLER_LOST_AT_END: f32 = 0.5;

impl Observation {
    /// From the recogniser's own probabilities.
    pub(super) fn from_lattice(lattice: &Lattice) -> Self {
        let filler_idx = usize::from(FILLER) + 1;
        let near_filler = |step_idx: usize| {
            let from = step_idx.saturating_sub(6);
            lattice.steps[from..(step_idx + 7).min(lattice.steps.len())].iter().any(|step| step[filler_idx] > 0.3)
        };
        let is_blurred = is_blurred(lattice);
        let is_blank = |step_idx: usize| lattice.steps[step_idx][0] > CERTAIN_BLANK;
        let steps = (0..lattice.steps.len())
            .filter(|&step_idx| step_idx == 0 || !(is_blank(step_idx) && is_blank(step_idx - 1)))
            .map(|step_idx| {
                let probabilities = &lattice.steps[step_idx];
                let mut spread = [0.0_f32; N_SYMBOLS];
                // What is seen clearly is no filler, be it of a kind that may not stand here: `T10<<` is `TIO<<`.
                let mut clearest = 0.0_f32;
                for read in 0..N_SYMBOLS as Symbol {
                    let p = probabilities[usize::from(read) + 1];
                    if p > clearest && read != FILLER && !is_filler_like(read) {
                        clearest = p;
                    }
                    spread[usize::from(read)] += p;
                    if p > 0.02 {
                        look_alikes(read).for_each(|(other, likelihood)| spread[usize::from(other)] += p * likelihood * DOUBT);
                        filler_look_alikes(read).for_each(|(other, likelihood)| spread[usize::from(other)] += p * likelihood);
                        if is_blurred {
                            spread[usize::from(FILLER)] += p * blurred_filler(read, p);
                        }
                    }
                }
                let mut blank = probabilities[0];
                if near_filler(step_idx) {
                    let slip = FILLER_SLIP * (1.0 - clearest).max(0.0);
                    spread[usize::from(FILLER)] += slip;
                    blank += slip;
                }
                Step::new(blank, &spread)
            })
            .collect();
        Self { steps }
    }

    /// From recognised text.
    pub(super) fn from_text(text: &str) -> Self {
        let mut steps = Vec::new();
        let mut previous = None;
        for c in text.chars() {
            let read = fold(c);
            steps.push(gap(previous, read));
            steps.push(step_of(c, read));
            if matches!(c, '«' | '《') {
                steps.push(Step::filler_or_blank(0.5));
            }
            previous = read;
        }
        Self { steps }
    }

    /// Appends a fragment that stands further right on the same row, `n_lost` fillers' width away.
    pub(super) fn join(&mut self, other: Self, n_lost: usize) {
        self.steps.extend((0..n_lost.min(44)).map(|_| Step::filler_or_blank(0.5)));
        self.steps.push(gap(Some(FILLER), Some(FILLER)));
        self.steps.extend(other.steps);
    }

    /// Allows up to `n_lost` fillers after the end.
    pub(super) fn with_open_end(mut self, n_lost: usize) -> Self {
        self.steps.extend((0..n_lost).map(|_| Step::filler_or_blank(FILLER_LOST_AT_END)));
        self
    }

    /// Symbols per time step with the probability of each, blank left out; sums to 1 where anything was seen.
    pub(super) fn cell(&self, step_idx: usize) -> [f32; N_SYMBOLS] {
        let mut cell = [0.0; N_SYMBOLS];
        let step = &self.steps[step_idx];
        for &(symbol, ln_p) in &step.symbols {
            cell[usize::from(symbol)] = ln_p.exp();
        }
        let total: f32 = cell.iter().sum();
        if total > 0.0 {
            cell.iter_mut().for_each(|p| *p /= total);
        }
        cell
    }
}

impl Step {
    fn new(blank: f32, probabilities: &[f32; N_SYMBOLS]) -> Self {
        let symbols = (0..N_SYMBOLS as Symbol)
            .filter_map(|s| Some(probabilities[usize::from(s)]).filter(|&p| p >= LEAST_PROBABILITY).map(|p| (s, p.min(1.0).ln())))
            .collect();
        Self { ln_blank: blank.clamp(1e-6, 1.0).ln(), symbols, starts_anew: false }
    }

    fn filler_or_blank(filler: f32) -> Self {
        Self { ln_blank: (1.0 - filler).ln(), symbols: vec![(FILLER, filler.ln())], starts_anew: true }
    }
}

/// Whether fillers were read as letters at the end of a row.
fn is_blurred(lattice: &Lattice) -> bool {
    let likeliest = |step: &[f32; N_SYMBOLS + 1]| (0..step.len()).max_by(|&a, &b| step[a].total_cmp(&step[b])).unwrap_or(0);
    let mut columns: Vec<usize> = lattice.steps.iter().map(likeliest).collect();
    columns.dedup();
    let at_end: Vec<Symbol> =
        columns.iter().rev().filter(|&&column| column > 0).take(N_AT_END).map(|&column| column as Symbol - 1).collect();
    let n_letters = at_end.iter().filter(|&&s| s != FILLER).count();
    at_end.len() == N_AT_END && at_end.iter().all(|&s| s == FILLER || is_filler_like(s)) && n_letters >= N_LETTERS_AT_END
}

fn gap(left: Option<Symbol>, right: Option<Symbol>) -> Step {
    let n_fillers = usize::from(left == Some(FILLER)) + usize::from(right == Some(FILLER));
    Step::filler_or_blank([FILLER_LOST, FILLER_LOST_IN_RUN / 2.0, FILLER_LOST_IN_RUN][n_fillers])
}

fn step_of(c: char, read: Option<Symbol>) -> Step {
    let mut probabilities = [0.0; N_SYMBOLS];
    let Some(read) = read else {
        // A blank, a full stop or a dash: often a filler, often nothing.
        return Step::filler_or_blank(if c.is_whitespace() { 0.3 } else { 0.5 });
    };
    probabilities[usize::from(read)] = READ_RIGHT;
    for (other, likelihood) in look_alikes(read).chain(filler_look_alikes(read)) {
        probabilities[usize::from(other)] += likelihood;
    }
    if matches!(c, 'c' | 'k' | 'e' | 's' | 'x' | 'l') {
        // OCR-B has no small letters: a small one is a guess at a filler more often than not.
        probabilities[usize::from(FILLER)] += 0.3;
    }
    Step { starts_anew: true, ..Step::new(if read == FILLER { FILLER_TOO_MUCH } else { READ_TOO_MUCH }, &probabilities) }
}

/// The symbol that a recognised character most likely is; `None` for blanks and for what no zone has.
pub(super) fn fold(c: char) -> Option<Symbol> {
    let folded = match c {
        '(' | '{' => '<',
        look_alike if FILLER_LOOK_ALIKES.contains(look_alike) => '<',
        'ı' | 'İ' => 'I',
        'О' | 'о' => 'O',
        '$' => 'S',
        '|' => 'I',
        other if other.is_ascii() => other.to_ascii_uppercase(),
        // Full-width forms of the recogniser's own alphabet.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0)?.to_ascii_uppercase(),
        other => std::iter::once(other).nfd().next()?.to_ascii_uppercase(),
    };
    symbol(folded)
}
