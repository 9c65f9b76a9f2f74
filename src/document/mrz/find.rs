//! Finds the rows of a machine-readable zone on a page, by what they look like and where they stand, and decides which
//! row is which line of which layout.

use super::decode::{LineReading, decode};
use super::layout::{Checked, Layout, LineSpec};
use super::observation::{Observation, fold};
use super::symbol::{Class, FILLER, Symbol};
use super::zone::{LINE_MERIT, Zone};
use crate::ocr::{Line, MAX_ZONE_PITCH, Page, Quad};

/// A row of the page that may be a line of the zone.
pub(super) struct Row {
    pub(super) observation: Observation,
    /// Characters of the alphabet that were read.
    pub(super) n_symbols: usize,
    /// Characters that are digits, or letters that digits are taken for.
    pub(super) n_digits: usize,
    pub(super) quad: Quad,
}

/// What a filler that was not seen costs beyond its improbability: together as much as a character is worth.
const UNSEEN_FILLER: f32 = 0.35;
/// Most characters of a row that is put together from fragments: what makes it longer belongs to something else.
const MAX_JOINED: usize = 46;
/// Rows that are looked at, the most promising ones: more would be text in capitals.
const MAX_ROWS: usize = 8;
/// A row may have this share of the layout's width in characters: runs of fillers come out shorter or longer.
const WIDTH_RANGE: std::ops::Range<f32> = 0.62..1.3;
/// The same for lines that end in fillers, whose end is cut off at times.
const OPEN_WIDTH_RANGE: std::ops::Range<f32> = 0.38..1.3;
/// Digits that a line with dates has at least, and a line of names at most.
const N_DIGITS_BESIDE_DATES: usize = 7;
const N_DIGITS_IN_NAMES: usize = 8;

/// The best zone that the page's rows give, with the quads of its lines.
pub(super) fn find(page: &Page) -> Option<(Zone, Vec<Option<Quad>>)> {
    let rows = rows(page);
    Layout::ALL.iter().filter_map(|&layout| best_of_layout(layout, &rows)).max_by(|a, b| a.0.merit.total_cmp(&b.0.merit))
}

fn best_of_layout(layout: Layout, rows: &[Row]) -> Option<(Zone, Vec<Option<Quad>>)> {
    let specs = layout.lines();
    let mut composite_start = 0;
    let mut readings: Vec<Vec<Vec<LineReading>>> = Vec::new();
    for spec in &specs {
        readings.push(rows.iter().map(|row| read_row(row, spec, composite_start)).collect());
        composite_start += spec.composite_covers.iter().map(ExactSizeIterator::len).sum::<usize>();
    }
    assignments(specs.len(), rows, layout == Layout::Td1)
        .into_iter()
        .filter_map(|assignment| {
            let lists: Vec<&[LineReading]> = assignment
                .iter()
                .enumerate()
                .map(|(line_idx, row_idx)| row_idx.map_or(&[][..], |row_idx| readings[line_idx][row_idx].as_slice()))
                .collect();
            // A row that was assigned and cannot be read that way rules the assignment out; a smaller one exists.
            if assignment.iter().zip(&lists).any(|(row_idx, list)| row_idx.is_some() && list.is_empty()) {
                return None;
            }
            let zone = Zone::assemble(layout, &specs, &lists);
            let quads = assignment.iter().map(|row_idx| row_idx.map(|row_idx| rows[row_idx].quad)).collect();
            is_plausible(&zone, &specs).then_some((zone, quads))
        })
        .max_by(|a, b| a.0.merit.total_cmp(&b.0.merit))
}

fn read_row(row: &Row, spec: &LineSpec, composite_start: usize) -> Vec<LineReading> {
    let share = row.n_symbols as f32 / spec.len() as f32;
    // Where the layout lets a line end in a filler, the end may have been cut off.
    let ends_in_filler = spec.classes.last().is_some_and(|class| class.contains(FILLER));
    let is_wide_enough = if ends_in_filler { OPEN_WIDTH_RANGE.contains(&share) } else { WIDTH_RANGE.contains(&share) };
    // Names stand from the beginning to the end of their line, or beside dates.
    let is_hopeless = match (spec.dates.is_empty(), &spec.names) {
        (false, _) => row.n_digits < N_DIGITS_BESIDE_DATES,
        (true, Some(_)) => row.n_digits > N_DIGITS_IN_NAMES,
        (true, None) => false,
    };
    if !is_wide_enough || is_hopeless {
        return Vec::new();
    }
    let n_lost = spec.len().saturating_sub(row.n_symbols);
    let observation = if ends_in_filler { row.observation.clone().with_open_end(n_lost + 2) } else { row.observation.clone() };
    let mut readings = decode(&observation, spec, composite_start);
    // Fillers that nobody saw explain nothing: a wider layout must not gain by them.
    readings.iter_mut().for_each(|reading| reading.score -= n_lost as f32 * UNSEEN_FILLER);
    readings
}

