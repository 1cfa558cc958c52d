//! A worker's side as a machine that only computes: what came, and when, to what is to be done.
//!
//! The caller feeds one [`Event`] with the instant it was seen on the worker's own monotonic clock (the
//! run's clock, in nanoseconds), and carries the [`Effect`]s out. Two calls at most are under way: a
//! control call (join, plan, heartbeat) and a report, so that a slow report delays no lease.

mod clock;
mod event;
mod call_slot;
mod machine;
mod orders;
mod outbox;
mod window;

pub(crate) use clock::Exchange;
pub use event::{Answer, CallError, Effect, Event, Exit, Request};
pub use machine::{Config, Worker};
pub use outbox::MAX_WAITING;
pub use window::Window;
