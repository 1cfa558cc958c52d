//! One window of one thread while it is being recorded. Nothing here allocates after [`Tally::new`], except
//! for the few samples of broken expectations.

use super::availability::Availability;
use super::bucket::{self, BUCKETS, HIGHEST_NS};
use super::counters::{ROW_SLOTS, RUN_SLOTS, RowCount, RowTimer, RunCount, Timer};
use super::histogram::entry;
use super::pages::{MAX_PAGES, PAGE, PagedCounts};
use super::row::{STATUS_FIRST, STATUS_SLOTS, add_each, settled};
use super::seen::Seen;
use super::step::StepId;
use super::{FailureSample, FirstSeen, Histogram, Merged, Outcome};
use crate::http::CapturedResponse;

/// Pages of a series of times: its buckets, and one for records above the bound.
const TIMER_PAGES: usize = (BUCKETS + 1).div_ceil(PAGE);
/// Index of the count of records above the bound, after the last bucket.
const SATURATED: usize = BUCKETS;
/// Pages of a row's status codes.
const STATUS_PAGES: usize = STATUS_SLOTS.div_ceil(PAGE);
/// Samples of one exchange: the run's six timers, its row's two, and its status code.
const SAMPLES_PER_EXCHANGE: usize = Timer::COUNT + RowTimer::COUNT + 1;
/// Exchanges that may begin and end between two checks of [`Tally::wants_shipping`], besides one for each
/// connection: those of two rounds of events, with margin.
const EXCHANGES_BETWEEN: usize = 1024;

/// Counts and times of one window, with a row for each step of the plan.
///
/// Times and status codes are series of counts in one `PagedCounts`: first the timers of the run, then two of
/// each row, then the rows' status codes. When the pages run out, the owner must exchange this for an empty
/// one: see `wants_shipping`.
#[derive(Clone, Debug)]
pub struct Tally {
    rows: Box<[[u64; ROW_SLOTS]]>,
    counters: [u64; RUN_SLOTS],
    times: PagedCounts,
    /// Number of series of times.
    series: usize,
    /// By target.
    availability: Vec<Availability>,
    seen: Seen,
}

impl Tally {
    /// An empty tally for a plan of `steps` steps and a thread with few connections.
    pub fn new(steps: usize) -> Self {
        Self::for_connections(steps, 0)
    }

    /// An empty tally for a plan of `steps` steps and a thread with `connections` connections, all of whose
    /// exchanges may end at once.
    pub(crate) fn for_connections(steps: usize, connections: usize) -> Self {
        Self::with_pages(steps, MAX_PAGES, spill(connections))
    }

    /// An empty tally with a pool of at most `pages` pages and a spill list of `spill` samples.
    pub fn with_pages(steps: usize, pages: usize, spill: usize) -> Self {
        Self {
            rows: vec![[0; ROW_SLOTS]; steps].into(),
            counters: [0; RUN_SLOTS],
            times: PagedCounts::new(slots(steps), pages, spill),
            series: series(steps),
            availability: vec![Availability::with_capacity()],
            seen: Seen::default(),
        }
    }

    /// The same for a plan of so many targets.
    pub(crate) fn with_targets(mut self, targets: usize) -> Self {
        self.availability.resize_with(targets.max(1), Availability::with_capacity);
        self
    }

    /// The bytes that one of a plan with so many targets allocates. Only those touched become resident.
    pub(crate) const fn bytes(steps: usize, targets: usize, connections: usize) -> usize {
        let pages = PagedCounts::bytes(slots(steps), MAX_PAGES, spill(connections));
        let rows = steps * ROW_SLOTS * size_of::<u64>();
        size_of::<Self>() + rows + pages + targets * Availability::RECORDED_BYTES
    }

    // ── recording ──

    #[inline]
    pub(crate) fn count(&mut self, which: impl RunCount) {
        self.add(which, 1);
    }

    #[inline]
    pub(crate) fn add(&mut self, which: impl RunCount, n: u64) {
        self.counters[which.slot()] += n;
    }

    /// Record one time in nanoseconds.
    #[inline]
    pub fn record(&mut self, which: Timer, ns: u64) {
        self.record_series(which.index(), ns);
    }

    #[inline]
    pub(crate) fn count_row(&mut self, step: StepId, which: impl RowCount) {
        self.add_row(step, which, 1);
    }

    #[inline]
    pub(crate) fn add_row(&mut self, step: StepId, which: impl RowCount, n: u64) {
        self.rows[step.index()][which.slot()] += n;
    }

