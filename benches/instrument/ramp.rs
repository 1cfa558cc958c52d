//! Whether a rate that climbs from 0 was followed.
//!
//! Arrival k of a ramp to R per second in T seconds is due at `√(2·k·T / R)`. As with the even
//! schedule, the start is unknown and taken as the median of `t_k − due_k`; then arrivals are counted
//! in bins and held against the integral of the curve over each.

use super::schedule_fit::median;

/// How far the counts of one run were from the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RampFit {
    /// Largest deviation of a bin as a share of what the curve asks in it. Counts are whole numbers:
    /// one arrival either way is not held against a bin.
    pub worst: f64,
    /// Which bin, from 0.
    pub worst_bin: usize,
    /// Bins off by more than the tolerance.
    pub bins_off: usize,
    /// Bins in all.
    pub bins: usize,
}

/// Compare ascending arrivals with a ramp from 0 to `rate` per second in `seconds`, in bins of
/// `bin_s`; `tolerance` is a share. `None` without arrivals.
pub fn fit(arrivals_ns: &[u64], rate: f64, seconds: f64, bin_s: f64, tolerance: f64) -> Option<RampFit> {
    let first = *arrivals_ns.first()?;
    let at: Vec<f64> = arrivals_ns.iter().map(|t| (t - first) as f64 / 1e9).collect();
    let mut starts: Vec<f64> =
        at.iter().enumerate().map(|(k, t)| t - (2.0 * k as f64 * seconds / rate).sqrt()).collect();
    let start = median(&mut starts);
    let bins = (seconds / bin_s).round() as usize;
    let mut counts = vec![0f64; bins];
    for t in at {
        // Half a microsecond of grace: an arrival due on a bin's edge belongs to the bin it opens.
        let bin = ((t - start + 0.5e-6) / bin_s).floor().max(0.0) as usize;
        if let Some(count) = counts.get_mut(bin) {
            *count += 1.0;
        }
    }
    let asked_by = |t: f64| rate * t * t / (2.0 * seconds);
    let off = counts.iter().enumerate().map(|(i, count)| {
        let asked = asked_by((i + 1) as f64 * bin_s) - asked_by(i as f64 * bin_s);
        ((count - asked).abs() - 1.0).max(0.0) / asked
    });
    let off: Vec<f64> = off.collect();
    let (worst_bin, worst) =
        off.iter().copied().enumerate().fold((0, 0.0), |a, b| if b.1 > a.1 { b } else { a });
    Some(RampFit { worst, worst_bin, bins_off: off.iter().filter(|o| **o > tolerance).count(), bins })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(rate: f64, seconds: f64) -> Vec<u64> {
        let n = (rate * seconds / 2.0) as u64;
        (0..n).map(|k| 5_000 + ((2.0 * k as f64 * seconds / rate).sqrt() * 1e9) as u64).collect()
    }

    #[test]
    fn an_exact_ramp_fits() {
        let fit = fit(&ramp(20_000.0, 10.0), 20_000.0, 10.0, 0.1, 0.02).unwrap();
        assert_eq!((fit.bins, fit.bins_off), (100, 0));
        assert!(fit.worst < 0.001, "{fit:?}");
    }

    #[test]
    fn steps_instead_of_a_slope_are_seen() {
        // The rate of each whole second, held for that second: the mean is right, the bins are not.
        let mut arrivals = Vec::new();
        for second in 0..10u64 {
            let n = 1_000 + 2_000 * second;
            arrivals.extend((0..n).map(|k| second * 1_000_000_000 + k * 1_000_000_000 / n));
        }
        let fit = fit(&arrivals, 20_000.0, 10.0, 0.1, 0.02).unwrap();
        assert!(fit.bins_off > 50, "{fit:?}");
    }

    #[test]
    fn a_pause_is_seen_in_its_bins() {
        let mut arrivals = ramp(20_000.0, 10.0);
        for t in &mut arrivals {
            if (6_000_000_000..6_050_000_000).contains(t) {
                *t = 6_050_000_000;
            }
        }
        arrivals.retain(|t| *t != 6_050_000_000);
        let fit = fit(&arrivals, 20_000.0, 10.0, 0.1, 0.02).unwrap();
        assert!(fit.bins_off >= 1 && fit.worst > 0.4, "{fit:?}");
    }
}
