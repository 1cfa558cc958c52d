//! What happens to a worker, and what it wants done.

use std::sync::Arc;

use super::clock::Exchange;
use crate::fleet::Refusal;
use crate::fleet::messages::{
    Acked, Assignment, Final, Health, Heartbeat, Join, Joined, Key, Orders, PlanBundle, WorkerId,
};
use crate::plan::Shard;

/// What happens to a worker. `W` is a [`super::Window`].
#[derive(Clone, Debug, PartialEq)]
pub enum Event<W> {
    /// Time has passed; due by [`super::Worker::wait_until`], harmless earlier.
    Tick,
    /// A call has ended.
    Answered {
        /// The number it was given.
        call: u64,
        /// How.
        answer: Result<Answer, CallError>,
    },
    /// Clock stamps of a call, before the call's own end.
    Compared(Exchange),
    /// [`Effect::UsePlan`] was carried out: the plan is checked and its digest the one that was asked for;
    /// or it can not be used, and why.
    PlanChecked(Result<(), String>),
    /// [`Effect::Prepare`] was carried out for this part: first connection attempts have ended; or the
    /// target was never reached, and why.
    Prepared(Shard, Result<(), String>),
    /// What the threads say of themselves, for the next heartbeat.
    Health(Health),
    /// A window was closed, in order.
    Window(W),
    /// A load thread has failed, and why; the others are asked to stop.
    LoadFailed(String),
    /// All threads have ended, and their last windows were fed.
    LoadEnded,
    /// This process was asked to end.
    Interrupted,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<W> {
    /// Make a call and feed [`Event::Answered`] with its number; give up after `timeout_ns`.
    Call {
        /// Its number.
        call: u64,
        /// What is asked.
        request: Request<W>,
        /// How long it may take.
        timeout_ns: u64,
    },
    /// Check this plan with the same code as always and hold its digest against `digest`.
    UsePlan(PlanBundle),
    /// Start load threads for this part and open their connections; load waits for `Start`. Comes again
    /// when another part has to be prepared for: then end these threads and start new ones.
    Prepare(Shard),
    /// The schedule begins at this instant (which may lie in the past for one that comes late). Comes half a
    /// second before it; a lease may come earlier.
    Start {
        /// On the worker's clock.
        at_ns: u64,
    },
    /// What is owned from when on: replaces earlier ones from `from_ns` on. What is due before the
    /// first turn is not this worker's. Comes before the lease under which it holds.
    Assignments(Vec<Assignment>),
    /// Requests may be sent until this instant of the worker's clock; never an earlier one than before. What falls
    /// due while there is no lease is counted as dropped and never sent.
    Lease {
        /// On the worker's clock.
        until_ns: u64,
    },
    /// Make no new request from now on, wait for those in flight, feed the last windows and `LoadEnded`
    /// (which always follows once `Prepare` was asked for, even if that failed).
    StopLoad,
    /// Everything is done: end the process.
    Exit(Exit),
}

/// What is asked of the coordinator.
#[derive(Clone, Debug, PartialEq)]
pub enum Request<W> {
    /// `POST /workers`
    Join(Box<Join>),
    /// `GET /plan`
    Plan,
    /// `POST /workers/{id}/heartbeat`
    Heartbeat(WorkerId, Box<Heartbeat>),
    /// `POST /workers/{id}/reports/{seq}`: one window, unchanged until it is acknowledged.
    Report {
        /// Whose.
        worker: WorkerId,
        /// Its key.
        key: Key,
        /// Its number, from 1.
        seq: u64,
        /// What it holds.
        window: Arc<W>,
    },
    /// `POST /workers/{id}/final`
    Final(WorkerId, Box<Final>),
}

/// What the coordinator answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To a join.
    Joined(Joined),
    /// To a call for the plan.
    Plan(PlanBundle),
    /// To a heartbeat.
    Orders(Box<Orders>),
    /// To a report or a final report.
    Acked(Acked),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum CallError {
    /// The coordinator refused.
    Refused(Refusal),
    /// It could not be reached, or not in time, or what came is no answer; why, for people.
    Unreachable(String),
}

/// How a worker ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Exit {
    /// Everything it did is in the result; why the run ended early, if it did.
    Done(Option<String>),
    /// The coordinator wants nothing of it; why.
    Refused(Refusal),
    /// The coordinator could not be reached for too long; the last error.
    Unreachable(String),
    /// It could not do its part; why.
    Failed(String),
    /// It was asked to end.
    Interrupted,
}
