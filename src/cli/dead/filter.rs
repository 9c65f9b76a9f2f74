use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use time::OffsetDateTime;

use crate::broker::{Letter, LetterClass};

/// Which letters are meant; all of the conditions that are given must hold.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Filter {
    /// Only letters of this class; more than one may be named.
    #[arg(long, value_name = "CLASS", value_parser = class_parser())]
    class: Vec<LetterClass>,

    /// Only letters that have been dead for longer than this, for example 2h or 7days.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    older_than: Option<Duration>,

    /// Only letters that have been dead for less than this.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    newer_than: Option<Duration>,

    /// Only letters of jobs that failed at this attempt.
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,

    /// Only the letters of this job; more than one may be named.
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
}

/// A filter that must be given, or an explicit `--all`: for commands that change something.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Selection {
    #[command(flatten)]
    pub(super) filter: Filter,

    /// Every letter.
    #[arg(long, required_unless_present_any = CONDITIONS, conflicts_with_all = CONDITIONS)]
    all: bool,
}

const CONDITIONS: [&str; 5] = ["class", "older_than", "newer_than", "attempt", "id"];

impl Filter {
    /// Whether the letter is meant. A letter whose age nobody knows is neither older nor newer than anything.
    pub(super) fn matches(&self, letter: &Letter, now: OffsetDateTime) -> bool {
        let age = letter.dead_since.map(|since| now - since);
        (self.class.is_empty() || self.class.contains(&letter.class))
            && self.older_than.is_none_or(|limit| age.is_some_and(|age| age > limit))
            && self.newer_than.is_none_or(|limit| age.is_some_and(|age| age < limit))
            && self.attempt.is_none_or(|attempt| letter.history.attempt == attempt)
            && (self.id.is_empty() || self.id.iter().any(|id| id == letter.id.as_str()))
    }

    /// Whether each letter that is meant is meant by its job's id.
    pub(super) fn names_ids(&self) -> bool {
        !self.id.is_empty()
    }

    /// Whether letters of this class are meant by name, and not with all others.
    pub(super) fn names(&self, class: LetterClass) -> bool {
        self.class.contains(&class) || !self.id.is_empty()
    }
}

fn class_parser() -> impl TypedValueParser<Value = LetterClass> {
    PossibleValuesParser::new(LetterClass::all().into_iter().map(LetterClass::as_str))
        .map(|name| LetterClass::parse(&name).unwrap_or(LetterClass::Unknown))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use time::macros::datetime;

    use super::*;
    use crate::broker::History;
    use crate::failure::Class;
    use crate::job::JobId;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        selection: Selection,
    }

    fn letter() -> Letter {
        Letter {
            id: JobId::parse("a-1").unwrap(),
            class: LetterClass::Failed(Class::BadImage),
            reason: None,
            history: History { attempt: 2, deferrals: 0, first_seen: None, replay: 0 },
            dead_since: Some(datetime!(2030-01-02 00:00 UTC)),
            n_deliveries: 0,
            body_bytes: 10,
        }
    }

    #[track_caller]
    fn check(arguments: &str, expected: bool) {
        let line = Line::try_parse_from(format!("x {arguments}").split(' ')).unwrap();
        assert_eq!(line.selection.filter.matches(&letter(), datetime!(2030-01-02 01:00 UTC)), expected, "{arguments}");
    }

    #[test]
    fn every_condition_counts() {
        check("--all", true);
        check("--class bad_image", true);
        check("--class internal --class bad_image", true);
        check("--class delivery_limit", false);
        check("--older-than 59m", true);
        check("--older-than 61m", false);
        check("--newer-than 61m", true);
        check("--newer-than 59m", false);
        check("--attempt 2", true);
        check("--attempt 1", false);
        check("--id b --id a-1", true);
        check("--id a", false);
        check("--class bad_image --id b", false);
    }

    #[test]
    fn a_class_is_named_by_itself_or_by_a_jobs_id() {
        let names = |arguments: &str| {
            let line = Line::try_parse_from(format!("x {arguments}").split(' ')).unwrap();
            line.selection.filter.names(LetterClass::Failed(Class::DeliveryLimit))
        };
        assert!(names("--class delivery_limit --newer-than 1h") && names("--id a-1"));
        assert!(!names("--all") && !names("--newer-than 1h") && !names("--class internal"));
    }

    #[test]
    fn everything_has_to_be_said() {
        assert!(Line::try_parse_from(["x"]).is_err());
        assert!(Line::try_parse_from(["x", "--all", "--id", "a"]).is_err());
        assert!(Line::try_parse_from(["x", "--class", "no_such_class"]).is_err());
    }
}
