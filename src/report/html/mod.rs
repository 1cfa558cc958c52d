//! The run as one HTML file: it asks nothing of the network, runs no script, and reads well on a phone,
//! in the dark, on paper and aloud.
//!
//! maud writes it: markup is Rust, checked and escaped by the compiler's macro, with no template files
//! to find at run time, and it adds one small macro crate to the build where askama adds a template
//! parser and its derive. Everything that comes from a plan or a target goes through its escaping; the
//! only text that does not is our own style sheet, which the page's security policy names by its hash,
//! so that a browser would refuse anything that slipped through. What stays out: judging.

mod baseline;
pub(super) mod charts;
pub(super) mod fleet;
pub(super) mod instrument;
mod page;
pub(super) mod sections;
mod source;
pub(super) mod workers;

pub use page::page;
pub(super) use page::{doubts, heading, insecure};
pub(super) use source::Source;
