//! Counts and histograms of one window of one thread. Tallies merge without loss; nothing here
//! allocates after [`Tally::new`], but for the few specimens of broken expectations.

mod close;
mod counters;
mod encoding;
mod hdr_v2;
mod health;
mod histogram;
mod outcome;
pub mod quantile;
mod row;
mod tls;

pub use close::Close;
pub use counters::{Counter, RowCount, RowCounter, RowTimer, RunCount, StepId, Timer};
pub use health::ThreadHealth;
pub use histogram::{Bucket, HIGHEST_NS, Histogram};
pub use outcome::{Broken, Detail, FirstSeen, MAX_SPECIMENS, Outcome, Specimen};
pub use row::Row;
pub use tls::TlsFault;

use crate::http::CapturedResponse;
use counters::RUN_SLOTS;
use row::add_each;

/// Counts and histograms of a run, with a row for each step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    rows: Vec<Row>,
    counters: [u64; RUN_SLOTS],
    timers: [Histogram; Timer::COUNT],
    /// For each outcome, by its index, where it was seen first.
    first_seen: [Option<FirstSeen>; Outcome::COUNT],
    specimens: Vec<Specimen>,
    captured: Option<Box<CapturedResponse>>,
}

impl Tally {
    /// An empty tally for a plan of `steps` steps. The only place that allocates.
    pub fn new(steps: usize) -> Self {
        Self {
            rows: (0..steps).map(|_| Row::new()).collect(),
            counters: [0; RUN_SLOTS],
            timers: std::array::from_fn(|_| Histogram::new()),
            first_seen: [None; Outcome::COUNT],
            specimens: Vec::new(),
            captured: None,
        }
    }

    // ── recording ──

    /// Count one more.
    #[inline]
    pub fn count(&mut self, which: impl RunCount) {
        self.add(which, 1);
    }

    /// Count `n` more.
    #[inline]
    pub fn add(&mut self, which: impl RunCount, n: u64) {
        self.counters[which.slot()] += n;
    }

    /// Set a counter to `n`.
    pub fn set(&mut self, which: impl RunCount, n: u64) {
        self.counters[which.slot()] = n;
    }

    /// Record one time in nanoseconds.
    #[inline]
    pub fn record(&mut self, which: Timer, ns: u64) {
        self.timers[which.index()].record(ns);
    }

    /// Count one more of a step.
    #[inline]
    pub fn count_row(&mut self, step: StepId, which: impl RowCount) {
        self.add_row(step, which, 1);
    }

    /// Count `n` more of a step.
    #[inline]
    pub fn add_row(&mut self, step: StepId, which: impl RowCount, n: u64) {
        self.rows[step.index()].add(which, n);
    }

    /// Record one time of a step in nanoseconds.
    #[inline]
    pub fn record_row(&mut self, step: StepId, which: RowTimer, ns: u64) {
        self.rows[step.index()].record(which, ns);
    }

    /// Count an exchange of a step that ended.
    #[inline]
    pub fn end_row(&mut self, step: StepId, outcome: Outcome) {
        self.count_row(step, outcome);
    }

    /// Count a complete response's status code (100..=999; others are ignored, the decoder refuses them).
    #[inline]
    pub fn count_status(&mut self, step: StepId, code: u16) {
        self.rows[step.index()].count_status(code);
    }

    /// Keep `seen` unless an exchange ended like that before.
    pub fn see_first(&mut self, outcome: Outcome, seen: FirstSeen) {
        self.first_seen[outcome.index()].get_or_insert(seen);
    }

    /// Keep a response that broke an expectation: of each step the earliest of each kind, and
    /// [`MAX_SPECIMENS`] kinds.
    pub fn keep_specimen(&mut self, specimen: Specimen) {
        let of_step = |s: &&Specimen| s.step == specimen.step;
        let is_full = self.specimens.iter().filter(of_step).count() >= MAX_SPECIMENS;
        let same = |s: &&mut Specimen| s.step == specimen.step && s.broken == specimen.broken;
        match self.specimens.iter_mut().find(same) {
            Some(mine) if specimen.at_ns < mine.at_ns => *mine = specimen,
            None if !is_full => self.specimens.push(specimen),
            _ => {}
        }
    }

