//! The check digit of ICAO Doc 9303 part 3: weights 7, 3, 1, sum modulo 10.

use super::symbol::{FILLER, Symbol, symbol};

/// The weight of the character at `idx` of a checked text.
pub(super) const fn weight(idx: usize) -> u8 {
    [7, 3, 1][idx % 3]
}

/// What a symbol counts: digits their value, letters 10 to 35, the filler nothing.
pub(super) const fn value(symbol: Symbol) -> u8 {
    if symbol == FILLER { 0 } else { symbol }
}

/// The check digit of a text; `None` where it holds a character that no machine-readable zone has.
pub(super) fn check_digit(text: &str) -> Option<u8> {
    let sum: Option<u32> = text.chars().enumerate().map(|(idx, c)| Some(u32::from(value(symbol(c)?)) * u32::from(weight(idx)))).sum();
    sum.map(|sum| (sum % 10) as u8)
}

/// Whether `digit` is the check digit of `text`.
pub(crate) fn holds(text: &str, digit: char) -> bool {
    digit.to_digit(10).is_some_and(|digit| check_digit(text).map(u32::from) == Some(digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_specimens_of_doc_9303_hold() {
        for (text, digit) in [("L898902C3", '6'), ("740812", '2'), ("120415", '9'), ("ZE184226B<<<<<", '1'), ("D23145890734", '9')] {
            assert!(holds(text, digit), "{text}");
        }
        assert!(!holds("L898902C3", '7'));
        assert!(!holds("L898902C3", '<'));
        assert!(!holds("l898902C3", '6'));
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_always_caught(digits in "[0-9]{6}", at in 0usize..6, by in 1u8..10) {
            let right = check_digit(&digits);
            let mut bytes = digits.into_bytes();
            bytes[at] = (bytes[at] - b'0' + by) % 10 + b'0';
            let wrong = String::from_utf8(bytes).expect("digits are UTF-8");
            prop_assert_ne!(check_digit(&wrong), right);
        }
    }
}
