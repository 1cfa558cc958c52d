//! The run's clock, and the conversion of the kernel's receive timestamps to it.

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

    /// A clock that reads `past_ns` now, so that it can represent instants that long ago.
    pub(crate) fn with_past(past_ns: u64) -> Self {
        // Wraps where the past is longer than the system's uptime; reading it wraps back.
        Self { origin_ns: read(ClockId::Monotonic).wrapping_sub(past_ns) }
    }

    /// Nanoseconds since the origin.
    #[inline]
    pub fn now(&self) -> u64 {
        read(ClockId::Monotonic).wrapping_sub(self.origin_ns)
    }
}

/// How far CLOCK_REALTIME, which the kernel's stamps use, is ahead of a [`Clock`].
///
/// The two run at the same rate (both are slewed alike), so the offset changes only when the wall clock is
/// stepped. It is read again when older than [`RealtimeOffset::MAX_AGE_NS`]. A reading that agrees with the
/// last one within their uncertainties means no step, and the more certain one is kept.
#[derive(Clone, Copy, Debug)]
pub struct RealtimeOffset {
    ahead_ns: i64,
    /// Bound on the error of `ahead_ns`.
    uncertainty_ns: u64,
    looked_at_ns: u64,
    /// Since when all readings agree.
    steady_since_ns: u64,
}

impl RealtimeOffset {
    /// After a clock step, stamps may be wrong for this long. Callers that know when the request was sent
    /// detect impossible ones.
    pub const MAX_AGE_NS: u64 = 1_000_000;
    /// The most readings for one measurement: a thread may be interrupted in any of them.
    const TRIES: usize = 8;
    /// Uncertainty that is good enough to stop, about the best the clocks allow.
    const CERTAIN_NS: u64 = 100;

    /// Measure the offset: the best of a few readings.
    pub fn measure(clock: &Clock) -> Self {
        let mut best = Self::look(clock);
        for _ in 1..Self::TRIES {
            if best.uncertainty_ns <= Self::CERTAIN_NS {
                break;
            }
            let next = Self::look(clock);
            if next.uncertainty_ns < best.uncertainty_ns {
                best = next;
            }
        }
        best
    }

    fn look(clock: &Clock) -> Self {
        Self::between(clock.now(), read(ClockId::Realtime), clock.now())
    }

    /// From a reading of CLOCK_REALTIME, `real_ns`, between two readings of the clock.
    pub fn between(before_ns: u64, real_ns: u64, after_ns: u64) -> Self {
        let half = (after_ns - before_ns) / 2;
        let middle = before_ns + half;
        Self {
            ahead_ns: real_ns as i64 - middle as i64,
            uncertainty_ns: half + 1,
            looked_at_ns: after_ns,
            steady_since_ns: after_ns,
        }
    }

    /// Read again if older than [`Self::MAX_AGE_NS`].
    #[inline]
    pub fn refresh(&mut self, clock: &Clock, now: u64) {
        if now.saturating_sub(self.looked_at_ns) > Self::MAX_AGE_NS {
            self.update(Self::look(clock), || Self::measure(clock));
        }
    }

    /// Combine a new reading with the present offset; `measure` again if they contradict each other.
    fn update(&mut self, fresh: Self, measure: impl FnOnce() -> Self) {
        let apart = self.ahead_ns.abs_diff(fresh.ahead_ns);
        if apart > self.uncertainty_ns + fresh.uncertainty_ns {
            *self = measure();
            return;
        }
        let steady_since_ns = self.steady_since_ns;
        if fresh.uncertainty_ns < self.uncertainty_ns {
            *self = fresh;
        } else {
            self.looked_at_ns = fresh.looked_at_ns;
        }
        self.steady_since_ns = steady_since_ns;
    }

    /// Whether a stamp of CLOCK_REALTIME proves that it was made before `at_ns`: a fresh reading shows that
    /// the wall clock has not been stepped since the stamp.
    #[cold]
    pub fn proves_before(&mut self, stamp_ns: u64, at_ns: u64, clock: &Clock) -> bool {
        self.update(Self::look(clock), || Self::measure(clock));
        self.translate(stamp_ns) > self.steady_since_ns && self.translate_late(stamp_ns) < at_ns
    }

