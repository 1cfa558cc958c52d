//! The exact answer of the stall test.
//!
//! Requests are due evenly over a run of length T. A target answers at once, except that it freezes;
//! a request due when a freeze of length L has y left to go is answered after y. Being due is
//! uniform in time, so y is uniform on (0, L) for the share L/T of requests that meet that freeze:
//!
//! ```text
//! P(response > x) = Σ max(0, L_i − x) / T        over the freezes i
//! ```
//!
//! The quantile q is the x at which that is 1 − q. For freezes of F in each period P, T a multiple of
//! P, it is `max(0, F − (1 − q)·P)`: 100 ms in each second make a p95 of 50 ms and a p99 of 90 ms,
//! wherever in the period the run begins. The time the target takes to answer (tens of µs, and the
//! queue it finds when it thaws) comes on top and is not in the figure.

/// A time in which the target did not read: from, to, in nanoseconds.
pub type Freeze = (u64, u64);

/// The quantile `q` of the response time in seconds for the freezes within a run from `from_ns` to `to_ns`.
pub fn exact_quantile(freezes: &[Freeze], from_ns: u64, to_ns: u64, q: f64) -> f64 {
    // Those due in a freeze wait from `shortest` (0, unless it outlasts the run) to `longest`.
    let waits: Vec<(f64, f64)> = freezes
        .iter()
        .filter(|(start, end)| *end > from_ns && *start < to_ns)
        .map(|(start, end)| (end.saturating_sub(to_ns) as f64, (end - start.max(&from_ns)) as f64))
        .collect();
    let total = to_ns.saturating_sub(from_ns) as f64;
    let above = |x: f64| {
        waits.iter().map(|(shortest, longest)| (longest - x).max(0.0) - (shortest - x).max(0.0)).sum::<f64>()
            / total
    };
    let (mut low, mut high) = (0.0, waits.iter().fold(0.0, |a: f64, w| a.max(w.1)));
    // P(response > x) falls with x: 60 halvings reach below a nanosecond from any length.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if above(middle) > 1.0 - q { low = middle } else { high = middle }
    }
    high / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// The same by brute force: every request's own wait.
    fn simulated(freezes: &[Freeze], from: u64, to: u64, q: f64) -> f64 {
        let mut waits: Vec<u64> = (from..to)
            .step_by(10_007)
            .map(|t| freezes.iter().find(|(a, b)| (*a..*b).contains(&t)).map_or(0, |(_, b)| b - t))
            .collect();
        waits.sort_unstable();
        waits[(q * waits.len() as f64).ceil() as usize - 1] as f64 / 1e9
    }

    #[test]
    fn a_tenth_of_each_second_frozen_is_the_closed_form() {
        let freezes: Vec<Freeze> = (0..20).map(|i| (i * 1000 * MS, (i * 1000 + 100) * MS)).collect();
        for (q, exact) in [(0.95, 0.050), (0.99, 0.090), (0.999, 0.099), (0.5, 0.0)] {
            let got = exact_quantile(&freezes, 0, 20_000 * MS, q);
            assert!((got - exact).abs() < 1e-6, "{q}: {got}");
        }
    }

    #[test]
    fn it_does_not_matter_where_in_the_period_the_run_begins() {
        let freezes: Vec<Freeze> = (0..30).map(|i| (i * 1000 * MS, (i * 1000 + 100) * MS)).collect();
        for begin in [0, 30 * MS, 99 * MS, 500 * MS, 970 * MS] {
            for q in [0.95, 0.99] {
                let got = exact_quantile(&freezes, 1000 * MS + begin, 21_000 * MS + begin, q);
                let nominal = 0.1 - (1.0 - q);
                assert!((got - nominal).abs() < 1e-6, "{begin} {q}: {got}");
            }
        }
    }

    #[test]
    fn uneven_freezes_agree_with_brute_force() {
        let freezes = [(5 * MS, 40 * MS), (300 * MS, 310 * MS), (700 * MS, 790 * MS), (960 * MS, 1_030 * MS)];
        for q in [0.8, 0.9, 0.95, 0.99, 0.999] {
            let (exact, brute) =
                (exact_quantile(&freezes, 20 * MS, 1000 * MS, q), simulated(&freezes, 20 * MS, 1000 * MS, q));
            assert!((exact - brute).abs() < 1e-4, "{q}: {exact} against {brute}");
        }
    }
}
