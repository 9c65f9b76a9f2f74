//! Which lines deserve a second, more accurate look: those that carry fields and were not read with certainty. Pure.

use super::field::{Candidate, Check, FieldName, Reading, Side, Source};
use super::text::{distance, squeeze};
use crate::ocr::{Line, MAX_ZONE_PITCH, Page, Quad};

/// Lines under this confidence are doubtful where they carry a field: it is a mean, and one letter misread among a dozen
/// takes a few hundredths off it.
const CERTAIN: f32 = 0.97;

/// The same where a field that every document has was not found: `D0821/01/1978` read at 0.98.
const CERTAIN_WHEN_INCOMPLETE: f32 = 0.99;

/// A line of the zone under this confidence is hard to read.
const LEGIBLE: f32 = 0.90;

/// A line of the zone under this confidence is not easy to read: no check digit stands over its names.
const EASY: f32 = 0.95;

/// Most lines of one page that are looked at again: the accurate recogniser takes several times as long.
const MAX_LINES: usize = 8;

/// The same where a field that every document has was not found: its caption may be what was misread, or the name beside.
const MAX_LINES_WHEN_INCOMPLETE: usize = 16;

/// The fields that are worth a second look: those of the contract, and the names that the full name is made of.
const ASKED: [FieldName; 7] = [
    FieldName::IdNumber,
    FieldName::Name,
    FieldName::Surname,
    FieldName::GivenNames,
    FieldName::DateOfBirth,
    FieldName::Gender,
    FieldName::Address,
];

/// Lines that have this share of a zone's name's letters in their order may be its print.
const LIKE_A_NAME: f32 = 0.35;

/// Most lines of a page that are read again because they are like a zone's name.
const MAX_LINES_LIKE_NAMES: usize = 4;

/// The fields that names stand in.
const NAMES: [FieldName; 3] = [FieldName::Name, PARTS_OF_NAME[0], PARTS_OF_NAME[1]];
const PARTS_OF_NAME: [FieldName; 2] = [FieldName::Surname, FieldName::GivenNames];

/// The fields that every document is asked for.
const WANTED: [FieldName; 3] = [FieldName::IdNumber, FieldName::Name, FieldName::DateOfBirth];

/// Per page, the indices of the lines to read again; empty where the reading is certain.
pub fn doubtful_lines(reading: &Reading, pages: &[(Side, Page)]) -> Vec<Vec<usize>> {
    let incomplete = WANTED.iter().any(|name| reading.value(*name).is_empty());
    pages.iter().map(|(side, page)| doubtful_on(reading, *side, page, incomplete)).collect()
}

/// Whether a code may say more than was read: none does where the check digits of a zone hold, except on cards of North
/// America, whose barcodes have the address too.
pub fn may_gain_from_codes(reading: &Reading) -> bool {
    let is_proven = |name| {
        let field = reading.fields.get(&name).map(|field| &field.chosen);
        field.is_some_and(|chosen| chosen.source == Source::Mrz && chosen.checks.contains(&Check::CheckDigitOk))
    };
    let is_complete = [FieldName::IdNumber, FieldName::DateOfBirth].into_iter().all(is_proven);
    !is_complete || ["USA", "CAN"].contains(&reading.value(FieldName::IssuingCountry))
}

/// How much speaks against a reading: fields that are missing, names that no check digit and no print supports, and
/// checks that failed. Of two readings of one document the one with fewer faults is the better one.
pub fn faults(reading: &Reading) -> usize {
    let n_missing = WANTED.iter().filter(|name| reading.value(**name).is_empty()).count();
    // What is the matter with a part of the name is the matter with the name.
    let whole = reading.fields.iter().filter(|(name, _)| !PARTS_OF_NAME.contains(name)).map(|(_, field)| &field.chosen);
    let (failed, others): (Vec<_>, Vec<_>) = whole.partition(|chosen| has_failed(chosen));
    let n_unsupported = others.into_iter().filter(|chosen| is_unsupported(chosen)).count();
    3 * n_missing + 2 * n_unsupported + failed.len()
}

