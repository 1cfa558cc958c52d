//! The fleet: a row for each worker, and the shortcomings of the result.

use maud::{Markup, html};

use super::sections::table;
use super::source::Source;
use crate::report::format::{count, percent, time};
use crate::report::sanitize::one_line;

const HEADER: [&str; 9] =
    ["worker", "where", "state", "share", "sent", "dropped", "busy", "send delay 99 %", "throttled"];

/// Empty for a run without workers.
pub(crate) fn section(source: &Source) -> Markup {
    let Some(fleet) = &source.snapshot.fleet else { return html! {} };
    let rows = html! {
        @for row in &fleet.rows {
            tr {
                th scope="row" { (row.worker.0) }
                td class="text" { (one_line(&row.host)) }
                td class="text" { (row.mark.name()) }
                td { (row.shard.map_or("–".to_owned(), |part| format!("{} of {}", part.slot + 1, part.of))) }
                td { (count(row.totals.sent)) }
                td { (count(row.totals.dropped)) }
                td { (percent(row.health.busy)) }
                td { (row.health.send_delay_p99_ns.map_or("–".to_owned(), time)) }
                td { (time(row.health.throttled_ns)) }
            }
        }
    };
    let shortcomings = fleet.shortcomings();
    html! {
        section aria-labelledby="fleet" {
            h2 id="fleet" { "The fleet" }
            @if !shortcomings.is_empty() {
                ul class="reasons" { @for what in &shortcomings { li { (one_line(what)) } } }
            }
            (table("Workers", &HEADER, rows))
            @if let Some(bound) = fleet.start_skew_bound_ns {
                p { "Two workers' starts lie at most " (time(bound)) " apart." }
            }
        }
    }
}
