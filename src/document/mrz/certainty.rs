//! How sure a decoded field is: the share that the reading has among all readings its check digit allows.

use super::check_digit::{value, weight};
use super::decode::LineReading;
use super::layout::{Checked, LineSpec};
use super::symbol::{FILLER, N_SYMBOLS, Symbol};
use std::ops::Range;

/// Probability of a checked field, 0..=1, given that its check digit holds.
///
/// Every other text of the same length whose check digit also holds counts against it, by how well it fits what was seen.
pub(super) fn of_checked(reading: &LineReading, spec: &LineSpec, checked: Checked) -> f32 {
    let Some(check) = spec.checks.iter().find(|check| check.of == checked) else { return of_range(reading, 0..spec.len()) };
    if reading.symbols[check.at] == FILLER {
        return of_range(reading, check.covers.clone());
    }
    let mut sums = [0.0_f32; 10];
    sums[0] = 1.0;
    let mut chosen = 1.0;
    for idx in check.covers.clone() {
        let cell = &reading.cells[idx];
        let mut next = [0.0; 10];
        for symbol in (0..N_SYMBOLS as Symbol).filter(|&s| spec.classes[idx].contains(s)) {
            let p = cell[usize::from(symbol)];
            if p > 0.0 {
                let step = usize::from(value(symbol) * weight(idx - check.covers.start) % 10);
                sums.iter().enumerate().for_each(|(sum, share)| next[(sum + step) % 10] += share * p);
            }
        }
        sums = next;
        chosen *= cell[usize::from(reading.symbols[idx])];
    }
    let digit_cell = &reading.cells[check.at];
    let all: f32 = (0..10).map(|sum| sums[sum] * digit_cell[sum]).sum();
    let chosen = chosen * digit_cell[usize::from(reading.symbols[check.at])];
    if all > 0.0 { (chosen / all).clamp(0.0, 1.0) } else { 0.0 }
}

/// Probability of a stretch without a check digit, 0..=1.
pub(super) fn of_range(reading: &LineReading, range: Range<usize>) -> f32 {
    range.map(|idx| reading.cells[idx][usize::from(reading.symbols[idx])]).product::<f32>().clamp(0.0, 1.0)
}

/// Whether the rules chose another symbol than the recogniser would have, anywhere in a stretch.
pub(super) fn is_repaired(reading: &LineReading, mut range: Range<usize>) -> bool {
    range.any(|idx| {
        let cell = &reading.cells[idx];
        let chosen = cell[usize::from(reading.symbols[idx])];
        cell.iter().any(|&p| p > chosen)
    })
}
