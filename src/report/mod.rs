//! From the snapshot to what people and machines read: one file for each form.
//!
//! Everything here is a function of a [`Snapshot`]; nothing reads a clock or a file.

pub mod csv;
mod evidence;
pub mod figures;
pub mod format;
pub mod github;
mod headline;
pub mod hlog;
pub mod html;
pub mod json;
pub mod junit;
pub mod prometheus;
mod shown;
mod snapshot;
pub mod svg;
pub mod terminal;
mod threshold;

pub use figures::InstrumentFigures;
pub use snapshot::{Ending, FirstFailure, RunInfo, Snapshot, State, ThreadHealth, TimelinePoint};
