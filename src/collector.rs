//! Merges what load threads measured into the published snapshot.
//!
//! A [`Merger`] takes the windows of its sources: load threads, or the workers of a fleet. The [`Collector`] is
//! the thread that feeds it the windows of this process's load threads. Every measurement enters the snapshot
//! through a [`Merger`].

mod merger;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::load::{Control, ThreadFailure, Window};
use crate::run::{Ending, SharedSnapshot};
use crate::sys::Clock;
use crate::sys::cgroup::{Groups, Throttle};
use crate::tally::Tally;

pub(crate) use merger::{MergedWindow, Merger, MergerState, SourceWindow};

/// How often the snapshot's state and elapsed time are updated when no window comes.
const TICK: Duration = Duration::from_millis(100);

/// The inputs and outputs of the collector thread.
pub(crate) struct Collector {
    /// The snapshot it updates.
    pub(crate) shared: Arc<SharedSnapshot>,
    /// The run's clock.
    pub(crate) clock: Clock,
    /// When load begins on that clock.
    pub(crate) start_at_ns: u64,
    /// When these threads join.
    pub(crate) from_ns: u64,
    /// Windows of all threads.
    pub(crate) windows: Receiver<Window>,
    /// The failure of each thread that failed, sent before its end of `windows` closes.
    pub(crate) failures: Receiver<ThreadFailure>,
    /// Control of the threads: when one fails, it stops the others.
    pub(crate) control: Arc<Control>,
    /// For each thread, the channel through which its empty tallies go back.
    pub(crate) empties: Vec<Sender<Box<Tally>>>,
    /// This process's control groups, if any can be throttled.
    pub(crate) group: Option<Groups>,
    /// Receives each window that all threads have closed.
    pub(crate) closed: Option<Sender<MergedWindow>>,
}

impl Collector {
    /// Merge windows until every thread has sent its last one or failed, then show the finished run.
    pub(crate) fn run(self) {
        let warmup_ns = self.shared.read(|s| s.run.warmup_ns);
        let measure_from_ns = self.start_at_ns + warmup_ns;
        let mut merger = Merger::new(self.shared.clone(), self.start_at_ns, measure_from_ns);
        for thread in 0..self.empties.len() {
            merger.add(thread..thread + 1, measure_from_ns.max(self.from_ns));
        }
        let mut throttle_before = self.group.as_ref().map(Groups::throttle);
        while merger.is_open() {
            match self.windows.recv_timeout(TICK) {
                Ok(window) => self.merge(window, &mut merger),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.look_for_failures();
            self.tick(&mut merger, measure_from_ns, &mut throttle_before);
        }
        self.look_for_failures();
        merger.finish();
    }

    /// If a thread has failed, end the run; what was measured so far is shown.
    fn look_for_failures(&self) {
        for failure in self.failures.try_iter() {
            self.control.stop();
            self.shared.update(|s| {
                s.ending = Ending::Incomplete;
                s.error.get_or_insert_with(|| failure.message());
            });
        }
    }

    fn merge(&self, mut window: Window, merger: &mut Merger) {
        let counts = window.tally.merged();
        window.tally.clear();
        // A thread that has ended takes no tally back.
        let _ = self.empties[window.thread].try_send(window.tally);
        let closed = merger.merge(&SourceWindow {
            source: window.thread,
            began_at_ns: None,
            ended_at_ns: window.ended_at_ns,
            tally: &counts,
            threads: &[window.health],
            last: window.last,
        });
        if let Some(tell) = &self.closed {
            // A closed channel means that the run was given up.
            closed.into_iter().for_each(|window| drop(tell.send(window)));
        }
    }

    /// Update state, elapsed time and throttling.
    fn tick(&self, merger: &mut Merger, measure_from_ns: u64, throttle_before: &mut Option<Throttle>) {
        let now = self.clock.now();
        let throttle = self.group.as_ref().map(Groups::throttle);
        if now < measure_from_ns {
            // Keep the last reading before the measured time. It is up to a tick early, so it may count one
            // period too many, but misses none.
            *throttle_before = throttle;
        }
        merger.tick(now);
        if let (Some(now), Some(before)) = (throttle, *throttle_before) {
            let since = now.since(before);
            self.shared.update(|s| (s.throttled_ns, s.throttled_periods) = (since.ns, since.periods));
        }
    }
}
