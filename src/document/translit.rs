//! How machine-readable zones spell the letters that their alphabet lacks (ICAO Doc 9303 part 3, section 6).

use unicode_normalization::UnicodeNormalization;

/// Spellings of one word beyond this are not looked at: names have one or two letters with a choice.
const MAX_SPELLINGS: usize = 32;

/// Every spelling in A-Z that a zone may use for a printed word; empty where the word holds other than Latin letters.
///
/// Apostrophes and full stops are dropped, as zones drop them.
pub(crate) fn spellings(word: &str) -> Vec<String> {
    let mut spellings = vec![String::new()];
    for c in word.chars().flat_map(char::to_uppercase) {
        if is_dropped(c) {
            continue;
        }
        let base = std::iter::once(c).nfd().next().unwrap_or(c);
        let base = base.is_ascii_uppercase().then(|| base.to_string());
        let options: Vec<&str> = match special(c) {
            [] => base.as_deref().into_iter().collect(),
            special => special.to_vec(),
        };
        if options.is_empty() {
            return Vec::new();
        }
        spellings =
            options.iter().flat_map(|option| spellings.iter().map(move |begun| format!("{begun}{option}"))).take(MAX_SPELLINGS).collect();
    }
    spellings.retain(|spelling| !spelling.is_empty());
    spellings
}

/// Whether a character of print has no place in a zone.
pub(crate) fn is_dropped(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '`' | '´' | 'ʼ' | '.' | ',')
}

/// Spellings of the letters that are not simply their base letter.
const fn special(c: char) -> &'static [&'static str] {
    match c {
        'Ä' => &["AE", "A"],
        'Å' => &["AA", "A"],
        'Æ' => &["AE"],
        'Ñ' => &["N", "NXX"],
        'Ö' | 'Ø' => &["OE", "O"],
        'Ü' => &["UE", "U", "UXX"],
        'Þ' => &["TH"],
        'Ĳ' => &["IJ"],
        'Œ' => &["OE"],
        'ẞ' | 'ß' => &["SS"],
        'Ð' | 'Đ' => &["D", "DJ", "DH"],
        'Ł' => &["L"],
        'Ħ' => &["H"],
        'Ŧ' => &["T"],
        'ı' | 'İ' => &["I"],
        'Ə' => &["E", "A"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: &[&str]) {
        assert_eq!(spellings(word), expected, "{word}");
    }

    #[test]
    fn letters_are_spelled_as_doc_9303_allows() {
        check("Østergård", &["OESTERGAARD", "OSTERGAARD", "OESTERGARD", "OSTERGARD"]);
        check("Müller", &["MUELLER", "MULLER", "MUXXLLER"]);
        check("O'Sullivan", &["OSULLIVAN"]);
        check("ÞÓR", &["THOR"]);
        check("Großmann", &["GROSSMANN"]);
        check("Ngọc", &["NGOC"]);
    }

    #[test]
    fn other_scripts_and_digits_have_no_spelling() {
        check("МАРИЯ", &[]);
        check("A1", &[]);
        check("", &[]);
        check("'", &[]);
    }
}
