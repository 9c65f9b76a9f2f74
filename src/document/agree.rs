//! When two readings of a field say the same, although issuers spell letters differently in different zones.

use super::field::FieldName;
use super::text::squeeze;
use super::translit::spellings;

/// Whether two values of a field mean the same.
pub(crate) fn agree(name: FieldName, a: &str, b: &str) -> bool {
    match name {
        FieldName::Name | FieldName::Surname | FieldName::GivenNames | FieldName::RelativeName => same_name(a, b),
        FieldName::DateOfBirth => a == b || (a.len() == 4 && b.starts_with(a)) || (b.len() == 4 && a.starts_with(b)),
        FieldName::Nationality | FieldName::IssuingCountry | FieldName::Address | FieldName::PlaceOfBirth | FieldName::Authority => {
            squeeze(a) == squeeze(b)
        }
        FieldName::IdNumber
        | FieldName::PersonalNumber
        | FieldName::Gender
        | FieldName::IssueDate
        | FieldName::ExpiryDate
        | FieldName::MobileNumber => squeeze(a) == squeeze(b),
    }
}

/// Whether two spellings can be of one name: letters with diacritics may be written out, replaced or bare.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    let all = |name: &str| {
        let mut all = spellings(name);
        // Azerbaijan writes X for the sound that its zones write with two letters.
        for sound in ["KH", "KS"] {
            if name.contains(['X', 'x']) {
                all.extend(spellings(&name.replace(['X', 'x'], sound)));
            }
        }
        all
    };
    let (a, b) = (all(a), all(b));
    a.iter().any(|spelling| b.contains(spelling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_agree() {
        let check = |a, b, expected| assert_eq!(same_name(a, b), expected, "{a} {b}");
        check("ØSTERGÅRD", "OESTERGAARD", true);
        check("Müller", "MULLER", true);
        check("ÞURÍÐUR ÖSP", "THURIDUR OESP", true);
        check("JEAN-MICHEL", "JEAN MICHEL", true);
        check("ORXAN", "ORKHAN", true);
        check("MARTIN", "MARTINE", false);
    }
}
