//! One thread's demand: which request starts next, and when it is due.

use std::collections::VecDeque;

use super::backlog::Backlog;
use super::exchange::Start;
use super::phases::Phases;
use super::spec::RunSpec;
use crate::data::Numbering;
use crate::plan::{Load, Model, ShardLoad};
use crate::schedule::{Arrivals, Due, Schedule};
use crate::tally::{Counter, StepId, Tally};

/// The source of requests.
#[derive(Debug)]
pub(crate) enum Demand {
    Closed(Closed),
    Open(Box<Open>),
}

/// Closed model: each user starts the next request when their last one has ended and a connection can carry
/// it.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Users without a request in progress.
    idle_users: u32,
    /// Requests whose users wait for a connection to their target, by target, oldest first. They are due once there is
    /// one. Empty with one target: there are as many users as connections.
    parked: Box<[VecDeque<Drawn>]>,
    /// Index of the next request in the picker's sequence. With a number of requests the warm-up has a sequence of its
    /// own, which does not end.
    warm_up_next: u64,
    next: u64,
    end: u64,
    /// Whether measured requests are numbered by their index: the ranges of all slots are disjoint then.
    is_limited: bool,
    /// The number of the next other request, and how far apart this slot's numbers are.
    next_number: u64,
    stride: u64,
    /// Whether it ran out of rows before load ended.
    is_out_of_data: bool,
}

/// The next request of a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn {
    pub(crate) step: StepId,
    number: u64,
    measured: bool,
}

/// Open model: requests are due by a schedule.
#[derive(Debug)]
pub(crate) struct Open {
    timetable: Timetable,
    /// The timetables that replace it and when each takes over, in order of time.
    next: VecDeque<(u64, Timetable)>,
    /// When the last request was due.
    last_due_ns: u64,
    backlog: Backlog,
    limited: bool,
}

/// Whether an open run ends with its last request. Nobody knows how long a number of Poisson arrivals takes; even ones
/// end where the schedule does.
pub(crate) fn ends_with_requests(load: &Load) -> bool {
    matches!(load.model, Model::Open { arrivals: Arrivals::Poisson, .. }) && load.requests.is_some()
}

/// How the requests of a slot are numbered, in a run whose scenarios repeat with `period`.
pub(crate) fn numbering(load: &Load, share: &ShardLoad, period: u64) -> Numbering {
    let (slot, stride) = share.arrivals;
    match (&load.model, load.requests) {
        (Model::Open { pieces, arrivals, .. }, _) => {
            Numbering::Schedule { warm_up: load.warm_up(pieces).most_arrivals(*arrivals) }
        }
        (Model::Closed { .. }, Some(requests)) => Numbering::Sequence { requests },
        // Slots begin at different offsets in the sequence, so that they do not run in lockstep.
        (Model::Closed { .. }, None) => Numbering::Thread { slot, stride, offset: period * slot / stride },
    }
}

/// Capacity for timetables that have not taken over yet: a fleet redistributes at most once a lease.
const TIMETABLES: usize = 4;

/// The arrivals of one slice of a plan's schedule, in the warm-up and in the measured time.
#[derive(Debug)]
pub struct Timetable {
    warm_up: Schedule,
    measured: Schedule,
    /// The number of the first measured request: those of the warm-up have the numbers below.
    warm_up_numbers: u64,
    /// How far apart its arrivals are in the whole schedule.
    stride: u64,
}

impl Timetable {
    /// Slice `slice.0` of `slice.1`, without arrivals due before `from_ns`; load begins at `start_ns`. `None`
    /// in the closed model. Walks Poisson arrivals one by one.
    pub(crate) fn new(
        load: &Load,
        slice: (u64, u64),
        seed: u64,
        start_ns: u64,
        from_ns: u64,
    ) -> Option<Self> {
        let Model::Open { pieces, arrivals, .. } = &load.model else { return None };
        let level = [load.warm_up(pieces)];
        let measured_from = start_ns + load.warmup_ns;
        // Another seed, so that the measured time does not repeat the warm-up.
        let warm_up = Schedule::new(&level, *arrivals, !seed, slice, start_ns, None);
        let measured = Schedule::new(pieces, *arrivals, seed, slice, measured_from, load.requests);
        Some(Self {
            warm_up: warm_up.beginning(from_ns),
            measured: measured.beginning(from_ns),
            warm_up_numbers: level[0].most_arrivals(*arrivals),
            stride: slice.1,
        })
    }

