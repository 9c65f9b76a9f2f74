//! When two readings of a field say the same, although issuers spell letters differently in different zones.

use super::field::FieldName;
use super::text::squeeze;

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
    let (a, b) = (spellings(a), spellings(b));
    a.iter().any(|spelling| b.contains(spelling))
}

/// At most so many letters of a name are spelled in all ways; names have fewer.
const MOST_VARIED: usize = 6;

/// The ways in which a machine-readable zone may spell a name: capitals without blanks and diacritics.
pub(crate) fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut varied = 0;
    for c in name.chars() {
        let upper: String = c.to_uppercase().collect();
        let ways: &[&str] = match upper.as_str() {
            "Ä" | "Æ" => &["AE", "A"],
            "Å" => &["AA", "A"],
            "Ö" | "Ø" | "Œ" | "Õ" | "Ő" => &["OE", "O"],
            "Ü" | "Ű" => &["UE", "U", "UXX"],
            "Ñ" => &["N", "NXX"],
            "Ð" => &["D", "DH"],
            "Đ" => &["D", "DJ"],
            "Þ" => &["TH"],
            "Ĳ" => &["IJ"],
            "Ə" => &["E", "A"],
            "X" => &["X", "KH", "KS"],
            _ => &[],
        };
        if ways.is_empty() || varied >= MOST_VARIED || (ways.len() > 1 && all.len() > 40) {
            let plain = squeeze(&upper);
            all.iter_mut().for_each(|spelling| spelling.push_str(&plain));
            continue;
        }
        varied += usize::from(ways.len() > 1);
        all = all.iter().flat_map(|spelling| ways.iter().map(move |way| format!("{spelling}{way}"))).collect();
    }
    all
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
        check("MARTIN", "MARTINE", false);
    }
}
