//! What one slot of a plan does: arithmetic, no talk.

use std::ops::Range;

/// One slot's part of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Connections this slot may open.
    pub connections: u32,
    /// Closed model with a number of requests: which of the sequence are this slot's.
    pub requests: Option<Range<u64>>,
    /// Due requests that may wait here.
    pub backlog: u32,
    /// This slot and how many there are.
    pub arrivals: (u64, u64),
}
