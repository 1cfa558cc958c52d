//! Rates and latencies in the live view: now, so far, and as sparklines over the run.

use super::history::History;
use crate::report::figures::Rate;
use crate::report::format::{rate, time, whole_seconds};
use crate::report::terminal::bars::Glyphs;
use crate::report::terminal::line::{Line, Style};
use crate::run::{Snapshot, State, TimelinePoint};
use crate::tally::{RowTime, quantile};

/// Columns of a row's name, and of each of its two figures.
pub(crate) const NAME_COLUMNS: usize = 10;
const FIGURE_COLUMNS: usize = 11;
/// A shorter sparkline shows nothing.
const LEAST_COLUMNS: usize = 8;
/// The longest sparkline.
const MOST_COLUMNS: usize = 120;

/// One figure over time.
struct Trend {
    name: &'static str,
    /// How soon its row gives way.
    rank: u8,
    now: String,
    so_far: String,
    /// Values by the column of the sparkline, and what its full height stands for.
    values: Vec<Option<f64>>,
    most: f64,
}

/// All rows, and what they share.
pub(crate) struct Trends {
    rows: Vec<Trend>,
    /// Windows of a second in one column of the sparklines.
    windows_per_column: usize,
    has_lines: bool,
    glyphs: Glyphs,
}

impl Trends {
    /// The rows for a view of `width` columns.
    pub(crate) fn of(snapshot: &Snapshot, history: &History, width: usize, glyphs: Glyphs) -> Self {
        let columns = width.saturating_sub(NAME_COLUMNS + 2 * FIGURE_COLUMNS + 2).min(MOST_COLUMNS);
        let windows = loaded(snapshot);
        // It only ever doubles, so that columns stay where they are.
        let per_column = windows.len().div_ceil(columns.max(1)).next_power_of_two();
        let mut rows = rates(snapshot, windows, per_column);
        rows.extend(latencies(snapshot, history, windows, per_column));
        let has_lines = columns >= LEAST_COLUMNS && !windows.is_empty();
        Self { rows, windows_per_column: per_column, has_lines, glyphs }
    }

    /// Lines of all rows and the heading.
    pub(crate) fn lines(&self) -> usize {
        self.rows.len() + 1
    }

    /// The rows in at most `lines` lines: the heading needs room for all.
    pub(crate) fn draw(&self, lines: usize) -> Vec<Line> {
        let mut by_rank: Vec<&Trend> = self.rows.iter().collect();
        by_rank.sort_by_key(|row| row.rank);
        let worst = by_rank.get(lines).map_or(u8::MAX, |row| row.rank);
        let rows = self.rows.iter().filter(|row| row.rank < worst).map(|row| self.row(row));
        let heading = (lines > self.rows.len()).then(|| self.heading());
        heading.into_iter().chain(rows).collect()
    }

    fn heading(&self) -> Line {
        let text = format!("{:NAME_COLUMNS$}{:>FIGURE_COLUMNS$}{:>FIGURE_COLUMNS$}", "", "now", "so far");
        let scale = whole_seconds(self.windows_per_column as u64 * 1_000_000_000);
        let over_time = if self.has_lines { format!("  each column {scale}") } else { String::new() };
        Line::new(Style::Strong, text + &over_time)
    }

    fn row(&self, row: &Trend) -> Line {
        let Trend { name, now, so_far, .. } = row;
        let text = format!("{name:NAME_COLUMNS$}{now:>FIGURE_COLUMNS$}{so_far:>FIGURE_COLUMNS$}");
        let line = if self.has_lines { self.glyphs.sparkline(&row.values, row.most) } else { String::new() };
        Line::new(Style::Plain, format!("{text}  {line}"))
    }
}

/// The windows with load. Those of the drain do not represent the run.
pub(crate) fn loaded(snapshot: &Snapshot) -> &[TimelinePoint] {
    let measured_s = snapshot.measured_ns as f64 / 1e9;
    let is_over = matches!(snapshot.state, State::Draining | State::Finished);
    let loaded = snapshot.timeline.partition_point(|point| !is_over || point.t <= measured_s);
    &snapshot.timeline[..if loaded == 0 { snapshot.timeline.len() } else { loaded }]
}

/// Seconds from the end of the window before the one at `i` to its own end.
fn seconds(windows: &[TimelinePoint], i: usize) -> f64 {
    let before = i.checked_sub(1).map_or(0.0, |before| windows[before].t);
    windows[i].t - before
}

/// Events per second in the last window; `None`: there is none.
pub(crate) fn last_rate(windows: &[TimelinePoint], count: fn(&TimelinePoint) -> u64) -> Option<f64> {
    let last = windows.len().checked_sub(1)?;
    let length = seconds(windows, last);
    (length > 0.0).then(|| count(&windows[last]) as f64 / length)
}

