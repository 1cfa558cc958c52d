//! Thresholds, broken expectations and the baseline comparison in the summary.

use super::line::{Style, begin};
use super::page::Page;
use crate::report::compared::{self, ChangeKind};
use crate::report::figures::{BrokenExpectation, Threshold};
use crate::report::sanitize::one_line;
use crate::report::threshold;
use crate::run::Snapshot;
use crate::verdict::baseline::Change;

/// Broken expectations shown: a screenful; the report file has all.
const MOST_BROKEN: usize = 10;
/// Significant changes shown: a screenful; the report file has all.
const MOST_CHANGES: usize = 20;
/// Columns shown of a response body.
const EXCERPT_COLUMNS: usize = 120;

/// The plan's thresholds: result, figure and distance from the limit.
pub(crate) fn thresholds(page: &mut Page, snapshot: &Snapshot) {
    let thresholds = Threshold::all(snapshot);
    if thresholds.is_empty() {
        return;
    }
    page.blank();
    page.heading("thresholds");
    let rows: Vec<_> = thresholds.iter().map(threshold_row).collect();
    page.columns(2, &rows);
}

fn threshold_row(threshold: &Threshold) -> (Style, Vec<String>) {
    let style = match threshold.result {
        "passed" => Style::Good,
        "failed" => Style::Bad,
        _ => Style::Warn,
    };
    let name = one_line(&threshold.expression);
    (style, vec![threshold.result.to_owned(), name, threshold::account(threshold)])
}

/// The first broken expectations of each kind.
pub(crate) fn broken_expectations(page: &mut Page, snapshot: &Snapshot) {
    let broken = BrokenExpectation::all(snapshot);
    if broken.is_empty() {
        return;
    }
    page.blank();
    page.heading("broken expectations (first of each kind)");
    for one in broken.iter().take(MOST_BROKEN) {
        page.paragraph(2, &format!("\"{}\": {}", one_line(one.scenario), one_line(one.what)));
        if !one.excerpt.is_empty() {
            let excerpt = begin(&one_line(one.excerpt), EXCERPT_COLUMNS);
            page.paragraph(4, &format!("status {}, body {excerpt}", one.status));
        }
    }
    if let more @ 1.. = broken.len().saturating_sub(MOST_BROKEN) {
        page.paragraph(2, &format!("and {more} more: --report FILE.json holds them all"));
    }
}

/// The comparison with the baseline: every significant or undecided change, and the others of
/// the whole run.
pub(crate) fn baseline(page: &mut Page, snapshot: &Snapshot) {
    let (Some(against), Some(compared)) = (snapshot.run.baseline.as_deref(), snapshot.comparison()) else {
        return;
    };
    page.blank();
    let title = format!("against {}: {}", compared::against(against), compared.outcome.name());
    page.heading(&title);
    compared::remarks(against, &compared).iter().for_each(|remark| page.paragraph(2, remark));
    let limit = against.max_regression;
    let (telling, other): (Vec<&Change>, Vec<&Change>) =
        compared.changes.iter().partition(|c| c.significant || c.is_undecided(limit));
    let has_none = !telling.iter().any(|c| c.significant);
    if has_none && compared.reason.is_none() && !compared.changes.is_empty() {
        page.paragraph(2, &compared::answer(against, &compared));
    }
    let all_together: Vec<&Change> = other.into_iter().filter(|c| c.scenario.is_none()).collect();
    let large = |change: &&&Change| !change.significant && change.regression().abs() > limit;
    let reasons: Vec<String> = telling
        .iter()
        .chain(&all_together)
        .filter(|change| change.scenario.is_none())
        .filter(large)
        .filter_map(|change| {
            Some(format!("{}: {}", change.figure.name(), compared::not_significant_because(change)?))
        })
        .collect();
    let rows: Vec<_> = telling
        .iter()
        .take(MOST_CHANGES)
        .chain(&all_together)
        .map(|change| change_row(change, limit))
        .collect();
    if !rows.is_empty() {
        page.columns(2, &rows);
    }
    reasons.iter().for_each(|reason| page.paragraph(2, reason));
    if let more @ 1.. = telling.len().saturating_sub(MOST_CHANGES) {
        page.paragraph(2, &format!("and {more} more: --report FILE.json holds them all"));
    }
}

fn change_row(change: &Change, max_regression: f64) -> (Style, Vec<String>) {
    let kind = ChangeKind::of(change, max_regression);
    let style = match kind {
        ChangeKind::Worse => Style::Bad,
        ChangeKind::Allowed | ChangeKind::Undecided => Style::Warn,
        ChangeKind::Better => Style::Good,
        ChangeKind::Chance => Style::Plain,
    };
    let cells = [
        kind.name().to_owned(),
        compared::whose(change),
        change.figure.name().to_owned(),
        format!("{} ({})", compared::values(change).join(" -> "), compared::moved(change)),
    ];
    (style, cells.into())
}
