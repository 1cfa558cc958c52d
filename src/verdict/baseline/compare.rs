//! Compares a run with an earlier one, figure by figure, and judges what it finds.

use std::collections::BTreeMap;

use super::measurement::{Baseline, Figure, MeasuredGroup, Measurement};
use super::noise::{self, Variance, probability};
use super::plan_match::PlanMatch;
use crate::plan::{Statistic, Timing};
use crate::verdict::threshold::{
    Context, OFFERED_RATIO_TO_PASS, Outcome, not_offered_by_us, ours_may_explain,
};

/// The default limit of a regression, as a fraction.
pub(crate) const DEFAULT_MAX_REGRESSION: f64 = 0.1;
/// The probability that two equal runs are called different, over all their figures.
pub(crate) const ALPHA: f64 = 0.02;

/// One figure in the baseline and now.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The scenario's name; `None`: all together.
    pub scenario: Option<String>,
    /// The figure compared.
    pub figure: Figure,
    /// Its value in the baseline: nanoseconds, or per second.
    pub before: f64,
    /// Its value in this run, in the same unit.
    pub now: f64,
    /// Now ÷ before − 1.
    pub change: f64,
    /// The probability of a difference at least as large between equal runs.
    pub probability: f64,
    /// Whether that is too small to be chance, corrected for the number of figures.
    pub significant: bool,
    /// What decides how large a difference can be told from chance.
    pub resolution: Resolution,
}

/// What decides how large a difference can be told from chance: of the baseline, and of this run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resolution {
    /// Requests with a response time.
    pub samples: [u64; 2],
    /// The standard deviation of the figure from window to window of the whole run, relative.
    pub spread: [f64; 2],
    /// The smallest change that would have been significant, in the direction of the one found.
    pub detectable: f64,
}

impl Change {
    /// How much worse the figure is now, relative; negative: better. A rate is better when higher.
    pub fn regression(&self) -> f64 {
        if self.figure == Figure::Rate { self.before / self.now - 1.0 } else { self.change }
    }
}

/// Compares every figure that both runs support, in order: all together, then each scenario that both have.
///
/// # Errors
/// Why they cannot be compared.
pub fn compare(before: &Measurement, now: &Measurement) -> Result<Vec<Change>, String> {
    for (windows, which) in [(&before.windows, "the baseline"), (&now.windows, "this run")] {
        if windows.len() < noise::LEAST_WINDOWS {
            let least = noise::LEAST_WINDOWS;
            return Err(format!(
                "{which} is too short: it takes {least} s at least to know how figures vary"
            ));
        }
    }
    let by_name: BTreeMap<&str, &MeasuredGroup> =
        now.scenarios.iter().map(|(n, side)| (n.as_str(), side)).collect();
    let same = |name: &str| by_name.get(name).copied();
    let pairs = before.scenarios.iter().filter_map(|(name, b)| Some((Some(name), b, same(name)?)));
    // With one scenario it is the whole run.
    let several = before.scenarios.len() > 1 || now.scenarios.len() > 1;
    let all = std::iter::once((None, &before.total, &now.total)).chain(pairs.filter(|_| several));
    let (mut changes, mut variances) = (Vec::new(), Vec::new());
    for (name, b, n) in all {
        for figure in Figure::ALL {
            let variance =
                Variance::of(figure, b, &before.windows).zip(Variance::of(figure, n, &now.windows));
            let values = figure.of(b).zip(figure.of(n));
            if let (Some((vb, vn)), Some((before, now))) = (variance, values) {
                let probability = probability((now / before).ln(), [vb, vn]);
                let (scenario, change) = (name.cloned(), now / before - 1.0);
                let resolution = Resolution {
                    samples: [b, n].map(|side| side.response_time.count()),
                    spread: [vb, vn].map(|variance| variance.spread()),
                    detectable: 0.0,
                };
                variances.push([vb, vn]);
                changes.push(Change {
                    scenario,
                    figure,
                    before,
                    now,
                    change,
                    probability,
                    significant: false,
                    resolution,
                });
            }
        }
    }
    let each = ALPHA / changes.len().max(1) as f64;
    for (change, runs) in changes.iter_mut().zip(variances) {
        change.significant = change.probability < each;
        change.resolution.detectable = detectable(change, noise::exceeded_with(each, runs));
    }
    if changes.is_empty() { Err("no figure has enough samples in both runs".to_owned()) } else { Ok(changes) }
}

/// The smallest significant change in the direction of `change`, from its logarithm.
fn detectable(change: &Change, difference: f64) -> f64 {
    let found = (change.now / change.before).ln();
    // Which is known to a hundredth; what was found decides.
    let difference = if change.significant { difference } else { difference.max(found.abs()) };
    if found < 0.0 { (-difference).exp_m1() } else { difference.exp_m1() }
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    /// Failed: a figure is worse by more than allowed, and not by chance.
    pub(crate) outcome: Outcome,
    /// Every figure compared.
    pub(crate) changes: Vec<Change>,
    /// Why it is inconclusive.
    pub(crate) reason: Option<String>,
}

/// An earlier run to compare with.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselineRun {
    /// The file it was read from.
    pub source: String,
    /// How much worse a figure may be, relative.
    pub max_regression: f64,
    /// How its plan relates to this run's.
    pub plan: PlanMatch,
    /// The earlier run.
    pub baseline: Baseline,
}

/// Compare and judge: a figure that is worse by more than allowed, and not by chance, fails, unless our own
/// error may be the cause. Like a threshold, it passes only if the asked load was offered.
pub(crate) fn judge(against: &BaselineRun, now: &Measurement, context: Context) -> Compared {
    if against.baseline.measurement.total.rate.is_none_or(|rate| rate <= 0.0) {
        let reason = Some("in the baseline no request ended ok".to_owned());
        return Compared { outcome: Outcome::Inconclusive, changes: Vec::new(), reason };
    }
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

/// Whether our own error may explain why a figure is as bad as it is.
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
