//! The charts of the measured time, window by window.
//!
//! A value holds for its whole window, so lines have steps: a jump of the load is drawn as a jump. A window
//! that the end of the measured time cuts short has no rate of its own and is left out, like those of the
//! drain after it.

use maud::Markup;

use super::chart_frame::{NOTES, TITLES, View, figure, rate_note, time_axis};
use crate::report::format;
use crate::report::svg::{Axis, Chart, PlotPoint, Scale, Series, count_ticks, second_ticks, thin};
use crate::run::{Snapshot, Tail, TailPoint, TimelinePoint};
use crate::tally::{RowTime, quantile};
use crate::verdict::baseline::is_whole;

/// The fewest 99th percentiles that show a course over time.
const LEAST_POINTS: usize = 4;
/// Two times in seconds closer than this are the same.
const SAME_S: f64 = 1e-3;

/// A value and the time for which it holds, in seconds.
struct Span {
    from_s: f64,
    to_s: f64,
    y: Option<f64>,
}

/// A line that holds each value for its span; it is interrupted where a value or a span is missing.
fn steps(spans: impl IntoIterator<Item = Span>) -> Vec<Option<PlotPoint>> {
    let (mut points, mut end_s) = (Vec::new(), None::<f64>);
    for Span { from_s, to_s, y } in spans {
        if end_s.is_some_and(|end| from_s - end > SAME_S) {
            points.push(None);
        }
        match y {
            Some(y) => points.extend([from_s, to_s].map(|x| Some(PlotPoint { x, y }))),
            None => points.push(None),
        }
        end_s = Some(to_s);
    }
    points
}

/// The whole windows of the measured time.
fn measured_windows(snapshot: &Snapshot) -> &[TimelinePoint] {
    let measured_s = snapshot.measured_ns as f64 / 1e9;
    let whole = snapshot.timeline.partition_point(|point| is_whole(point.t, measured_s));
    &snapshot.timeline[..whole]
}

/// A window's length in seconds: the shortest interval between two ends.
fn window_seconds(timeline: &[TimelinePoint]) -> f64 {
    let first = timeline.first().map_or(1.0, |p| p.t);
    timeline.windows(2).map(|pair| pair[1].t - pair[0].t).filter(|step| *step > 0.0).fold(first, f64::min)
}

fn timeline(view: &View, y: impl Fn(&TimelinePoint) -> Option<f64>) -> Vec<Option<PlotPoint>> {
    let window_s = window_seconds(&view.snapshot.timeline);
    let span = |p: &TimelinePoint| Span { from_s: p.t - window_s, to_s: p.t, y: y(p) };
    thin(&steps(measured_windows(view.snapshot).iter().map(span)), view.most_points)
}

/// End of the axis of elapsed time in seconds.
fn end_s(view: &View) -> f64 {
    let shown_s = measured_windows(view.snapshot).last().map_or(0.0, |p| p.t);
    view.until_s.unwrap_or(view.snapshot.measured_ns as f64 / 1e9).max(shown_s)
}

fn elapsed_axis(view: &View) -> Axis {
    let scale = Scale::linear(0.0, end_s(view));
    Axis { name: "time since measuring began", scale, ticks: second_ticks(&scale) }
}

/// The rate that the plan asks, as far as the axis reaches: ahead of a run that is going on, and up to the end
/// of one that is over.
fn asked(view: &View) -> Vec<Option<PlotPoint>> {
    let until_s = end_s(view);
    let (mut points, mut from_s) = (Vec::new(), 0.0);
    for piece in &view.snapshot.run.pieces {
        if from_s >= until_s {
            break;
        }
        let piece = piece.until(((until_s - from_s) * 1e9).round() as u64);
        let to_s = from_s + piece.length_ns as f64 / 1e9;
        points.extend([(from_s, piece.from), (to_s, piece.to)].map(|(x, y)| Some(PlotPoint { x, y })));
        from_s = to_s;
    }
    thin(&points, view.most_points)
}

