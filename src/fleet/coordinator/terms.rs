//! The coordinator's settings: the plan's terms and its own limits.

use serde::{Deserialize, Serialize};

pub use crate::plan::OnWorkerLoss;
use crate::plan::{Model, Plan};

const S: u64 = 1_000_000_000;

/// The parts of the plan that partitioning depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTerms {
    /// The unit of partitioning, which decides what can be repartitioned mid-run.
    pub partitioning: Partitioning,
    /// What happens when a worker is lost.
    pub on_worker_loss: OnWorkerLoss,
    /// Warm-up plus measured time, in nanoseconds; `None`: a number of requests ends the run.
    pub length_ns: Option<u64>,
    /// How long requests in flight may take after that, in nanoseconds.
    pub drain_ns: u64,
}

/// What the plan's load is partitioned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioning {
    /// Open model: arrivals of a schedule. Can be repartitioned over any number of workers.
    Arrivals,
    /// Closed model ended by time: connections. A new worker may take over a lost worker's connections.
    Connections,
    /// Closed model ended by a number of requests: ranges of requests. How much of its range a lost worker
    /// did is unknown, so no worker takes it over.
    Requests,
}

/// A coordinator's limits. Every wait has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Begin when this many workers have joined, 1..=`messages::MAX_WORKERS`.
    pub workers: u32,
    /// There is an operator, who has to start a run whose plan a worker brought.
    pub has_operator: bool,
    /// The program's version; workers must have the same.
    pub version: String,
    /// Length of a lease, counted from the heartbeat that requested it, in nanoseconds.
    pub lease_ns: u64,
    /// Bound on the drift of two clocks within a lease and on the difference of starts, in nanoseconds. Added
    /// to the lease before a worker is called lost and before a new epoch begins.
    pub margin_ns: u64,
    /// How far ahead the start lies, in nanoseconds: enough for each worker to hear of it more than once.
    pub start_lead_ns: u64,
    /// How long to wait for enough workers, in nanoseconds.
    pub gather_ns: u64,
    /// How long replacements may take to join and get ready, in nanoseconds, counted from the first loss of a
    /// worker after all had joined and before load began.
    pub replace_ns: u64,
    /// How long workers may take to get ready, in nanoseconds.
    pub prepare_ns: u64,
    /// How long to wait for final reports after the drain, in nanoseconds.
    pub final_ns: u64,
}

impl Config {
    /// The default limits for a fleet of `workers`.
    pub fn new(workers: u32, version: &str) -> Self {
        Self {
            workers,
            has_operator: false,
            version: version.to_owned(),
            lease_ns: 5 * S,
            margin_ns: S,
            start_lead_ns: 3 * S,
            // New machines of a cluster take minutes to come up.
            gather_ns: 900 * S,
            // A lost pod's successor finds a machine that is up and an image that is already pulled.
            replace_ns: 120 * S,
            prepare_ns: 60 * S,
            final_ns: 15 * S,
        }
    }
}

impl RunTerms {
    /// The terms of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let partitioning = match (&plan.load.model, plan.load.requests) {
            (Model::Open { .. }, _) => Partitioning::Arrivals,
            (Model::Closed { .. }, None) => Partitioning::Connections,
            (Model::Closed { .. }, Some(_)) => Partitioning::Requests,
        };
        let length_ns = plan.load.duration_ns.map(|d| d + plan.load.warmup_ns);
        Self { partitioning, on_worker_loss: plan.on_worker_loss, length_ns, drain_ns: plan.load.drain_ns }
    }
}
