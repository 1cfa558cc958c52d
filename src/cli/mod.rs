//! What was typed; no meaning yet.
//!
//! `table` knows the flags, `arguments` checks what was typed against it, `parse` takes the values out,
//! `contradictions` refuses what does not go together, and `help` tells people. Files are not opened and addresses not bound here.

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

pub use allowed::Allowed;
pub use completions::completions;
pub use error::UsageError;
pub use help::{help, markdown_table};
pub use options::{Options, Role, Timestamps};
pub use parse::parse;
pub use report::Report;
pub use shell::Shell;
