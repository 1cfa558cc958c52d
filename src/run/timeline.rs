//! The measured time, window by window.

use serde::{Deserialize, Serialize};

/// One closed window of the measured time, merged over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimelinePoint {
    /// End of the window in seconds since the measured time began.
    pub t: f64,
    /// Requests that were due in the window.
    pub due: u64,
    /// Requests sent in the window.
    pub sent: u64,
    /// Exchanges that succeeded in the window.
    pub completed: u64,
    /// Exchanges that failed in the window.
    pub failed: u64,
    /// Requests dropped in the window.
    pub dropped: u64,
    /// Median response time in nanoseconds; `None`: nothing ended.
    pub p50_ns: Option<u64>,
    /// 90th percentile of response time in nanoseconds; journals of earlier versions have none.
    #[serde(default)]
    pub p90_ns: Option<u64>,
    /// 95th percentile of response time in nanoseconds.
    #[serde(default)]
    pub p95_ns: Option<u64>,
    /// 99th percentile of response time in nanoseconds.
    pub p99_ns: Option<u64>,
    /// Mean response time in nanoseconds.
    #[serde(default)]
    pub mean_ns: Option<u64>,
    /// Median service time in nanoseconds; `None`: no response arrived.
    pub service_p50_ns: Option<u64>,
    /// 99th percentile of service time in nanoseconds.
    pub service_p99_ns: Option<u64>,
    /// 99th percentile of slip in nanoseconds.
    pub slip_p99_ns: Option<u64>,
}
