//! The 37 symbols of a machine-readable zone, and the sets of them that a position may hold.

use crate::ocr::LATTICE_ALPHABET;

/// Index of a symbol in [`LATTICE_ALPHABET`]: 0-9 digits, 10-35 letters, 36 the filler.
pub(super) type Symbol = u8;

/// How many symbols there are.
pub(super) const N_SYMBOLS: usize = 37;

/// The filler `<`.
pub(super) const FILLER: Symbol = 36;

/// The symbol that a character of the alphabet stands for.
pub(super) fn symbol(character: char) -> Option<Symbol> {
    match character {
        '0'..='9' => Some(character as u8 - b'0'),
        'A'..='Z' => Some(character as u8 - b'A' + 10),
        '<' => Some(FILLER),
        _ => None,
    }
}

/// The character of a symbol.
pub(super) fn character(symbol: Symbol) -> char {
    char::from(LATTICE_ALPHABET.as_bytes()[usize::from(symbol)])
}

/// The set of symbols that may stand at a position, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Class(u64);

impl Class {
    pub(super) const DIGIT: Self = Self((1 << 10) - 1);
    pub(super) const LETTER: Self = Self(((1 << 26) - 1) << 10);
    pub(super) const FILLER: Self = Self(1 << FILLER);

    /// The symbols of these letters.
    pub(super) const fn of(letters: &[u8]) -> Self {
        let mut bits = 0;
        let mut letter_idx = 0;
        while letter_idx < letters.len() {
            bits |= 1 << (letters[letter_idx] - b'A' + 10);
            letter_idx += 1;
        }
        Self(bits)
    }

    /// The digits 1 and 2.
    pub(super) const fn one_or_two() -> Self {
        Self(0b110)
    }

    /// Either of two sets.
    pub(super) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn contains(self, symbol: Symbol) -> bool {
        self.0 >> symbol & 1 == 1
    }
}

/// Pairs that recognisers take for each other in OCR-B print, and how likely the second is when the first was read with
/// certainty. Empirical, from misread zones: rounded, and the same in both directions.
const LOOK_ALIKES: [(u8, u8, f32); 18] = [
    (b'0', b'O', 0.05),
    (b'0', b'D', 0.006),
    (b'0', b'Q', 0.006),
    (b'O', b'Q', 0.006),
    (b'O', b'D', 0.004),
    (b'1', b'I', 0.05),
    (b'1', b'L', 0.012),
    (b'I', b'L', 0.006),
    (b'1', b'7', 0.004),
    (b'2', b'Z', 0.03),
    (b'5', b'S', 0.03),
    (b'8', b'B', 0.02),
    (b'6', b'G', 0.02),
    (b'6', b'8', 0.003),
    (b'3', b'8', 0.003),
    (b'0', b'8', 0.002),
    (b'4', b'A', 0.004),
    (b'7', b'T', 0.004),
];

/// Letters that small or blurred fillers are read as, and how likely a filler is when the letter was read with certainty.
const FILLER_LIKE: [(u8, f32); 9] =
    [(b'C', 0.03), (b'K', 0.03), (b'A', 0.006), (b'E', 0.02), (b'L', 0.012), (b'S', 0.012), (b'X', 0.012), (b'G', 0.006), (b'F', 0.006)];
/// The same where a row is so blurred that its fillers are read as letters: the likelihood, and the probability from which on
/// the recogniser is certain that it sees the letter itself, which it hardly ever is of a filler. Seen on lines of cards 370 pixels wide.
const FILLER_LIKE_WHEN_BLURRED: [(u8, f32, f32); 6] =
    [(b'C', 1.0, 0.98), (b'E', 1.0, 0.8), (b'K', 1.0, 0.8), (b'S', 0.3, 0.8), (b'L', 0.2, 0.8), (b'X', 0.3, 0.8)];
/// The other way round: clear fillers are hardly ever letters.
const LETTER_READ_AS_FILLER: f32 = 0.002;

/// Whether small or blurred fillers are read as this letter.
pub(super) fn is_filler_like(symbol: Symbol) -> bool {
    FILLER_LIKE.iter().any(|&(letter, _)| character(symbol) as u8 == letter)
}

/// The symbols of `K` and its like that a filler may really be, and the filler that those may really be.
pub(super) fn filler_look_alikes(read: Symbol) -> impl Iterator<Item = (Symbol, f32)> {
    FILLER_LIKE.iter().filter_map(move |&(letter, likelihood)| {
        let letter = symbol(char::from(letter))?;
        match read {
            FILLER => Some((letter, LETTER_READ_AS_FILLER)),
            read if read == letter => Some((FILLER, likelihood)),
            _ => None,
        }
    })
}

/// How likely a filler is of which a blurred row shows the letter `read` with probability `p`; 0 where it is another letter
/// or certainly this one.
pub(super) fn blurred_filler(read: Symbol, p: f32) -> f32 {
    let likelihood =
        |&(letter, likelihood, certain): &(u8, f32, f32)| (character(read) as u8 == letter && p < certain).then_some(likelihood);
    FILLER_LIKE_WHEN_BLURRED.iter().find_map(likelihood).unwrap_or(0.0)
}

/// The symbols that a reading of `read` may really be, each with its likelihood; fillers apart.
pub(super) fn look_alikes(read: Symbol) -> impl Iterator<Item = (Symbol, f32)> {
    let read = character(read) as u8;
    LOOK_ALIKES.iter().filter_map(move |&(one, other, likelihood)| {
        let counterpart = if one == read {
            other
        } else if other == read {
            one
        } else {
            return None;
        };
        symbol(char::from(counterpart)).map(|s| (s, likelihood))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_characters_are_the_lattice_alphabet() {
        for (idx, c) in LATTICE_ALPHABET.chars().enumerate() {
            assert_eq!(symbol(c), Some(idx as Symbol));
            assert_eq!(character(idx as Symbol), c);
        }
        assert_eq!(symbol('a'), None);
    }

    #[test]
    fn classes_hold_what_their_names_say() {
        let digit_or_filler = Class::DIGIT.or(Class::FILLER);
        assert!(digit_or_filler.contains(0) && digit_or_filler.contains(9) && digit_or_filler.contains(FILLER));
        assert!(!digit_or_filler.contains(10));
        assert!(Class::of(b"PV").contains(25) && !Class::of(b"PV").contains(26));
        assert!(Class::LETTER.contains(35) && !Class::LETTER.contains(FILLER));
    }
}
