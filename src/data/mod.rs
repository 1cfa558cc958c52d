//! Rows of data files, and which request gets which row.
//!
//! The row is a function of the request's number: no thread or worker has to ask another one.

mod csv;
mod json_lines;
mod order;
mod permutation;
mod picks;
mod set;
mod table;

pub(crate) use csv::Dialect;
pub use order::Order;
pub(crate) use picks::{Numbering, Picks, Row};
pub use set::DataSet;
pub(crate) use set::{FileForm, OpenSet};
pub(crate) use table::Table;
