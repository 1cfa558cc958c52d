//! Merges windows of several sources into one snapshot and its timeline.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::load::{Last, WINDOW_NS};
use crate::run::{FirstFailure, Snapshot, State, TimelinePoint};
use crate::run::{SharedSnapshot, first_text};
use crate::tally::{Histogram, Merged, Outcome, RowCounter, RowTime, ThreadHealth, Timer};
use crate::verdict::preflight::OPEN_WINDOWS_MAX;

/// The longest timeline, in points: a day and a half of seconds, 22 MiB. Later windows count, but have no
/// point.
const MAX_TIMELINE_POINTS: usize = 130_000;

/// A closed window of one source.
#[derive(Debug)]
pub(crate) struct SourceWindow<'a> {
    /// The index of the source, as returned by [`Merger::add`].
    pub(crate) source: usize,
    /// When it began; `None`: where the source's last window ended.
    pub(crate) began_at_ns: Option<u64>,
    /// When it ended.
    pub(crate) ended_at_ns: u64,
    /// What was counted in it.
    pub(crate) tally: &'a Merged,
    /// Figures that the source's threads report about themselves, one entry for each of its threads.
    pub(crate) threads: &'a [ThreadHealth],
    /// Set in the source's last window.
    pub(crate) last: Option<Last>,
}

/// A window that all sources have closed.
#[derive(Debug)]
pub(crate) struct MergedWindow {
    /// Its index in the measured time, from 0: each is [`WINDOW_NS`] long.
    pub(crate) index: u64,
    /// What was counted in it.
    pub(crate) tally: Merged,
}

/// Merges windows into the snapshot. All times are of one clock, also those of [`Self::tick`].
pub(crate) struct Merger {
    shared: Arc<SharedSnapshot>,
    start_at_ns: u64,
    measure_from_ns: u64,
    /// Windows that some sources have not closed yet, by their index in the measured time.
    open: BTreeMap<u64, Merged>,
    /// The most windows that may be open.
    most_open: usize,
    /// The index of the first window that has no point in the timeline yet.
    first_open: u64,
    sources: Vec<Source>,
    load_ended_at_ns: u64,
}

/// What a merger knows besides the counts, for a checkpoint.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MergerState {
    first_open: u64,
    sources: Vec<Source>,
    load_ended_at_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Source {
    /// The indices of its threads in the snapshot.
    threads: Range<usize>,
    /// The end of its last window; `None`: there will be no more.
    end_ns: Option<u64>,
    /// The latest end of its windows.
    counted_to_ns: u64,
    /// Requests that came due in its windows.
    due: u64,
    /// Requests that were due and have neither ended nor been dropped.
    outstanding: u64,
    /// Its windows are no longer awaited; late ones still count.
    given_up: bool,
}

impl Merger {
    /// An empty merger; load begins at `start_at_ns`, the measured time at `measure_from_ns`.
    pub(crate) fn new(shared: Arc<SharedSnapshot>, start_at_ns: u64, measure_from_ns: u64) -> Self {
        Self {
            shared,
            start_at_ns,
            measure_from_ns,
            open: BTreeMap::new(),
            most_open: OPEN_WINDOWS_MAX as usize,
            first_open: 0,
            sources: Vec::new(),
            load_ended_at_ns: measure_from_ns,
        }
    }

    /// The same, with up to `windows` open windows: for sources that may be late.
    pub(crate) fn with_patience(self, windows: usize) -> Self {
        Self { most_open: windows.max(OPEN_WINDOWS_MAX as usize), ..self }
    }

    /// Add a source whose first window begins at `from_ns` and whose threads have these indices in the
    /// snapshot. Returns the index of the source.
    pub(crate) fn add(&mut self, threads: Range<usize>, from_ns: u64) -> usize {
        self.shared.update(|snapshot| {
            let most = snapshot.threads.len().max(threads.end);
            snapshot.threads.resize(most, ThreadHealth::default());
        });
        let counted_to_ns = from_ns.max(self.measure_from_ns);
        let end_ns = Some(counted_to_ns);
        self.sources.push(Source { threads, end_ns, counted_to_ns, due: 0, outstanding: 0, given_up: false });
        self.sources.len() - 1
    }

