//! The page's charts: latency by percentile, and the measured time window by window.

use maud::{Markup, html};

use super::source::Source;
use crate::report::format;
use crate::report::svg::{
    Axis, Chart, MAX_POINTS, PlotPoint, Scale, Series, chart, count_ticks, empty, percentile_ticks,
    second_ticks, thin, time_ticks,
};
use crate::run::{Snapshot, TimelinePoint};
use crate::tally::{Histogram, RowTime, quantile};

/// Points of a percentile curve per nine.
const POINTS_PER_NINE: u32 = 60;
/// Range of the percentile axis in nines: at least to 99 %, at most to 99.999 %.
const LEAST_NINES: u32 = 2;
const MOST_NINES: u32 = 5;
/// Windows measured for less than this share are too short for a rate.
const LEAST_SHARE_OF_WINDOW: f64 = 0.25;

/// The charts of a finished run, at full resolution.
pub(crate) fn all(source: &Source) -> Markup {
    let view = View { snapshot: source.snapshot, most_points: MAX_POINTS, until_s: None };
    let charts: Vec<Markup> = drawn(&view).into_iter().flatten().collect();
    if charts.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="charts" {
            h2 id="charts" class="spoken" { "Charts" }
            div class="charts" { @for chart in charts { (chart) } }
        }
    }
}

/// The input of a chart.
pub(crate) struct View<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// Maximum points per line.
    pub(crate) most_points: usize,
    /// The least end of the axis of elapsed time, in seconds; `None`: the last window's end.
    pub(crate) until_s: Option<f64>,
}

/// The charts' titles, in page order.
const TITLES: [&str; 4] =
    ["Rate and errors over time", "Latency over time", "Latency by percentile", "Slip over time"];

/// The caption below each title.
const NOTES: [&str; TITLES.len()] = [
    "Requests per second, by how they ended.",
    "Median and 99th percentile of each window: response time as a user feels it, service time as the target takes.",
    "Share of requests that took at most so long. The curve ends where fewer than ten samples are left.",
    "How late requests left after they were due.",
];
/// Replaces the first note where the plan has a rate.
const NOTE_WITH_RATE: &str = "Requests per second: asked by the plan, offered (sent), and how they ended.";

/// A placeholder for a chart without data, at a chart's height.
pub(crate) fn waiting(place: usize, snapshot: &Snapshot) -> Markup {
    let note = if place == 0 { rate_note(snapshot) } else { NOTES[place] };
    let why = match (place, snapshot.run.model) {
        (3, "closed") => "without a schedule nothing is late",
        _ => "nothing to draw yet",
    };
    html! {
        figure class="waiting" {
            figcaption { h3 { (TITLES[place]) } p { (note) } }
            (empty(why))
        }
    }
}

fn rate_note(snapshot: &Snapshot) -> &'static str {
    if snapshot.run.target_rate.is_some() { NOTE_WITH_RATE } else { NOTES[0] }
}

/// The charts, in the order of [`TITLES`]; `None`: no data.
pub(crate) fn drawn(view: &View) -> [Option<Markup>; TITLES.len()] {
    [throughput(view), over_time(view), by_percentile(view.snapshot), own_error(view)]
}

fn figure(note: &str, drawn: &Chart) -> Markup {
    html! {
        figure {
            figcaption { h3 { (drawn.title) } p { (note) } }
            (chart(drawn))
        }
    }
}

/// How many nines the sample supports: ten samples lie beyond 1 - 10^-nines.
fn supported_nines(count: u64) -> f64 {
    let nines = (count as f64 / quantile::SAMPLES_BEYOND as f64).log10();
    nines.clamp(0.9, MOST_NINES.into())
}

fn curve(histogram: &Histogram) -> Vec<Option<PlotPoint>> {
    let steps = (supported_nines(histogram.count()) * f64::from(POINTS_PER_NINE)).floor() as u32;
    let point = |step: u32| {
        let nines = f64::from(step) / f64::from(POINTS_PER_NINE);
        histogram.quantile(1.0 - 10f64.powf(-nines)).map(|ns| PlotPoint { x: nines, y: ns as f64 })
    };
    (0..=steps).map(point).collect()
}

fn by_percentile(snapshot: &Snapshot) -> Option<Markup> {
    let response = snapshot.tally.times(RowTime::Response);
    let service = snapshot.tally.times(RowTime::Service);
    if response.count() == 0 {
        return None;
    }
    let series = vec![
        Series { name: "response time", class: "s1", points: curve(&response) },
        Series { name: "service time", class: "s2", points: curve(&service) },
    ];
    let nines = (supported_nines(response.count()).ceil() as u32).max(LEAST_NINES);
    let at = |h: &Histogram, q| quantile::percentile(h, q).map_or("unknown".to_owned(), format::time);
    let description = format!(
        "Response time: median {}, 90 % {}, 99 % {}, 99.9 % {}. Service time: median {}, 99 % {}.",
        at(&response, 0.5),
        at(&response, 0.9),
        at(&response, 0.99),
        at(&response, 0.999),
        at(&service, 0.5),
        at(&service, 0.99)
    );
    let x = Axis { scale: Scale::linear(0.0, nines.into()), ticks: percentile_ticks(nines) };
    let y = time_axis(&series);
    let drawn = Chart { id: "by-percentile", title: TITLES[2], description, x, y, series };
    Some(figure(NOTES[2], &drawn))
}

