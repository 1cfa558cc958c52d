//! A load generator for HTTP APIs: the modules, in reading order.
//!
//! A module imports only modules above it in this list, and no files import each other in a cycle. Modules
//! above the I/O boundary are pure: they take bytes and a `now` and return bytes, numbers and
//! "wait until". `tests/it/architecture.rs` checks all of it.
//!
//! Times are `u64` nanoseconds since the start of the run's clock unless a name has another unit.

#[macro_use]
mod named;

// ── parts ──
pub(crate) mod text;
pub(crate) mod units;
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
// ══ I/O boundary: no socket, clock, thread, file or environment above this line ══
pub(crate) mod sync;
pub mod sys;
pub mod load;
pub(crate) mod collector;
pub mod web;
pub(crate) mod coordinator_client;
pub mod journal;
pub(crate) mod target;
pub mod roles;
