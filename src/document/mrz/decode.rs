//! Beam search for the line of a layout that explains an observation best: exact width, classes of symbols by position,
//! check digits, states, dates and the form of names are part of the search, not repairs after it.
//!
//! Every rule is a cost, none is absolute: a specimen whose printed check digit is wrong is still read as printed, and
//! the failed check is reported. What a rule may cost says how sure a recogniser must be to be believed against it.

use super::check_digit::{value, weight};
use super::cost;
use super::layout::{Checked, LineSpec};
use super::observation::Observation;
use super::symbol::{Class, FILLER, N_SYMBOLS, Symbol, character, is_filler_like};
use crate::document::country::is_state_code;

/// Hypotheses kept after each time step.
const BEAM_SIZE: usize = 160;
/// Hypotheses this much worse than the best are dropped, in nats: more than a failed check and two look-alikes cost.
const BEAM_DEPTH: f32 = 16.0;
/// Finished hypotheses handed on; those of different composite sums are all among them.
const MAX_READINGS: usize = 60;

/// One way to read a line.
#[derive(Debug, Clone)]
pub(super) struct LineReading {
    pub(super) symbols: Vec<Symbol>,
    /// For each symbol the probabilities of all at its place, blank left out.
    pub(super) cells: Vec<[f32; N_SYMBOLS]>,
    /// The places of names where print says another letter than the zone shows.
    pub(super) corrected: Vec<usize>,
    /// Sum of what the composite digit covers on this line, weighted, modulo 10.
    pub(super) composite_sum: u8,
    /// The check digits of this line that do not hold.
    pub(super) failed: Vec<Checked>,
    /// Natural logarithm of the likelihood, costs subtracted.
    pub(super) score: f32,
}

impl LineReading {
    pub(super) fn text(&self) -> String {
        self.symbols.iter().map(|&s| character(s)).collect()
    }
}

/// What decides how a hypothesis can go on; hypotheses that agree in it compete, and the better one survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    n_read: u8,
    last: Option<Symbol>,
    after_blank: bool,
    field_sum: u8,
    composite_sum: u8,
    failed: u8,
    /// Fillers directly before, at most three.
    n_fillers: u8,
    /// Double fillers so far in this name, at most two.
    n_double_fillers: u8,
}

impl State {
    /// The whole state as one number: equal for equal states, quick to compare.
    fn key(self) -> u64 {
        let parts = [
            self.n_read,
            self.last.map_or(0, |last| last + 1),
            u8::from(self.after_blank),
            self.field_sum << 4 | self.composite_sum,
            self.failed,
            self.n_fillers << 2 | self.n_double_fillers,
        ];
        parts.iter().fold(0, |key, &part| key << 8 | u64::from(part))
    }
}

#[derive(Clone, Copy)]
struct Hypothesis {
    state: State,
    score: f32,
    node: u32,
}

/// A symbol of a hypothesis, linked to the one before it.
struct Node {
    parent: u32,
    symbol: Symbol,
    step_idx: u32,
}

const ROOT: u32 = u32::MAX;

/// The letter I.
const CARD: Symbol = 18;
/// The letter P.
const PASSPORT: Symbol = 25;

/// The readings of an observation as a line of this form, best first; `composite_start` is how many characters of
/// earlier lines the composite digit covers.
pub(super) fn decode(observation: &Observation, spec: &LineSpec, composite_start: usize) -> Vec<LineReading> {
    Search { spec, plan: plan(spec, composite_start), nodes: Vec::new() }.run(observation)
}

/// What the rules say about one index of a line.
#[derive(Clone, Copy, Default)]
struct Place {
    field_weight: u8,
    composite_weight: u8,
    check: Option<Checked>,
    state_starts: Option<usize>,
    date_starts: Option<usize>,
    name_starts: Option<usize>,
    /// The names end here, and with them the line: those that fill it are cut off, but still in two parts.
    ends_names: bool,
}

