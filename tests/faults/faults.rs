//! What can go wrong, and a schedule of it that follows from the seed.

use std::time::Duration;

use crate::hosted_api::Answer;
use crate::proxy::Mode;

/// One fault; durations say how long it lasts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// kill -9 a worker, and start another.
    KillWorker,
    /// SIGTERM a worker, wait for its end, and start another.
    TerminateWorker,
    /// kill -9 the broker, and start it again after this time. In a cluster: the node that leads the job queue.
    KillBroker(Duration),
    /// SIGSTOP the broker for this time.
    StopBroker(Duration),
    /// A memory alarm for this time: the broker reads nothing from who publishes.
    MemoryAlarm(Duration),
    /// The broker closes every connection.
    CloseConnections,
    /// Nobody takes events for this time: the binding is deleted.
    Unbind(Duration),
    /// A link misbehaves for this time.
    Link(Link, Mode, Duration),
    /// The OCR API answers this share of the calls so for this time.
    Ocr(Answer, f64, Duration),
}

/// The links between a worker and what it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Broker,
    Store,
    Ocr,
}

/// What S3 says when it has a fault of its own.
const STORE_FAULT: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nContent-Length: 58\r\nConnection: close\r\n\r\n<Error><Code>ServiceUnavailable</Code><Message/></Error>\r\n";

/// What S3 says when it is asked too often.
const STORE_SLOW_DOWN: &str = "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 48\r\nConnection: close\r\n\r\n<Error><Code>SlowDown</Code><Message/></Error>\r\n";

/// So long that the heartbeats of a connection run out: two of them, ten seconds each.
const PAST_HEARTBEATS: Duration = Duration::from_secs(25);

/// Bytes of an answer of the store that pass when it is truncated: the headers and some of the image.
const TRUNCATED_AFTER: usize = 900;

/// Faults from which on some of them last longer than heartbeats; a short campaign is to stay short.
const LONG_CAMPAIGN: usize = 60;

/// Draws two schedules that run side by side: faults of processes and queues, and faults of links and answers. Every
/// kind comes up before one comes up again.
pub(crate) fn draw(n_faults: usize, seed: u64, cluster: bool) -> (Vec<Fault>, Vec<Fault>) {
    let mut chance = fastrand::Rng::with_seed(seed ^ 0xFA17);
    let n_machine = n_faults / 2;
    let lasting = |chance: &mut fastrand::Rng, range_ms: std::ops::Range<u64>| {
        let long = n_faults >= LONG_CAMPAIGN && chance.u8(..15) == 0;
        if long { PAST_HEARTBEATS } else { Duration::from_millis(chance.u64(range_ms)) }
    };
    let machine = deck(n_machine, &mut chance, |chance| {
        let mut faults = vec![
            Fault::KillWorker,
            Fault::TerminateWorker,
            Fault::KillBroker(lasting(chance, 0..3_000)),
            Fault::StopBroker(lasting(chance, 500..6_000)),
            Fault::MemoryAlarm(lasting(chance, 500..5_000)),
            Fault::CloseConnections,
            Fault::Unbind(lasting(chance, 500..4_000)),
        ];
        if cluster {
            // The cluster is there for its leaders: two of them in each round.
            faults.push(Fault::KillBroker(lasting(chance, 0..5_000)));
        }
        faults
    });
    let links = deck(n_faults - n_machine, &mut chance, |chance| {
        let mut faults = Vec::new();
        for link in [Link::Broker, Link::Store, Link::Ocr] {
            let delay = Duration::from_millis(chance.u64(20..300));
            for mode in [Mode::Cut, Mode::Delay(delay), Mode::Stall, Mode::HalfClose] {
                faults.push(Fault::Link(link, mode, lasting(chance, 200..5_000)));
            }
        }
        let answered = |with| Mode::Answer { to: "", with };
        for mode in [answered(STORE_FAULT), answered(STORE_SLOW_DOWN), Mode::Truncate(TRUNCATED_AFTER)] {
            faults.push(Fault::Link(Link::Store, mode, lasting(chance, 500..5_000)));
        }
        for answer in [Answer::Status(500), Answer::Status(401), Answer::Throttle(1), Answer::Hang, Answer::CutBody] {
            let share = if chance.bool() { 1.0 } else { 0.5 };
            faults.push(Fault::Ocr(answer, share, lasting(chance, 500..6_000)));
        }
        faults
    });
    (machine, links)
}

/// Rounds of all faults, each shuffled, until there are enough.
fn deck(n_faults: usize, chance: &mut fastrand::Rng, round: impl Fn(&mut fastrand::Rng) -> Vec<Fault>) -> Vec<Fault> {
    let mut faults = Vec::new();
    while faults.len() < n_faults {
        let mut next = round(chance);
        chance.shuffle(&mut next);
        faults.extend(next);
    }
    faults.truncate(n_faults);
    faults
}
