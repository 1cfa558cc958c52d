//! A run held against an earlier one: what changed, and whether more than chance.
//!
//! `file` reads an earlier report.json, this file compares it figure by figure, `noise` says how
//! sure a difference is.
//!
//! # When is a difference real?
//!
//! A hundred thousand latencies of one run are not a hundred thousand independent witnesses: they
//! shared queues, caches and neighbours, and a test that takes them as independent calls every drift of
//! half a percent significant. So what counts as a witness is the window of the timeline, by the method
//! of batch means (B. Schmeiser, *Batch size effects in the analysis of simulation output*, Operations
//! Research 30(3), 1982). And two runs, minutes apart, differ by more than the mean of their windows lets
//! one expect: a machine's speed wanders the more slowly the farther, as flicker noise, whose variance
//! between neighbouring stretches is the same at every length (D. W. Allan, *Statistics of atomic
//! frequency standards*, Proceedings of the IEEE 54(2), 1966). So runs are taken to differ by as much as
//! the windows of one, or more where longer stretches lie farther apart: batches of one window, of two,
//! of four and so on are looked at, and the scale with the largest variance counts (H. Flyvbjerg, H. G.
//! Petersen, *Error estimates on averages of correlated data*, Journal of Chemical Physics 91, 1989). On
//! logarithms, so that 10 % is 10 % at every height, the variance of the difference of two runs is
//!
//! ```text
//! Σ over both runs ( variance of the batches ÷ their number            degrees of freedom: batches + 3
//!                  + the larger of: variance of the batches,           (the same)
//!                                   RUN_NOISE²                         (∞)
//!                  + variance of the figure if samples were independent (∞) )
//! ```
//!
//! The variance of the batches is moderated (G. K. Smyth, Statistical Applications in Genetics and
//! Molecular Biology 3(1), 2004): what windows usually do counts as four degrees of freedom, so that two
//! windows of a short run neither prove a steadiness nor spoil the comparison. The last term is what a
//! scenario with few samples adds; for the whole run it counts twice, on the safe side.
//!
//! The difference over its deviation is held against Student's t with the Welch–Satterthwaite degrees of
//! freedom (B. L. Welch, Biometrika 34, 1947), and the probabilities against [`ALPHA`] shared out over all
//! figures compared (Bonferroni), so that two equal runs pass as a whole. What that is worth on a machine
//! `benches/baseline.rs` shows.

mod file;
mod noise;

pub use file::{is_whole, read};

use super::threshold::{Context, OFFERED_RATIO_TO_PASS, Outcome, not_offered_by_us, ours_may_explain};
use crate::plan::{Statistic, Timing};
use crate::tally::{Histogram, quantile};
use noise::{Variance, probability};

/// The largest earlier report that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// How much worse a figure may be when nothing else is said.
pub const DEFAULT_MAX_REGRESSION: f64 = 0.1;
/// The probability with which two equal runs are called different, over all their figures.
pub const ALPHA: f64 = 0.02;

/// What of a run is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// All scenarios together.
    pub total: Side,
    /// By name.
    pub scenarios: Vec<(String, Side)>,
    /// The measured time, window by window; only whole ones.
    pub windows: Vec<Window>,
}

/// One scenario, or all.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// Due to last byte.
    pub response_time: Histogram,
    /// Exchanges that ended well, per second; `None`: no time was measured.
    pub rate: Option<f64>,
}

/// One window of the timeline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Exchanges that ended in it.
    pub ended: u64,
    /// Median response time in nanoseconds.
    pub p50_ns: Option<f64>,
    /// 99th percentile of it.
    pub p99_ns: Option<f64>,
}

/// An earlier run.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// The digest of its plan.
    pub digest: String,
    /// When it began, as it says.
    pub started_at: Option<String>,
    /// `kernel` or `user`: where its receive times came from.
    pub timestamps: String,
    /// Why it is itself in doubt, if it is.
    pub doubt: Option<String>,
    /// Whether it offered what it asked, so that it can be held against.
    pub offered: bool,
    /// Its figures.
    pub measurement: Measurement,
}

/// A figure that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Response time median, in nanoseconds like all times.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Mean.
    Mean,
    /// Exchanges that ended well, per second.
    Rate,
}

impl Figure {
    /// All, in the order of reports.
    pub const ALL: [Self; 6] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::Mean, Self::Rate];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Mean => "mean",
            Self::Rate => "rate",
        }
    }

    /// The quantile it is.
    pub const fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::Mean | Self::Rate => None,
        }
    }

    fn of(self, side: &Side) -> Option<f64> {
        match (self, self.quantile()) {
            (_, Some(q)) => quantile::percentile(&side.response_time, q).map(|ns| ns as f64),
            (Self::Rate, _) => side.rate,
            _ => side.response_time.mean(),
        }
        .filter(|value| *value > 0.0)
    }
}