fn plan(spec: &LineSpec, composite_start: usize) -> Vec<Place> {
    let mut places = vec![Place::default(); spec.len()];
    for check in &spec.checks {
        check.covers.clone().for_each(|idx| places[idx].field_weight = weight(idx - check.covers.start));
        places[check.at].check = Some(check.of);
    }
    for (nth, idx) in spec.composite_covers.iter().cloned().flatten().enumerate() {
        places[idx].composite_weight = weight(composite_start + nth);
    }
    spec.state.iter().for_each(|range| places[range.end - 1].state_starts = Some(range.start));
    spec.dates.iter().for_each(|range| places[range.end - 1].date_starts = Some(range.start));
    spec.names.iter().cloned().for_each(|range| {
        let start = range.start;
        places[range.end - 1].ends_names = range.end == spec.len();
        range.for_each(|idx| places[idx].name_starts = Some(start));
    });
    places
}

struct Search<'a> {
    spec: &'a LineSpec,
    plan: Vec<Place>,
    nodes: Vec<Node>,
}

impl Search<'_> {
    fn run(mut self, observation: &Observation) -> Vec<LineReading> {
        let start = State {
            n_read: 0,
            last: None,
            after_blank: true,
            field_sum: 0,
            composite_sum: 0,
            failed: 0,
            n_fillers: 0,
            n_double_fillers: 0,
        };
        let mut beam = vec![Hypothesis { state: start, score: 0.0, node: ROOT }];
        let mut next = Vec::new();
        for (step_idx, step) in observation.steps.iter().enumerate() {
            for hypothesis in &beam {
                let state = hypothesis.state;
                next.push(Hypothesis {
                    state: State { after_blank: true, ..state },
                    score: hypothesis.score + step.ln_blank,
                    ..*hypothesis
                });
                for &(symbol, ln_p) in &step.symbols {
                    let repeats = state.last == Some(symbol) && !state.after_blank && !step.starts_anew;
                    if repeats {
                        next.push(Hypothesis { score: hypothesis.score + ln_p, ..*hypothesis });
                    } else {
                        self.emit(hypothesis, symbol, ln_p, step_idx, &mut next);
                    }
                }
                self.force(hypothesis, &step.symbols, step_idx, &mut next);
            }
            prune(&mut next);
            std::mem::swap(&mut beam, &mut next);
            next.clear();
        }
        beam.retain(|hypothesis| usize::from(hypothesis.state.n_read) == self.spec.len());
        beam.truncate(MAX_READINGS);
        beam.iter().map(|hypothesis| self.reading(hypothesis, observation)).collect()
    }

    /// Lets a hypothesis read one more symbol, with what the rules take for it.
    fn emit(&mut self, from: &Hypothesis, symbol: Symbol, ln_p: f32, step_idx: usize, next: &mut Vec<Hypothesis>) {
        let idx = usize::from(from.state.n_read);
        if idx >= self.spec.len() || !self.spec.classes[idx].contains(symbol) {
            return;
        }
        let (state, cost) = self.advance(from, idx, symbol);
        self.nodes.push(Node { parent: from.node, symbol, step_idx: step_idx as u32 });
        next.push(Hypothesis { state, score: from.score + ln_p - cost, node: self.nodes.len() as u32 - 1 });
    }

    /// Where the recogniser is certain of a symbol that may not stand here, and of no look-alike that may, a digit that
    /// must stand here is still tried: the check digit then decides, or the line is lost.
    fn force(&mut self, from: &Hypothesis, seen: &[(Symbol, f32)], step_idx: usize, next: &mut Vec<Hypothesis>) {
        let idx = usize::from(from.state.n_read);
        let Some(&class) = self.spec.classes.get(idx) else { return };
        let is_something_seen = seen.iter().any(|&(_, ln_p)| ln_p > -1.0);
        if class != Class::DIGIT || !is_something_seen || seen.iter().any(|&(symbol, _)| class.contains(symbol)) {
            return;
        }
        if from.state.last.is_some_and(|last| seen.iter().any(|&(symbol, ln_p)| symbol == last && ln_p > -1.0)) {
            return;
        }
        if let Some(Place { check: Some(_), .. }) = self.plan.get(idx) {
            self.emit(from, from.state.field_sum, -cost::FORCED, step_idx, next);
        }
    }

    fn advance(&self, from: &Hypothesis, idx: usize, symbol: Symbol) -> (State, f32) {
        let place = self.plan[idx];
        let mut state = State { n_read: idx as u8 + 1, last: Some(symbol), after_blank: false, ..from.state };
        let mut total = 0.0;
        state.field_sum = (state.field_sum + value(symbol) * place.field_weight % 10) % 10;
        state.composite_sum = (state.composite_sum + value(symbol) * place.composite_weight % 10) % 10;
        if let Some(checked) = place.check {
            let is_empty = symbol == FILLER;
            let holds = match checked {
                // An empty personal number has the digit 0 or none; an unknown expiry has none.
                Checked::Personal | Checked::Expiry if is_empty => state.field_sum == 0,
                Checked::Number if is_empty => {
                    total += cost::LONG_NUMBER;
                    true
                }
                Checked::Number | Checked::Birth | Checked::Expiry | Checked::Personal | Checked::Composite => state.field_sum == symbol,
            };
            if !holds {
                total += cost::FAILED_CHECK;
                state.failed |= 1 << checked as u8;
            }
            state.field_sum = 0;
        }
        if let Some(start) = place.state_starts {
            total += self.state_cost(from.node, symbol, idx + 1 - start);
        }
        if let Some(start) = place.date_starts {
            total += self.date_cost(from.node, symbol, idx + 1 - start);
        }
        match place.name_starts {
            Some(start) => total += self.name_cost(from, &mut state, symbol, idx == start),
            None => (state.n_fillers, state.n_double_fillers) = (0, 0),
        }
        if place.ends_names && state.n_double_fillers == 0 {
            total += cost::NO_GIVEN_NAMES;
        }
        if idx == 0 && self.spec.classes[0].contains(CARD) && matches!(character(symbol), 'A' | 'C') {
            total += cost::RARE_CODE;
        }
        let is_in_code = idx == 1 && self.spec.state.as_ref().is_some_and(|range| range.start == 2);
        let is_odd = match self.spec.classes[0].contains(PASSPORT) {
            // Fillers come out as these after the P of a passport.
            true => matches!(character(symbol), 'A' | 'C' | 'E' | 'K' | 'X'),
            false => Class::DIGIT.contains(symbol) || matches!(character(symbol), 'O' | 'Q'),
        };
        if is_in_code && is_odd {
            total += cost::ODD_CODE;
        }
        (state, total)
    }

    /// The last `n` symbols, `symbol` being the very last.
    fn tail(&self, node: u32, symbol: Symbol, n: usize) -> [Symbol; 6] {
        let mut tail = [FILLER; 6];
        tail[n - 1] = symbol;
        let mut node = node;
        for place in tail[..n - 1].iter_mut().rev() {
            let Some(Node { parent, symbol, .. }) = self.nodes.get(node as usize) else { break };
            *place = *symbol;
            node = *parent;
        }
        tail
    }

    fn state_cost(&self, node: u32, symbol: Symbol, n: usize) -> f32 {
        let code: String = self.tail(node, symbol, n)[..n].iter().map(|&s| character(s)).collect();
        if is_state_code(code.trim_end_matches('<')) { 0.0 } else { cost::NO_STATE }
    }

    fn date_cost(&self, node: u32, symbol: Symbol, n: usize) -> f32 {
        let date = self.tail(node, symbol, n);
        let pair = |idx: usize| {
            let (tens, units) = (date[idx], date[idx + 1]);
            if tens == FILLER && units == FILLER { None } else { Some((tens, units)) }
        };
        let number = |(tens, units): (Symbol, Symbol)| (tens < 10 && units < 10).then(|| tens * 10 + units);
        let (year, month, day) = (pair(0), pair(2), pair(4));
        let fits = |part: Option<(Symbol, Symbol)>, range: std::ops::RangeInclusive<u8>| {
            part.is_none_or(|part| number(part).is_some_and(|n| range.contains(&n)))
        };
        if !fits(year, 0..=99) || !fits(month, 0..=12) || !fits(day, 0..=31) {
            return cost::NO_DATE;
        }
        // "00" for an unknown month or day is no calendar's either, but issuers do print it.
        let is_unknown = |part: Option<(Symbol, Symbol)>| part.is_none_or(|part| part == (0, 0));
        if year.is_none() || is_unknown(month) || is_unknown(day) { cost::UNKNOWN_DATE } else { 0.0 }
    }

    fn name_cost(&self, from: &Hypothesis, state: &mut State, symbol: Symbol, is_first: bool) -> f32 {
        if is_first {
            (state.n_fillers, state.n_double_fillers) = (0, 0);
        }
        if symbol == FILLER {
            state.n_fillers = (state.n_fillers + 1).min(3);
            if state.n_fillers == 2 {
                state.n_double_fillers = (state.n_double_fillers + 1).min(2);
            }
            let is_end_without_given_names = state.n_fillers == 3 && from.state.n_fillers == 2 && state.n_double_fillers == 1;
            let before = if is_first { [FILLER; 6] } else { self.tail(from.node, symbol, 3) };
            let is_after_lone_letter = before[0] == FILLER && is_filler_like(before[1]);
            let lone = if is_after_lone_letter { cost::LONE_FILLER_LIKE } else { 0.0 };
            return match (is_first, is_end_without_given_names) {
                (true, _) => cost::NO_SURNAME,
                (false, true) => cost::NO_GIVEN_NAMES,
                (false, false) => lone,
            };
        }
        let mut total = cost::LETTER_IN_NAME + if state.n_fillers > 0 { cost::WORD_IN_NAME } else { 0.0 };
        if state.n_fillers == 3 {
            total += cost::LETTER_AFTER_FILLERS;
        } else if state.n_double_fillers == 2 {
            total += cost::THIRD_NAME;
        }
        if !is_first {
            let [before_last, last, ..] = self.tail(from.node, symbol, 3);
            if before_last == symbol && last == symbol {
                total += cost::TRIPLE_LETTER;
            }
            if is_filler_like(last) && is_filler_like(symbol) {
                total += cost::FILLER_LIKE_PAIR;
            }
        }
        state.n_fillers = 0;
        total
    }

    fn reading(&self, hypothesis: &Hypothesis, observation: &Observation) -> LineReading {
        let mut path = Vec::with_capacity(self.spec.len());
        let mut node = hypothesis.node;
        while let Some(Node { parent, symbol, step_idx }) = self.nodes.get(node as usize) {
            path.push((*symbol, *step_idx as usize));
            node = *parent;
        }
        path.reverse();
        let ends = path.iter().skip(1).map(|&(_, step_idx)| step_idx).chain([observation.steps.len()]);
        let cells = path.iter().zip(ends).map(|(&(symbol, start), end)| best_cell(observation, symbol, start, end)).collect();
        let all = [Checked::Number, Checked::Birth, Checked::Expiry, Checked::Personal];
        LineReading {
            symbols: path.iter().map(|&(symbol, _)| symbol).collect(),
            cells,
            corrected: Vec::new(),
            composite_sum: hypothesis.state.composite_sum,
            failed: all.into_iter().filter(|&checked| hypothesis.state.failed >> checked as u8 & 1 == 1).collect(),
            score: hypothesis.score,
        }
    }
}