    /// A timetable without arrivals; `None` in the closed model.
    pub(crate) fn nothing(load: &Load) -> Option<Self> {
        let Model::Open { arrivals, .. } = &load.model else { return None };
        let empty = || Schedule::new(&[], *arrivals, 0, (0, 1), 0, None);
        Some(Self { warm_up: empty(), measured: empty(), warm_up_numbers: 0, stride: 1 })
    }

    /// How far apart the numbers of its requests are.
    pub(super) const fn stride(&self) -> u64 {
        self.stride
    }

    #[inline]
    fn peek(&self) -> Option<(Due, bool)> {
        match self.warm_up.peek() {
            Some(due) => Some((due, false)),
            None => self.measured.peek().map(|due| (due, true)),
        }
    }

    #[inline]
    fn advance(&mut self) {
        if self.warm_up.peek().is_some() {
            self.warm_up.advance();
        } else {
            self.measured.advance();
        }
    }
}

impl Demand {
    /// This slot's demand: load begins at `start_ns`, and this slot joins at `from_ns`. Allocates the
    /// backlog.
    pub(crate) fn new(spec: &RunSpec, share: &ShardLoad, start_ns: u64, from_ns: u64) -> Self {
        let load = &spec.plan.load;
        match Timetable::new(load, share.arrivals, spec.seed, start_ns, from_ns) {
            None => {
                let numbering = numbering(load, share, spec.picker.period());
                let offset = spec.picker.period() * share.arrivals.0 / share.arrivals.1;
                let range = share.requests.clone().unwrap_or_else(|| offset..data_end(spec, &numbering));
                Self::Closed(Closed {
                    idle_users: share.connections,
                    parked: parked(spec.plan.targets.len(), share.connections),
                    warm_up_next: offset,
                    next: range.start,
                    end: range.end,
                    is_limited: load.requests.is_some(),
                    next_number: load.requests.unwrap_or(0) + share.arrivals.0,
                    stride: share.arrivals.1,
                    is_out_of_data: false,
                })
            }
            Some(timetable) => {
                let (targets, limited) = (spec.plan.targets.len(), ends_with_requests(load));
                Self::Open(Box::new(Open::new((targets, limited), share, timetable)))
            }
        }
    }
}

/// The index in its sequence at which a thread would need more rows than there are.
fn data_end(spec: &RunSpec, numbering: &Numbering) -> u64 {
    let Numbering::Thread { slot, stride, offset } = *numbering else { return u64::MAX };
    let lasts = |(set, rows)| spec.picks.lasts(set, rows, (slot, stride, offset));
    offset.saturating_add(spec.sets_taken_once().map(lasts).min().unwrap_or(u64::MAX))
}

impl Demand {
    /// The number of the first request, if that is known.
    pub(super) fn first_number(&self, has_warm_up: bool) -> Option<u64> {
        match self {
            Self::Open(open) => open.peek().map(|(due, measured)| open.number(due, measured)),
            Self::Closed(closed) => {
                Some(if closed.is_limited && !has_warm_up { closed.next } else { closed.next_number })
            }
        }
    }

    /// Count a request as ended.
    #[inline]
    pub(crate) fn request_ended(&mut self) {
        if let Self::Closed(closed) = self {
            closed.idle_users += 1;
        }
    }

    /// Whether no request will start any more.
    pub(crate) fn is_over(&self, now: u64, phases: &Phases) -> bool {
        match self {
            Self::Closed(closed) => now >= phases.stop || closed.is_empty() && closed.is_unparked(),
            Self::Open(open) => {
                let over = now >= phases.stop || open.limited;
                over && open.next_due(phases).is_none() && open.backlog.len() == 0
            }
        }
    }

    /// At the end: count the requests that were due before load ended but that this thread never reached,
    /// because it was delayed past the drain. They stay unfinished.
    pub(crate) fn count_unreached(&mut self, spec: &RunSpec, phases: &Phases, tally: &mut Tally) {
        let Self::Open(open) = self else { return };
        while open.arrival(u64::MAX, spec, phases, tally).is_some() {}
    }
}

impl Closed {
    /// An idle user's next request, due `now`; `None` when load has ended or no requests are left.
    #[inline]
    pub(crate) fn start(
        &mut self,
        now: u64,
        spec: &RunSpec,
        phases: &Phases,
        tally: &mut Tally,
    ) -> Option<Start> {
        self.draw(now, spec, phases, tally).map(|drawn| drawn.start(now, tally))
    }

