//! The gates of a run in the summary: what decides its exit code.

use super::page::{Ink, Page, harmless, shorten};
use crate::plan::Threshold;
use crate::report::Snapshot;
use crate::report::figures::BrokenExpectation;
use crate::report::format::percent;
use crate::verdict::threshold::{self, Evaluation, Outcome as Gate};

/// Broken expectations shown: a screenful; the report file has them all.
const MOST_BROKEN: usize = 10;
/// Columns of a response shown.
const EXCERPT_COLUMNS: usize = 120;

/// The plan's thresholds: how each came out, the figure and how far it is from the limit.
pub fn thresholds(page: &mut Page, snapshot: &Snapshot) {
    let evaluations = snapshot.thresholds();
    if evaluations.is_empty() {
        return;
    }
    page.blank();
    page.paragraph(Ink::Strong, 0, "thresholds");
    let rows: Vec<_> = snapshot.run.thresholds.iter().zip(&evaluations).map(threshold_row).collect();
    page.columns(2, &rows);
}

fn threshold_row((threshold, evaluation): (&Threshold, &Evaluation)) -> (Ink, Vec<String>) {
    let ink = match evaluation.outcome {
        Gate::Passed => Ink::Good,
        Gate::Failed => Ink::Bad,
        Gate::Inconclusive => Ink::Warn,
    };
    let observed = evaluation.observed.map_or("–".to_owned(), |v| threshold::print(threshold.metric, v));
    let mut said = Vec::new();
    said.extend(evaluation.margin.map(|margin| {
        let side = if margin < 0.0 { "over" } else { "to spare" };
        format!("{} {side}", percent(margin.abs()))
    }));
    said.extend(evaluation.reason.as_deref().map(harmless));
    let cells =
        [evaluation.outcome.name().to_owned(), harmless(&threshold.expression), observed, said.join("; ")];
    (ink, cells.into())
}

/// `1 of 3 thresholds does not hold (p99 < 250ms)`.
pub fn thresholds_that(snapshot: &Snapshot, outcome: Gate, one: &str, several: &str) -> String {
    let both = snapshot.run.thresholds.iter().zip(snapshot.thresholds());
    let named: Vec<String> =
        both.filter(|(_, e)| e.outcome == outcome).map(|(t, _)| harmless(&t.expression)).collect();
    let verb = if named.len() == 1 { one } else { several };
    let of = snapshot.run.thresholds.len();
    match named.as_slice() {
        [only] => format!("1 of {of} thresholds {verb} ({only})"),
        _ => format!("{} of {of} thresholds {verb}", named.len()),
    }
}

/// Which expectations were broken first, and by what.
pub fn broken_expectations(page: &mut Page, snapshot: &Snapshot) {
    let broken = BrokenExpectation::all(snapshot);
    if broken.is_empty() {
        return;
    }
    page.blank();
    page.paragraph(Ink::Strong, 0, "broken expectations (first of each kind)");
    for one in broken.iter().take(MOST_BROKEN) {
        page.paragraph(Ink::Plain, 2, &format!("\"{}\": {}", harmless(one.scenario), harmless(one.what)));
        if !one.excerpt.is_empty() {
            let excerpt = shorten(&harmless(one.excerpt), EXCERPT_COLUMNS);
            page.paragraph(Ink::Plain, 4, &format!("status {}, body {excerpt}", one.status));
        }
    }
    if let more @ 1.. = broken.len().saturating_sub(MOST_BROKEN) {
        page.paragraph(Ink::Plain, 2, &format!("and {more} more: --report FILE.json holds them all"));
    }
}
