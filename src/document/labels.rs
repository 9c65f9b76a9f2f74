//! The words that issuers print beside values, in their languages, and where they stand in a line.
//!
//! The words are data: one file per group of languages in `labels/`, a list of phrases per kind of field.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::field::FieldName;
use super::layout::TextLine;
use super::text::{Counts, find_phrase, is_look_alike, listed_words, match_at, squeeze};

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
}

/// How surely words are a caption and not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Nothing else is written so.
    Firm,
    /// A short or a misread word, which may be a name of another language: another caption of its language has to be near.
    NeedsLanguage,
    /// The words are a name too: so has another caption of a language that not every issuer prints.
    NeedsOwnLanguage,
}

struct Phrase {
    chars: Vec<char>,
    kinds: Kinds,
    counts: Counts,
    /// The label files that have it, as bits.
    languages: u32,
    /// It begins with the abbreviation of `number`, without which it is another word: `N° national`.
    is_signed: bool,
}

/// The abbreviations of `number` that captions begin with.
const SIGNS: [&str; 6] = ["N°", "Nº", "N.º", "N.°", "No ", "No."];

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
    let mut kinds_of: HashMap<String, (Kinds, bool, u32)> = HashMap::new();
    for (file_idx, file) in files.into_iter().enumerate() {
        let lists: HashMap<Kind, Vec<String>> = toml::from_str(file).expect("the label files are part of the program and tested");
        for (kind, phrases) in lists {
            for phrase in phrases {
                let is_signed = SIGNS.iter().chain(&["Nr "]).any(|sign| phrase.starts_with(sign));
                // The signs look alike, and some have a letter more when folded: `N° CIN` and `Nº CIN` are one caption.
                let rest = SIGNS.iter().find_map(|sign| phrase.strip_prefix(sign)).map(squeeze).filter(|rest| rest.len() > 2);
                let phrase = squeeze(&phrase);
                let signed = rest.into_iter().flat_map(|rest| [format!("N{rest}"), format!("NO{rest}")]);
                // `rn` is so often read as `m` that it is no error.
                let misread = Some(phrase.replace("RN", "M")).filter(|misread| *misread != phrase && phrase.len() >= 6);
                for phrase in signed.chain([phrase]).chain(misread) {
                    let known = kinds_of.entry(phrase).or_default();
                    *known = (known.0.and(Kinds::one(kind)), known.1 || is_signed, known.2 | 1 << file_idx);
                }
            }
        }
    }
    let mut phrases: Vec<Phrase> = kinds_of
        .into_iter()
        .map(|(text, (kinds, is_signed, languages))| {
            let chars: Vec<char> = text.chars().collect();
            Phrase { counts: Counts::of(&chars), chars, kinds, is_signed, languages }
        })
        .collect();
    // Longest first, then by alphabet: the outcome must not depend on the order of a hash map.
    phrases.sort_by(|a, b| b.chars.len().cmp(&a.chars.len()).then_with(|| a.chars.cmp(&b.chars)));
    phrases
});

/// The bit of the file of English captions, which stands first: most issuers print them beside their own.
const ENGLISH: u32 = 1;

/// Names that are words of captions or headings, or one letter off one.
static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| listed_words(include_str!("labels/names.txt")));

/// Whether a folded word is a name as often as it is a word of captions or headings.
pub(crate) fn is_name_too(word: &str) -> bool {
    NAMES.contains(word)
}

/// Shorter words are too easily names.
const SHORT: usize = 6;
/// Words of so many letters are no names where they have all their letters but one.
const LONG_WORD: usize = 8;
/// Phrases of so many letters are no names.
const LONG: usize = 10;

