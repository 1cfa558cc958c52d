//! A worker as a pure state machine: events and their instants in, effects out.
//!
//! The caller feeds one [`Event`] with the instant it was seen on the run's monotonic clock, in nanoseconds,
//! and carries the [`Effect`]s out. At most two calls are under way: a control call (join, plan, heartbeat)
//! and a report, so that a slow report delays no lease.

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
