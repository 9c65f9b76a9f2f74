//! The captions of all languages as one list of phrases, folded for the search.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::document::text::{Counts, listed_words, squeeze};

use super::kind::{Kind, Kinds};

/// A caption as it is looked for.
pub(super) struct Phrase {
    pub(super) chars: Vec<char>,
    pub(super) counts: Counts,
    pub(super) listed: Listed,
}

/// What the label files say about a phrase.
#[derive(Clone, Copy, Default)]
pub(super) struct Listed {
    pub(super) kinds: Kinds,
    /// The files that have it, as bits.
    pub(super) languages: u32,
    /// It begins with the abbreviation of `number`, without which it is another word: `N° national`.
    pub(super) is_signed: bool,
    /// It ends with one: `Pasaporte N°` is no `Pasaporte`.
    pub(super) ends_signed: bool,
    /// It is a caption only where a colon or a slash says so: `Pasaporte:`, where `Pasaporte` is a title.
    pub(super) needs_tie: bool,
}

/// The abbreviations of `number` that captions begin with.
const SIGNS: [&str; 6] = ["N°", "Nº", "N.º", "N.°", "No ", "No."];

/// All phrases, the longest first.
pub(super) static PHRASES: LazyLock<Vec<Phrase>> = LazyLock::new(|| {
    let files = [
        include_str!("english.toml"),
        include_str!("german.toml"),
        include_str!("french.toml"),
        include_str!("spanish.toml"),
        include_str!("portuguese.toml"),
        include_str!("italian.toml"),
        include_str!("dutch.toml"),
        include_str!("nordic.toml"),
        include_str!("baltic.toml"),
        include_str!("slavic_west.toml"),
        include_str!("slavic_south.toml"),
        include_str!("balkan_other.toml"),
        include_str!("turkic.toml"),
        include_str!("asian.toml"),
        include_str!("african_celtic.toml"),
    ];
    let mut listed: HashMap<String, Listed> = HashMap::new();
    for (file_idx, file) in files.into_iter().enumerate() {
        let lists: HashMap<Kind, Vec<String>> = toml::from_str(file).expect("the label files are part of the program and tested");
        for (kind, phrases) in lists {
            // The number of a passport is its document's number, too: beside `Document No` in another language it is no other.
            let kinds = if kind == Kind::PassportNumber { Kinds::one(kind).and(Kinds::one(Kind::Number)) } else { Kinds::one(kind) };
            for phrase in phrases {
                let needs_tie = phrase.ends_with(':');
                let is_signed = SIGNS.iter().chain(&["Nr "]).any(|sign| phrase.starts_with(sign));
                let ends_signed = [" N°", " Nº", " N.º", " N.°", " No", " No.", " Nr", " Nr."].iter().any(|sign| phrase.ends_with(sign));
                // The signs look alike, and some have a letter more when folded: `N° CIN` and `Nº CIN` are one caption.
                let rest = SIGNS.iter().find_map(|sign| phrase.strip_prefix(sign)).map(squeeze).filter(|rest| rest.len() > 2);
                let phrase = squeeze(&phrase);
                let signed = rest.into_iter().flat_map(|rest| [format!("N{rest}"), format!("NO{rest}")]);
                // `rn` is so often read as `m` that it is no error.
                let misread = Some(phrase.replace("RN", "M")).filter(|misread| *misread != phrase && phrase.len() >= 6);
                for phrase in signed.chain([phrase]).chain(misread) {
                    let known: &mut Listed = listed.entry(phrase).or_default();
                    // Listed with a colon and without, it needs none.
                    known.needs_tie = needs_tie && (known.needs_tie || known.kinds == Kinds::default());
                    known.kinds = known.kinds.and(kinds);
                    known.is_signed |= is_signed;
                    known.ends_signed |= ends_signed;
                    known.languages |= 1 << file_idx;
                }
            }
        }
    }
    let mut phrases: Vec<Phrase> = listed
        .into_iter()
        .map(|(text, listed)| {
            let chars: Vec<char> = text.chars().collect();
            Phrase { counts: Counts::of(&chars), chars, listed }
        })
        .collect();
    // Then by alphabet: the outcome must not depend on the order of a hash map.
    phrases.sort_by(|a, b| b.chars.len().cmp(&a.chars.len()).then_with(|| a.chars.cmp(&b.chars)));
    phrases
});

/// The bit of the file of English captions, which stands first: most issuers print them beside their own.
pub(super) const ENGLISH: u32 = 1;

/// Names that are words of captions or headings, or one letter off one.
pub(super) static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| listed_words(include_str!("names.txt")));

/// Whether a folded word is a name as often as it is a word of captions or headings.
pub(crate) fn is_name_too(word: &str) -> bool {
    NAMES.contains(word)
}
