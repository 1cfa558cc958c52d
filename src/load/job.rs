//! What a load thread is given, told and gives back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::route::Route;
use crate::client::{RunSpec, Timetable};
use crate::plan::ShardLoad;
use crate::sys::{Clock, TlsConfig};
use crate::tally::{Detail, Outcome, Tally, ThreadHealth};
use crate::verdict::preflight;

/// How long a window is: what the timeline, the live view and a scrape can tell apart.
pub(crate) const WINDOW_NS: u64 = 1_000_000_000;
/// Tallies that go round between one load thread and the collector.
pub const TALLIES_PER_THREAD: usize = preflight::TALLIES_PER_THREAD as usize;

/// What the threads of a run are told while it lasts. Written seldom, read at every turn.
#[derive(Debug)]
pub struct Control {
    /// When load begins, on the run's clock; 0: not yet known.
    pub(super) start_at_ns: AtomicU64,
    /// When these threads' part of it begins.
    pub(super) from_ns: AtomicU64,
    /// When it ends, if that is before the plan's end.
    pub(super) stop_at_ns: AtomicU64,
    /// Until when requests may be sent.
    pub(super) permitted_until_ns: AtomicU64,
    /// How often timetables were handed out.
    pub(super) timetables: AtomicU64,
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
    /// Let load begin at `at_ns`, which must not be 0.
    pub fn start(&self, at_ns: u64) {
        self.join(at_ns, at_ns);
    }

    /// Let these threads take part from `from_ns` on in a run whose load began at `start_ns`; neither is 0.
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

    /// Requests may be sent until `until_ns`; the threads look before each one. They may for ever unless
    /// this says otherwise.
    pub(crate) fn permit(&self, until_ns: u64) {
        self.permitted_until_ns.store(until_ns, Ordering::Release);
    }

    /// Have the threads look for the timetables they were sent.
    pub(crate) fn timetables_sent(&self) {
        self.timetables.fetch_add(1, Ordering::Release);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop_at_ns.load(Ordering::Acquire) == 0
    }
}

/// What one load thread is to do.
#[derive(Debug)]
pub struct Job {
    /// Its place among the load threads.
    pub thread: usize,
    /// The core to stay on.
    pub core: Option<usize>,
    /// What all threads share.
    pub spec: Arc<RunSpec>,
    /// Its part of the plan.
    pub share: ShardLoad,
    /// Where the target is; connections take its addresses in turn.
    pub route: Arc<Route>,
    /// The run's clock.
    pub clock: Clock,
    /// How TLS is spoken; `None`: plain HTTP.
    pub tls: Option<TlsConfig>,
    /// Whether receive times come from the kernel.
    pub kernel_timestamps: bool,
    /// Never sleep between events.
    pub busy_poll: bool,
    /// Look for events instead of sleeping where requests are due close together.
    pub may_poll: bool,
    /// When to begin and stop.
    pub control: Arc<Control>,
    /// Told once, when its first connection attempts have ended.
    pub settled: Sender<FirstConnects>,
    /// Where full tallies go. Has room for all of them, so that sending never waits.
    pub windows: Sender<Window>,
    /// Where empty ones come back from.
    pub empties: Receiver<Box<Tally>>,
    /// What this thread's requests are due by from some instant on; looked at when the control says so.
    pub timetables: Receiver<(u64, Timetable)>,
}

/// How a thread's first connection attempts ended.
#[derive(Clone, Copy, Debug)]
pub struct FirstConnects {
    /// Whether the target was reached at all; why not, if not.
    pub reached: Result<bool, (Outcome, Detail)>,
}

/// A closed window of one thread.
#[derive(Debug)]
pub struct Window {
    /// Which thread.
    pub(crate) thread: usize,
    /// When it ended, on the run's clock.
    pub(crate) ended_at_ns: u64,
    /// What was counted since the thread's last window.
    pub tally: Box<Tally>,
    /// What the thread says of itself.
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
