//! The merged counters and times of one step.

use super::counters::{ROW_SLOTS, RowCount, RowCounter, RowTime, RowTimer};
use super::{Histogram, Outcome};

/// Status codes have three digits: 100 to 999.
pub(crate) const STATUS_FIRST: u16 = 100;
pub(super) const STATUS_SLOTS: usize = 900;

/// Counters, status codes and times of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub(super) counters: [u64; ROW_SLOTS],
    pub(super) timers: [Histogram; RowTimer::COUNT],
    /// Codes seen, ascending, with their counts.
    pub(super) status: Vec<(u16, u64)>,
}

impl Row {
    pub(super) fn new() -> Self {
        Self {
            counters: [0; ROW_SLOTS],
            timers: [const { Histogram::new() }; RowTimer::COUNT],
            status: Vec::new(),
        }
    }

    /// Whether nothing was counted or timed.
    pub(super) fn is_empty(&self) -> bool {
        self.counters.iter().all(|n| *n == 0)
            && self.status.is_empty()
            && self.timers.iter().all(|timer| timer.count() == 0)
    }

    /// The value of a counter.
    pub fn counter(&self, which: impl RowCount) -> u64 {
        self.counters[which.slot()]
    }

    /// The recorded times of a timer, in nanoseconds.
    pub fn timer(&self, which: RowTimer) -> &Histogram {
        &self.timers[which.index()]
    }

    /// The times of all exchanges, however they ended.
    pub fn times(&self, which: RowTime) -> Histogram {
        Histogram::sum([true, false].map(|ok| self.timer(which.timer(ok))))
    }

    /// The status codes that were seen, ascending, with their counts.
    pub fn status_codes(&self) -> impl Iterator<Item = (u16, u64)> {
        self.status.iter().copied()
    }

    /// Exchanges that ended with [`Outcome::Ok`].
    pub(crate) fn completed(&self) -> u64 {
        self.counter(Outcome::Ok)
    }

    /// Exchanges that ended with any other outcome.
    pub(crate) fn failed(&self) -> u64 {
        self.ended() - self.completed()
    }

    pub(crate) fn ended(&self) -> u64 {
        ended(&self.counters)
    }

    /// Exchanges that ended plus requests that were dropped: all that are no longer outstanding.
    pub(crate) fn settled(&self) -> u64 {
        settled(&self.counters)
    }

    /// Add `n` to a counter.
    pub fn add(&mut self, which: impl RowCount, n: u64) {
        self.counters[which.slot()] += n;
    }

    /// Set a counter to `n`.
    pub fn set(&mut self, which: impl RowCount, n: u64) {
        self.counters[which.slot()] = n;
    }

    /// Record one time in nanoseconds.
    pub fn record(&mut self, which: RowTimer, ns: u64) {
        self.timers[which.index()].record(ns);
    }

    /// Add times that were recorded elsewhere.
    pub(crate) fn add_times(&mut self, which: RowTimer, times: &Histogram) {
        self.timers[which.index()].merge(times);
    }

    /// Count a complete response's status code (100..=999; others are ignored, the decoder rejects them).
    pub fn count_status(&mut self, code: u16) {
        if usize::from(code.wrapping_sub(STATUS_FIRST)) < STATUS_SLOTS {
            self.add_status(code, 1);
        }
    }

    pub(super) fn add_status(&mut self, code: u16, n: u64) {
        match self.status.binary_search_by_key(&code, |(code, _)| *code) {
            Ok(at) => self.status[at].1 += n,
            Err(at) => {
                self.status.reserve_exact(1);
                self.status.insert(at, (code, n));
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        add_each(&mut self.counters, &other.counters);
        other.status.iter().for_each(|(code, n)| self.add_status(*code, *n));
        self.timers.iter_mut().zip(&other.timers).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    pub(super) fn clear(&mut self) {
        let Self { counters, timers, status } = self;
        counters.fill(0);
        timers.iter_mut().for_each(Histogram::clear);
        status.clear();
    }
}

/// Exchanges that ended, from a row's counters.
pub(super) fn ended(counters: &[u64; ROW_SLOTS]) -> u64 {
    Outcome::ALL.iter().map(|outcome| counters[outcome.slot()]).sum()
}

/// Requests that are no longer outstanding, from a row's counters.
pub(super) fn settled(counters: &[u64; ROW_SLOTS]) -> u64 {
    ended(counters) + counters[RowCounter::Dropped.slot()]
}

pub(super) fn add_each(mine: &mut [u64], theirs: &[u64]) {
    mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
}
