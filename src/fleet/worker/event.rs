//! The worker's events and effects.

use std::sync::Arc;

use super::clock::Exchange;
use crate::fleet::Refusal;
use crate::fleet::messages::{
    Acked, Assignment, Final, Health, Heartbeat, Join, Joined, Key, Orders, PlanBundle, WorkerId,
};
use crate::plan::Shard;

/// Input to a worker. `W` is a [`super::Window`].
#[derive(Clone, Debug, PartialEq)]
pub enum Event<W> {
    /// Time has passed. Due at [`super::Worker::wait_until`], harmless earlier.
    Tick,
    /// A call has ended.
    Answered {
        /// The number from its [`Effect::Call`].
        call: u64,
        /// The answer or the error.
        answer: Result<Answer, CallError>,
    },
    /// Timestamps of a call, fed before the call's [`Event::Answered`].
    Compared(Exchange),
    /// [`Effect::UsePlan`] was carried out: the plan is valid and has the announced digest; or why it cannot
    /// be used.
    PlanChecked(Result<(), String>),
    /// [`Effect::Prepare`] was carried out for this shard: the first connection attempts have ended; or why
    /// the target was never reached.
    Prepared(Shard, Result<(), String>),
    /// The threads' health, for the next heartbeat.
    Health(Health),
    /// A window was closed; windows come in order.
    Window(W),
    /// A load thread failed, and why; the others are stopping.
    LoadFailed(String),
    /// All threads have ended, and their last windows were fed.
    LoadEnded,
    /// A signal interrupted the process.
    Interrupted,
}

/// What the caller has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<W> {
    /// Make a call and feed [`Event::Answered`] with its number; give up after `timeout_ns`.
    Call {
        /// The call's number, from 1.
        call: u64,
        /// The request to send.
        request: Request<W>,
        /// Timeout in nanoseconds.
        timeout_ns: u64,
    },
    /// Parse and check this plan, and compare its digest with the bundle's.
    UsePlan(PlanBundle),
    /// Start load threads for this shard and open their connections; load waits for `Start`. For another
    /// shard it comes again: then end these threads and start new ones.
    Prepare(Shard),
    /// The schedule begins at this instant, which may lie in the past for a worker that joins late. Comes
    /// half a second before it; a lease may come earlier.
    Start {
        /// Nanoseconds on the worker's clock.
        at_ns: u64,
    },
    /// The worker's assignments. They replace earlier ones from their `from_ns` on. What is due before the
    /// first assignment is not this worker's. Comes before the lease under which they hold.
    Assignments(Vec<Assignment>),
    /// Requests may be sent until this instant, which never moves back. Requests that fall due without a
    /// lease are counted as dropped and never sent.
    Lease {
        /// Nanoseconds on the worker's clock.
        until_ns: u64,
    },
    /// Make no new requests, wait for those in flight, feed the last windows and `LoadEnded`. `LoadEnded`
    /// always follows an effect `Prepare`, even a failed one.
    StopLoad,
    /// End the process.
    Exit(Exit),
}

/// A request to the coordinator.
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
        /// The worker.
        worker: WorkerId,
        /// Its key.
        key: Key,
        /// The window's sequence number, from 1.
        seq: u64,
        /// The window.
        window: Arc<W>,
    },
    /// `POST /workers/{id}/final`
    Final(WorkerId, Box<Final>),
}

/// A successful answer of the coordinator.
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

/// Why a call failed.
#[derive(Clone, Debug, PartialEq)]
pub enum CallError {
    /// The coordinator refused.
    Refused(Refusal),
    /// The coordinator was unreachable, timed out, or sent no valid answer; the reason, for display.
    Unreachable(String),
}

/// How a worker ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Exit {
    /// Everything it did is in the result; why the run ended early, if it did.
    Done(Option<String>),
    /// The coordinator refused it; the reason.
    Refused(Refusal),
    /// The coordinator could not be reached for too long; the last error.
    Unreachable(String),
    /// It failed; the reason.
    Failed(String),
    /// A signal interrupted it.
    Interrupted,
}
