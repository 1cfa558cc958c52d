//! Windows that the coordinator has not acknowledged yet.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Window;
use crate::fleet::messages::Totals;

/// The most windows that wait unsent: a minute's worth. Beyond it windows are merged in pairs.
pub const MAX_WAITING: usize = 64;

/// Closed windows to deliver. One at a time is in flight and frozen: it may have been applied though its
/// acknowledgment was lost. Windows behind it have no sequence number yet and may be merged.
#[derive(Debug)]
pub(crate) struct Outbox<W> {
    acked_seq: u64,
    frozen: Option<Arc<W>>,
    waiting: VecDeque<W>,
    totals: Totals,
}

impl<W: Window> Outbox<W> {
    pub(crate) fn new() -> Self {
        Self { acked_seq: 0, frozen: None, waiting: VecDeque::new(), totals: Totals::default() }
    }

    /// Add a closed window.
    pub(crate) fn push(&mut self, window: W) {
        self.totals.add(&window.totals());
        if self.waiting.len() == MAX_WAITING {
            // Merge neighbors in pairs: half as many, each twice as long, none lost.
            let mut windows = std::mem::take(&mut self.waiting).into_iter();
            while let Some(mut earlier) = windows.next() {
                if let Some(later) = windows.next() {
                    earlier.extend(later);
                }
                self.waiting.push_back(earlier);
            }
        }
        self.waiting.push_back(window);
    }

    /// The window to send and its sequence number: the same until it is acknowledged.
    pub(crate) fn next(&mut self) -> Option<(u64, Arc<W>)> {
        if self.frozen.is_none() {
            self.frozen = self.waiting.pop_front().map(Arc::new);
        }
        self.frozen.clone().map(|window| (self.acked_seq + 1, window))
    }

    /// The coordinator has applied all up to `seq`. Older answers that arrive late change nothing.
    pub(crate) fn acked(&mut self, seq: u64) {
        if seq == self.acked_seq + 1 && self.frozen.take().is_some() {
            self.acked_seq = seq;
        }
    }

    pub(crate) fn acked_seq(&self) -> u64 {
        self.acked_seq
    }

    /// Whether everything is acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Windows not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.frozen.is_some())
    }

    /// Sum over all windows, acknowledged or not.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Span(u64, u64);

    impl Window for Span {
        fn extend(&mut self, later: Self) {
            assert_eq!(self.1, later.0, "neighbours, in order");
            self.1 = later.1;
        }
        fn totals(&self) -> Totals {
            Totals { due: self.1 - self.0, ..Totals::default() }
        }
    }

    #[test]
    fn a_window_that_was_sent_is_never_merged_and_none_is_lost() {
        let mut outbox = Outbox::new();
        outbox.push(Span(0, 1));
        let (seq, sent) = outbox.next().unwrap();
        (1..10_000).for_each(|i| outbox.push(Span(i, i + 1)));
        assert!(outbox.len() <= MAX_WAITING + 1);
        assert_eq!(outbox.next().unwrap(), (seq, sent.clone()));
        assert_eq!(*sent, Span(0, 1));
        let (mut upto, mut last_seq) = (0, 0);
        while let Some((seq, window)) = outbox.next() {
            assert_eq!((seq, window.0), (last_seq + 1, upto));
            (last_seq, upto) = (seq, window.1);
            outbox.acked(seq);
        }
        assert_eq!((upto, outbox.totals().due), (10_000, 10_000));
    }

    #[test]
    fn an_acknowledgement_counts_once_and_only_for_what_was_sent() {
        let mut outbox = Outbox::new();
        outbox.push(Span(0, 1));
        outbox.push(Span(1, 2));
        outbox.acked(1);
        assert_eq!((outbox.acked_seq(), outbox.len()), (0, 2), "not sent yet");
        outbox.next().unwrap();
        for (seq, expected) in [(0, 0), (1, 1), (1, 1), (0, 1), (3, 1)] {
            outbox.acked(seq);
            assert_eq!(outbox.acked_seq(), expected, "acked {seq}");
        }
        assert_eq!(*outbox.next().unwrap().1, Span(1, 2));
    }
}
