//! How a process ends: its exit codes, and what ends it before there is a result.

use std::io;

/// Exit codes: public interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything that was asked holds; nothing was asked, and at least one request ended ok.
    Passed = 0,
    /// A threshold, or the comparison with a baseline, failed; or no request ended ok.
    Failed = 1,
    /// Bad usage or a bad plan.
    Usage = 2,
    /// The run could not be carried out, or no connection was ever established.
    Incomplete = 3,
    /// The measurement cannot support a verdict.
    Inconclusive = 4,
    /// A signal ended it.
    Interrupted = 130,
}

/// Something that ends the run before it has a result.
#[derive(Debug)]
pub struct Failure {
    /// What to tell the user.
    pub message: String,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// The plan or the command line is at fault.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Usage }
    }

    /// The run could not be carried out.
    pub(crate) fn incomplete(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Incomplete }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::incomplete(error.to_string())
    }
}
