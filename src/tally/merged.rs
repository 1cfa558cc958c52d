//! Sums of windows: of all threads, all workers, the whole run. Allocates for what was seen.

use super::availability::Availability;
use super::counters::{ROW_SLOTS, RUN_SLOTS, RowCount, RowTime, RowTimer, RunCount, Timer};
use super::row::add_each;
use super::seen::Seen;
use super::step::StepId;
use super::{FailureSample, FirstSeen, Histogram, Outcome, Row};
use crate::http::CapturedResponse;

/// The most that a counter may come to over all rows: sums of a few dozen of them fit 64 bits.
pub(super) const MAX_SUM: u64 = 1 << 56;
/// The most times in histograms that are added up: below what one bucket of theirs can count.
const MAX_SAMPLES: u64 = 1 << 47;

/// Counts and histograms of one or more windows, with a row for each step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    pub(super) rows: Vec<Row>,
    pub(super) counters: [u64; RUN_SLOTS],
    pub(super) timers: [Histogram; Timer::COUNT],
    /// By target; at least one.
    pub(super) availability: Vec<Availability>,
    pub(super) seen: Seen,
}

impl Merged {
    /// An empty sum for a plan of `steps` steps.
    pub fn new(steps: usize) -> Self {
        Self {
            rows: vec![Row::new(); steps],
            counters: [0; RUN_SLOTS],
            timers: [const { Histogram::new() }; Timer::COUNT],
            availability: vec![Availability::default()],
            seen: Seen::default(),
        }
    }

    // ── reading ──

    /// The value of a counter.
    pub fn counter(&self, which: impl RunCount) -> u64 {
        self.counters[which.slot()]
    }

    /// The recorded times of a timer, in nanoseconds.
    pub fn timer(&self, which: Timer) -> &Histogram {
        &self.timers[which.index()]
    }

    /// The rows, in the order of the plan's steps.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row of a step.
    pub fn row(&self, step: StepId) -> &Row {
        &self.rows[step.index()]
    }

    /// The sum of one counter over all rows.
    pub fn sum(&self, which: impl RowCount) -> u64 {
        self.rows.iter().map(|row| row.counter(which)).sum()
    }

    /// Exchanges that ended with [`Outcome::Ok`].
    pub fn completed(&self) -> u64 {
        self.sum(Outcome::Ok)
    }

    /// Exchanges that ended with any other outcome.
    pub fn failed(&self) -> u64 {
        self.ended() - self.completed()
    }

    /// Exchanges that ended, with any outcome.
    pub fn ended(&self) -> u64 {
        self.rows.iter().map(Row::ended).sum()
    }

    /// Exchanges that ended plus requests that were dropped: all that are no longer outstanding.
    pub fn settled(&self) -> u64 {
        self.rows.iter().map(Row::settled).sum()
    }

    /// One timer summed over all rows.
    pub fn over_rows(&self, which: RowTimer) -> Histogram {
        Histogram::sum(self.rows.iter().map(|row| row.timer(which)))
    }

    /// The times of all exchanges of all rows, however they ended.
    pub fn times(&self, which: RowTime) -> Histogram {
        let rows = self.rows.iter();
        Histogram::sum(rows.flat_map(|row| [true, false].map(|ok| row.timer(which.timer(ok)))))
    }

    /// Where an exchange that ended like that was seen first.
    pub fn first_seen(&self, outcome: Outcome) -> Option<&FirstSeen> {
        self.seen.first[outcome.index()].as_ref()
    }

    /// The first responses that broke an expectation, see `Tally::keep_failure_sample`.
    pub fn failure_samples(&self) -> &[FailureSample] {
        &self.seen.failure_samples
    }

    /// When requests to a target waited and when they were answered; `None`: none was sent to it.
    pub(crate) fn availability(&self, target: usize) -> Option<&Availability> {
        self.availability.get(target)
    }

    /// The last request that was rendered, where the client was to keep it.
    pub(crate) fn last_request(&self) -> Option<&[u8]> {
        self.seen.request.as_deref()
    }

    /// The last response, where the client was to keep it.
    pub(crate) fn last_captured(&self) -> Option<&CapturedResponse> {
        self.seen.captured.as_deref()
    }

    // ── changing ──

    /// Add `n` to a counter.
    pub fn add(&mut self, which: impl RunCount, n: u64) {
        self.counters[which.slot()] += n;
    }

    /// Set a counter to `n`.
    pub fn set(&mut self, which: impl RunCount, n: u64) {
        self.counters[which.slot()] = n;
    }

