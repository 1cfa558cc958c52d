//! The one clock, and how the kernel's receive stamps are brought onto it.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// CLOCK_MONOTONIC, counted from an origin shared by all threads of a run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin_ns: u64,
}

impl Clock {
    /// A clock that reads 0 now.
    pub fn start() -> Self {
        Self { origin_ns: read(ClockId::Monotonic) }
    }

    /// Nanoseconds since the origin.
    #[inline]
    pub fn now(&self) -> u64 {
        read(ClockId::Monotonic) - self.origin_ns
    }
}

/// How far CLOCK_REALTIME, in which the kernel stamps, is ahead of a [`Clock`].
///
/// The two run at the same rate (both are slewed alike), so the offset changes only when the wall
/// clock is stepped; it is measured anew when older than [`RealtimeOffset::MAX_AGE_NS`].
#[derive(Clone, Copy, Debug)]
pub struct RealtimeOffset {
    ahead_ns: i64,
    measured_at_ns: u64,
}

impl RealtimeOffset {
    /// After a clock step, stamps may be wrong for this long; those that become impossible are
    /// caught by whoever knows when the request was sent.
    pub const MAX_AGE_NS: u64 = 1_000_000;

    /// Readings further apart than this were interrupted; three clock readings take about 100 ns.
    const TIGHT_NS: u64 = 2_000;
    /// Attempts at a tight measurement before the tightest is taken.
    const ATTEMPTS: usize = 4;

    /// Measure it: an interruption between the readings would move every stamp by up to half its length.
    pub fn measure(clock: &Clock) -> Self {
        let mut best = (u64::MAX, Self { ahead_ns: 0, measured_at_ns: 0 });
        for _ in 0..Self::ATTEMPTS {
            let (before, real, after) = (clock.now(), read(ClockId::Realtime), clock.now());
            if after - before < best.0 {
                best = (after - before, Self::between(before, real, after));
            }
            if best.0 <= Self::TIGHT_NS {
                break;
            }
        }
        best.1
    }

    /// From a reading of CLOCK_REALTIME, `real_ns`, between two of the clock.
    pub fn between(before_ns: u64, real_ns: u64, after_ns: u64) -> Self {
        // Real time was read about half-way between the two.
        let middle = before_ns + (after_ns - before_ns) / 2;
        Self { ahead_ns: real_ns as i64 - middle as i64, measured_at_ns: after_ns }
    }

    /// Measure it again if it has aged.
    #[inline]
    pub fn refresh(&mut self, clock: &Clock, now: u64) {
        if now.saturating_sub(self.measured_at_ns) > Self::MAX_AGE_NS {
            *self = Self::measure(clock);
        }
    }

    /// A stamp in nanoseconds of CLOCK_REALTIME, on the clock it was measured against; 0 when it lies before
    /// that clock's origin.
    #[inline]
    pub fn translate(&self, stamp_ns: u64) -> u64 {
        (stamp_ns as i64 - self.ahead_ns).max(0) as u64
    }
}

/// CPU time this process has used so far, in nanoseconds.
pub fn cpu_time_ns() -> u64 {
    read(ClockId::ProcessCPUTime)
}

/// Ask the kernel to wake this thread as exactly as it can: timer slack of 1 ns instead of 50 µs.
/// A kernel that refuses leaves the default, which shows in the slip.
pub fn sharpen_timers() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}

#[inline]
fn read(id: ClockId) -> u64 {
    nanoseconds(clock_gettime(id))
}

fn nanoseconds(t: Timespec) -> u64 {
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_of_now_translates_to_now() {
        let clock = Clock::start();
        let offset = RealtimeOffset::measure(&clock);
        let before = clock.now();
        let stamp = offset.translate(read(ClockId::Realtime));
        let after = clock.now();
        // Orders of magnitude only: the machine may pause anywhere between the readings.
        assert!(stamp + 50_000_000 > before && stamp < after + 50_000_000);
    }

    #[test]
    fn a_step_of_the_wall_clock_is_followed_after_the_age_limit() {
        let clock = Clock::start();
        let mut offset = RealtimeOffset::measure(&clock);
        offset.ahead_ns -= 3_600_000_000_000;
        let stepped = offset.ahead_ns;
        offset.refresh(&clock, offset.measured_at_ns + RealtimeOffset::MAX_AGE_NS);
        assert_eq!(offset.ahead_ns, stepped, "still young");
        offset.refresh(&clock, offset.measured_at_ns + RealtimeOffset::MAX_AGE_NS + 1);
        assert!(offset.ahead_ns - stepped > 3_599_000_000_000);
    }
}
