//! The line at the foot of French driving licences: number, expiry and the beginning of the surname, and a digit over all.

use crate::document::coded_date::{DateRole, from_yymmdd};
use crate::document::field::{Candidate, Check, FieldName, Source};
use crate::document::mrz::check_digit::holds;

use super::india::moulded;
use super::{Context, candidate};

/// Code, issuer, number, version, expiry, surname, check digit: letters (`A`) and digits (`9`) as they must stand; the
/// surname of eight places is put between.
const HEAD: &str = "A9AAA99AA999999999999";
/// Characters of the whole line.
const LENGTH: usize = 30;

/// What the line says, where its check digit holds.
pub(super) fn read(context: &Context<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    for sheet in context.sheets {
        for line in &sheet.lines {
            let text: String = line.chars.iter().filter(|c| **c != ' ').collect::<String>().to_uppercase();
            let Some(zone) = zone(&text) else { continue };
            let mut push = |name, value: String| {
                let mut read = candidate(name, value, &text, sheet.side, 0.97 * line.confidence, line.quad);
                read.source = Source::Mrz;
                read.checks.push(Check::CheckDigitOk);
                found.push(read);
            };
            push(FieldName::IdNumber, zone[5..14].to_owned());
            if let Some(expiry) = from_yymmdd(&zone[15..21], DateRole::Expiry, context.today) {
                push(FieldName::ExpiryDate, expiry);
            }
            // Without a filler behind it, the surname may go on.
            if let Some(surname) = zone[21..LENGTH - 1].split_once('<').map(|(surname, _)| surname).filter(|surname| surname.len() > 1) {
                push(FieldName::Surname, surname.to_owned());
            }
        }
    }
    found
}

/// The line in its thirty characters, look-alikes read as what must stand in their place.
fn zone(text: &str) -> Option<String> {
    let text: String = text.chars().map(|c| if matches!(c, '«' | '‹' | '(') { '<' } else { c }).collect();
    if !text.is_ascii() || text.len() < HEAD.len() + 3 {
        return None;
    }
    let (head, rest) = text.split_at(HEAD.len());
    let (head, n_changed) = moulded(head, HEAD)?;
    let (surname, digit) = rest.split_at(rest.len() - 1);
    let surname = surname.trim_end_matches('<');
    let is_name = surname.chars().all(|c| c.is_ascii_uppercase() || c == '<') && surname.len() < 9;
    let zone = format!("{head}{surname:<<8}");
    (is_name && n_changed <= 3 && head.starts_with("D1FRA") && holds(&zone, digit.chars().next()?)).then(|| format!("{zone}{digit}"))
}

#[cfg(test)]
mod tests {
    use super::zone;

    #[test]
    fn a_line_is_read_where_its_digit_holds() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(zone(text).as_deref(), expected, "{text}");
        check("D1FRA27AA004718310315LAVERDU<4", None);
        let whole = "D1FRA27AA004718310315DURAND<<";
        let digit = (0..10).map(|digit| digit.to_string()).find(|digit| zone(&format!("{whole}{digit}")).is_some()).expect("a digit");
        let line = format!("{whole}{digit}");
        check(&line, Some(&line));
        check(&line.replace("<<", "<"), Some(&line));
        check(&line.replace("00", "O0"), Some(&line));
        check(&line.replace("DURAND", "DURANT"), None);
    }
}
