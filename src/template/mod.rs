//! Text with holes, `{{…}}`, which are filled when a request is sent.
//!
//! A template is compiled when the plan is checked: names are resolved, and each hole gets the encoding of the
//! place it is in. Rendering allocates nothing but room in the caller's buffer.
//!
//! ```text
//! /orders/{{random.uuid}}?at={{now}}     text, hole, text, hole
//! {{{{                                   the two characters {{
//! ```
//!
//! Random values are functions of the run's seed, the request's number, its step, and the hole's number in the
//! request: see `crate::random`. Rows of data are functions of the number, too: see `crate::data`. The same seed gives the same values on any number of threads and workers.

mod compiled;
mod encoding;
mod fit;
mod function;
mod names;
mod parse;
mod position;
mod quoting;
mod sink;
mod syntax;

pub use compiled::Template;
pub(crate) use encoding::Encoding;
pub(crate) use function::{Context, RUN_ID_BYTES};
pub(crate) use names::{Field, Names};
pub(crate) use parse::{with_text_mapped, without_holes};
pub(crate) use position::Place;
pub(crate) use quoting::{as_text, ends_outside_holes};
pub(crate) use syntax::OPEN;

#[cfg(test)]
mod tests;
