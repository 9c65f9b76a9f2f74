//! The words that issuers print beside values, in their languages, and where they stand in a line.
//!
//! The words are data: one file per group of languages in `labels/`, a list of phrases per kind of field.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::field::FieldName;
use super::layout::TextLine;
use super::text::{Counts, find_phrase, listed_words, match_at, squeeze};

/// What a caption announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The holder's surname.
    Surname,
    /// The holder's given names.
    GivenNames,
    /// The whole name, or one of the two parts: the other captions of the document decide.
    Name,
    /// The second of two surnames with captions of their own.
    SecondSurname,
    /// The whole name, the surname on the first of its lines.
    SurnameFirst,
    /// A middle name that belongs after the given names.
    MiddleName,
    /// A name of the holder that is not part of the name asked for: at birth, of a marriage, of an order.
    OtherName,
    /// Name of a parent, spouse or guardian.
    Relative,
    /// Date of birth, perhaps with the place.
    BirthDate,
    /// Year of birth.
    BirthYear,
    /// Sex.
    Sex,
    /// Number of the document.
    Number,
    /// Number of the person that identity cards carry as their own; other documents print it beside theirs.
    IdentityNumber,
    /// Number of the card: the document's own on identity cards, another one beside a licence's.
    CardNumber,
    /// National number of the person.
    PersonalNumber,
    /// Another number that must not be taken for the document's.
    OtherNumber,
    /// Postal address.
    Address,
    /// Nationality.
    Nationality,
    /// Date of issue.
    IssueDate,
    /// Date of expiry.
    ExpiryDate,
    /// Place of birth.
    BirthPlace,
    /// Issuing authority.
    Authority,
    /// Telephone number.
    Mobile,
    /// A caption of no interest, whose value must not be taken for another one.
    Other,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A name of a person, or a part of one.
    Name,
    /// A day.
    Date,
    /// A year of four digits.
    Year,
    /// `M`, `F`, `X`, or a word for one of them.
    Sex,
    /// Digits, and letters of a series.
    Number,
    /// Street and town.
    Address,
    /// The name of a state, or its code.
    State,
    /// A town or an office.
    Place,
    /// A telephone number.
    Telephone,
    /// Anything.
    Any,
}

impl Kind {
    /// What its value looks like, and which field it is, where it is one by itself: parts of a name are put together.
    pub(crate) fn value(self) -> (Shape, Option<FieldName>) {
        match self {
            Self::Surname
            | Self::GivenNames
            | Self::Name
            | Self::SecondSurname
            | Self::SurnameFirst
            | Self::MiddleName
            | Self::OtherName => (Shape::Name, None),
            Self::Relative => (Shape::Name, Some(FieldName::RelativeName)),
            Self::BirthDate => (Shape::Date, Some(FieldName::DateOfBirth)),
            Self::BirthYear => (Shape::Year, Some(FieldName::DateOfBirth)),
            Self::IssueDate => (Shape::Date, Some(FieldName::IssueDate)),
            Self::ExpiryDate => (Shape::Date, Some(FieldName::ExpiryDate)),
            Self::Sex => (Shape::Sex, Some(FieldName::Gender)),
            Self::Number | Self::CardNumber | Self::IdentityNumber => (Shape::Number, Some(FieldName::IdNumber)),
            Self::PersonalNumber => (Shape::Number, Some(FieldName::PersonalNumber)),
            Self::OtherNumber => (Shape::Number, None),
            Self::Address => (Shape::Address, Some(FieldName::Address)),
            Self::Nationality => (Shape::State, Some(FieldName::Nationality)),
            Self::BirthPlace => (Shape::Place, Some(FieldName::PlaceOfBirth)),
            Self::Authority => (Shape::Place, Some(FieldName::Authority)),
            Self::Mobile => (Shape::Telephone, Some(FieldName::MobileNumber)),
            Self::Other => (Shape::Any, None),
        }
    }
}

/// A set of kinds: some words mean different things in different languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds(u32);

impl Kinds {
    /// The set of one.
    pub(crate) fn one(kind: Kind) -> Self {
        Self(1 << kind as u32)
    }

