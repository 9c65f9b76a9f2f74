//! What a document is and whose customs it follows, by what it calls itself.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::customs::{Custom, has};
use super::date::{Order, told_orders};
use super::field::IdType;
use super::issuer::{headings, issuer};
use super::layout::{Sheet, TextLine};
use super::number;
use super::text::{Counts, find_phrase, plain, squeeze};
use super::viz::{ends_in_state_and_code, has_passport_beside_own_number};

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
    /// Whether day or month comes first in its dates of digits.
    pub(crate) order: Order,
}

#[derive(Deserialize)]
struct Titles(HashMap<IdType, Vec<String>>);

#[derive(Deserialize)]
struct Regions {
    north_america: Vec<String>,
    united_states: Vec<String>,
    india: Vec<String>,
}

/// Words as they are compared: folded, without blanks.
struct Squeezed {
    chars: Vec<char>,
    counts: Counts,
    /// Whether a word begins at each of the characters; none for phrases.
    starts_word: Vec<bool>,
}

impl Squeezed {
    fn new(chars: Vec<char>, starts_word: Vec<bool>) -> Self {
        Self { counts: Counts::of(&chars), chars, starts_word }
    }

    fn of(lines: &[&TextLine]) -> Self {
        let chars = lines.iter().flat_map(|line| line.compact.chars.iter().copied()).collect();
        Self::new(chars, lines.iter().flat_map(|line| line.compact.starts_word.iter().copied()).collect())
    }

    /// Whether they hold a phrase; short ones are looked for exactly, and as all there is.
    fn has(&self, phrase: &Self) -> bool {
        let length = phrase.chars.len();
        let errors = match length {
            0..9 => 0,
            9..15 => 1,
            _ => 2,
        };
        let is_whole = |start, end| start == 0 && end == self.chars.len();
        // With errors only as whole words: a `civilian registration card` is no `alien registration card`, and `nationality`
        // no `national ID`.
        let is_glued = || !self.starts_word[1..].contains(&true);
        let bounds = |place: usize| self.starts_word.get(place).is_none_or(|starts| *starts);
        self.counts.may_hold(&phrase.counts, errors)
            && find_phrase(&self.chars, &phrase.chars, errors).is_some_and(|(start, end, found)| {
                (length >= 7 || is_whole(start, end)) && (found == 0 || bounds(start) && bounds(end) || is_glued() && length > 10)
            })
    }
}

/// What documents call themselves, squeezed once.
struct Vocabulary {
    titles: HashMap<IdType, Vec<Squeezed>>,
    north_america: Vec<Squeezed>,
    /// Headings of federal authorities.
    united_states: Vec<Squeezed>,
    india: Vec<Squeezed>,
    /// `License` with an s is American; Canada writes `licence` and names the province.
    american_titles: Vec<Squeezed>,
    /// Titles that other states have borrowed; none of the United States calls it a driving licence.
    driving: Vec<Squeezed>,
    licence: Squeezed,
    /// Cards to cross a border with, whose titles hold the word for a passport.
    border: Vec<Squeezed>,
    /// Cards for people who do not drive.
    identification: Vec<Squeezed>,
    /// Those and others of states and provinces.
    american_cards: Vec<Squeezed>,
    visa: Squeezed,
    /// A caption that cards of identity have, whatever script their title is in.
    nationality: Squeezed,
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let reason = "the label files are part of the program and tested";
    let Titles(titles) = toml::from_str(include_str!("labels/titles.toml")).expect(reason);
    let regions: Regions = toml::from_str(include_str!("labels/regions.toml")).expect(reason);
    let squeezed = |phrase: &str| Squeezed::new(squeeze(phrase).chars().collect(), Vec::new());
    let listed = |phrases: Vec<String>| phrases.iter().map(|phrase| squeezed(phrase)).collect();
    let all = |phrases: &[&str]| phrases.iter().map(|phrase| squeezed(phrase)).collect();
    Vocabulary {
        titles: titles.into_iter().map(|(id_type, phrases)| (id_type, listed(phrases))).collect(),
        north_america: listed(regions.north_america),
        united_states: listed(regions.united_states),
        india: listed(regions.india),
        american_titles: all(&["Driver license", "Driver's license", "Operator license", "Operator's license"]),
        driving: all(&["Driving licence", "Driving license"]),
        licence: squeezed("Licence"),
        border: all(&["Passport card", "Border crossing", "Border pass", "Pogranična propusnica"]),
        identification: all(&["Identification card"]),
        american_cards: all(&["Identification card", "Photo card", "Services card"]),
        visa: squeezed("Visa"),
        nationality: squeezed("Nationality"),
    }
});

