//! What a coordinator goes by: the plan's terms and its own bounds.

use serde::{Deserialize, Serialize};

pub use crate::plan::OnWorkerLoss;
use crate::plan::{Model, Plan};

const S: u64 = 1_000_000_000;

/// What the plan says that matters for sharing it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTerms {
    /// What can be repartitioned in the middle of a run.
    pub partitioning: Partitioning,
    /// What the loss of a worker means.
    pub on_worker_loss: OnWorkerLoss,
    /// Warm-up and measured time; `None`: a number of requests ends the run.
    pub length_ns: Option<u64>,
    /// How long requests in flight may take after that.
    pub drain_ns: u64,
}

/// What a plan deals out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioning {
    /// Open model: arrivals of a schedule. Can be repartitioned over any number of workers.
    Arrivals,
    /// Closed model ended by time: connections. A lost worker's place may be taken by a new one.
    Connections,
    /// Closed model ended by a number of requests: stretches of them. What a lost worker did of its
    /// stretch is not known, so nobody takes its place.
    Requests,
}

/// A coordinator's own bounds. Every wait has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Begin when so many have joined, 1..=`messages::MAX_WORKERS`.
    pub workers: u32,
    /// There is an operator: a run whose plan a worker brought begins only at their word.
    pub has_operator: bool,
    /// The program's version; workers have to be the same.
    pub version: String,
    /// The right to send, from the heartbeat that asked for it.
    pub lease_ns: u64,
    /// What two clocks may run apart within a lease, and starts may differ; added to it before a worker is
    /// called lost and before a new epoch begins.
    pub margin_ns: u64,
    /// How far ahead the start lies: enough for each worker to hear of it more than once.
    pub start_lead_ns: u64,
    /// How long too few workers are waited for.
    pub gather_ns: u64,
    /// From the first loss of a worker on that came when all were there, but load had not begun: how long
    /// others may take to come in its place and to get ready.
    pub replace_ns: u64,
    /// How long workers may take to get ready.
    pub prepare_ns: u64,
    /// How long final reports are waited for after the drain.
    pub final_ns: u64,
}

impl Config {
    /// The usual bounds for a fleet of `workers`.
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
            // A lost pod's successor finds a machine that is up and an image that is there.
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
