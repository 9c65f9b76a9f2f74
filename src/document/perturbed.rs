//! The typed documents as a recogniser garbles them: what is not legible may be missing, but must not be given wrongly.
//!
//! Only tests use this. The garbling is drawn from a seed of the document's title, so it is the same on every run.

use super::specimens::{FILES, Specimen, read_off, specimens};
use super::text::squeeze;
use crate::ocr::{Line, Page, Quad};

/// What recognisers and detectors do to lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Garbling {
    /// Blanks between words are lost.
    Blanks,
    /// Colons, full stops and slashes behind words are lost.
    Marks,
    /// Letters have no diacritics.
    Diacritics,
    /// Letters and digits that look alike are taken for one another, in words that have no letters besides.
    LookAlikes,
    /// A letter or two of a caption are others.
    Captions,
    /// Two boxes of one row are one line.
    Merged,
    /// A line comes in two boxes.
    Split,
    /// Boxes stand a little beside their print.
    Shifted,
    /// A line was not found at all.
    Lost,
}

const ALL: [Garbling; 9] = [
    Garbling::Blanks,
    Garbling::Marks,
    Garbling::Diacritics,
    Garbling::LookAlikes,
    Garbling::Captions,
    Garbling::Merged,
    Garbling::Split,
    Garbling::Shifted,
    Garbling::Lost,
];

/// Fields of a thousand that may be wrong, and that may be missing, at the most: what there was when this was written, and
/// a few more.
const MOST_WRONG: usize = 5;
const MOST_MISSING: usize = 65;

/// One line in so many is garbled, on average: a page keeps most of its lines whole.
const ONE_IN: u64 = 4;

/// A linear congruential generator (Knuth's constants): what is wanted is variety that never changes.
struct Chance(u64);

impl Chance {
    fn of(title: &str, garbling: Garbling) -> Self {
        let seed = title.bytes().fold(garbling as u64 + 1, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut chance = Self(seed);
        chance.below(2);
        chance
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }

    fn happens(&mut self) -> bool {
        self.below(ONE_IN) == 0
    }
}

fn garbled(page: Page, garbling: Garbling, expected: &[String], chance: &mut Chance) -> Page {
    let values = expected.iter().map(|value| squeeze(value)).collect::<String>();
    let mut lines: Vec<Line> = Vec::new();
    for mut line in page.lines {
        if line.text.contains('<') || !chance.happens() {
            lines.push(line);
            continue;
        }
        match garbling {
            Garbling::Blanks => line.text = without_a_blank(&line.text, chance),
            Garbling::Marks => line.text = line.text.replace([':', '.', '/'], " ").split_whitespace().collect::<Vec<_>>().join(" "),
            Garbling::Diacritics => line.text = without_diacritics(&line.text),
            Garbling::LookAlikes => line.text = with_look_alikes(&line.text, chance),
            // A name that was misread is given as it was read.
            Garbling::Captions if values.contains(&squeeze(&line.text)) => {}
            Garbling::Captions => line.text = with_other_letters(&line.text, chance),
            Garbling::Merged => {
                if let Some(before) = lines.iter_mut().find(|before| is_beside(before, &line)) {
                    before.text = format!("{} {}", before.text, line.text);
                    before.quad = around(&before.quad, &line.quad);
                    continue;
                }
            }
            Garbling::Split => {
                let (first, second) = halves(&line);
                lines.extend(second);
                line = first;
            }
            Garbling::Shifted => line.quad = shifted(&line.quad, chance),
            Garbling::Lost => continue,
        }
        line.confidence = 0.93;
        lines.push(line);
    }
    Page { lines, ..page }
}

fn without_a_blank(text: &str, chance: &mut Chance) -> String {
    let blanks: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
    let Some(at) = blanks.get(chance.below(blanks.len() as u64) as usize) else { return text.to_owned() };
    format!("{}{}", &text[..*at], &text[at + 1..])
}

fn without_diacritics(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    text.nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).collect()
}

fn with_look_alikes(text: &str, chance: &mut Chance) -> String {
    let twin = |c: char| match c {
        'O' => '0',
        '0' => 'O',
        'I' | 'l' => '1',
        '1' => 'I',
        other => other,
    };
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let at = chance.below(words.len() as u64) as usize;
    // Names are read with the help of their letters: a digit among them is rarer than a letter among digits.
    if words[at].chars().any(|c| c.is_ascii_digit()) {
        let twins: Vec<usize> = words[at].char_indices().filter(|(_, c)| twin(*c) != *c).map(|(at, _)| at).collect();
        if let Some(place) = twins.get(chance.below(twins.len() as u64) as usize) {
            words[at] = words[at].char_indices().map(|(at, c)| if at == *place { twin(c) } else { c }).collect();
        }
    }
    words.join(" ")
}

