//! From the snapshot to what people and machines read: one file for each form.
//!
//! Everything here is a function of a [`Snapshot`]; nothing reads a clock or a file.

pub mod json;
pub mod prometheus;
mod snapshot;

pub use snapshot::{Ending, FirstFailure, RunInfo, Snapshot, State, ThreadHealth, TimelinePoint};
