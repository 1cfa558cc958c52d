//! The measured time, window by window.

/// One closed window of the measured time, over all threads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TimelinePoint {
    /// End of the window in seconds since the measured time began.
    pub t: f64,
    /// Requests whose due instant lay in it.
    pub due: u64,
    /// Requests sent in it.
    pub sent: u64,
    /// Exchanges that ended well in it.
    pub completed: u64,
    /// Exchanges that ended otherwise in it.
    pub failed: u64,
    /// Requests dropped in it.
    pub dropped: u64,
    /// Response time median in nanoseconds; `None`: nothing ended.
    pub p50_ns: Option<u64>,
    /// Response time 99th percentile in nanoseconds.
    pub p99_ns: Option<u64>,
    /// Service time median in nanoseconds; `None`: no answer came.
    pub service_p50_ns: Option<u64>,
    /// Service time 99th percentile in nanoseconds.
    pub service_p99_ns: Option<u64>,
    /// Slip 99th percentile in nanoseconds.
    pub slip_p99_ns: Option<u64>,
}
