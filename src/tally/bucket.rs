//! Maps times to buckets with HdrHistogram's arithmetic for our fixed bounds, so that counts by bucket index
//! are those of an HdrHistogram, no matter where they are summed.
//!
//! Times below 131 µs have buckets of 64 ns; from there on each power of two has 1,024 of them.

/// The finest difference resolved, in nanoseconds (HdrHistogram rounds it down to a power of two: 64 ns).
pub(crate) const LOWEST_NS: u64 = 100;
/// The longest time, in nanoseconds: one hour. Longer ones are recorded as this and counted.
pub(crate) const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits kept of each time.
pub(crate) const DIGITS: u8 = 3;
/// Number of buckets in a histogram.
pub(crate) const BUCKETS: usize = 27 * HALF;

/// log2 of the width of the finest buckets.
const UNIT_BITS: u32 = 6;
/// Buckets of each power of two but the first.
const HALF: usize = 1 << HALF_BITS;
const HALF_BITS: u32 = 10;
/// Times up to this one have the finest buckets.
const FINEST: u64 = (2 << (HALF_BITS + UNIT_BITS)) - 1;

/// The bucket index of a time of at most [`HIGHEST_NS`].
#[inline]
pub(crate) const fn index(ns: u64) -> usize {
    let doublings = FINEST.leading_zeros() - (ns | FINEST).leading_zeros();
    ((doublings as usize) << HALF_BITS) + (ns >> (doublings + UNIT_BITS)) as usize
}

/// The shortest time in this bucket and the bucket's width, in nanoseconds.
pub(crate) const fn lowest_and_width(index: usize) -> (u64, u64) {
    let doublings = (index >> HALF_BITS).saturating_sub(1);
    let bits = doublings as u32 + UNIT_BITS;
    (((index - (doublings << HALF_BITS)) as u64) << bits, 1 << bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hdr() -> hdrhistogram::Histogram<u64> {
        hdrhistogram::Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).unwrap()
    }

    #[test]
    fn every_bucket_is_that_of_an_hdr_histogram() {
        let hdr = hdr();
        assert_eq!(hdr.distinct_values(), BUCKETS);
        let mut next = 0;
        for i in 0..BUCKETS {
            let (lowest, width) = lowest_and_width(i);
            assert_eq!(lowest, next, "bucket {i} begins where the one before it ends");
            assert_eq!(
                (hdr.lowest_equivalent(lowest), hdr.next_non_equivalent(lowest)),
                (lowest, lowest + width)
            );
            assert_eq!(hdr.median_equivalent(lowest), lowest + width / 2);
            assert_eq!((index(lowest), index(lowest + width - 1)), (i, i));
            next = lowest + width;
        }
        assert!(next > HIGHEST_NS);
    }

    #[test]
    fn random_times_fall_into_the_bucket_of_an_hdr_histogram() {
        let (hdr, mut rng) = (hdr(), fastrand::Rng::with_seed(1));
        for _ in 0..200_000 {
            let most = 1u64 << rng.u32(1..43);
            let ns = rng.u64(..most).min(HIGHEST_NS);
            let (lowest, width) = lowest_and_width(index(ns));
            assert_eq!((hdr.lowest_equivalent(ns), hdr.highest_equivalent(ns)), (lowest, lowest + width - 1));
        }
    }
}