    /// Record one time of a step in nanoseconds.
    #[inline]
    pub fn record_row(&mut self, step: StepId, which: RowTimer, ns: u64) {
        self.record_series(Timer::COUNT + step.index() * RowTimer::COUNT + which.index(), ns);
    }

    #[inline]
    fn record_series(&mut self, series: usize, ns: u64) {
        if ns > HIGHEST_NS {
            return self.saturate(series);
        }
        let index = bucket::index(ns);
        self.times.add(index / PAGE * self.series + series, index % PAGE);
    }

    #[cold]
    #[inline(never)]
    fn saturate(&mut self, series: usize) {
        for index in [bucket::index(HIGHEST_NS), SATURATED] {
            self.times.add(index / PAGE * self.series + series, index % PAGE);
        }
    }

    /// Count an exchange of a step that ended with `outcome`.
    #[inline]
    pub fn end_row(&mut self, step: StepId, outcome: Outcome) {
        self.count_row(step, outcome);
    }

    /// Count a complete response's status code (100..=999; others are ignored, the decoder rejects them).
    #[inline]
    pub fn count_status(&mut self, step: StepId, code: u16) {
        let index = usize::from(code.wrapping_sub(STATUS_FIRST));
        if index < STATUS_SLOTS {
            let slot = TIMER_PAGES * self.series + index / PAGE * self.rows.len() + step.index();
            self.times.add(slot, index % PAGE);
        }
    }

    /// What the [`super::Recorder`] of a target has marked; `None`: the tally is for fewer targets.
    pub(crate) fn availability_mut(&mut self, target: usize) -> Option<&mut Availability> {
        self.availability.get_mut(target)
    }

    /// Keep `seen` unless an exchange ended like that before.
    pub(crate) fn see_first(&mut self, outcome: Outcome, seen: FirstSeen) {
        self.seen.first[outcome.index()].get_or_insert(seen);
    }

    /// Whether an exchange ended like that before.
    pub(crate) fn has_seen(&self, outcome: Outcome) -> bool {
        self.seen.first[outcome.index()].is_some()
    }

    /// Whether an exchange ended like that and nothing is kept of its response.
    pub(crate) fn lacks_evidence(&self, outcome: Outcome) -> bool {
        self.seen.first[outcome.index()].as_ref().is_some_and(|first| first.evidence.is_empty())
    }

    /// Add what came of the response of the first exchange that ended like that, if it was kept.
    pub(crate) fn add_evidence(&mut self, outcome: Outcome, evidence: String) {
        if let Some(first) = &mut self.seen.first[outcome.index()] {
            first.evidence = evidence;
        }
    }

    /// Keep a response that broke an expectation. The caller makes sure that it is the only one of its kind.
    /// Merging keeps the earliest of each kind per step, and at most [`super::MAX_FAILURE_SAMPLES`] kinds.
    pub(crate) fn keep_failure_sample(&mut self, failure_sample: FailureSample) {
        self.seen.failure_samples.push(failure_sample);
    }

    /// Keep this request as the last one that was rendered.
    pub(crate) fn capture_request(&mut self, request: &[u8]) {
        self.seen.request = Some(request.into());
    }

    /// Keep this response as the last one.
    pub(crate) fn capture_last(&mut self, response: Box<CapturedResponse>) {
        self.seen.captured = Some(response);
    }

    // ── windows ──

    /// Whether this should soon be exchanged for an empty one, because few pages are left.
    #[inline]
    pub(crate) fn wants_shipping(&self) -> bool {
        self.times.wants_shipping()
    }

    /// Whether this must be exchanged for an empty one, even if that means waiting for one.
    #[inline]
    pub(crate) fn must_ship(&self) -> bool {
        self.times.must_ship()
    }

    /// The sum of one counter over all rows.
    pub fn sum(&self, which: impl RowCount) -> u64 {
        self.rows.iter().map(|row| row[which.slot()]).sum()
    }

    /// Exchanges that ended plus requests that were dropped: all that are no longer outstanding.
    pub fn settled(&self) -> u64 {
        self.rows.iter().map(settled).sum()
    }

    /// The same counts as a [`Merged`].
    pub fn merged(&self) -> Merged {
        let mut merged = Merged::new(self.rows.len());
        self.merge_into(&mut merged);
        merged
    }