/// Which row may be which line: in order and close together, lines may be missing; cards also with their lines shuffled.
fn assignments(n_lines: usize, rows: &[Row], is_shuffled: bool) -> Vec<Vec<Option<usize>>> {
    let mut found: Vec<Vec<Option<usize>>> = vec![Vec::new()];
    for _ in 0..n_lines {
        found = found
            .into_iter()
            .flat_map(|begun| {
                let free: Vec<Option<usize>> = (0..rows.len()).filter(|row_idx| !begun.contains(&Some(*row_idx))).map(Some).collect();
                free.into_iter().chain([None]).map(move |row_idx| begun.iter().copied().chain([row_idx]).collect::<Vec<_>>())
            })
            .filter(|assignment| is_close(assignment, rows, is_shuffled))
            .collect();
    }
    found.retain(|assignment| assignment.iter().any(Option::is_some));
    found
}

fn is_close(assignment: &[Option<usize>], rows: &[Row], is_shuffled: bool) -> bool {
    let used: Vec<&Row> = assignment.iter().flatten().map(|&row_idx| &rows[row_idx]).collect();
    used.windows(2).all(|pair| {
        let height = pair[0].quad.text_height().max(pair[1].quad.text_height()).max(1.0);
        let distance = pair[0].quad.depth_of(&pair[1].quad) / height;
        distance.abs() < MAX_ZONE_PITCH * if is_shuffled { 2.0 } else { 1.0 } && (is_shuffled || distance > 0.0)
    })
}

/// Whether a reading is a zone at all, and not text in capitals: digits hold, or everything else fits.
///
/// One digit in ten holds by chance, so a part of a zone needs more of them than a whole one.
fn is_plausible(zone: &Zone, specs: &[LineSpec]) -> bool {
    let n_holding = [Checked::Number, Checked::Birth, Checked::Expiry].iter().filter(|&&checked| zone.holds(checked) == Some(true)).count();
    let n_characters: usize = zone.lines.iter().zip(specs).filter(|(line, _)| line.is_some()).map(|(_, spec)| spec.len()).sum();
    let merit = zone.merit - LINE_MERIT * zone.lines.iter().flatten().count() as f32;
    let is_clean = merit > 0.5 * n_characters as f32;
    let is_whole = zone.lines.iter().all(Option::is_some);
    if is_whole {
        return match n_holding {
            3 => merit > 0.0,
            2 => merit > 0.0 && (is_clean || zone.composite != Some(false)),
            1 => is_clean,
            // A specimen without one right digit is still a zone when nothing else is wrong with it.
            _ => merit > 0.6 * n_characters as f32 && zone.has_known_states(specs),
        };
    }
    let n_fillers = zone.lines.iter().flatten().flat_map(|line| &line.symbols).filter(|&&s| s == FILLER).count();
    match zone.layout {
        // The composite digit of passports and larger cards stands over the second line alone.
        Layout::Td3 | Layout::Td2 => zone.composite == Some(true) && n_holding >= 2 && is_clean && zone.has_known_states(specs),
        Layout::Td1 => n_holding >= 2 && merit > 0.0 || n_holding == 1 && is_clean && n_fillers >= 6,
        Layout::MrvA | Layout::MrvB | Layout::FrenchId => n_holding == 3 && is_clean,
    }
}

/// The page's rows that may be lines of a zone, top to bottom.
fn rows(page: &Page) -> Vec<Row> {
    let mut seeds: Vec<usize> = (0..page.lines.len()).filter(|&idx| is_seed(&page.lines[idx])).collect();
    let beside: Vec<usize> = (0..page.lines.len())
        .filter(|idx| !seeds.contains(idx) && seeds.iter().any(|&seed| is_beside_seed(&page.lines[*idx], &page.lines[seed])))
        .collect();
    seeds.extend(beside);
    let mut taken = vec![false; page.lines.len()];
    let mut rows = Vec::new();
    for &seed in &seeds {
        if taken[seed] {
            continue;
        }
        let mut parts: Vec<usize> = (0..page.lines.len())
            .filter(|&idx| {
                idx == seed || !taken[idx] && is_part(&page.lines[idx]) && is_same_row(&page.lines[seed].quad, &page.lines[idx].quad)
            })
            .collect();
        let n_joined: usize = parts.iter().map(|&idx| symbols(&page.lines[idx].text).count()).sum();
        if n_joined > MAX_JOINED {
            parts = vec![seed];
        }
        parts.sort_by(|&a, &b| page.lines[a].quad.left().total_cmp(&page.lines[b].quad.left()));
        parts.iter().for_each(|&idx| taken[idx] = true);
        rows.extend(merged(&parts.iter().map(|&idx| &page.lines[idx]).collect::<Vec<_>>()));
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.n_symbols));
    rows.truncate(MAX_ROWS);
    rows.sort_by(|a, b| a.quad.center().y.total_cmp(&b.quad.center().y));
    rows
}

