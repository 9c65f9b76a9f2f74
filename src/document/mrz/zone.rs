//! Lines of one layout put together: the composite digit chooses among the readings of each line.

use super::decode::LineReading;
use super::layout::{Checked, Layout, LineSpec};
use super::symbol::{Symbol, character};
use crate::document::country::is_state_code;

/// A zone as decoded; a line that was not found is `None`.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    pub(super) layout: Layout,
    pub(super) lines: Vec<Option<LineReading>>,
    /// Whether the composite digit holds; `None` where the layout has none or a line it covers is missing.
    pub(super) composite: Option<bool>,
    /// How well the layout explains the rows: rises with explained characters and digits that hold.
    pub(super) merit: f32,
}

/// What an explained character is worth, in nats: what a reading costs on average beyond that is no reading.
const CHARACTER_MERIT: f32 = 1.0;
/// What a check digit that holds is worth.
const CHECK_MERIT: f32 = 3.0;
/// What another line found is worth, however poorly its names came out: blurred fillers are many and say little.
pub(super) const LINE_MERIT: f32 = 12.0;
/// What a composite digit that does not hold costs when all others hold: as much as any other.
const FAILED_COMPOSITE: f32 = 8.0;
/// What it costs beside another that does not hold: the same error, or the same misprint, explains both.
const FAILED_COMPOSITE_TOO: f32 = 3.0;

impl Zone {
    /// The best zone of these readings, each list best first; an empty list is a line that was not found.
    pub(super) fn assemble(layout: Layout, specs: &[LineSpec], readings: &[&[LineReading]]) -> Self {
        let covered: Vec<usize> = (0..specs.len()).filter(|&idx| !specs[idx].composite_covers.is_empty()).collect();
        let is_covered = layout.has_composite() && covered.iter().all(|&idx| !readings[idx].is_empty());
        let mut chosen: Vec<Option<LineReading>> = readings.iter().map(|list| list.first().cloned()).collect();
        let mut composite = None;
        if is_covered {
            let (picked, holds) = pick(&covered, readings);
            covered
                .iter()
                .zip(picked)
                .for_each(|(&line_idx, reading_idx)| chosen[line_idx] = Some(readings[line_idx][reading_idx].clone()));
            composite = Some(holds);
        }
        let merit = merit(specs, &chosen, composite);
        agree_on_state(specs, &mut chosen);
        Self { layout, lines: chosen, composite, merit }
    }

    /// Whether issuer and nationality, where their lines were found, are codes of states.
    pub(super) fn has_known_states(&self, specs: &[LineSpec]) -> bool {
        specs.iter().zip(&self.lines).filter_map(|(spec, line)| Some(&line.as_ref()?.symbols[spec.state.clone()?])).all(is_known)
    }

    /// Whether this digit holds; `None` where the layout has no such digit or its line is missing.
    pub(super) fn holds(&self, checked: Checked) -> Option<bool> {
        if checked == Checked::Composite {
            return self.composite;
        }
        let line_idx = self.layout.lines().iter().position(|spec| spec.checks.iter().any(|check| check.of == checked))?;
        Some(!self.lines[line_idx].as_ref()?.failed.contains(&checked))
    }
}

/// For each covered line the index of the reading to take, and whether the composite digit then holds.
fn pick(covered: &[usize], readings: &[&[LineReading]]) -> (Vec<usize>, bool) {
    let last = readings[covered[covered.len() - 1]];
    let mut best: (f32, Vec<usize>, bool) = (f32::NEG_INFINITY, Vec::new(), false);
    for (last_idx, last_reading) in last.iter().enumerate() {
        let firsts: &[LineReading] = if covered.len() > 1 { readings[covered[0]] } else { &[] };
        // A layout whose composite digit covers one line only has nothing before it.
        let before = firsts.iter().map(|reading| (reading.composite_sum, reading.score)).chain(firsts.is_empty().then_some((0, 0.0)));
        for (first_idx, (sum, score)) in before.enumerate() {
            let digit: Option<&Symbol> = last_reading.symbols.last();
            let holds = digit == Some(&((sum + last_reading.composite_sum) % 10));
            let is_failed_before = !last_reading.failed.is_empty() || firsts.get(first_idx).is_some_and(|first| !first.failed.is_empty());
            let total = score + last_reading.score - if holds { 0.0 } else { failed_composite(is_failed_before) };
            if total > best.0 {
                let picked = if firsts.is_empty() { vec![last_idx] } else { vec![first_idx, last_idx] };
                best = (total, picked, holds);
            }
        }
    }
    (best.1, best.2)
}

fn merit(specs: &[LineSpec], chosen: &[Option<LineReading>], composite: Option<bool>) -> f32 {
    let lines: f32 = specs
        .iter()
        .zip(chosen)
        .filter_map(|(spec, reading)| {
            let reading = reading.as_ref()?;
            let n_holding = spec.checks.len() - reading.failed.len();
            Some(reading.score + LINE_MERIT + CHARACTER_MERIT * spec.len() as f32 + CHECK_MERIT * n_holding as f32)
        })
        .sum();
    lines
        + match composite {
            Some(true) => CHECK_MERIT,
            Some(false) => -failed_composite(chosen.iter().flatten().any(|reading| !reading.failed.is_empty())),
            None => 0.0,
        }
}

fn failed_composite(is_failed_before: bool) -> f32 {
    if is_failed_before { FAILED_COMPOSITE_TOO } else { FAILED_COMPOSITE }
}

/// Most characters in which a misread state code differs from the other of the same zone.
const MAX_STATE_DIFFERENCES: usize = 2;

/// Where one of issuer and nationality is no state's code and the other is, and hardly differs, it is that one: no check
/// digit covers either, the list of states proves it.
fn agree_on_state(specs: &[LineSpec], chosen: &mut [Option<LineReading>]) {
    let places: Vec<(usize, std::ops::Range<usize>)> =
        specs.iter().enumerate().filter_map(|(line_idx, spec)| Some((line_idx, spec.state.clone()?))).collect();
    let [(one_line, one), (other_line, other)] = places.as_slice() else { return };
    let code = |line_idx: usize, range: &std::ops::Range<usize>| chosen[line_idx].as_ref().map(|line| line.symbols[range.clone()].to_vec());
    let (Some(first), Some(second)) = (code(*one_line, one), code(*other_line, other)) else { return };
    let n_differences = first.iter().zip(&second).filter(|(a, b)| a != b).count();
    if n_differences > MAX_STATE_DIFFERENCES {
        return;
    }
    let (line_idx, range, right) = match (is_known(&first), is_known(&second)) {
        (true, false) => (*other_line, other, first),
        (false, true) => (*one_line, one, second),
        _ => return,
    };
    if let Some(line) = &mut chosen[line_idx] {
        line.symbols[range.clone()].copy_from_slice(&right);
    }
}

fn is_known(code: &[Symbol]) -> bool {
    let text: String = code.iter().map(|&s| character(s)).collect();
    is_state_code(text.trim_end_matches('<'))
}