    /// Add everything to `merged`. Takes time proportional to the pages in use.
    pub(super) fn merge_into(&self, merged: &mut Merged) {
        assert_eq!(self.rows.len(), merged.rows.len(), "counts of one plan");
        add_each(&mut merged.counters, &self.counters);
        merged.rows.iter_mut().zip(&self.rows).for_each(|(row, mine)| add_each(&mut row.counters, mine));
        Availability::merge_all(&mut merged.availability, &self.availability);
        merged.seen.merge(&self.seen);
        let mut pages: Vec<_> = self.times.pages().map(|(slot, page)| (self.place(slot), page)).collect();
        pages.sort_unstable_by_key(|(place, _)| *place);
        let mut entries = Vec::new();
        for pages in pages.chunk_by(|(a, _), (b, _)| a.0 == b.0) {
            entries.clear();
            for ((_, page), counts) in pages {
                let counts = (page * PAGE..).zip(*counts).filter(|(_, n)| **n > 0);
                entries.extend(counts.map(|(index, n)| entry(index, u64::from(*n))));
            }
            self.merge_series(pages[0].0.0, &entries, merged);
        }
        for (slot, offset, n) in self.times.others() {
            let (series, page) = self.place(slot);
            self.merge_series(series, &[entry(page * PAGE + offset, n)], merged);
        }
    }

    /// The series that a slot belongs to, and which page of it. The series of status codes follow those of
    /// the timers.
    fn place(&self, slot: usize) -> (usize, usize) {
        match slot.checked_sub(TIMER_PAGES * self.series) {
            None => (slot % self.series, slot / self.series),
            Some(status) => (self.series + status % self.rows.len(), status / self.rows.len()),
        }
    }

    fn merge_series(&self, series: usize, entries: &[u64], merged: &mut Merged) {
        if let Some(step) = series.checked_sub(self.series) {
            let codes = Histogram::entries(entries);
            return codes.for_each(|(index, n)| merged.rows[step].add_status(STATUS_FIRST + index as u16, n));
        }
        let timer = match series.checked_sub(Timer::COUNT) {
            None => &mut merged.timers[series],
            Some(of_row) => &mut merged.rows[of_row / RowTimer::COUNT].timers[of_row % RowTimer::COUNT],
        };
        let saturated = entries.iter().rposition(|e| *e < entry(SATURATED, 0)).map_or(0, |last| last + 1);
        let (within, above) = entries.split_at(saturated);
        timer.merge_entries(within);
        timer.saturated += Histogram::entries(above).map(|(_, n)| n).sum::<u64>();
    }

    /// Reset everything to zero; keeps the memory.
    pub fn clear(&mut self) {
        let Self { rows, counters, times, series: _, availability, seen } = self;
        rows.fill([0; ROW_SLOTS]);
        counters.fill(0);
        times.clear();
        availability.iter_mut().for_each(Availability::clear);
        seen.clear();
    }
}

const fn series(steps: usize) -> usize {
    Timer::COUNT + steps * RowTimer::COUNT
}

const fn slots(steps: usize) -> usize {
    TIMER_PAGES * series(steps) + STATUS_PAGES * steps
}

const fn spill(connections: usize) -> usize {
    (connections + EXCHANGES_BETWEEN) * SAMPLES_PER_EXCHANGE
}

