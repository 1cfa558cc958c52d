//! The workers of a coordinator, for display.

use crate::fleet::coordinator::{Row, Waiting};

/// The fleet in a coordinator's snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// One row for each process that ever joined, by worker number.
    pub rows: Vec<Row>,
    /// Requests per second that each worker sent in its newest window, by worker number. Shorter than `rows`
    /// while the last workers have reported none.
    pub rates: Vec<f64>,
    /// When the snapshot was taken, in nanoseconds on the coordinator's clock.
    pub now_ns: u64,
    /// When the schedule began, in nanoseconds on the coordinator's clock.
    pub start_at_ns: Option<u64>,
    /// Upper bound on the difference of two workers' starts, in nanoseconds.
    pub start_skew_bound_ns: Option<u64>,
    /// The worker that brought the plan; `None`: the coordinator has its own, or there is none yet.
    pub plan_from: Option<u32>,
    /// What the run waits for before load begins.
    pub waiting: Option<Waiting>,
    /// Why load was stopped early.
    pub stopped: Option<String>,
    /// Workers without a final report.
    pub missing: Vec<u32>,
    /// Workers whose final totals are not the sum of their windows.
    pub unequal: Vec<u32>,
    /// Arrivals that the plan schedules, up to the stop if the run was stopped; `None` before the end and in
    /// the closed model.
    pub asked: Option<u64>,
}
