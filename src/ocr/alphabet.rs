//! The characters a recogniser can write, by class.

use super::ctc::is_foreign;
use super::page::{BLURRED_FILLER, FILLER_LOOK_ALIKES, LATTICE_ALPHABET};

/// What each class of a recogniser stands for: class 0 is the blank, the last class is the space.
pub(crate) struct Alphabet {
    spellings: Vec<String>,
    latin: Vec<bool>,
    lattice_classes: Vec<Vec<usize>>,
}

impl Alphabet {
    /// From a dictionary with one character a line, without blank and space, with either kind of line end.
    pub(crate) fn from_lines(lines: &str) -> Self {
        let mut spellings = vec![String::new()];
        spellings.extend(lines.trim_end_matches(['\r', '\n']).split('\n').map(|line| line.trim_end_matches('\r').to_owned()));
        spellings.push(" ".to_owned());
        let latin = spellings.iter().map(|spelling| !spelling.chars().any(is_foreign)).collect();
        let lattice_classes = LATTICE_ALPHABET.chars().map(|wanted| classes_of(wanted, &spellings)).collect();
        Self { spellings, latin, lattice_classes }
    }

    /// How many classes there are, blank and space included.
    pub(crate) fn len(&self) -> usize {
        self.spellings.len()
    }

    /// How a class is written; the blank as nothing.
    pub(crate) fn spelling(&self, class: usize) -> &str {
        &self.spellings[class]
    }

    /// The classes that stand for each character of [`LATTICE_ALPHABET`], in its order.
    pub(crate) fn lattice_classes(&self) -> &[Vec<usize>] {
        &self.lattice_classes
    }

    /// Whether a class is a Latin letter, a digit, a mark or the blank.
    pub(crate) fn is_latin(&self, class: usize) -> bool {
        self.latin[class]
    }
}

/// The classes that stand for a character of a machine-readable zone. Small letters are printed in none: an "o" seen
/// there is a zero or a capital seen badly, and counts as the capital. What looks like a filler is one, and so is
/// [`BLURRED_FILLER`].
fn classes_of(wanted: char, spellings: &[String]) -> Vec<usize> {
    let is_wanted = |c: char| match c {
        BLURRED_FILLER => wanted == '<',
        c => c.to_ascii_uppercase() == wanted || wanted == '<' && FILLER_LOOK_ALIKES.contains(c),
    };
    let fits = |spelling: &String| {
        let mut chars = spelling.chars();
        matches!((chars.next(), chars.next()), (Some(c), None) if is_wanted(c))
    };
    (0..spellings.len()).filter(|class| fits(&spellings[*class])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_line_end_gives_the_same_classes() {
        for lines in ["A\nß\n中\n", "A\r\nß\r\n中\r\n"] {
            let alphabet = Alphabet::from_lines(lines);
            let all: Vec<&str> = (0..alphabet.len()).map(|class| alphabet.spelling(class)).collect();
            assert_eq!(all, ["", "A", "ß", "中", " "]);
            assert!(alphabet.is_latin(2) && !alphabet.is_latin(3));
        }
    }
}
