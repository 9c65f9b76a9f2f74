//! Dates of machine-readable zones and barcodes (digits alone, no separators) -> ISO 8601. Printed dates are read elsewhere.
//!
//! Pure: today's date is an argument, this module never reads the clock.

use time::{Date, Month};

use super::date::Century;

/// What a date on a document is the date of: that decides which century two digits mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateRole {
    /// Never in the future.
    Birth,
    /// Within fifty years of today: licences run until their holder is old.
    Expiry,
}

/// `YYYY-MM-DD` when the three numbers are a day of the calendar and the year is one a living person's document can show.
pub(crate) fn iso(year: i32, month: u8, day: u8) -> Option<String> {
    let month = Month::try_from(month).ok()?;
    let date = Date::from_calendar_date(year, month, day).ok()?;
    (1850..2150).contains(&year).then(|| format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
}

/// The full year that two digits mean, seen from `today`.
pub(crate) fn expand_year(two_digits: u8, role: DateRole, today: Date) -> i32 {
    let century = match role {
        DateRole::Birth => Century::Past(today),
        DateRole::Expiry => Century::Near(today),
    };
    century.complete(i32::from(two_digits))
}

/// The date of a six-digit `YYMMDD` field; `None` where it holds anything but digits or no day of the calendar.
pub(crate) fn from_yymmdd(field: &str, role: DateRole, today: Date) -> Option<String> {
    let [year, month, day] = pairs(field)?;
    let expanded = expand_year(year, role, today);
    let date = iso(expanded, month, day)?;
    // A day later this year has not been lived yet, so the birth is a century earlier.
    let is_future = role != DateRole::Expiry && date.as_str() > iso(today.year(), u8::from(today.month()), today.day())?.as_str();
    if is_future { iso(expanded - 100, month, day) } else { Some(date) }
}

/// The date of an eight-digit field, year first.
pub(crate) fn from_ccyymmdd(field: &str) -> Option<String> {
    let (century, rest) = field.split_at_checked(2)?;
    let [year, month, day] = pairs(rest)?;
    iso(i32::from(two_digits(century)?) * 100 + i32::from(year), month, day)
}

/// The date of an eight-digit field, month first as the United States write it.
pub(crate) fn from_mmddccyy(field: &str) -> Option<String> {
    let (month_and_day, year) = field.split_at_checked(4)?;
    from_ccyymmdd(&format!("{year}{month_and_day}"))
}

fn pairs(field: &str) -> Option<[u8; 3]> {
    if field.len() != 6 || !field.is_ascii() {
        return None;
    }
    Some([two_digits(&field[..2])?, two_digits(&field[2..4])?, two_digits(&field[4..])?])
}

fn two_digits(text: &str) -> Option<u8> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn today() -> Date {
        Date::from_calendar_date(2026, Month::November, 22).expect("a day of the calendar")
    }

    fn check(field: &str, role: DateRole, expected: Option<&str>) {
        assert_eq!(from_yymmdd(field, role, today()).as_deref(), expected, "{field}");
    }

    #[test]
    fn a_birth_is_never_in_the_future() {
        check("740812", DateRole::Birth, Some("1974-08-12"));
        check("261122", DateRole::Birth, Some("2026-11-22"));
        check("261123", DateRole::Birth, Some("1926-11-23"));
        check("270101", DateRole::Birth, Some("1927-01-01"));
    }

    #[test]
    fn an_expiry_lies_near_today() {
        check("560101", DateRole::Expiry, Some("2056-01-01"));
        check("570101", DateRole::Expiry, Some("2057-01-01"));
        check("760101", DateRole::Expiry, Some("2076-01-01"));
        check("770101", DateRole::Expiry, Some("1977-01-01"));
        check("990101", DateRole::Expiry, Some("1999-01-01"));
        check("120415", DateRole::Expiry, Some("2012-04-15"));
    }

    #[test]
    fn what_is_no_day_of_the_calendar_is_no_date() {
        check("740230", DateRole::Birth, None);
        check("741301", DateRole::Birth, None);
        check("74081", DateRole::Birth, None);
        check("7408<<", DateRole::Birth, None);
        check("74081é", DateRole::Birth, None);
    }

    #[test]
    fn eight_digits_are_read_in_both_orders() {
        assert_eq!(from_mmddccyy("06061986").as_deref(), Some("1986-06-06"));
        assert_eq!(from_ccyymmdd("19860606").as_deref(), Some("1986-06-06"));
        assert_eq!(from_mmddccyy("19860606"), None);
        assert_eq!(from_ccyymmdd("06061986"), None);
    }

    proptest! {
        #[test]
        fn no_field_makes_the_parsers_panic(field in "(\\PC{0,10}|[0-9]{0,10})") {
            let _ = (from_yymmdd(&field, DateRole::Expiry, today()), from_ccyymmdd(&field), from_mmddccyy(&field));
        }
    }
}
