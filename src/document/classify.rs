//! What a document is and whose customs it follows, by what it calls itself.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::field::IdType;
use super::issuer::issuer;
use super::layout::{Sheet, TextLine};
use super::number;
use super::text::{Counts, find_phrase, plain, squeeze};
use super::viz::ends_in_state_and_code;

/// Whose customs of printing a document follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Region {
    /// Cards of the Indian Union.
    India,
    /// Licences and identity cards of the United States and Canada, by the AAMVA card design standard.
    NorthAmerica,
    /// Everyone else.
    #[default]
    Elsewhere,
}

/// What the visual zone says about the kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Class {
    /// The type, as the document calls itself.
    pub(crate) id_type: IdType,
    /// Whose customs it follows.
    pub(crate) region: Region,
    /// The state that its headings name, as its ISO 3166-1 alpha-3 code.
    pub(crate) issuer: Option<&'static str>,
}

#[derive(Deserialize)]
struct Titles(HashMap<IdType, Vec<String>>);

#[derive(Deserialize)]
struct Regions {
    north_america: Vec<String>,
    india: Vec<String>,
}

struct Vocabulary {
    titles: HashMap<IdType, Vec<Vec<char>>>,
    north_america: Vec<Vec<char>>,
    india: Vec<Vec<char>>,
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let reason = "the label files are part of the program and tested";
    let Titles(titles) = toml::from_str(include_str!("labels/titles.toml")).expect(reason);
    let regions: Regions = toml::from_str(include_str!("labels/regions.toml")).expect(reason);
    let folded = |phrases: Vec<String>| phrases.iter().map(|phrase| squeeze(phrase).chars().collect()).collect();
    Vocabulary {
        titles: titles.into_iter().map(|(id_type, phrases)| (id_type, folded(phrases))).collect(),
        north_america: folded(regions.north_america),
        india: folded(regions.india),
    }
});

/// The text of all sheets as titles are looked for in it.
struct Print {
    /// Lines one by one.
    lines: Vec<(Counts, Vec<char>)>,
    /// Titles that run over two lines: each line with the one that follows it below.
    pairs: Vec<(Counts, Vec<char>)>,
}

impl Print {
    fn new(sheets: &[Sheet]) -> Self {
        let all = || sheets.iter().flat_map(|sheet| &sheet.lines).filter(|line| !line.upright);
        let counted = |chars: Vec<char>| (Counts::of(&chars), chars);
        let lines = all().map(|line| counted(line.compact.chars.clone())).collect();
        let mut pairs = Vec::new();
        for sheet in sheets {
            for upper in sheet.lines.iter().filter(|line| line.chars.len() < 40) {
                for lower in sheet.lines.iter().filter(|line| line.chars.len() < 40) {
                    let gap = lower.edges.top - upper.edges.bottom;
                    let height = upper.edges.height();
                    let below =
                        lower.edges.middle() > upper.edges.bottom && gap < 0.9 * height && lower.edges.overlap_x(&upper.edges) > 0.0;
                    let beside =
                        lower.edges.same_row(&upper.edges) && (0.0..2.0 * height).contains(&(lower.edges.left - upper.edges.right));
                    if below || beside {
                        pairs.push(counted([upper.compact.chars.as_slice(), lower.compact.chars.as_slice()].concat()));
                    }
                }
            }
        }
        Self { lines, pairs }
    }

    /// How many of the phrases are printed.
    fn count(&self, phrases: &[Vec<char>]) -> usize {
        phrases.iter().filter(|phrase| self.has(phrase)).count()
    }

    fn has(&self, phrase: &[char]) -> bool {
        // Short words are looked for exactly, and as a line of their own or its beginning or end.
        let errors = match phrase.len() {
            0..9 => 0,
            9..15 => 1,
            _ => 2,
        };
        let wanted = Counts::of(phrase);
        let in_line = |(counts, line): &(Counts, Vec<char>)| {
            counts.may_hold(&wanted, errors)
                && find_phrase(line, phrase, errors).is_some_and(|(start, end, _)| phrase.len() >= 7 || (start == 0 && end == line.len()))
        };
        self.lines.iter().any(in_line) || (phrase.len() >= 9 && self.pairs.iter().any(in_line))
    }
}

/// Twelve digits in groups of four whose check digit holds, or of which eight are masked.
fn is_aadhaar_number(line: &TextLine) -> bool {
    let print: String = line.chars.iter().filter(|c| **c != ' ').collect();
    // A masked number has no digits but the last four.
    let is_masked = print.strip_prefix("XXXXXXXX").is_some_and(|rest| rest.len() == 4 && rest.bytes().all(|b| b.is_ascii_digit()));
    let digits = print.len() == 12 && print.bytes().all(|b| b.is_ascii_digit());
    is_masked || (digits && number::check("IND", number::Kind::Aadhaar, &print) == number::Verdict::Valid)
}

