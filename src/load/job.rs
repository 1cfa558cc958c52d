//! The interface of a load thread: its job, its control and the windows it ships.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::failure::ThreadFailure;
use super::route::Route;
use crate::client::{RowBatch, RunSpec, Timetable};
use crate::plan::ShardLoad;
use crate::sync::{AtomicU64, Ordering};
use crate::sys::{Clock, TlsConfig};
use crate::tally::{Detail, Outcome, Tally, ThreadHealth};
use crate::verdict::preflight;

/// The length of a window: the resolution of the timeline, the live view and a scrape.
pub(crate) const WINDOW_NS: u64 = 1_000_000_000;
/// Tallies that circulate between one load thread and the collector.
pub const TALLIES_PER_THREAD: usize = preflight::TALLIES_PER_THREAD as usize;

/// Controls the threads of a run while it lasts. Written rarely, read in every turn.
#[derive(Debug)]
pub struct Control {
    /// When load begins, on the run's clock; 0: not known yet.
    start_at_ns: AtomicU64,
    /// When these threads join.
    from_ns: AtomicU64,
    /// When load ends, if that is before the plan's end.
    stop_at_ns: AtomicU64,
    /// When the permission to send ends.
    permitted_until_ns: AtomicU64,
    /// How many times timetables were sent.
    timetables: AtomicU64,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            start_at_ns: AtomicU64::new(0),
            from_ns: AtomicU64::new(0),
            stop_at_ns: AtomicU64::new(u64::MAX),
            permitted_until_ns: AtomicU64::new(u64::MAX),
            timetables: AtomicU64::new(0),
        }
    }
}

impl Control {
    /// Begin load at `at_ns`, which must not be 0.
    pub fn start(&self, at_ns: u64) {
        self.join(at_ns, at_ns);
    }

    /// Let these threads join a run at `from_ns` whose load began at `start_ns`; neither is 0.
    pub(crate) fn join(&self, start_ns: u64, from_ns: u64) {
        self.from_ns.store(from_ns, Ordering::Relaxed);
        self.start_at_ns.store(start_ns, Ordering::Release);
    }

    /// Make no new requests; drain.
    pub fn stop(&self) {
        self.stop_at(0);
    }

    /// Make no new requests from `at_ns` on.
    fn stop_at(&self, at_ns: u64) {
        self.stop_at_ns.fetch_min(at_ns, Ordering::AcqRel);
    }

    /// Permit sending until `until_ns`; the threads check before each request. Without a call there is no
    /// limit.
    pub(crate) fn permit(&self, until_ns: u64) {
        self.permitted_until_ns.store(until_ns, Ordering::Release);
    }

    /// Make the threads check for the timetables they were sent.
    pub(crate) fn timetables_sent(&self) {
        self.timetables.fetch_add(1, Ordering::Release);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop_at_ns.load(Ordering::Acquire) == 0
    }

    /// When load begins, and when these threads join; `None`: not known yet.
    pub(super) fn begins(&self) -> Option<(u64, u64)> {
        match self.start_at_ns.load(Ordering::Acquire) {
            0 => None,
            start_ns => Some((start_ns, self.from_ns.load(Ordering::Relaxed))),
        }
    }

    /// From when on no new requests are made.
    pub(super) fn stops_at_ns(&self) -> u64 {
        self.stop_at_ns.load(Ordering::Relaxed)
    }

    /// When the permission to send ends.
    pub(super) fn permitted_until_ns(&self) -> u64 {
        self.permitted_until_ns.load(Ordering::Relaxed)
    }

    /// Whether timetables were sent since `seen`, which is then updated.
    pub(super) fn has_timetables_since(&self, seen: &mut u64) -> bool {
        let sent = self.timetables.load(Ordering::Acquire);
        std::mem::replace(seen, sent) != sent
    }
}

/// How connections to one target are made.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The addresses of the target or its proxy, which connections use in turn.
    pub route: Arc<Route>,
    /// TLS settings; `None`: plain HTTP.
    pub tls: Option<TlsConfig>,
}

