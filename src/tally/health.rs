//! Figures that a load thread reports about itself.

use serde::{Deserialize, Serialize};

/// The state of one load thread as of its last window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadHealth {
    /// The core it is pinned to, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<usize>,
    /// Time not spent waiting, over the whole measured time, in nanoseconds.
    pub busy_ns: u64,
    /// The measured time so far, in nanoseconds; `busy_ns` is part of it.
    pub observed_ns: u64,
    /// Requests on the wire now.
    pub in_flight: u64,
    /// Due requests waiting for a connection now.
    pub backlog: u64,
    /// Connections established now.
    pub connections: u64,
}

impl ThreadHealth {
    /// Fraction of the measured time not spent waiting, 0..=1.
    pub(crate) fn busy_ratio(&self) -> f64 {
        if self.observed_ns == 0 { 0.0 } else { self.busy_ns as f64 / self.observed_ns as f64 }
    }
}