    /// Keep this response as the last one.
    pub fn capture_last(&mut self, response: Box<CapturedResponse>) {
        self.captured = Some(response);
    }

    // ── reading ──

    /// How often this was counted.
    pub fn counter(&self, which: impl RunCount) -> u64 {
        self.counters[which.slot()]
    }

    /// The times that were recorded.
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

    /// The row of a step.
    pub fn row_mut(&mut self, step: StepId) -> &mut Row {
        &mut self.rows[step.index()]
    }

    /// The times that were recorded.
    pub fn timer_mut(&mut self, which: Timer) -> &mut Histogram {
        &mut self.timers[which.index()]
    }

    /// The sum of one counter over all rows.
    pub fn sum(&self, which: impl RowCount) -> u64 {
        self.rows.iter().map(|row| row.counter(which)).sum()
    }

    /// Exchanges that ended well.
    pub fn completed(&self) -> u64 {
        self.sum(Outcome::Ok)
    }

    /// Exchanges that ended in any other way.
    pub fn failed(&self) -> u64 {
        self.ended() - self.completed()
    }

    /// Exchanges that ended.
    pub fn ended(&self) -> u64 {
        self.rows.iter().map(Row::ended).sum()
    }

    /// Exchanges that ended and requests that were dropped: what is no longer outstanding.
    pub fn settled(&self) -> u64 {
        self.rows.iter().map(Row::settled).sum()
    }

    /// The times of all rows together.
    pub fn over_rows(&self, which: RowTimer) -> Histogram {
        let mut all = Histogram::new();
        self.rows.iter().for_each(|row| all.merge(row.timer(which)));
        all
    }

    /// Where an exchange that ended like that was seen first.
    pub fn first_seen(&self, outcome: Outcome) -> Option<&FirstSeen> {
        self.first_seen[outcome.index()].as_ref()
    }

    /// The first responses that broke an expectation, see [`Self::keep_specimen`].
    pub fn specimens(&self) -> &[Specimen] {
        &self.specimens
    }

    /// The last response, where the client was to keep it.
    pub fn last_captured(&self) -> Option<&CapturedResponse> {
        self.captured.as_deref()
    }

    // ── windows ──

    /// Add everything `other` counted.
    ///
    /// # Panics
    /// When the two were made for plans of different length.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.rows.len(), other.rows.len(), "tallies of one plan");
        self.rows.iter_mut().zip(&other.rows).for_each(|(mine, theirs)| mine.merge(theirs));
        add_each(&mut self.counters, &other.counters);
        self.timers.iter_mut().zip(&other.timers).for_each(|(mine, theirs)| mine.merge(theirs));
        for (mine, theirs) in self.first_seen.iter_mut().zip(&other.first_seen) {
            if let Some(seen) = theirs
                && mine.is_none_or(|m| seen.at_ns < m.at_ns)
            {
                *mine = Some(*seen);
            }
        }
        other.specimens.iter().for_each(|specimen| self.keep_specimen(specimen.clone()));
        if other.captured.is_some() {
            self.captured.clone_from(&other.captured);
        }
    }

    /// Forget everything; keeps the memory.
    pub fn clear(&mut self) {
        let Self { rows, counters, timers, first_seen, specimens, captured } = self;
        rows.iter_mut().for_each(Row::clear);
        counters.fill(0);
        timers.iter_mut().for_each(Histogram::clear);
        first_seen.fill(None);
        specimens.clear();
        *captured = None;
    }

    /// Count the instants of what was seen from `start_ns` on.
    pub fn count_from(&mut self, start_ns: u64) {
        let first = self.first_seen.iter_mut().flatten().map(|seen| &mut seen.at_ns);
        let instants = first.chain(self.specimens.iter_mut().map(|seen| &mut seen.at_ns));
        instants.for_each(|at_ns| *at_ns = at_ns.saturating_sub(start_ns));
    }
}
