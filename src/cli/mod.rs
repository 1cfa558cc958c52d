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

pub use completions::completions;
pub use help::{help, markdown_table};
pub(crate) use options::Timestamps;
pub use options::{Options, Role};
pub use parse::parse;
pub use shell::Shell;
