//! Indian cards: Aadhaar, PAN, elector's card, driving licence.
//!
//! Their numbers have shapes of their own, so they are found by shape; captions give the rest. The father's name is
//! not the holder's, the virtual number and the enrolment number are not the Aadhaar number, and lines in regional
//! scripts are left out.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::field::{Candidate, Check, FieldName, IdType, Side};
use crate::document::labels::Kind;
use crate::document::layout::{Sheet, TextLine};
use crate::document::number::{Kind as NumberKind, Verdict, check};
use crate::document::person_name::{announced_name, person_name};
use crate::document::text::plain;

use super::indian_address::{addressee, find_address, relative_line};
use super::pairs::Pairing;
use super::sex::sex;
use super::split_lines::name_line;
use super::{Context, candidate, labelled};

/// Names that the recogniser is less sure of than this are print in another script.
const LEGIBLE: f32 = 0.6;

/// Reads an Indian card.
pub(super) fn read(context: &Context<'_>, pairings: &[Pairing]) -> Vec<Candidate> {
    let id_type = context.class.id_type;
    let mut found = Vec::new();
    for (sheet, pairing) in context.sheets.iter().zip(pairings) {
        let texts: Vec<String> = sheet.lines.iter().map(|line| plain(&line.chars)).collect();
        let shaped = number(id_type, sheet, &texts);
        let mut labelled = labelled::read_sheet(context, sheet, pairing);
        let captioned_gender = labelled.iter().find(|candidate| candidate.name == FieldName::Gender).cloned();
        labelled.retain(|candidate| match candidate.name {
            // Read by rules of their own.
            FieldName::Name | FieldName::Surname | FieldName::GivenNames | FieldName::Address | FieldName::Gender => false,
            FieldName::IdNumber => shaped.is_none() && !matches!(id_type, IdType::Aadhaar | IdType::Pan | IdType::VoterId),
            FieldName::PersonalNumber => false,
            _ => true,
        });
        found.extend(labelled);
        found.extend(gender(sheet, &texts).or(captioned_gender));
        found.extend(name(context, sheet, &texts, pairing, shaped.as_ref()));
        found.extend(uncaptioned_birth_date(context, sheet, pairing, shaped.as_ref()));
        found.extend(shaped);
        if let Some((text, line, relative)) = find_address(sheet, &texts) {
            let quad = sheet.lines[line].quad;
            let sure = 0.85 * sheet.lines[line].confidence;
            found.push(candidate(FieldName::Address, text.clone(), &text, sheet.side, sure, quad));
            found.extend(relative.map(|relative| candidate(FieldName::RelativeName, relative.clone(), &relative, sheet.side, sure, quad)));
        }
        if id_type == IdType::Aadhaar {
            found.extend(mobile(sheet, &texts));
        }
    }
    found
}

/// The card's number by its shape.
fn number(id_type: IdType, sheet: &Sheet, texts: &[String]) -> Option<Candidate> {
    let rows = || sheet.lines.iter().zip(texts).filter(|(line, _)| !line.upright);
    match id_type {
        IdType::Aadhaar => rows().find_map(|(line, text)| aadhaar_number(line, text, sheet.side)),
        IdType::Pan => shaped(rows(), sheet.side, "AAAAA9999A", NumberKind::Pan),
        IdType::VoterId => shaped(rows(), sheet.side, "AAA9999999", NumberKind::VoterId).or_else(|| old_voter_number(rows(), sheet.side)),
        IdType::DrivingLicence => rows().find_map(|(line, text)| licence_number(line, text, sheet.side)),
        _ => None,
    }
}

