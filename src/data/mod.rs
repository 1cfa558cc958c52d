//! Rows of data files, and which request gets which row.
//!
//! The row is a function of the request's number: no thread or worker has to ask another one.

mod csv;
mod file_form;
mod json_lines;
mod large;
mod order;
mod permutation;
mod picks;
mod scan;
mod set;
mod source;
mod table;

pub(crate) use csv::Dialect;
pub(crate) use file_form::FileForm;
pub(crate) use large::LargeTable;
pub use order::Order;
pub(crate) use picks::{Numbering, Picks, Row};
pub(crate) use scan::Cells;
pub use set::DataSet;
pub(crate) use set::OpenSet;
pub(crate) use source::sha256_of;
pub use source::{Content, NamedFile, Source};
pub(crate) use table::Table;
