//! A latency histogram with fixed bounds, so that any two merge without loss. It stores only the buckets that
//! were hit; most of HdrHistogram's 27,648 never are.
//!
//! Entries are one `u64` per bucket, sorted: 8 bytes for each distinct time, and never more than a dense
//! histogram. The hot path records into a [`super::Tally`]; windows are merged into this type, and results
//! are read from it. Formatted percentiles and confidence intervals are elsewhere.

use hdrhistogram::Histogram as Hdr;

use super::bucket::{self, BUCKETS, DIGITS, HIGHEST_NS, LOWEST_NS};

/// An entry has the bucket index above the count: no count reaches 2^48, nine years of a million a second.
const COUNT_BITS: u32 = 48;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Times in nanoseconds, 64 ns to one hour, three significant digits.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Index and count of each bucket that was hit, ascending.
    entries: Vec<u64>,
    count: u64,
    pub(super) saturated: u64,
}

/// Times that a histogram does not distinguish, and how many of them were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The shortest time, in nanoseconds.
    pub(crate) lowest_ns: u64,
    /// The middle, from which means and sums are computed, in nanoseconds.
    pub(crate) middle_ns: u64,
    /// The longest time, in nanoseconds.
    pub highest_ns: u64,
    /// Times recorded; at least one.
    pub count: u64,
}

impl Bucket {
    fn new(index: usize, count: u64) -> Self {
        let (lowest_ns, width_ns) = bucket::lowest_and_width(index);
        Self { lowest_ns, middle_ns: lowest_ns + width_ns / 2, highest_ns: lowest_ns + width_ns - 1, count }
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Histogram({} in {:?}..={:?} ns)", self.count(), self.min(), self.max())
    }
}

/// An entry of [`Histogram::merge_entries`]. Counts saturate at 2^48 - 1 to keep out of the bucket index.
pub(super) fn entry(index: usize, count: u64) -> u64 {
    (index as u64) << COUNT_BITS | count.min(COUNT_MASK)
}

fn index_of(entry: u64) -> usize {
    (entry >> COUNT_BITS) as usize
}

fn count_of(entry: u64) -> u64 {
    entry & COUNT_MASK
}

fn sum(a: u64, b: u64) -> u64 {
    entry(index_of(a), count_of(a) + count_of(b))
}

impl Histogram {
    /// An empty histogram; takes no memory of its own.
    pub const fn new() -> Self {
        Self { entries: Vec::new(), count: 0, saturated: 0 }
    }

    /// Record one time in nanoseconds; above one hour it saturates and is counted in [`Self::saturated`].
    pub fn record(&mut self, ns: u64) {
        self.saturated += u64::from(ns > HIGHEST_NS);
        self.merge_entries(&[entry(bucket::index(ns.min(HIGHEST_NS)), 1)]);
    }

    /// Add every count of `other`: the result equals one histogram of all samples, bit for bit.
    pub fn merge(&mut self, other: &Self) {
        self.merge_entries(&other.entries);
        self.saturated += other.saturated;
    }

