//! From the snapshot to what people and machines read: one file for each form.
//!
//! Everything here is a function of a [`Snapshot`]; nothing reads a clock or a file.

mod compared;
pub mod csv;
pub mod dashboard;
mod describe;
mod evidence;
pub mod figures;
mod fleet;
pub mod format;
pub mod github;
mod headline;
pub mod hlog;
pub mod html;
pub mod json;
pub mod junit;
pub mod prometheus;
pub mod once;
mod shown;
mod snapshot;
pub mod svg;
pub mod terminal;
mod threshold;

use crate::cli::Format;
pub use describe::describe;
pub use figures::InstrumentFigures;
pub use fleet::Fleet;
pub use snapshot::{Ending, FirstFailure, RunInfo, Snapshot, State, ThreadHealth, TimelinePoint};

/// The result of a finished run in the form of a file, with what was judged of it.
pub fn file(
    format: Format,
    snapshot: &Snapshot,
    instrument: &InstrumentFigures,
    thresholds: &[figures::Threshold],
) -> String {
    match format {
        Format::Json => json::report(snapshot, instrument),
        Format::Html => html::page(snapshot, instrument, thresholds),
        Format::Junit => junit::report(snapshot, instrument, thresholds, snapshot.run.strict),
        Format::Csv => csv::text(snapshot),
        Format::Hlog => hlog::text(snapshot),
    }
}
