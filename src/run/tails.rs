//! High percentiles over time. A window of a second often has too few requests for one, so each point covers
//! as few windows in a row as support it.

use serde::{Deserialize, Serialize};

use crate::tally::{Histogram, quantile};

/// The longest list of 99th percentiles: as many as the timeline has points.
const MAX_P99: usize = 130_000;
/// The longest list of 90th percentiles. A run that fills it has enough requests for many 99th ones, which are
/// drawn instead.
const MAX_P90: usize = 1_000;

/// The tails of each figure that is drawn over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tails {
    /// Response time.
    pub response: Tail,
    /// Service time.
    pub service: Tail,
    /// Slip.
    pub slip: Tail,
}

/// High percentiles of one figure over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// 90th percentiles, each of at least 100 samples.
    pub p90: Vec<TailPoint>,
    /// 99th percentiles, each of at least 1,000 samples.
    pub p99: Vec<TailPoint>,
    /// The samples after the last point of each list. A restarted coordinator begins without them.
    #[serde(skip)]
    pending: [Pending; 2],
}

/// A high percentile of a row of windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TailPoint {
    /// Start of the first window, in seconds since the measured time began.
    pub from_s: f32,
    /// End of the last window.
    pub to_s: f32,
    /// The percentile in nanoseconds.
    pub ns: u64,
}

/// Samples that are too few for a point.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pending {
    samples: Histogram,
    from_s: f64,
}

impl Tail {
    /// Add the samples of a window; its bounds in seconds.
    pub(crate) fn add(&mut self, from_s: f64, to_s: f64, window: &Histogram) {
        let Self { p90, p99, pending: [pending_p90, pending_p99] } = self;
        pending_p90.add(from_s, to_s, window, 0.9, p90, MAX_P90);
        pending_p99.add(from_s, to_s, window, 0.99, p99, MAX_P99);
    }
}

impl Pending {
    fn add(
        &mut self,
        from_s: f64,
        to_s: f64,
        window: &Histogram,
        q: f64,
        points: &mut Vec<TailPoint>,
        most: usize,
    ) {
        if points.len() >= most {
            return;
        }
        if self.samples.count() == 0 {
            self.from_s = from_s;
        }
        self.samples.merge(window);
        if let Some(ns) = quantile::percentile(&self.samples, q) {
            points.push(TailPoint { from_s: self.from_s as f32, to_s: to_s as f32, ns });
            self.samples.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(samples: u64) -> Histogram {
        let mut times = Histogram::new();
        (1..=samples).for_each(|i| times.record(i * 1_000));
        times
    }

    /// The bounds of the points after windows of one second with so many samples.
    fn bounds(windows: &[u64], of: fn(&Tail) -> &Vec<TailPoint>) -> Vec<(f32, f32)> {
        let mut tail = Tail::default();
        for (second, samples) in windows.iter().enumerate() {
            tail.add(second as f64, second as f64 + 1.0, &window(*samples));
        }
        of(&tail).iter().map(|point| (point.from_s, point.to_s)).collect()
    }

    #[test]
    fn each_point_covers_as_few_windows_as_have_enough_samples() {
        assert_eq!(bounds(&[1_000, 1_000, 999], |t| &t.p99), [(0.0, 1.0), (1.0, 2.0)]);
        assert_eq!(bounds(&[500, 499, 1, 600, 400], |t| &t.p99), [(0.0, 3.0), (3.0, 5.0)]);
        assert_eq!(bounds(&[50; 5], |t| &t.p90), [(0.0, 2.0), (2.0, 4.0)]);
        assert_eq!(bounds(&[50; 5], |t| &t.p99), []);
        // Windows without a sample before the first one are no part of it.
        assert_eq!(bounds(&[0, 0, 100], |t| &t.p90), [(2.0, 3.0)]);
    }

    #[test]
    fn a_point_is_the_percentile_of_all_its_windows_together() {
        let mut tail = Tail::default();
        let (fast, mut slow) = (window(500), Histogram::new());
        (0..500).for_each(|_| slow.record(1_000_000_000));
        tail.add(0.0, 1.0, &fast);
        tail.add(1.0, 2.0, &slow);
        assert_eq!(tail.p99[0].ns, Histogram::sum([&fast, &slow]).quantile(0.99).unwrap());
    }

    #[test]
    fn a_long_run_keeps_no_more_than_is_drawn() {
        let (mut tail, window) = (Tail::default(), window(100));
        for second in 0..3_000 {
            tail.add(f64::from(second), f64::from(second + 1), &window);
        }
        assert_eq!((tail.p90.len(), tail.p99.len()), (MAX_P90, 300));
    }
}
