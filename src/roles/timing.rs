//! Intervals of a run's main thread, and its final wait.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::log;
use super::signals::Interrupts;
use crate::cli::Options;
use crate::sys::Clock;
use crate::units::print_duration;

/// From the last thread's readiness to the first request: all threads wake in it.
pub(super) const START_LEAD_NS: u64 = 2_000_000;
/// Interval of the main thread's loop.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The current time in seconds since the Unix epoch.
pub(super) fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The wall clock when `clock` was 0, in nanoseconds since the Unix epoch.
pub(super) fn unix_origin_ns(clock: &Clock) -> u64 {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (unix.as_nanos() as u64).saturating_sub(clock.now())
}

/// Keep the status server up for `linger_ns`, or until more signals than `spent` were received.
pub(super) fn linger(options: &Options, interrupts: &Interrupts, spent: usize) {
    if options.linger_ns > 0 && !options.quiet {
        let length = print_duration(options.linger_ns);
        log::info(&format!("the status server stays up for {length}: Ctrl-C ends it"));
    }
    let until = Instant::now() + Duration::from_nanos(options.linger_ns);
    while Instant::now() < until && interrupts.count() <= spent {
        std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
    }
}
