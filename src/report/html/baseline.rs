//! The comparison with an earlier run.

use maud::{Markup, html};

use super::sections::{sentence, table};
use super::source::Source;
use crate::report::compared::{self, ChangeKind};
use crate::units::plural;
use crate::verdict::baseline::Change;

/// Changes shown open: those of the whole run, significant ones, and those that decide nothing. The rest opens on demand.
fn is_shown_open(change: &Change, max_regression: f64) -> bool {
    change.significant || change.scenario.is_none() || change.is_undecided(max_regression)
}

pub(crate) fn section(source: &Source) -> Markup {
    let Some(against) = source.snapshot.run.baseline.as_deref() else { return html! {} };
    let Some(compared) = source.snapshot.comparison() else { return html! {} };
    let limit = against.max_regression;
    let (significant, other): (Vec<&Change>, Vec<&Change>) =
        compared.changes.iter().partition(|c| is_shown_open(c, limit));
    html! {
        section aria-labelledby="baseline" {
            h2 id="baseline" { "Against the baseline" }
            p {
                span class=(format!("result {}", compared.outcome.name())) { (sentence(compared.outcome.name())) }
                ": " (compared::answer(against, &compared)) ". Held against "
                span class="mono" { (compared::against(against)) } "."
            }
            @for remark in compared::remarks(against, &compared) { p class="note" { strong { (sentence(&remark)) "." } } }
            @if !significant.is_empty() { (table("Against the baseline", &HEADER, rows(&significant, limit))) }
            @if !other.is_empty() {
                details {
                    summary { (plural(other.len() as u64, "figure")) " of scenarios without a significant difference" }
                    (table("Without a significant difference", &HEADER, rows(&other, limit)))
                }
            }
            p class="note" {
                "A difference is significant when equal runs would show one as large less than once in fifty "
                "comparisons, going by how much windows and runs differ by themselves."
            }
        }
    }
}

const HEADER: [&str; 6] = ["scenario", "figure", "meaning", "change", "then", "now"];

fn rows(changes: &[&Change], max_regression: f64) -> Markup {
    html! {
        @for change in changes {
            @let [before, now] = compared::values(change);
            @let meaning = ChangeKind::of(change, max_regression);
            tr {
                th scope="row" { (compared::whose(change)) }
                td { (change.figure.name()) }
                td class="text" { span class=(class(meaning)) { (compared::meaning(change, max_regression)) } }
                td { (compared::moved(change)) }
                td { (before) }
                td { (now) }
            }
        }
    }
}

fn class(meaning: ChangeKind) -> &'static str {
    match meaning {
        ChangeKind::Worse => "result failed",
        ChangeKind::Allowed | ChangeKind::Undecided => "result inconclusive",
        ChangeKind::Better => "result passed",
        ChangeKind::Chance => "",
    }
}
