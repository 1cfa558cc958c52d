//! What one step's exchanges did.

use super::counters::{ROW_SLOTS, RowCount, RowCounter, RowTimer};
use super::{Histogram, Outcome};

/// Status codes a response can carry: three digits.
pub const STATUS_FIRST: u16 = 100;
pub(super) const STATUS_SLOTS: usize = 900;

/// Counters, status codes and times of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub(super) counters: [u64; ROW_SLOTS],
    pub(super) timers: [Histogram; RowTimer::COUNT],
    pub(super) status: Box<[u64; STATUS_SLOTS]>,
}

impl Row {
    pub(super) fn new() -> Self {
        Self {
            counters: [0; ROW_SLOTS],
            timers: std::array::from_fn(|_| Histogram::new()),
            status: Box::new([0; STATUS_SLOTS]),
        }
    }

    /// Whether nothing was counted or timed.
    pub(super) fn is_empty(&self) -> bool {
        self.counters.iter().chain(&self.status[..]).all(|n| *n == 0)
            && self.timers.iter().all(|timer| timer.count() == 0)
    }

    /// How often this was counted.
    #[inline]
    pub fn counter(&self, which: impl RowCount) -> u64 {
        self.counters[which.slot()]
    }

    /// The times that were recorded.
    pub fn timer(&self, which: RowTimer) -> &Histogram {
        &self.timers[which.index()]
    }

    /// The status codes that were seen, ascending, with their counts.
    pub fn status_codes(&self) -> impl Iterator<Item = (u16, u64)> {
        (STATUS_FIRST..).zip(self.status.iter()).filter(|(_, n)| **n > 0).map(|(code, n)| (code, *n))
    }

    /// Exchanges that ended well.
    pub fn completed(&self) -> u64 {
        self.counter(Outcome::Ok)
    }

    /// Exchanges that ended in any other way.
    pub fn failed(&self) -> u64 {
        self.ended() - self.completed()
    }

    /// Exchanges that ended.
    pub fn ended(&self) -> u64 {
        Outcome::ALL.iter().map(|outcome| self.counter(*outcome)).sum()
    }

    /// Exchanges that ended and requests that were dropped: what is no longer outstanding.
    pub fn settled(&self) -> u64 {
        self.ended() + self.counter(RowCounter::Dropped)
    }

    /// Count `n` more.
    #[inline]
    pub fn add(&mut self, which: impl RowCount, n: u64) {
        self.counters[which.slot()] += n;
    }

    /// Set a counter to `n`.
    pub fn set(&mut self, which: impl RowCount, n: u64) {
        self.counters[which.slot()] = n;
    }

    /// Record one time in nanoseconds.
    #[inline]
    pub fn record(&mut self, which: RowTimer, ns: u64) {
        self.timers[which.index()].record(ns);
    }

    /// Count a complete response's status code (100..=999; others are ignored, the decoder refuses them).
    #[inline]
    pub fn count_status(&mut self, code: u16) {
        if let Some(slot) = self.status.get_mut(usize::from(code.wrapping_sub(STATUS_FIRST))) {
            *slot += 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        add_each(&mut self.counters, &other.counters);
        add_each(&mut self.status[..], &other.status[..]);
        self.timers.iter_mut().zip(&other.timers).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    pub(super) fn clear(&mut self) {
        self.counters.fill(0);
        self.status.fill(0);
        self.timers.iter_mut().for_each(Histogram::clear);
    }
}

pub(super) fn add_each(mine: &mut [u64], theirs: &[u64]) {
    mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
}
