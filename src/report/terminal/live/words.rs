//! A run under way in one line.

use super::trends::{last_rate, loaded};
use crate::report::format::{count, percent, rate, time, whole_seconds};
use crate::report::sanitize::one_line;
use crate::report::terminal::line::{Line, Style};
use crate::run::{Fleet, Snapshot, TimelinePoint};
use crate::tally::{RowCounter, RowTime, quantile};
use crate::units::plural;
use crate::verdict::threshold::Outcome;

/// A fleet before the start: what it waits for. Otherwise state, progress, time left, rate over the last window,
/// requests in flight, errors, latency so far, thresholds, and whether the measurement is in doubt.
pub fn live_line(snapshot: &Snapshot) -> String {
    live_line_within(snapshot, usize::MAX)
}

/// The same in at most `columns`: what matters least is left out. State, progress, time left and thresholds stay.
pub fn live_line_within(snapshot: &Snapshot, columns: usize) -> String {
    if let Some(awaited) = snapshot.fleet.as_ref().and_then(Fleet::waits_for) {
        return Line::new(Style::Plain, awaited).cut(columns).text().to_owned();
    }
    let mut parts = parts(snapshot);
    loop {
        let text = parts.iter().map(|(_, part)| part.as_str()).collect::<Vec<_>>().join(", ");
        let line = Line::new(Style::Plain, text);
        let least = parts.iter().map(|(expendable, _)| *expendable).max().unwrap_or(0);
        if line.width() <= columns || least == 0 {
            return line.cut(columns).text().to_owned();
        }
        parts.retain(|(expendable, _)| *expendable < least);
    }
}

/// The parts of the line, and how soon each is left out: the highest number first, 0 never.
fn parts(snapshot: &Snapshot) -> Vec<(u8, String)> {
    let tally = &snapshot.tally;
    let response = tally.times(RowTime::Response);
    let latency = |q| quantile::percentile(&response, q).map_or("–".to_owned(), time);
    let in_flight: u64 = snapshot.threads.iter().map(|t| t.in_flight).sum();
    let errors = tally.failed();
    let ended = |point: &TimelinePoint| point.completed + point.failed;
    let mut parts =
        vec![(0, format!("{} {}", snapshot.state.name().replace('_', " "), percent(snapshot.progress())))];
    parts.extend(snapshot.left_ns().map(|ns| (0, format!("{} left", whole_seconds(ns)))));
    parts.push((2, last_rate(loaded(snapshot), ended).map_or("–/s".to_owned(), rate)));
    parts.push((7, format!("{} in flight", count(in_flight))));
    parts.push((3, plural(errors, "error")));
    if let dropped @ 1.. = tally.sum(RowCounter::Dropped) {
        parts.push((6, format!("{} dropped", count(dropped))));
    }
    parts.push((5, format!("p50 {}", latency(0.5))));
    parts.push((4, format!("p99 {}", latency(0.99))));
    parts.extend(gates(snapshot).map(|gates| (0, gates)));
    if tally.ended() > 0 && !snapshot.judge().trustworthy {
        parts.push((1, "NOT trustworthy so far".to_owned()));
    }
    parts
}

/// How the thresholds stand; `None`: there are none.
pub(crate) fn gates(snapshot: &Snapshot) -> Option<String> {
    let of = snapshot.run.thresholds.len() as u64;
    let thresholds = || format!("{} threshold{}", count(of), if of == 1 { "" } else { "s" });
    if of == 0 {
        return None;
    }
    if snapshot.tally.ended() == 0 {
        return Some(format!("{} not judged yet", thresholds()));
    }
    let evaluations = snapshot.thresholds();
    let with = |outcome| evaluations.iter().filter(|e| e.outcome == outcome).count() as u64;
    Some(match (with(Outcome::Failed), with(Outcome::Inconclusive)) {
        (0, 0) if of == 1 => "1 threshold holds".to_owned(),
        (0, 0) => format!("{} hold", thresholds()),
        (0, undecided) => format!("{} of {} undecided", count(undecided), thresholds()),
        (failing, _) => format!("{} of {} failing", count(failing), thresholds()),
    })
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
    one_line(&format!("stopping: waiting up to {} for {awaited} in flight{again}", whole_seconds(drain_ns)))
}