/// The work of one load thread, and its channels.
#[derive(Debug)]
pub struct Job {
    /// Index among the load threads.
    pub thread: usize,
    /// The core to pin it to.
    pub core: Option<usize>,
    /// What all threads share.
    pub spec: Arc<RunSpec>,
    /// Its part of the load.
    pub share: ShardLoad,
    /// How connections to each target are made, by its number in the plan.
    pub peers: Arc<[Peer]>,
    /// The run's clock.
    pub clock: Clock,
    /// The channels of rows of large files, if the plan has any.
    pub rows: Option<(Sender<RowBatch>, Receiver<RowBatch>)>,
    /// Whether receive times come from the kernel.
    pub kernel_timestamps: bool,
    /// Never sleep between events.
    pub busy_poll: bool,
    /// Poll for events instead of sleeping where requests are due close together.
    pub may_poll: bool,
    /// When to begin and stop.
    pub control: Arc<Control>,
    /// Receives one message, when the thread's first connection attempts have ended.
    pub settled: Sender<FirstConnects>,
    /// Where full tallies go. Has capacity for all of them, so that sending never blocks.
    pub windows: Sender<Window>,
    /// Told if the thread ends before its time. Has room for all threads.
    pub failures: Sender<ThreadFailure>,
    /// Where empty ones come back from.
    pub empties: Receiver<Box<Tally>>,
    /// This thread's later timetables and when each takes over; checked when the control counts new ones.
    pub timetables: Receiver<(u64, Timetable)>,
}

/// How a thread's first connection attempts ended.
#[derive(Clone, Debug)]
pub struct FirstConnects {
    /// Whether each target was reached; an error is why the first attempt failed.
    pub reached: Box<[Result<bool, (Outcome, Detail)>]>,
}

/// A completed window of one thread.
#[derive(Debug)]
pub struct Window {
    /// Which thread.
    pub(crate) thread: usize,
    /// When it ended, on the run's clock.
    pub(crate) ended_at_ns: u64,
    /// What was counted since the thread's last window.
    pub tally: Box<Tally>,
    /// The thread's figures about itself.
    pub(crate) health: ThreadHealth,
    /// Set in the thread's last window.
    pub last: Option<Last>,
}

/// How a thread's part of a run ended.
#[derive(Clone, Copy, Debug)]
pub struct Last {
    /// When it stopped making requests, or ended its last one if that was earlier.
    pub(crate) load_ended_at_ns: u64,
}

#[cfg(all(loom, test))]
mod loom_tests {
    use super::*;

    #[test]
    fn loom_whoever_sees_the_start_sees_what_was_set_before_it() {
        loom::model(|| {
            let control = Arc::new(Control::default());
            let setter = loom::thread::spawn({
                let control = Arc::clone(&control);
                move || {
                    control.permit(70);
                    control.join(30, 50);
                }
            });
            if let Some(begins) = control.begins() {
                assert_eq!((begins, control.permitted_until_ns()), ((30, 50), 70));
            }
            setter.join().unwrap();
            assert_eq!(control.begins(), Some((30, 50)));
        });
    }

    #[test]
    fn loom_a_stop_is_seen_whether_or_not_load_has_begun() {
        loom::model(|| {
            let control = Arc::new(Control::default());
            let starter = loom::thread::spawn({
                let control = Arc::clone(&control);
                move || control.start(30)
            });
            let stopper = loom::thread::spawn({
                let control = Arc::clone(&control);
                move || control.stop()
            });
            // As a load thread waits for the start.
            while control.begins().is_none() && !control.is_stopped() {
                loom::thread::yield_now();
            }
            starter.join().unwrap();
            stopper.join().unwrap();
            assert!(control.is_stopped() && control.stops_at_ns() == 0);
        });
    }

    /// The channel as its weakest form: a number that is stored without any order.
    #[test]
    fn loom_timetables_that_were_counted_are_there_and_none_is_missed() {
        loom::model(|| {
            let (control, channel) = (Arc::new(Control::default()), Arc::new(AtomicU64::new(0)));
            let sender = loom::thread::spawn({
                let (control, channel) = (Arc::clone(&control), Arc::clone(&channel));
                move || {
                    for n in 1..=2 {
                        channel.store(n, Ordering::Relaxed);
                        control.timetables_sent();
                    }
                }
            });
            let (mut seen, mut taken) = (0, 0);
            let mut look = || {
                if control.has_timetables_since(&mut seen) {
                    taken = channel.load(Ordering::Relaxed);
                }
                assert!(taken >= seen, "{seen} counted, {taken} there");
                taken
            };
            look();
            look();
            sender.join().unwrap();
            assert_eq!(look(), 2);
        });
    }
}
