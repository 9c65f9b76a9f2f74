//! Numbers of Asian states, India apart.

use super::algorithm::{digits, is_month_and_day, luhn, weighted};

/// Turkey: two check digits at the end.
pub(super) fn tckn(number: &str) -> bool {
    digits(number, 11).is_some_and(|d| {
        let odd: u32 = d[..9].iter().step_by(2).sum();
        let even: u32 = d[1..8].iter().step_by(2).sum();
        d[0] != 0 && (odd * 7 + 100 - even) % 10 == d[9] && d[..10].iter().sum::<u32>() % 10 == d[10]
    })
}

/// China: ISO 7064 MOD 11-2, X for ten.
pub(super) fn resident_identity_number(number: &str) -> bool {
    let Some((body, check)) = number.split_at_checked(17).filter(|_| number.len() == 18) else { return false };
    digits(body, 17).is_some_and(|d| {
        let product = d.iter().fold(0, |product, digit| (product + digit) * 2 % 11);
        let expected = (12 - product) % 11;
        let is_date = is_month_and_day(d[10] * 10 + d[11], d[12] * 10 + d[13]);
        is_date && if expected == 10 { check == "X" } else { check == expected.to_string() }
    })
}

/// South Korea: resident registration number.
pub(super) fn rrn(number: &str) -> bool {
    digits(number, 13).is_some_and(|d| {
        let sum = weighted(&d, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
        (11 - sum % 11) % 10 == d[12] && is_month_and_day(d[2] * 10 + d[3], d[4] * 10 + d[5])
    })
}

/// Thailand.
pub(super) fn thai_number(number: &str) -> bool {
    digits(number, 13).is_some_and(|d| (11 - weighted(&d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == d[12])
}

/// Israel: Luhn over nine digits, zeros before.
pub(super) fn israeli_number(number: &str) -> bool {
    number.len() >= 5 && digits(&format!("{number:0>9}"), 9).is_some_and(|d| luhn(&d))
}

/// Indonesia: no check digit, but a date of birth, its day plus 40 for women.
pub(super) fn nik(number: &str) -> bool {
    digits(number, 16).is_some_and(|d| is_month_and_day(d[8] * 10 + d[9], (d[6] * 10 + d[7]) % 40))
}
