//! What people are shown of a fleet.

use super::durable_state::Departure;
use crate::fleet::messages::{Health, Totals, WorkerId, WorkerState};
use crate::plan::Shard;

/// A worker as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number.
    pub worker: WorkerId,
    /// Its place.
    pub slot: u32,
    /// Where it runs.
    pub host: String,
    /// Its load threads.
    pub threads: u32,
    /// Where it stands.
    pub mark: MemberState,
    /// Its part by the newest sharing-out.
    pub shard: Option<Shard>,
    /// Its last report on itself.
    pub health: Health,
    /// When it was last heard, on the coordinator's clock.
    pub heard_ns: u64,
    /// Its last window that was applied.
    pub acked_seq: u64,
    /// The sum of its windows.
    pub totals: Totals,
    /// How and when it left before the end.
    pub gone: Option<Departure>,
    /// Its start lay at most this far from the asked one.
    pub start_error_ns: Option<u64>,
    /// Whether it ever owned a part of the schedule.
    pub had_shard: bool,
}

/// What a run that has not begun waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// For what.
    pub what: AwaitedStep,
    /// Workers that are there, or ready.
    pub there: u32,
    /// Of so many.
    pub wanted: u32,
    /// Those that were lost and whose places nobody has taken; or those that are not ready.
    pub missing: Vec<WorkerId>,
    /// Until when, on the coordinator's clock.
    pub until_ns: u64,
}

/// What is waited for before the start, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwaitedStep {
    /// That somebody brings a plan.
    Plan,
    /// That enough workers join.
    Workers,
    /// That the operator starts a run whose plan a worker brought.
    Operator,
    /// That each of them has its connections open.
    Ready,
}

impl AwaitedStep {
    /// Every name there is.
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
    /// As it says itself.
    Present(WorkerState),
    /// Silent for longer than its lease.
    Lost,
    /// Another process took its place.
    Replaced,
    /// Announced that it ends early.
    Left,
}

impl MemberState {
    /// Every name there is: the values of the metric's label.
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
