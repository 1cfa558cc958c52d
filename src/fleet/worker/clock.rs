//! The offset of the coordinator's clock from the worker's: four timestamps per call, as in NTP (RFC 5905,
//! section 8), taking the recent sample with the least error.

use std::collections::VecDeque;

/// Samples kept: at least the last sixteen calls, over which crystals drift by microseconds. A heartbeat
/// gives two: one from the state machines' timestamps, one from the wire's.
const KEPT: usize = 32;
/// Upper bound on the relative drift of two undisciplined clocks: 100 ppm each.
const DRIFT_PER_MILLION: u64 = 200;

/// One exchange: sent at `t0` and answered at `t3` on the worker's clock; received at `t1` and answered at
/// `t2` on the coordinator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When the call left.
    pub(crate) t0_ns: u64,
    /// When it arrived.
    pub(crate) t1_ns: u64,
    /// When the answer left.
    pub(crate) t2_ns: u64,
    /// When it arrived.
    pub(crate) t3_ns: u64,
}

/// Recent samples of the clocks' offset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    kept: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    /// Coordinator's clock minus worker's clock.
    ahead_ns: i64,
    /// Round-trip time without the coordinator's own.
    round_trip_ns: u64,
    taken_ns: u64,
}

impl Sample {
    /// Bound on the error of `ahead_ns` at `now` on the worker's clock.
    fn error_ns(&self, now: u64) -> u64 {
        self.round_trip_ns.div_ceil(2) + now.saturating_sub(self.taken_ns) / 1_000_000 * DRIFT_PER_MILLION + 1
    }
}

impl Comparison {
    /// Add one exchange. Impossible timestamps are ignored.
    pub(crate) fn add(&mut self, exchange: Exchange) {
        let Exchange { t0_ns: t0, t1_ns: t1, t2_ns: t2, t3_ns: t3 } = exchange;
        let (Some(whole), Some(inside)) = (t3.checked_sub(t0), t2.checked_sub(t1)) else { return };
        let Some(round_trip_ns) = whole.checked_sub(inside) else { return };
        // The bounds of messages keep all timestamps below 2^62.
        let ahead_ns = (t1 as i64 - t0 as i64).midpoint(t2 as i64 - t3 as i64);
        let sample = Sample { ahead_ns, round_trip_ns, taken_ns: t3 };
        // The coordinator moved to another machine, or its clock was set: older samples are void.
        if self.kept.iter().any(|s| s.ahead_ns.abs_diff(ahead_ns) > s.error_ns(t3) + sample.error_ns(t3)) {
            self.kept.clear();
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(sample);
    }

    /// An instant of the coordinator's clock on the worker's clock, and its error bound at that instant or at
    /// `now`, whichever is later. `None` before the first sample. An instant before the worker's origin
    /// becomes 0.
    pub(crate) fn own(&self, theirs_ns: u64, now: u64) -> Option<(u64, u64)> {
        let best = self.kept.iter().min_by_key(|s| s.error_ns(now))?;
        let own_ns = (theirs_ns as i64 - best.ahead_ns).max(0) as u64;
        Some((own_ns, best.error_ns(now.max(own_ns))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exchange(t0_ns: u64, t1_ns: u64, t2_ns: u64, t3_ns: u64) -> Exchange {
        Exchange { t0_ns, t1_ns, t2_ns, t3_ns }
    }

    #[test]
    fn the_least_round_trip_is_believed() {
        let mut clocks = Comparison::default();
        clocks.add(exchange(1_000, 500_000, 500_000, 101_000));
        clocks.add(exchange(200_000, 650_100, 650_200, 200_300));
        assert_eq!(clocks.own(650_150, 200_300).unwrap(), (200_150, 101));
        assert_eq!(Comparison::default().own(1, 1), None);
    }

    #[test]
    fn a_clock_that_was_set_is_seen_at_once() {
        let mut clocks = Comparison::default();
        clocks.add(exchange(0, 1_000_000, 1_000_000, 10));
        clocks.add(exchange(1_000, 9_001_000, 9_001_000, 90_000));
        let (own, error) = clocks.own(9_001_000, 90_000).unwrap();
        assert!(own.abs_diff(1_000) <= error + 44_500, "{own} {error}");
    }

    #[test]
    fn stamps_that_can_not_be_true_are_ignored() {
        let mut clocks = Comparison::default();
        clocks.add(exchange(10, 5, 4, 20));
        clocks.add(exchange(20, 5, 6, 10));
        clocks.add(exchange(10, 5, 50, 20));
        assert_eq!(clocks.own(1, 1), None);
    }

    proptest! {
        #[test]
        fn the_truth_lies_within_the_stated_error(
            ahead in -1_000_000_000i64..1_000_000_000,
            trips in proptest::collection::vec((0u64..5_000_000, 0u64..5_000_000, 0u64..100_000), 1..40),
        ) {
            let (mut clocks, mut now) = (Comparison::default(), 2_000_000_000u64);
            for (there, back, inside) in trips {
                let t1 = (now + there).checked_add_signed(ahead).unwrap();
                clocks.add(exchange(now, t1, t1 + inside, now + there + inside + back));
                now += there + inside + back;
                let (own, error) = clocks.own(now.checked_add_signed(ahead).unwrap(), now).unwrap();
                prop_assert!(own.abs_diff(now) <= error);
                now += 1_000_000_000;
            }
        }
    }
}
