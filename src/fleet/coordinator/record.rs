//! What a coordinator has to remember over a crash: one record for each thing that can not be undone.

use serde::{Deserialize, Serialize};

use super::ending::{RunEnd, StopReason};
use super::terms::RunTerms;
use crate::fleet::messages::{Final, Key, PlanBundle, Totals, WorkerId};
use crate::plan::Shard;

/// One line of the journal. Records applied in their order give the coordinator's lasting state; there is
/// no other way to change it, so a restored coordinator is the one that crashed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The run: always first.
    Opened {
        /// Its name.
        run: Key,
    },
    /// The plan that is run, and the key of the worker that brought it; `None`: it is the coordinator's own.
    Plan(PlanBundle, RunTerms, Option<Key>),
    /// A worker was taken in; its number is the number of those before it.
    Joined {
        /// Its key.
        key: Key,
        /// Its place.
        slot: u32,
        /// Where it runs.
        host: String,
        /// Its load threads.
        threads: u32,
        /// When.
        at_ns: u64,
    },
    /// A worker has no part in the run any more.
    Departure {
        /// Which.
        worker: WorkerId,
        /// When it was found out.
        at_ns: u64,
        /// When it was last heard.
        heard_ns: u64,
        /// Whether a new process took its place; otherwise it was silent.
        replaced: bool,
    },
    /// The operator asked to start the load with the workers that are there.
    ToldToStart,
    /// Load begins: the first epoch.
    Started {
        /// When the schedule begins.
        start_at_ns: u64,
        /// Who owns what from its first instant on.
        shards: Vec<EpochShard>,
    },
    /// The schedule was repartitioned.
    Shared {
        /// Its number, one more than the last one's.
        epoch: u32,
        /// From which time of the schedule on.
        from_ns: u64,
        /// Who owns what; others nothing.
        shards: Vec<EpochShard>,
    },
    /// A window was applied. The caller keeps the report's bytes with it.
    Report {
        /// Whose.
        worker: WorkerId,
        /// Its number.
        seq: u64,
        /// What it counts.
        totals: Totals,
    },
    /// A worker's last word.
    Final(WorkerId, Box<Final>),
    /// Load is stopped before its time.
    Stopped(StopReason, u64),
    /// The result is final.
    Sealed(RunEnd, u64),
    /// The reports are written and this exit code was reported. Always last.
    ExitReported(u8),
}

/// A worker's part of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochShard {
    /// Whose.
    pub(crate) worker: WorkerId,
    /// Slot of a number of slots; those of an epoch are distinct and of one number.
    pub(crate) slot: u32,
    /// The number of slots.
    pub(crate) of: u32,
}

impl EpochShard {
    /// The part as arithmetic knows it.
    pub(crate) fn shard(self) -> Shard {
        Shard { slot: self.slot, of: self.of }
    }
}