/// Twelve digits in groups of four whose check digit holds; sixteen digits are a virtual number.
fn aadhaar_number(line: &TextLine, text: &str, side: Side) -> Option<Candidate> {
    static DIGITS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:[0-9X]{4}[ -]?){2}\d{4}").expect("tested"));
    if text.contains("VID") || text.contains("ENROL") {
        return None;
    }
    let digits: Vec<(usize, usize)> = DIGITS.find_iter(text).map(|hit| (hit.start(), hit.end())).collect();
    digits.into_iter().find_map(|(start, end)| {
        let touches = |place: Option<u8>| place.is_some_and(|c| c.is_ascii_digit() || c == b'X');
        let before = text[..start].trim_end().bytes().last().filter(|_| text[..start].ends_with(|c: char| c == ' ' || c.is_ascii_digit()));
        let after = text[end..].trim_start().bytes().next();
        if touches(before) || touches(after) {
            return None;
        }
        let plain: String = text[start..end].chars().filter(char::is_ascii_alphanumeric).collect();
        let value = format!("{} {} {}", &plain[..4], &plain[4..8], &plain[8..]);
        let masked = plain.starts_with("XXXX");
        let verdict = check("IND", NumberKind::Aadhaar, &plain);
        let (sure, checks) = match (masked, verdict) {
            (true, _) => (0.7, vec![Check::FormatOk]),
            (false, Verdict::Valid) => (0.95, vec![Check::CheckDigitOk]),
            (false, _) => (0.3, vec![Check::CheckDigitFailed]),
        };
        let mut found = candidate(FieldName::IdNumber, value, text, side, sure * line.confidence, line.quad);
        found.checks = checks;
        Some(found)
    })
}

/// A number of letters (`A`) and digits (`9`): where a letter must stand, a digit that looks like one is read as one.
fn shaped<'a>(rows: impl Iterator<Item = (&'a TextLine, &'a String)>, side: Side, pattern: &str, kind: NumberKind) -> Option<Candidate> {
    let mut best: Option<(usize, Candidate)> = None;
    for (line, text) in rows {
        let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let joined: String = words.concat();
        let whole = (joined.len() == pattern.len()).then_some(joined.as_str());
        for word in words.iter().copied().filter(|word| word.len() == pattern.len()).chain(whole) {
            let Some((value, n_changed)) = moulded(word, pattern) else { continue };
            // Digits alone are another number, a telephone's for example.
            let is_digits = word.chars().take(3).all(|c| c.is_ascii_digit());
            if n_changed > 3 || is_digits || !word.chars().any(|c| c.is_ascii_digit()) {
                continue;
            }
            let verdict = check("IND", kind, &value);
            if kind == NumberKind::Pan && verdict != Verdict::Valid {
                continue;
            }
            let sure = if n_changed == 0 { 0.95 } else { 0.8 };
            let mut found = candidate(FieldName::IdNumber, value, text, side, sure * line.confidence, line.quad);
            found.checks.push(if verdict == Verdict::Valid && kind == NumberKind::VoterId { Check::CheckDigitOk } else { Check::FormatOk });
            if best.as_ref().is_none_or(|(least, _)| n_changed < *least) {
                best = Some((n_changed, found));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// The word in the shape of the pattern, and how many characters had to be read as their look-alikes.
pub(super) fn moulded(word: &str, pattern: &str) -> Option<(String, usize)> {
    let mut n_changed = 0;
    let value: Option<String> = word
        .chars()
        .zip(pattern.chars())
        .map(|(c, wanted)| {
            let read = match (wanted, c) {
                ('A', 'A'..='Z') | ('9', '0'..='9') => return Some(c),
                ('A', '0') => 'O',
                ('A', '1') => 'I',
                ('A', '2') => 'Z',
                ('A', '4') => 'A',
                ('A', '5') => 'S',
                ('A', '6') => 'G',
                ('A', '8') => 'B',
                ('9', 'O' | 'Q' | 'D' | 'U') => '0',
                ('9', 'I' | 'L') => '1',
                ('9', 'Z') => '2',
                ('9', 'A') => '4',
                ('9', 'S') => '5',
                ('9', 'G') => '6',
                ('9', 'T') => '7',
                ('9', 'B') => '8',
                _ => return None,
            };
            n_changed += 1;
            Some(read)
        })
        .collect();
    Some((value?, n_changed))
}

/// Numbers of older cards: `UP/81/396/0123456`.
fn old_voter_number<'a>(rows: impl Iterator<Item = (&'a TextLine, &'a String)>, side: Side) -> Option<Candidate> {
    static OLD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Z]{2} ?/ ?\d{2} ?/ ?\d{3} ?/ ?\d{6,7}").expect("tested"));
    for (line, text) in rows {
        if let Some(hit) = OLD.find(text) {
            let value = hit.as_str().replace(' ', "");
            return Some(candidate(FieldName::IdNumber, value, text, side, 0.85 * line.confidence, line.quad));
        }
    }
    None
}

/// `SS-RR YYYY NNNNNNN`: state, office, year, serial, with blanks, hyphens or nothing between; older ones vary by state.
fn licence_number(line: &TextLine, text: &str, side: Side) -> Option<Candidate> {
    static NEW: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b(?:DLF)?([A-Z]{2})[ -]?([0-9OISB]{2,3}[A-Z]?)[ /-]*((?:19|20|2O)[0-9OISB]{2}[ -]?[0-9OISB]{7})\b").expect("tested")
    });
    static OLD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b[A-Z]{2}[ -]?\d{2}[A-Z]?[ /-]+(?:[A-Z]{1,3}[ /-]*)?\d{2,4}[ /-]?\d{4,8}\b").expect("tested"));
    let hit = NEW.find(text).map(|hit| (hit, 0.95)).or_else(|| OLD.find(text).map(|hit| (hit, 0.7)));
    let (hit, sure) = hit?;
    let number = hit.as_str().strip_prefix("DLF").unwrap_or(hit.as_str());
    // The state's two letters stand, and so does one behind the two digits of the office; the rest is digits.
    let is_letter =
        |at: usize, c: char| at < 2 || c.is_ascii_uppercase() && number[2..at].chars().filter(char::is_ascii_alphanumeric).count() == 2;
    let value: String = number.char_indices().map(|(at, c)| if is_letter(at, c) { c } else { digit(c) }).collect();
    let mut found = candidate(FieldName::IdNumber, value, text, side, sure * line.confidence, line.quad);
    found.checks.push(Check::FormatOk);
    Some(found)
}

