//! Compares a run with an earlier one, figure by figure, and judges what it finds.

use std::collections::BTreeMap;

use super::measurement::{Baseline, Figure, MeasuredGroup, Measurement};
use super::noise::{self, Variance, probability};
use super::plan_match::PlanMatch;
use super::shares::Difference;
use crate::plan::{Statistic, Timing, quoted};
use crate::units::{plural, print_duration, print_percent};
use crate::verdict::threshold::{
    Context, OFFERED_RATIO_TO_PASS, Outcome, not_offered_by_us, ours_may_explain,
};

/// The default limit of a regression, as a fraction.
pub(crate) const DEFAULT_MAX_REGRESSION: f64 = 0.1;
/// A run of so many seconds shows how far its longer stretches lie apart.
const LONG_SECONDS: u64 = 60;
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolution {
    /// Requests with a response time.
    pub samples: [u64; 2],
    /// The standard deviation of the figure from window to window of the whole run, relative.
    pub spread: [f64; 2],
    /// The windows' figure whose spread that is: p99 where an earlier report has no better.
    pub witness: [Figure; 2],
    /// The smallest change that would have been significant, in the direction of the one found.
    pub detectable: f64,
    /// How many times as long both runs would have to be for the one found to be; `None`: it is, or longer runs
    /// would not help.
    pub times_longer: Option<f64>,
}

impl Change {
    /// How much worse the figure is now, relative; negative: better. A rate is better when higher.
    pub fn regression(&self) -> f64 {
        if self.figure == Figure::Rate { self.before / self.now - 1.0 } else { self.change }
    }

    /// Whether it is worse by more than a relative `max_regression`, and chance may be why.
    pub(crate) fn is_undecided(&self, max_regression: f64) -> bool {
        !self.significant && self.regression() > max_regression
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
    let noise = [before, now].map(|run| Figure::ALL.map(|figure| Variance::of_windows(figure, &run.windows)));
    let pairs: Vec<(Option<&String>, [&MeasuredGroup; 2])> = all.map(|(name, b, n)| (name, [b, n])).collect();
    let compared = |(name, sides): &(Option<&String>, [&MeasuredGroup; 2])| {
        let each = Figure::ALL.into_iter().enumerate().filter_map(|(i, figure)| {
            let variance = |run: usize| noise[run][i]?.with_samples_of(figure, sides[run]);
            let values = [figure.of(sides[0])?, figure.of(sides[1])?];
            let variances = [variance(0)?, variance(1)?];
            Some(Found::of(name.cloned(), figure, values, variances, (*sides, [before, now])))
        });
        each.collect::<Vec<_>>()
    };
    let found: Vec<Found> = pairs.iter().flat_map(compared).collect();
    let each = ALPHA / found.len().max(1) as f64;
    let changes: Vec<Change> = found.into_iter().map(|found| found.judged(each)).collect();
    if changes.is_empty() { Err("no figure has enough samples in both runs".to_owned()) } else { Ok(changes) }
}

/// A change whose significance depends on how many there are.
struct Found {
    change: Change,
    variances: [Variance; 2],
    /// How the shares of slower requests differ, where that may decide.
    shares: Option<Difference>,
}

impl Found {
    fn of(
        scenario: Option<String>,
        figure: Figure,
        values: [f64; 2],
        variances: [Variance; 2],
        (sides, runs): ([&MeasuredGroup; 2], [&Measurement; 2]),
    ) -> Self {
        let [before, now] = values;
        let by_windows = probability((now / before).ln(), variances);
        // A difference that windows explain needs no second look.
        let shares = if by_windows < ALPHA { Difference::of(figure, values, sides, runs) } else { None };
        let by_shares = shares.as_ref().map_or(0.0, Difference::probability);
        let change = Change {
            scenario,
            figure,
            before,
            now,
            change: now / before - 1.0,
            probability: by_windows.max(by_shares),
            significant: false,
            resolution: Resolution {
                samples: sides.map(|side| side.response_time.count()),
                spread: variances.map(|variance| variance.spread()),
                witness: variances.map(|variance| variance.witness().unwrap_or(figure)),
                detectable: 0.0,
                times_longer: None,
            },
        };
        Self { change, variances, shares }
    }

    /// The change, significant if equal runs show one as large with less than this probability.
    fn judged(self, each: f64) -> Change {
        let Self { mut change, variances, shares } = self;
        change.significant = change.probability < each;
        let difference = noise::exceeded_with(each, variances);
        let by_shares = shares.as_ref().map_or(0.0, |shares| shares.exceeded_with(each));
        change.resolution.detectable = detectable(&change, difference.max(by_shares));
        if !change.significant {
            let by_windows = noise::times_longer((change.now / change.before).ln(), each, variances);
            let by_shares = shares.map_or(Some(1.0), |shares| shares.times_longer(each));
            change.resolution.times_longer = by_windows.zip(by_shares).map(|(a, b)| a.max(b));
        }
        change
    }
}

/// The smallest significant change in the direction of `change`, from its logarithm.
fn detectable(change: &Change, difference: f64) -> f64 {
    let found = (change.now / change.before).ln();
    // Which is known to a hundredth; what was found decides.
    let difference =
        if change.significant { difference.min(found.abs()) } else { difference.max(found.abs()) };
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
/// error may be the cause. Like a threshold, it passes only if the asked load was offered. If a figure is worse by
/// more than allowed and chance may be why, nobody knows.
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
    } else if let Some(why) = undecided(&changes, against.max_regression, now.windows.len()) {
        (Outcome::Inconclusive, Some(why))
    } else {
        (Outcome::Passed, None)
    };
    Compared { outcome, changes, reason }
}

