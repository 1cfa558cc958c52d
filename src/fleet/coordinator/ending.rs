//! Why and how a run ends.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fleet::messages::WorkerId;

/// Why load was stopped early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The operator stopped it.
    Operator,
    /// A signal interrupted the coordinator.
    Interrupted,
    /// A threshold with an abort condition failed; its index in the plan.
    Threshold(usize),
    /// The rows of a data set ran out.
    OutOfData,
    /// A worker was lost and the plan says `fail`.
    WorkerLost(WorkerId),
    /// A worker announced that it leaves early, and the plan says `fail`.
    WorkerLeft(WorkerId),
    /// A worker failed; the reason.
    WorkerFailed(WorkerId, String),
    /// No worker is left.
    NobodyLeft,
    /// Too few workers joined or became ready in time; what was missing.
    NotGathered(String),
    /// The journal cannot be written.
    JournalFailed,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("stopped by the operator"),
            Self::Interrupted => f.write_str("the coordinator was interrupted"),
            Self::Threshold(_) => f.write_str("a threshold that stops the run has failed"),
            Self::OutOfData => f.write_str("a data set has no rows left, or its file has changed"),
            Self::WorkerLost(id) => write!(
                f,
                "worker {} was lost and the plan does not say `on_worker_loss: continue` or `redistribute`",
                id.0
            ),
            Self::WorkerLeft(id) => write!(
                f,
                "worker {} left before the end and the plan does not say `on_worker_loss: continue` or \
                 `redistribute`",
                id.0
            ),
            Self::WorkerFailed(id, why) => write!(f, "worker {} could not do its part: {why}", id.0),
            Self::NobodyLeft => f.write_str("no worker is left"),
            Self::NotGathered(what) => f.write_str(what),
            Self::JournalFailed => f.write_str("the journal cannot be written: look at the --state-dir"),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// Why load was stopped early; `None`: the plan was carried out.
    pub stopped: Option<StopReason>,
    /// Whether load began.
    pub started: bool,
    /// Workers without a final report: what they did after their last report is unknown.
    pub missing: Vec<WorkerId>,
    /// Workers whose final totals are not the sum of their windows.
    pub unequal: Vec<WorkerId>,
}
