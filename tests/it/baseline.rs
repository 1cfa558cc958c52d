//! Runs held against earlier ones: on synthetic runs from a seed, and through the whole program.

use loadtester::tally::Histogram;
use loadtester::verdict::baseline::{
    Change, Figure, MeasuredGroup, Measurement, Resolution, Window, compare,
};

/// How a made-up target varies.
#[derive(Clone, Copy)]
struct Target {
    /// Median response in nanoseconds.
    median_ns: f64,
    /// Deviation of single responses, of the logarithm.
    spread: f64,
    /// Deviation from window to window, which all responses of a window share.
    drift: f64,
    /// Deviation from run to run, which all windows share.
    run: f64,
}

const USUAL: Target = Target { median_ns: 2e6, spread: 0.4, drift: 0.02, run: 0.01 };
/// Responses of one window: so many that a test for independent ones calls any drift significant.
const PER_WINDOW: u64 = 3_000;

fn normal(rng: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (2.0 * std::f64::consts::PI * rng.f64()).cos()
}

fn run(rng: &mut fastrand::Rng, target: Target, windows: usize) -> Measurement {
    let (mut all, of_run) = (Histogram::new(), target.run * normal(rng));
    let each = (0..windows).map(|_| {
        let shared = of_run + target.drift * normal(rng);
        let mut window = Histogram::new();
        (0..PER_WINDOW).for_each(|_| {
            window.record((target.median_ns * (shared + target.spread * normal(rng)).exp()) as u64);
        });
        all.merge(&window);
        let at = |q| window.quantile(q).map(|ns| ns as f64);
        Window {
            ended: PER_WINDOW,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p95_ns: at(0.95),
            p99_ns: at(0.99),
            mean_ns: None,
        }
    });
    let windows: Vec<Window> = each.collect();
    let side = MeasuredGroup { response_time: all, rate: Some(PER_WINDOW as f64) };
    Measurement { total: side.clone(), scenarios: vec![("only".into(), side)], windows }
}

/// In how many of `trials` pairs something that `counts` was found.
fn found(trials: u64, windows: usize, before: Target, now: Target, counts: fn(&Change) -> bool) -> u64 {
    let finds = |seed: &u64| {
        let mut rng = fastrand::Rng::with_seed(*seed);
        let changes = compare(&run(&mut rng, before, windows), &run(&mut rng, now, windows)).unwrap();
        changes.iter().any(counts)
    };
    (0..trials).filter(finds).count() as u64
}

#[test]
fn equal_runs_differ_significantly_in_at_most_one_of_twenty() {
    for windows in [2, 5, 30] {
        let wrong = found(200, windows, USUAL, USUAL, |c| c.significant);
        assert!(wrong <= 10, "{wrong} of 200 with {windows} windows");
    }
    // Even when windows drift by a tenth, of which a run of 30 sees enough to know.
    let restless = Target { drift: 0.1, ..USUAL };
    let wrong = found(100, 30, restless, restless, |c| c.significant);
    assert!(wrong <= 5, "{wrong} of 100");
}

#[test]
fn a_target_slower_by_a_fifth_is_found_in_at_least_nineteen_of_twenty() {
    let slower = Target { median_ns: USUAL.median_ns * 1.2, ..USUAL };
    for windows in [2, 5, 30] {
        let right = found(200, windows, USUAL, slower, |c| c.significant && c.regression() > 0.1);
        assert!(right >= 190, "{right} of 200 with {windows} windows");
        let faster = found(200, windows, slower, USUAL, |c| c.significant && c.regression() > 0.0);
        assert!(faster <= 2, "getting faster was called a regression in {faster} of 200");
    }
}

#[test]
fn a_slower_tail_alone_is_found() {
    // The same median, a p99 of e^(2.326 * 0.2) = 1.59 times the old.
    let tail = Target { spread: USUAL.spread + 0.2, ..USUAL };
    let right =
        found(100, 30, USUAL, tail, |c| c.figure == Figure::P99 && c.significant && c.regression() > 0.1);
    assert!(right >= 95, "{right} of 100");
}

#[test]
fn a_rate_is_worse_when_it_is_lower() {
    let change = |before, now| Change {
        scenario: None,
        figure: Figure::Rate,
        before,
        now,
        change: now / before - 1.0,
        probability: 0.0,
        significant: true,
        resolution: Resolution {
            samples: [1_000; 2],
            spread: [0.0; 2],
            witness: [Figure::Rate; 2],
            detectable: 0.0,
            times_longer: None,
        },
    };
    assert!(change(100.0, 80.0).regression() > 0.2);
    assert!(change(80.0, 100.0).regression() < 0.0);
}

#[test]
fn one_window_is_no_witness() {
    let mut rng = fastrand::Rng::with_seed(1);
    let (long, short) = (run(&mut rng, USUAL, 5), run(&mut rng, USUAL, 1));
    assert!(compare(&short, &long).unwrap_err().starts_with("the baseline is too short"));
    assert!(compare(&long, &short).unwrap_err().starts_with("this run is too short"));
}