/// The probabilities at the step where a symbol was seen best, among those between its start and the next symbol's.
fn best_cell(observation: &Observation, symbol: Symbol, start: usize, end: usize) -> [f32; N_SYMBOLS] {
    let ln_p = |step_idx: usize| {
        observation.steps[step_idx].symbols.iter().find(|&&(s, _)| s == symbol).map_or(f32::NEG_INFINITY, |&(_, ln_p)| ln_p)
    };
    let mut best = start;
    for step_idx in start + 1..end {
        if ln_p(step_idx) == f32::NEG_INFINITY {
            break;
        }
        if ln_p(step_idx) > ln_p(best) {
            best = step_idx;
        }
    }
    observation.cell(best)
}

/// Keeps the best hypothesis of each state, and of those the best ones.
fn prune(hypotheses: &mut Vec<Hypothesis>) {
    let best = hypotheses.iter().map(|hypothesis| hypothesis.score).fold(f32::NEG_INFINITY, f32::max);
    hypotheses.retain(|hypothesis| hypothesis.score > best - BEAM_DEPTH);
    hypotheses.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
    // The first of a state is its best. A search through those that are kept takes less than a second sort.
    let mut kept = Vec::with_capacity(BEAM_SIZE);
    hypotheses.retain(|hypothesis| {
        let key = hypothesis.state.key();
        let stays = kept.len() < BEAM_SIZE && !kept.contains(&key);
        if stays {
            kept.push(key);
        }
        stays
    });
}
