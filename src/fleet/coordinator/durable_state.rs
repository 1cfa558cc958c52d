//! The coordinator's durable state. Only records change it, so a journal's records restore it.

use serde::{Deserialize, Serialize};

use super::ending::{RunEnd, StopReason};
use super::epoch_shard::EpochShard;
use super::terms::RunTerms;
use crate::fleet::messages::{Assignment, Final, Key, PlanBundle, Totals, WorkerId};

/// The durable state of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DurableState {
    pub(crate) run: Key,
    pub(crate) plan: Option<(PlanBundle, RunTerms)>,
    /// The key of the worker that brought the plan; `None`: no worker did.
    pub(crate) plan_key: Option<Key>,
    /// Every process that ever joined, indexed by worker number.
    pub(crate) members: Vec<Member>,
    /// The most workers that were live at once.
    pub(crate) most_live: usize,
    pub(crate) started_by_operator: bool,
    /// When the schedule begins, in nanoseconds on the coordinator's clock.
    pub(crate) start_at_ns: Option<u64>,
    /// The newest partitionings, oldest first; at most `MAX_ASSIGNMENTS`.
    pub(crate) epochs: Vec<Epoch>,
    /// Why and when load was stopped early.
    pub(crate) stopped: Option<(StopReason, u64)>,
    /// How and when the result became final.
    pub(crate) sealed: Option<(RunEnd, u64)>,
    pub(crate) exit: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) key: Key,
    pub(crate) slot: u32,
    pub(crate) host: String,
    pub(crate) threads: u32,
    /// When it joined, in nanoseconds on the coordinator's clock.
    pub(super) joined_ns: u64,
    /// How it left early.
    pub(crate) gone: Option<Departure>,
    /// Sequence number of its last applied window.
    pub(crate) acked_seq: u64,
    /// The sum of its applied windows.
    pub(crate) totals: Totals,
    /// Its final report.
    pub(crate) last: Option<Box<Final>>,
    /// It announced in its final report that it ends early.
    pub(crate) left: bool,
    /// Whether it ever owned a shard.
    pub(crate) had_shard: bool,
}

/// How a worker left before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// When the coordinator noticed, in nanoseconds on its clock.
    pub at_ns: u64,
    /// When the worker was last heard, in nanoseconds on the same clock.
    pub heard_ns: u64,
    /// A new process took its slot; otherwise it fell silent, failed, or announced its end.
    pub replaced: bool,
}

/// One partitioning of the schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Counted from 1.
    pub(crate) epoch: u32,
    /// Start, in nanoseconds of the schedule.
    pub(crate) from_ns: u64,
    /// The owners.
    pub(crate) shards: Vec<EpochShard>,
}

impl Epoch {
    pub(crate) fn shard_of(&self, worker: WorkerId) -> Option<EpochShard> {
        self.shards.iter().copied().find(|s| s.worker == worker)
    }
}

impl Member {
    /// Whether it still takes part: neither gone nor finished.
    pub(crate) fn is_live(&self) -> bool {
        self.gone.is_none() && self.last.is_none()
    }
}

impl DurableState {
    pub(crate) fn new(run: Key) -> Self {
        Self {
            run,
            plan: None,
            plan_key: None,
            members: Vec::new(),
            most_live: 0,
            started_by_operator: false,
            start_at_ns: None,
            epochs: Vec::new(),
            stopped: None,
            sealed: None,
            exit: None,
        }
    }

    pub(crate) fn member(&self, worker: WorkerId) -> Option<&Member> {
        self.members.get(worker.0 as usize)
    }

    /// The members that still take part.
    pub(crate) fn live(&self) -> impl Iterator<Item = (WorkerId, &Member)> {
        let all = self.members.iter().enumerate();
        all.filter(|(_, m)| m.is_live()).map(|(i, m)| (WorkerId(i as u32), m))
    }

    /// The assignments of one worker: the kept epochs, from the first in which it owns a shard.
    pub(crate) fn assignments(&self, worker: WorkerId) -> Vec<Assignment> {
        let assignment = |e: &Epoch| Assignment {
            epoch: e.epoch,
            from_ns: e.from_ns,
            shard: e.shard_of(worker).map(EpochShard::shard),
        };
        self.epochs.iter().map(assignment).skip_while(|t| t.shard.is_none()).collect()
    }
}