/// Which figures are worse by more than allowed, though chance may be why, and what to do; `None`: none. `seconds`: how
/// long this run measured.
fn undecided(changes: &[Change], max_regression: f64, seconds: usize) -> Option<String> {
    let undecided = || changes.iter().filter(|c| c.is_undecided(max_regression));
    let worst = undecided().max_by(|a, b| a.regression().total_cmp(&b.regression()))?;
    let percent =
        |share: f64| format!("{}{}", if share < 0.0 { "-" } else { "+" }, print_percent(share.abs()));
    let figure = match &worst.scenario {
        Some(name) => format!("{} of {}", worst.figure.name(), quoted(name)),
        None => worst.figure.name().to_owned(),
    };
    let others = match undecided().count() - 1 {
        0 => String::new(),
        n => format!(", and {} too", plural(n as u64, "other figure")),
    };
    let longest = undecided().map(|c| c.resolution.times_longer).reduce(|a, b| Some(a?.max(b?))).flatten();
    let now_s = seconds as f64;
    let remedy = match longest.map(|times| round_up((times * now_s).max(now_s + 1.0))) {
        // What flutters from second to second evens out in a run of many seconds.
        None if seconds < LONG_SECONDS as usize => measure_for(LONG_SECONDS),
        None => "longer runs would not help: make the target or its machine steadier, or allow more with \
                 --max-regression"
            .to_owned(),
        Some(enough) => measure_for(enough),
    };
    Some(format!(
        "{figure} is worse by more than {} ({}){others}, but equal runs may differ by {}; {remedy}",
        print_percent(max_regression),
        percent(worst.change),
        percent(worst.resolution.detectable),
    ))
}

fn measure_for(seconds: u64) -> String {
    let length = print_duration(seconds * 1_000_000_000);
    format!("let this run and the baseline measure for {length} each")
}

/// Seconds as one would write them: 37 as 40, 130 as 180.
fn round_up(seconds: f64) -> u64 {
    let step = if seconds <= 60.0 { 5.0 } else { 60.0 };
    ((seconds / step).ceil() * step) as u64
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

#[cfg(test)]
mod tests {
    use super::*;

    fn p95(regression: f64, significant: bool, times_longer: Option<f64>) -> Change {
        Change {
            scenario: None,
            figure: Figure::P95,
            before: 1e6,
            now: 1e6 * (1.0 + regression),
            change: regression,
            probability: 0.05,
            significant,
            resolution: Resolution {
                samples: [1_000; 2],
                spread: [0.1; 2],
                witness: [Figure::P95; 2],
                detectable: regression * 1.5,
                times_longer,
            },
        }
    }

    #[test]
    fn only_what_is_worse_than_allowed_and_not_significant_is_undecided() {
        for (change, is_undecided) in [
            (p95(0.3, false, Some(2.0)), true),
            (p95(0.3, true, None), false),
            (p95(0.05, false, Some(100.0)), false),
            (p95(-0.3, false, Some(2.0)), false),
        ] {
            assert_eq!(
                undecided(std::slice::from_ref(&change), 0.1, 10).is_some(),
                is_undecided,
                "{change:?}"
            );
        }
    }

    #[test]
    fn the_reason_names_the_worst_figure_and_how_long_to_measure() {
        let why = |changes: &[Change], seconds| undecided(changes, 0.1, seconds).unwrap();
        let one = p95(0.3, false, Some(3.7));
        assert_eq!(
            why(std::slice::from_ref(&one), 10),
            "p95 is worse by more than 10.0 % (+30.0 %), but equal runs may differ by +45.0 %; let this run and the \
             baseline measure for 40s each"
        );
        let worse = Change { scenario: Some("Get users".to_owned()), ..p95(0.5, false, Some(9.0)) };
        let both = why(&[one.clone(), worse], 20);
        assert!(both.starts_with(
            "p95 of `Get users` is worse by more than 10.0 % (+50.0 %), and 1 other figure too"
        ));
        assert!(both.ends_with("measure for 3m each"), "{both}");
        // It takes longer in any case.
        assert!(why(&[p95(0.3, false, Some(1.0))], 10).ends_with("15s each"));
        let hopeless = p95(0.3, false, None);
        assert!(
            why(std::slice::from_ref(&hopeless), 5).ends_with("measure for 1m each"),
            "a few seconds tell little"
        );
        assert!(why(&[one, hopeless], 60).contains("longer runs would not help"));
    }
}
