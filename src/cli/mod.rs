//! Parses the command line; values are not interpreted yet.
//!
//! `table` lists the flags, `arguments` checks the arguments against it, `parse` extracts the values,
//! `contradictions` rejects what does not go together, and `help` makes the help text. Files are not opened
//! and addresses not bound here.

mod allowed;
mod arguments;
mod completions;
mod contradictions;
mod error;
mod fleet;
mod help;
mod options;
mod parse;
mod report;
mod shell;
mod table;

pub use completions::completions;
pub use help::{help, markdown_table};
pub(crate) use options::Timestamps;
pub use options::{Options, Role};
pub use parse::{parse, reports_of};
pub(crate) use report::Report;
pub use shell::Shell;