    /// What it knows, and its open windows by their index.
    pub(crate) fn checkpoint(&self) -> (MergerState, BTreeMap<u64, Merged>) {
        let Self { first_open, load_ended_at_ns, .. } = *self;
        (MergerState { first_open, sources: self.sources.clone(), load_ended_at_ns }, self.open.clone())
    }

    /// Go on from what another merger of this plan knew; its open windows and total follow.
    pub(crate) fn restore(&mut self, state: MergerState) {
        (self.first_open, self.load_ended_at_ns) = (state.first_open, state.load_ended_at_ns);
        self.sources = state.sources;
    }

    /// Put back an open window.
    pub(crate) fn restore_window(&mut self, index: u64, tally: Merged) {
        self.open.insert(index, tally);
    }

    /// Put back the counts of the measured time.
    pub(crate) fn restore_total(&self, tally: Merged) {
        self.shared.update(|snapshot| {
            snapshot.first_failures = first_failures(&tally, self.measure_from_ns);
            snapshot.tally = tally;
        });
    }

    /// Whether any source may still send windows.
    pub(crate) fn is_open(&self) -> bool {
        self.sources.iter().any(|source| source.end_ns.is_some())
    }

    /// Whether the run's counts stay within their bounds with these.
    pub(crate) fn has_room_for(&self, tally: &Merged) -> bool {
        self.shared.read(|snapshot| snapshot.tally.has_room_for(tally))
    }

    /// Merge a window; returns those that all sources have now closed.
    pub(crate) fn merge(&mut self, part: &SourceWindow<'_>) -> Vec<MergedWindow> {
        let source = &mut self.sources[part.source];
        // A thread closes its window a little after the second is over, so its middle determines its index.
        // What a source far behind has counted goes into the oldest window still open.
        let began_at_ns = part.began_at_ns.or(source.end_ns).unwrap_or(part.ended_at_ns);
        let middle_ns = began_at_ns.midpoint(part.ended_at_ns);
        let index = middle_ns.saturating_sub(self.measure_from_ns) / WINDOW_NS;
        let index = index.max(self.first_open);
        let scenarios = part.tally.rows().len();
        if part.began_at_ns != Some(part.ended_at_ns) {
            self.open.entry(index).or_insert_with(|| Merged::new(scenarios)).merge(part.tally);
        }
        source.end_ns = Some(part.ended_at_ns).filter(|_| part.last.is_none() && !source.given_up);
        // Not below zero in total, though a window may end more requests than came due in it.
        let due = part.tally.sum(RowCounter::Due);
        let ended = part.tally.settled();
        source.counted_to_ns = source.counted_to_ns.max(part.ended_at_ns);
        source.due += due;
        source.outstanding = (source.outstanding + due).saturating_sub(ended);
        if let Some(last) = part.last {
            self.load_ended_at_ns = self.load_ended_at_ns.max(last.load_ended_at_ns);
        }
        let threads = self.sources[part.source].threads.clone();
        let shared = self.shared.clone();
        shared.update(|snapshot| {
            snapshot.tally.merge(part.tally);
            snapshot.threads[threads].copy_from_slice(part.threads);
            snapshot.first_failures = first_failures(&snapshot.tally, self.measure_from_ns);
            self.close(snapshot)
        })
    }

    /// Stop waiting for windows of `source`. Its outstanding requests stay unfinished, unless a late window
    /// has their end.
    pub(crate) fn give_up(&mut self, source: usize) -> Vec<MergedWindow> {
        let source = &mut self.sources[source];
        source.given_up = true;
        let Some(end_ns) = source.end_ns.take() else { return Vec::new() };
        self.load_ended_at_ns = self.load_ended_at_ns.max(end_ns);
        let threads = source.threads.clone();
        let shared = self.shared.clone();
        shared.update(|snapshot| {
            for thread in &mut snapshot.threads[threads] {
                (thread.in_flight, thread.backlog, thread.connections) = (0, 0, 0);
            }
            self.close(snapshot)
        })
    }

