//! The machine-readable zone: found on a page, decoded under its rules, turned into fields.
//!
//! The crate `mrz` was measured before this was written: it parses clean lines of the five ICAO layouts well, knows no
//! French identity card, refuses two thirds of lines in which one filler and one look-alike are wrong, and cannot use
//! a recogniser's probabilities. So the zone is searched here, with its rules inside the search.

mod certainty;
pub(crate) mod check_digit;
mod cost;
mod decode;
mod fields;
mod find;
mod improve;
mod layout;
mod names;
mod observation;
mod printed;
mod settle;
mod symbol;
mod zone;

use std::fmt;

use time::Date;

use super::field::{Candidate, IdType, Side};
use crate::ocr::{Page, Quad};

pub use layout::{Checked, Layout};

/// A machine-readable zone as read off one page.
///
/// `Debug` never shows its text.
#[derive(Clone)]
pub struct Mrz {
    /// Which layout it is.
    pub layout: Layout,
    /// The lines top to bottom, exactly as decoded, fillers included; an empty string for a line that was not found.
    pub lines: Vec<String>,
    /// The check digits of the layout that could be looked at, and whether each holds.
    pub checks: Vec<(Checked, bool)>,
    /// The zone holds a character that the rules chose against the recogniser.
    pub is_repaired: bool,
    /// What kind of document the zone's codes say it is.
    pub id_type: IdType,
    /// What the zone says, field by field.
    pub(crate) readings: Vec<fields::FieldReading>,
    /// Where each line stands.
    pub(crate) quads: Vec<Option<Quad>>,
}

impl fmt::Debug for Mrz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mrz").field("layout", &self.layout).field("checks", &self.checks).finish_non_exhaustive()
    }
}

impl Mrz {
    /// Whether every line was found and every check digit holds.
    pub fn is_valid(&self) -> bool {
        self.is_whole() && !self.checks.is_empty() && self.checks.iter().all(|&(_, holds)| holds)
    }

    /// Whether every line of the layout was found.
    pub fn is_whole(&self) -> bool {
        self.lines.iter().all(|line| !line.is_empty())
    }

    /// Whether this check digit holds; `None` where there is none to look at.
    pub fn holds(&self, checked: Checked) -> Option<bool> {
        self.checks.iter().find(|(of, _)| *of == checked).map(|&(_, holds)| holds)
    }

    /// Writes the names as the pages print them, where they do: zones have no diacritics, apostrophes or hyphens, and not
    /// room for every name.
    pub fn improve_names(&mut self, pages: &[&Page]) {
        improve::improve_names(self, pages);
    }

    /// What the zone says, as candidates for fusing.
    pub fn candidates(&self, side: Side) -> Vec<Candidate> {
        self.readings.iter().map(|reading| reading.candidate(side, &self.quads)).collect()
    }
}

