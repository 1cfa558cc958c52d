//! The texts for a comparison with an earlier run, shared by every page.

use super::format::{count, percent, rate, time};
use super::sanitize::one_line;
use crate::units::plural;
use crate::verdict::baseline::{BaselineRun, Change, Compared, Figure, Resolution};

/// The meaning of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    /// Significant, and worse by more than is allowed.
    Worse,
    /// Significant and worse, but within the allowed regression.
    Allowed,
    /// Significant and better.
    Better,
    /// Worse by more than is allowed, and within chance.
    Undecided,
    /// Within chance.
    Chance,
}

impl ChangeKind {
    /// Classify a change, allowing a relative regression of `max_regression`.
    pub(crate) fn of(change: &Change, max_regression: f64) -> Self {
        match change.regression() {
            _ if change.is_undecided(max_regression) => Self::Undecided,
            _ if !change.significant => Self::Chance,
            worse if worse > max_regression => Self::Worse,
            worse if worse > 0.0 => Self::Allowed,
            _ => Self::Better,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Allowed => "worse, within what is allowed",
            Self::Better => "better",
            Self::Undecided => "undecided",
            Self::Chance => "not significant",
        }
    }
}

/// What a change means, in words. A difference larger than allowed that is not significant is explained.
pub(crate) fn meaning(change: &Change, max_regression: f64) -> String {
    let kind = ChangeKind::of(change, max_regression);
    match not_significant_because(change) {
        Some(why) if change.regression().abs() > max_regression => format!("{}: {why}", kind.name()),
        _ => kind.name().to_owned(),
    }
}

/// Why the difference is not significant; `None`: it is.
pub(crate) fn not_significant_because(change: &Change) -> Option<String> {
    if change.significant {
        return None;
    }
    let Resolution { samples, spread, witness, detectable, .. } = change.resolution;
    let name = |figure: Figure| match figure {
        Figure::P50 => "the median",
        Figure::Rate => "the rate",
        Figure::Mean => "the mean",
        Figure::P90 | Figure::P95 | Figure::P99 => figure.name(),
    };
    let [then, now] = spread.map(percent);
    let varied = match witness {
        [a, b] if a == b => format!("{} varying by {then} and {now}", name(a)),
        // An earlier report has no other figure of the tail.
        [a, b] => format!("{} varying by {then} and {} by {now}", name(a), name(b)),
    };
    let beyond = format!("{}{}", sign(detectable), percent(detectable.abs()));
    Some(format!(
        "with {} then and {} now, and {varied} from second to second, only a change beyond {beyond} can be told from \
         chance",
        plural(samples[0], "request"),
        count(samples[1]),
    ))
}

const fn sign(change: f64) -> &'static str {
    if change < 0.0 { "-" } else { "+" }
}

/// The scenario of a change, or `all`.
pub(crate) fn whose(change: &Change) -> String {
    one_line(change.scenario.as_deref().unwrap_or("all"))
}

/// The figure before and now.
pub(crate) fn values(change: &Change) -> [String; 2] {
    [change.before, change.now].map(|value| match change.figure {
        Figure::Rate => rate(value),
        _ => time(value.round() as u64),
    })
}

/// The relative change with its sign.
pub(crate) fn moved(change: &Change) -> String {
    format!("{}{}", sign(change.change), percent(change.change.abs()))
}

/// The baseline's file and date.
pub(crate) fn against(against: &BaselineRun) -> String {
    let when = against.baseline.started_at.as_deref().map_or(String::new(), |at| format!(" of {at}"));
    one_line(&format!("{}{when}", against.source))
}

/// Remarks on the comparison.
pub(crate) fn remarks(against: &BaselineRun, compared: &Compared) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(compared.reason.clone());
    remarks.extend(against.baseline.doubt.clone());
    remarks.extend(against.plan.remark());
    remarks.iter().map(|remark| one_line(remark)).collect()
}

/// The result in one clause.
pub(crate) fn answer(against: &BaselineRun, compared: &Compared) -> String {
    let count = |meaning| {
        compared.changes.iter().filter(|c| ChangeKind::of(c, against.max_regression) == meaning).count()
    };
    let [worse, allowed, better] = [ChangeKind::Worse, ChangeKind::Allowed, ChangeKind::Better].map(count);
    let undecided = undecided(against, compared);
    let limit = percent(against.max_regression);
    match (worse, allowed, better) {
        (0, 0, 0) if compared.changes.is_empty() => "nothing could be compared".to_owned(),
        (0, _, _) if undecided > 0 => {
            format!("{} worse by more than {limit}, which may be chance", figures(undecided))
        }
        (0, 0, 0) => "no significant difference".to_owned(),
        (0, 0, n) => format!("{} better", figures(n)),
        (0, n, _) => format!("{} worse, by no more than {limit}", figures(n)),
        (n, _, _) => format!("{} worse by more than {limit}", figures(n)),
    }
}

/// How many figures are worse by more than allowed, though chance may be why.
pub(crate) fn undecided(against: &BaselineRun, compared: &Compared) -> usize {
    compared.changes.iter().filter(|c| c.is_undecided(against.max_regression)).count()
}

pub(crate) fn figures(n: usize) -> String {
    if n == 1 { "1 figure is".to_owned() } else { format!("{n} figures are") }
}

/// The figures among `changes` that are worse by more than allowed, with their values; `None`: none.
/// `p99 10.0 ms -> 12.1 ms (+21.0 %)`.
pub(crate) fn regressions<'a>(
    against: &BaselineRun,
    changes: impl IntoIterator<Item = &'a Change>,
) -> Option<String> {
    let regressions: Vec<String> = changes
        .into_iter()
        .filter(|c| ChangeKind::of(c, against.max_regression) == ChangeKind::Worse)
        .map(|c| {
            let [before, now] = values(c);
            format!("{} {before} -> {now} ({})", c.figure.name(), moved(c))
        })
        .collect();
    (!regressions.is_empty()).then(|| regressions.join(", "))
}