    /// Convert a stamp in nanoseconds of CLOCK_REALTIME to the clock; 0 for stamps before that clock's
    /// origin.
    #[inline]
    pub fn translate(&self, stamp_ns: u64) -> u64 {
        (stamp_ns as i64 - self.ahead_ns).max(0) as u64
    }

    /// The latest that the stamp can be, given the offset's uncertainty.
    pub(crate) fn translate_late(&self, stamp_ns: u64) -> u64 {
        self.translate(stamp_ns).saturating_add(self.uncertainty_ns)
    }
}

/// Set this thread's nice value (negative: higher priority). Without the permission it stays unchanged.
pub(crate) fn set_nice(nice: i32) {
    let own = rustix::thread::gettid();
    let _ = rustix::process::setpriority_process(Some(own), nice);
}

/// Set this thread's timer slack to 1 ns instead of 50 µs, for the most accurate wakeups. If the kernel
/// refuses, the default stays, which shows in the slip.
pub(crate) fn set_timer_slack() {
    let slack_ns: libc::c_ulong = 1;
    // SAFETY: PR_SET_TIMERSLACK takes one unsigned long and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, slack_ns) };
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
        offset.refresh(&clock, offset.looked_at_ns + RealtimeOffset::MAX_AGE_NS);
        assert_eq!(offset.ahead_ns, stepped, "still young");
        offset.refresh(&clock, offset.looked_at_ns + RealtimeOffset::MAX_AGE_NS + 1);
        assert!(offset.ahead_ns - stepped > 3_599_000_000_000);
    }

    #[test]
    fn a_stamp_proves_something_only_while_the_wall_clock_was_not_stepped() {
        const MS: u64 = 1_000_000;
        std::thread::sleep(std::time::Duration::from_millis(1));
        let clock = Clock::with_past(10_000 * MS);
        let steady = RealtimeOffset { steady_since_ns: 0, ..RealtimeOffset::measure(&clock) };
        let real = |ago_ns: u64| read(ClockId::Realtime) - ago_ns;
        let now = clock.now();
        assert!(steady.clone().proves_before(real(50 * MS), now, &clock));
        assert!(!steady.clone().proves_before(real(0), now, &clock));
        for step_ns in [MS as i64, 1_000 * MS as i64, 3_600_000 * MS as i64] {
            // Stepped back since the last reading, still undetected: the stamp of now seems older.
            let mut unaware = RealtimeOffset { ahead_ns: steady.ahead_ns + step_ns, ..steady };
            assert!(unaware.translate(real(0)) < now);
            assert!(!unaware.proves_before(real(0), now, &clock), "{step_ns}");
            // Stepped forward after the stamp, and detected: it is older on the new clock.
            let mut aware = RealtimeOffset { ahead_ns: steady.ahead_ns - step_ns, ..steady };
            aware.refresh(&clock, aware.looked_at_ns + RealtimeOffset::MAX_AGE_NS + 1);
            let old = real(step_ns as u64);
            assert!(!aware.proves_before(old, clock.now(), &clock), "{step_ns}");
        }
    }

    /// A thread that is interrupted between its readings gets an uncertain one, which must not replace a
    /// better one.
    #[test]
    fn an_interrupted_reading_does_not_move_the_offset() {
        let known =
            RealtimeOffset { ahead_ns: 1_000_000, uncertainty_ns: 50, looked_at_ns: 0, steady_since_ns: 0 };
        let vague = RealtimeOffset {
            ahead_ns: 1_300_000,
            uncertainty_ns: 400_000,
            looked_at_ns: 9,
            steady_since_ns: 9,
        };
        let mut offset = known;
        offset.update(vague, || unreachable!("the two agree"));
        assert_eq!((offset.ahead_ns, offset.looked_at_ns), (1_000_000, 9));
        offset = vague;
        offset.update(known, || unreachable!("the two agree"));
        assert_eq!((offset.ahead_ns, offset.uncertainty_ns), (1_000_000, 50));
    }
}