/// Errors that are forgiven in a phrase of so many characters; short words are too easily others.
fn forgiven(length: usize) -> usize {
    match length {
        0..6 => 0,
        6..10 => 1,
        10..16 => 2,
        _ => 3,
    }
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

/// Every phrase in a line that may be a caption.
fn hits(line: &TextLine) -> Vec<Hit> {
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
        let is_name = |start: usize, end: usize| is_name_too(compact[start..end].iter().collect::<String>().as_str());
        let is_caption = |(start, end, errors): &(usize, usize, usize)| {
            has_letters(line, *start, *end) && (*errors == 0 || !is_name(*start, *end)) && !is_value(line, *start, *end)
        };
        if let Some((start, end, errors)) = found.filter(is_caption) {
            let whole_words = line.compact.ends_word(end, &line.chars);
            let standing = match length {
                _ if is_tied(line, start, end) => Standing::Firm,
                _ if is_name(start, end) => Standing::NeedsOwnLanguage,
                LONG.. => Standing::Firm,
                ..LONG_WORD if errors > 0 && !is_misread(line, start, end, &phrase.chars) => continue,
                // Names are rarely printed in small letters, and captions rarely without them where they are hard to read.
                SHORT.. if errors == 0 || has_small_letters(line, start, end) => Standing::Firm,
                _ => Standing::NeedsLanguage,
            };
            hits.push(Hit { start, end, errors, kinds: phrase.kinds, whole_words, languages: phrase.languages, standing });
        }
    }
    hits
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

/// Whether half of the words' characters are letters: `50` is no `SO`, and `D0B` is a `DOB`.
fn has_letters(line: &TextLine, start: usize, end: usize) -> bool {
    let places = &line.compact.origin[start..end];
    2 * places.iter().filter(|place| line.chars[**place].is_alphabetic()).count() >= places.len()
}

/// Whether some of the words' letters are small ones.
fn has_small_letters(line: &TextLine, start: usize, end: usize) -> bool {
    line.compact.origin[start..end].iter().any(|place| line.chars[*place].is_lowercase())
}

/// The characters beside words, blanks left out: before them and behind them.
fn neighbours(line: &TextLine, start: usize, end: usize) -> (Option<char>, Option<char>) {
    let origin = &line.compact.origin;
    let before = line.chars[..origin[start]].iter().rev().copied().find(|c| *c != ' ');
    let behind = line.chars[origin[end - 1] + 1..].iter().copied().find(|c| *c != ' ');
    (before, behind)
}

/// Whether a colon behind words, or a slash on either side, says that they are a caption.
fn is_tied(line: &TextLine, start: usize, end: usize) -> bool {
    let (before, behind) = neighbours(line, start, end);
    matches!(before, Some('/' | '|')) || matches!(behind, Some('/' | '|' | ':'))
}

/// Whether a word directly behind a colon is the value: `Nama : ADI SUTRISNO`.
fn is_value(line: &TextLine, start: usize, end: usize) -> bool {
    let (before, behind) = neighbours(line, start, end);
    end - start < LONG && before == Some(':') && !matches!(behind, Some('/' | '|' | ':'))
}

/// Whether the words are a phrase in which a letter was misread: a capital as one that looks like it (`HECTOR` is no `SECTOR`),
/// a small letter, which names of documents rarely have, as any other.
fn is_misread(line: &TextLine, start: usize, end: usize, phrase: &[char]) -> bool {
    let print = &line.compact.chars[start..end];
    let is_small = |at: usize| line.chars[line.compact.origin[start + at]].is_lowercase();
    let mut others = print.iter().zip(phrase).enumerate().filter(|(_, (read, wanted))| read != wanted);
    print.len() == phrase.len() && others.all(|(at, (read, wanted))| is_small(at) || is_look_alike(*read, *wanted))
}

/// Whether a phrase that ends with the abbreviation of `number` does so in the line: `Licencia No` is not `Licencia de`.
fn keeps_sign(phrase: &[char], found: &[char]) -> bool {
    let sign = |chars: &[char]| matches!(chars, [.., 'N', 'O' | '0' | 'R']);
    !sign(phrase) || sign(found)
}

/// A phrase in a line's folded characters.
#[derive(Clone)]
struct Hit {
    start: usize,
    end: usize,
    /// Characters that had to be read as others.
    errors: usize,
    kinds: Kinds,
    /// It ends where a word ends.
    whole_words: bool,
    /// The label files that have the phrase, as bits.
    languages: u32,
    standing: Standing,
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
        // The languages of the captions are spoken on the document.
        let lines = [line(text), line("Date de naissance"), line("Date of birth"), line("Fecha de nacimiento")];
        let line = &lines[0];
        let found: Vec<(String, bool)> = captions_of(&lines)[0]
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