    /// An idle user's next request, which may have to wait for a connection; `None` as in [`Self::start`], or when all
    /// users have one.
    #[inline]
    pub(crate) fn draw(
        &mut self,
        now: u64,
        spec: &RunSpec,
        phases: &Phases,
        tally: &mut Tally,
    ) -> Option<Drawn> {
        if now >= phases.stop || self.idle_users == 0 {
            return None;
        }
        let measured = now >= phases.measure_from;
        let Some(k) = self.take(measured) else {
            self.note_end_of_data(tally);
            return None;
        };
        self.idle_users -= 1;
        Some(Drawn { step: StepId::new(spec.picker.pick(k)), number: self.number(k, measured), measured })
    }

    /// Let a request wait for a connection to `target`.
    pub(crate) fn park(&mut self, target: usize, drawn: Drawn) {
        self.parked[target].push_back(drawn);
    }

    /// The request that has waited longest for a connection to `target`.
    pub(crate) fn unpark(&mut self, target: usize) -> Option<Drawn> {
        self.parked[target].pop_front()
    }

    /// Whether no request waits for a connection to `target`.
    pub(crate) fn has_parked(&self, target: usize) -> bool {
        !self.parked[target].is_empty()
    }

    fn is_unparked(&self) -> bool {
        self.parked.iter().all(VecDeque::is_empty)
    }

    /// The number in the run of the request at index `k`.
    #[inline]
    fn number(&mut self, k: u64, measured: bool) -> u64 {
        if measured && self.is_limited {
            return k;
        }
        self.next_number += self.stride;
        self.next_number - self.stride
    }

    /// The next request's index in the sequence; `None` when none are left.
    #[inline]
    fn take(&mut self, measured: bool) -> Option<u64> {
        let (next, end) = match measured || !self.is_limited {
            true => (&mut self.next, self.end),
            false => (&mut self.warm_up_next, u64::MAX),
        };
        (*next < end).then(|| {
            *next += 1;
            *next - 1
        })
    }

    #[cold]
    fn note_end_of_data(&mut self, tally: &mut Tally) {
        if !self.is_limited && !self.is_out_of_data {
            self.is_out_of_data = true;
            tally.add(Counter::OutOfData, 1);
        }
    }

    /// Whether no measured requests are left.
    fn is_empty(&self) -> bool {
        self.next >= self.end
    }
}

/// A queue for each of several targets; none for one.
fn parked(targets: usize, users: u32) -> Box<[VecDeque<Drawn>]> {
    let queues = if targets > 1 { targets } else { 0 };
    (0..queues).map(|_| VecDeque::with_capacity(users as usize)).collect()
}

impl Drawn {
    /// It is due `now`.
    #[inline]
    pub(crate) fn start(self, now: u64, tally: &mut Tally) -> Start {
        Start::due(self.step, self.number, now, self.measured, tally)
    }
}

impl Open {
    fn new((targets, limited): (usize, bool), share: &ShardLoad, timetable: Timetable) -> Self {
        Self {
            timetable,
            next: VecDeque::with_capacity(TIMETABLES),
            last_due_ns: 0,
            backlog: Backlog::new(targets, share.backlog as usize),
            limited,
        }
    }

    /// The next arrival, and whether it belongs to the measured time.
    #[inline]
    fn peek(&self) -> Option<(Due, bool)> {
        self.timetable.peek()
    }

    #[inline]
    const fn number(&self, due: Due, measured: bool) -> u64 {
        due.k + if measured { self.timetable.warm_up_numbers } else { 0 }
    }

    /// When the next request is due, unless load ends before.
    #[inline]
    pub(crate) fn next_due(&self, phases: &Phases) -> Option<u64> {
        self.peek().map(|(due, _)| due.at_ns).filter(|at_ns| *at_ns < phases.stop)
    }

    /// The next request due by `now`; counts it as due.
    #[inline]
    pub(crate) fn arrival(
        &mut self,
        now: u64,
        spec: &RunSpec,
        phases: &Phases,
        tally: &mut Tally,
    ) -> Option<Start> {
        let (due, measured) = self.peek()?;
        if due.at_ns > now || due.at_ns >= phases.stop {
            return None;
        }
        let number = self.number(due, measured);
        self.advance();
        Some(Start::due(StepId::new(spec.picker.pick(due.k)), number, due.at_ns, measured, tally))
    }

    /// How far apart the numbers of its requests are.
    pub(super) fn stride(&self) -> u64 {
        self.timetable.stride()
    }

    /// The due requests that wait.
    #[inline]
    pub(crate) const fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// The request that has waited longest for a connection to `target`.
    #[inline]
    pub(crate) fn dequeue(&mut self, target: usize) -> Option<Start> {
        self.backlog.pop(target)
    }

    /// Queue `start` again, before all others.
    pub(crate) fn put_back(&mut self, target: usize, start: Start) {
        self.backlog.put_back(target, start);
    }

