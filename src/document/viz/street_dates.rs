//! Streets that are called after a day: `12 RUE DU 8 MAI 1945`, `C 5 DE MAYO 20`.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::document::date::Found;
use crate::document::person_name::words;
use crate::document::text::listed_words;

/// Words that stand directly before the day in such a name.
static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| listed_words(include_str!("../labels/streets.txt")));

/// Whether a date in a text is part of a street's name: its month is a word, and a street's word stands before it.
pub(super) fn is_street(text: &str, date: &Found) -> bool {
    let before: String = text.chars().take(date.start).collect();
    has_month_name(text, date)
        && !before.trim_end().ends_with([',', ':'])
        && words(&before).last().is_some_and(|word| WORDS.contains(word.as_str()))
}

/// Whether a text begins with such a date and goes on with words: `18 DE JULIO DE 1930 - ROSARIO`.
pub(super) fn begins_with_street(text: &str, date: &Found) -> bool {
    has_month_name(text, date) && date.start == 0 && text.chars().skip(date.end).any(char::is_alphabetic)
}

fn has_month_name(text: &str, date: &Found) -> bool {
    text.chars().take(date.end).skip(date.start).any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::is_street;
    use crate::document::date::{Century, Order, find_dates};

    #[test]
    fn days_behind_words_for_streets_are_streets() {
        let check = |text: &str, expected: bool| {
            let found = find_dates(text, Order::DayFirst, Century::Past(date!(2026 - 11 - 22)));
            assert_eq!(found.iter().map(|date| is_street(text, date)).collect::<Vec<_>>(), [expected], "{text}");
        };
        check("12 RUE DU 8 MAI 1945", true);
        check("C 5 DE MAYO 20", true);
        check("VIA 25 APRILE, 12", true);
        check("KENDAL, 08 MAR 1991", false);
        check("SARI 08 MAR 1991", false);
        check("12 RUE 08.05.1945", false);
    }
}
