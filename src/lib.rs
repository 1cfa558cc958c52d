//! A load generator for HTTP APIs: the modules, in reading order.
//!
//! A module imports only modules above it in this list, and no files import each other in a cycle. Modules
//! above the I/O boundary are pure: they take bytes and the current time, and return bytes, numbers and the
//! time until which to wait. `tests/it/architecture.rs` checks all of that.
//!
//! Times are `u64` nanoseconds since the start of the run's clock unless a name has another unit.
//!
//! `docs/architecture.md` is the map: what each module is for, how a measured time gets into the report, and
//! which files a change touches.

#[macro_use]
mod named;

// ── parts ──
pub(crate) mod text;
pub(crate) mod units;
pub(crate) mod random;
pub mod schedule;
pub mod data;
pub mod template;
pub mod http;
pub mod http1;
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
