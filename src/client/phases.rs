//! The phases of a run, in nanoseconds on its clock.

use crate::plan::Load;

/// When results start, when load ends, and when the drain ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phases {
    pub(crate) measure_from: u64,
    pub(crate) stop: u64,
    pub(crate) give_up: u64,
}

impl Phases {
    /// Of a run that has not started.
    pub(crate) const UNKNOWN: Self = Self { measure_from: u64::MAX, stop: u64::MAX, give_up: u64::MAX };

    /// Of a run whose load begins at `start_ns`.
    pub(crate) fn new(load: &Load, start_ns: u64) -> Self {
        let measure_from = start_ns + load.warmup_ns;
        let stop = load.duration_ns.map_or(u64::MAX, |d| measure_from + d);
        Self { measure_from, stop, give_up: stop.saturating_add(load.drain_ns) }
    }

    /// End load at `at_ns`, if that is earlier; outstanding requests then have `drain_ns`.
    pub(crate) fn stop(&mut self, at_ns: u64, drain_ns: u64) {
        if at_ns < self.stop {
            self.stop = at_ns;
            self.give_up = at_ns.saturating_add(drain_ns);
        }
    }

    /// When load ends, or the drain if load has ended; `u64::MAX`: unknown.
    #[inline]
    pub(crate) fn next_end(&self, now: u64) -> u64 {
        if now < self.stop { self.stop } else { self.give_up }
    }
}
