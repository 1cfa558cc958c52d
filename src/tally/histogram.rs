//! A latency histogram with fixed bounds, so that any two merge without loss.
//!
//! What stays out: percentiles as text, confidence intervals, anything that allocates on the hot path.

use hdrhistogram::Histogram as Hdr;

/// The finest difference the histogram is built to tell, in nanoseconds (HdrHistogram rounds it
/// down to a power of two: 64 ns).
pub const LOWEST_NS: u64 = 100;
/// The longest time it holds, in nanoseconds: one hour. Longer ones are recorded as this and counted.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits kept of each value.
pub const DIGITS: u8 = 3;

/// Times in nanoseconds, 64 ns to one hour, three significant digits.
///
/// Counts are `u64`: at a million records a second a bucket overflows after half a million years.
#[derive(Clone)]
pub struct Histogram {
    hdr: Hdr<u64>,
    pub(super) saturated: u64,
}

/// Times that a histogram does not tell apart, and how many of them were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The shortest time, in nanoseconds.
    pub lowest_ns: u64,
    /// The middle, which means and sums are computed from.
    pub middle_ns: u64,
    /// The longest.
    pub highest_ns: u64,
    /// Times recorded; at least one.
    pub count: u64,
}

impl PartialEq for Histogram {
    /// The same counts in the same buckets.
    fn eq(&self, other: &Self) -> bool {
        self.saturated == other.saturated
            && self.count() == other.count()
            && self.buckets().eq(other.buckets())
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Histogram({} in {:?}..={:?} ns)", self.count(), self.min(), self.max())
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram. The only place that allocates.
    pub fn new() -> Self {
        let hdr = Hdr::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS)
            .expect("constant bounds satisfy HdrHistogram's low >= 1, high >= 2 * low, digits <= 5");
        Self { hdr, saturated: 0 }
    }

    /// Record one time in nanoseconds; above one hour it saturates and is counted in [`Self::saturated`].
    #[inline]
    pub fn record(&mut self, ns: u64) {
        if ns > HIGHEST_NS {
            self.saturated += 1;
        }
        self.hdr.record(ns.min(HIGHEST_NS)).expect("the bound itself is in range");
    }

    /// Add every count of `other`: the result equals one histogram of all samples, bit for bit.
    pub fn merge(&mut self, other: &Self) {
        if other.hdr.is_empty() {
            return;
        }
        self.hdr.add(&other.hdr).expect("both have the same fixed bounds");
        self.saturated += other.saturated;
    }

    /// The one with these counts, whose bounds the caller has compared.
    pub(super) fn of(hdr: Hdr<u64>) -> Self {
        Self { hdr, saturated: 0 }
    }

    /// Forget everything; keeps the memory. An empty one is left untouched, page for page.
    pub fn clear(&mut self) {
        if !self.hdr.is_empty() {
            self.hdr.reset();
        }
        self.saturated = 0;
    }

    /// Number of recorded times.
    pub fn count(&self) -> u64 {
        self.hdr.len()
    }

    /// How many records lay above one hour.
    pub fn saturated(&self) -> u64 {
        self.saturated
    }

    /// The value in nanoseconds at quantile `q` in 0..=1, never above [`Self::max`]; `None` when nothing
    /// was recorded.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        // HdrHistogram's maximum of zeroes is 0, its quantiles are the end of their bucket.
        (!self.hdr.is_empty()).then(|| self.hdr.value_at_quantile(q).min(self.hdr.max()))
    }

    /// Smallest recorded value in nanoseconds, to the histogram's resolution.
    pub fn min(&self) -> Option<u64> {
        (!self.hdr.is_empty()).then(|| self.hdr.min())
    }

    /// Largest recorded value in nanoseconds, to the histogram's resolution.
    pub fn max(&self) -> Option<u64> {
        (!self.hdr.is_empty()).then(|| self.hdr.max())
    }

    /// Mean in nanoseconds, computed from the buckets' mid-points.
    pub fn mean(&self) -> Option<f64> {
        (!self.hdr.is_empty()).then(|| self.hdr.mean())
    }

    /// Standard deviation in nanoseconds, computed from the buckets' mid-points.
    pub fn stddev(&self) -> Option<f64> {
        (!self.hdr.is_empty()).then(|| self.hdr.stdev())
    }

    /// What was recorded, bucket by bucket, shortest times first.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.hdr.iter_recorded().map(|step| {
            let highest_ns = step.value_iterated_to();
            Bucket {
                lowest_ns: self.hdr.lowest_equivalent(highest_ns),
                middle_ns: self.hdr.median_equivalent(highest_ns),
                highest_ns,
                count: step.count_at_value(),
            }
        })
    }

    /// The lowest time that is recorded in the same bucket as this one.
    pub fn lowest_equivalent(&self, ns: u64) -> u64 {
        self.hdr.lowest_equivalent(ns)
    }

    /// An HdrHistogram of the same counts.
    pub fn to_hdr(&self) -> Hdr<u64> {
        self.hdr.clone()
    }

    /// The underlying HdrHistogram, for serialisation.
    pub(super) fn hdr(&self) -> &Hdr<u64> {
        &self.hdr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_equals_one_histogram_of_all_samples() {
        let mut rng = fastrand::Rng::with_seed(7);
        let (mut parts, mut whole) = (vec![Histogram::new(); 5], Histogram::new());
        for i in 0..100_000 {
            let ns = 1u64 << rng.u32(0..45) | rng.u64(0..1 << 20);
            parts[i % 5].record(ns);
            whole.record(ns);
        }
        let mut merged = Histogram::new();
        parts.iter().for_each(|p| merged.merge(p));
        assert_eq!(merged, whole);
        assert!(whole.saturated() > 0, "the test must reach the bound");
    }

    #[test]
    fn a_time_over_one_hour_saturates_and_is_counted() {
        let mut h = Histogram::new();
        h.record(HIGHEST_NS * 5);
        assert_eq!((h.count(), h.saturated()), (1, 1));
        assert!(h.max().unwrap() >= HIGHEST_NS);
        h.clear();
        assert_eq!(h, Histogram::new());
    }

    #[test]
    fn no_quantile_of_zeroes_lies_above_their_maximum() {
        let mut h = Histogram::new();
        h.record(0);
        assert_eq!((h.quantile(0.5), h.max()), (Some(0), Some(0)));
    }

    #[test]
    fn an_empty_one_has_no_figures() {
        let h = Histogram::new();
        assert_eq!((h.quantile(0.5), h.min(), h.max(), h.mean()), (None, None, None, None));
    }
}
