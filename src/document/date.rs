//! Dates as documents print them: with dots, blanks, slashes or nothing between, with month names in many languages.
//!
//! This module never reads the clock: today is part of the [`Century`] it is given.

mod century;
mod form;
mod month;
mod token;

use time::Date;

pub(crate) use century::Century;
use form::date_at;
use token::{Token, tokens};

/// Which of day and month comes first where a date of digits could be read both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// Everywhere but in the United States.
    #[default]
    DayFirst,
    /// In the United States.
    MonthFirst,
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
    let tokens = tokens(text);
    let mut found = Vec::new();
    let (mut next, mut foreign) = (0, None);
    while next < tokens.len() {
        match date_at(&tokens[next..], order, century) {
            Some(_) if is_part_of_number(&tokens, next) => {
                foreign = None;
                next += 1;
            }
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

/// Whether a token is one of more groups of digits than a date has, or two: `27-01-70-04718` is the number of a certificate.
fn is_part_of_number(tokens: &[Token], at: usize) -> bool {
    let Some(separator) = tokens.get(at + 1).map(|next| next.separator).filter(|separator| matches!(separator, '-' | '/')) else {
        return false;
    };
    let is_tied = |pair: &[Token]| {
        let [before, next] = pair else { return false };
        next.start == before.end + 1 && next.separator == separator && before.number.is_some() && next.number.is_some()
    };
    let n_before = tokens[..=at].windows(2).rev().take_while(|pair| is_tied(pair)).count();
    let n_behind = tokens[at..].windows(2).take_while(|pair| is_tied(pair)).count();
    let n_groups = n_before + n_behind + 1;
    n_groups > 3 && n_groups != 6
}

/// In which order the dates of digits in a text are written that can be read only one way: their day is beyond twelve.
pub(crate) fn told_orders(text: &str) -> Vec<Order> {
    let tokens = tokens(text);
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

/// The first date in a text.
pub(crate) fn find_date(text: &str, order: Order, century: Century) -> Option<Date> {
    find_dates(text, order, century).first().map(|found| found.date)
}

/// ISO 8601, `YYYY-MM-DD`.
pub(crate) fn iso(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
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
        check("Year: 1992 Month: JUN Day: 8", "1992-06-08");
        check("Día: 08 Mes: 03 Año: 1991", "1991-03-08");
        check("08/03/1991-07/03/2031", "1991-03-08 2031-03-07");
    }

    #[test]
    fn numbers_that_are_no_dates_are_left_alone() {
        check("1234 5678 9012", "");
        check("5'-08", "");
        check("99.99.1990", "");
        check("784-1979-1234567-1", "");
        check("27-01-70-04718", "");
        check("10-02-03-01-04718", "");
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

    proptest! {
        #[test]
        fn no_text_makes_the_search_panic(text in "(\\PC{0,30}|[0-9]{0,4}[./ -]?([A-Za-z]{0,9}|[0-9]{1,2})[./ -]?[0-9]{0,5})") {
            let _ = find_dates(&text, Order::MonthFirst, Century::Near(TODAY));
        }
    }
}
