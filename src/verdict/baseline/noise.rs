//! Estimates how much a figure of one run varies by chance, and how likely a difference between equal runs
//! is.

use super::measurement::{Figure, MeasuredGroup, Window};
use crate::tally::quantile;

/// The fewest windows from which a run's own variation can be estimated.
pub(crate) const LEAST_WINDOWS: usize = 2;
/// The fewest batches of a longer scale: fewer do not show how far they lie apart.
const LEAST_BATCHES: usize = 4;
/// So many batches show it well.
const MANY_BATCHES: f64 = 8.0;
/// The usual spread of windows weighs as much as this many more windows: two windows that agree by luck, or
/// differ by a hiccup, predict little about a third. Its weight vanishes as windows come in.
const PRIOR_FREEDOM: f64 = 4.0;
/// The most times as long as measured that is suggested.
const MOST_LONGER: f64 = 100.0;
/// Half the width of a 95 % interval in standard deviations.
const Z: f64 = 1.96;
/// Standard deviations from the median of a normal distribution to its 90th percentile.
const Z_90: f64 = 1.281_6;
/// Degrees of freedom from which Student's t is the normal distribution to four digits.
const MOST_FREEDOM: f64 = 1_000.0;
/// Steps of the integration: an even number; the integrand has one peak, at worst a thirtieth wide.
const STEPS: usize = 2_000;

/// What is known of a figure before a run shows more.
#[derive(Clone, Copy)]
struct Usual {
    /// The standard deviation of the logarithm from window to window, beyond that of its requests.
    spread: f64,
    /// The least from run to run, however steady the windows of both: the placement of memory and threads
    /// differs from start to start and stays for a whole run.
    run: f64,
}

impl Usual {
    const fn of(figure: Figure) -> Self {
        match figure {
            Figure::P50 | Figure::Rate => Self { spread: 0.02, run: 0.02 },
            Figure::P90 => Self { spread: 0.03, run: 0.025 },
            Figure::P95 | Figure::Mean => Self { spread: 0.05, run: 0.03 },
            Figure::P99 => Self { spread: 0.2, run: 0.05 },
        }
    }
}

/// The usual spread of windows, as the standard deviation of the logarithm.
pub(super) const fn usual_spread(figure: Figure) -> f64 {
    Usual::of(figure).spread
}

/// The variance of the logarithm of one run's figure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Variance {
    /// Of the mean of the windows: the longer the run, the less.
    mean: f64,
    /// Between runs, as far as windows show it: the same for runs of every length.
    between: f64,
    /// The degrees of freedom of both.
    freedom: f64,
    /// Of independent samples: the longer the run, the less.
    samples: f64,
    /// The least between runs, if windows show less.
    least: f64,
    /// The standard deviation of the windows' figure, relative.
    spread: f64,
    /// The windows' figure that was looked at.
    witness: Option<Figure>,
}

impl Variance {
    /// The variance of `figure` of a whole run, by its windows; `None`: they have no such figure.
    pub(super) fn of_windows(figure: Figure, windows: &[Window]) -> Option<Self> {
        let witness = witness(figure, windows);
        let values = values(witness, windows);
        if values.len() < LEAST_WINDOWS {
            return None;
        }
        let usual = Usual::of(witness);
        let sampling = of_samples_in_a_window(figure, windows);
        let scales = scales(&values, usual.spread * usual.spread + sampling, sampling);
        // What flutters from second to second evens out within a run: only the longest rows tell how far runs lie apart.
        let long = scales.iter().rposition(|scale| scale.number >= MANY_BATCHES).unwrap_or(0);
        let scale = scales[long..].iter().max_by(|a, b| a.of_the_run().total_cmp(&b.of_the_run()))?;
        let least = usual.run * usual.run;
        let is_shown = scale.between() > least;
        Some(Self {
            mean: scale.of_the_mean(),
            between: if is_shown { scale.between() } else { 0.0 },
            freedom: scale.freedom,
            samples: 0.0,
            least: if is_shown { 0.0 } else { least },
            spread: relative_deviation(&values),
            witness: Some(witness),
        })
    }

    /// The same of a part of the run: `side` has fewer samples.
    pub(super) fn with_samples_of(self, figure: Figure, side: &MeasuredGroup) -> Option<Self> {
        Some(Self { samples: of_samples(figure, side)?, ..self })
    }

