//! The coordinator's events and effects.

use super::ending::{RunEnd, StopReason};
use super::record::Record;
use super::terms::RunTerms;
use crate::fleet::Refusal;
use crate::fleet::messages::{
    Acked, Final, Heartbeat, Join, Joined, Key, Orders, PlanBundle, Totals, WorkerId,
};

/// Input to the coordinator.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time has passed. Due at [`super::Coordinator::wait_until`], harmless earlier.
    Tick,
    /// A plan: the coordinator's own at the start, or the first one that a worker brings (feed it before that
    /// worker's `Join`), with that worker's key.
    Plan(PlanBundle, RunTerms, Option<Key>),
    /// `POST /workers`
    Join(Box<Join>),
    /// `POST /workers/{id}/heartbeat`
    Heartbeat(WorkerId, Box<Heartbeat>),
    /// `POST /workers/{id}/reports/{seq}`, parsed and checked. The caller keeps its bytes until it has
    /// carried out the effects.
    Report {
        /// The worker.
        worker: WorkerId,
        /// The key in the report.
        key: Key,
        /// The window's sequence number, from 1.
        seq: u64,
        /// The counts in the window.
        totals: Totals,
    },
    /// `POST /workers/{id}/final`
    Final(WorkerId, Box<Final>),
    /// `POST /run/start`: begin with the workers that have joined.
    Start,
    /// Stop load: no new requests.
    Stop(StopReason),
    /// A `Persist` failed: acknowledge nothing from now on.
    JournalFailed,
}

/// What the caller has to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Append the record to the journal, with the report's bytes if it is a report. It has to be on disk
    /// before a later answer leaves. Without a journal there is nothing to do.
    Persist(Record),
    /// Merge the current report into the result.
    Merge(WorkerId, u64),
    /// Answer the current call. Each event that is a call has exactly one, as its last effect; other events
    /// have one only when they are refused.
    Answer(Result<Answer, Refusal>),
    /// Something worth showing happened: the run started, a worker was lost, and so on.
    Note(Note),
    /// The result is final: write the reports, compute the verdict, and answer calls until the workers had
    /// time to hear it.
    Seal(RunEnd),
}

/// The body of a successful answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To a join.
    Joined(Joined),
    /// To a heartbeat; set `t2_ns` when the answer leaves.
    Orders(Box<Orders>),
    /// To a report or a final report.
    Acked(Acked),
    /// To a call by the operator.
    Done,
}

/// An event to show to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A worker joined.
    Joined(WorkerId),
    /// A new process took this worker's slot.
    Replaced(WorkerId),
    /// The worker was silent for longer than a lease and a margin, failed, or was not ready in time.
    Lost(WorkerId),
    /// The worker announced that it ends early; the reason.
    Left(WorkerId, String),
    /// All workers were ordered to open their connections.
    Preparing,
    /// Load begins at this instant, in nanoseconds on the coordinator's clock.
    Starting(u64),
    /// The schedule was repartitioned: the epoch, and its start in nanoseconds of the schedule.
    Shared(u32, u64),
    /// Load is stopped.
    Stopping(StopReason),
}

/// Effects in the order in which they have to be carried out.
#[derive(Default)]
pub(super) struct Effects(pub(crate) Vec<Effect>);

impl Effects {
    pub(crate) fn note(&mut self, note: Note) {
        self.0.push(Effect::Note(note));
    }

    pub(crate) fn merge(&mut self, worker: WorkerId, seq: u64) {
        self.0.push(Effect::Merge(worker, seq));
    }
}

/// The kind of answer, built after everything that the call led to has been applied.
pub(super) enum Reply {
    /// The event is not a call.
    Nothing,
    /// To a call by the operator.
    Done,
    Joined(WorkerId),
    Orders(WorkerId),
    Acked(WorkerId),
}