fn doubtful_on(reading: &Reading, side: Side, page: &Page, incomplete: bool) -> Vec<usize> {
    let mut picked: Vec<usize> = Vec::new();
    let mut pick = |wanted: &mut dyn FnMut(&Line) -> bool| {
        let more: Vec<usize> = (0..page.lines.len()).filter(|idx| !picked.contains(idx) && wanted(&page.lines[*idx])).collect();
        picked.extend(more);
    };
    // Fillers tell a zone that was not understood from other long lines in capitals; where some of it was, the rest is near.
    let found: Vec<Quad> = candidates(reading).filter(|c| c.source == Source::Mrz && c.side == side).filter_map(|c| c.quad).collect();
    let is_near =
        |line: &Line| found.iter().any(|quad| (quad.center().y - line.quad.center().y).abs() < MAX_ZONE_PITCH * quad.text_height());
    let may_be_zone = |line: &Line| line.lattice.is_some() && (line.text.contains('<') || is_near(line));
    if reading.mrz.is_empty() || candidates(reading).any(|c| c.source == Source::Mrz && has_failed(c)) {
        pick(&mut |line| may_be_zone(line));
    } else if reading.mrz.iter().any(String::is_empty) {
        // The line that was not found is one that was hardly read.
        pick(&mut |line| may_be_zone(line) && line.confidence < CERTAIN);
    }
    let chosen = ASKED.iter().filter_map(|name| reading.fields.get(name)).map(|field| &field.chosen);
    for candidate in chosen.filter(|c| c.side == side && !c.checks.contains(&Check::CheckDigitOk)) {
        let Some(quad) = candidate.quad else { continue };
        let threshold = match candidate.source {
            _ if has_failed(candidate) => 1.0,
            // A long line, whose decoder knows its rules: only what is not easy to read is worth its time.
            Source::Mrz => EASY,
            // Two places that say the same settle the letters, but not their marks, which are compared without.
            _ if candidate.checks.contains(&Check::CrossMatch) && candidate.value.is_ascii() => LEGIBLE,
            Source::Viz | Source::SignedQr | Source::Pdf417 | Source::Qr | Source::Derived | Source::Remote => CERTAIN,
        };
        pick(&mut |line| line.confidence < threshold && overlap(&line.quad, &quad));
    }
    let unsupported = unsupported_names(reading);
    // The boxes of a row belong together: a clear one may be read at the row's full width.
    pick(&mut |line| unsupported.iter().any(|zone| zone.side == side && zone.quad.is_some_and(|quad| overlap(&line.quad, &quad))));
    let alike = resembling(&unsupported, page);
    pick(&mut |line| alike.iter().any(|idx| page.lines[*idx].quad == line.quad));
    if incomplete {
        pick(&mut |line| line.confidence < LEGIBLE && looks_like_a_value(&line.text));
        pick(&mut |line| line.confidence < CERTAIN_WHEN_INCOMPLETE && line.text.chars().filter(|c| c.is_alphanumeric()).count() >= 3);
    }
    picked.truncate(if incomplete { MAX_LINES_WHEN_INCOMPLETE } else { MAX_LINES });
    picked
}

/// The zone's names that no print spells letter for letter: no check digit stands over them.
fn unsupported_names(reading: &Reading) -> Vec<&Candidate> {
    let fields = NAMES.iter().filter_map(|name| reading.fields.get(name));
    fields
        .filter(|field| has_failed(&field.chosen) || is_unsupported(&field.chosen))
        .flat_map(|field| std::iter::once(&field.chosen).chain(&field.others))
        .filter(|candidate| candidate.source == Source::Mrz)
        .collect()
}

/// Whether this is a zone's name that no print says too.
fn is_unsupported(chosen: &Candidate) -> bool {
    NAMES.contains(&chosen.name) && chosen.source == Source::Mrz && !chosen.checks.contains(&Check::CrossMatch)
}

/// The lines of a page that are most like these names, by their letters.
fn resembling(names: &[&Candidate], page: &Page) -> Vec<usize> {
    let wanted: Vec<String> = names.iter().map(|name| squeeze(&name.value)).filter(|letters| letters.len() >= 3).collect();
    let likeness = |line: &Line| {
        let letters: String = squeeze(&line.text);
        let share = |name: &String| 1.0 - distance(&letters, name) as f32 / letters.chars().count().max(name.len()) as f32;
        wanted.iter().map(share).fold(0.0, f32::max)
    };
    let lines = page.lines.iter().enumerate().filter(|(_, line)| line.confidence < CERTAIN && !line.text.contains('<'));
    let mut alike: Vec<(f32, usize)> =
        lines.map(|(idx, line)| (likeness(line), idx)).filter(|&(likeness, _)| likeness >= LIKE_A_NAME).collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0));
    alike.truncate(MAX_LINES_LIKE_NAMES);
    alike.into_iter().map(|(_, idx)| idx).collect()
}

fn candidates(reading: &Reading) -> impl Iterator<Item = &Candidate> {
    reading.fields.values().flat_map(|field| std::iter::once(&field.chosen).chain(&field.others))
}

/// Whether a check says that something was misread.
fn has_failed(candidate: &Candidate) -> bool {
    candidate.checks.iter().any(|check| match check {
        Check::CheckDigitFailed | Check::CompositeFailed | Check::FormatFailed | Check::CrossMismatch | Check::Repaired => true,
        Check::CheckDigitOk | Check::CompositeOk | Check::FormatOk | Check::CrossMatch | Check::SignatureOk => false,
    })
}