    /// That of a mean of windows alone.
    pub(super) fn of_mean(batches: &[f64], prior: f64, samples: f64) -> Self {
        let scales = scales(batches, prior, 0.0);
        let scale = scales.iter().max_by(|a, b| a.of_the_mean().total_cmp(&b.of_the_mean()));
        scale.map_or(Self::default(), |scale| Self {
            mean: scale.of_the_mean(),
            freedom: scale.freedom,
            samples,
            ..Self::default()
        })
    }

    /// How far apart the figures of this run's windows lie: the standard deviation, relative.
    pub(crate) const fn spread(&self) -> f64 {
        self.spread
    }

    /// The windows' figure that was looked at: another one where an earlier report has no better.
    pub(crate) const fn witness(&self) -> Option<Figure> {
        self.witness
    }

    fn all(&self) -> f64 {
        self.mean + self.between + self.samples + self.least
    }

    /// That of a run so many times as long.
    fn longer(&self, times: f64) -> Self {
        let (mean, samples) = (self.mean / times, self.samples / times);
        Self { mean, samples, freedom: self.freedom * times, ..*self }
    }
}

/// The figure of the windows that tells of `figure`: earlier reports have none of the tail but p99, which varies
/// more than what it stands for.
fn witness(figure: Figure, windows: &[Window]) -> Figure {
    let is_known = windows.iter().all(|w| w.p99_ns.is_none() || w.value(figure).is_some());
    if is_known { figure } else { Figure::P99 }
}

/// The figure of each window: percentiles as logarithms, sums as relative distances from that of the run. A sum of
/// the run is the mean of its windows', a percentile is nearly so in logarithms.
fn values(figure: Figure, windows: &[Window]) -> Vec<f64> {
    let known = windows.iter().filter_map(|w| Some((w.ended as f64, w.value(figure)?)));
    if figure.quantile().is_some() {
        return known.map(|(_, value)| value).filter(|v| *v > 0.0).map(f64::ln).collect();
    }
    let known: Vec<(f64, f64)> =
        known.map(|(n, v)| if figure == Figure::Rate { (1.0, v) } else { (n, v) }).collect();
    deviations(&known)
}

/// Relative distances of values from their weighted mean, each as far as its weight counts.
pub(super) fn deviations(weighted: &[(f64, f64)]) -> Vec<f64> {
    let weight: f64 = weighted.iter().map(|(n, _)| n).sum();
    let mean = weighted.iter().map(|(n, value)| n * value).sum::<f64>() / weight.max(f64::MIN_POSITIVE);
    if mean <= 0.0 {
        return vec![0.0; weighted.len()];
    }
    let usual = weight / weighted.len() as f64;
    weighted.iter().map(|(n, value)| n / usual * (value / mean - 1.0)).collect()
}

/// The part of the windows' variance that comes from how few requests each has, by the shape of the usual window; 0
/// where earlier reports do not tell.
fn of_samples_in_a_window(figure: Figure, windows: &[Window]) -> f64 {
    let of_one = |w: &Window| {
        let log = |figure| w.value(figure).filter(|v| *v > 0.0).map(f64::ln);
        let [p50, p90, p95, p99] = [Figure::P50, Figure::P90, Figure::P95, Figure::P99].map(log);
        // How much slower it gets where the share of slower ones is e times smaller, near the percentile.
        let steepness = match figure {
            Figure::P50 => (p90? - p50?) / 5f64.ln(),
            Figure::P90 => (p95? - p90?) / 2f64.ln(),
            Figure::P95 => (p99? - p90?) / 10f64.ln(),
            Figure::P99 => (p99? - p95?) / 5f64.ln(),
            Figure::Mean => return Some(((p90? - p50?) / Z_90).powi(2).exp_m1() / w.ended as f64),
            Figure::Rate => return Some(0.0),
        };
        let q = figure.quantile()?;
        Some(steepness * steepness * q / (1.0 - q) / w.ended as f64)
    };
    let mut each: Vec<f64> = windows.iter().filter(|w| w.ended > 0).filter_map(of_one).collect();
    each.sort_by(f64::total_cmp);
    each.get(each.len() / 2).copied().unwrap_or(0.0)
}

/// The standard deviation of at least two values by their logarithms, relative: 0.1 for 10 %.
fn relative_deviation(logs: &[f64]) -> f64 {
    let number = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / number;
    let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
    (squares / (number - 1.0)).sqrt().exp_m1()
}

/// Batches of one length.
struct Scale {
    number: f64,
    /// Their variance, moderated by the usual one.
    spread: f64,
    /// The part of it that comes from how few requests each has.
    sampling: f64,
    freedom: f64,
}

