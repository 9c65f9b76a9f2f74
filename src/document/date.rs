//! Dates as documents print them: with dots, blanks, slashes or nothing between, with month names in many languages.
//!
//! This module never reads the clock: today is part of the [`Century`] it is given.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};
use time::{Date, Month};

use super::text::fold;

/// Which of day and month comes first where a date of digits could be read both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// Everywhere but in the United States.
    #[default]
    DayFirst,
    /// In the United States.
    MonthFirst,
}

/// How a year of two digits is completed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Century {
    /// The latest year that is not after today.
    Past(Date),
    /// The year nearest to today, half a century before or behind it.
    Near(Date),
}

impl Century {
    /// The full year of one of two digits.
    pub(crate) fn complete(self, year: i32) -> i32 {
        match self {
            Self::Past(today) => {
                let year = year + today.year() / 100 * 100;
                if year > today.year() { year - 100 } else { year }
            }
            Self::Near(today) => {
                let year = year + today.year() / 100 * 100;
                match year - today.year() {
                    51.. => year - 100,
                    ..-49 => year + 100,
                    _ => year,
                }
            }
        }
    }
}

/// A date in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// The date.
    pub(crate) date: Date,
    /// First character of it (in characters).
    pub(crate) start: usize,
    /// The character after it.
    pub(crate) end: usize,
}

/// Every date in a text, from left to right.
pub(crate) fn find_dates(text: &str, order: Order, century: Century) -> Vec<Found> {
    let tokens = tokens(&with_digits(&without_units(text)));
    let mut found = Vec::new();
    let (mut next, mut foreign) = (0, None);
    while next < tokens.len() {
        match date_at(&tokens[next..], order, century) {
            Some((date, taken)) => {
                let start = foreign.take().filter(|_| tokens[next].joined).unwrap_or(next);
                found.push(Found { date, start: tokens[start].start, end: tokens[next + taken - 1].end });
                next += taken;
            }
            None if is_foreign_day(&tokens[next..]) => {
                foreign = Some(next);
                next += 3;
            }
            None => {
                foreign = None;
                next += 1;
            }
        }
    }
    found
}

/// Whether a day of another calendar begins with the first token: `1373/02/14 - 1994-05-04` of Afghanistan. It is no date of
/// ours, nor are its month and day with what stands behind them, but it is part of the date that it is printed beside.
fn is_foreign_day(tokens: &[Token]) -> bool {
    let [year, month, day, ..] = tokens else { return false };
    let is_parted_alike = matches!(month.separator, '/' | '-' | '.') && month.separator == day.separator;
    (year.n_digits, month.n_digits, day.n_digits) == (4, 2, 2) && month.joined && day.joined && is_parted_alike
}

/// In which order the dates of digits in a text are written that can be read only one way: their day is beyond twelve.
pub(crate) fn told_orders(text: &str) -> Vec<Order> {
    let tokens = tokens(&with_digits(text));
    let order_of = |date: &[Token]| {
        let [a, b, c] = date else { return None };
        let is_date = (a.n_digits, b.n_digits) == (2, 2) && matches!(c.n_digits, 2 | 4) && b.joined && c.joined;
        let is_parted_alike = b.separator == c.separator && matches!(b.separator, '/' | '-' | '.');
        match (a.number?, b.number?) {
            _ if !is_date || !is_parted_alike => None,
            (13..=31, 1..=12) => Some(Order::DayFirst),
            // Nobody writes the month first and parts it with a full stop.
            (1..=12, 13..=31) if b.separator != '.' => Some(Order::MonthFirst),
            _ => None,
        }
    };
    tokens.windows(3).filter_map(order_of).collect()
}

/// Whether a text has a date.
pub(crate) fn has_date(text: &str) -> bool {
    !find_dates(text, Order::DayFirst, Century::Near(Date::MIN)).is_empty()
}

/// The text with letters that look like digits read as those among digits alone, character for character: `I4.10.1989`.
fn with_digits(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut read = chars.clone();
    let mut start = 0;
    while start < chars.len() {
        let length = chars[start..].iter().take_while(|c| c.is_alphanumeric() || **c == '|').count();
        let run = &chars[start..start + length];
        let alike = |c: &char| matches!(c, 'O' | 'o' | 'I' | 'l' | '|');
        if run.len() <= 4 && run.iter().any(char::is_ascii_digit) && run.iter().all(|c| c.is_ascii_digit() || alike(c)) {
            for c in &mut read[start..start + length] {
                *c = match *c {
                    'O' | 'o' => '0',
                    'I' | 'l' | '|' => '1',
                    digit => digit,
                };
            }
        }
        start += length.max(1);
    }
    read.into_iter().collect()
}