    /// Queue `start` for a connection to `target`, or drop it if the backlog is full. Returns whether it waits.
    pub(crate) fn enqueue(&mut self, target: usize, start: Start, tally: &mut Tally) -> bool {
        self.backlog.push(target, start, tally)
    }

    /// Without permission to send: drop the backlog and what is due by `now`.
    #[cold]
    pub(crate) fn drop_unpermitted(&mut self, now: u64, spec: &RunSpec, phases: &Phases, tally: &mut Tally) {
        self.backlog.drop_all(tally);
        while let Some(start) = self.arrival(now, spec, phases, tally) {
            start.dropped(tally);
        }
    }

    /// Advance past the arrival that [`Self::peek`] returns.
    #[inline]
    fn advance(&mut self) {
        self.last_due_ns = self.peek().map_or(self.last_due_ns, |(due, _)| due.at_ns);
        self.timetable.advance();
        if !self.next.is_empty() {
            self.turn_over();
        }
    }

    /// Use `timetable` from `from_ns` on, instead of any that would take over then or later.
    pub(crate) fn follow(&mut self, from_ns: u64, timetable: Timetable) {
        while self.next.back().is_some_and(|(later_ns, _)| *later_ns >= from_ns) {
            self.next.pop_back();
        }
        self.next.push_back((from_ns, timetable));
        self.turn_over();
    }

    /// Switch to the timetables that take over before the current one's next arrival.
    fn turn_over(&mut self) {
        while let Some((from_ns, _)) = self.next.front()
            && self.peek().is_none_or(|(due, _)| due.at_ns >= *from_ns)
            && let Some((_, timetable)) = self.next.pop_front()
        {
            self.timetable = timetable;
        }
    }

    /// Time between the last arrival and the next one, in nanoseconds.
    #[inline]
    pub(crate) fn gap_ns(&self) -> u64 {
        self.peek().map_or(u64::MAX, |(due, _)| due.at_ns.saturating_sub(self.last_due_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Piece;

    const S: u64 = 1_000_000_000;

    fn load(arrivals: Arrivals) -> Load {
        let pieces = vec![
            Piece { from: 300.0, to: 900.0, length_ns: S },
            Piece { from: 900.0, to: 900.0, length_ns: S },
        ];
        Load {
            model: Model::Open { pieces, arrivals, connections: None, backlog: 1 },
            warmup_ns: S / 2,
            drain_ns: 0,
            requests: None,
            duration_ns: Some(2 * S),
        }
    }

    fn dues(open: &mut Open) -> Vec<u64> {
        std::iter::from_fn(|| {
            let (due, _) = open.peek()?;
            open.advance();
            Some(due.at_ns)
        })
        .collect()
    }

    fn slot(load: &Load, slice: (u64, u64)) -> Box<Open> {
        let share = ShardLoad { connections: 1, requests: None, backlog: 1, arrivals: slice };
        let timetable = Timetable::new(load, slice, 7, S, S).expect("the model is open");
        let limited = ends_with_requests(load);
        Box::new(Open::new((1, limited), &share, timetable))
    }

    /// However often the schedule is redistributed, and however late a slot learns of it before it takes
    /// effect.
    #[test]
    fn a_schedule_dealt_anew_is_still_the_schedule() {
        let mut rng = fastrand::Rng::with_seed(3);
        for arrivals in [Arrivals::Even, Arrivals::Poisson] {
            let load = load(arrivals);
            let whole = dues(&mut slot(&load, (0, 1)));
            for _ in 0..50 {
                let mut turns: Vec<(u64, u64)> =
                    (0..rng.usize(1..4)).map(|_| (rng.u64(S..4 * S), rng.u64(1..5))).collect();
                turns.sort_unstable();
                turns.dedup_by_key(|turn| turn.0);
                let first = rng.u64(1..5);
                let mut union = Vec::new();
                for i in 0..5u64 {
                    let mut open = if i < first {
                        slot(&load, (i, first))
                    } else {
                        let mut open = slot(&load, (0, 1));
                        open.timetable = Timetable::new(&load, (0, 1), 7, S, u64::MAX).unwrap();
                        open
                    };
                    for (from_ns, of) in &turns {
                        let from = if i < *of { *from_ns } else { u64::MAX };
                        let table = Timetable::new(&load, (i.min(of - 1), *of), 7, S, from).unwrap();
                        open.follow(*from_ns, table);
                    }
                    union.extend(dues(&mut open));
                }
                union.sort_unstable();
                assert_eq!(union, whole, "{arrivals:?} {first} {turns:?}");
            }
        }
    }
}