/// Whether a line has the title of a document of any kind.
pub(crate) fn is_title(line: &TextLine) -> bool {
    let print = Squeezed::of(&[line]);
    VOCABULARY.titles.values().flatten().any(|title| print.has(title))
}

/// Whether characters of a line are part of a title without errors: `BILHETE DE IDENTIDADE` holds no misread caption.
pub(crate) fn is_within_title(line: &TextLine, start: usize, end: usize) -> bool {
    let print = Squeezed::of(&[line]);
    let holds = |title: &Squeezed| {
        print.counts.may_hold(&title.counts, 0)
            && find_phrase(&print.chars, &title.chars, 0).is_some_and(|(first, last, _)| first <= start && end <= last)
    };
    VOCABULARY.titles.values().flatten().any(holds)
}

/// The text of all sheets as titles are looked for in it.
struct Print {
    /// Lines one by one.
    lines: Vec<Squeezed>,
    /// Titles that run over two lines: each line with the one that follows it below.
    pairs: Vec<Squeezed>,
}

impl Print {
    fn new(sheets: &[Sheet]) -> Self {
        let all = || sheets.iter().flat_map(|sheet| &sheet.lines).filter(|line| !line.upright);
        let lines = all().map(|line| Squeezed::of(&[line])).collect();
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
                        pairs.push(Squeezed::of(&[upper, lower]));
                    }
                }
            }
        }
        Self { lines, pairs }
    }

    /// How many of the phrases are printed.
    fn count(&self, phrases: &[Squeezed]) -> usize {
        phrases.iter().filter(|phrase| self.has(phrase)).count()
    }

    /// Whether any of the phrases is printed.
    fn has_any(&self, phrases: &[Squeezed]) -> bool {
        phrases.iter().any(|phrase| self.has(phrase))
    }

    /// Whether a line has nothing but titles, as none has that is a caption.
    fn is_titled(&self, titles: &[Squeezed]) -> bool {
        let text = |words: &Squeezed| words.chars.iter().collect::<String>();
        let mut titles: Vec<String> = titles.iter().map(text).collect();
        // `PASAPORTE` is not `PASAPORT` and something else.
        titles.sort_by_key(|title| std::cmp::Reverse(title.len()));
        let rest = |line| titles.iter().fold(text(line), |rest, title| rest.replace(title.as_str(), ""));
        self.lines.iter().any(|line| rest(line).is_empty())
    }

    fn has(&self, phrase: &Squeezed) -> bool {
        self.lines.iter().any(|line| line.has(phrase)) || (phrase.chars.len() >= 9 && self.pairs.iter().any(|pair| pair.has(phrase)))
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
    let class = Class { issuer, ..by_titles(sheets, issuer) };
    Class { order: date_order(class, sheets), ..class }
}

/// Print that the recogniser is less sure of than this does not tell the order of dates.
const LEGIBLE: f32 = 0.9;

