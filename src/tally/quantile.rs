//! Percentiles of a histogram: whether the sample supports one, its value, and its 95 % confidence interval.
//!
//! The interval is distribution-free: order statistics whose ranks come from the binomial distribution of the
//! number of samples above the true percentile (H. A. David and H. N. Nagaraja, *Order Statistics*, 3rd ed.,
//! Wiley 2003, §7.1). It holds for independent samples. Latencies that follow one another through the same
//! queue are not quite independent, so it is a lower bound of the uncertainty. Formatting and thresholds are
//! elsewhere.

use super::Histogram;

/// Samples that must lie beyond a percentile for it to be reported: with ten, its rank is known to about a third of
/// what lies beyond; with one, the percentile is just the maximum. The same for the median, whose figure of three
/// requests would look as good as that of a thousand.
pub(crate) const SAMPLES_BEYOND: u64 = 10;

/// Probability of each side of a 95 % interval.
const SIDE: f64 = 0.025;
/// The standard normal distribution's 97.5th percentile.
const Z: f64 = 1.959_963_984_540_054;
/// Above this expected number of samples beyond the percentile, ranks come from the normal approximation with
/// continuity correction: it is then within one or two ranks of the exact ones. Below it, the first term of
/// the exact sum, at least 2^-1000, is still a normal `f64`.
const EXACT_UP_TO: f64 = 500.0;
/// `1 - q` is not exact in binary; a millionth of a sample covers that.
const ROUNDING: f64 = 1e-6;

/// The fewest samples for which the percentile at quantile `q` in 0..1 is reported.
pub(crate) fn samples_needed(q: f64) -> u64 {
    (SAMPLES_BEYOND as f64 / (1.0 - q).min(q) - ROUNDING).ceil() as u64
}

/// The percentile at quantile `q` in nanoseconds; `None` when the sample does not support it.
pub(crate) fn percentile(histogram: &Histogram, q: f64) -> Option<u64> {
    (histogram.count() >= samples_needed(q)).then(|| histogram.quantile(q)).flatten()
}

/// The 95 % confidence interval of the percentile at quantile `q`, as (low, high) in nanoseconds,
/// widened to the histogram's buckets; `None` when a bound would lie outside the sample.
pub(crate) fn interval(histogram: &Histogram, q: f64) -> Option<(u64, u64)> {
    let (low, high) = interval_ranks(histogram.count(), q)?;
    // Half a rank lower, so that rounding cannot reach the next one.
    let at_rank = |rank: u64| histogram.quantile((rank as f64 - 0.5) / histogram.count() as f64);
    Some((histogram.lowest_equivalent(at_rank(low)?), at_rank(high)?))
}

/// Ranks (1 = smallest) of the two samples out of `count` that enclose the true quantile `q`, 0 < q < 1,
/// with a probability of at least 95 %, at most 2.5 % on each side; `None` when the sample has no such rank.
fn interval_ranks(count: u64, q: f64) -> Option<(u64, u64)> {
    if !(q > 0.0 && q < 1.0) {
        return None;
    }
    if q < 0.5 {
        let (low, high) = interval_ranks(count, 1.0 - q)?;
        return Some((count + 1 - high, count + 1 - low));
    }
    let beyond = 1.0 - q;
    let expected = count as f64 * beyond;
    let (fewest, most) = if expected <= EXACT_UP_TO {
        beyond_exact(count, beyond)
    } else {
        beyond_normal(expected, (expected * q).sqrt())
    };
    // The rank low is above the quantile when more than count - low samples lie beyond it; the rank
    // high is below it when at most count - high do.
    let (low, high) = (count.checked_sub(most)?, count.checked_sub(fewest?)?);
    (low >= 1).then_some((low, high))
}

/// For K samples beyond, binomial: the largest k with P(K <= k) <= 2.5 %, if any, and the smallest
/// with P(K <= k) >= 97.5 %.
fn beyond_exact(count: u64, beyond: f64) -> (Option<u64>, u64) {
    let odds = beyond / (1.0 - beyond);
    let mut probability = (count as f64 * (-beyond).ln_1p()).exp();
    let mut cumulated = probability;
    let (mut fewest, mut k) = (None, 0);
    while k < count && cumulated < 1.0 - SIDE {
        if cumulated <= SIDE {
            fewest = Some(k);
        }
        probability *= odds * (count - k) as f64 / (k + 1) as f64;
        cumulated += probability;
        k += 1;
    }
    (fewest, k)
}

