//! A run as one HTML file: no network access, no scripts, readable on a phone, in dark mode, on paper and by
//! screen readers.
//!
//! maud writes it: markup is Rust, checked and escaped by the compiler's macro, without template files at run
//! time. It adds one small macro crate to the build where askama adds a template parser and its derive.
//! Everything that comes from a plan or a target is escaped. The only unescaped text is our own style sheet,
//! which the page's security policy allows by its hash, so that a browser would refuse anything that slipped
//! through.

mod baseline;
mod chart_frame;
pub(super) mod charts;
pub(super) mod fleet;
pub(super) mod instrument;
mod over_time;
mod page;
pub(super) mod sections;
mod source;
pub(super) mod workers;

pub use page::page;
pub(super) use page::{doubts, heading, insecure};
pub(super) use source::Source;
