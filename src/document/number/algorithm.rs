//! The arithmetic that many numbers share.

/// The digits of a text of exactly `n` digits.
pub(super) fn digits(text: &str, n: usize) -> Option<Vec<u32>> {
    (text.len() == n).then(|| text.chars().map(|c| c.to_digit(10)).collect())?
}

/// Sum of digits times weights, position by position.
pub(super) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// Luhn: every second digit from the right doubled, cross sum a multiple of ten.
pub(super) fn luhn(digits: &[u32]) -> bool {
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(idx, &digit)| if idx % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }).sum();
    sum.is_multiple_of(10)
}

/// ISO 7064 MOD 11,10, the last digit being the check.
pub(super) fn mod_11_10(digits: &[u32]) -> bool {
    let Some((check, rest)) = digits.split_last() else { return false };
    let product = rest.iter().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + check) % 10 == 1
}

/// Verhoeff's dihedral check over all digits, the last being the check.
pub(super) fn verhoeff(digits: &[u32]) -> bool {
    /// The permutation of the first position; that of position `n` is its `n`-th power.
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let product = digits.iter().rev().enumerate().fold(0, |product, (idx, &digit)| {
        let permuted = (0..idx % 8).fold(digit, |digit, _| PERMUTATION[digit as usize]);
        dihedral(product, permuted)
    });
    product == 0
}

/// Multiplication in the dihedral group of order ten: 0-4 rotations, 5-9 reflections.
fn dihedral(a: u32, b: u32) -> u32 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

/// Whether the two numbers can be a month and a day.
pub(super) fn is_month_and_day(month: u32, day: u32) -> bool {
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn verhoeff_catches_every_changed_digit_and_every_swap(body in prop::collection::vec(0u32..10, 11), at in 0usize..12, by in 1u32..10) {
            let number: Vec<u32> = (0..10)
                .map(|check| body.iter().copied().chain([check]).collect::<Vec<u32>>())
                .find(|number| verhoeff(number))
                .expect("one of ten check digits holds");
            let mut changed = number.clone();
            changed[at] = (changed[at] + by) % 10;
            prop_assert!(!verhoeff(&changed));
            if at > 0 && number[at] != number[at - 1] {
                let mut swapped = number.clone();
                swapped.swap(at, at - 1);
                prop_assert!(!verhoeff(&swapped));
            }
        }

        #[test]
        fn luhn_catches_every_changed_digit(body in prop::collection::vec(0u32..10, 9), at in 0usize..10, by in 1u32..10) {
            let number: Vec<u32> = (0..10)
                .map(|check| body.iter().copied().chain([check]).collect::<Vec<u32>>())
                .find(|number| luhn(number))
                .expect("one of ten check digits holds");
            let mut changed = number.clone();
            changed[at] = (changed[at] + by) % 10;
            prop_assert!(!luhn(&changed));
        }
    }
}