pub(super) fn throughput(view: &View) -> Option<Markup> {
    let snapshot = view.snapshot;
    if measured_windows(snapshot).len() < 2 {
        return None;
    }
    let window_s = window_seconds(&snapshot.timeline);
    let line = |name, class, n: fn(&TimelinePoint) -> u64| {
        let points = timeline(view, |p| Some(n(p) as f64 / window_s));
        Series { name, class, points }
    };
    let mut series = vec![line("ok", "s1", |p| p.completed)];
    let mut when_any = |name, class, n: fn(&TimelinePoint) -> u64| {
        if measured_windows(snapshot).iter().any(|p| n(p) > 0) {
            series.push(line(name, class, n));
        }
    };
    when_any("failed", "bad", |p| p.failed);
    when_any("dropped", "warn", |p| p.dropped);
    if snapshot.run.target_rate.is_some() {
        series.push(line("offered", "s2", |p| p.sent));
        series.push(match snapshot.run.pieces.is_empty() {
            true => line("asked", "s4", |p| p.due),
            false => Series { name: "asked", class: "s4", points: asked(view) },
        });
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
    let y = Axis { name: "requests per second", scale, ticks: count_ticks(&scale) };
    let (title, x) = (TITLES[0], elapsed_axis(view));
    let drawn = Chart { id: "throughput", title, description, x, y, series };
    Some(figure(rate_note(snapshot), &drawn))
}

/// The percentile that is drawn beside the median.
#[derive(Clone, Copy, Debug, PartialEq)]
enum High {
    P90,
    P99,
}

impl High {
    /// 99 % if the run has, or by its pace will have, enough requests for a few of them; otherwise 90 %.
    fn of(snapshot: &Snapshot) -> Self {
        let tail = &snapshot.tails.response;
        let has_enough = match snapshot.is_final() {
            true => tail.p99.len() >= LEAST_POINTS || tail.p90.len() <= tail.p99.len(),
            false => {
                expected_requests(snapshot) >= (LEAST_POINTS as u64 * quantile::samples_needed(0.99)) as f64
            }
        };
        if has_enough { Self::P99 } else { Self::P90 }
    }

    fn points(self, tail: &Tail) -> &[TailPoint] {
        match self {
            Self::P90 => &tail.p90,
            Self::P99 => &tail.p99,
        }
    }
}

/// Requests of the whole run at its pace so far; infinite while nothing is known.
fn expected_requests(snapshot: &Snapshot) -> f64 {
    let (run, tally) = (&snapshot.run, &snapshot.tally);
    let by_time = run.duration_ns.map(|ns| snapshot.counted_ns() as f64 / ns.max(1) as f64);
    let by_requests = run.requests.map(|n| tally.settled() as f64 / n.max(1) as f64);
    let done = by_time.into_iter().chain(by_requests).fold(0.0, f64::max).min(1.0);
    let timed = tally.times(RowTime::Response).count() as f64;
    if done > 0.0 && timed > 0.0 { timed / done } else { f64::INFINITY }
}

fn tail(view: &View, high: High, tail: &Tail) -> Vec<Option<PlotPoint>> {
    let measured_s = view.snapshot.measured_ns as f64 / 1e9;
    let whole = high.points(tail).iter().filter(|point| is_whole(point.to_s.into(), measured_s));
    let span = |point: &TailPoint| Span {
        from_s: point.from_s.into(),
        to_s: point.to_s.into(),
        y: Some(point.ns as f64),
    };
    thin(&steps(whole.map(span)), view.most_points)
}

pub(super) fn latency(view: &View) -> Option<Markup> {
    let tails = &view.snapshot.tails;
    let median = |name, class, ns: fn(&TimelinePoint) -> Option<u64>| {
        let points = timeline(view, |p| ns(p).map(|ns| ns as f64));
        Series { name, class, points }
    };
    let high = High::of(view.snapshot);
    let [response, service] = match high {
        High::P90 => ["response 90 %", "service 90 %"],
        High::P99 => ["response 99 %", "service 99 %"],
    };
    let series = vec![
        Series { name: response, class: "s1", points: tail(view, high, &tails.response) },
        median("response 50 %", "s1 fine", |p| p.p50_ns),
        Series { name: service, class: "s2", points: tail(view, high, &tails.service) },
        median("service 50 %", "s2 fine", |p| p.service_p50_ns),
    ];
    times_over_time(view, "over-time", TITLES[1], NOTES[1], series)
}

pub(super) fn own_error(view: &View) -> Option<Markup> {
    let high = High::of(view.snapshot);
    let points = tail(view, high, &view.snapshot.tails.slip);
    // In the closed model nothing is late: a line at zero would only look like a measurement.
    if points.iter().flatten().all(|p| p.y < 1.0) {
        return None;
    }
    let name = if high == High::P90 { "slip, 90 %" } else { "slip, 99 %" };
    let series = vec![Series { name, class: "s2", points }];
    times_over_time(view, "own-error", TITLES[3], NOTES[3], series)
}

/// A chart of these lines, without those that have no point.
fn times_over_time(
    view: &View,
    id: &str,
    title: &str,
    note: &str,
    mut series: Vec<Series>,
) -> Option<Markup> {
    series.retain(|line| line.points.iter().any(Option::is_some));
    if measured_windows(view.snapshot).len() < 2 || series.is_empty() {
        return None;
    }
    let values = || series.iter().flat_map(|s| s.points.iter().flatten()).map(|p| p.y);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let time = |ns: f64| format::time(ns.round() as u64);
    let description = format!("{note} Lowest value {}, highest {}.", time(least), time(most));
    let (x, y) = (elapsed_axis(view), time_axis(&series));
    Some(figure(note, &Chart { id, title, description, x, y, series }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{RunInfo, State};
    use crate::schedule::Piece;

    /// A finished run of so many seconds, with so many windows of a second.
    fn run(measured_s: f64, windows: u64) -> Snapshot {
        let info = RunInfo { scenarios: vec![("a".to_owned(), 1)], ..RunInfo::unknown() };
        let mut snapshot = Snapshot::new(info, 1, 0.0);
        (snapshot.state, snapshot.measured_ns) = (State::Finished, (measured_s * 1e9) as u64);
        let point = |t| TimelinePoint { t: t as f64, completed: 100, ..TimelinePoint::default() };
        snapshot.timeline = (1..=windows).map(point).collect();
        snapshot
    }

    fn view(snapshot: &Snapshot) -> View<'_> {
        View { snapshot, most_points: 600, until_s: None }
    }

    fn places(points: &[Option<PlotPoint>]) -> Vec<(f64, f64)> {
        points.iter().flatten().map(|p| (p.x, p.y)).collect()
    }

    #[test]
    fn a_window_that_the_end_cuts_short_is_not_drawn() {
        // A third of a second, and the late answers of the drain: no rate of 300/s.
        let mut snapshot = run(3.3, 5);
        snapshot.timeline[3].completed = 100;
        let points = timeline(&view(&snapshot), |p| Some(p.completed as f64));
        assert_eq!(places(&points).last(), Some(&(3.0, 100.0)));
        assert_eq!(end_s(&view(&snapshot)), 3.3);
    }

    #[test]
    fn a_jump_of_the_asked_rate_is_a_jump_and_a_ramp_is_a_slope() {
        let mut snapshot = run(5.0, 5);
        let piece = |from, to, s: u64| Piece { from, to, length_ns: s * 1_000_000_000 };
        snapshot.run.pieces = vec![piece(50.0, 50.0, 2), piece(200.0, 200.0, 2), piece(200.0, 100.0, 2)];
        let points = places(&asked(&view(&snapshot)));
        // Up to the end of the measured time, half-way down the ramp.
        assert_eq!(
            points,
            [(0.0, 50.0), (2.0, 50.0), (2.0, 200.0), (4.0, 200.0), (4.0, 200.0), (5.0, 150.0)]
        );
        let ahead = View { until_s: Some(60.0), ..view(&snapshot) };
        assert_eq!(places(&asked(&ahead)).last(), Some(&(6.0, 100.0)), "the plan ends there");
    }

    #[test]
    fn a_value_holds_for_its_window_and_a_missing_one_interrupts_the_line() {
        let span = |from_s, to_s, y| Span { from_s, to_s, y };
        let points = steps([
            span(0.0, 1.0, Some(5.0)),
            span(1.0, 2.0, Some(7.0)),
            span(2.0, 3.0, None),
            span(3.0, 4.0, Some(1.0)),
            span(6.0, 7.0, Some(2.0)),
        ]);
        let at = |x, y| Some(PlotPoint { x, y });
        let expected = [
            at(0.0, 5.0),
            at(1.0, 5.0),
            at(1.0, 7.0),
            at(2.0, 7.0),
            None,
            at(3.0, 1.0),
            at(4.0, 1.0),
            None,
            at(6.0, 2.0),
            at(7.0, 2.0),
        ];
        assert_eq!(points, expected);
    }

    #[test]
    fn the_highest_percentile_is_drawn_that_the_run_has_enough_requests_for() {
        let mut snapshot = run(10.0, 10);
        let point = |i: u8| TailPoint { from_s: f32::from(i), to_s: f32::from(i) + 1.0, ns: 1_000 };
        snapshot.tails.response.p90 = (0..10).map(point).collect();
        snapshot.tails.response.p99 = (0..3).map(point).collect();
        assert_eq!(High::of(&snapshot), High::P90);
        snapshot.tails.response.p99 = (0..4).map(point).collect();
        assert_eq!(High::of(&snapshot), High::P99);
        // Of a run that goes on, its pace decides: 500 requests in the first tenth.
        snapshot.state = State::Running;
        snapshot.run.duration_ns = Some(100_000_000_000);
        let slow = |n: u64| {
            let mut snapshot = snapshot.clone();
            let row = snapshot.tally.row_mut(crate::tally::StepId(0));
            (0..n).for_each(|_| row.record(crate::tally::RowTimer::ResponseOk, 1_000));
            High::of(&snapshot)
        };
        assert_eq!([slow(0), slow(399), slow(400)], [High::P99, High::P90, High::P99]);
    }
}
