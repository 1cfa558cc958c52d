//! The merged state of a run, from which every page and file is drawn.

use super::failure::FirstFailure;
use super::fleet::Fleet;
use super::info::RunInfo;
use super::intervals::Intervals;
use super::state::{Ending, State};
use super::tails::Tails;
use super::timeline::TimelinePoint;
use crate::tally::{Counter, Merged, RowCounter, ThreadHealth};

/// The merged state of a run, during the run or at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The facts known before the run started.
    pub run: RunInfo,
    /// The run's phase.
    pub state: State,
    /// How it ended; meaningful once `state` is `Finished`.
    pub ending: Ending,
    /// Why the run could not be carried out as planned, unless its figures show it.
    pub error: Option<String>,
    /// Index of the threshold whose failure stopped the run.
    pub aborted: Option<usize>,
    /// Wall clock at the start, in seconds since the Unix epoch.
    pub started_at: f64,
    /// Time since the start of the schedule (warm-up included), in nanoseconds.
    pub elapsed_ns: u64,
    /// Measured time so far, in nanoseconds: up to the end of the last window that every source has closed.
    pub measured_ns: u64,
    /// Mean time by which the counts reach beyond `measured_ns` while some sources lag, in nanoseconds.
    pub ahead_ns: u64,
    /// Requests that were neither answered nor failed when the drain ended.
    pub unfinished: u64,
    /// Counts and histograms of the measured time.
    pub tally: Merged,
    /// The measured time, window by window.
    pub timeline: Vec<TimelinePoint>,
    /// Its high percentiles.
    pub tails: Tails,
    /// Full response time histograms of each window; `None`: no histogram log is written.
    pub intervals: Option<Intervals>,
    /// One entry per load thread.
    pub threads: Vec<ThreadHealth>,
    /// The first failure of each kind, up to a small limit.
    pub first_failures: Vec<FirstFailure>,
    /// CPU throttling of our cgroup in the measured time, in nanoseconds.
    pub throttled_ns: u64,
    /// Enforcement periods in which our cgroup was throttled in the measured time.
    pub throttled_periods: u64,
    /// The workers of a coordinator; `None`: not a coordinator.
    pub fleet: Option<Fleet>,
}

impl Snapshot {
    /// A run that has not started.
    pub fn new(run: RunInfo, threads: usize, started_at: f64) -> Self {
        let tally = Merged::new(run.scenarios.len());
        Self {
            run,
            state: State::Starting,
            ending: Ending::Complete,
            error: None,
            aborted: None,
            started_at,
            elapsed_ns: 0,
            measured_ns: 0,
            ahead_ns: 0,
            unfinished: 0,
            tally,
            timeline: Vec::new(),
            tails: Tails::default(),
            intervals: None,
            threads: vec![ThreadHealth::default(); threads],
            first_failures: Vec::new(),
            throttled_ns: 0,
            throttled_periods: 0,
            fleet: None,
        }
    }

    /// End the run with an error: nothing more will be measured.
    pub(crate) fn fail(&mut self, ending: Ending, error: String) {
        (self.state, self.ending, self.error) = (State::Finished, ending, Some(error));
    }

    /// Whether the rows of a data set ran out before load was to end, or could not be read any more.
    pub(crate) fn is_out_of_data(&self) -> bool {
        self.tally.counter(Counter::OutOfData) > 0 || self.tally.counter(Counter::DataUnreadable) > 0
    }

    pub(crate) fn is_final(&self) -> bool {
        self.state == State::Finished
    }

    /// The absolute imbalance of the final counts: due = completed + failed + dropped + unfinished should
    /// hold.
    pub(crate) fn unaccounted(&self) -> u64 {
        let dropped = self.tally.sum(RowCounter::Dropped);
        self.tally.sum(RowCounter::Due).abs_diff(self.tally.ended() + dropped + self.unfinished)
    }

    pub(crate) fn ever_connected(&self) -> bool {
        self.tally.counter(Counter::ConnectionsOpened) > 0 || self.tally.sum(RowCounter::Sent) > 0
    }

    /// The time that the counts cover, in nanoseconds: the denominator of every rate.
    pub(crate) const fn counted_ns(&self) -> u64 {
        self.measured_ns + self.ahead_ns
    }

    /// Whether the run was stopped early: by a signal, a threshold or a lost worker.
    pub(crate) fn is_stopped(&self) -> bool {
        self.aborted.is_some() || self.ending != Ending::Complete
    }

    /// Whether the run is over and shorter than planned.
    pub(crate) fn ended_early(&self) -> bool {
        self.is_final() && self.is_stopped() && self.run.duration_ns.is_some_and(|d| self.measured_ns < d)
    }

    /// Progress of the run, 0..=1: by requests or by time, whichever is further.
    pub(crate) fn progress(&self) -> f64 {
        if self.state == State::Finished && !self.is_stopped() {
            return 1.0;
        }
        let (run, ended) = (&self.run, self.tally.settled() as f64);
        let by_requests = run.requests.map_or(0.0, |n| ended / (n.max(1)) as f64);
        // In a stopped run the wait for requests in flight is no progress.
        let so_far_ns = match self.is_stopped() && self.measured_ns > 0 {
            true => self.measured_ns.saturating_add(run.warmup_ns),
            false => self.elapsed_ns,
        };
        let by_time = run
            .duration_ns
            .map_or(0.0, |d| so_far_ns as f64 / (d.saturating_add(run.warmup_ns)).max(1) as f64);
        by_requests.max(by_time).min(1.0)
    }

    /// Time until the plan's end in nanoseconds: the lesser of the remaining duration and the time that the
    /// remaining requests take at the pace so far. `None` when no load is applied or neither is known.
    pub(crate) fn left_ns(&self) -> Option<u64> {
        if !matches!(self.state, State::WarmingUp | State::Running) {
            return None;
        }
        let run = &self.run;
        let by_time =
            run.duration_ns.map(|d| (d.saturating_add(run.warmup_ns)).saturating_sub(self.elapsed_ns));
        let ended = self.tally.settled();
        let by_requests = run.requests.filter(|_| ended > 0).map(|n| {
            let share = n.saturating_sub(ended) as f64 / ended as f64;
            (self.counted_ns() as f64 * share) as u64
        });
        by_time.into_iter().chain(by_requests).min()
    }
}
