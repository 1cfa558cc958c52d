//! How much a figure of one run varies by chance, and how likely a difference is between equal runs.

use super::{Figure, Side, Window};
use crate::tally::quantile;

/// Windows without which a run's own variation is not known.
pub const LEAST_WINDOWS: usize = 2;
/// The most batches windows are put together to: more would begin to depend on one another.
const MOST_BATCHES: usize = 30;
/// How far windows usually lie apart, as a deviation of the logarithm, and in the tail. It weighs as
/// much as [`PRIOR_FREEDOM`] windows more: two windows that agree by luck, or lie apart by a hiccup,
/// say little about a third. It is forgotten as windows come in.
const USUAL_SPREAD: f64 = 0.02;
const USUAL_TAIL_SPREAD: f64 = 0.2;
const PRIOR_FREEDOM: f64 = 4.0;
/// The deviation of a figure from run to run that windows do not show, and of the tail: whether a
/// neighbour was at work on the machine is a matter of minutes, not of windows.
const RUN_NOISE: f64 = 0.02;
const RUN_TAIL_NOISE: f64 = 0.05;
/// Half the width of a 95 % interval in standard deviations.
const Z: f64 = 1.96;
/// Degrees of freedom from which Student's t is the normal distribution to four digits.
const MOST_FREEDOM: f64 = 1_000.0;
/// Steps of the integration: an even number; the integrand has one hump, at worst a thirtieth wide.
const STEPS: usize = 2_000;

/// The variance of the logarithm of one run's figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variance {
    /// What the batches show, for the whole run.
    batches: f64,
    /// Their number, less one, and what is known beforehand.
    freedom: f64,
    /// What independent samples would have.
    samples: f64,
    /// What differs from run to run and no window shows.
    per_run: f64,
}

impl Variance {
    /// Of `figure` of `side`, in a run of these windows; `None`: the sample does not support it.
    pub fn of(figure: Figure, side: &Side, windows: &[Window]) -> Option<Self> {
        // Of the windows' figures the nearest from the tail's side: it varies more.
        let value = |w: &Window| match figure {
            Figure::P50 => w.p50_ns,
            Figure::Rate => Some(w.ended as f64),
            _ => w.p99_ns,
        };
        let logs: Vec<f64> = windows.iter().filter_map(value).filter(|v| *v > 0.0).map(f64::ln).collect();
        let batches = batch_means(&logs);
        let n = batches.len() as f64;
        if batches.len() < LEAST_WINDOWS {
            return None;
        }
        let mean = batches.iter().sum::<f64>() / n;
        let spread = batches.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let (prior, run_noise) = match figure {
            Figure::P50 | Figure::Rate => (USUAL_SPREAD, RUN_NOISE),
            _ => (USUAL_TAIL_SPREAD, RUN_TAIL_NOISE),
        };
        let freedom = n - 1.0 + PRIOR_FREEDOM;
        let moderated = (PRIOR_FREEDOM * prior * prior + (n - 1.0) * spread) / freedom;
        Some(Self {
            batches: moderated / n,
            freedom,
            samples: of_samples(figure, side)?,
            per_run: run_noise * run_noise,
        })
    }
}

/// The means of runs of windows, equally many in each but for the last windows, which are left out.
fn batch_means(values: &[f64]) -> Vec<f64> {
    let size = values.len().div_ceil(MOST_BATCHES).max(1);
    values.chunks_exact(size).map(|batch| batch.iter().sum::<f64>() / size as f64).collect()
}

fn of_samples(figure: Figure, side: &Side) -> Option<f64> {
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
pub fn probability(difference: f64, runs: [Variance; 2]) -> f64 {
    let variance: f64 = runs.iter().map(|v| v.batches + v.samples + v.per_run).sum();
    // Welch and Satterthwaite; what has no freedom to lose stays out of the denominator.
    let lost: f64 = runs.iter().map(|v| v.batches * v.batches / v.freedom).sum();
    let freedom = if lost > 0.0 { variance * variance / lost } else { MOST_FREEDOM };
    student_two_sided(difference.abs() / variance.sqrt(), freedom)
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
    fn batches_are_at_most_thirty_and_equally_long() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let batches = batch_means(&values);
        assert_eq!((batches.len(), batches[0], batches[24]), (25, 1.5, 97.5));
        assert_eq!(batch_means(&values[..7]).len(), 7);
        assert!(batch_means(&[]).is_empty());
    }
}
