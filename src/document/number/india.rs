//! Numbers of Indian documents.

use super::algorithm::{digits, luhn, verhoeff};

/// Aadhaar: twelve digits, the first 2 to 9, the last by Verhoeff; numbers that read the same backwards are not issued.
pub(super) fn aadhaar(number: &str) -> bool {
    digits(number, 12).is_some_and(|d| d[0] >= 2 && verhoeff(&d) && !d.iter().eq(d.iter().rev()))
}

/// Permanent account number: five letters of which the fourth says what kind of holder, four digits, a letter.
pub(super) fn pan(number: &str) -> bool {
    let bytes = number.as_bytes();
    bytes.len() == 10
        && bytes[..5].iter().all(u8::is_ascii_uppercase)
        && bytes[5..9].iter().all(u8::is_ascii_digit)
        && &bytes[5..9] != b"0000"
        && bytes[9].is_ascii_uppercase()
        && b"PCHFATBLJGK".contains(&bytes[3])
}

/// Elector's card: three letters and seven digits, Luhn over the digits.
pub(super) fn epic(number: &str) -> bool {
    number
        .split_at_checked(3)
        .is_some_and(|(letters, rest)| letters.bytes().all(|b| b.is_ascii_uppercase()) && digits(rest, 7).is_some_and(|d| luhn(&d)))
}