fn digit(c: char) -> char {
    match c {
        'O' => '0',
        'I' => '1',
        'S' => '5',
        'B' => '8',
        other => other,
    }
}

/// The sex as a word, in English beside the regional language.
fn gender(sheet: &Sheet, texts: &[String]) -> Option<Candidate> {
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(FEMALE|MALE|TRANSGENDER)\b").expect("tested"));
    static LETTER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(?:SEX|GENDER)[ :./-]+([MFTX])\b").expect("tested"));
    for (line, text) in sheet.lines.iter().zip(texts) {
        let word = WORD.captures(text).or_else(|| LETTER.captures(text)).and_then(|hit| hit.get(1).map(|word| word.as_str()));
        if let Some(word) = word {
            let sex = if word.starts_with('T') { "X" } else { sex(word)? };
            return Some(candidate(FieldName::Gender, sex.to_owned(), text, sheet.side, 0.92 * line.confidence, line.quad));
        }
    }
    None
}

/// The holder's name: by its caption, else by where the card prints it.
fn name(context: &Context<'_>, sheet: &Sheet, texts: &[String], pairing: &Pairing, number: Option<&Candidate>) -> Option<Candidate> {
    if context.class.id_type == IdType::VoterId
        && let Some(found) = elector_name(sheet, texts)
    {
        return Some(found);
    }
    let by_caption = pairing
        .best(Kind::Name)
        .or_else(|| pairing.best(Kind::GivenNames))
        .filter(|pair| pair.cost < 0.9 && pair.confidence > LEGIBLE)
        .and_then(|pair| {
            let value = labelled::whole_name(context, &pair.text)?;
            Some(candidate(FieldName::Name, value, &pair.text, sheet.side, labelled::confidence(pair), pair.quad))
        });
    // Of two lines that could be the holder's, the tax number's fifth letter tells: it begins the surname.
    let initial = number.filter(|_| context.class.id_type == IdType::Pan).and_then(|number| number.value.chars().nth(4));
    if let Some(found) = by_caption
        && initial.is_none_or(|initial| begins_surname(&found.value, initial))
    {
        return Some(found);
    }
    match context.class.id_type {
        IdType::Pan => pan_name(sheet, texts, pairing, initial),
        IdType::Aadhaar => aadhaar_name(sheet, texts).or_else(|| addressed_name(sheet, texts)),
        IdType::DrivingLicence => name_above_relative(sheet, texts),
        _ => None,
    }
}