    /// Give every window that no source has open any more its point in the timeline.
    fn close(&mut self, snapshot: &mut Snapshot) -> Vec<MergedWindow> {
        let slowest = self.sources.iter().filter_map(|source| source.end_ns).min();
        let merged_to_ns = slowest.unwrap_or(self.load_ended_at_ns);
        let longest = snapshot.run.duration_ns.unwrap_or(u64::MAX);
        snapshot.measured_ns = merged_to_ns.saturating_sub(self.measure_from_ns).min(longest);
        snapshot.ahead_ns = slowest
            .map_or(0, |slowest| self.mean_span_ns(slowest, longest).saturating_sub(snapshot.measured_ns));
        let ended = self.sources.iter().filter(|source| source.end_ns.is_none());
        snapshot.unfinished = ended.map(|source| source.outstanding).sum();
        let mut closed = Vec::new();
        loop {
            let crowded = self.open.len() >= self.most_open;
            let Some(entry) = self.open.first_entry() else { break };
            let complete_ns = self.measure_from_ns + (entry.key() + 1) * WINDOW_NS;
            if !crowded && slowest.is_some_and(|end| end < complete_ns) {
                break;
            }
            let (index, tally) = entry.remove_entry();
            self.first_open = index + 1;
            let from_s = (index * WINDOW_NS) as f64 / 1e9;
            let t = ((index + 1) * WINDOW_NS) as f64 / 1e9;
            if let Some(intervals) = &mut snapshot.intervals {
                intervals.add(from_s, t, tally.rows());
            }
            if snapshot.timeline.len() < MAX_TIMELINE_POINTS {
                let times = [RowTime::Response, RowTime::Service].map(|which| tally.times(which));
                snapshot.timeline.push(point(t, &tally, &times));
                snapshot.tails.response.add(from_s, t, &times[0]);
                snapshot.tails.service.add(from_s, t, &times[1]);
                snapshot.tails.slip.add(from_s, t, tally.timer(Timer::Slip));
            }
            closed.push(MergedWindow { index, tally });
        }
        closed
    }

    /// The time to divide the counts of all sources by, from each source's own time, so that those ahead of
    /// the slowest do not count twice. All due requests divided by it are the sum, over sources, of due
    /// requests per second of the source's own time.
    fn mean_span_ns(&self, slowest_ns: u64, longest_ns: u64) -> u64 {
        let span = |source: &Source| {
            let until_ns = source.counted_to_ns.max(slowest_ns);
            until_ns.saturating_sub(self.measure_from_ns).min(longest_ns)
        };
        let counted = self.sources.iter().map(|source| (source.due as f64, span(source) as f64));
        let counted = counted.filter(|(due, span)| *due > 0.0 && *span > 0.0);
        let (due, per_ns) =
            counted.fold((0.0, 0.0), |(all, rate), (due, span)| (all + due, rate + due / span));
        if due > 0.0 { (due / per_ns).round() as u64 } else { 0 }
    }

    /// Update state and elapsed time.
    pub(crate) fn tick(&mut self, now: u64) {
        self.shared.update(|snapshot| {
            snapshot.elapsed_ns = now.saturating_sub(self.start_at_ns);
            let ends = snapshot.run.duration_ns.map(|d| self.measure_from_ns + d);
            snapshot.state = match ends {
                _ if now < self.start_at_ns => State::Starting,
                _ if now < self.measure_from_ns => State::WarmingUp,
                Some(end) if now >= end => State::Draining,
                _ if snapshot.is_stopped() => State::Draining,
                _ => State::Running,
            };
        });
    }

    /// Publish the finished run.
    pub(crate) fn finish(mut self) {
        for source in 0..self.sources.len() {
            self.give_up(source);
        }
        self.shared.update(|snapshot| {
            let measured_ns = self.load_ended_at_ns.saturating_sub(self.measure_from_ns);
            snapshot.measured_ns = measured_ns.min(snapshot.run.duration_ns.unwrap_or(u64::MAX));
            snapshot.ahead_ns = 0;
            snapshot.state = State::Finished;
            // Elsewhere it is a reason not to trust the figures, which are shown all the same.
            debug_assert_eq!(snapshot.unaccounted(), 0, "every request is accounted for");
        });
    }
}