/// The order of dates: by custom, unless all dates that can be read only one way are written in the other one.
fn date_order(class: Class, sheets: &[Sheet]) -> Order {
    let vocabulary = &*VOCABULARY;
    let heads = |line: &TextLine| {
        let print = Squeezed::of(&[line]);
        vocabulary.united_states.iter().any(|phrase| print.has(phrase))
    };
    let is_custom =
        class.region == Region::NorthAmerica || has(class.issuer, Custom::MonthFirst) || sheets.iter().flat_map(headings).any(heads);
    let (custom, other) = match is_custom {
        true => (Order::MonthFirst, Order::DayFirst),
        false => (Order::DayFirst, Order::MonthFirst),
    };
    let lines = sheets.iter().flat_map(|sheet| &sheet.lines).filter(|line| !line.upright && line.confidence > LEGIBLE);
    let told: Vec<Order> = lines.flat_map(|line| told_orders(&line.text())).collect();
    // One date may be misread.
    if told.len() >= 2 && told.iter().all(|order| *order == other) { other } else { custom }
}

fn by_titles(sheets: &[Sheet], issuer: Option<&str>) -> Class {
    let print = Print::new(sheets);
    let vocabulary = &*VOCABULARY;
    let count = |id_type| vocabulary.titles.get(&id_type).map_or(0, |phrases| print.count(phrases));
    let indian = print.has_any(&vocabulary.india);
    for id_type in [IdType::Pan, IdType::VoterId, IdType::Aadhaar] {
        if vocabulary.titles.get(&id_type).is_some_and(|titles| print.has_any(titles)) {
            return Class { id_type, region: Region::India, ..Class::default() };
        }
    }
    if indian && sheets.iter().flat_map(|sheet| &sheet.lines).any(is_aadhaar_number) {
        return Class { id_type: IdType::Aadhaar, region: Region::India, ..Class::default() };
    }
    if print.has_any(&vocabulary.border) {
        return Class { id_type: IdType::NationalId, region: Region::Elsewhere, ..Class::default() };
    }
    let american = || {
        let titled = print.has_any(&vocabulary.american_titles);
        let named = print.has_any(&vocabulary.north_america) && (titled || !print.has_any(&vocabulary.driving));
        issuer.is_none() && (named || (!print.has(&vocabulary.licence) && titled) || has_american_address(sheets))
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
        let only_identity = region == Region::NorthAmerica && print.has_any(&vocabulary.identification) && licence < 2;
        let id_type = if only_identity && count(IdType::NationalId) > 0 { IdType::NationalId } else { IdType::DrivingLicence };
        return Class { id_type, region, ..Class::default() };
    }
    let region = if indian { Region::India } else { Region::Elsewhere };
    if count(IdType::ResidencePermit) > 0 {
        return Class { id_type: IdType::ResidencePermit, region, ..Class::default() };
    }
    let (passport, national_id, visa) = (count(IdType::Passport), count(IdType::NationalId), count(IdType::Visa));
    let id_type = if visa >= 2 || (visa == 1 && passport <= 1 && national_id == 0 && print.has(&vocabulary.visa)) {
        IdType::Visa
    } else if passport > 0 && national_id <= passport {
        let titles = vocabulary.titles.get(&IdType::Passport).map_or(&[][..], Vec::as_slice);
        if print.is_titled(titles) || !has_passport_beside_own_number(sheets) { IdType::Passport } else { IdType::ResidencePermit }
    } else if national_id > 0 {
        IdType::NationalId
    } else if print.has(&vocabulary.visa) {
        IdType::Visa
    // Passports and permits say what they are beside their captions; a card whose title is in another script does not.
    } else if !indian && print.has(&vocabulary.nationality) {
        IdType::NationalId
    } else {
        IdType::Unknown
    };
    // A title that was not legible leaves the address to tell.
    let untitled = id_type == IdType::Unknown && issuer.is_none() && has_american_address(sheets);
    let carded = id_type == IdType::NationalId && print.has_any(&vocabulary.american_cards) && american();
    let region = if region == Region::Elsewhere && (carded || untitled) { Region::NorthAmerica } else { region };
    Class { id_type, region, ..Class::default() }
}