/// Only lines that look like captions: no digits, and small letters or several words.
fn with_other_letters(text: &str, chance: &mut Chance) -> String {
    let is_caption = !text.contains(|c: char| c.is_ascii_digit()) && (text.contains(|c: char| c.is_lowercase()) || text.contains('/'));
    let mut chars: Vec<char> = text.chars().collect();
    if !is_caption || chars.len() < 5 {
        return text.to_owned();
    }
    for _ in 0..=chance.below(2) {
        let at = chance.below(chars.len() as u64) as usize;
        let read = match chars[at].to_ascii_lowercase() {
            'a' => 'o',
            'b' => 'h',
            'e' => 'c',
            'i' => 'l',
            'm' => 'n',
            'n' => 'r',
            'o' => 'e',
            'r' => 't',
            's' => 'e',
            't' => 'i',
            'u' => 'n',
            _ => continue,
        };
        chars[at] = if chars[at].is_uppercase() { read.to_ascii_uppercase() } else { read };
    }
    chars.into_iter().collect()
}

fn is_beside(one: &Line, other: &Line) -> bool {
    let height = other.quad.text_height();
    let middle = |quad: &Quad| (quad.top() + quad.bottom()) / 2.0;
    (middle(&one.quad) - middle(&other.quad)).abs() < 0.5 * height && (0.0..6.0 * height).contains(&(other.quad.left() - one.quad.right()))
}

fn around(one: &Quad, other: &Quad) -> Quad {
    let top = one.top().min(other.top());
    Quad::from_edges(one.left().min(other.left()), top, one.right().max(other.right()), one.bottom().max(other.bottom()))
}

/// The line cut at the blank nearest to its middle.
fn halves(line: &Line) -> (Line, Option<Line>) {
    let n = line.text.chars().count();
    let blanks = line.text.chars().enumerate().filter(|(_, c)| *c == ' ').map(|(at, _)| at);
    let Some(at) = blanks.min_by_key(|at| at.abs_diff(n / 2)) else { return (line.clone(), None) };
    let part = |from: usize, to: usize| {
        let x = |place: usize| line.quad.left() + (line.quad.right() - line.quad.left()) * place as f32 / n as f32;
        // Detected boxes reach beyond their print.
        let reach = 0.3 * line.quad.text_height();
        let quad = Quad::from_edges(x(from) - reach, line.quad.top(), x(to) + reach, line.quad.bottom());
        Line { text: line.text.chars().skip(from).take(to - from).collect(), quad, ..line.clone() }
    };
    (part(0, at), Some(part(at + 1, n)))
}

fn shifted(quad: &Quad, chance: &mut Chance) -> Quad {
    let height = quad.text_height();
    let mut step = || (chance.below(5) as f32 - 2.0) * 0.12 * height;
    let (x, y) = (step(), step());
    Quad::from_edges(quad.left() + x, quad.top() + y, quad.right() + x, quad.bottom() + y)
}

/// The value as it is compared: its words in any order, without what the garbling of the value itself cannot but take away.
fn bare(value: &str) -> String {
    let mut letters: Vec<char> = squeeze(value)
        .chars()
        .map(|c| {
            if c == 'O' {
                '0'
            } else if matches!(c, 'I' | 'L') {
                '1'
            } else {
                c
            }
        })
        .collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// How many of number, name and date of birth are right, wrong and missing.
fn judge(specimen: &Specimen, garbling: Garbling, faults: &mut Vec<String>) -> [usize; 3] {
    let mut chance = Chance::of(&specimen.title, garbling);
    let front = garbled(specimen.front.clone(), garbling, &specimen.expected, &mut chance);
    let back = specimen.back.clone().map(|back| garbled(back, garbling, &specimen.expected, &mut chance));
    let read = read_off(Specimen { front, back, ..Specimen::default() });
    let mut judged = [0; 3];
    for (field, (value, expected)) in read.iter().zip(&specimen.expected).enumerate().skip(1).take(3) {
        let state = match () {
            () if bare(value) == bare(expected) => 0,
            () if value.is_empty() => 2,
            // What is not expected of the typed document may be found in the garbled one.
            () if expected.is_empty() => continue,
            () => 1,
        };
        judged[state] += 1;
        if state == 1 {
            faults.push(format!("{garbling:?}: {} ({field}): {value:?} instead of {expected:?}", specimen.title));
        }
    }
    judged
}

#[test]
fn what_is_garbled_is_missing_rather_than_wrong() {
    let mut faults = Vec::new();
    let mut judged = [0; 3];
    let documents = FILES.iter().flat_map(|(_, file)| specimens(file));
    // Every document in one way: a reading takes its time, and there are enough documents for all ways.
    for (specimen, garbling) in documents.zip(ALL.iter().cycle()) {
        let one = judge(&specimen, *garbling, &mut faults);
        judged.iter_mut().zip(one).for_each(|(sum, n)| *sum += n);
    }
    let [right, wrong, missing] = judged;
    let all = right + wrong + missing;
    let said = format!("{right} right, {wrong} wrong, {missing} missing\n{}", faults.join("\n"));
    assert!(wrong * 1000 <= MOST_WRONG * all, "too much is wrong: {said}");
    assert!(missing * 1000 <= MOST_MISSING * all, "too much is missing: {said}");
}
