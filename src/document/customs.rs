//! Customs of printing that only some issuers have.
//!
//! Which states have them is data: `labels/customs.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// What some states do and others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Custom {
    /// The number of an identity card may be its holder's, and is held against the arithmetic of those.
    CardHasHoldersNumber,
    /// Where an identity card has its holder's number and one of its own, the holder's is the one that is asked for.
    CardIsNumberedByHolder,
    /// Licences carry their holder's number and no other.
    LicenceIsNumberedByHolder,
    /// The zone of an identity card has the holder's number in its optional data.
    ZoneHasHoldersNumber,
    /// Names are printed in Cyrillic or Greek letters and in Latin ones.
    NamesInTwoScripts,
    /// Dates are printed in a calendar of their own, and behind a stroke in ours.
    DatesOfTwoCalendars,
    /// Dates of digits begin with the month.
    MonthFirst,
    /// The father's name is one of the holder's own, between the two others.
    FathersNameInTheMiddle,
    /// Names without a caption begin with the surname, on a line of its own.
    SurnameAboveGivenNames,
    /// M is for `mujer` and H for `hombre`, but on passports.
    WomanIsM,
    /// Numbers that no caption announces have as many letters as they come to have.
    NumbersOfLetters,
}

static STATES: LazyLock<HashMap<Custom, Vec<String>>> =
    LazyLock::new(|| toml::from_str(include_str!("labels/customs.toml")).expect("the label files are part of the program and tested"));

/// Whether a state (ISO 3166-1 alpha-3) has a custom; one that is not known has none.
pub(crate) fn has(issuer: Option<&str>, custom: Custom) -> bool {
    issuer.is_some_and(|issuer| STATES.get(&custom).is_some_and(|states| states.iter().any(|state| state == issuer)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::country::is_state_code;

    #[test]
    fn customs_are_those_of_states_that_exist() {
        assert!(has(Some("CHL"), Custom::CardIsNumberedByHolder));
        assert!(!has(Some("DEU"), Custom::CardIsNumberedByHolder));
        assert!(!has(None, Custom::MonthFirst));
        assert!(STATES.values().flatten().all(|state| is_state_code(state)));
    }
}
