//! What happens to a coordinator, and what it wants done.

use super::ending::{RunEnd, StopReason};
use super::record::Record;
use super::terms::RunTerms;
use crate::fleet::Refusal;
use crate::fleet::messages::{
    Acked, Final, Heartbeat, Join, Joined, Key, Orders, PlanBundle, Totals, WorkerId,
};

/// What happens to a coordinator.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time has passed; due by [`super::Coordinator::wait_until`], harmless earlier.
    Tick,
    /// There is a plan: the coordinator's own at the start, or the first one that a worker brings
    /// (feed it before that worker's `Join`), with that worker's key.
    Plan(PlanBundle, RunTerms, Option<Key>),
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
    /// Append it to the journal (with the report's bytes, if it is one); nothing to do without one. It has to be
    /// on the disk before a later answer leaves.
    Persist(Record),
    /// Merge the report at hand into the result.
    Merge(WorkerId, u64),
    /// Answer the call at hand. There is exactly one for each event that is a call, and it is the last;
    /// for others only when they are refused.
    Answer(Result<Answer, Refusal>),
    /// The state shown to people has changed: the run started, a worker was lost, and so on.
    Note(Note),
    /// The result is final: write the reports, judge, answer calls until the workers had time to hear it.
    Seal(RunEnd),
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

/// Something people should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A worker joined.
    Joined(WorkerId),
    /// A new process took the place of this one.
    Replaced(WorkerId),
    /// Nothing was heard of it for longer than its lease.
    Lost(WorkerId),
    /// It announced that it ends early; why.
    Left(WorkerId, String),
    /// All workers are asked to open connections.
    Preparing,
    /// Load begins at this instant.
    Starting(u64),
    /// A new sharing-out was decided: its epoch, and from which time of the schedule on.
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

/// An answer that is made when everything the call led to has been taken in.
pub(super) enum Reply {
    /// Nobody asked.
    Nothing,
    /// To an operator.
    Done,
    Joined(WorkerId),
    Orders(WorkerId),
    Acked(WorkerId),
}
