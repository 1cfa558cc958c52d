//! The 99th percentile of response time over the course of a run.
//!
//! The windows of the timeline are too short for it at most rates: it takes a thousand responses to know it. So
//! each point here covers as much time as that takes.

use crate::run::Snapshot;
use crate::tally::{Histogram, RowTime, quantile};

/// The quantile that is followed.
const Q: f64 = 0.99;
/// The most points: as many as windows of the timeline, a day and a half of seconds.
const MAX_POINTS: usize = 130_000;

/// A stretch of the measured time and its 99th percentile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Seconds since the measured time began.
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    pub(crate) p99_ns: u64,
}

/// The points so far, from looks at the snapshot.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: Vec<Point>,
    /// All response times at the end of the last point.
    before: Histogram,
    before_ns: u64,
    looked_at_ns: u64,
}

impl History {
    /// Add a point if enough responses have come since the last one.
    pub fn look(&mut self, snapshot: &Snapshot) {
        if snapshot.measured_ns <= self.looked_at_ns || self.points.len() == MAX_POINTS {
            return;
        }
        self.looked_at_ns = snapshot.measured_ns;
        let now = snapshot.tally.times(RowTime::Response);
        let since = now.count().saturating_sub(self.before.count());
        if since < quantile::samples_needed(Q) {
            return;
        }
        if let Some(p99_ns) = quantile_since(&self.before, &now, Q) {
            let [from_s, to_s] = [self.before_ns, snapshot.measured_ns].map(|ns| ns as f64 / 1e9);
            self.points.push(Point { from_s, to_s, p99_ns });
        }
        (self.before, self.before_ns) = (now, snapshot.measured_ns);
    }

    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }
}

/// The quantile `q` of the times that are in `now` and not yet in `before`, in nanoseconds.
fn quantile_since(before: &Histogram, now: &Histogram, q: f64) -> Option<u64> {
    let count = now.count().checked_sub(before.count()).filter(|count| *count > 0)?;
    let rank = ((q * count as f64).ceil() as u64).max(1);
    let mut before = before.buckets().peekable();
    let mut below = 0;
    now.buckets().find_map(|bucket| {
        while before.next_if(|earlier| earlier.highest_ns < bucket.highest_ns).is_some() {}
        let earlier = before.next_if(|earlier| earlier.highest_ns == bucket.highest_ns);
        below += bucket.count.saturating_sub(earlier.map_or(0, |earlier| earlier.count));
        (below >= rank).then_some(bucket.highest_ns)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunInfo;
    use crate::tally::{RowTimer, StepId};

    const MS: u64 = 1_000_000;

    #[test]
    fn the_quantile_of_what_came_since_is_that_of_those_times_alone() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..50 {
            let (mut before, mut since) = (Histogram::new(), Histogram::new());
            (0..rng.u32(0..400)).for_each(|_| before.record(rng.u64(1..1 << 30)));
            (0..rng.u32(1..400)).for_each(|_| since.record(rng.u64(1..1 << 30)));
            let now = Histogram::sum([&before, &since]);
            for q in [0.01, 0.5, 0.99, 1.0] {
                assert_eq!(quantile_since(&before, &now, q), since.quantile(q), "{q}");
            }
        }
        assert_eq!(quantile_since(&Histogram::new(), &Histogram::new(), 0.5), None);
    }

    #[test]
    fn a_point_covers_as_much_time_as_a_thousand_responses_take() {
        let run = RunInfo { scenarios: vec![("a".to_owned(), 1)], ..RunInfo::unknown() };
        let (mut snapshot, mut history) = (Snapshot::new(run, 1, 0.0), History::default());
        for second in 1..=9 {
            // Twice as slow from the fifth second on.
            let ns = if second < 5 { 10 * MS } else { 20 * MS };
            (0..400).for_each(|_| snapshot.tally.record_row(StepId(0), RowTimer::ResponseOk, ns));
            snapshot.measured_ns = second * 1_000 * MS;
            history.look(&snapshot);
            history.look(&snapshot);
        }
        let points: Vec<_> =
            history.points().iter().map(|p| (p.from_s, p.to_s, p.p99_ns.div_ceil(MS))).collect();
        assert_eq!(points, [(0.0, 3.0, 11), (3.0, 6.0, 21), (6.0, 9.0, 21)]);
    }
}