/// The text with the units of Japanese dates as full stops, character for character: `1984Y03M08D`, `1984年3月8日`.
fn without_units(text: &str) -> String {
    static UNITS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(\d{4}) ?[Y年년] ?(\d{1,2}) ?[M月월] ?(\d{1,2}) ?[D日일]").expect("the pattern is part of the program and tested")
    });
    let unit = |c: char| if c.is_ascii_digit() || c == ' ' { c } else { '.' };
    UNITS.replace_all(text, |hit: &Captures<'_>| hit[0].chars().map(unit).collect::<String>()).into_owned()
}

/// The first date in a text.
pub(crate) fn find_date(text: &str, order: Order, century: Century) -> Option<Date> {
    find_dates(text, order, century).first().map(|found| found.date)
}

/// ISO 8601, `YYYY-MM-DD`.
pub(crate) fn iso(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// A run of digits or of letters.
struct Token {
    start: usize,
    end: usize,
    /// The number, for digits.
    number: Option<i32>,
    /// Number of digits.
    n_digits: usize,
    /// The months that the word may mean, as bits 0..12, for letters.
    months: u16,
    /// Whether the characters before it are only such as stand between the parts of a date.
    joined: bool,
    /// The first separator before it.
    separator: char,
}

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut place = 0;
    let mut gap_start = 0;
    while place < chars.len() {
        let c = chars[place];
        if !c.is_alphanumeric() {
            place += 1;
            continue;
        }
        let start = place;
        let digits = c.is_ascii_digit();
        while place < chars.len() && chars[place].is_alphanumeric() && chars[place].is_ascii_digit() == digits {
            place += 1;
        }
        if is_year_and_day(&tokens, &chars[start..place], chars.get(place)) {
            place = start + 4;
        }
        let gap = &chars[gap_start..start];
        let word: String = chars[start..place].iter().collect();
        tokens.push(Token {
            start,
            end: place,
            number: digits.then(|| word.parse().ok()).flatten(),
            n_digits: if digits { place - start } else { 0 },
            months: if digits { 0 } else { months_of(&word) },
            joined: gap.len() <= 4 && gap.iter().all(|c| matches!(c, ' ' | '.' | '/' | '-' | ',' | '–' | '·' | ':' | '\'' | '|')),
            separator: gap.iter().copied().find(|c| *c != ' ').unwrap_or(' '),
        });
        gap_start = place;
    }
    tokens
}

/// Month and year of a date whose month is printed in another script before its name in Latin letters, and how many tokens it
/// takes: `08 3/MAR 1991` of China, where the number of the month is left, `08 6EP/MAR 91` of Ukraine.
fn misread_month(tokens: &[Token]) -> Option<(u8, &Token, usize)> {
    let named = (2..=3).find(|at| tokens.get(*at).is_some_and(|token| token.months.count_ones() == 1 && token.separator == '/'))?;
    let year = tokens.get(named + 1).filter(|year| matches!(year.n_digits, 2 | 4))?;
    let is_whole = tokens[1..=named + 1].iter().all(|token| token.joined);
    let is_day_and_scrap = matches!(tokens[0].n_digits, 1 | 2) && matches!(tokens[1].n_digits, 1 | 2) && tokens[1].separator == ' ';
    (is_whole && is_day_and_scrap).then(|| (tokens[named].months.trailing_zeros() as u8 + 1, year, named + 2))
}

/// Whether six digits are the year of one date and the day of the next one: `01.06.202501.06.2035`.
fn is_year_and_day(before: &[Token], run: &[char], next: Option<&char>) -> bool {
    let [.., day, month] = before else { return false };
    let dotted = next.is_some_and(|next| matches!(next, '.' | '/') && *next == month.separator);
    run.len() == 6 && dotted && (day.n_digits, month.n_digits) == (2, 2) && matches!(run[..2], ['1', '9'] | ['2', '0'])
}

