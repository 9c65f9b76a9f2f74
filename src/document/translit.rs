//! How machine-readable zones spell the letters that their alphabet lacks (ICAO Doc 9303 part 3, section 6), and how
//! issuers write them elsewhere.

use super::text::squeeze;

/// Spellings of one name beyond this are not looked at: names have few letters with a choice.
const MAX_SPELLINGS: usize = 64;

/// The ways in which a zone may spell a printed name: capitals without blanks, diacritics, hyphens and apostrophes.
///
/// Letters of other scripts stay as they are, so that nothing in a zone is like them.
pub(crate) fn spellings(name: &str) -> Vec<String> {
    let mut spellings = vec![String::new()];
    for c in name.chars().flat_map(char::to_uppercase) {
        let ways = ways(c);
        if ways.is_empty() || spellings.len() * ways.len() > MAX_SPELLINGS {
            let plain = squeeze(c.encode_utf8(&mut [0; 4]));
            spellings.iter_mut().for_each(|spelling| spelling.push_str(&plain));
        } else {
            spellings = ways.iter().flat_map(|way| spellings.iter().map(move |begun| format!("{begun}{way}"))).collect();
        }
    }
    spellings
}

/// Whether a character of print has no place in a zone.
pub(crate) fn is_dropped(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '`' | '´' | 'ʼ' | '.' | ',')
}

/// The spellings of a letter that is not simply its base letter.
const fn ways(c: char) -> &'static [&'static str] {
    match c {
        'Ä' | 'Æ' => &["AE", "A"],
        'Å' => &["AA", "A"],
        'Ö' | 'Ø' | 'Œ' | 'Õ' | 'Ő' => &["OE", "O"],
        'Ü' | 'Ű' => &["UE", "U", "UXX"],
        'Ñ' => &["N", "NXX"],
        'Þ' => &["TH"],
        'Ĳ' => &["IJ"],
        'ẞ' | 'ß' => &["SS"],
        'Ð' | 'Đ' => &["D", "DJ", "DH"],
        'Ə' => &["E", "A"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &[&str]) {
        assert_eq!(spellings(name), expected, "{name}");
    }

    #[test]
    fn letters_are_spelled_as_doc_9303_allows() {
        check("Østergård", &["OESTERGAARD", "OSTERGAARD", "OESTERGARD", "OSTERGARD"]);
        check("Müller", &["MUELLER", "MULLER", "MUXXLLER"]);
        check("O'Sullivan", &["OSULLIVAN"]);
        check("ÞÓR", &["THOR"]);
        check("Großmann", &["GROSSMANN"]);
        check("Ngọc Łódź", &["NGOCLODZ"]);
    }

    #[test]
    fn other_scripts_are_left_as_they_are() {
        check("МАРИЯ", &["МАРИЯ"]);
        check("A1", &["A1"]);
        check("'", &[""]);
    }

    #[test]
    fn a_name_of_many_choices_has_a_bounded_number_of_spellings() {
        assert!(spellings(&"ÄÖÜ".repeat(20)).len() <= MAX_SPELLINGS);
    }
}
