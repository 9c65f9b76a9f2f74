//! From probabilities per time step to text (connectionist temporal classification). Pure.

use super::alphabet::Alphabet;
use super::page::{LATTICE_ALPHABET, Lattice};

/// The index of the class that means "no character here".
const BLANK: usize = 0;

/// What one line reads as.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Transcript {
    /// The characters, as the network spells them.
    pub(crate) text: String,
    /// Mean probability of the characters, 0..=1; 0 for an empty line.
    pub(crate) confidence: f32,
}

/// Best path through `steps`, (T, C) row-major probabilities: the likeliest class per step, repeats merged, blanks dropped.
///
/// Characters of scripts that are not read here win over Latin ones only on lines that are mostly theirs: a single Greek
/// or Chinese letter in a Latin line is a misread.
pub(crate) fn best_path(steps: &[f32], n_classes: usize, alphabet: &Alphabet) -> Transcript {
    let free = follow(steps, n_classes, alphabet, |_| true);
    let n_foreign = free.text.chars().filter(|c| is_foreign(*c)).count();
    if n_foreign == 0 || n_foreign * 2 > free.text.chars().count() {
        return free;
    }
    follow(steps, n_classes, alphabet, |class| alphabet.is_latin(class))
}

fn follow(steps: &[f32], n_classes: usize, alphabet: &Alphabet, allowed: impl Fn(usize) -> bool) -> Transcript {
    let mut text = String::new();
    let mut sum = 0.0;
    let mut n_chars = 0_u32;
    let mut previous = BLANK;
    for step in steps.chunks_exact(n_classes) {
        let mut best = (BLANK, step[BLANK]);
        for (class, p) in step.iter().enumerate().skip(1) {
            if *p > best.1 && allowed(class) {
                best = (class, *p);
            }
        }
        let (class, p) = best;
        if class != BLANK && class != previous {
            text.push_str(alphabet.spelling(class));
            sum += p;
            n_chars += 1;
        }
        previous = class;
    }
    Transcript { text, confidence: if n_chars == 0 { 0.0 } else { sum / n_chars as f32 } }
}

/// Whether a letter is of a script that this engine recognises as such and does not read.
pub(crate) fn is_foreign(c: char) -> bool {
    c.is_alphabetic() && !matches!(c as u32, 0x41..=0x24F | 0x1E00..=0x1EFF)
}

/// The probabilities of the characters that machine-readable zones are made of.
pub(crate) fn lattice(steps: &[f32], n_classes: usize, alphabet: &Alphabet) -> Lattice {
    // A dictionary may spell a character twice, and small letters are printed by no machine-readable zone: an "o" seen
    // there is a zero or a capital seen badly.
    let columns: Vec<Vec<usize>> = LATTICE_ALPHABET
        .chars()
        .map(|wanted| {
            let small = wanted.to_ascii_lowercase();
            (1..n_classes)
                .filter(|class| {
                    let mut spelled = alphabet.spelling(*class).chars();
                    matches!((spelled.next(), spelled.next()), (Some(c), None) if c == wanted || c == small)
                })
                .collect()
        })
        .collect();
    let read = |step: &[f32]| {
        let mut out = [0.0; 38];
        out[0] = step[BLANK];
        for (cell, classes) in out[1..].iter_mut().zip(&columns) {
            *cell = classes.iter().map(|class| step[*class]).sum();
        }
        out
    };
    Lattice { steps: steps.chunks_exact(n_classes).map(read).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alphabet() -> Alphabet {
        Alphabet::from_lines("A\nB\nα\n<")
    }

    /// Blank, A, B, alpha, <, space.
    fn steps(path: &[usize]) -> Vec<f32> {
        path.iter().flat_map(|class| (0..6).map(move |c| if c == *class { 0.75 } else { 0.05 })).collect()
    }

    fn check(path: &[usize], expected: &str) {
        assert_eq!(best_path(&steps(path), 6, &alphabet()).text, expected);
    }

    #[test]
    fn repeats_merge_unless_a_blank_parts_them() {
        check(&[1, 1, 0, 1, 2, 2, 5, 2], "AAB B");
        check(&[0, 0, 0], "");
    }

    #[test]
    fn a_lone_foreign_letter_gives_way_to_the_likeliest_latin_one() {
        let mut line = steps(&[1, 0, 2, 0, 3]);
        line[4 * 6 + 1] = 0.2;
        assert_eq!(best_path(&line, 6, &alphabet()).text, "ABA");
        check(&[3, 0, 3, 0, 3], "ααα");
    }

    #[test]
    fn confidence_is_the_mean_over_characters() {
        assert!((best_path(&steps(&[1, 0, 2]), 6, &alphabet()).confidence - 0.75).abs() < 1e-6);
        assert_eq!(best_path(&[], 6, &alphabet()).confidence, 0.0);
    }

    #[test]
    fn a_lattice_speaks_of_its_own_alphabet_only() {
        let lattice = lattice(&steps(&[1, 3, 4]), 6, &alphabet());
        let column = |c: char| 1 + LATTICE_ALPHABET.find(c).unwrap();
        assert_eq!(lattice.steps[0][column('A')], 0.75);
        assert_eq!(lattice.steps[2][column('<')], 0.75);
        assert!(lattice.steps[1].iter().sum::<f32>() < 0.3);
    }
}
