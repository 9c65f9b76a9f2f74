//! The words that issuers print beside values, in their languages, and where they stand in a line.
//!
//! The words are data: one file per group of languages in `labels/`, a list of phrases per kind of field.

mod hit;
mod kind;
mod phrase;

use hit::{Hit, LONG, Standing, hits};
pub(crate) use kind::{Kind, Kinds, Shape};
use phrase::ENGLISH;
pub(crate) use phrase::is_name_too;

use super::layout::TextLine;

/// A caption in a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Caption {
    /// What it may announce.
    pub(crate) kinds: Kinds,
    /// First character (in characters of the line).
    pub(crate) start: usize,
    /// The character after it.
    pub(crate) end: usize,
}

/// The captions of each line of a side: words that may be names only where others of their language are captions too.
pub(crate) fn captions_of(lines: &[TextLine]) -> Vec<Vec<Caption>> {
    let hits: Vec<Vec<Hit>> = lines.iter().map(|line| if line.upright { Vec::new() } else { hits(line) }).collect();
    let spoken = Spoken::of(hits.iter().flat_map(|hits| resolved(hits.clone())));
    let captions = |(line, mut hits): (&TextLine, Vec<Hit>)| {
        hits.retain(|hit| spoken.holds(hit));
        let origin = &line.compact.origin;
        let caption = |hit: Hit| Caption { kinds: hit.kinds, start: origin[hit.start], end: origin[hit.end - 1] + 1 };
        resolved(hits).into_iter().map(caption).collect()
    };
    lines.iter().zip(hits).map(captions).collect()
}

/// The languages of a side's captions, as bits of their label files, one entry per caption.
struct Spoken {
    by_firm: Vec<u32>,
    by_short: Vec<u32>,
}

impl Spoken {
    fn of(hits: impl Iterator<Item = Hit>) -> Self {
        let mut spoken = Self { by_firm: Vec::new(), by_short: Vec::new() };
        for hit in hits.filter(|hit| hit.errors == 0 || hit.end - hit.start >= LONG) {
            match hit.standing {
                Standing::Firm => spoken.by_firm.push(hit.languages),
                Standing::NeedsLanguage => spoken.by_short.push(hit.languages),
                Standing::NeedsOwnLanguage => {}
            }
        }
        spoken
    }

    /// Whether words are a caption, given the others. Short words speak for one another, but none for itself.
    fn holds(&self, hit: &Hit) -> bool {
        let has = |own: u32, n_own: usize| {
            let shares = |languages: &&u32| **languages & own != 0;
            self.by_firm.iter().any(|languages| shares(&languages)) || self.by_short.iter().filter(shares).count() > n_own
        };
        match hit.standing {
            Standing::Firm => true,
            Standing::NeedsLanguage => has(hit.languages, usize::from(hit.errors == 0)),
            Standing::NeedsOwnLanguage => has(hit.languages & !ENGLISH, 0),
        }
    }
}

/// The phrases of a line from left to right, none overlapping another.
fn resolved(mut hits: Vec<Hit>) -> Vec<Hit> {
    // The longest with the fewest errors wins; what it covers is taken. A phrase that ends within a word is another one:
    // `Apellido / Surname` is no `Apellidos`.
    hits.sort_by_key(|hit| {
        let cut_word = if hit.whole_words { 0 } else { 2 };
        (std::cmp::Reverse((hit.end - hit.start).saturating_sub(3 * hit.errors + cut_word)), hit.start)
    });
    let mut taken: Vec<Hit> = Vec::new();
    for hit in hits {
        match taken.iter_mut().find(|other| hit.start < other.end && other.start < hit.end) {
            None => taken.push(hit),
            // The same words in two spellings (with and without a diacritic) mean both.
            Some(other) if (other.start, other.end, other.errors) == (hit.start, hit.end, hit.errors) => {
                other.kinds = other.kinds.and(hit.kinds);
                other.languages |= hit.languages;
            }
            Some(_) => {}
        }
    }
    taken.sort_by_key(|hit| hit.start);
    taken
}

#[cfg(test)]
mod tests {
    use super::phrase::NAMES;
    use super::*;
    use crate::document::testing::line;

    fn check(text: &str, expected: &[(&str, Kind)]) {
        // The languages of the captions are spoken on the document.
        let lines = [line(text), line("Date de naissance"), line("Date of birth"), line("Fecha de nacimiento")];
        let line = &lines[0];
        let captions = &captions_of(&lines)[0];
        let found: Vec<String> = captions.iter().map(|caption| line.slice(caption.start, caption.end)).collect();
        assert_eq!(found, expected.iter().map(|(text, _)| *text).collect::<Vec<_>>(), "{text}");
        for (caption, (name, kind)) in captions.iter().zip(expected) {
            assert!(caption.kinds.has(*kind), "{name}");
        }
    }

