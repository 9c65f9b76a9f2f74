use lapin::types::FieldTable;
use time::OffsetDateTime;

use super::header::{self, moment, number};

/// What a message says a job has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// The attempt it stands for, from 1.
    pub attempt: u32,
    /// How often it was put off.
    pub deferrals: u32,
    /// When the job was first taken; `None` on its first delivery.
    pub first_seen: Option<OffsetDateTime>,
    /// How often an operator replayed it.
    pub replay: u32,
}

impl History {
    /// Reads our headers; a missing or senseless one counts as a first delivery.
    pub fn of(headers: &FieldTable) -> Self {
        Self {
            attempt: number(headers, header::ATTEMPT).unwrap_or(1).max(1),
            deferrals: number(headers, header::DEFERRALS).unwrap_or(0),
            first_seen: moment(headers, header::FIRST_SEEN),
            replay: number(headers, header::REPLAY).unwrap_or(0),
        }
    }

    /// The same history of a job that is taken now. Whoever wrote a time that is still to come has a wrong clock, and the job
    /// would never be old enough to be given up.
    #[must_use]
    pub fn seen_at(self, now: OffsetDateTime) -> Self {
        Self { first_seen: Some(self.first_seen.map_or(now, |first_seen| first_seen.min(now))), ..self }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::super::header::text_value;
    use super::*;

    #[test]
    fn a_moment_that_no_calendar_has_in_utc_is_none() {
        let mut headers = FieldTable::default();
        headers.insert(header::FIRST_SEEN.into(), text_value("9999-12-31T23:59:59-01:00"));
        assert_eq!(History::of(&headers).first_seen, None);
        headers.insert(header::FIRST_SEEN.into(), text_value("2030-01-02T04:04:05+01:00"));
        assert_eq!(History::of(&headers).first_seen, Some(datetime!(2030-01-02 03:04:05 UTC)));
    }

    #[test]
    fn a_job_was_first_seen_no_later_than_now() {
        let now = datetime!(2030-01-02 03:04:05 UTC);
        let first_seen = |first_seen| History { first_seen, ..History::of(&FieldTable::default()) }.seen_at(now).first_seen;
        let day = time::Duration::DAY;
        for (noted, expected) in [(None, now), (Some(now - day), now - day), (Some(now + day), now)] {
            assert_eq!(first_seen(noted), Some(expected));
        }
    }

    #[test]
    fn a_message_without_our_headers_is_a_first_attempt() {
        let first = History { attempt: 1, deferrals: 0, first_seen: None, replay: 0 };
        assert_eq!(History::of(&FieldTable::default()), first);
    }
}