    /// Record one time in nanoseconds.
    pub fn record(&mut self, which: Timer, ns: u64) {
        self.timers[which.index()].record(ns);
    }

    /// Add `n` to a counter of a step.
    pub fn add_row(&mut self, step: StepId, which: impl RowCount, n: u64) {
        self.row_mut(step).add(which, n);
    }

    /// Record one time of a step in nanoseconds.
    pub fn record_row(&mut self, step: StepId, which: RowTimer, ns: u64) {
        self.row_mut(step).record(which, ns);
    }

    /// Count a complete response's status code.
    pub fn count_status(&mut self, step: StepId, code: u16) {
        self.row_mut(step).count_status(code);
    }

    /// The row of a step.
    pub fn row_mut(&mut self, step: StepId) -> &mut Row {
        &mut self.rows[step.index()]
    }

    /// The recorded times of a timer, to change.
    pub fn timer_mut(&mut self, which: Timer) -> &mut Histogram {
        &mut self.timers[which.index()]
    }

    /// Whether all counts of both together, summed over rows, stay below what sums of them can hold: to be
    /// asked before counts of a peer are merged.
    pub(crate) fn has_room_for(&self, other: &Self) -> bool {
        self.sums().zip(other.sums()).all(|((a, most), (b, _))| a.saturating_add(b) <= most)
    }

    /// What each counter and timer comes to over all rows, and the most it may.
    fn sums(&self) -> impl Iterator<Item = (u64, u64)> {
        let over_rows = |of: &dyn Fn(&Row) -> u64| self.rows.iter().map(of).fold(0, u64::saturating_add);
        let slots = (0..ROW_SLOTS).map(|slot| (over_rows(&|row| row.counters[slot]), MAX_SUM));
        let row_timers = (0..RowTimer::COUNT).map(|i| (over_rows(&|row| row.timers[i].count()), MAX_SAMPLES));
        let status = |row: &Row| row.status.iter().map(|(_, n)| *n).fold(0, u64::saturating_add);
        let rows: Vec<_> = slots.chain(row_timers).chain([(over_rows(&status), MAX_SUM)]).collect();
        let counters = self.counters.iter().map(|n| (*n, MAX_SUM));
        counters.chain(self.timers.iter().map(|timer| (timer.count(), MAX_SAMPLES))).chain(rows)
    }

    /// Add everything `other` counted.
    ///
    /// # Panics
    /// When the two were made for plans of different length.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.rows.len(), other.rows.len(), "counts of one plan");
        self.rows.iter_mut().zip(&other.rows).for_each(|(mine, theirs)| mine.merge(theirs));
        add_each(&mut self.counters, &other.counters);
        self.timers.iter_mut().zip(&other.timers).for_each(|(mine, theirs)| mine.merge(theirs));
        Availability::merge_all(&mut self.availability, &other.availability);
        self.seen.merge(&other.seen);
    }

    /// Reset everything to zero; keeps the memory.
    pub fn clear(&mut self) {
        let Self { rows, counters, timers, availability, seen } = self;
        rows.iter_mut().for_each(Row::clear);
        counters.fill(0);
        timers.iter_mut().for_each(Histogram::clear);
        availability.iter_mut().for_each(Availability::clear);
        seen.clear();
    }

    /// Make the times of what was seen relative to `start_ns`.
    pub(crate) fn count_from(&mut self, start_ns: u64) {
        self.seen.count_from(start_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::RowCounter;

    #[test]
    fn there_is_room_up_to_what_sums_over_all_rows_can_hold() {
        let counted = |n| {
            let mut merged = Merged::new(2);
            merged.add_row(StepId(0), RowCounter::Due, n);
            merged.add_row(StepId(1), RowCounter::Due, n);
            merged
        };
        assert!(counted(MAX_SUM / 4).has_room_for(&counted(MAX_SUM / 4)));
        assert!(!counted(MAX_SUM / 4).has_room_for(&counted(MAX_SUM / 4 + 1)));
        let timed = |n| {
            let mut merged = Merged::new(2);
            merged.rows[1].timers[0] = Histogram::of([(3, n)].into_iter());
            merged
        };
        assert!(timed(MAX_SAMPLES / 2).has_room_for(&timed(MAX_SAMPLES / 2)));
        assert!(!timed(MAX_SAMPLES / 2).has_room_for(&timed(MAX_SAMPLES / 2 + 1)));
    }
}