/// `Elector's` stands in a row with the name, `Name` below it: the caption takes two lines.
fn elector_name(sheet: &Sheet, texts: &[String]) -> Option<Candidate> {
    let caption = sheet.lines.iter().zip(texts).find(|(_, text)| text.starts_with("ELECTOR") && text.len() < 12).map(|(line, _)| line)?;
    let beside = sheet.lines.iter().filter(|line| {
        let near = line.edges.left > caption.edges.right - 5.0
            && (line.edges.middle() - caption.edges.middle()).abs() < 0.9 * caption.edges.height();
        near && line.confidence > LEGIBLE
    });
    let line = beside.min_by(|a, b| a.edges.left.total_cmp(&b.edges.left))?;
    let text = line.text();
    Some(candidate(FieldName::Name, announced_name(&text)?, &text, sheet.side, 0.85 * line.confidence, line.quad))
}

fn begins_surname(name: &str, initial: char) -> bool {
    plain(&name.chars().collect::<Vec<_>>()).split(' ').any(|word| word.starts_with(initial))
}

/// Old cards print three lines without captions below the heading: holder, father, birth date.
fn pan_name(sheet: &Sheet, texts: &[String], pairing: &Pairing, initial: Option<char>) -> Option<Candidate> {
    let heading = sheet.lines.iter().zip(texts).filter(|(_, text)| ["INCOME", "GOVT", "TAX DEP"].iter().any(|word| text.contains(word)));
    let floor = heading.map(|(line, _)| line.edges.bottom).fold(f32::NEG_INFINITY, f32::max);
    let is_relatives = |index: usize| pairing.pairs.iter().any(|pair| pair.kind == Kind::Relative && pair.line == index);
    let lines = sheet.lines.iter().zip(texts).enumerate().filter(|(index, _)| !is_relatives(*index)).map(|(_, line)| line);
    let names = lines.filter(|(line, text)| {
        let capitals = line.chars.iter().filter(|c| c.is_alphabetic()).all(|c| c.is_uppercase());
        line.edges.top > floor - 0.3 * line.edges.height()
            && capitals
            && line.confidence > 0.75
            && text.len() > 3
            && person_name(text).is_some()
    });
    let mut names: Vec<&TextLine> = names.map(|(line, _)| line).collect();
    names.sort_by(|a, b| a.edges.top.total_cmp(&b.edges.top));
    let line = names.into_iter().next()?;
    let text = line.text();
    let name = person_name(&text)?;
    let sure = if initial.is_none_or(|initial| begins_surname(&name, initial)) { 0.8 } else { 0.4 };
    Some(candidate(FieldName::Name, name, &text, sheet.side, sure * line.confidence, line.quad))
}

/// Licences without captions print the name above whose child or spouse the holder is: `D/O SUNDARESAN PILLAI`.
fn name_above_relative(sheet: &Sheet, texts: &[String]) -> Option<Candidate> {
    let relative = &sheet.lines[relative_line(texts)?];
    let height = relative.edges.height();
    let above = sheet.lines.iter().filter(|line| {
        let step = relative.edges.middle() - line.edges.middle();
        (0.5 * height..2.5 * height).contains(&step) && (line.edges.left - relative.edges.left).abs() < height && line.confidence > LEGIBLE
    });
    let line = above.max_by(|a, b| a.edges.middle().total_cmp(&b.edges.middle()))?;
    let text = line.text();
    Some(candidate(FieldName::Name, person_name(&text)?, &text, sheet.side, 0.75 * line.confidence, line.quad))
}

