//! From the snapshot to what people and machines read: one file for each form.
//!
//! Everything here is a function of a [`Snapshot`]; nothing reads a clock or a file.

mod evidence;
pub mod figures;
pub mod format;
pub mod json;
pub mod prometheus;
mod snapshot;
pub mod terminal;

pub use figures::InstrumentFigures;
pub use snapshot::{Ending, FirstFailure, RunInfo, Snapshot, State, ThreadHealth, TimelinePoint};
