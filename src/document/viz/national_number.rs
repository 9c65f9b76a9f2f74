//! National numbers in print, held against the arithmetic of the state that the document names.
//!
//! A number is never altered: one that fails is looked at again, gives way to another reading, and is told in a warning.

use crate::document::customs::{Custom, has};
use crate::document::field::{Candidate, FieldName, IdType};
use crate::document::number::national_check;

use super::Context;

/// Marks the numbers whose arithmetic holds and those in which a character must have been misread.
pub(super) fn mark(context: &Context<'_>, candidates: &mut [Candidate]) {
    let Some(issuer) = context.class.issuer else { return };
    let is_of_holder = |name| match name {
        FieldName::PersonalNumber => true,
        FieldName::IdNumber => context.class.id_type == IdType::NationalId && has(Some(issuer), Custom::CardHasHoldersNumber),
        _ => false,
    };
    for candidate in candidates.iter_mut().filter(|candidate| is_of_holder(candidate.name)) {
        candidate.checks.extend(national_check(issuer, &candidate.value));
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use crate::document::field::{Check, FieldName, Side};
    use crate::document::read;
    use crate::document::testing::page;

    #[test]
    fn a_number_that_fails_its_states_check_is_told() {
        let check = |number: &str, expected: Check| {
            let lines = [
                (60.0, 20.0, "KINGDOM OF THAILAND"),
                (60.0, 50.0, "Thai National ID Card"),
                (60.0, 100.0, "Identification Number"),
                (300.0, 100.0, number),
                (60.0, 200.0, "Date of Birth"),
                (300.0, 200.0, "8 Mar. 1991"),
            ];
            let reading = read(&[(Side::Front, page(&lines))], &[], date!(2026 - 11 - 22));
            assert_eq!(reading.fields[&FieldName::IdNumber].chosen.checks, [expected]);
            let is_told = reading.warnings.iter().any(|warning| warning.starts_with("idNumber"));
            assert_eq!(is_told, expected == Check::FormatFailed);
        };
        check("1 2345 45678 78 1", Check::FormatOk);
        check("1 2345 45678 78 2", Check::FormatFailed);
    }
}