/// An axis that covers every time of the series, in nanoseconds.
fn time_axis(series: &[Series]) -> Axis {
    let values = || series.iter().flat_map(|s| s.points.iter().flatten()).map(|p| p.y);
    let scale = Scale::for_spread(values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    Axis { scale, ticks: time_ticks(&scale) }
}

fn elapsed_axis(view: &View) -> Axis {
    let last = measured_windows(view.snapshot).last().map_or(1.0, |p| p.t);
    let scale = Scale::linear(0.0, last.max(view.until_s.unwrap_or(0.0)));
    Axis { scale, ticks: second_ticks(&scale) }
}

/// The windows of the measured time, without those of the drain after it. The latter have a few late requests
/// each, and a line through them would show a drop that did not happen.
fn measured_windows(snapshot: &Snapshot) -> &[TimelinePoint] {
    let window = window_seconds(&snapshot.timeline);
    let measured = snapshot.measured_ns as f64 / 1e9;
    let drain = snapshot.timeline.partition_point(|p| p.t - window < measured);
    &snapshot.timeline[..drain]
}

fn timeline(view: &View, y: impl Fn(&TimelinePoint) -> Option<f64>) -> Vec<Option<PlotPoint>> {
    let points: Vec<_> =
        measured_windows(view.snapshot).iter().map(|p| y(p).map(|y| PlotPoint { x: p.t, y })).collect();
    thin(&points, view.most_points)
}

/// A window's length in seconds: the shortest interval between two ends.
fn window_seconds(timeline: &[TimelinePoint]) -> f64 {
    let first = timeline.first().map_or(1.0, |p| p.t);
    timeline.windows(2).map(|pair| pair[1].t - pair[0].t).filter(|step| *step > 0.0).fold(first, f64::min)
}

fn throughput(view: &View) -> Option<Markup> {
    let snapshot = view.snapshot;
    if measured_windows(snapshot).len() < 2 {
        return None;
    }
    let window = window_seconds(&snapshot.timeline);
    let measured = snapshot.measured_ns as f64 / 1e9;
    // The last window may be cut short by the end of the measured time.
    let rate = |p: &TimelinePoint, n: u64| {
        let covered = p.t.min(measured) - (p.t - window);
        (covered >= LEAST_SHARE_OF_WINDOW * window).then(|| n as f64 / covered)
    };
    let line = |name, class, n: fn(&TimelinePoint) -> u64| {
        let points = timeline(view, |p| rate(p, n(p)));
        Series { name, class, points }
    };
    let mut series = vec![line("ok", "s1", |p| p.completed)];
    let mut when_any = |name, class, n: fn(&TimelinePoint) -> u64| {
        if snapshot.timeline.iter().any(|p| n(p) > 0) {
            series.push(line(name, class, n));
        }
    };
    when_any("failed", "bad", |p| p.failed);
    when_any("dropped", "warn", |p| p.dropped);
    let asks = snapshot.run.target_rate.is_some();
    if asks {
        series.push(line("offered", "s2", |p| p.sent));
        series.push(line("asked", "s4", |p| p.due));
    }
    let most = series.iter().flat_map(|s| s.points.iter().flatten()).map(|p| p.y).fold(0.0, f64::max);
    let well = || series[0].points.iter().flatten().map(|p| p.y);
    let scale = Scale::from_zero(most);
    let description = format!(
        "Requests answered well per second: between {} and {} over {}.",
        format::rate(well().fold(f64::INFINITY, f64::min)),
        format::rate(well().fold(0.0, f64::max)),
        format::time(snapshot.measured_ns)
    );
    let y = Axis { scale, ticks: count_ticks(&scale) };
    let (title, x) = (TITLES[0], elapsed_axis(view));
    let drawn = Chart { id: "throughput", title, description, x, y, series };
    Some(figure(rate_note(snapshot), &drawn))
}

fn over_time(view: &View) -> Option<Markup> {
    let line = |name, class, ns: fn(&TimelinePoint) -> Option<u64>| {
        let points = timeline(view, |p| ns(p).map(|ns| ns as f64));
        Series { name, class, points }
    };
    let series = vec![
        line("response 99 %", "s1", |p| p.p99_ns),
        line("response 50 %", "s1 fine", |p| p.p50_ns),
        line("service 99 %", "s2", |p| p.service_p99_ns),
        line("service 50 %", "s2 fine", |p| p.service_p50_ns),
    ];
    times_over_time(view, "over-time", TITLES[1], NOTES[1], series)
}

fn own_error(view: &View) -> Option<Markup> {
    let points = timeline(view, |p| p.slip_p99_ns.map(|ns| ns as f64));
    // In the closed model nothing is late: a line at zero would only look like a measurement.
    if points.iter().flatten().all(|p| p.y < 1.0) {
        return None;
    }
    let series = vec![Series { name: "slip, 99 %", class: "s2", points }];
    times_over_time(view, "own-error", TITLES[3], NOTES[3], series)
}

fn times_over_time(view: &View, id: &str, title: &str, note: &str, series: Vec<Series>) -> Option<Markup> {
    let values = || series.iter().flat_map(|s| s.points.iter().flatten()).map(|p| p.y);
    if measured_windows(view.snapshot).len() < 2 || values().next().is_none() {
        return None;
    }
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let time = |ns: f64| format::time(ns.round() as u64);
    let description = format!("{note} Lowest value {}, highest {}.", time(least), time(most));
    let (x, y) = (elapsed_axis(view), time_axis(&series));
    Some(figure(note, &Chart { id, title, description, x, y, series }))
}
