//! How often comparisons of made-up runs are right: equal ones, and ones with a slower tail, from a seed. The figures of
//! decision 53 come from here.

use super::{Change, Figure, MeasuredGroup, Measurement, Window, compare};
use crate::tally::Histogram;

/// The allowed regression.
const LIMIT: f64 = 0.1;

/// A made-up target. Deviations are of the logarithm.
#[derive(Clone, Copy)]
struct Target {
    /// Factor of all times.
    scale: f64,
    /// Factor of the slowest tenth at p95, growing from 1 at p90.
    tail: f64,
    /// Of single requests.
    spread: f64,
    /// Of windows, each by itself.
    flutter: f64,
    /// Of slow movements that go on from run to run: as much at every length.
    drift: f64,
    /// Of runs.
    run: f64,
    /// The probability that a window has a hiccup, in which a tenth of the requests take 30 times as long.
    hiccups: f64,
}

const STEADY: Target =
    Target { scale: 1.0, tail: 1.0, spread: 0.5, flutter: 0.02, drift: 0.0, run: 0.01, hiccups: 0.0 };
const DRIFTING: Target = Target { drift: 0.03, ..STEADY };
const HICCUPING: Target = Target { hiccups: 0.1, ..STEADY };

/// Times of requests without any other deviation, and the share of slower ones for each; taken at random.
struct Times(Vec<(f64, f64)>);

impl Times {
    fn new() -> Self {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut z: Vec<f64> = (0..1 << 15).map(|_| normal(&mut rng)).collect();
        z.sort_by(f64::total_cmp);
        let all = z.len() as f64;
        Self(z.iter().enumerate().map(|(i, z)| (*z, 1.0 - (i as f64 + 0.5) / all)).collect())
    }
}

fn normal(rng: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (2.0 * std::f64::consts::PI * rng.f64()).cos()
}

/// Slow movements: one for each octave from 2 to 64 windows.
struct Drift([f64; 6]);

impl Drift {
    fn next(&mut self, rng: &mut fastrand::Rng) -> f64 {
        for (octave, state) in self.0.iter_mut().enumerate() {
            let kept = (-1.0 / f64::from(2 << octave)).exp();
            *state = kept * *state + (1.0 - kept * kept).sqrt() * normal(rng);
        }
        self.0.iter().sum::<f64>() / 6f64.sqrt()
    }
}

fn run(
    rng: &mut fastrand::Rng,
    times: &Times,
    drift: &mut Drift,
    target: Target,
    (windows, per_window): (usize, u64),
) -> Measurement {
    let (mut all, of_run) = (Histogram::new(), target.run * normal(rng));
    let tail = target.tail.ln() / 2f64.ln();
    let each = (0..windows).map(|_| {
        let shared = of_run + target.flutter * normal(rng) + target.drift * drift.next(rng);
        let factor = 2e6 * target.scale * shared.exp();
        let hiccup = rng.f64() < target.hiccups;
        let ns: Vec<u64> = (0..per_window)
            .map(|_| {
                let (z, beyond) = times.0[rng.usize(..times.0.len())];
                let slower = if beyond < 0.1 { (0.1 / beyond).min(10.0).powf(tail) } else { 1.0 };
                let late = if hiccup && rng.u8(..10) == 0 { 30.0 } else { 1.0 };
                (factor * (target.spread * z).exp() * slower * late) as u64
            })
            .collect();
        let window = of(ns);
        all.merge(&window);
        let at = |q| window.quantile(q).map(|ns| ns as f64);
        Window {
            ended: per_window,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p95_ns: at(0.95),
            p99_ns: at(0.99),
            mean_ns: window.mean(),
        }
    });
    let windows: Vec<Window> = each.collect();
    let total = MeasuredGroup { response_time: all, rate: Some(per_window as f64) };
    Measurement { total, scenarios: Vec::new(), windows }
}

/// A histogram of these times, made at once.
fn of(mut ns: Vec<u64>) -> Histogram {
    ns.sort_unstable();
    let mut histogram = Histogram::new();
    ns.iter().for_each(|ns| histogram.record(*ns));
    histogram
}

/// How many of `trials` comparisons fail, are undecided, have a significant change at all, and a regression at p95.
#[derive(Debug, Default)]
struct Found {
    failed: u64,
    undecided: u64,
    significant: u64,
    p95: u64,
}

fn trials(seeds: std::ops::Range<u64>, before: Target, now: Target, size: (usize, u64)) -> Found {
    let (times, mut found) = (Times::new(), Found::default());
    for seed in seeds {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut drift = Drift([0; 6].map(|_| normal(&mut rng)));
        let first = run(&mut rng, &times, &mut drift, before, size);
        // Half a minute passes.
        for _ in 0..30 {
            drift.next(&mut rng);
        }
        let second = run(&mut rng, &times, &mut drift, now, size);
        let changes = compare(&first, &second).unwrap();
        let any = |what: &dyn Fn(&Change) -> bool| u64::from(changes.iter().any(what));
        let is_bad = |c: &Change| c.significant && c.regression() > LIMIT;
        let failed = any(&is_bad);
        found.failed += failed;
        found.undecided += (1 - failed) * any(&|c| c.is_undecided(LIMIT));
        found.significant += any(&|c| c.significant);
        found.p95 += any(&|c| c.figure == Figure::P95 && is_bad(c));
    }
    found
}

#[test]
fn equal_runs_differ_significantly_in_one_of_fifty_at_most() {
    for (name, target) in [("steady", STEADY), ("drifting", DRIFTING), ("hiccuping", HICCUPING)] {
        let found = trials(0..150, target, target, (10, 300));
        assert!(found.significant <= 3, "{name}: {found:?} of 150");
    }
}

#[test]
fn a_slower_tail_is_found_by_its_own_scatter() {
    let slower = Target { tail: 1.3, ..STEADY };
    let found = trials(0..60, STEADY, slower, (10, 1_000));
    assert!(found.p95 >= 48, "{found:?} of 60");
    assert_eq!(found.failed, 60, "{found:?}");
    // Where hiccups hide it, nobody is told that it passed.
    let hiccups = trials(0..40, HICCUPING, Target { tail: 1.3, ..HICCUPING }, (30, 300));
    assert!(hiccups.failed + hiccups.undecided >= 36, "{hiccups:?} of 40");
}

/// The table of decision 53.
#[test]
#[ignore = "prints figures and tests nothing"]
fn how_often_comparisons_are_right() {
    for (windows, per_window) in [(10, 1_000), (30, 1_000), (30, 100), (120, 100)] {
        for (name, target) in [("steady", STEADY), ("drifting", DRIFTING), ("hiccuping", HICCUPING)] {
            let equal = trials(0..1_000, target, target, (windows, per_window));
            let tail = trials(0..300, target, Target { tail: 1.3, ..target }, (windows, per_window));
            let whole = trials(0..300, target, Target { scale: 1.2, ..target }, (windows, per_window));
            println!("{windows} x {per_window} {name}: equal {equal:?}; tail {tail:?}; whole {whole:?}");
        }
    }
}
