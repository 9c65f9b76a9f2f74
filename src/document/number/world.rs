//! Numbers of African and American states.

use super::algorithm::{digits, is_month_and_day, luhn, weighted};

/// South Africa.
pub(super) fn south_african_number(number: &str) -> bool {
    digits(number, 13).is_some_and(|d| luhn(&d) && is_month_and_day(d[2] * 10 + d[3], d[4] * 10 + d[5]))
}

/// Brazil: two digits modulo 11; numbers of one digit repeated hold and are never issued.
pub(super) fn cpf(number: &str) -> bool {
    digits(number, 11).is_some_and(|d| {
        let check = |n: usize| {
            let sum: u32 = (0..n).map(|idx| d[idx] * (n as u32 + 1 - idx as u32)).sum();
            sum * 10 % 11 % 10
        };
        check(9) == d[9] && check(10) == d[10] && d.iter().any(|&digit| digit != d[0])
    })
}

/// Chile: weights 2 to 7 from the right, K for ten.
pub(super) fn rut(number: &str) -> bool {
    let Some((body, check)) = number.split_at_checked(number.len().saturating_sub(1)).filter(|_| (8..=9).contains(&number.len())) else {
        return false;
    };
    digits(body, body.len()).is_some_and(|d| {
        let sum: u32 = d.iter().rev().zip([2, 3, 4, 5, 6, 7, 2, 3]).map(|(digit, weight)| digit * weight).sum();
        match (11 - sum % 11) % 11 {
            10 => check == "K",
            digit => check == digit.to_string(),
        }
    })
}

/// Mexico: eighteen characters of an alphabet with Ñ, weights 18 to 2.
pub(super) fn curp(number: &str) -> bool {
    const ALPHABET: &str = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ";
    let values: Option<Vec<u32>> = number.chars().map(|c| ALPHABET.chars().position(|known| known == c).map(|at| at as u32)).collect();
    values.filter(|values| values.len() == 18).is_some_and(|values| {
        let sum: u32 = values[..17].iter().zip((2..=18).rev()).map(|(value, weight)| value * weight).sum();
        let is_date = is_month_and_day(values[6] * 10 + values[7], values[8] * 10 + values[9]);
        is_date && (10 - sum % 10) % 10 == values[17] && weighted(&values[4..10], &[1; 6]) <= 54
    })
}
