//! What a coordinator has to remember across a crash: one record for each irreversible change.

use serde::{Deserialize, Serialize};

use super::durable_state::DurableState;
use super::ending::{RunEnd, StopReason};
use super::epoch_shard::EpochShard;
use super::terms::RunTerms;
use crate::fleet::messages::{Final, Key, PlanBundle, Totals, WorkerId};

/// One entry of the journal. Records applied in order give the coordinator's durable state. Nothing else
/// changes it, so a restored coordinator equals the one that crashed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Begins a run; first unless a checkpoint is.
    Opened {
        /// The run's name.
        run: Key,
    },
    /// Everything that earlier records came to; always first, in their place.
    Checkpoint(Box<DurableState>),
    /// The plan, its terms, and the key of the worker that brought it; `None`: it is the coordinator's own.
    Plan(PlanBundle, RunTerms, Option<Key>),
    /// A worker joined; its number is the count of earlier joins.
    Joined {
        /// The process's random key.
        key: Key,
        /// Its slot, below `MAX_SLOT`.
        slot: u32,
        /// The host's name, for display.
        host: String,
        /// Number of load threads.
        threads: u32,
        /// When it joined, in nanoseconds on the coordinator's clock.
        at_ns: u64,
    },
    /// A worker left the run early.
    Departure {
        /// The worker.
        worker: WorkerId,
        /// When the coordinator noticed, in nanoseconds on its clock.
        at_ns: u64,
        /// When the worker was last heard, in nanoseconds on the same clock.
        heard_ns: u64,
        /// Whether a new process took its slot; otherwise it fell silent, failed, or announced its end.
        replaced: bool,
    },
    /// The operator started the run with the workers that had joined.
    ToldToStart,
    /// Load begins: the first epoch.
    Started {
        /// When the schedule begins, in nanoseconds on the coordinator's clock.
        start_at_ns: u64,
        /// The owners from the schedule's first instant on.
        shards: Vec<EpochShard>,
    },
    /// The schedule was repartitioned.
    Shared {
        /// Its number, one more than the previous epoch's.
        epoch: u32,
        /// Its start, in nanoseconds of the schedule.
        from_ns: u64,
        /// The owners; other workers own nothing.
        shards: Vec<EpochShard>,
    },
    /// A window was applied. The caller stores the report's bytes with it.
    Report {
        /// The worker.
        worker: WorkerId,
        /// The window's sequence number.
        seq: u64,
        /// The counts in the window.
        totals: Totals,
    },
    /// A worker's final report.
    Final(WorkerId, Box<Final>),
    /// Load was stopped early, and when.
    Stopped(StopReason, u64),
    /// The result became final, and when.
    Sealed(RunEnd, u64),
    /// The reports are written and this exit code was returned. Always last.
    ExitReported(u8),
}
