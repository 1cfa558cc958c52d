//! The map of this house, in reading order.
//!
//! The crate is a tower with a waterline. Rooms above it only compute: they are handed bytes and a
//! `now` and answer with bytes, numbers and "wait until". Rooms below it touch the world. A room
//! imports only rooms above it in this list; `tests/it/house.rs` reads the list and holds that rule.
//!
//! Times are `u64` nanoseconds since the start of the run's clock unless a name says otherwise.

#[macro_use]
mod named;

// ── parts ──
pub mod units;
pub mod http;
pub mod http1;
pub mod schedule;
pub mod tally;
// ── meaning ──
pub mod plan;
pub mod verdict;
pub mod client;
pub mod fleet;
pub mod run;
pub mod report;
pub mod cli;
// ══ waterline: no socket, clock, thread, file or environment above this line ══
pub mod sys;
pub mod load;
pub mod collector;
pub mod web;
pub mod link;
pub mod journal;
pub mod target;
pub mod roles;
