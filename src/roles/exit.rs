//! Exit codes, and errors that end a process before it has a result.

use std::io;

/// Exit codes; part of the public interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every threshold and the baseline comparison passed; without either, at least one request succeeded.
    Passed = 0,
    /// A threshold or the baseline comparison failed, or no request succeeded.
    Failed = 1,
    /// Bad usage or a bad plan.
    Usage = 2,
    /// The run could not be carried out, or no connection was ever established.
    Incomplete = 3,
    /// The measurement cannot support a verdict.
    Inconclusive = 4,
    /// A signal ended the run.
    Interrupted = 130,
}

/// An error that ends the run before it has a result.
#[derive(Debug)]
pub struct Failure {
    /// The message for the user.
    pub message: String,
    /// The exit code to end with.
    pub exit: Exit,
}

impl Failure {
    /// An error in the plan or the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Usage }
    }

    pub(crate) fn incomplete(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit: Exit::Incomplete }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::incomplete(error.to_string())
    }
}
