//! What happens next to a job that failed: failure + history + schedule -> [`Verdict`].
//!
//! Pure: the age of the job is an argument, nothing here reads a clock or draws a number. Delays are rungs of a fixed
//! ladder, since each rung is a queue of its own at the broker.

use std::time::Duration;

use crate::failure::{Class, Failure};

/// Deferrals after which a job on which alone a dependency fails is judged like any other failure, instead of waiting
/// for an outage to end that may be its own doing. With the default delays that is after more than a quarter of an hour,
/// so that a job that is alone on an idle system outlives an outage of ten minutes.
pub const LONE_DEFERRALS: u32 = 10;

/// What a job has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// The attempt that just failed, counted from 1.
    pub attempt: u32,
    /// How often the job was put off without burning an attempt.
    pub deferrals: u32,
    /// Time since the job was first taken.
    pub age: Duration,
}

/// The delays that exist as hold queues, and when to stop.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Before attempt 2, 3, … after a fault that may heal.
    pub delays: Vec<Duration>,
    /// Before attempt 2, 3, … while an image is not there.
    pub missing_delays: Vec<Duration>,
    /// For deferrals, rising.
    pub defer_delays: Vec<Duration>,
    /// Age at which a job is given up that was put off once for each of these delays or more often.
    pub give_up_after: Duration,
}

impl Schedule {
    /// Every distinct delay, rising: one hold queue each.
    pub fn rungs(&self) -> Vec<Duration> {
        let mut rungs: Vec<_> = [&self.delays, &self.missing_delays, &self.defer_delays].into_iter().flatten().copied().collect();
        rungs.sort_unstable();
        rungs.dedup();
        rungs
    }
}

/// What to do with a job that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Hold it for the delay, then attempt `attempt`.
    Retry {
        /// A rung of the schedule.
        delay: Duration,
        /// The number of the attempt to come.
        attempt: u32,
    },
    /// Hold it for the delay, then try again; no attempt is burned.
    Defer {
        /// A rung of the schedule.
        delay: Duration,
    },
    /// Give up: dead letter and failure event.
    DeadLetter,
}

/// Decides on a failed job.
pub fn decide(failure: &Failure, history: History, schedule: &Schedule) -> Verdict {
    match failure.class {
        Class::BadJob | Class::Expired | Class::BadImage | Class::Rejected | Class::NoData | Class::DeliveryLimit => Verdict::DeadLetter,
        Class::ImageMissing | Class::Denied => climb(&schedule.missing_delays, history.attempt),
        Class::Unavailable | Class::Internal => climb(&schedule.delays, history.attempt),
        Class::Throttled | Class::Unauthorised => defer(history, schedule, failure.retry_after),
    }
}

/// Puts a job off that did nothing wrong, while the dependency it needs is known to be out of order.
pub fn defer(history: History, schedule: &Schedule, retry_after: Option<Duration>) -> Verdict {
    // The age comes from a header and from two clocks. One that is wrong must not end a job at its first deferral.
    let climbed_the_ladder = history.deferrals as usize >= schedule.defer_delays.len();
    if history.age >= schedule.give_up_after && climbed_the_ladder {
        return Verdict::DeadLetter;
    }
    let last = schedule.defer_delays.last().copied().unwrap_or_default();
    let delay = match retry_after {
        // The shortest rung that respects what the dependency asked for; no rung is long enough for every wish.
        Some(wanted) => schedule.defer_delays.iter().copied().find(|rung| *rung >= wanted).unwrap_or(last),
        None => schedule.defer_delays.get(history.deferrals as usize).copied().unwrap_or(last),
    };
    Verdict::Defer { delay }
}

