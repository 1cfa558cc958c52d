//! A live run in one line.

use crate::report::format::{count, percent, rate, time, whole_seconds};
use crate::run::{Fleet, Snapshot, State};
use crate::tally::{RowCounter, RowTime, quantile};
use crate::verdict::threshold::Outcome;

/// A fleet before the start: what it waits for. Otherwise state, progress, rate over the last window,
/// requests in flight, errors, latency so far, time left.
pub fn live_line(snapshot: &Snapshot) -> String {
    if let Some(awaited) = snapshot.fleet.as_ref().and_then(Fleet::waits_for) {
        return awaited;
    }
    let tally = &snapshot.tally;
    let response = tally.times(RowTime::Response);
    let latency = |q| quantile::percentile(&response, q).map_or("–".to_owned(), time);
    let in_flight: u64 = snapshot.threads.iter().map(|t| t.in_flight).sum();
    let errors = tally.failed();
    let mut parts = vec![
        format!("{} {}", snapshot.state.name().replace('_', " "), percent(snapshot.progress())),
        last_rate(snapshot).map_or("–/s".to_owned(), rate),
        format!("{} in flight", count(in_flight)),
        format!("{} errors", count(errors)),
    ];
    if let dropped @ 1.. = tally.sum(RowCounter::Dropped) {
        parts.push(format!("{} dropped", count(dropped)));
    }
    parts.push(format!("p50 {} p99 {}", latency(0.5), latency(0.99)));
    if let failing @ 1.. = snapshot.thresholds().iter().filter(|t| t.outcome == Outcome::Failed).count() {
        parts.push(format!("{failing} of {} thresholds failing", snapshot.run.thresholds.len()));
    }
    if tally.ended() > 0 && !snapshot.judge().trustworthy {
        parts.push("NOT trustworthy so far".to_owned());
    }
    parts.extend(snapshot.left_ns().map(|ns| format!("{} left", whole_seconds(ns))));
    parts.join(", ")
}

/// What a stopped run waits for: the requests in flight when the last window closed, for at most `drain_ns`
/// nanoseconds. `by_signal`: another signal ends the process.
pub(crate) fn stopping_line(snapshot: &Snapshot, drain_ns: u64, by_signal: bool) -> String {
    let awaited = match snapshot.threads.iter().map(|t| t.in_flight).sum() {
        // The first window has not closed yet.
        0 => "requests".to_owned(),
        in_flight => count(in_flight),
    };
    let again = if by_signal { "; Ctrl-C again ends at once, without a report" } else { "" };
    format!("stopping: waiting up to {} for {awaited} in flight{again}", whole_seconds(drain_ns))
}

/// Exchanges per second that ended in the last window. Once no load is applied, of the last whole window with
/// load, since the drain does not represent the run.
fn last_rate(snapshot: &Snapshot) -> Option<f64> {
    let measured_s = snapshot.measured_ns as f64 / 1e9;
    let is_over = matches!(snapshot.state, State::Draining | State::Finished);
    let loaded = snapshot.timeline.partition_point(|point| !is_over || point.t <= measured_s);
    let shown = &snapshot.timeline[..if loaded == 0 { snapshot.timeline.len() } else { loaded }];
    let last = shown.last()?;
    let before = shown.iter().rev().nth(1).map_or(0.0, |point| point.t);
    let length = last.t - before;
    (length > 0.0).then(|| (last.completed + last.failed) as f64 / length)
}