/// The name to which the letter is sent, where the card below is not on the image.
fn addressed_name(sheet: &Sheet, texts: &[String]) -> Option<Candidate> {
    let line = &sheet.lines[addressee(sheet, texts)?];
    let text = line.text();
    Some(candidate(FieldName::Name, person_name(&text)?, &text, sheet.side, 0.8 * line.confidence, line.quad))
}

/// Aadhaar prints the name above the birth date.
fn aadhaar_name(sheet: &Sheet, texts: &[String]) -> Option<Candidate> {
    static BIRTH: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"D[O0Q]B|BIRTH|YOB").expect("tested"));
    let birth = sheet.lines.iter().zip(texts).find(|(_, text)| BIRTH.is_match(text)).map(|(line, _)| line)?;
    let height = birth.edges.height();
    let above = sheet.lines.iter().zip(texts).filter(|(line, text)| {
        let step = birth.edges.middle() - line.edges.middle();
        let relative = ["S/O", "D/O", "W/O", "C/O", "FATHER", "HUSBAND"].iter().any(|word| text.contains(word));
        // The letter prints an address beside the card.
        let aligned = (line.edges.left - birth.edges.left).abs() < 6.0 * height || line.edges.overlap_x(&birth.edges) > 3.0 * height;
        step > 0.5 * height && step < 5.0 * height && aligned && !relative && line.confidence > 0.7
    });
    let named = above.filter_map(|(line, _)| {
        let text = name_line(sheet, line, 0);
        let is_name = |name: &String| name.chars().count() > 2 && (name.contains(' ') || person_name(name).is_some());
        let name = announced_name(&text).filter(is_name)?;
        Some((line, text, name))
    });
    // What begins where the birth date does comes first.
    let place = |line: &TextLine| ((line.edges.left - birth.edges.left).abs() < 3.0 * height, line.edges.middle());
    let (line, text, name) = named.max_by(|a, b| {
        let (a, b) = (place(a.0), place(b.0));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    })?;
    Some(candidate(FieldName::Name, name, &text, sheet.side, 0.85 * line.confidence, line.quad))
}

/// The only date of an old tax card is the birth date.
fn uncaptioned_birth_date(context: &Context<'_>, sheet: &Sheet, pairing: &Pairing, number: Option<&Candidate>) -> Option<Candidate> {
    // The date of a company is that of its founding: the fourth letter of a person's number is P.
    let is_person = number.is_none_or(|number| number.value.chars().nth(3) == Some('P'));
    if context.class.id_type != IdType::Pan || pairing.best(Kind::BirthDate).is_some() || !is_person {
        return None;
    }
    let mut dates = sheet.lines.iter().filter(|line| !line.upright).filter_map(|line| {
        let text = line.text();
        Some((labelled::birth_date(context, &text)?, line, text))
    });
    let (date, line, text) = dates.next()?;
    let grown = dates.next().is_none();
    grown.then(|| candidate(FieldName::DateOfBirth, crate::document::date::iso(date), &text, sheet.side, 0.8 * line.confidence, line.quad))
}

/// The mobile number of the letter.
fn mobile(sheet: &Sheet, texts: &[String]) -> Option<Candidate> {
    static MOBILE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"MOB(?:ILE)?[ .:NO]*([6-9]\d{9})\b").expect("tested"));
    sheet.lines.iter().zip(texts).find_map(|(line, text)| {
        let number = MOBILE.captures(text)?.get(1)?;
        Some(candidate(FieldName::MobileNumber, number.as_str().to_owned(), text, sheet.side, 0.9 * line.confidence, line.quad))
    })
}
