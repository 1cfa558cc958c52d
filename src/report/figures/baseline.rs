//! The comparison with an earlier run as figures.

use schemars::JsonSchema;
use serde::Serialize;

use crate::report::compared;
use crate::report::format::seconds;
use crate::run::Snapshot;
use crate::verdict::baseline::{Change, Figure};

/// What the run was held against and what came of it.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct BaselineFigures {
    /// The file.
    pub(crate) source: String,
    /// The digest of its plan.
    pub(crate) digest: String,
    /// When it was measured.
    pub(crate) started_at: Option<String>,
    /// Whether it is of the same plan, as far as can be told.
    pub(crate) same_plan: bool,
    /// What differs between the two plans.
    pub(crate) plan_remark: Option<String>,
    /// How much worse a figure may be, relative.
    pub(crate) max_regression: f64,
    /// `passed`, `failed` or `inconclusive`.
    pub(crate) result: &'static str,
    /// Why it is inconclusive.
    pub(crate) reason: Option<String>,
    /// Why the baseline itself is in doubt.
    pub(crate) doubt: Option<String>,
    /// Every figure compared.
    pub(crate) changes: Vec<ChangeFigures>,
}

/// One figure then and now; times in seconds, rates per second.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct ChangeFigures {
    /// Which scenario; `None`: all together.
    pub(crate) scenario: Option<String>,
    /// Which figure.
    pub(crate) figure: &'static str,
    /// Then.
    pub(crate) before: f64,
    /// Now.
    pub(crate) now: f64,
    /// Now ÷ before − 1.
    pub(crate) change: f64,
    /// The probability of a difference at least as large between equal runs.
    pub(crate) probability: f64,
    /// Whether that is too small to be chance, all figures considered.
    pub(crate) significant: bool,
    /// The smallest change in its direction that would have been significant.
    pub(crate) detectable: f64,
    /// Requests with a response time, then and now.
    pub(crate) samples: [u64; 2],
    /// The standard deviation of `spread_of` from second to second of the whole run, relative, then and now.
    pub(crate) spread: [f64; 2],
    /// The figure whose spread that is, then and now: p99 where an earlier report has no better.
    pub(crate) spread_of: [&'static str; 2],
    /// How many times as long both runs would have to measure for the change to be significant; null: it is, or longer
    /// runs would not help.
    pub(crate) times_longer: Option<f64>,
    /// Why the change is not significant, in one sentence; null: it is.
    pub(crate) explanation: Option<String>,
}

impl BaselineFigures {
    /// The figures of a finished run; `None`: it has no baseline.
    pub(crate) fn of(snapshot: &Snapshot) -> Option<Self> {
        let against = snapshot.run.baseline.as_deref()?;
        let compared = snapshot.comparison()?;
        Some(Self {
            source: against.source.clone(),
            digest: against.baseline.plan.digest.clone(),
            started_at: against.baseline.started_at.clone(),
            same_plan: against.plan.is_same(),
            plan_remark: against.plan.remark(),
            max_regression: against.max_regression,
            result: compared.outcome.name(),
            reason: compared.reason,
            doubt: against.baseline.doubt.clone(),
            changes: compared.changes.iter().map(ChangeFigures::of).collect(),
        })
    }
}

impl ChangeFigures {
    fn of(change: &Change) -> Self {
        let base =
            |value: f64| if change.figure == Figure::Rate { value } else { seconds(value.round() as u64) };
        Self {
            scenario: change.scenario.clone(),
            figure: change.figure.name(),
            before: base(change.before),
            now: base(change.now),
            change: change.change,
            probability: change.probability,
            significant: change.significant,
            detectable: change.resolution.detectable,
            samples: change.resolution.samples,
            spread: change.resolution.spread,
            spread_of: change.resolution.witness.map(Figure::name),
            times_longer: change.resolution.times_longer,
            explanation: compared::not_significant_because(change),
        }
    }
}
