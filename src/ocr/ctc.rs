//! From probabilities per time step to text (connectionist temporal classification). Pure.

use super::alphabet::Alphabet;
use super::page::{BLURRED_FILLER, FILLER_LOOK_ALIKES, Lattice};

/// The index of the class that means "no character here".
const BLANK: usize = 0;

/// What one line reads as.
#[derive(Default)]
pub(crate) struct Transcript {
    /// The characters, as the network spells them.
    pub(crate) text: String,
    /// Mean probability of the characters, 0..=1; 0 for an empty line.
    pub(crate) confidence: f32,
    /// The probabilities behind it, where it may be a line of a machine-readable zone.
    pub(crate) lattice: Option<Lattice>,
}

/// Best path through `steps`, (T, C) row-major probabilities: the likeliest class per step, repeats merged, blanks dropped.
///
/// Characters of scripts that are not read here win over Latin ones only on lines that are mostly theirs: a single Greek
/// or Chinese letter in a Latin line is a misread.
pub(crate) fn decode(steps: &[f32], alphabet: &Alphabet) -> Transcript {
    let free = best_path(steps, alphabet, |_| true);
    let n_foreign = free.text.chars().filter(|c| is_foreign(*c)).count();
    let is_latin = n_foreign * 2 <= free.text.chars().count();
    let mut transcript = if n_foreign > 0 && is_latin { best_path(steps, alphabet, |class| alphabet.is_latin(class)) } else { free };
    if may_be_machine_readable(&transcript.text) {
        transcript.lattice = Some(lattice(steps, alphabet));
    }
    transcript
}

/// Whether a line may belong to a machine-readable zone: long, and made of what such zones are made of. Generous, since
/// the zone's own reader decides.
fn may_be_machine_readable(text: &str) -> bool {
    let n_chars = text.chars().count();
    let is_filler = |c: char| c == '<' || FILLER_LOOK_ALIKES.contains(c);
    let n_fillers = text.chars().filter(|&c| is_filler(c)).count();
    let is_blurred = |c: char| c == BLURRED_FILLER && n_fillers > 0;
    let n_fitting = text.chars().filter(|&c| matches!(c, 'A'..='Z' | '0'..='9' | ' ') || is_filler(c) || is_blurred(c)).count();
    n_chars >= 15 && n_fitting * 10 >= n_chars * 8 && (n_fillers > 0 || n_chars >= 24)
}

fn best_path(steps: &[f32], alphabet: &Alphabet, allowed: impl Fn(usize) -> bool) -> Transcript {
    let mut text = String::new();
    let mut sum = 0.0;
    let mut n_chars = 0_u32;
    let mut previous = BLANK;
    for step in steps.chunks_exact(alphabet.len()) {
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
    Transcript { text, confidence: if n_chars == 0 { 0.0 } else { sum / n_chars as f32 }, lattice: None }
}

/// Whether a character is of a script that this engine recognises as such and does not read, or a symbol that no
/// document prints: everything beyond Latin letters, digits, marks and punctuation.
pub(crate) fn is_foreign(c: char) -> bool {
    const NUMERO_SIGN: u32 = 0x2116;
    !matches!(c as u32, 0..=0x24F | 0x1E00..=0x1EFF | 0x2000..=0x206F | 0x20A0..=0x20CF | NUMERO_SIGN)
}

/// The probabilities of the characters that machine-readable zones are made of.
fn lattice(steps: &[f32], alphabet: &Alphabet) -> Lattice {
    let read = |step: &[f32]| {
        let mut out = [0.0; 38];
        out[0] = step[BLANK];
        for (cell, classes) in out[1..].iter_mut().zip(alphabet.lattice_classes()) {
            *cell = classes.iter().map(|class| step[*class]).sum();
        }
        out
    };
    Lattice { steps: steps.chunks_exact(alphabet.len()).map(read).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::LATTICE_ALPHABET;

    fn alphabet() -> Alphabet {
        Alphabet::from_lines("A\nB\nα\n<")
    }

    /// Blank, A, B, alpha, <, space.
    fn steps(path: &[usize]) -> Vec<f32> {
        path.iter().flat_map(|class| (0..6).map(move |c| if c == *class { 0.75 } else { 0.05 })).collect()
    }

    fn check(path: &[usize], expected: &str) {
        assert_eq!(decode(&steps(path), &alphabet()).text, expected);
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
        assert_eq!(decode(&line, &alphabet()).text, "ABA");
        check(&[3, 0, 3, 0, 3], "ααα");
    }

    #[test]
    fn confidence_is_the_mean_over_characters() {
        assert!((decode(&steps(&[1, 0, 2]), &alphabet()).confidence - 0.75).abs() < 1e-6);
        assert_eq!(decode(&[], &alphabet()).confidence, 0.0);
    }

    #[test]
    fn lines_of_machine_readable_zones_are_told_from_print() {
        let check = |text: &str, expected| assert_eq!(may_be_machine_readable(text), expected, "{text}");
        check("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", true);
        check("P^UTOERIKSSON^^ANNA", true);
        check("L898902C36UTO7408122F1204159ZE184226B<<<<<10", true);
        check("P<UTOERIKSSONe<ANNAe<MARIAeeee<eeeeee", true);
        check("Date of issue / Date de délivrance", false);
        check("123 MAIN STREET", false);
        check("P<UTO", false);
    }

    #[test]
    fn a_lattice_speaks_of_its_own_alphabet_only() {
        let lattice = lattice(&steps(&[1, 3, 4]), &alphabet());
        let column = |c: char| 1 + LATTICE_ALPHABET.find(c).unwrap();
        assert_eq!(lattice.steps[0][column('A')], 0.75);
        assert_eq!(lattice.steps[2][column('<')], 0.75);
        assert!(lattice.steps[1].iter().sum::<f32>() < 0.3);
    }

    #[test]
    fn what_looks_like_a_filler_counts_as_one() {
        let alphabet = Alphabet::from_lines("E\n<\nΛ\n^\ne");
        let line: Vec<f32> = vec![0.0, 0.1, 0.1, 0.3, 0.4, 0.1, 0.0];
        assert!((lattice(&line, &alphabet).steps[0][37] - 0.9).abs() < 1e-6);
    }
}
