//! One coordinator and its workers as two pure state machines: their messages, what each side may conclude
//! from them, and what it does next. Sockets, clocks, disks and threads are elsewhere.
//!
//! # Why load never overlaps
//!
//! Times of a schedule are nanoseconds since its first instant, `start_at`. An **assignment** is a shard of
//! the schedule that a worker owns from such a time on. The assignments of all workers in one epoch never
//! claim more than the whole. A **lease** is the right to send until an instant of the worker's own clock.
//! Each answer to a heartbeat grants one, counted from when the heartbeat was *sent*, and carries all decided
//! assignments. The coordinator begins a new epoch no sooner than a lease and a margin after it decided on
//! it. So a worker that may send when the epoch begins got its lease in an answer that carried the new
//! assignment, and a worker without that answer may no longer send. No confirmation is needed.
//!
//! A worker counts as lost a lease and a margin after it was last heard: by then it has stopped by itself.
//!
//! # Why counts are exact
//!
//! A worker numbers its windows from 1 when it first sends them, and sends one at a time. They are applied
//! only in order. A window that was sent may have been applied, so it never changes again; unsent windows may
//! be merged when the coordinator is away for long. A record is in the journal before the call is answered.

mod bounds;
pub mod coordinator;
pub mod messages;
mod refusal;
pub mod report;
pub mod worker;

pub use bounds::Checked;
pub use refusal::{Refusal, Refused};