    /// Whether the kind is among them.
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    /// Both sets together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both have in common, if anything.
    pub(crate) fn common(self, other: Self) -> Option<Self> {
        (self.0 & other.0 != 0).then_some(Self(self.0 & other.0))
    }

    /// Whether nothing but the parts of a name is meant.
    pub(crate) fn is_name(self) -> bool {
        let parts = Self::one(Kind::Surname).and(Self::one(Kind::GivenNames)).and(Self::one(Kind::Name));
        self.0 != 0 && self.0 & !parts.0 == 0
    }
}

/// A caption in a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Caption {
    /// What it may announce.
    pub(crate) kinds: Kinds,
    /// First character (in characters of the line).
    pub(crate) start: usize,
    /// The character after it.
    pub(crate) end: usize,
    /// Characters that had to be read as others.
    pub(crate) errors: usize,
}

struct Phrase {
    chars: Vec<char>,
    kinds: Kinds,
    counts: Counts,
    /// It begins with the abbreviation of `number`, without which it is another word: `N° national`.
    is_signed: bool,
}

static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    let files = [
        include_str!("labels/english.toml"),
        include_str!("labels/german.toml"),
        include_str!("labels/french.toml"),
        include_str!("labels/spanish.toml"),
        include_str!("labels/portuguese.toml"),
        include_str!("labels/italian.toml"),
        include_str!("labels/dutch.toml"),
        include_str!("labels/nordic.toml"),
        include_str!("labels/baltic.toml"),
        include_str!("labels/slavic_west.toml"),
        include_str!("labels/slavic_south.toml"),
        include_str!("labels/balkan_other.toml"),
        include_str!("labels/turkic.toml"),
        include_str!("labels/asian.toml"),
        include_str!("labels/african_celtic.toml"),
    ];
    let mut kinds_of: HashMap<String, (Kinds, bool)> = HashMap::new();
    for file in files {
        let lists: HashMap<Kind, Vec<String>> = toml::from_str(file).expect("the label files are part of the program and tested");
        for (kind, phrases) in lists {
            for phrase in phrases {
                let is_signed = ["N°", "Nº", "N.º", "N.°", "No ", "No.", "Nr "].iter().any(|sign| phrase.starts_with(sign));
                let phrase = squeeze(&phrase);
                // `rn` is so often read as `m` that it is no error.
                let misread = Some(phrase.replace("RN", "M")).filter(|misread| *misread != phrase && phrase.len() >= 6);
                for phrase in [Some(phrase), misread].into_iter().flatten() {
                    let known = kinds_of.entry(phrase).or_default();
                    *known = (known.0.and(Kinds::one(kind)), known.1 || is_signed);
                }
            }
        }
    }
    let mut phrases: Vec<Phrase> = kinds_of
        .into_iter()
        .map(|(text, (kinds, is_signed))| {
            let chars: Vec<char> = text.chars().collect();
            Phrase { counts: Counts::of(&chars), chars, kinds, is_signed }
        })
        .collect();
    // Longest first, then by alphabet: the outcome must not depend on the order of a hash map.
    phrases.sort_by(|a, b| b.chars.len().cmp(&a.chars.len()).then_with(|| a.chars.cmp(&b.chars)));
    phrases
});

/// Names that would be taken for misread captions.
static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| listed_words(include_str!("labels/names.txt")));

/// Errors that are forgiven in a phrase of so many characters; short words are too easily others.
fn forgiven(length: usize) -> usize {
    match length {
        0..6 => 0,
        6..10 => 1,
        10..16 => 2,
        _ => 3,
    }
}

