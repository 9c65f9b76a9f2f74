//! The century of a year that is printed with two digits.
//!
//! This module never reads the clock: today is part of the [`Century`] that a search is given.

use time::Date;

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

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::Century;

    #[test]
    fn short_years_are_completed_by_what_they_are_for() {
        let today = date!(2026 - 06 - 01);
        assert_eq!(Century::Past(today).complete(31), 1931);
        assert_eq!(Century::Past(today).complete(26), 2026);
        assert_eq!(Century::Near(today).complete(31), 2031);
        assert_eq!(Century::Near(today).complete(90), 1990);
    }
}
