//! Letters as text: a table, JSON lines, a summary. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;

use crate::broker::{Letter, LetterClass};
use crate::event::rfc3339;

/// One letter a line, under a heading; nothing for no letters.
pub(super) fn table(letters: &[Letter], now: OffsetDateTime) -> String {
    if letters.is_empty() {
        return String::new();
    }
    let width = letters.iter().map(|letter| letter.id.as_str().len()).max().unwrap_or(0).max("JOB".len());
    let mut text = format!("{:<9} {:<14} {:>7} {:>7} {:width$} REASON\n", "DEAD FOR", "CLASS", "ATTEMPT", "REPLAYS", "JOB");
    for letter in letters {
        let age = letter.dead_since.map_or_else(|| "?".to_owned(), |since| rough(now - since));
        let reason: String = letter.reason.iter().flat_map(|reason| reason.chars()).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let (id, history) = (letter.id.as_str(), letter.history);
        // Writing to a text cannot fail.
        let _ =
            writeln!(text, "{age:<9} {:<14} {:>7} {:>7} {id:width$} {}", letter.class, history.attempt, history.replay, reason.trim_end());
    }
    text
}

/// One JSON object a line.
pub(super) fn json_lines(letters: &[Letter]) -> String {
    letters.iter().map(|letter| format!("{}\n", json_of(letter))).collect()
}

/// "3 letters: 2 bad_image, 1 internal".
pub(super) fn summary(classes: impl Iterator<Item = LetterClass>) -> String {
    let mut counts = BTreeMap::new();
    classes.for_each(|class| *counts.entry(class).or_insert(0_u32) += 1);
    let total: u32 = counts.values().sum();
    let parts: Vec<String> = counts.iter().map(|(class, n)| format!("{n} {class}")).collect();
    match total {
        0 => "no letters".to_owned(),
        1 => format!("1 letter: {}", parts.join(", ")),
        n => format!("{n} letters: {}", parts.join(", ")),
    }
}

fn json_of(letter: &Letter) -> serde_json::Value {
    json!({
        "id": letter.id.as_str(),
        "class": letter.class.as_str(),
        "reason": letter.reason,
        "attempt": letter.history.attempt,
        "deferrals": letter.history.deferrals,
        "replays": letter.history.replay,
        "firstSeen": letter.history.first_seen.map(rfc3339),
        "deadSince": letter.dead_since.map(rfc3339),
        "bodyBytes": letter.body_bytes,
    })
}

/// A duration in its two largest units, `3days 2h`; `0s` for what lies ahead.
fn rough(age: time::Duration) -> String {
    let age = Duration::try_from(age).unwrap_or_default();
    let unit = [86_400, 3_600, 60, 1].into_iter().find(|unit| age.as_secs() >= *unit).unwrap_or(1);
    let fine = match unit {
        86_400 => 3_600,
        3_600 => 60,
        _ => 1,
    };
    humantime::format_duration(Duration::from_secs(age.as_secs() / fine * fine)).to_string()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::broker::History;
    use crate::failure::Class;
    use crate::job::JobId;

    #[test]
    fn a_table_says_what_an_operator_asks_first() {
        let history = History { attempt: 5, deferrals: 0, first_seen: None, replay: 1 };
        let letter = |id: &str, class, reason: Option<&str>, dead_since| Letter {
            id: JobId::parse(id).unwrap(),
            class,
            reason: reason.map(Into::into),
            history,
            dead_since,
            n_deliveries: 0,
            body_bytes: 10,
        };
        let letters = [
            letter(
                "applicant-42",
                LetterClass::Failed(Class::Unavailable),
                Some("the object store\nanswered 503"),
                Some(datetime!(2030-01-01 22:30:10 UTC)),
            ),
            letter("a", LetterClass::Failed(Class::DeliveryLimit), None, None),
        ];
        insta::assert_snapshot!(table(&letters, datetime!(2030-01-03 00:00 UTC)), @r"
        DEAD FOR  CLASS          ATTEMPT REPLAYS JOB          REASON
        1day 1h   unavailable          5       1 applicant-42 the object store answered 503
        ?         delivery_limit       5       1 a
        ");
        insta::assert_snapshot!(summary(letters.iter().map(|letter| letter.class)), @"2 letters: 1 unavailable, 1 delivery_limit");
        assert_eq!(table(&[], datetime!(2030-01-03 00:00 UTC)), "");
    }
}
