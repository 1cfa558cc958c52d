//! Turns the snapshot into output for people and programs: one module per format.
//!
//! Everything here is a function of a [`crate::run::Snapshot`]; nothing reads a clock or a file.

mod availability;
mod compared;
pub mod csv;
pub mod dashboard;
mod describe;
mod evidence;
mod file;
mod file_format;
pub mod figures;
mod fleet;
pub(crate) mod format;
pub mod github;
mod headline;
mod hints;
pub mod hlog;
pub mod html;
pub mod json;
pub mod junit;
pub mod prometheus;
pub(crate) mod once;
mod scenario_rows;
pub mod scenarios_csv;
mod sanitize;
pub(crate) mod svg;
pub mod terminal;
mod threshold;

pub use describe::describe;
pub(crate) use describe::load_in_words;
pub use figures::InstrumentFigures;
pub(crate) use file::file;
pub(crate) use file_format::{EXTENSIONS, Format};
pub(crate) use sanitize::one_line;
