//! One coordinator and its workers as two machines that only compute: messages, what each side may
//! conclude from them, and what it has to do next. Sockets, clocks, disks and threads are elsewhere.
//!
//! # What keeps load from overlapping
//!
//! Times of a schedule are nanoseconds since its first instant, `start_at`. An **assignment** is a shard
//! of the schedule that a worker owns from such a time on; the assignments of all workers with one epoch never
//! claim more than the whole. A **lease** is the right to send until an instant of the worker's own clock; each
//! answer to a heartbeat grants one, counted from the instant at which the heartbeat was *sent*, and
//! carries all assignments that are decided. The coordinator lets a new epoch begin no sooner than a lease and a
//! margin after it was decided. So a worker that may send when it begins got its lease in an answer that
//! carried the new assignment, and a worker without that answer may no longer send. Nothing has to be confirmed.
//!
//! A worker is called lost a lease and a margin after it was last heard: by then it has stopped by itself.
//!
//! # What keeps counts exact
//!
//! Windows of a worker are numbered from 1 when they are first sent, go one at a time, and are applied only
//! in order. One that was sent may have been applied, so it is never changed again; those that were not
//! may be merged when the coordinator is away for long. A record is in the journal before it is answered.

mod bounds;
pub mod coordinator;
pub mod messages;
mod refusal;
pub mod report;
pub mod worker;

pub use bounds::Checked;
pub use refusal::{Refusal, Refused};
