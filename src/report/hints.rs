//! Hints at well-known causes of odd figures.

use super::format::{bytes, time};
use crate::run::Snapshot;
use crate::tally::{RowCounter, RowTime, Timer, quantile};

/// Linux and most others delay an acknowledgement by 40 ms at first.
const DELAYED_ACK_NS: std::ops::RangeInclusive<u64> = 38_000_000..=48_000_000;
/// A mean response of at most so many bytes has no reason to arrive in two parts.
const SMALL_BYTES: u64 = 4_096;

/// Half of the small responses took as much longer than their first byte as an acknowledgement is delayed: the
/// target sends head and body in two packets, and Nagle's algorithm holds the second one back.
pub(crate) fn body_after_delayed_ack(snapshot: &Snapshot) -> Option<String> {
    let tally = &snapshot.tally;
    let whole_ns = quantile::percentile(&tally.times(RowTime::Service), 0.5)?;
    let first_ns = quantile::percentile(tally.timer(Timer::FirstByteTime), 0.5)?;
    let mean_bytes = tally.sum(RowCounter::BytesReceived).checked_div(tally.ended())?;
    let late_ns = whole_ns.saturating_sub(first_ns);
    (DELAYED_ACK_NS.contains(&late_ns) && mean_bytes <= SMALL_BYTES).then(|| {
        format!(
            "at the median the last byte of a response of {} came {} after its first one. That is the time of a delayed \
             acknowledgement: the target seems to send head and body in two writes without TCP_NODELAY",
            bytes(mean_bytes),
            time(late_ns)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunInfo;
    use crate::tally::{Outcome, RowTimer, StepId};

    fn run(first_ms: u64, last_ms: u64, response_bytes: u64) -> Snapshot {
        let scenarios = vec![("a".to_owned(), 1)];
        let mut snapshot = Snapshot::new(RunInfo { scenarios, ..RunInfo::unknown() }, 1, 0.0);
        let tally = &mut snapshot.tally;
        for _ in 0..100 {
            tally.record(Timer::FirstByteTime, first_ms * 1_000_000);
            tally.record_row(StepId(0), RowTimer::ServiceOk, last_ms * 1_000_000);
            tally.add_row(StepId(0), Outcome::Ok, 1);
            tally.add_row(StepId(0), RowCounter::BytesReceived, response_bytes);
        }
        snapshot
    }

    #[test]
    fn small_bodies_that_wait_for_an_acknowledgement_are_named() {
        let hint = body_after_delayed_ack(&run(1, 44, 200)).unwrap();
        assert!(hint.contains("200 B") && hint.contains("43.0 ms") && hint.contains("TCP_NODELAY"), "{hint}");
        assert_eq!(body_after_delayed_ack(&run(44, 44, 200)), None, "the head was late, too");
        assert_eq!(body_after_delayed_ack(&run(1, 30, 200)), None);
        assert_eq!(body_after_delayed_ack(&run(1, 44, 100_000)), None, "a large body takes its time");
    }
}
