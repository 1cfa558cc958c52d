//! The coordinator as a machine that only computes: what came, and when, to what is to be done.
//!
//! ```text
//! Gathering ──enough joined──▶ Preparing ──all ready──▶ Running ──time is up──▶ Draining ──all final──▶ Sealed
//!     ▲                            │                       │                        ▲      or too late
//!     └────── one is lost ─────────┘                       └── stopped, or lost ────┘
//! ```
//!
//! The caller feeds one [`Event`] with the instant it was seen and carries the [`Effect`]s out in their
//! order; each has to succeed before the next one begins. `Persist` comes before the answer that
//! acknowledges it, so what a worker was told survives a crash. Instants are nanoseconds since the Unix
//! epoch, on a clock that only moves forward while the process lives.

mod record;

pub use record::{Record, Share};

use super::Refusal;
use super::messages::{Acked, Final, Heartbeat, Join, Joined, Key, Orders, PlanText, Totals, WorkerId};
use terms::Terms;

pub mod terms;

/// What happens to a coordinator.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time has passed; due by [`Coordinator::wait_until`], harmless earlier.
    Tick,
    /// There is a plan: the coordinator's own at the start, or the first one that a worker brings
    /// (feed it before that worker's `Join`).
    Plan(PlanText, Terms),
    /// `POST /workers`
    Join(Box<Join>),
    /// `POST /workers/{id}/heartbeat`
    Heartbeat(WorkerId, Box<Heartbeat>),
    /// `POST /workers/{id}/reports/{seq}`, read and found whole. The caller keeps its bytes at hand while
    /// it carries the effects out.
    Report {
        /// Whose.
        worker: WorkerId,
        /// Its key, as the report says.
        key: Key,
        /// The window's number, from 1.
        seq: u64,
        /// What it counts.
        totals: Totals,
    },
    /// `POST /workers/{id}/final`
    Final(WorkerId, Box<Final>),
    /// `POST /run/start`: begin with those that have joined.
    Start,
    /// Make no new requests.
    Stop(StopReason),
    /// A `Persist` could not be carried out: nothing may be acknowledged any more.
    JournalFailed,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append it to the journal (with the report's bytes, if it is one); nothing to do without one.
    Persist(Record),
    /// Merge the report at hand into the result.
    Merge(WorkerId, u64),
    /// Answer the call at hand. There is exactly one for each event that is a call, and it is the last.
    Answer(Result<Answer, Refusal>),
    /// The state shown to people has changed: the run started, a worker was lost, and so on.
    Note(Note),
    /// The result is final: write the reports, judge, answer calls until the workers had time to hear it.
    Seal(Closing),
}

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To a join.
    Joined(Joined),
    /// To a heartbeat; set `t2_ns` when it leaves.
    Orders(Box<Orders>),
    /// To a report or a final report.
    Acked(Acked),
    /// To an operator's call.
    Done,
}

/// Why load was stopped before its time.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The operator's call.
    Operator,
    /// A signal ended the coordinator.
    Interrupted,
    /// A threshold that was to stop the run has failed; which, by its place.
    Threshold(usize),
    /// A worker was lost and the plan says `fail`.
    WorkerLost(WorkerId),
    /// A worker could not do its part; why.
    WorkerFailed(WorkerId, String),
    /// No worker is left.
    NobodyLeft,
    /// Too few joined, or not all became ready, before their time was up; what was missing.
    NotGathered(String),
    /// The journal can not be written.
    JournalFailed,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Closing {
    /// Why load was stopped early; `None`: the plan was carried out.
    pub stopped: Option<StopReason>,
    /// Whether load ever began.
    pub started: bool,
    /// Workers whose last word never came: what they did after their last report is not known.
    pub missing: Vec<WorkerId>,
    /// Workers whose final totals are not the sum of their windows.
    pub unequal: Vec<WorkerId>,
}

/// Something people should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A worker joined.
    Joined(WorkerId),
    /// A new process took the place of this one.
    Replaced(WorkerId),
    /// Nothing was heard of it for longer than its lease.
    Lost(WorkerId),
    /// All are told to open connections.
    Preparing,
    /// Load begins at this instant.
    Starting(u64),
    /// A new sharing-out was decided: its epoch, and from which time of the schedule on.
    Shared(u32, u64),
    /// Load is stopped.
    Stopping(StopReason),
}
