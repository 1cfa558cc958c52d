//! Compares two runs by the share of requests that took longer than a time between their percentiles.
//!
//! A percentile of a run jumps when a few windows with a hiccup hold just enough requests: its windows' logarithms do
//! not tell by how much. The share of slower requests is the mean of its windows' shares whatever happens in them,
//! so two runs of which one had a hiccup more are told apart no more easily than such counts allow (compare the
//! interval for quantiles of R. S. Woodruff, Journal of the American Statistical Association 47, 1952).

use super::measurement::{Figure, MeasuredGroup, Measurement, Window};
use super::noise::{self, Variance, deviations};
use crate::tally::Histogram;

/// The largest change that is tried, as a logarithm: a thousandfold.
const MOST: f64 = 6.9;

/// The shares of requests that took longer than any time.
struct Shares {
    /// The longest time of each bucket, and how many took no longer.
    upto: Vec<(f64, u64)>,
    all: u64,
}

impl Shares {
    fn of(times: &Histogram) -> Self {
        let mut below = 0;
        let upto = times.buckets().map(|bucket| {
            below += bucket.count;
            (bucket.highest_ns as f64, below)
        });
        Self { upto: upto.collect(), all: times.count() }
    }

    /// The share that took longer than `ns`.
    fn over(&self, ns: f64) -> f64 {
        let reached = self.upto.partition_point(|(highest, _)| *highest <= ns);
        let below = reached.checked_sub(1).map_or(0, |at| self.upto[at].1);
        1.0 - below as f64 / self.all.max(1) as f64
    }
}

/// A difference of shares between two runs, and how uncertain it is.
pub(super) struct Difference {
    shares: f64,
    runs: [Variance; 2],
    before: Shares,
    percentile_ns: f64,
}

impl Difference {
    /// That of a percentile, `values` before and now, of these parts of two runs; `None`: their windows do not tell.
    pub(super) fn of(
        figure: Figure,
        values: [f64; 2],
        sides: [&MeasuredGroup; 2],
        runs: [&Measurement; 2],
    ) -> Option<Self> {
        figure.quantile()?;
        let between_ns = (values[0] * values[1]).sqrt();
        let [before, now] = sides.map(|side| Shares::of(&side.response_time));
        let over = [&before, &now].map(|shares| shares.over(between_ns));
        let of_both = f64::midpoint(over[0], over[1]);
        let spread = noise::usual_spread(figure).exp();
        let usual =
            [&before, &now].map(|s| (s.over(between_ns / spread) - s.over(between_ns * spread)) / 2.0);
        let variance = |i: usize| {
            let windows = &runs[i].windows;
            let weighted: Option<Vec<(f64, f64)>> = windows
                .iter()
                .filter(|w| w.p50_ns.is_some())
                .map(|w| Some((w.ended as f64, share_of_window(w, between_ns)?)))
                .collect();
            let weighted = weighted.filter(|w| w.len() >= noise::LEAST_WINDOWS)?;
            let of_window = weighted.iter().map(|(n, _)| n).sum::<f64>() / weighted.len() as f64;
            let mut shares = deviations(&weighted);
            shares.iter_mut().for_each(|relative| *relative *= over[i]);
            let chance = over[i] * (1.0 - over[i]);
            let prior = usual[i] * usual[i] + chance / of_window;
            let samples = of_both * (1.0 - of_both) / sides[i].response_time.count().max(1) as f64;
            Some(Variance::of_mean(&shares, prior, samples))
        };
        let runs = [variance(0)?, variance(1)?];
        Some(Self { shares: over[1] - over[0], runs, before, percentile_ns: values[0] })
    }

    /// The probability that two equal runs differ by as much.
    pub(super) fn probability(&self) -> f64 {
        noise::probability(self.shares, self.runs)
    }

    /// The change of the percentile, as a logarithm, whose share equal runs exceed with this probability.
    pub(super) fn exceeded_with(&self, probability: f64) -> f64 {
        let shares = noise::exceeded_with(probability, self.runs);
        let (mut low, mut high) = (0.0, MOST);
        for _ in 0..30 {
            let middle = f64::midpoint(low, high);
            let half = (middle / 2.0).exp();
            let apart =
                self.before.over(self.percentile_ns / half) - self.before.over(self.percentile_ns * half);
            if apart < shares { low = middle } else { high = middle }
        }
        high
    }

    /// See [`noise::times_longer`].
    pub(super) fn times_longer(&self, probability: f64) -> Option<f64> {
        noise::times_longer(self.shares, probability, self.runs)
    }
}

/// The share of requests in a window that took longer than `ns`, from its percentiles: between them and beyond them
/// its logarithm is a straight line over that of the time.
fn share_of_window(window: &Window, ns: f64) -> Option<f64> {
    const KNOWN: [(Figure, f64); 4] =
        [(Figure::P50, 0.5), (Figure::P90, 0.1), (Figure::P95, 0.05), (Figure::P99, 0.01)];
    let mut points = [(0.0, 0.0); 4];
    for (point, (figure, share)) in points.iter_mut().zip(KNOWN) {
        *point = (window.value(figure).filter(|v| *v > 0.0)?.ln(), share.ln());
    }
    let at = ns.ln();
    let [p50, p90, ..] = points;
    if at < p50.0 {
        // As symmetrical as many distributions are in logarithms: the fastest tenth mirrors the slowest.
        return Some(1.0 - line_through(2.0 * p50.0 - at, p50, p90).exp());
    }
    let [before, after] = match points.iter().position(|point| at < point.0) {
        Some(next) => [points[next - 1], points[next]],
        None => [points[2], points[3]],
    };
    Some(line_through(at, before, after).exp())
}

/// The height at `at` of the line through two points; after a step the share is none.
fn line_through(at: f64, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> f64 {
    if x1 > x0 { y0 + (at - x0) / (x1 - x0) * (y1 - y0) } else { f64::NEG_INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_window_follows_its_percentiles() {
        let window = Window {
            ended: 1_000,
            p50_ns: Some(1e6),
            p90_ns: Some(2e6),
            p95_ns: Some(3e6),
            p99_ns: Some(9e6),
            mean_ns: None,
        };
        let share = |ns| share_of_window(&window, ns).unwrap();
        for (ns, expected) in [(0.5e6, 0.9), (1e6, 0.5), (2e6, 0.1), (3e6, 0.05), (9e6, 0.01)] {
            assert!((share(ns) - expected).abs() < 1e-9, "{ns}: {}", share(ns));
        }
        let rising = [0.1e6, 0.7e6, 1.5e6, 2.5e6, 5e6, 10e6, 100e6];
        assert!(rising.windows(2).all(|pair| share(pair[0]) > share(pair[1])));
        let same = Window { p90_ns: Some(1e6), p95_ns: Some(1e6), p99_ns: Some(1e6), ..window };
        assert_eq!([0.9e6, 1.1e6].map(|ns| share_of_window(&same, ns).unwrap()), [1.0, 0.0]);
        assert_eq!(share_of_window(&Window { p95_ns: None, ..window }, 1e6), None, "an earlier report");
    }
}
