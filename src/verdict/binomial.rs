//! Whether a count decides a limit on a share: one-sided 95 % Clopper–Pearson bounds (C. J. Clopper and
//! E. S. Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*,
//! Biometrika 26 (1934), 404–413).
//!
//! The upper bound on the share is below `p` exactly when at most `k` of `n` had at most 5 % chance under `p`,
//! so the bounds themselves are never computed, only the two tails at the limit.

/// The chance of being wrong that each decision may have.
const ERROR: f64 = 0.05;
/// The most requests that are ever given as needed.
const MOST_NEEDED: u64 = 1_000_000_000_000;

/// What `over` requests out of `n` say about the share of such requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is certainly at most the limit.
    Kept,
    /// It is certainly over the limit.
    Broken,
    /// Neither.
    Undecided,
}

/// How many independent requests `n` requests are worth is `n` ÷ this. Latencies that follow one another through
/// one queue are worth less than their number; until that is estimated from windows, the effect is 1.
fn design_effect() -> f64 {
    1.0
}

/// Hold the share of `over` in `n` against `limit`, 0..=1. A limit of 0 is a statement on these requests alone:
/// it is kept when there is none.
pub(crate) fn decide(over: u64, n: u64, limit: f64) -> Decision {
    let effect = design_effect();
    let (k, n) = ((over as f64 / effect).round() as u64, (n as f64 / effect).floor() as u64);
    let k = k.min(n);
    if n == 0 {
        Decision::Undecided
    } else if limit <= 0.0 {
        if k == 0 { Decision::Kept } else { Decision::Broken }
    } else if limit >= 1.0 || at_most(k, n, limit) <= ERROR {
        Decision::Kept
    } else if at_least(k, n, limit) <= ERROR {
        Decision::Broken
    } else {
        Decision::Undecided
    }
}