/// The machine-readable zone of a page, where it has one.
///
/// `pages` are all pages of the document, whose print settles names that the zone shows with doubt; `today` completes years
/// of two digits.
pub fn read(page: &Page, pages: &[&Page], today: Date) -> Option<Mrz> {
    let (mut zone, quads) = find::find(page)?;
    settle::settle(&mut zone, pages);
    Some(fields::mrz(&zone, quads, page, today))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::field::FieldName;
    use crate::ocr::{LATTICE_ALPHABET, Lattice, Line};

    /// A page whose lines stand one below the other.
    pub(super) fn page(lines: &[&str]) -> Page {
        let line = |(idx, text): (usize, &&str)| Line {
            text: (*text).to_owned(),
            confidence: 0.95,
            quad: Quad::from_edges(10.0, 40.0 * idx as f32, 900.0, 40.0 * idx as f32 + 20.0),
            lattice: None,
        };
        Page { width: 1000, height: 700, lines: lines.iter().enumerate().map(line).collect(), ..Page::default() }
    }

    fn today() -> Date {
        Date::from_calendar_date(2026, time::Month::November, 22).expect("a day of the calendar")
    }

    fn read_lines(lines: &[&str]) -> Option<Mrz> {
        read_page(&page(lines))
    }

    fn read_page(page: &Page) -> Option<Mrz> {
        read(page, &[page], today())
    }

    fn value(mrz: &Mrz, name: FieldName) -> String {
        mrz.candidates(Side::Front).into_iter().find(|c| c.name == name).map(|c| c.value).unwrap_or_default()
    }

    /// The specimens of Doc 9303 and of the French identity card.
    const SPECIMENS: [(Layout, &[&str]); 7] = [
        (Layout::Td3, &["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"]),
        (Layout::Td2, &["I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"]),
        (Layout::Td1, &["I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"]),
        (Layout::Td1, &["I<UTOD23145890<7349<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"]),
        (Layout::MrvA, &["V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C<3UTO6908061F9406236ZE184226B<<<<<<<"]),
        (Layout::MrvB, &["V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L898902C<3UTO6908061F9406236ZE184226"]),
        (Layout::FrenchId, &["IDFRABERTHIER<<<<<<<<<<<<<<<<<<<<<<<", "8806923102858CORINNE<<<<<<<6512068F6"]),
    ];

    #[test]
    fn the_specimens_are_read_exactly() {
        for (layout, lines) in SPECIMENS {
            let mrz = read_lines(lines).unwrap_or_else(|| panic!("no zone in {lines:?}"));
            assert_eq!((mrz.layout, mrz.lines.as_slice()), (layout, lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>().as_slice()));
            assert!(mrz.is_valid(), "{lines:?} {:?}", mrz.checks);
            assert!(!mrz.is_repaired, "{lines:?}");
            assert_eq!(value(&mrz, FieldName::Gender), "F");
        }
    }

    #[test]
    fn fields_of_a_passport() {
        let mrz = read_lines(SPECIMENS[0].1).expect("the specimen is a zone");
        for (name, expected) in [
            (FieldName::IdNumber, "L898902C3"),
            (FieldName::Name, "ANNA MARIA ERIKSSON"),
            (FieldName::Surname, "ERIKSSON"),
            (FieldName::GivenNames, "ANNA MARIA"),
            (FieldName::DateOfBirth, "1974-08-12"),
            (FieldName::ExpiryDate, "2012-04-15"),
            (FieldName::Nationality, "UTO"),
            (FieldName::IssuingCountry, "UTO"),
            (FieldName::PersonalNumber, "ZE184226B"),
        ] {
            assert_eq!(value(&mrz, name), expected, "{name:?}");
        }
        assert_eq!(mrz.id_type, IdType::Passport);
    }

    #[test]
    fn names_are_written_as_printed() {
        let mut mrz = read_lines(&["P<DNKOESTERGAARD<<HANNE<KRISTINE<<<<<<<<<<<<", SPECIMENS[0].1[1]]).expect("a zone");
        mrz.improve_names(&[&page(&["ØSTERGÅRD", "Hanne-Kristine"])]);
        assert_eq!(value(&mrz, FieldName::Name), "Hanne-Kristine ØSTERGÅRD");
        assert_eq!(value(&mrz, FieldName::Surname), "ØSTERGÅRD");
    }

    #[test]
    fn a_long_number_is_put_together() {
        let mrz = read_lines(SPECIMENS[3].1).expect("the specimen is a zone");
        assert_eq!(value(&mrz, FieldName::IdNumber), "D23145890734");
        assert_eq!(mrz.holds(Checked::Number), Some(true));
        assert_eq!(value(&mrz, FieldName::PersonalNumber), "");
    }

    #[test]
    fn what_recognisers_do_to_lines_is_undone() {
        let exact = SPECIMENS[0].1;
        for lines in [
            // A filler lost, look-alikes in numbers and dates, blanks between.
            ["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<", "L898902C36UT074O8122F12O4159ZE184226B<<<<<10"],
            ["PUTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C3 6UTO7408122F1204159ZE184226B<<<<<1O"],
            ["P<UTOERIKSSON«ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8989O2C36UTO74O8I22F1204159ZE184226B<<<<10"],
            ["p<utoERIKSSON<<ANNA<MARIA<<<<くくく<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<<10"],
            ["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<C<<<<<<", "L898902C36UTO7408122F1Z04I59ZE184226B<<<<<10"],
        ] {
            let mrz = read_lines(&lines).unwrap_or_else(|| panic!("no zone in {lines:?}"));
            assert_eq!(mrz.lines, exact, "{lines:?}");
            assert!(mrz.is_valid(), "{lines:?}");
        }
    }

    /// What a recogniser sees of a line so blurred that its fillers are letters: certain of letters, in doubt between several
    /// where there is a filler.
    fn blurred(text: &str) -> Lattice {
        let step = |seen: &[(char, f32)]| {
            let mut step = [0.0; 38];
            step[0] = 1.0 - seen.iter().map(|(_, p)| p).sum::<f32>();
            seen.iter().for_each(|&(c, p)| step[1 + LATTICE_ALPHABET.find(c).expect("a symbol")] = p);
            step
        };
        let character = |(idx, c): (usize, char)| match (c, idx % 3) {
            ('<', 0) => step(&[('C', 0.93), ('E', 0.04), ('<', 0.02)]),
            ('<', 1) => step(&[('E', 0.5), ('C', 0.3), ('<', 0.1)]),
            ('<', _) => step(&[('<', 0.5), ('C', 0.3), ('K', 0.1)]),
            (other, _) => step(&[(other, 0.99)]),
        };
        Lattice { steps: text.chars().enumerate().flat_map(|seen| [character(seen), step(&[])]).collect() }
    }

    #[test]
    fn fillers_read_as_letters_are_told_by_the_end_of_the_line() {
        for name in ["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "P<UTOBECKLES<<ALICE<GRACE<<<<<<<<<<<<<<<<<<<"] {
            let mut page = page(&[name, SPECIMENS[0].1[1]]);
            page.lines[0].lattice = Some(blurred(name));
            let mrz = read_page(&page).expect("a zone");
            assert_eq!(mrz.lines[0], name);
        }
    }

    #[test]
    fn a_letter_in_doubt_is_the_one_that_the_page_prints() {
        let name = "P<UTOGAIMU<<SAKURA<<<<<<<<<<<<<<<<<<<<<<<<<<";
        let zone = |printed: &str, p_of_g: f32| {
            let mut page = page(&[printed, name, SPECIMENS[0].1[1]]);
            let mut lattice = blurred(name);
            let step = &mut lattice.steps[2 * 5];
            step[1 + LATTICE_ALPHABET.find('G').expect("a symbol")] = p_of_g;
            step[1 + LATTICE_ALPHABET.find('S').expect("a symbol")] = 1.0 - p_of_g;
            page.lines[1].lattice = Some(lattice);
            read_page(&page).expect("a zone").lines[0].clone()
        };
        let other = name.replace("GAIMU", "SAIMU");
        assert_eq!(zone("Surname GAIMU", 0.3), name);
        assert_eq!(zone("Surname", 0.3), other);
        assert_eq!(zone("Surname GAIMU", 0.0), other);
        assert_eq!(zone("Surname GAIMUS", 0.3), other);
    }

    #[test]
    fn letters_read_as_digits_are_no_fillers() {
        let name = "P<UTOERIKSSON<<TIO<<<<<<<<<<<<<<<<<<<<<<<<<<";
        let mut page = page(&[name, SPECIMENS[0].1[1]]);
        let clear = |c: char| {
            let mut step = [0.0; 38];
            step[1 + LATTICE_ALPHABET.find(c).expect("a symbol")] = 0.99;
            step
        };
        let blank = {
            let mut step = [0.0; 38];
            step[0] = 1.0;
            step
        };
        page.lines[0].lattice = Some(Lattice { steps: name.replace("TIO", "T10").chars().flat_map(|c| [clear(c), blank]).collect() });
        assert_eq!(read_page(&page).expect("a zone").lines[0], name);
    }

    #[test]
    fn lines_of_a_card_may_come_in_any_order() {
        let exact = SPECIMENS[2].1;
        let mrz = read_lines(&[exact[2], "IDENTITY CARD", exact[0], exact[1]]).expect("the specimen is a zone");
        assert_eq!(mrz.lines, exact);
    }

    #[test]
    fn text_in_capitals_is_no_zone() {
        assert!(
            read_lines(&[
                "UNITED KINGDOM OF GREAT BRITAIN AND NORTHERN IRELAND",
                "PASSPORT PASSEPORT 1234567890123",
                "ERIKSSON",
                "ANNA MARIA"
            ])
            .is_none()
        );
        assert!(read_lines(&[]).is_none());
        assert!(read_lines(&["<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<"]).is_none());
    }

    #[test]
    fn a_failed_digit_is_reported_and_nothing_is_made_up() {
        let mrz = read_lines(&[SPECIMENS[0].1[0], "L898902C36UTO7408123F1204159ZE184226B<<<<<10"]).expect("the specimen is a zone");
        assert_eq!(mrz.lines[1], "L898902C36UTO7408123F1204159ZE184226B<<<<<10");
        assert_eq!(mrz.holds(Checked::Birth), Some(false));
        assert_eq!(mrz.holds(Checked::Number), Some(true));
        assert!(!mrz.is_valid());
    }

    proptest! {
        // A dozen rows are put together in many ways.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_lines_make_the_reader_panic(lines in prop::collection::vec("([PIVAC]?[A-Z0-9<]{0,50}|\\PC{0,60})", 0..4)) {
            let _ = read_lines(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
