//! The evidence by which a run is judged.

use crate::tally::{Histogram, ThreadHealth};

/// The largest fraction of the time a thread may be busy in the open model: above it, queues build up.
pub(crate) const BUSY_RATIO_MAX: f64 = 0.95;

/// Fewer requests than these support no share of a hundredth, and no remedy.
pub(super) const FEW: u64 = 100;
/// A thread that was busy all of this time was not busy with one request.
const LONG_ENOUGH_NS: u64 = 1_000_000_000;

/// What a run says of itself, over the measured time.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Whether requests were due by a schedule.
    pub open_model: bool,
    /// Requests in the schedule. Not used in the closed model.
    pub asked: u64,
    /// Requests whose send call began.
    pub sent: u64,
    /// Requests that ended without a send because the target gave no connection (refused, unreachable,
    /// connect timeout). They were taken to the target, so they count as offered.
    pub turned_away: u64,
    /// Due requests that were dropped: the backlog was full, or there was no lease.
    pub dropped: u64,
    /// Due requests that were still waiting for a connection when the run ended.
    pub waiting: u64,
    /// From due with a connection free to the start of the send call: see [`super::instrument`].
    pub send_delay: &'a Histogram,
    /// From the last byte's arrival in the kernel to our read. Empty without kernel timestamps.
    pub receive_delay: &'a Histogram,
    /// From the send to the last byte received.
    pub service_time: &'a Histogram,
    /// From due to the last byte received.
    pub response_time: &'a Histogram,
    /// Bytes of all responses, heads included.
    pub received_bytes: u64,
    /// Whether receive times are the kernel's; otherwise our own delay is part of every latency.
    pub kernel_timestamps: bool,
    /// Responses whose kernel timestamp could not be true, so that user time was recorded.
    pub absurd_stamps: u64,
    /// One entry per load thread.
    pub threads: &'a [ThreadHealth],
    /// Time for which our control group was throttled, in nanoseconds.
    pub throttled_ns: u64,
    /// Enforcement periods in which it was throttled.
    pub throttled_periods: u64,
    /// Exchanges that failed because this machine ran out of a resource.
    pub local_errors: u64,
    /// Load threads whose rows ran out before load was to end.
    pub out_of_data: u64,
    /// Load threads that could not read their rows any more.
    pub data_unreadable: u64,
    /// Requests whose row was not read in time.
    pub rows_awaited: u64,
    /// How long load threads waited for them, in nanoseconds.
    pub rows_awaited_ns: u64,
    /// In the end: due requests that are in no other count, or in two. 0 unless this program has a bug.
    pub unaccounted: u64,
}

impl Evidence<'_> {
    /// Requests attempted: sent, or turned away by a target that gave no connection.
    pub(super) fn offered(&self) -> u64 {
        self.sent.saturating_add(self.turned_away)
    }

    pub(super) fn missing(&self) -> u64 {
        self.asked.saturating_sub(self.offered())
    }

    /// The busiest thread over [`BUSY_RATIO_MAX`]: its place, its share, and how many are over.
    /// `None` too where requests were too few and the time too short to tell: one request keeps a thread busy for as
    /// long as it takes.
    pub(super) fn saturated_thread(&self) -> Option<(usize, f64, usize)> {
        let observed_ns = self.threads.iter().map(|thread| thread.observed_ns).max();
        if self.sent < FEW && observed_ns < Some(LONG_ENOUGH_NS) {
            return None;
        }
        let over = self
            .threads
            .iter()
            .map(ThreadHealth::busy_ratio)
            .enumerate()
            .filter(|(_, busy)| *busy > BUSY_RATIO_MAX);
        let busiest = over.clone().max_by(|a, b| a.1.total_cmp(&b.1))?;
        // Ten thousandths are beyond its accuracy.
        Some((busiest.0, (busiest.1 * 1e4).round() / 1e4, over.count()))
    }
}