fn climb(ladder: &[Duration], attempt: u32) -> Verdict {
    match ladder.get(attempt.saturating_sub(1) as usize) {
        Some(delay) => Verdict::Retry { delay: *delay, attempt: attempt.saturating_add(1) },
        None => Verdict::DeadLetter,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::failure::Dependency;

    fn schedule() -> Schedule {
        let seconds = |list: &[u64]| list.iter().map(|s| Duration::from_secs(*s)).collect();
        Schedule {
            delays: seconds(&[5, 30, 120]),
            missing_delays: seconds(&[1, 5]),
            defer_delays: seconds(&[5, 30]),
            give_up_after: Duration::from_secs(3600),
        }
    }

    fn history(attempt: u32, deferrals: u32, age_s: u64) -> History {
        History { attempt, deferrals, age: Duration::from_secs(age_s) }
    }

    #[track_caller]
    fn check(class: Class, history: History, expected: Verdict) {
        assert_eq!(decide(&Failure::new(class, "x"), history, &schedule()), expected);
    }

    #[test]
    fn what_cannot_heal_is_dead_lettered_at_once() {
        for class in [Class::BadJob, Class::Expired, Class::BadImage, Class::Rejected, Class::NoData] {
            check(class, history(1, 0, 0), Verdict::DeadLetter);
        }
    }

    #[test]
    fn what_may_heal_climbs_its_ladder_and_then_falls_off() {
        check(Class::Unavailable, history(1, 0, 0), Verdict::Retry { delay: Duration::from_secs(5), attempt: 2 });
        check(Class::Internal, history(3, 9, 0), Verdict::Retry { delay: Duration::from_secs(120), attempt: 4 });
        check(Class::Unavailable, history(4, 0, 0), Verdict::DeadLetter);
        check(Class::ImageMissing, history(2, 0, 0), Verdict::Retry { delay: Duration::from_secs(5), attempt: 3 });
        check(Class::ImageMissing, history(3, 0, 0), Verdict::DeadLetter);
        check(Class::Denied, history(1, 0, 0), Verdict::Retry { delay: Duration::from_secs(1), attempt: 2 });
        check(Class::Denied, history(3, 0, 0), Verdict::DeadLetter);
    }

    #[test]
    fn a_deferral_waits_as_long_as_it_was_asked_to() {
        let mut throttled = Failure::of(Dependency::Ocr, Class::Throttled, "x");
        throttled.retry_after = Some(Duration::from_secs(6));
        assert_eq!(decide(&throttled, history(1, 0, 0), &schedule()), Verdict::Defer { delay: Duration::from_secs(30) });
        throttled.retry_after = Some(Duration::from_secs(600));
        assert_eq!(decide(&throttled, history(1, 0, 0), &schedule()), Verdict::Defer { delay: Duration::from_secs(30) });
        check(Class::Unauthorised, history(1, 0, 0), Verdict::Defer { delay: Duration::from_secs(5) });
        check(Class::Unauthorised, history(1, 7, 0), Verdict::Defer { delay: Duration::from_secs(30) });
        check(Class::Unauthorised, history(1, 7, 3600), Verdict::DeadLetter);
    }

    #[test]
    fn no_clock_ends_a_job_that_was_not_put_off_as_often_as_there_are_delays() {
        const FIFTY_YEARS_S: u64 = 50 * 365 * 24 * 3600;
        for class in [Class::Throttled, Class::Unauthorised] {
            check(class, history(1, 0, FIFTY_YEARS_S), Verdict::Defer { delay: Duration::from_secs(5) });
            check(class, history(1, 1, FIFTY_YEARS_S), Verdict::Defer { delay: Duration::from_secs(30) });
            check(class, history(1, 2, FIFTY_YEARS_S), Verdict::DeadLetter);
        }
    }

    fn any_class() -> impl Strategy<Value = Class> {
        prop::sample::select(vec![
            Class::BadJob,
            Class::Expired,
            Class::BadImage,
            Class::ImageMissing,
            Class::Denied,
            Class::Rejected,
            Class::NoData,
            Class::Unavailable,
            Class::Throttled,
            Class::Unauthorised,
            Class::Internal,
        ])
    }

    proptest! {
        #[test]
        fn every_delay_is_a_rung_that_exists(class in any_class(), attempt in 0u32..50, deferrals in 0u32..50, age in 0u64..9000, wanted in proptest::option::of(0u64..9000)) {
            let mut failure = Failure::new(class, "x");
            failure.retry_after = wanted.map(Duration::from_secs);
            let rungs = schedule().rungs();
            match decide(&failure, history(attempt, deferrals, age), &schedule()) {
                Verdict::Retry { delay, .. } | Verdict::Defer { delay } => prop_assert!(rungs.contains(&delay)),
                Verdict::DeadLetter => {}
            }
        }

        #[test]
        fn no_job_is_retried_for_ever(class in any_class()) {
            let mut attempt = 1;
            for _ in 0..=schedule().rungs().len() + 1 {
                match decide(&Failure::new(class, "x"), history(attempt, 2, 3600), &schedule()) {
                    Verdict::Retry { attempt: next, .. } => { prop_assert_eq!(next, attempt + 1); attempt = next; }
                    Verdict::Defer { .. } => prop_assert!(false, "deferred after the age at which jobs are given up"),
                    Verdict::DeadLetter => return Ok(()),
                }
            }
            prop_assert!(false, "still retried");
        }
    }
}