/// The fragments of one row as rows: one, unless the recogniser ran several lines together.
fn merged(parts: &[&Line]) -> Vec<Row> {
    if let [line] = parts
        && let Some(split) = split_joined_lines(line)
    {
        return split;
    }
    let quad = hull(parts);
    let n_symbols: usize = parts.iter().map(|line| symbols(&line.text).count()).sum();
    let character_width = parts.iter().map(|line| line.quad.text_width()).sum::<f32>() / n_symbols.max(1) as f32;
    let mut observation = Observation::default();
    for (part_idx, line) in parts.iter().enumerate() {
        let seen = match &line.lattice {
            // What a box around nothing but fillers reads as.
            None if is_one_character(&line.text) => Observation::from_text(&"<".repeat(line.text.chars().count())),
            Some(lattice) => Observation::from_lattice(lattice),
            None => Observation::from_text(&line.text),
        };
        if part_idx == 0 {
            observation = seen;
        } else {
            let gap = line.quad.left() - parts[part_idx - 1].quad.right();
            observation.join(seen, (gap / character_width.max(1.0)).round().max(0.0) as usize);
        }
    }
    let n_digits = parts.iter().map(|line| n_digits(&line.text)).sum();
    vec![Row { observation, n_symbols, n_digits, quad }]
}

/// Lines of a zone that came as one text: cut at the widths that add up.
fn split_joined_lines(line: &Line) -> Option<Vec<Row>> {
    let text: Vec<char> = line.text.replace("&lt;", "<").replace("&LT;", "<").chars().filter(|&c| fold(c).is_some()).collect();
    let (width, _) = [(44, 2), (36, 2), (30, 3)].into_iter().find(|&(width, n_lines)| text.len() == width * n_lines)?;
    let height = (line.quad.bottom() - line.quad.top()) / (text.len() / width) as f32;
    let row = |(idx, chunk): (usize, &[char])| Row {
        observation: Observation::from_text(&chunk.iter().collect::<String>()),
        n_symbols: chunk.len(),
        n_digits: n_digits(&chunk.iter().collect::<String>()),
        quad: {
            let top = line.quad.top() + idx as f32 * height;
            Quad::from_edges(line.quad.left(), top, line.quad.right(), top + height)
        },
    };
    Some(text.chunks(width).enumerate().map(row).collect())
}

/// Whether a text repeats one character, as no word does.
fn is_one_character(text: &str) -> bool {
    const N_REPEATED: usize = 4;
    let mut chars = text.chars();
    let first = chars.next();
    chars.clone().count() + 1 >= N_REPEATED && chars.all(|c| Some(c) == first)
}

fn hull(parts: &[&Line]) -> Quad {
    match parts {
        [only] => only.quad,
        [first, .., last] => Quad([first.quad.0[0], last.quad.0[1], last.quad.0[2], first.quad.0[3]]),
        [] => Quad::default(),
    }
}

/// The symbols of a recognised text.
fn symbols(text: &str) -> impl Iterator<Item = Symbol> {
    text.chars().filter_map(fold)
}

fn n_digits(text: &str) -> usize {
    symbols(text).filter(|&s| Class::DIGIT.contains(s)).count()
}

/// Whether a line that does not look like one of a zone is one by its place: as wide as one that does, and next to it.
fn is_beside_seed(line: &Line, seed: &Line) -> bool {
    let height = seed.quad.text_height().max(1.0);
    let is_as_wide =
        (line.quad.left() - seed.quad.left()).abs() < 2.0 * height && (line.quad.right() - seed.quad.right()).abs() < 2.0 * height;
    is_as_wide && seed.quad.depth_of(&line.quad).abs() < MAX_ZONE_PITCH * height && symbols(&line.text).count() >= 24
}

/// Whether a line looks like one of a zone by itself: fillers side by side, or long and full of digits without a blank.
fn is_seed(line: &Line) -> bool {
    let seen: Vec<Symbol> = symbols(&line.text).collect();
    let n_fillers = seen.iter().filter(|&&s| s == FILLER).count();
    let n_digits = seen.iter().filter(|&&s| Class::DIGIT.contains(s)).count();
    let has_run = seen.windows(2).any(|pair| pair == [FILLER, FILLER]);
    is_part(line) && (has_run && seen.len() >= 8 || n_fillers >= 2 && seen.len() >= 12 || seen.len() >= 26 && n_digits >= 6)
}

/// Whether a line may be a fragment of a zone's line: hardly anything but its alphabet, hardly any small letters.
fn is_part(line: &Line) -> bool {
    let text = line.text.replace("&lt;", "<");
    let n_all = text.chars().filter(|c| !c.is_whitespace()).count();
    let n_symbols = symbols(&text).count();
    // Small letters of the same form as their capitals are no sign of running text, nor is what fillers are taken for.
    let n_small = text.chars().filter(|c| c.is_lowercase() && !"ceksxozuvw".contains(*c)).count();
    n_all > 0 && n_symbols * 10 >= n_all * 8 && n_small * 3 <= n_all
}

fn is_same_row(seed: &Quad, other: &Quad) -> bool {
    let height = seed.text_height().max(1.0);
    let is_level = seed.depth_of(other).abs() < 0.5 * height;
    let is_as_high = (0.55..1.8).contains(&(other.text_height() / height));
    let is_beside = other.left() > seed.right() - height || other.right() < seed.left() + height;
    is_level && is_as_high && is_beside
}
