//! A coordinator's workers: their states, and which were missing from when on.

use maud::{Markup, html};

use super::sections::table;
use super::source::Source;
use crate::report::fleet::{FleetFigures, WorkerFigures};
use crate::report::format::{count, percent, time};
use crate::report::sanitize::one_line;
use crate::units::plural;

/// Empty without a fleet.
pub(crate) fn section(source: &Source) -> Markup {
    let Some(of_source) = &source.snapshot.fleet else { return html! {} };
    let fleet = of_source.figures();
    let rows = html! {
        @for worker in &fleet.workers {
            tr class=(format!("worker {}", tone(stands(worker)))) {
                th scope="row" { "worker " (worker.worker) }
                td { span class=(format!("state {}", tone(stands(worker)))) { (stands(worker)) } }
                td { (count(worker.sent)) }
                td { (count(worker.completed)) }
                td { (count(worker.failed)) }
                td { (percent(worker.busy)) }
                td { (nanoseconds(worker.cpu_throttled_seconds)) }
                td { (heard(worker)) }
                td class="text" { (worker.host) }
            }
        }
    };
    let header = ["worker", "state", "sent", "ok", "failed", "busy", "throttled", "last heard", "host"];
    html! {
        section aria-labelledby="workers" {
            h2 id="workers" { "Workers" }
            (table("Workers", &header, rows))
            p class="note" {
                @if fleet.plan_from.is_some() { strong { "Note: " (of_source.origin()) ". " } }
                (notes(&fleet))
            }
        }
    }
}

/// A worker's state as reported, or `silent`.
fn stands(worker: &WorkerFigures) -> &'static str {
    if worker.silent { "silent" } else { worker.state }
}

/// The CSS class of a state: red for lost workers, amber for those that may be, green for working or finished
/// ones.
fn tone(state: &str) -> &'static str {
    match state {
        "lost" | "left" | "failed" => "bad",
        "replaced" | "silent" => "warn",
        "running" | "draining" | "done" => "good",
        _ => "calm",
    }
}

fn heard(worker: &WorkerFigures) -> String {
    match worker.gone_from {
        Some(at) => format!("at {} of the run", nanoseconds(at)),
        None => format!("{} ago", nanoseconds(worker.last_seen_ago)),
    }
}

fn notes(fleet: &FleetFigures) -> Markup {
    let skew = fleet.start_skew_bound.map(nanoseconds);
    html! {
        @if let Some(waiting) = &fleet.waiting { "Not begun: " (waiting.text) ". " }
        @if let Some(skew) = skew { "Starts lie at most " (skew) " apart. " }
        @if let Some(why) = &fleet.stopped { strong { "Stopped: " (one_line(why)) ". " } }
        @if !fleet.missing.is_empty() {
            strong { (plural(fleet.missing.len() as u64, "worker")) " did not say their last word: what they did after their last report is not counted. " }
        }
        @if !fleet.unequal.is_empty() {
            strong { (plural(fleet.unequal.len() as u64, "worker")) " reported totals that are not the sum of their windows. " }
        }
    }
}

fn nanoseconds(seconds: f64) -> String {
    time((seconds.max(0.0) * 1e9).round() as u64)
}
