//! Due requests that wait for a free connection.

use std::collections::VecDeque;

use super::exchange::Start;
use crate::tally::Tally;

/// Due requests that wait for a free connection.
#[derive(Debug)]
pub(super) struct Backlog {
    /// By target, oldest first.
    queues: Box<[VecDeque<Start>]>,
    /// The most that wait for connections to one target: one that hangs must not use up the room of the others.
    capacity: usize,
    waiting: usize,
}

impl Backlog {
    pub(super) fn new(targets: usize, capacity: usize) -> Self {
        // One more for a request that waits for its row.
        let queues = (0..targets).map(|_| VecDeque::with_capacity(capacity + 1)).collect();
        Self { queues, capacity, waiting: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// How many wait for a connection to `target`.
    #[inline]
    pub(super) fn len_of(&self, target: usize) -> usize {
        self.queues[target].len()
    }

    #[inline]
    pub(super) fn first(&self, target: usize) -> Option<Start> {
        self.queues[target].front().copied()
    }

    #[inline]
    pub(super) fn pop(&mut self, target: usize) -> Option<Start> {
        let first = self.queues[target].pop_front()?;
        self.waiting -= 1;
        Some(first)
    }

    /// How many measured requests wait for a connection to `target`.
    pub(super) fn measured_of(&self, target: usize) -> u64 {
        self.queues[target].iter().filter(|start| start.measured).count() as u64
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Start> {
        self.queues.iter().flatten()
    }

    /// Queue `start` for a connection to `target`, or drop it if too many wait. Returns whether it waits.
    pub(super) fn push(&mut self, target: usize, start: Start, tally: &mut Tally) -> bool {
        let queue = &mut self.queues[target];
        if queue.len() < self.capacity {
            queue.push_back(start);
            self.waiting += 1;
            true
        } else {
            start.dropped(tally);
            false
        }
    }

    pub(super) fn drop_all(&mut self, tally: &mut Tally) {
        self.queues.iter_mut().flat_map(|queue| queue.drain(..)).for_each(|waiting| waiting.dropped(tally));
        self.waiting = 0;
    }

    /// Queue `start` again, before all others.
    pub(super) fn put_back(&mut self, target: usize, start: Start) {
        self.queues[target].push_front(start);
        self.waiting += 1;
    }
}
