//! How often a run is looked at, and what its main thread waits for.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::signals::Interrupts;
use crate::cli::Options;

/// Between the last thread's readiness and the first request: all threads wake in it.
pub(super) const START_LEAD_NS: u64 = 2_000_000;
/// How often the main thread looks at the run.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Seconds since the Unix epoch.
pub(super) fn wall_clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Keep the status server up for as long as was asked, or until there are more signals than were `spent`.
pub(super) fn linger(options: &Options, interrupts: &Interrupts, spent: usize) {
    let until = Instant::now() + Duration::from_nanos(options.linger_ns);
    while Instant::now() < until && interrupts.count() <= spent {
        std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
    }
}
