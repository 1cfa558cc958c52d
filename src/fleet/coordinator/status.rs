//! The state of a fleet for display.

use super::durable_state::Departure;
use crate::fleet::messages::{Health, Totals, WorkerId, WorkerState};
use crate::plan::Shard;

/// One worker now.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Counted from 0 in the order of joining.
    pub worker: WorkerId,
    /// Its slot, below `MAX_SLOT`.
    pub slot: u32,
    /// The host's name.
    pub host: String,
    /// Number of load threads.
    pub threads: u32,
    /// Its state for display.
    pub mark: MemberState,
    /// Its shard in the newest epoch.
    pub shard: Option<Shard>,
    /// The health it last reported.
    pub health: Health,
    /// When it was last heard, in nanoseconds on the coordinator's clock.
    pub heard_ns: u64,
    /// Sequence number of its last applied window.
    pub acked_seq: u64,
    /// The sum of its applied windows.
    pub totals: Totals,
    /// How and when it left early.
    pub gone: Option<Departure>,
    /// Upper bound on the error of its start, in nanoseconds.
    pub start_error_ns: Option<u64>,
    /// Whether it ever owned a shard.
    pub had_shard: bool,
}

/// What a run that has not begun waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The step it waits for.
    pub what: AwaitedStep,
    /// Workers that have joined, or that are ready.
    pub there: u32,
    /// Workers needed.
    pub wanted: u32,
    /// Lost workers whose slots are still free; or workers that are not ready.
    pub missing: Vec<WorkerId>,
    /// The deadline, in nanoseconds on the coordinator's clock.
    pub until_ns: u64,
}

/// The steps before the start, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedStep {
    /// A plan.
    Plan,
    /// Enough workers.
    Workers,
    /// The operator's start of a run whose plan a worker brought.
    Operator,
    /// Every worker's open connections.
    Ready,
}

impl AwaitedStep {
    /// Every name.
    pub(crate) const NAMES: [&str; 4] = ["plan", "workers", "operator", "ready"];

    /// The name in `/status`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Workers => "workers",
            Self::Operator => "operator",
            Self::Ready => "ready",
        }
    }
}

/// A worker's state, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// Takes part, in the state it reported.
    Present(WorkerState),
    /// Was silent for longer than a lease and a margin, or failed.
    Lost,
    /// Another process took its slot.
    Replaced,
    /// Announced that it ends early.
    Left,
}

impl MemberState {
    /// Every name: the values of the metric's label.
    pub(crate) const NAMES: [&str; 10] =
        ["joined", "preparing", "ready", "running", "draining", "done", "failed", "lost", "replaced", "left"];

    /// The name in `/status`, `/metrics` and reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Present(WorkerState::Joined) => "joined",
            Self::Present(WorkerState::Preparing) => "preparing",
            Self::Present(WorkerState::Ready) => "ready",
            Self::Present(WorkerState::Running) => "running",
            Self::Present(WorkerState::Draining) => "draining",
            Self::Present(WorkerState::Done) => "done",
            Self::Present(WorkerState::Failed) => "failed",
            Self::Lost => "lost",
            Self::Replaced => "replaced",
            Self::Left => "left",
        }
    }
}
