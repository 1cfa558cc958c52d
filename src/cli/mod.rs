//! Parses the command line; values are not interpreted yet.
//!
//! `table` lists the flags, `elsewhere` those of other tools, `arguments` checks the arguments against it, `parse` extracts the values,
//! `source` finds out what the arguments without a flag are, `contradictions` rejects what does not go together, and
//! `help`, `topics`, `man` and `markdown` make the help texts and docs/cli.md. Files are not opened
//! and addresses not bound here.

mod allowed;
mod arguments;
mod completions;
mod contradictions;
mod elsewhere;
mod error;
mod fleet;
mod help;
mod layout;
mod man;
mod markdown;
mod options;
mod parse;
mod report;
mod shell;
mod source;
mod table;
mod topic;
mod topics;
mod values;

pub use completions::completions;
pub use help::help;
pub use man::man_page;
pub use markdown::markdown;
pub(crate) use options::Timestamps;
pub use options::{LogFormat, Options, Role};
pub use parse::{log_format_of, parse, reports_of};
pub(crate) use report::Report;
pub use shell::Shell;
pub use topic::Topic;
