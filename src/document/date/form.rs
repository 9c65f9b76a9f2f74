//! The forms in which a date is printed: digits without anything between, a day, the name of a month and a year, and three
//! numbers.

use time::{Date, Month};

use super::Order;
use super::century::Century;
use super::month::one_month;
use super::token::Token;

/// The date that begins with the first token, and how many tokens it takes.
pub(super) fn date_at(tokens: &[Token], order: Order, century: Century) -> Option<(Date, usize)> {
    run_of_digits(tokens, order).or_else(|| with_month_name(tokens, century)).or_else(|| three_numbers(tokens, order, century))
}

/// `13071990`, and `13 071990`, of which the recogniser lost one of the blanks.
fn run_of_digits(tokens: &[Token], order: Order) -> Option<(Date, usize)> {
    match tokens {
        [whole, ..] if whole.n_digits == 8 => glued(whole.number?, order).map(|date| (date, 1)),
        [day, rest, ..] if (day.n_digits, rest.n_digits) == (2, 6) && rest.joined => {
            glued(day.number? * 1_000_000 + rest.number?, order).map(|date| (date, 2))
        }
        _ => None,
    }
}

/// Whether the first `n` tokens belong together.
fn are_joined(tokens: &[Token], n: usize) -> bool {
    tokens.len() >= n && tokens[1..n].iter().all(|token| token.joined)
}

/// Day, name of the month (in up to four languages) and year; year, name and day; name, day and year.
fn with_month_name(tokens: &[Token], century: Century) -> Option<(Date, usize)> {
    if !are_joined(tokens, 3) {
        return None;
    }
    let [first, second, third, ..] = tokens else { return None };
    let named = tokens[1..].iter().take(4).take_while(|token| token.joined && token.n_digits == 0).count();
    if matches!(first.n_digits, 1 | 2) && named > 0 && tokens.get(named + 1).is_some_and(|year| year.joined) {
        let year = &tokens[named + 1];
        if let (Some(month), true) = (one_month(&tokens[1..=named]), matches!(year.n_digits, 2 | 4)) {
            return day(year, month, first.number?, century).map(|date| (date, named + 2));
        }
    }
    if let Some((month, year, taken)) = misread_month(tokens) {
        return day(year, month, first.number?, century).map(|date| (date, taken));
    }
    // `1984-Mar-08`, as Canada writes it.
    if first.n_digits == 4 && matches!(third.n_digits, 1 | 2) {
        return day(first, one_month(&tokens[1..2])?, third.number?, century).map(|date| (date, 3));
    }
    // `Aug 31, 1977`.
    if matches!(second.n_digits, 1 | 2) && third.n_digits == 4 {
        return day(third, one_month(&tokens[..1])?, second.number?, century).map(|date| (date, 3));
    }
    None
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

/// Day, month and year, or year, month and day, in digits.
fn three_numbers(tokens: &[Token], order: Order, century: Century) -> Option<(Date, usize)> {
    if !are_joined(tokens, 3) || tokens[..3].iter().any(|token| token.number.is_none()) {
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