impl Scale {
    /// `prior`: their usual variance.
    fn of(batches: &[f64], prior: f64, sampling: f64) -> Self {
        let number = batches.len() as f64;
        let mean = batches.iter().sum::<f64>() / number;
        let squares: f64 = batches.iter().map(|b| (b - mean).powi(2)).sum();
        let freedom = number - 1.0 + PRIOR_FREEDOM;
        Self { number, spread: (PRIOR_FREEDOM * prior + squares) / freedom, sampling, freedom }
    }

    /// Variance of the mean of all batches, if nothing is slower than they are.
    fn of_the_mean(&self) -> f64 {
        self.spread / self.number
    }

    /// Variance between runs: as much as between batches, but for what few requests explain.
    fn between(&self) -> f64 {
        // What exceeds it by no more than such an estimate errs is no sign of more.
        let explained = self.sampling * (1.0 + (2.0 / self.freedom).sqrt());
        (self.spread - explained).max(0.0)
    }

    /// Both.
    fn of_the_run(&self) -> f64 {
        self.of_the_mean() + self.between()
    }
}

/// The windows one by one, and in ever longer rows.
fn scales(values: &[f64], prior: f64, sampling: f64) -> Vec<Scale> {
    let windows = Scale::of(values, prior, sampling);
    // If nothing were slower than a window, longer batches would lie this much closer together.
    let longer = longer_scales(values).into_iter().map(|(length, batches)| {
        let length = length as f64;
        Scale::of(&batches, windows.spread / length, sampling / length)
    });
    let longer: Vec<Scale> = longer.collect();
    std::iter::once(windows).chain(longer).collect()
}

/// Means of two consecutive windows, of four and so on, each with its length, as long as there are enough.
fn longer_scales(values: &[f64]) -> Vec<(usize, Vec<f64>)> {
    let batches = |size: usize| {
        let means = values.chunks_exact(size).map(|batch| batch.iter().sum::<f64>() / size as f64);
        (size, means.collect())
    };
    let sizes = (1..).map(|doublings| 1usize << doublings);
    sizes.take_while(|size| values.len() / size >= LEAST_BATCHES).map(batches).collect()
}

fn of_samples(figure: Figure, side: &MeasuredGroup) -> Option<f64> {
    let times = &side.response_time;
    let n = times.count() as f64;
    let deviation = match (figure, figure.quantile()) {
        (_, Some(q)) => {
            let (low, high) = quantile::interval(times, q)?;
            (high as f64 / low.max(1) as f64).ln() / (2.0 * Z)
        }
        // Counts of independent events.
        (Figure::Rate, _) => 1.0 / n.max(1.0).sqrt(),
        _ => times.stddev()? / times.mean()?.max(1.0) / n.sqrt(),
    };
    Some(deviation * deviation)
}

/// The probability that two equal runs differ by at least `difference` in logarithms.
pub(crate) fn probability(difference: f64, runs: [Variance; 2]) -> f64 {
    let (deviation, freedom) = of_difference(runs);
    if difference == 0.0 {
        return 1.0;
    }
    student_two_sided(difference.abs() / deviation, freedom)
}

/// The standard deviation of the difference of two equal runs in logarithms, and its degrees of freedom.
fn of_difference(runs: [Variance; 2]) -> (f64, f64) {
    let variance: f64 = runs.iter().map(Variance::all).sum();
    // Welch–Satterthwaite; terms with infinite freedom do not appear in the denominator.
    let shown = runs.iter().filter(|v| v.freedom > 0.0);
    let lost: f64 = shown.map(|v| (v.mean + v.between).powi(2) / v.freedom).sum();
    (variance.sqrt(), if lost > 0.0 { variance * variance / lost } else { MOST_FREEDOM })
}

/// The difference in logarithms that two equal runs exceed with this probability, within a hundredth of it.
///
/// Student's t from the normal quantile (D. P. Gaver, K. Kafadar, *A retrievable recipe for inverse t*, The American
/// Statistician 38(4), 1984): good from five degrees of freedom up, and every run brings that many.
pub(crate) fn exceeded_with(probability: f64, runs: [Variance; 2]) -> f64 {
    let (deviation, freedom) = of_difference(runs);
    let z = normal_two_sided(probability);
    let scale = (freedom - 1.5) / (freedom - 1.0).powi(2);
    deviation * (freedom * (z * z * scale).exp_m1()).sqrt()
}