/// The date that begins with the first token, and how many tokens it takes.
fn date_at(tokens: &[Token], order: Order, century: Century) -> Option<(Date, usize)> {
    let first = tokens.first()?;
    let joined = |n: usize| tokens.len() >= n && tokens[1..n].iter().all(|token| token.joined);
    if first.number.is_some() && first.n_digits == 8 {
        return glued(first.number?, order).map(|date| (date, 1));
    }
    // `13 071990`: the recogniser lost one of the blanks.
    if let [_, rest, ..] = tokens
        && first.n_digits == 2
        && rest.n_digits == 6
        && rest.joined
    {
        return glued(first.number? * 1_000_000 + rest.number?, order).map(|date| (date, 2));
    }
    // Day, month name (in up to four languages), year; or month name, day, year.
    if joined(3) {
        let named = tokens[1..].iter().take(4).take_while(|token| token.joined && token.n_digits == 0).count();
        if first.n_digits >= 1 && first.n_digits <= 2 && named > 0 && tokens.len() > named + 1 && tokens[named + 1].joined {
            let year = &tokens[named + 1];
            if let (Some(month), true) = (one_month(&tokens[1..=named]), matches!(year.n_digits, 2 | 4)) {
                return day(year, month, first.number?, century).map(|date| (date, named + 2));
            }
        }
        if let Some((month, year, taken)) = misread_month(tokens) {
            return day(year, month, first.number?, century).map(|date| (date, taken));
        }
        // `1984-Mar-08`, as Canada writes it.
        if first.n_digits == 4 && tokens[1].months.count_ones() == 1 && tokens[2].n_digits == 2 {
            return day(first, tokens[1].months.trailing_zeros() as u8 + 1, tokens[2].number?, century).map(|date| (date, 3));
        }
        if first.months.count_ones() == 1 && matches!(tokens[1].n_digits, 1 | 2) && tokens[2].n_digits == 4 {
            return day(&tokens[2], first.months.trailing_zeros() as u8 + 1, tokens[1].number?, century).map(|date| (date, 3));
        }
    }
    if !joined(3) || tokens[..3].iter().any(|token| token.number.is_none()) {
        return None;
    }
    let [a, b, c] = [&tokens[0], &tokens[1], &tokens[2]];
    // `12.3` of an amount or the groups of a card number are no dates: the parts have to be those of one.
    if a.n_digits == 4 && b.n_digits <= 2 && c.n_digits <= 2 && b.separator == c.separator {
        return day(a, u8::try_from(b.number?).ok()?, c.number?, century).map(|date| (date, 3));
    }
    if a.n_digits > 2 || b.n_digits > 2 || !matches!(c.n_digits, 2 | 4) {
        return None;
    }
    if c.n_digits == 2 && (a.n_digits < 2 || b.n_digits < 2) {
        return None;
    }
    // `447-05 08/03/1991`: the date begins one number later.
    let goes_on = |d: &Token| d.joined && d.n_digits == 4 && d.separator == c.separator && d.separator != b.separator;
    if c.n_digits == 2 && tokens.get(3).is_some_and(goes_on) {
        return None;
    }
    let (first, second) = (a.number?, b.number?);
    let readings = match order {
        Order::DayFirst => [(first, second), (second, first)],
        Order::MonthFirst => [(second, first), (first, second)],
    };
    readings.into_iter().find_map(|(d, m)| day(c, u8::try_from(m).ok()?, d, century)).map(|date| (date, 3))
}

/// `DDMMYYYY` (or `MMDDYYYY`) and `YYYYMMDD` without anything between.
fn glued(number: i32, order: Order) -> Option<Date> {
    let plausible = |date: &Date| (1900..2100).contains(&date.year());
    let make = |y: i32, m: i32, d: i32| {
        Date::from_calendar_date(y, Month::try_from(u8::try_from(m).ok()?).ok()?, u8::try_from(d).ok()?).ok().filter(plausible)
    };
    let (a, b, year) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    let (d, m) = if order == Order::DayFirst { (a, b) } else { (b, a) };
    make(year, m, d).or_else(|| make(number / 10_000, number / 100 % 100, number % 100))
}

fn day(year: &Token, month: u8, day: i32, century: Century) -> Option<Date> {
    let number = year.number?;
    let year = if year.n_digits == 2 { century.complete(number) } else { number };
    if !(1850..2150).contains(&year) {
        return None;
    }
    Date::from_calendar_date(year, Month::try_from(month).ok()?, u8::try_from(day).ok()?).ok()
}

/// The month that all the names agree on; names that mean no month are passed over. Where two languages have one word for
/// two months (`MEI` is May in Dutch and June in Irish), the last name decides, which is English or French by custom.
fn one_month(names: &[Token]) -> Option<u8> {
    let known = names.iter().map(|token| token.months).filter(|months| *months != 0);
    let agreed = known.fold(0xfff, |all, months| if all & months == 0 { months } else { all & months });
    (agreed.count_ones() == 1).then(|| agreed.trailing_zeros() as u8 + 1)
}