/// The same from the normal distribution with this mean and standard deviation, with continuity correction.
fn beyond_normal(mean: f64, deviation: f64) -> (Option<u64>, u64) {
    let fewest = (mean - Z * deviation - 0.5).floor();
    let most = (mean + Z * deviation - 0.5).ceil();
    ((fewest >= 0.0).then_some(fewest as u64), most as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P(K <= k) for K binomial(n, p), from whole-number coefficients.
    fn at_most(k: u64, n: u64, p: f64) -> f64 {
        let mut coefficient: u128 = 1;
        let mut sum = 0.0;
        for i in 0..=k {
            sum += coefficient as f64 * p.powi(i as i32) * (1.0 - p).powi((n - i) as i32);
            coefficient = coefficient * u128::from(n - i) / u128::from(i + 1);
        }
        sum
    }

    #[test]
    fn ranks_of_small_samples_are_the_tightest_that_binomial_tails_allow() {
        for n in 1..=60 {
            for q in [0.1, 0.25, 0.5, 0.75, 0.9, 0.95] {
                // B samples lie below the quantile. Rank r is above it when B < r, below it when B >= r.
                let above = |r: u64| at_most(r - 1, n, q);
                let below = |r: u64| 1.0 - at_most(r - 1, n, q);
                let low = (1..=n).rev().find(|r| above(*r) <= SIDE);
                let high = (1..=n).find(|r| below(*r) <= SIDE);
                assert_eq!(interval_ranks(n, q), low.zip(high), "n = {n}, q = {q}");
            }
        }
    }

    #[test]
    fn ranks_of_the_median_are_those_of_the_sign_test() {
        assert_eq!(interval_ranks(5, 0.5), None);
        assert_eq!(interval_ranks(6, 0.5), Some((1, 6)));
        assert_eq!(interval_ranks(10, 0.5), Some((2, 9)));
        assert_eq!(interval_ranks(20, 0.5), Some((6, 15)));
        assert_eq!(interval_ranks(100, 0.5), Some((40, 61)));
    }

    #[test]
    fn the_normal_approximation_takes_over_without_a_step() {
        for q in [0.5, 0.75, 0.9, 0.99, 0.9999] {
            let beyond = 1.0 - q;
            let count = (EXACT_UP_TO / beyond) as u64;
            let expected = count as f64 * beyond;
            let (exact, normal) =
                (beyond_exact(count, beyond), beyond_normal(expected, (expected * q).sqrt()));
            assert!(exact.0.unwrap().abs_diff(normal.0.unwrap()) <= 2, "q = {q}: {exact:?} {normal:?}");
            assert!(exact.1.abs_diff(normal.1) <= 2, "q = {q}: {exact:?} {normal:?}");
        }
    }

    #[test]
    fn a_percentile_needs_ten_samples_beyond_it() {
        let needed = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999].map(samples_needed);
        assert_eq!(needed, [20, 40, 100, 200, 1_000, 10_000, 100_000]);
        let mut h = Histogram::new();
        assert_eq!(percentile(&h, 0.5), None);
        (0..999).for_each(|_| h.record(1_000_000));
        assert_eq!(percentile(&h, 0.99), None);
        h.record(1_000_000);
        assert_eq!(percentile(&h, 0.99), h.quantile(0.99));
    }

    #[test]
    fn nothing_is_said_outside_of_zero_to_one() {
        assert!([0.0, 1.0, -1.0, 2.0, f64::NAN].iter().all(|q| interval_ranks(1000, *q).is_none()));
        assert_eq!(interval(&Histogram::new(), 0.5), None);
    }

    /// Fraction of `TRIALS` samples of `count` times whose interval contains the true quantile.
    fn coverage(seed: u64, count: u64, q: f64, truth_ns: f64, draw: fn(&mut fastrand::Rng) -> f64) -> f64 {
        const TRIALS: u32 = 1000;
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut h, mut held) = (Histogram::new(), 0);
        for _ in 0..TRIALS {
            h.clear();
            (0..count).for_each(|_| h.record(draw(&mut rng) as u64));
            let (low, high) = interval(&h, q).expect("enough samples");
            held += u32::from(low as f64 <= truth_ns && truth_ns <= high as f64);
        }
        f64::from(held) / f64::from(TRIALS)
    }

    fn exponential(rng: &mut fastrand::Rng) -> f64 {
        -1e6 * (1.0 - rng.f64()).ln()
    }

    /// Median 1 ms, sigma 1: a long tail.
    fn lognormal(rng: &mut fastrand::Rng) -> f64 {
        let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (2.0 * std::f64::consts::PI * rng.f64()).cos();
        1e6 * normal.exp()
    }

    #[test]
    fn intervals_hold_the_true_percentile_in_about_95_of_100_samples() {
        // Exponential: quantile q is -ln(1 - q). Lognormal: e^z, z the normal quantile.
        let cases = [
            (coverage(1, 30, 0.5, 1e6 * 2f64.ln(), exponential), "exponential, 30, p50"),
            (coverage(2, 1000, 0.99, 1e6 * 100f64.ln(), exponential), "exponential, 1000, p99"),
            (coverage(3, 2000, 0.5, 1e6 * 2f64.ln(), exponential), "exponential, 2000, p50 (normal)"),
            (coverage(4, 200, 0.5, 1e6, lognormal), "lognormal, 200, p50"),
            (coverage(5, 500, 0.95, 1e6 * 1.644_853_627f64.exp(), lognormal), "lognormal, 500, p95"),
        ];
        for (share, case) in cases {
            assert!((0.93..=0.99).contains(&share), "{case}: {share}");
        }
    }
}