/// The captions of a line from left to right, none overlapping another.
pub(crate) fn captions(line: &TextLine) -> Vec<Caption> {
    let compact = &line.compact.chars;
    let counts = Counts::of(compact);
    let mut hits: Vec<Hit> = Vec::new();
    for phrase in PHRASES.iter() {
        let length = phrase.chars.len();
        let errors_allowed = forgiven(length);
        if !counts.may_hold(&phrase.counts, errors_allowed) {
            continue;
        }
        let exact = find_bounded(line, &phrase.chars);
        if exact.is_none() && errors_allowed == 0 {
            continue;
        }
        let found = exact.or_else(|| {
            let starts = (0..compact.len()).filter(|start| line.compact.starts_word[*start]);
            let matches = starts
                .filter_map(|start| match_at(compact, start, &phrase.chars, errors_allowed).map(|(end, errors)| (start, end, errors)));
            let bounded = matches
                .filter(|(_, end, _)| length >= 9 || line.compact.ends_word(*end, &line.chars))
                .filter(|(start, ..)| !phrase.is_signed || compact[*start] == 'N')
                .filter(|(_, end, _)| keeps_sign(&phrase.chars, &compact[..*end]));
            bounded.min_by_key(|(_, _, errors)| *errors)
        });
        let is_name = |start: usize, end: usize| NAMES.contains(compact[start..end].iter().collect::<String>().as_str());
        if let Some((start, end, errors)) = found.filter(|(start, end, errors)| *errors == 0 || !is_name(*start, *end)) {
            let whole_words = line.compact.ends_word(end, &line.chars);
            hits.push(Hit { start, end, errors, kinds: phrase.kinds, whole_words });
        }
    }
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
            }
            Some(_) => {}
        }
    }
    taken.sort_by_key(|hit| hit.start);
    let origin = &line.compact.origin;
    let caption = |hit: Hit| Caption { kinds: hit.kinds, start: origin[hit.start], end: origin[hit.end - 1] + 1, errors: hit.errors };
    taken.into_iter().map(caption).collect()
}

/// Whether a phrase that ends with the abbreviation of `number` does so in the line: `Licencia No` is not `Licencia de`.
fn keeps_sign(phrase: &[char], found: &[char]) -> bool {
    let sign = |chars: &[char]| matches!(chars, [.., 'N', 'O' | '0' | 'R']);
    !sign(phrase) || sign(found)
}

/// A phrase in a line's folded characters.
struct Hit {
    start: usize,
    end: usize,
    errors: usize,
    kinds: Kinds,
    /// It ends where a word ends.
    whole_words: bool,
}

/// The phrase without errors at a place where words begin and end; phrases of six letters and more may have a word glued on.
fn find_bounded(line: &TextLine, phrase: &[char]) -> Option<(usize, usize, usize)> {
    let compact = &line.compact;
    let mut from = 0;
    while let Some((start, end, _)) = find_phrase(&compact.chars[from..], phrase, 0) {
        let (start, end) = (start + from, end + from);
        // A slash between two languages is often read as a letter: `NOMISURNAME`.
        let after_slash = start > 1 && matches!(compact.chars[start - 1], 'I' | '1' | 'L') && phrase.len() >= 6;
        let starts = compact.starts_word[start] || after_slash;
        let ends = !is_series(line, start, end) && compact.ends_word(end, &line.chars);
        // What stands behind a colon is the value: `Name : S. MEENAKSHI` has no `Names`.
        let colon = line.chars[compact.origin[start]..compact.origin[end - 1]].contains(&':');
        if !colon && ((starts && (ends || phrase.len() >= 6)) || phrase.len() >= 11) {
            return Some((start, end, 0));
        }
        from = start + 1;
    }
    None
}

/// Whether two letters directly before digits are the series of a number: `AD0471829` is no `Ad`, `DL-0471829` no `DL`.
fn is_series(line: &TextLine, start: usize, end: usize) -> bool {
    let next = line.compact.origin[end - 1] + 1;
    let digits = line.chars[next..].strip_prefix(&['-']).unwrap_or(&line.chars[next..]);
    end - start <= 2 && digits.first().is_some_and(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::super::testing::line;
    use super::*;

    fn check(text: &str, expected: &[(&str, Kind)]) {
        let line = line(text);
        let found: Vec<(String, bool)> = captions(&line)
            .iter()
            .zip(expected)
            .map(|(caption, (_, kind))| (line.slice(caption.start, caption.end), caption.kinds.has(*kind)))
            .collect();
        let expected: Vec<(String, bool)> = expected.iter().map(|(text, _)| ((*text).to_owned(), true)).collect();
        assert_eq!(found, expected, "{text}");
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
        check("CARTE NATIONALE", &[]);
        check("N° licencla", &[("N° licencla", Kind::Number)]);
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
}
