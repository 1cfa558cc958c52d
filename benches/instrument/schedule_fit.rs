//! How far arrivals were from the schedule that was asked for.
//!
//! The target knows the asked rate but not when the generator began. The k-th arrival's residual is
//! `r_k = t_k − k / rate`; the best-fitting even schedule begins at the median of the residuals: the
//! offset that minimises the mean absolute distance, and that half of the arrivals may be late
//! without moving. The distance of an arrival is `|r_k − offset|`. It is counted by index, not to
//! the nearest tooth of the comb: a burst of ten is nine periods early at its end, and a generator
//! that does not hold the rate drifts ever further away. Both are its fault and both are seen.

/// Share of arrivals left out at either end: connections being set up and torn down, arrivals lost
/// or doubled there.
pub const TRIM: f64 = 0.05;

/// The fit of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Median distance from the schedule in nanoseconds.
    pub median_ns: f64,
    /// 99th percentile of the distance in nanoseconds.
    pub p99_ns: f64,
    /// Largest distance in nanoseconds.
    pub max_ns: f64,
    /// Standard deviation of the gaps between arrivals over their mean: 0 even, 1 Poisson.
    pub gap_cv: f64,
    /// Arrivals per second over the fitted part.
    pub rate: f64,
}

/// Fit an even schedule of `rate` per second to arrivals in nanoseconds, ascending.
/// `None` when fewer than three are left after trimming.
pub fn fit(arrivals_ns: &[u64], rate: f64) -> Option<Fit> {
    let cut = (arrivals_ns.len() as f64 * TRIM) as usize;
    let kept = &arrivals_ns[cut..arrivals_ns.len() - cut];
    if kept.len() < 3 {
        return None;
    }
    let period = 1e9 / rate;
    // Relative to the first, so that f64 keeps every nanosecond.
    let mut residuals: Vec<f64> =
        kept.iter().enumerate().map(|(k, t)| (t - kept[0]) as f64 - k as f64 * period).collect();
    let offset = median(&mut residuals);
    let mut distances: Vec<f64> = residuals.iter().map(|r| (r - offset).abs()).collect();
    distances.sort_by(f64::total_cmp);
    Some(Fit {
        median_ns: quantile(&distances, 0.5),
        p99_ns: quantile(&distances, 0.99),
        max_ns: distances[distances.len() - 1],
        gap_cv: gap_cv(kept),
        rate: (kept.len() - 1) as f64 * 1e9 / (kept[kept.len() - 1] - kept[0]).max(1) as f64,
    })
}

fn gap_cv(arrivals_ns: &[u64]) -> f64 {
    let n = (arrivals_ns.len() - 1) as f64;
    let gaps = || arrivals_ns.windows(2).map(|w| (w[1] - w[0]) as f64);
    let mean = gaps().sum::<f64>() / n;
    let variance = gaps().map(|g| (g - mean).powi(2)).sum::<f64>() / n;
    if mean > 0.0 { variance.sqrt() / mean } else { 0.0 }
}

/// The middle value, or the mean of the two in the middle. Sorts.
///
/// # Panics
/// Without values.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (values[(n - 1) / 2] + values[n / 2]) / 2.0
}

/// The smallest of ascending values that a share `q` of them does not exceed (nearest rank).
///
/// # Panics
/// Without values.
pub fn quantile(ascending: &[f64], q: f64) -> f64 {
    let rank = (q * ascending.len() as f64).ceil() as usize;
    ascending[rank.clamp(1, ascending.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 7_123_456_789;

    fn comb(rate: u64, n: u64) -> Vec<u64> {
        (0..n).map(|k| START + k * 1_000_000_000 / rate).collect()
    }

    #[test]
    fn an_exact_comb_has_no_distance() {
        for rate in [1_000, 10_000, 40_000] {
            let fit = fit(&comb(rate, 50_000), rate as f64).unwrap();
            assert_eq!((fit.median_ns, fit.max_ns, fit.gap_cv), (0.0, 0.0, 0.0));
            assert!((fit.rate - rate as f64).abs() < 1e-6 * rate as f64);
        }
    }

    #[test]
    fn known_jitter_comes_back() {
        // Every other arrival 6 µs late: the offset lies between the two, each 3 µs away; gaps are 94 and 106.
        let late: Vec<u64> = comb(10_000, 10_000).iter().zip(0..).map(|(t, k)| t + k % 2 * 6_000).collect();
        let fit = fit(&late, 10_000.0).unwrap();
        assert_eq!((fit.median_ns, fit.p99_ns, fit.max_ns), (3_000.0, 3_000.0, 3_000.0));
        assert!((fit.gap_cv - 0.06).abs() < 1e-4, "{}", fit.gap_cv);
    }

    #[test]
    fn uniform_lateness_has_the_distances_of_a_uniform_distribution() {
        let mut rng = fastrand::Rng::with_seed(1);
        let late: Vec<u64> = comb(1_000, 100_000).iter().map(|t| t + rng.u64(0..400_000)).collect();
        let fit = fit(&late, 1_000.0).unwrap();
        // |U − median| for U uniform on 0..400 µs is uniform on 0..200 µs.
        assert!((fit.median_ns - 100_000.0).abs() < 2_000.0, "{fit:?}");
        assert!((fit.p99_ns - 198_000.0).abs() < 2_000.0, "{fit:?}");
    }

    #[test]
    fn bursts_on_a_tick_of_a_millisecond_show() {
        // 10 together each millisecond: nine gaps of 0 and one of 1 ms: mean 0.1, deviation 0.3 ms, cv 3.
        let bursts: Vec<u64> = (0..100_000u64).map(|k| START + k / 10 * 1_000_000).collect();
        let fit = fit(&bursts, 10_000.0).unwrap();
        assert!((fit.gap_cv - 3.0).abs() < 0.01, "{}", fit.gap_cv);
        // Places 0..=9 in a burst lie 450, 350, 250, 150, 50 µs away, twice each.
        assert!((fit.median_ns - 250_000.0).abs() < 1.0, "{fit:?}");
        assert!((fit.max_ns - 450_000.0).abs() < 1.0, "{fit:?}");
    }

    #[test]
    fn a_minority_that_is_late_does_not_move_the_schedule() {
        let mut arrivals = comb(1_000, 10_000);
        for (k, t) in arrivals.iter_mut().enumerate() {
            *t += if k % 10 < 3 { 900_000 } else { 0 };
        }
        let fit = fit(&arrivals, 1_000.0).unwrap();
        assert_eq!((fit.median_ns, fit.p99_ns), (0.0, 900_000.0));
    }

    #[test]
    fn a_rate_that_is_not_held_is_seen() {
        let fit = fit(&comb(9_900, 99_000), 10_000.0).unwrap();
        assert!((fit.rate - 9_900.0).abs() < 0.01);
        assert!(fit.max_ns > 10_000_000.0, "{fit:?}");
    }

    #[test]
    fn extra_and_missing_arrivals_at_the_ends_are_left_out() {
        let mut arrivals = comb(1_000, 10_000);
        arrivals.drain(..20);
        arrivals.splice(0..0, [START - 9, START - 8]);
        arrivals.extend([START + 99_000_000_000; 30]);
        let fit = fit(&arrivals, 1_000.0).unwrap();
        assert_eq!(fit.max_ns, 0.0);
    }

    #[test]
    fn too_few_have_no_fit() {
        assert_eq!(fit(&[1, 2], 1.0), None);
        assert_eq!(fit(&[], 1.0), None);
    }
}
