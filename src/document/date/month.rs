//! Names of months in many languages, whole or abbreviated.
//!
//! The names are data: `labels/months.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::document::text::fold;

use super::token::Token;

/// The month that all the names agree on; names that mean no month are passed over. Where two languages have one word for
/// two months (`MEI` is May in Dutch and June in Irish), the last name decides, which is English or French by custom.
pub(super) fn one_month(names: &[Token]) -> Option<u8> {
    let known = names.iter().map(|token| token.months).filter(|months| *months != 0);
    let agreed = known.fold(0xfff, |all, months| if all & months == 0 { months } else { all & months });
    (agreed.count_ones() == 1).then(|| agreed.trailing_zeros() as u8 + 1)
}

/// The months that a folded word may mean; three letters are enough where no other month begins with them.
pub(super) fn months_of(word: &str) -> u16 {
    // Whole names and listed abbreviations, and beginnings of names: `MAR` is March although a Finnish November begins so.
    static NAMES: LazyLock<(HashMap<String, u16>, HashMap<String, u16>)> = LazyLock::new(|| {
        let (mut whole, mut beginnings): (HashMap<String, u16>, HashMap<String, u16>) = Default::default();
        for (line, month) in include_str!("../labels/months.txt").lines().filter(|line| !line.starts_with('#')).zip(0..12) {
            for name in line.split_whitespace() {
                let name: Vec<char> = fold(name).chars().collect();
                // An abbreviation is any beginning of three letters or more.
                for end in name.len().min(3)..=name.len() {
                    *beginnings.entry(name[..end].iter().collect()).or_default() |= 1 << month;
                }
                *whole.entry(name.into_iter().collect()).or_default() |= 1 << month;
            }
        }
        (whole, beginnings)
    });
    NAMES.0.get(word).or_else(|| NAMES.1.get(word)).copied().unwrap_or(0)
}