/// The fewest requests that would decide if their share stayed `over` ÷ `n`; `None`: no number would, since the
/// share is that of the limit, or none that can be sent.
pub(crate) fn needed(over: u64, n: u64, limit: f64) -> Option<u64> {
    let share = if n == 0 { 0.0 } else { over as f64 / n as f64 };
    let decides = |n: u64| decide((share * n as f64).round() as u64, n, limit) != Decision::Undecided;
    let mut high = n.max(1);
    while !decides(high) {
        high = high.checked_mul(2).filter(|n| *n <= MOST_NEEDED)?;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low.midpoint(high);
        if decides(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// The most requests over the limit with which `n` are certainly kept, and the fewest with which they are
/// certainly broken; `None`: no number does.
pub(crate) fn bounds(n: u64, limit: f64) -> (Option<u64>, Option<u64>) {
    let kept = |k: u64| decide(k, n, limit) == Decision::Kept;
    let broken = |k: u64| decide(k, n, limit) == Decision::Broken;
    let most_kept = kept(0).then(|| last(0, n, kept));
    let fewest_broken = broken(n).then(|| if broken(0) { 0 } else { last(0, n, |k| !broken(k)) + 1 });
    (most_kept, fewest_broken)
}

/// The largest of `low..=high` for which `holds`, which holds for `low` and for none after the first for which
/// it does not.
fn last(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if holds(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

/// P(K <= k) for K binomial of `n` and `p`, 0 < p < 1; 1 from the mean on, where it is far from 5 %.
fn at_most(k: u64, n: u64, p: f64) -> f64 {
    if k as f64 >= n as f64 * p {
        return 1.0;
    }
    // Downwards each term is smaller than the one before.
    let odds = (1.0 - p) / p;
    tail(k, n, p, |i| (i > 0).then(|| (i - 1, odds * i as f64 / (n - i + 1) as f64)))
}

/// P(K >= k), likewise; 1 up to the mean.
fn at_least(k: u64, n: u64, p: f64) -> f64 {
    if k as f64 <= n as f64 * p {
        return 1.0;
    }
    let odds = p / (1.0 - p);
    tail(k, n, p, |i| (i < n).then(|| (i + 1, odds * (n - i) as f64 / (i + 1) as f64)))
}

/// The sum of the probabilities from `k` on; `step` gives the next one's place and its ratio to this one.
fn tail(k: u64, n: u64, p: f64, step: impl Fn(u64) -> Option<(u64, f64)>) -> f64 {
    /// What can be added to the sum beyond this is below any doubt.
    const NEGLIGIBLE: f64 = 1e-12;
    let choose = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let mut term = (choose + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()).exp();
    let (mut sum, mut i) = (term, k);
    while term > sum * NEGLIGIBLE
        && sum <= ERROR
        && let Some((next, ratio)) = step(i)
    {
        term *= ratio;
        sum += term;
        i = next;
    }
    sum
}

fn ln_factorial(n: u64) -> f64 {
    libm::lgamma(n as f64 + 1.0)
}

#[cfg(test)]
mod tests {
    use super::Decision::{Broken, Kept, Undecided};
    use super::*;

    #[test]
    fn few_requests_decide_what_they_can() {
        let cases = [
            (0, 58, 0.05, Undecided),
            (0, 59, 0.05, Kept),
            (0, 298, 0.01, Undecided),
            (0, 299, 0.01, Kept),
            (2, 2, 0.05, Broken),
            (1, 2, 0.05, Undecided),
            (100, 100, 0.01, Broken),
            (0, 100, 0.01, Undecided),
            (0, 0, 0.01, Undecided),
            (0, 1, 0.0, Kept),
            (1, 1_000_000, 0.0, Broken),
            (5, 5, 1.0, Kept),
            (500, 1_000, 0.5, Undecided),
        ];
        for (over, n, limit, expected) in cases {
            assert_eq!(decide(over, n, limit), expected, "{over} of {n} at {limit}");
        }
    }

    /// Probabilities from whole-number coefficients.
    #[test]
    fn tails_are_those_of_the_binomial_distribution() {
        let exact = |k: u64, n: u64, p: f64| {
            let mut coefficient: u128 = 1;
            (0..k).for_each(|i| coefficient = coefficient * u128::from(n - i) / u128::from(i + 1));
            coefficient as f64 * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)
        };
        for n in 1..=70 {
            for p in [0.01, 0.05, 0.1, 0.5, 0.9] {
                for k in 0..=n {
                    let low: f64 = (0..=k).map(|i| exact(i, n, p)).sum();
                    let high: f64 = (k..=n).map(|i| exact(i, n, p)).sum();
                    let decision = decide(k, n, p);
                    let clear = [low, high].iter().all(|p| (p - ERROR).abs() > 1e-9);
                    assert!(!clear || (decision == Kept) == (low <= ERROR), "{k} of {n} at {p}: {low}");
                    assert!(!clear || (decision == Broken) == (high <= ERROR), "{k} of {n} at {p}: {high}");
                }
            }
        }
    }

    #[test]
    fn large_counts_are_decided_like_the_normal_distribution_says() {
        for n in [1_000_000_u64, 1_000_000_000, 1_000_000_000_000] {
            let (p, n_f) = (0.01, n as f64);
            let deviation = (n_f * p * (1.0 - p)).sqrt();
            let at = |z: f64| (n_f * p + z * deviation).round() as u64;
            assert_eq!(decide(at(-1.66), n, p), Kept);
            assert_eq!(decide(at(-1.62), n, p), Undecided);
            assert_eq!(decide(at(1.62), n, p), Undecided);
            assert_eq!(decide(at(1.67), n, p), Broken);
        }
    }

    #[test]
    fn the_number_that_would_decide_decides() {
        assert_eq!(needed(0, 10, 0.05), Some(59));
        assert_eq!(needed(0, 0, 0.01), Some(299));
        assert_eq!(needed(1, 100, 0.01), None);
        let n = needed(5, 1_000, 0.01).unwrap();
        assert!((500..2_000).contains(&n), "{n}");
        assert_eq!(bounds(59, 0.05), (Some(0), Some(7)));
        assert_eq!(bounds(10, 0.05).0, None);
        assert_eq!(bounds(10, 0.0), (Some(0), Some(1)));
    }

    /// Truth exactly at the limit: each kind of mistake in at most 5 % of the runs.
    #[test]
    fn wrong_decisions_are_as_rare_as_they_may_be() {
        let mut rng = fastrand::Rng::with_seed(1);
        for (n, limit) in [(300, 0.05), (2_000, 0.01)] {
            let (mut kept, mut broken) = (0, 0);
            for _ in 0..10_000 {
                let over = (0..n).filter(|_| rng.f64() < limit).count() as u64;
                match decide(over, n, limit) {
                    Kept => kept += 1,
                    Broken => broken += 1,
                    Undecided => {}
                }
            }
            assert!(kept <= 550 && broken <= 550, "{kept} kept, {broken} broken of 10,000");
            assert!(kept >= 200 && broken >= 200, "not by never deciding: {kept}, {broken}");
        }
    }

    /// Prints how often dependent requests mislead: `cargo test --lib dependent_requests -- --ignored --nocapture`.
    #[test]
    #[ignore = "a table to read, a few seconds long"]
    fn dependent_requests_mislead_more_often() {
        const RUNS: u32 = 10_000;
        /// The 95th percentile of the standard normal distribution.
        const LIMIT: f64 = 1.644_853_6;
        let mut rng = fastrand::Rng::with_seed(1);
        // G. E. P. Box and M. E. Muller, A note on the generation of random normal deviates, 1958.
        let mut normal =
            || (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
        println!("truth at the limit of a p95, 1,000 requests a run, AR(1)");
        for phi in [0.0, 0.5, 0.9] {
            let (mut kept, mut broken) = (0, 0);
            for _ in 0..RUNS {
                let mut level: f64 = normal();
                let over = (0..1_000).filter(|_| {
                    level = phi * level + (1.0_f64 - phi * phi).sqrt() * normal();
                    level > LIMIT
                });
                match decide(over.count() as u64, 1_000, 0.05) {
                    Kept => kept += 1,
                    Broken => broken += 1,
                    Undecided => {}
                }
            }
            let share = |n: u32| f64::from(n) / f64::from(RUNS) * 100.0;
            println!("phi {phi}: {:.1} % pass, {:.1} % fail", share(kept), share(broken));
            assert!(phi > 0.0 || (share(kept) <= 5.5 && share(broken) <= 5.5), "independent requests");
        }
    }
}
