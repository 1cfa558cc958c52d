//! What a run says of itself, to be judged by.

use crate::tally::{Histogram, ThreadHealth};

/// The largest share of the time a thread may be busy in the open model: above it, queues form in front of it.
pub(crate) const BUSY_RATIO_MAX: f64 = 0.95;

/// What a run says of itself, over the measured time.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Requests were due by a schedule.
    pub open_model: bool,
    /// Requests that the schedule asked. Not read in the closed model.
    pub asked: u64,
    /// Requests whose send call began.
    pub sent: u64,
    /// Requests that ended without a send because the target gave no connection (refused,
    /// unreachable, connect timeout). They were brought to its door, so they count as offered.
    pub turned_away: u64,
    /// Due requests that found the backlog full.
    pub dropped: u64,
    /// Due requests that were still waiting for a connection when the run ended.
    pub waiting: u64,
    /// Due and a connection free → send began: see [`super::instrument`].
    pub send_delay: &'a Histogram,
    /// The kernel had the last byte → our thread read it. Empty where the kernel gives no stamps.
    pub receive_delay: &'a Histogram,
    /// Send → last byte received.
    pub service_time: &'a Histogram,
    /// Due → last byte received.
    pub response_time: &'a Histogram,
    /// Receive times are the kernel's; otherwise our own delay is inside every latency.
    pub kernel_timestamps: bool,
    /// Responses that were recorded with a kernel stamp that could not be true, so with user time.
    pub absurd_stamps: u64,
    /// One entry per load thread.
    pub threads: &'a [ThreadHealth],
    /// Time for which our control group was denied the CPU, in nanoseconds.
    pub throttled_ns: u64,
    /// Enforcement periods in which it was.
    pub throttled_periods: u64,
    /// Exchanges that failed because this machine ran out of something.
    pub local_errors: u64,
}

impl Evidence<'_> {
    /// Requests attempted: sent, or turned away by a target that gave no connection.
    pub(super) fn offered(&self) -> u64 {
        self.sent.saturating_add(self.turned_away)
    }

    /// Asked and not offered.
    pub(super) fn missing(&self) -> u64 {
        self.asked.saturating_sub(self.offered())
    }

    /// The busiest thread over [`BUSY_RATIO_MAX`]: its place, its share, and how many are over.
    pub(super) fn saturated_thread(&self) -> Option<(usize, f64, usize)> {
        let over = self
            .threads
            .iter()
            .map(ThreadHealth::busy_ratio)
            .enumerate()
            .filter(|(_, busy)| *busy > BUSY_RATIO_MAX);
        let busiest = over.clone().max_by(|a, b| a.1.total_cmp(&b.1))?;
        // Ten thousandths are more than it is known to.
        Some((busiest.0, (busiest.1 * 1e4).round() / 1e4, over.count()))
    }
}