/// What the plan asks for, what is sent and what ends well, per second.
fn rates(snapshot: &Snapshot, windows: &[TimelinePoint], per_column: usize) -> Vec<Trend> {
    let sums = |rate_of: &dyn Fn(usize) -> f64| -> Vec<Option<f64>> {
        let places: Vec<usize> = (0..windows.len()).collect();
        let mean = |places: &[usize]| {
            let length: f64 = places.iter().map(|i| seconds(windows, *i)).sum();
            let total: f64 = places.iter().map(|i| rate_of(*i) * seconds(windows, *i)).sum();
            (length > 0.0).then(|| total / length)
        };
        places.chunks(per_column).map(mean).collect()
    };
    let counted = |count: fn(&TimelinePoint) -> u64| {
        sums(&|i| count(&windows[i]) as f64 / seconds(windows, i).max(1e-9))
    };
    let asked =
        |i: usize| asked_in(snapshot, windows[i].t - seconds(windows, i), windows[i].t).unwrap_or(0.0);
    let figure = |value: Option<f64>| value.map_or("–".to_owned(), rate);
    let so_far = Rate::of(snapshot);
    let trend = |name, rank, now, so_far, values| Trend {
        name,
        rank,
        now: figure(now),
        so_far: figure(so_far),
        values,
        most: 0.0,
    };
    let mut rows = Vec::new();
    if let Some(target) = snapshot.run.target_rate {
        let now = windows.len().checked_sub(1).map(asked);
        let until_now = snapshot.run.rate_asked_until(snapshot.measured_ns).unwrap_or(target);
        rows.push(trend("asked", 4, now, Some(until_now), sums(&asked)));
    }
    let sent = |point: &TimelinePoint| point.sent;
    let ok = |point: &TimelinePoint| point.completed;
    rows.push(trend("offered", 2, last_rate(windows, sent), so_far.offered, counted(sent)));
    rows.push(trend("achieved", 0, last_rate(windows, ok), so_far.achieved, counted(ok)));
    // One scale, so that the three can be compared.
    let most = rows.iter().flat_map(|row| row.values.iter().flatten()).fold(0.0, |most, v| v.max(most));
    rows.iter_mut().for_each(|row| row.most = most);
    rows
}

/// The mean rate that the plan asks for between two instants of the measured time, in seconds.
fn asked_in(snapshot: &Snapshot, from_s: f64, to_s: f64) -> Option<f64> {
    let run = &snapshot.run;
    if run.pieces.is_empty() || to_s <= from_s {
        return run.target_rate;
    }
    let arrivals = |s: f64| {
        let ns = (s * 1e9) as u64;
        if ns == 0 { Some(0.0) } else { run.rate_asked_until(ns).map(|rate| rate * s) }
    };
    Some((arrivals(to_s)? - arrivals(from_s)?) / (to_s - from_s))
}

/// The median and the 99th percentile of response time. A column shows its worst window.
fn latencies(
    snapshot: &Snapshot,
    history: &History,
    windows: &[TimelinePoint],
    per_column: usize,
) -> [Trend; 2] {
    let all = snapshot.tally.times(RowTime::Response);
    let so_far = |q| quantile::percentile(&all, q).map_or("–".to_owned(), time);
    let figure = |ns: Option<u64>| ns.map_or("–".to_owned(), time);
    let trend = |name, rank, now, so_far, values: Vec<Option<f64>>| {
        let most = values.iter().flatten().fold(0.0, |most: f64, v| v.max(most));
        Trend { name, rank, now: figure(now), so_far, values, most }
    };
    let medians = windows.chunks(per_column).map(|chunk| {
        let p50s = chunk.iter().filter_map(|point| point.p50_ns);
        p50s.max().map(|ns| ns as f64)
    });
    let tails = windows.chunks(per_column).enumerate().map(|(i, chunk)| {
        let from_s = (i * per_column).checked_sub(1).map_or(0.0, |before| windows[before].t);
        let to_s = chunk.last().map_or(from_s, |point| point.t);
        let points = history.points();
        let first = points.partition_point(|point| point.to_s <= from_s);
        let within = points[first..].iter().take_while(|point| point.from_s < to_s);
        within.map(|point| point.p99_ns).max().map(|ns| ns as f64)
    });
    let last_p50 = windows.last().and_then(|point| point.p50_ns);
    let last_p99 = history.points().last().map(|point| point.p99_ns);
    [
        trend("p50", 3, last_p50, so_far(0.5), medians.collect()),
        trend("p99", 1, last_p99, so_far(0.99), tails.collect()),
    ]
}