    #[test]
    fn captions_are_found_in_any_language_and_with_misread_letters() {
        check("NOM/Sumame", &[("NOM", Kind::Surname), ("Sumame", Kind::Surname)]);
        check("Datum rodenja/Date of pirth", &[("Datum rodenja", Kind::BirthDate), ("Date of pirth", Kind::BirthDate)]);
        check(
            "SEXE /Sex NATIONALITÉ/Nationality",
            &[("SEXE", Kind::Sex), ("Sex", Kind::Sex), ("NATIONALITÉ", Kind::Nationality), ("Nationality", Kind::Nationality)],
        );
        check("D.O.B.01-05-1948", &[("D.O.B", Kind::BirthDate)]);
        check("Apellido / Surname", &[("Apellido", Kind::Surname), ("Surname", Kind::Surname)]);
    }

    #[test]
    fn the_longest_caption_wins() {
        check("Father's Name", &[("Father's Name", Kind::Relative)]);
        check("Place of birth", &[("Place of birth", Kind::BirthPlace)]);
    }

    #[test]
    fn what_is_the_number_of_something_needs_its_sign() {
        check("LICENCIA DE CONDUCTOR", &[]);
        // It may be a `Nationalité` that lost its accent, and no state stands beside it.
        check("CARTE NATIONALE", &[("NATIONALE", Kind::Nationality)]);
        check("N° licencla", &[("N° licencla", Kind::Number)]);
        check("National ID #", &[("National ID #", Kind::IdentityNumber)]);
    }

    #[test]
    fn a_title_holds_no_caption_that_is_misread() {
        check("BILHETE DE IDENTIDADE", &[]);
        check("Doc. ldentidade", &[("Doc. ldentidade", Kind::OtherNumber)]);
    }

    #[test]
    fn the_word_for_a_passport_is_a_caption_where_a_mark_says_so() {
        check("PASAPORTE", &[]);
        check("PASAPORTE: AV471829", &[("PASAPORTE", Kind::PassportNumber)]);
        check("Pasaporte / Passport", &[("Pasaporte", Kind::PassportNumber), ("Passport", Kind::PassportNumber)]);
    }

    #[test]
    fn what_is_glued_to_a_caption_is_its_value() {
        check("PassportNo:A0471829", &[("PassportNo", Kind::PassportNumber)]);
    }

    #[test]
    fn words_inside_names_are_no_captions() {
        check("SEXTON", &[]);
        check("NOMURA", &[]);
        check("VARGAS", &[]);
        check("AD0471829", &[]);
        check("DL-0471829", &[]);
        check("Name : S. MEENAKSHI", &[("Name", Kind::Name)]);
    }

    #[test]
    fn names_that_differ_from_captions_in_a_letter_are_none() {
        check("HECTOR MANUEL", &[]);
        check("VALDEZ", &[]);
        check("SEXTOR", &[]);
        check("Rellgion", &[("Rellgion", Kind::Other)]);
        check("RELlGION", &[("RELlGION", Kind::Other)]);
    }

    #[test]
    fn words_of_a_language_that_is_not_printed_are_no_captions() {
        check("SO MIN", &[]);
        check("ADI SUTRISNO", &[]);
        check("ADI:", &[("ADI", Kind::GivenNames)]);
        check("Nom", &[("Nom", Kind::Surname)]);
    }

    #[test]
    fn a_word_behind_a_colon_is_a_value() {
        check("Name : ADI SUTRISNO", &[("Name", Kind::Name)]);
        check(": GENDER", &[]);
        check("Name : Nom :", &[("Name", Kind::Name), ("Nom", Kind::Surname)]);
    }

    #[test]
    fn numbers_are_no_captions() {
        check("50 HIGH STREET", &[]);
        check("155", &[]);
        check("D0B", &[("D0B", Kind::BirthDate)]);
    }

    #[test]
    fn names_are_no_captions_where_only_english_ones_are() {
        for name in NAMES.iter() {
            let lines = [line(name), line("Surname"), line("Given names"), line("Date of birth"), line("Place of birth")];
            assert!(captions_of(&lines)[0].is_empty(), "{name}");
            let lines = [line(&format!("{name} KOVACS")), line("Surname"), line("Given names"), line("Date of birth")];
            assert!(captions_of(&lines)[0].is_empty(), "{name} KOVACS");
        }
    }
}
