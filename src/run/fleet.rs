//! The workers of a coordinator.

use crate::fleet::coordinator::{Row, Waiting};

/// What the snapshot of a coordinator holds of its workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// One for each process that ever joined.
    pub rows: Vec<Row>,
    /// What each sent in its newest window, in requests per second, by number; fewer while the last ones have
    /// reported none.
    pub rates: Vec<f64>,
    /// When this was, on the coordinator's clock.
    pub now_ns: u64,
    /// When the schedule began on it.
    pub start_at_ns: Option<u64>,
    /// Two workers' starts lie at most this far apart.
    pub start_skew_bound_ns: Option<u64>,
    /// The worker that brought the plan; `None`: the coordinator has its own, or there is none yet.
    pub plan_from: Option<u32>,
    /// What it waits for before load begins.
    pub waiting: Option<Waiting>,
    /// Why load was stopped before its time.
    pub stopped: Option<String>,
    /// Workers whose last word never came.
    pub missing: Vec<u32>,
    /// Workers whose final totals are not the sum of their windows.
    pub unequal: Vec<u32>,
    /// Arrivals the plan asks for, at the end of an open run that was carried out to its end.
    pub asked: Option<u64>,
}
