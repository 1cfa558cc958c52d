//! What all charts have in common: their input, titles, captions, and the axis of times.

use maud::{Markup, html};

use crate::report::svg::{Axis, Chart, Scale, Series, chart, time_ticks};
use crate::run::Snapshot;

/// The input of a chart.
pub(crate) struct View<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// Maximum points per line.
    pub(crate) most_points: usize,
    /// The least end of the axis of elapsed time, in seconds; `None`: the end of the measured time.
    pub(crate) until_s: Option<f64>,
}

/// The charts' titles, in page order.
pub(super) const TITLES: [&str; 4] =
    ["Rate and errors over time", "Latency over time", "Latency by percentile", "Slip over time"];

/// The caption below each title.
pub(super) const NOTES: [&str; TITLES.len()] = [
    "Requests per second, by how they ended.",
    "Response time is what a user feels, service time what the target takes. 50 % is drawn for each second, 99 % \
     for as many seconds as 1,000 requests take (90 % and 100 in a small run).",
    "Share of requests that took at most so long. The curve ends where fewer than ten samples are left.",
    "How late requests left after they were due, for as many seconds as 1,000 requests take (100 for 90 %).",
];
/// Replaces the first note where the plan has a rate.
const NOTE_WITH_RATE: &str = "Requests per second: asked by the plan, offered (sent), and how they ended.";

pub(super) fn rate_note(snapshot: &Snapshot) -> &'static str {
    if snapshot.run.target_rate.is_some() { NOTE_WITH_RATE } else { NOTES[0] }
}

pub(super) fn figure(note: &str, drawn: &Chart) -> Markup {
    html! {
        figure {
            figcaption { h3 { (drawn.title) } p { (note) } }
            (chart(drawn))
        }
    }
}

/// An axis that covers every time of the series, in nanoseconds.
pub(super) fn time_axis(series: &[Series]) -> Axis {
    let values = || series.iter().flat_map(|s| s.points.iter().flatten()).map(|p| p.y);
    let scale = Scale::for_spread(values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    Axis { name: "time", scale, ticks: time_ticks(&scale) }
}