/// Whether a text may be a value rather than a caption or noise: digits, or a word in capitals.
fn looks_like_a_value(text: &str) -> bool {
    let n_digits = text.chars().filter(char::is_ascii_digit).count();
    let n_capitals = text.chars().filter(|c| c.is_uppercase()).count();
    let n_small = text.chars().filter(|c| c.is_lowercase()).count();
    n_digits >= 3 || (n_capitals >= 3 && n_capitals > n_small)
}

/// Whether two boxes share a good part of the smaller one.
fn overlap(a: &Quad, b: &Quad) -> bool {
    let width = a.right().min(b.right()) - a.left().max(b.left());
    let height = a.bottom().min(b.bottom()) - a.top().max(b.top());
    let area = |quad: &Quad| (quad.right() - quad.left()) * (quad.bottom() - quad.top());
    width > 0.0 && height > 0.0 && width * height > 0.3 * area(a).min(area(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Field;
    use crate::ocr::Lattice;

    fn line(text: &str, confidence: f32, top: f32) -> Line {
        Line { text: text.into(), confidence, quad: Quad::from_edges(0.0, top, 100.0, top + 10.0), lattice: None }
    }

    fn reading(fields: &[(FieldName, f32, Vec<Check>)]) -> Reading {
        let mut reading = Reading::default();
        for (name, top, checks) in fields {
            let chosen = Candidate {
                name: *name,
                value: "x".into(),
                raw: "x".into(),
                source: Source::Viz,
                side: Side::Front,
                confidence: 0.9,
                quad: Some(Quad::from_edges(0.0, *top, 100.0, top + 10.0)),
                checks: checks.clone(),
            };
            reading.fields.insert(*name, Field { chosen, others: Vec::new() });
        }
        reading
    }

    fn check(reading: &Reading, lines: Vec<Line>, expected: &[usize]) {
        let pages = [(Side::Front, Page { lines, ..Page::default() })];
        assert_eq!(doubtful_lines(reading, &pages), [expected.to_vec()]);
    }

    #[test]
    fn a_zone_that_is_proven_leaves_nothing_for_codes_to_say_except_in_north_america() {
        let proven = |source, issuer: &str| {
            let mut reading = reading(&[
                (FieldName::IdNumber, 0.0, vec![Check::CheckDigitOk]),
                (FieldName::DateOfBirth, 20.0, vec![Check::CheckDigitOk]),
            ]);
            reading.fields.values_mut().for_each(|field| field.chosen.source = source);
            let mut issued = reading.fields[&FieldName::IdNumber].clone();
            issued.chosen.value = issuer.into();
            reading.fields.insert(FieldName::IssuingCountry, issued);
            reading
        };
        assert!(!may_gain_from_codes(&proven(Source::Mrz, "UTO")));
        assert!(may_gain_from_codes(&proven(Source::Mrz, "CAN")));
        assert!(may_gain_from_codes(&proven(Source::Viz, "UTO")));
        assert!(may_gain_from_codes(&Reading::default()));
    }

    #[test]
    fn a_certain_and_complete_reading_needs_no_second_look() {
        let reading =
            reading(&[(FieldName::IdNumber, 0.0, vec![]), (FieldName::Name, 20.0, vec![]), (FieldName::DateOfBirth, 40.0, vec![])]);
        check(&reading, vec![line("1234", 0.99, 0.0), line("ANNA", 0.98, 20.0), line("NOISE", 0.4, 80.0)], &[]);
        check(&reading, vec![line("1234", 0.99, 0.0), line("ANNA", 0.80, 20.0), line("NOISE", 0.4, 80.0)], &[1]);
    }

    #[test]
    fn a_zones_name_that_no_print_supports_is_read_again_with_the_print_that_is_like_it() {
        let fields = [(FieldName::IdNumber, 0.0, vec![]), (FieldName::Name, 20.0, vec![]), (FieldName::DateOfBirth, 40.0, vec![])];
        let mut reading = reading(&fields);
        let name = &mut reading.fields.get_mut(&FieldName::Name).unwrap().chosen;
        (name.source, name.value) = (Source::Mrz, "HOLLIE BROUN".into());
        let lines = || vec![line("P<UTOBROUN<<HOLLIE<<", 0.98, 20.0), line("HOLLIE BROWM", 0.9, 60.0), line("OTTAWA", 0.9, 80.0)];
        check(&reading, lines(), &[0, 1]);
        assert_eq!(faults(&reading), 2);
        reading.fields.get_mut(&FieldName::Name).unwrap().chosen.checks.push(Check::CrossMatch);
        check(&reading, lines(), &[]);
        assert_eq!(faults(&reading), 0);
    }

    #[test]
    fn a_failed_check_casts_doubt_on_a_sure_line() {
        let fields = [
            (FieldName::IdNumber, 0.0, vec![Check::CheckDigitFailed]),
            (FieldName::Name, 20.0, vec![]),
            (FieldName::DateOfBirth, 40.0, vec![]),
        ];
        check(&reading(&fields), vec![line("1234", 0.99, 0.0), line("ANNA", 0.98, 20.0)], &[0]);
    }

    #[test]
    fn where_a_field_is_missing_its_caption_may_have_been_misread() {
        let incomplete = reading(&[(FieldName::IdNumber, 0.0, vec![]), (FieldName::Name, 20.0, vec![])]);
        let lines = vec![line("1234", 0.99, 0.0), line("ANNA", 0.99, 20.0), line("Dale ot binth", 0.7, 40.0), line("o", 0.4, 60.0)];
        check(&incomplete, lines, &[2]);
    }

    #[test]
    fn a_line_that_is_missing_from_a_zone_is_looked_for_among_those_hard_to_read() {
        let mut partial =
            reading(&[(FieldName::IdNumber, 120.0, vec![]), (FieldName::Name, 220.0, vec![]), (FieldName::DateOfBirth, 240.0, vec![])]);
        partial.mrz = vec![String::new(), "L898902C36UTO7408122F1204159ZE184226B<<<<<10".into()];
        partial.fields.get_mut(&FieldName::IdNumber).expect("it is there").chosen.source = Source::Mrz;
        let zone_like = |text, confidence, top| Line { lattice: Some(Lattice::default()), ..line(text, confidence, top) };
        let lines = vec![
            zone_like("DIPLOMATIC PASSPORT OF THE REPUBLIC OF UTOPIA", 0.7, 10.0),
            zone_like("PCUTOERIKSSONCCANNACMARIACKCCCCCCCCCCCKCCCC", 0.7, 100.0),
            zone_like("L898902C36UTO<<<<<10", 0.99, 120.0),
        ];
        check(&partial, lines, &[1]);
    }

    #[test]
    fn a_missing_field_is_a_graver_fault_than_a_failed_check() {
        let failed = reading(&[
            (FieldName::IdNumber, 0.0, vec![Check::CheckDigitFailed]),
            (FieldName::Name, 0.0, vec![]),
            (FieldName::DateOfBirth, 0.0, vec![]),
        ]);
        let missing = reading(&[(FieldName::Name, 0.0, vec![]), (FieldName::DateOfBirth, 0.0, vec![])]);
        assert!(faults(&failed) < faults(&missing));
    }

    #[test]
    fn what_two_places_say_is_certain_where_it_is_legible() {
        let fields =
            [(FieldName::IdNumber, 0.0, vec![]), (FieldName::Name, 20.0, vec![Check::CrossMatch]), (FieldName::DateOfBirth, 40.0, vec![])];
        let mut reading = reading(&fields);
        check(&reading, vec![line("1234", 0.99, 0.0), line("ANNA", 0.93, 20.0)], &[]);
        check(&reading, vec![line("1234", 0.99, 0.0), line("ANNA", 0.80, 20.0)], &[1]);
        reading.fields.get_mut(&FieldName::Name).expect("it is there").chosen.value = "ÅNNA".into();
        check(&reading, vec![line("1234", 0.99, 0.0), line("ÅNNA", 0.93, 20.0)], &[1]);
    }

    #[test]
    fn a_check_digit_that_holds_settles_the_matter() {
        let fields = [
            (FieldName::IdNumber, 0.0, vec![Check::CheckDigitOk]),
            (FieldName::Name, 20.0, vec![]),
            (FieldName::DateOfBirth, 40.0, vec![]),
        ];
        check(&reading(&fields), vec![line("1234", 0.80, 0.0), line("ANNA", 0.98, 20.0)], &[]);
    }

    #[test]
    fn what_is_missing_is_looked_for_in_what_was_hard_to_read() {
        let lines = vec![line("Sumanne", 0.7, 0.0), line("12.03.1980", 0.8, 20.0), line("ANNA", 0.99, 40.0), line("~", 0.2, 60.0)];
        check(&reading(&[]), lines, &[1, 0]);
        check(&reading(&[]), vec![line("D0821/01/1978", 0.98, 0.0), line("Gender: Male", 1.0, 20.0)], &[0]);
    }

    #[test]
    fn a_zone_that_was_not_understood_is_read_again() {
        let mut zone = line("P<UTO", 0.99, 60.0);
        zone.lattice = Some(Lattice::default());
        check(&reading(&[]), vec![zone], &[0]);
    }
}
