//! Estimates how much a figure of one run varies by chance, and how likely a difference between equal runs
//! is.

use super::measurement::{Figure, MeasuredGroup, Window};
use crate::tally::quantile;

/// The fewest windows from which a run's own variation can be estimated.
pub(crate) const LEAST_WINDOWS: usize = 2;
/// The fewest batches of a longer scale: fewer do not show how far they lie apart.
const LEAST_BATCHES: usize = 4;
/// The usual spread of windows, as a standard deviation of the logarithm, and that in the tail. It weighs as
/// much as [`PRIOR_FREEDOM`] more windows: two windows that agree by luck, or differ by a hiccup, predict
/// little about a third. Its weight vanishes as windows come in.
const USUAL_SPREAD: f64 = 0.02;
const USUAL_TAIL_SPREAD: f64 = 0.2;
const PRIOR_FREEDOM: f64 = 4.0;
/// The least standard deviation of a figure from run to run, and that of the tail, however steady the windows
/// of both: the placement of memory and threads differs from start to start and stays for a whole run.
const RUN_NOISE: f64 = 0.02;
const RUN_TAIL_NOISE: f64 = 0.05;
/// Half the width of a 95 % interval in standard deviations.
const Z: f64 = 1.96;
/// Degrees of freedom from which Student's t is the normal distribution to four digits.
const MOST_FREEDOM: f64 = 1_000.0;
/// Steps of the integration: an even number; the integrand has one peak, at worst a thirtieth wide.
const STEPS: usize = 2_000;

/// The variance of the logarithm of one run's figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Variance {
    /// The part estimated from the windows: of their mean, and between runs if that is more than the least.
    shown: f64,
    /// Its degrees of freedom.
    freedom: f64,
    /// The part that is not estimated: of independent samples, and the least between runs if windows show
    /// less.
    known: f64,
    /// The standard deviation of the windows' figure, relative.
    spread: f64,
}

impl Variance {
    /// The variance of `figure` of `side`, in a run of these windows; `None`: the sample does not support it.
    pub(crate) fn of(figure: Figure, side: &MeasuredGroup, windows: &[Window]) -> Option<Self> {
        // The nearest figure of the windows on the tail's side, which varies more.
        let value = |w: &Window| match figure {
            Figure::P50 => w.p50_ns,
            Figure::Rate => Some(w.ended as f64),
            _ => w.p99_ns,
        };
        let logs: Vec<f64> = windows.iter().filter_map(value).filter(|v| *v > 0.0).map(f64::ln).collect();
        if logs.len() < LEAST_WINDOWS {
            return None;
        }
        let (prior, least) = match figure {
            Figure::P50 | Figure::Rate => (USUAL_SPREAD, RUN_NOISE),
            _ => (USUAL_TAIL_SPREAD, RUN_TAIL_NOISE),
        };
        let windows = Scale::of(&logs, prior * prior);
        // If nothing were slower than a window, longer batches would lie this much closer together.
        let expected = |length: usize| windows.spread / length as f64;
        let longer: Vec<Scale> = longer_scales(&logs)
            .iter()
            .map(|(length, batches)| Scale::of(batches, expected(*length)))
            .collect();
        let scales = longer.into_iter().chain([windows]);
        let scale = scales.max_by(|a, b| a.of_the_run().total_cmp(&b.of_the_run()))?;
        let (least, samples) = (least * least, of_samples(figure, side)?);
        let (shown, known) = match scale.spread > least {
            true => (scale.of_the_run(), samples),
            false => (scale.of_the_mean(), samples + least),
        };
        Some(Self { shown, freedom: scale.freedom, known, spread: relative_deviation(&logs) })
    }

    /// How far apart the figures of this run's windows lie: the standard deviation, relative.
    pub(crate) const fn spread(&self) -> f64 {
        self.spread
    }
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
    freedom: f64,
}

impl Scale {
    /// `prior`: their usual variance.
    fn of(batches: &[f64], prior: f64) -> Self {
        let number = batches.len() as f64;
        let mean = batches.iter().sum::<f64>() / number;
        let squares: f64 = batches.iter().map(|b| (b - mean).powi(2)).sum();
        let freedom = number - 1.0 + PRIOR_FREEDOM;
        Self { number, spread: (PRIOR_FREEDOM * prior + squares) / freedom, freedom }
    }

    /// Variance of the mean of all batches, if nothing is slower than they are.
    fn of_the_mean(&self) -> f64 {
        self.spread / self.number
    }

    /// The same, plus as much between runs as between batches.
    fn of_the_run(&self) -> f64 {
        self.of_the_mean() + self.spread
    }
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
    student_two_sided(difference.abs() / deviation, freedom)
}

/// The standard deviation of the difference of two equal runs in logarithms, and its degrees of freedom.
fn of_difference(runs: [Variance; 2]) -> (f64, f64) {
    let variance: f64 = runs.iter().map(|v| v.shown + v.known).sum();
    // Welch–Satterthwaite; terms with infinite freedom do not appear in the denominator.
    let lost: f64 = runs.iter().map(|v| v.shown * v.shown / v.freedom).sum();
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
                let run = Variance { shown: 0.01, freedom: freedom / 2.0, known: 0.0, spread: 0.0 };
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
            let window = |i| Window { ended: 1_000, p50_ns: Some(p50(i)), p99_ns: Some(p50(i)) };
            let mut side =
                MeasuredGroup { response_time: crate::tally::Histogram::new(), rate: Some(1_000.0) };
            (0..1_000).for_each(|i| side.response_time.record(1_000_000 + i));
            let windows: Vec<Window> = (0..32).map(window).collect();
            Variance::of(Figure::P50, &side, &windows).unwrap().shown
        };
        let flutter = variance(&|i| 1e6 * (1.0 + 0.1 * (i % 2) as f64));
        let drift = variance(&|i| 1e6 * (1.0 + 0.1 * (i / 16) as f64));
        assert!(drift > flutter, "{drift} {flutter}");
        let steady = variance(&|_| 1e6);
        assert!(steady < flutter / 20.0, "{steady} {flutter}");
    }
}
