//! The instrument section: this tool as a measuring device, with its own errors.

use maud::{Markup, html};

use super::sections::{facts_list, optional, table};
use super::source::Source;
use crate::report::figures::resends;
use crate::report::format::{count, percent, time};
use crate::report::sanitize::{one_line, unbroken};
use crate::run::State;
use crate::tally::{Counter, Timer, quantile};
use crate::units::plural;

/// Load threads listed open; more open on demand.
const MOST_OPEN_THREADS: usize = 8;

pub(crate) fn section(source: &Source) -> Markup {
    let judged = source.instrument;
    html! {
        section aria-labelledby="instrument" {
            h2 id="instrument" { "The instrument" }
            p { "What the load generator itself added to the figures above, measured in the same run." }
            @if !judged.trustworthy {
                h3 { "Reasons to doubt the measurement" }
                ul class="reasons" { @for reason in &judged.reasons { li { (unbroken(&one_line(reason))) } } }
            }
            // Before anything is measured, notes would be premature.
            @if !judged.notes.is_empty() && (source.snapshot.measured_ns > 0 || source.snapshot.state == State::Finished) {
                h3 { "Worth knowing" }
                ul { @for note in &judged.notes { li { (unbroken(&one_line(note))) } } }
            }
            (own_errors(source))
            (facts(source))
            (threads(source))
        }
    }
}

fn own_errors(source: &Source) -> Markup {
    let tally = &source.snapshot.tally;
    let errors = [
        (
            "slip",
            tally.timer(Timer::Slip),
            "a request was due until its send began, waiting for a free connection included",
        ),
        ("send delay", tally.timer(Timer::SendDelay), "the part of the slip that is our own"),
        ("receive delay", tally.timer(Timer::ReceiveDelay), "the kernel had the last byte until we read it"),
    ];
    let rows = html! {
        @for (name, histogram, what) in errors {
            tr {
                th scope="row" { (name) }
                @for q in [0.5, 0.99] { td { (optional(quantile::percentile(histogram, q))) } }
                td { (optional(histogram.max())) }
                td class="text" { (what) }
            }
        }
    };
    table("Own errors", &["own error", "50 %", "99 %", "max", "from … to"], rows)
}

fn facts(source: &Source) -> Markup {
    let (snapshot, tally) = (source.snapshot, &source.snapshot.tally);
    let stamps = match (snapshot.timestamps(), tally.counter(Counter::AbsurdStamps)) {
        ("kernel", 0) => "the kernel's, on the socket".to_owned(),
        ("kernel", n) => format!("the kernel's; {} impossible, replaced by our own", count(n)),
        _ => "our own, when a thread read the bytes".to_owned(),
    };
    let throttled = match snapshot.throttled_periods {
        0 => "none".to_owned(),
        n => format!("{} in {}", time(snapshot.throttled_ns), plural(n, "period")),
    };
    let offered = source.instrument.offered_ratio;
    let none = if source.run.model == "open" { "–" } else { "no rate was asked (closed model)" };
    let offered = offered.map_or(none.to_owned(), percent);
    facts_list(&[
        ("receive times", stamps),
        ("offered / asked", offered),
        ("CPU throttling", throttled),
        ("failed idle connects", count(tally.counter(Counter::ConnectFailures))),
        ("sent again", resends(tally).unwrap_or_else(|| count(tally.counter(Counter::Retried)))),
    ])
}

fn threads(source: &Source) -> Markup {
    let threads = &source.snapshot.threads;
    let rows = html! {
        @for (i, thread) in threads.iter().enumerate() {
            tr {
                th scope="row" { "thread " (i) }
                td { (thread.core.map_or("not pinned".to_owned(), |core| format!("core {core}"))) }
                td { (percent(thread.busy_ratio())) }
                td { meter min="0" max="1" value=(format!("{:.3}", thread.busy_ratio())) { (percent(thread.busy_ratio())) } }
            }
        }
    };
    if threads.is_empty() {
        return html! {};
    }
    html! {
        details open[threads.len() <= MOST_OPEN_THREADS] {
            summary { (plural(threads.len() as u64, "load thread")) }
            (table("Load threads", &["thread", "place", "busy", ""], rows))
        }
    }
}