fn point(t: f64, tally: &Merged, [response, service]: &[Histogram; 2]) -> TimelinePoint {
    TimelinePoint {
        t,
        due: tally.sum(RowCounter::Due),
        sent: tally.sum(RowCounter::Sent),
        completed: tally.completed(),
        failed: tally.failed(),
        dropped: tally.sum(RowCounter::Dropped),
        p50_ns: response.quantile(0.5),
        p90_ns: response.quantile(0.9),
        p95_ns: response.quantile(0.95),
        p99_ns: response.quantile(0.99),
        mean_ns: response.mean().map(|ns| ns.round() as u64),
        service_p50_ns: service.quantile(0.5),
        service_p99_ns: service.quantile(0.99),
        slip_p99_ns: tally.timer(Timer::Slip).quantile(0.99),
    }
}

fn first_failures(tally: &Merged, measure_from_ns: u64) -> Vec<FirstFailure> {
    let seen = Outcome::ALL.into_iter().map(|outcome| (outcome, tally.first_seen(outcome)));
    let mut failures: Vec<FirstFailure> = seen
        .filter_map(|(outcome, first)| {
            let first = first?;
            let t = first.at_ns.saturating_sub(measure_from_ns) as f64 / 1e9;
            let detail = first_text(first, outcome);
            Some(FirstFailure { scenario: first.step.index(), outcome, t, detail })
        })
        .collect();
    failures.sort_by(|a, b| a.t.total_cmp(&b.t));
    failures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figures::Rate;
    use crate::run::RunInfo;
    use crate::tally::StepId;

    const S: u64 = 1_000_000_000;

    /// A merger of two sources, and its snapshot.
    fn two_sources() -> (Merger, Arc<SharedSnapshot>) {
        let run = RunInfo {
            scenarios: vec![("a".to_owned(), 1)],
            data: Vec::new(),
            duration_ns: Some(60 * S),
            target_rate: Some(300.0),
            pieces: Vec::new(),
            ..RunInfo::unknown()
        };
        let shared = Arc::new(SharedSnapshot::new(Snapshot::new(run, 0, 0.0)));
        let mut merger = Merger::new(shared.clone(), 0, 0).with_patience(20);
        merger.add(0..0, 0);
        merger.add(0..0, 0);
        (merger, shared)
    }

    /// A window of `source` up to the end of second `second`, in which `requests` were sent and answered.
    fn window(merger: &mut Merger, source: usize, second: u64, requests: u64) {
        let mut tally = Merged::new(1);
        let scenario = tally.row_mut(StepId(0));
        scenario.set(RowCounter::Due, requests);
        scenario.set(RowCounter::Sent, requests);
        scenario.set(Outcome::Ok, requests);
        merger.merge(&SourceWindow {
            source,
            began_at_ns: Some((second - 1) * S),
            ended_at_ns: second * S,
            tally: &tally,
            threads: &[],
            last: None,
        });
    }

    fn offered(shared: &SharedSnapshot) -> f64 {
        shared.read(|s| Rate::of(s).offered.expect("a measured time").round())
    }

    #[test]
    fn no_rate_exceeds_what_was_sent_while_one_source_is_silent() {
        let (mut merger, shared) = two_sources();
        for second in 1..=2 {
            window(&mut merger, 0, second, 150);
            window(&mut merger, 1, second, 150);
        }
        assert_eq!(offered(&shared), 300.0);
        for second in 3..=8 {
            window(&mut merger, 0, second, 150);
            assert_eq!(offered(&shared), 300.0, "after {second} s, one source silent from 2 s on");
        }
        assert_eq!(
            shared.read(|s| s.measured_ns),
            2 * S,
            "no window is closed that one source still has open"
        );
        merger.give_up(1);
        // 8 s of 150/s and 2 s of 150/s more.
        assert_eq!(offered(&shared), 188.0);
        window(&mut merger, 0, 9, 300);
        assert_eq!(offered(&shared), 200.0);
        merger.give_up(0);
        merger.finish();
        assert_eq!(offered(&shared), 200.0);
    }

    #[test]
    fn sources_of_unequal_parts_count_each_by_its_own_time() {
        let (mut merger, shared) = two_sources();
        window(&mut merger, 0, 1, 200);
        window(&mut merger, 1, 1, 100);
        window(&mut merger, 0, 2, 200);
        window(&mut merger, 0, 3, 200);
        assert_eq!(offered(&shared), 300.0);
    }
}
