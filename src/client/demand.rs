//! What is asked of one thread: which request comes next, and when it is due.

use std::collections::VecDeque;

use super::exchange::Exchange;
use crate::plan::{Load, Model, Share};
use crate::schedule::{Due, Piece, Schedule};

/// Where requests come from.
#[derive(Debug)]
pub enum Demand {
    Closed(Closed),
    Open(Box<Open>),
}

/// Each connection asks for its next request when the last one ended.
#[derive(Debug)]
pub struct Closed {
    /// Place of the next request in the picker's sequence, before and after the warm-up.
    warm_up_next: u64,
    next: u64,
    end: u64,
}

/// Requests are due by a schedule.
#[derive(Debug)]
pub struct Open {
    warm_up: Schedule,
    measured: Schedule,
    /// When the last request was due.
    last_due_ns: u64,
    /// Due requests that wait for a free connection, oldest first.
    pub backlog: VecDeque<Exchange>,
    capacity: usize,
    limited: bool,
}

impl Demand {
    /// This slot's demand, beginning at `start_ns`. Allocates the backlog.
    pub fn new(load: &Load, share: &Share, period: u64, seed: u64, start_ns: u64) -> Self {
        match &load.model {
            Model::Closed { .. } => {
                // Slots begin at different places of the sequence, so that they do not move in step.
                let offset = period * share.arrivals.0 / share.arrivals.1;
                let range = share.requests.clone().unwrap_or(offset..u64::MAX);
                Self::Closed(Closed { warm_up_next: offset, next: range.start, end: range.end })
            }
            Model::Open { pieces, arrivals, .. } => {
                let rate = pieces.first().map_or(0.0, |p| p.from);
                let level = [Piece { from: rate, to: rate, length_ns: load.warmup_ns }];
                let slot = share.arrivals;
                let measured_from = start_ns + load.warmup_ns;
                Self::Open(Box::new(Open {
                    // Another seed: the measured time is not a repetition of the warm-up.
                    warm_up: Schedule::new(&level, *arrivals, !seed, slot, start_ns, None),
                    measured: Schedule::new(pieces, *arrivals, seed, slot, measured_from, load.requests),
                    last_due_ns: 0,
                    backlog: VecDeque::with_capacity(share.backlog as usize),
                    capacity: share.backlog as usize,
                    limited: load.requests.is_some(),
                }))
            }
        }
    }
}

impl Closed {
    /// The next request's place in the sequence; `None` when all were handed out.
    #[inline]
    pub fn take(&mut self, measured: bool) -> Option<u64> {
        let (next, end) =
            if measured { (&mut self.next, self.end) } else { (&mut self.warm_up_next, u64::MAX) };
        (*next < end).then(|| {
            *next += 1;
            *next - 1
        })
    }

    /// Whether measured requests are left.
    pub fn is_empty(&self) -> bool {
        self.next >= self.end
    }
}

impl Open {
    /// The next arrival, and whether it belongs to the measured time.
    #[inline]
    pub fn peek(&self) -> Option<(Due, bool)> {
        match self.warm_up.peek() {
            Some(due) => Some((due, false)),
            None => self.measured.peek().map(|due| (due, true)),
        }
    }

    /// Step past the arrival that [`Self::peek`] shows.
    #[inline]
    pub fn advance(&mut self) {
        self.last_due_ns = self.peek().map_or(self.last_due_ns, |(due, _)| due.at_ns);
        if self.warm_up.peek().is_some() {
            self.warm_up.advance();
        } else {
            self.measured.advance();
        }
    }

    /// Time between the last arrival and the next one.
    #[inline]
    pub fn gap_ns(&self) -> u64 {
        self.peek().map_or(u64::MAX, |(due, _)| due.at_ns - self.last_due_ns)
    }

    /// Whether a number of requests may end the run before its time.
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    /// Whether another due request may wait.
    pub fn has_room(&self) -> bool {
        self.backlog.len() < self.capacity
    }
}