/// How many times as long both runs would have to be for `difference` to be exceeded with no more than this
/// probability; `None`: that long that nobody would wait.
pub(crate) fn times_longer(difference: f64, probability: f64, runs: [Variance; 2]) -> Option<f64> {
    let mut times = 1.0;
    while exceeded_with(probability, runs.map(|run| run.longer(times))) > difference.abs() {
        times *= 1.25;
        if times > MOST_LONGER {
            return None;
        }
    }
    Some(times)
}

/// z with P(|Z| ≥ z) = `probability`, for the standard normal distribution, by bisection.
fn normal_two_sided(probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        let is_exceeded_more_often = libm::erfc(middle / std::f64::consts::SQRT_2) > probability;
        if is_exceeded_more_often { low = middle } else { high = middle }
    }
    high
}

/// P(|T| ≥ t) for Student's t. With t = √ν · tan θ its density is proportional to cos^(ν−1) θ, so both
/// parts of the ratio are integrals of that, by Simpson's rule.
fn student_two_sided(t: f64, freedom: f64) -> f64 {
    let freedom = freedom.clamp(1.0, MOST_FREEDOM);
    let from = (t / freedom.sqrt()).atan();
    let area = |from: f64| {
        let step = (std::f64::consts::FRAC_PI_2 - from) / STEPS as f64;
        let height = |i: usize| (from + step * i as f64).cos().max(0.0).powf(freedom - 1.0);
        let inner: f64 = (1..STEPS).map(|i| height(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
        (height(0) + inner + height(STEPS)) * step / 3.0
    };
    (area(from) / area(0.0)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_t_is_that_of_the_tables() {
        // Two-sided critical values, to three decimals.
        for (freedom, probability, t) in [
            (1.0, 0.05, 12.706),
            (2.0, 0.01, 9.925),
            (5.0, 0.05, 2.571),
            (10.0, 0.01, 3.169),
            (30.0, 0.001, 3.646),
            (1e9, 0.05, 1.962),
        ] {
            let got = student_two_sided(t, freedom);
            assert!((got - probability).abs() < probability * 0.002, "{freedom} {t}: {got}, {probability}");
        }
        assert_eq!(student_two_sided(0.0, 7.0), 1.0);
        assert!(student_two_sided(1e9, 1.0) < 1e-6);
    }

    #[test]
    fn a_difference_that_is_just_significant_is_found_without_searching() {
        for freedom in [5.0, 8.0, 30.0, 500.0] {
            for each in [0.05, 0.02 / 6.0, 0.02 / 1_500.0] {
                let run = Variance { between: 0.01, freedom: freedom / 2.0, ..Variance::default() };
                let difference = exceeded_with(each, [run; 2]);
                let t = difference / (2.0 * 0.01_f64).sqrt();
                // The probability at it, and at one a twentieth smaller and larger.
                let [less, more] = [0.95, 1.05].map(|factor| student_two_sided(t * factor, freedom));
                assert!(less > each && more < each, "{freedom} {each}: {less} {more}");
            }
        }
        assert!((normal_two_sided(0.05) - 1.959_964).abs() < 1e-5);
    }

    #[test]
    fn the_spread_of_windows_is_relative() {
        let logs: Vec<f64> = [90.0_f64, 110.0].map(f64::ln).into();
        assert!((relative_deviation(&logs) - 0.152).abs() < 0.001, "{}", relative_deviation(&logs));
        assert_eq!(relative_deviation(&[2.0; 5]), 0.0);
    }

    #[test]
    fn windows_are_looked_at_in_ever_longer_rows() {
        let values: Vec<f64> = (0..9).map(f64::from).collect();
        // Two batches of four would be too few.
        assert_eq!(longer_scales(&values), [(2, vec![0.5, 2.5, 4.5, 6.5])]);
        assert!(longer_scales(&values[..7]).is_empty());
    }

    #[test]
    fn a_drift_counts_for_more_than_a_flutter_of_the_same_size() {
        let variance = |p50: &dyn Fn(usize) -> f64| {
            let window = |i| Window { ended: 1_000, p50_ns: Some(p50(i)), ..Window::default() };
            let windows: Vec<Window> = (0..32).map(window).collect();
            let variance = Variance::of_windows(Figure::P50, &windows).unwrap();
            variance.mean + variance.between
        };
        let flutter = variance(&|i| 1e6 * (1.0 + 0.1 * (i % 2) as f64));
        let drift = variance(&|i| 1e6 * (1.0 + 0.1 * (i / 16) as f64));
        assert!(drift > flutter, "{drift} {flutter}");
        let steady = variance(&|_| 1e6);
        assert!(steady < flutter / 20.0, "{steady} {flutter}");
    }
}