/// Whether a line ends in the code of a state or a province and a postal code of the United States or Canada.
fn has_american_address(sheets: &[Sheet]) -> bool {
    let mut lines = sheets.iter().flat_map(|sheet| &sheet.lines).filter(|line| !line.upright);
    lines.any(|line| ends_in_state_and_code(&plain(&line.chars)))
}

/// Classifies a document by its headings and titles.
pub(crate) fn classify(sheets: &[Sheet]) -> Class {
    let issuer = issuer(sheets);
    Class { issuer, ..by_titles(sheets, issuer) }
}

fn by_titles(sheets: &[Sheet], issuer: Option<&str>) -> Class {
    let print = Print::new(sheets);
    let vocabulary = &*VOCABULARY;
    let count = |id_type| vocabulary.titles.get(&id_type).map_or(0, |phrases| print.count(phrases));
    let indian = print.count(&vocabulary.india) > 0;
    for id_type in [IdType::Pan, IdType::VoterId, IdType::Aadhaar] {
        if count(id_type) > 0 {
            return Class { id_type, region: Region::India, issuer: None };
        }
    }
    if indian && sheets.iter().flat_map(|sheet| &sheet.lines).any(is_aadhaar_number) {
        return Class { id_type: IdType::Aadhaar, region: Region::India, issuer: None };
    }
    // `License` with an s is American; Canada writes `licence` and names the province.
    let spelling = ["Driver license", "Driver's license", "Operator license", "Operator's license"]
        .map(|title| squeeze(title).chars().collect::<Vec<_>>());
    let border = [squeeze("Passport card"), squeeze("Border crossing"), squeeze("Border pass"), squeeze("Pogranična propusnica")];
    if print.count(&border.map(|phrase| phrase.chars().collect())) > 0 {
        return Class { id_type: IdType::NationalId, region: Region::Elsewhere, issuer: None };
    }
    let british = print.has(&squeeze("Licence").chars().collect::<Vec<_>>());
    // Other states have borrowed the American title; none of the United States calls it a driving licence.
    let driving = ["Driving licence", "Driving license"].map(|title| squeeze(title).chars().collect::<Vec<_>>());
    let american = || {
        let titled = spelling.iter().any(|title| print.has(title));
        let named = print.count(&vocabulary.north_america) > 0 && (titled || !driving.iter().any(|title| print.has(title)));
        issuer.is_none() && (named || (!british && titled) || has_american_address(sheets))
    };
    let licence = count(IdType::DrivingLicence);
    if licence > 0 && count(IdType::ResidencePermit) == 0 {
        let region = if indian {
            Region::India
        } else if american() {
            Region::NorthAmerica
        } else {
            Region::Elsewhere
        };
        // Cards for people who do not drive say so in words that hold those of a licence.
        let only_identity =
            region == Region::NorthAmerica && print.count(&[squeeze("Identification card").chars().collect()]) > 0 && licence < 2;
        let id_type = if only_identity && count(IdType::NationalId) > 0 { IdType::NationalId } else { IdType::DrivingLicence };
        return Class { id_type, region, issuer: None };
    }
    let region = if indian { Region::India } else { Region::Elsewhere };
    if count(IdType::ResidencePermit) > 0 {
        return Class { id_type: IdType::ResidencePermit, region, issuer: None };
    }
    let (passport, national_id, visa) = (count(IdType::Passport), count(IdType::NationalId), count(IdType::Visa));
    let id_type = if visa >= 2 || (visa == 1 && passport <= 1 && national_id == 0 && print.has(&['V', 'I', 'S', 'A'])) {
        IdType::Visa
    } else if passport > 0 && national_id <= passport {
        IdType::Passport
    } else if national_id > 0 {
        IdType::NationalId
    } else if print.has(&['V', 'I', 'S', 'A']) {
        IdType::Visa
    } else {
        IdType::Unknown
    };
    let cards = ["Identification card", "Photo card", "Services card"].map(|title| squeeze(title).chars().collect());
    // A title that was not legible leaves the address to tell.
    let untitled = id_type == IdType::Unknown && issuer.is_none() && has_american_address(sheets);
    let carded = id_type == IdType::NationalId && print.count(&cards) > 0 && american();
    let region = if region == Region::Elsewhere && (carded || untitled) { Region::NorthAmerica } else { region };
    Class { id_type, region, issuer: None }
}