/// One figure then and now.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which scenario; `None`: all together.
    pub scenario: Option<String>,
    /// Which figure.
    pub figure: Figure,
    /// Then: nanoseconds, or per second.
    pub before: f64,
    /// Now.
    pub now: f64,
    /// Now ÷ before − 1.
    pub change: f64,
    /// The probability of a difference at least as large between equal runs.
    pub probability: f64,
    /// Whether that is too small to be chance, all figures considered.
    pub significant: bool,
}

impl Change {
    /// How much worse it is now, relative; negative: better. A rate is better when higher.
    pub fn regression(&self) -> f64 {
        if self.figure == Figure::Rate { self.before / self.now - 1.0 } else { self.change }
    }
}

/// Every figure that both runs support, in order: all together, then each scenario that both have.
///
/// # Errors
/// Why nothing can be said.
pub fn compare(before: &Measurement, now: &Measurement) -> Result<Vec<Change>, String> {
    for (windows, which) in [(&before.windows, "the baseline"), (&now.windows, "this run")] {
        if windows.len() < noise::LEAST_WINDOWS {
            let least = noise::LEAST_WINDOWS;
            return Err(format!(
                "{which} is too short: it takes {least} s at least to know how figures vary"
            ));
        }
    }
    let same = |name: &String| now.scenarios.iter().find(|(n, _)| n == name);
    let pairs = before.scenarios.iter().filter_map(|(name, b)| Some((Some(name), b, &same(name)?.1)));
    // With one scenario it is the whole run.
    let several = before.scenarios.len() > 1 || now.scenarios.len() > 1;
    let all = std::iter::once((None, &before.total, &now.total)).chain(pairs.filter(|_| several));
    let mut changes = Vec::new();
    for (name, b, n) in all {
        for figure in Figure::ALL {
            let variance =
                Variance::of(figure, b, &before.windows).zip(Variance::of(figure, n, &now.windows));
            let values = figure.of(b).zip(figure.of(n));
            if let (Some((vb, vn)), Some((before, now))) = (variance, values) {
                let probability = probability((now / before).ln(), [vb, vn]);
                let (scenario, change) = (name.cloned(), now / before - 1.0);
                changes.push(Change {
                    scenario,
                    figure,
                    before,
                    now,
                    change,
                    probability,
                    significant: false,
                });
            }
        }
    }
    let each = ALPHA / changes.len().max(1) as f64;
    changes.iter_mut().for_each(|change| change.significant = change.probability < each);
    if changes.is_empty() { Err("no figure is supported by both runs".to_owned()) } else { Ok(changes) }
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Failed: a figure is worse by more than is allowed, and not by chance.
    pub outcome: Outcome,
    /// Every figure compared.
    pub changes: Vec<Change>,
    /// Why nothing can be concluded.
    pub reason: Option<String>,
}

/// An earlier run that this one is held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Against {
    /// The file it was read from.
    pub source: String,
    /// How much worse a figure may be, relative.
    pub max_regression: f64,
    /// Whether it is of the same plan.
    pub same_plan: bool,
    /// The earlier run.
    pub baseline: Baseline,
}

/// Compare and judge: a figure that is worse by more than is allowed, and not by chance, fails, unless
/// our own error may be why. As every gate it passes only when the asked load was offered.
pub fn judge(against: &Against, now: &Measurement, context: Context) -> Compared {
    let changes = match compare(&against.baseline.measurement, now) {
        Ok(changes) => changes,
        Err(reason) => {
            return Compared { outcome: Outcome::Inconclusive, changes: Vec::new(), reason: Some(reason) };
        }
    };
    let is_bad = |c: &&Change| c.significant && c.regression() > against.max_regression;
    let bad: Vec<&Change> = changes.iter().filter(is_bad).collect();
    let offered = context.instrument.offered_ratio.is_none_or(|ratio| ratio >= OFFERED_RATIO_TO_PASS);
    let (outcome, reason) = if bad.iter().any(|c| !is_excused(c, against.max_regression, now, context)) {
        (Outcome::Failed, None)
    } else if !bad.is_empty() {
        (Outcome::Inconclusive, Some("worse, but this generator may be why".to_owned()))
    } else if !(offered && against.baseline.offered) {
        (Outcome::Inconclusive, Some("the asked load was not offered in both runs".to_owned()))
    } else {
        (Outcome::Passed, None)
    };
    Compared { outcome, changes, reason }
}

/// Whether our own error may be why a figure is as bad as it is.
fn is_excused(change: &Change, max_regression: f64, now: &Measurement, context: Context) -> bool {
    let side = match &change.scenario {
        Some(name) => now.scenarios.iter().find(|(n, _)| n == name).map(|(_, side)| side),
        None => Some(&now.total),
    };
    let statistic = match (change.figure, change.figure.quantile()) {
        (Figure::Rate, _) => return not_offered_by_us(context).is_some(),
        (_, Some(q)) => Statistic::Quantile(q),
        _ => Statistic::Mean,
    };
    let limit_ns = (change.before * (1.0 + max_regression)) as u64;
    side.is_some_and(|side| {
        ours_may_explain(&side.response_time, Timing::Response, statistic, limit_ns, context)
    })
}