/// The months that a word may mean; three letters are enough where no other month begins with them.
fn months_of(word: &str) -> u16 {
    // Whole names and listed abbreviations, and beginnings of names: `MAR` is March although a Finnish November begins so.
    static NAMES: LazyLock<(HashMap<String, u16>, HashMap<String, u16>)> = LazyLock::new(|| {
        let (mut whole, mut beginnings): (HashMap<String, u16>, HashMap<String, u16>) = Default::default();
        for (line, month) in include_str!("labels/months.txt").lines().filter(|line| !line.starts_with('#')).zip(0..12) {
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
    let word = fold(word);
    NAMES.0.get(&word).or_else(|| NAMES.1.get(&word)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 06 - 01);

    fn check(text: &str, expected: &str) {
        let found: Vec<String> = find_dates(text, Order::DayFirst, Century::Past(TODAY)).iter().map(|found| iso(found.date)).collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }

    #[test]
    fn dates_are_found_in_every_print() {
        check("01.02.1990", "1990-02-01");
        check("08 3/MAR 1991", "1991-03-08");
        check("08 MAA/MAR/MÄR/MAR 91", "1991-03-08");
        check("08 6EP/MAR 91", "1991-03-08");
        check("14 12/DEC 2021", "2021-12-14");
        check("3. 14.07.1981(Utopia City)", "1981-07-14");
        check("01 01 1980", "1980-01-01");
        check("13071990", "1990-07-13");
        check("13 071990", "1990-07-13");
        check("1990-07-13", "1990-07-13");
        check("12 FEB/FÉV 90", "1990-02-12");
        check("04 MAY/MAI 88", "1988-05-04");
        check("30 MAR 1972", "1972-03-30");
        check("12AUG1964", "1964-08-12");
        check("Aug 31, 1977", "1977-08-31");
        check("1984-Mar-08", "1984-03-08");
        check("01.06.202501.06.2035", "2025-06-01 2035-06-01");
        check("30-10-1992 / 29-07-2029", "1992-10-30 2029-07-29");
        check("1984Y03M08D", "1984-03-08");
        check("1984年3月8日", "1984-03-08");
        check("08 MAC 1991", "1991-03-08");
        check("I4.1O.1989", "1989-10-14");
        check("390.533.447-05 08/03/1991", "1991-03-08");
        check("1373/02/14 - 1994-05-04", "1994-05-04");
        check("2534-03-08 / 08-03-1991", "1991-03-08");
    }

    #[test]
    fn numbers_that_are_no_dates_are_left_alone() {
        check("1234 5678 9012", "");
        check("5'-08", "");
        check("99.99.1990", "");
        check("784-1979-1234567-1", "");
    }

    #[test]
    fn month_names_shared_by_two_languages_mean_nothing_alone() {
        check("12 LIS 1990", "");
        check("12 LIS/NOV 1990", "1990-11-12");
        check("12 MEI/JUNE 1990", "1990-06-12");
    }

    #[test]
    fn the_month_comes_first_in_the_united_states() {
        let us = |text| find_date(text, Order::MonthFirst, Century::Past(TODAY)).map(iso);
        assert_eq!(us("02/01/1957").as_deref(), Some("1957-02-01"));
        assert_eq!(us("21/02/1957").as_deref(), Some("1957-02-21"));
        assert_eq!(us("08311977").as_deref(), Some("1977-08-31"));
    }

    #[test]
    fn a_day_beyond_twelve_tells_the_order() {
        let check = |text: &str, expected: &[Order]| assert_eq!(told_orders(text), expected, "{text}");
        check("08/25/2014", &[Order::MonthFirst]);
        check("25.08.2014 03/08/1991", &[Order::DayFirst]);
        check("08.25.2014", &[]);
        check("2014/08/25", &[]);
        check("12 AUG 1991", &[]);
    }

    #[test]
    fn short_years_are_completed_by_what_they_are_for() {
        let find = |century| find_date("05.06.31", Order::DayFirst, century).map(iso);
        assert_eq!(find(Century::Past(TODAY)).as_deref(), Some("1931-06-05"));
        assert_eq!(find(Century::Near(TODAY)).as_deref(), Some("2031-06-05"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_search_panic(text in "(\\PC{0,30}|[0-9]{0,4}[./ -]?([A-Za-z]{0,9}|[0-9]{1,2})[./ -]?[0-9]{0,5})") {
            let _ = find_dates(&text, Order::MonthFirst, Century::Near(TODAY));
        }
    }
}