    pub(crate) fn sum<'a>(histograms: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut histograms = histograms.into_iter().filter(|h| h.count > 0);
        let Some(mut first) = histograms.next().cloned() else { return Self::new() };
        let Some(second) = histograms.next() else { return first };
        first.merge(second);
        let Some(third) = histograms.next() else { return first };
        // For many histograms that each touch few buckets, a dense sum is faster.
        let mut dense = vec![0u64; BUCKETS];
        let mut saturated = first.saturated;
        for entry in &first.entries {
            dense[index_of(*entry)] = count_of(*entry);
        }
        for histogram in std::iter::once(third).chain(histograms) {
            saturated += histogram.saturated;
            histogram.entries.iter().for_each(|entry| dense[index_of(*entry)] += count_of(*entry));
        }
        let hit = dense.iter().enumerate().filter(|(_, n)| **n > 0);
        let mut all = Self::of(hit.map(|(index, n)| (index, *n)));
        all.saturated = saturated;
        all
    }

    /// A histogram of these counts, which must be in ascending bucket order.
    pub(super) fn of(counts: impl Iterator<Item = (usize, u64)>) -> Self {
        let entries: Vec<u64> = counts.map(|(index, n)| entry(index, n)).collect();
        let count = entries.iter().map(|entry| count_of(*entry)).sum();
        Self { entries, count, saturated: 0 }
    }

    /// Add `theirs`, which must be in ascending bucket order. Allocates only if a bucket is hit for the first
    /// time.
    pub(super) fn merge_entries(&mut self, theirs: &[u64]) {
        self.count += theirs.iter().map(|entry| count_of(*entry)).sum::<u64>();
        let mut missing = 0;
        let mut from = 0;
        for theirs in theirs {
            match self.find(index_of(*theirs), from) {
                Ok(at) => {
                    self.entries[at] = sum(self.entries[at], *theirs);
                    from = at + 1;
                }
                Err(at) => (missing, from) = (missing + 1, at),
            }
        }
        if missing > 0 {
            self.insert(theirs, missing);
        }
    }

    /// Position of the bucket at or after `from`, by exponential search: the next one is near.
    fn find(&self, index: usize, from: usize) -> Result<usize, usize> {
        let rest = &self.entries[from..];
        let mut step = 1;
        while step < rest.len() && index_of(rest[step]) < index {
            step *= 2;
        }
        let within = step / 2..rest.len().min(step + 1);
        let found = rest[within.clone()].binary_search_by_key(&index, |entry| index_of(*entry));
        found.map(|at| from + within.start + at).map_err(|at| from + within.start + at)
    }

    /// Insert those of `theirs` that are missing, merging from the end.
    fn insert(&mut self, theirs: &[u64], missing: usize) {
        let mut read = self.entries.len();
        if self.entries.capacity() < read + missing {
            self.entries.reserve_exact(missing + read / 8);
        }
        self.entries.resize(read + missing, 0);
        let mut write = read + missing;
        for theirs in theirs.iter().rev() {
            while read > 0 && index_of(self.entries[read - 1]) > index_of(*theirs) {
                (read, write) = (read - 1, write - 1);
                self.entries[write] = self.entries[read];
            }
            if read == 0 || index_of(self.entries[read - 1]) < index_of(*theirs) {
                write -= 1;
                self.entries[write] = *theirs;
            }
        }
    }

    /// Remove all records; keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        (self.count, self.saturated) = (0, 0);
    }

    /// Number of recorded times.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Number of records above one hour.
    pub fn saturated(&self) -> u64 {
        self.saturated
    }

    /// The value in nanoseconds at quantile `q` in 0..=1, as in HdrHistogram but never above [`Self::max`];
    /// `None` when nothing was recorded.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let rank = ((q.min(1.0) * self.count as f64).ceil() as u64).max(1);
        let mut below = 0;
        let reached = self.buckets().find(|bucket| {
            below += bucket.count;
            below >= rank
        });
        let value = reached.map(|bucket| if q == 0.0 { bucket.lowest_ns } else { bucket.highest_ns });
        value.min(self.max())
    }

    /// Smallest recorded value in nanoseconds, to the histogram's resolution.
    pub(crate) fn min(&self) -> Option<u64> {
        self.entries.first().map(|entry| bucket::lowest_and_width(index_of(*entry)).0)
    }

    /// Largest recorded value in nanoseconds, to the histogram's resolution. A maximum in the first bucket
    /// counts as zero: all slip of the closed model is there.
    pub fn max(&self) -> Option<u64> {
        let last = index_of(*self.entries.last()?);
        Some(if last == 0 { 0 } else { Bucket::new(last, 1).highest_ns })
    }

    /// Mean in nanoseconds, computed from the buckets' midpoints.
    pub(crate) fn mean(&self) -> Option<f64> {
        let all = self.count as f64;
        let mean = self.buckets().fold(0.0, |sum, b| sum + b.middle_ns as f64 * b.count as f64 / all);
        (self.count > 0).then_some(mean)
    }

    /// Standard deviation in nanoseconds, computed from the buckets' midpoints.
    pub(crate) fn stddev(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares = self.buckets().fold(0.0, |sum, b| {
            let deviation = b.middle_ns as f64 - mean;
            sum + deviation * deviation * b.count as f64
        });
        Some((squares / self.count as f64).sqrt())
    }

    /// The buckets that were hit, shortest times first.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.counts().map(|(index, count)| Bucket::new(index, count))
    }

    /// Index and count of each bucket that was hit, ascending.
    pub(super) fn counts(&self) -> impl ExactSizeIterator<Item = (usize, u64)> + '_ {
        self.entries.iter().map(|entry| (index_of(*entry), count_of(*entry)))
    }

    /// Index and count of each of these entries.
    pub(super) fn entries(entries: &[u64]) -> impl Iterator<Item = (usize, u64)> {
        entries.iter().map(|entry| (index_of(*entry), count_of(*entry)))
    }

    /// The lowest time in the bucket of `ns`.
    pub(crate) fn lowest_equivalent(&self, ns: u64) -> u64 {
        bucket::lowest_and_width(bucket::index(ns.min(HIGHEST_NS))).0
    }

    /// An HdrHistogram with the same counts.
    pub fn to_hdr(&self) -> Hdr<u64> {
        let mut hdr = Hdr::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS)
            .expect("constant bounds satisfy HdrHistogram's low >= 1, high >= 2 * low, digits <= 5");
        for bucket in self.buckets() {
            // The end of a bucket may be above the bound.
            let ns = bucket.highest_ns.min(HIGHEST_NS);
            hdr.record_n(ns, bucket.count).expect("every bucket begins within the bounds");
        }
        hdr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random_ns(rng: &mut fastrand::Rng) -> u64 {
        1u64 << rng.u32(0..45) | rng.u64(0..1 << 20)
    }

    #[test]
    fn merged_equals_one_hdr_histogram_of_all_samples() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut parts = vec![Histogram::new(); 5];
        let mut whole = Hdr::<u64>::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).unwrap();
        for i in 0..100_000 {
            let ns = random_ns(&mut rng);
            parts[i % 5].record(ns);
            whole.record(ns.min(HIGHEST_NS)).unwrap();
        }
        let mut merged = Histogram::new();
        parts.iter().for_each(|p| merged.merge(p));
        assert_eq!(merged, Histogram::sum(&parts));
        assert_eq!(merged.to_hdr(), whole);
        assert!(merged.saturated() > 0, "the test must reach the bound");
        assert_eq!(merged.count(), whole.len());
        assert_eq!((merged.min(), merged.max()), (Some(whole.min()), Some(whole.max())));
        assert_eq!((merged.mean(), merged.stddev()), (Some(whole.mean()), Some(whole.stdev())));
        for i in 0..=1000 {
            let q = f64::from(i) / 1000.0;
            assert_eq!(merged.quantile(q), Some(whole.value_at_quantile(q)), "at {q}");
        }
    }

    #[test]
    fn a_sum_is_what_merging_one_by_one_gives() {
        let mut rng = fastrand::Rng::with_seed(3);
        for n in 0..6 {
            let mut parts = vec![Histogram::new(); n];
            parts.iter_mut().for_each(|h| (0..rng.u32(..300)).for_each(|_| h.record(random_ns(&mut rng))));
            let mut merged = Histogram::new();
            parts.iter().for_each(|p| merged.merge(p));
            assert_eq!(Histogram::sum(&parts), merged);
        }
    }

    #[test]
    fn memory_is_eight_bytes_a_bucket_that_was_hit() {
        let mut h = Histogram::new();
        assert_eq!(h.entries.capacity(), 0);
        (0..10).for_each(|_| (0..100).for_each(|i| h.record(1_000_000 + i * 2_000)));
        assert_eq!((h.count(), h.entries.len()), (1_000, 100));
        assert!(h.entries.capacity() <= 113, "{}", h.entries.capacity());
    }

    #[test]
    fn a_count_stops_before_it_reaches_the_bucket() {
        let mut h = Histogram::of([(5, COUNT_MASK)].into_iter());
        h.merge(&h.clone());
        assert_eq!(h.counts().collect::<Vec<_>>(), [(5, COUNT_MASK)]);
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
        assert_eq!(
            (h.quantile(0.0), h.quantile(0.5), h.min(), h.max()),
            (Some(0), Some(0), Some(0), Some(0))
        );
        h.record(1_000);
        assert_eq!((h.quantile(0.5), h.min()), (Some(63), Some(0)));
    }

    #[test]
    fn an_empty_one_has_no_figures() {
        let h = Histogram::new();
        assert_eq!((h.quantile(0.5), h.min(), h.max(), h.mean()), (None, None, None, None));
    }
}