impl Merged {
    /// Add everything that `window` counted.
    ///
    /// # Panics
    /// When it was made for a plan of another length.
    pub fn merge_window(&mut self, window: &Tally) {
        window.merge_into(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::{Counter, RowCounter};

    /// Every bucket of every series and every status code, in random order, shipped on request.
    #[test]
    fn every_bucket_of_every_row_is_counted_with_a_pool_that_is_far_too_small() {
        const STEPS: usize = 2;
        const PAGES: usize = 64;
        let mut places: Vec<(usize, usize)> =
            (0..series(STEPS)).flat_map(|series| (0..BUCKETS).map(move |i| (series, i))).collect();
        places.extend((0..STEPS).flat_map(|step| (0..STATUS_SLOTS).map(move |i| (series(STEPS) + step, i))));
        fastrand::Rng::with_seed(1).shuffle(&mut places);
        let mut tally = Tally::with_pages(STEPS, PAGES, 16);
        let capacities = tally.times.capacities();
        let (mut shipped, mut merged, mut truth) = (0, Merged::new(STEPS), Merged::new(STEPS));
        for (i, (series, index)) in places.into_iter().enumerate() {
            let ns = bucket::lowest_and_width(index).0.min(HIGHEST_NS);
            let code = STATUS_FIRST + index as u16;
            if let Some(step) = series.checked_sub(tally.series) {
                tally.count_status(StepId::new(step), code);
                truth.count_status(StepId::new(step), code);
            } else if let Some(timer) = Timer::ALL.get(series) {
                tally.record(*timer, ns);
                truth.record(*timer, ns);
            } else {
                let (step, timer) = (
                    (series - Timer::COUNT) / RowTimer::COUNT,
                    RowTimer::ALL[(series - Timer::COUNT) % RowTimer::COUNT],
                );
                tally.record_row(StepId::new(step), timer, ns);
                truth.record_row(StepId::new(step), timer, ns);
            }
            // An empty one is available only now and then.
            if tally.wants_shipping() && i % 32 == 0 {
                merged.merge_window(&tally);
                tally.clear();
                shipped += 1;
            }
        }
        merged.merge_window(&tally);
        assert_eq!(merged, truth);
        assert_eq!(merged.row(StepId(1)).status_codes().count(), STATUS_SLOTS);
        assert!(shipped > 1_000, "{shipped}");
        assert_eq!(tally.times.capacities(), capacities, "the list of samples without a page is long enough");
    }

    #[test]
    fn a_sample_is_not_lost_though_nobody_ships() {
        let mut tally = Tally::with_pages(1, 4, 2);
        let mut truth = Merged::new(1);
        for i in 0..1_000 {
            tally.record(Timer::Slip, i * 10_000);
            truth.record(Timer::Slip, i * 10_000);
        }
        assert!(tally.must_ship() && tally.merged() == truth);
    }

    #[test]
    fn a_pool_with_a_page_for_each_slot_never_asks_to_be_shipped() {
        let mut tally = Tally::new(1);
        assert!(slots(1) <= MAX_PAGES);
        for index in 0..BUCKETS {
            let ns = bucket::lowest_and_width(index).0.min(HIGHEST_NS);
            RowTimer::ALL.iter().for_each(|timer| tally.record_row(StepId(0), *timer, ns));
            Timer::ALL.iter().for_each(|timer| tally.record(*timer, ns));
        }
        assert!(!tally.wants_shipping());
    }

    #[test]
    fn a_count_that_overflows_is_carried() {
        let mut tally = Tally::new(1);
        tally.record_row(StepId(0), RowTimer::ServiceOk, 1_000);
        let (series, index) = (Timer::COUNT + RowTimer::ServiceOk.index(), bucket::index(1_000));
        tally.times.fill(index / PAGE * tally.series + series, index % PAGE);
        assert!(!tally.must_ship());
        (0..3).for_each(|_| tally.record_row(StepId(0), RowTimer::ServiceOk, 1_000));
        assert!(tally.must_ship());
        assert_eq!(tally.merged().row(StepId(0)).timer(RowTimer::ServiceOk).count(), (1 << 32) + 2);
    }

    #[test]
    fn times_above_the_bound_and_foreign_status_codes_are_told_apart() {
        let mut tally = Tally::new(3);
        tally.record_row(StepId(2), RowTimer::ResponseOk, HIGHEST_NS * 2);
        tally.record_row(StepId(2), RowTimer::ResponseOk, HIGHEST_NS);
        [99, 100, 999, 1_000, 0].into_iter().for_each(|code| tally.count_status(StepId(2), code));
        let merged = tally.merged();
        let row = merged.row(StepId(2));
        assert_eq!(
            (row.timer(RowTimer::ResponseOk).count(), row.timer(RowTimer::ResponseOk).saturated()),
            (2, 1)
        );
        assert_eq!(row.status_codes().collect::<Vec<_>>(), [(100, 1), (999, 1)]);
        assert!(merged.row(StepId(1)).is_empty());
    }

    #[test]
    fn what_was_cleared_is_as_good_as_new() {
        let mut tally = Tally::new(2);
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..3 {
            let mut truth = Merged::new(2);
            for _ in 0..2_000 {
                let (step, ns) = (StepId(rng.u32(..2)), rng.u64(..1 << 30));
                tally.count_row(step, RowCounter::Due);
                truth.add_row(step, RowCounter::Due, 1);
                tally.record_row(step, RowTimer::ResponseOk, ns);
                truth.record_row(step, RowTimer::ResponseOk, ns);
                tally.count(Counter::Retried);
                truth.add(Counter::Retried, 1);
            }
            assert_eq!((tally.merged(), tally.sum(RowCounter::Due)), (truth, 2_000));
            tally.clear();
            assert_eq!(tally.merged(), Merged::new(2));
        }
    }
}
