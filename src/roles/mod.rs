//! Roles: which threads and processes a job of the command line starts, and how they end.

pub mod abort;
pub mod baseline_file;
pub mod coordinator;
pub mod crew;
pub mod demo;
pub mod demo_target;
pub mod desk;
pub mod github;
pub mod live;
pub mod once;
pub mod place;
pub mod plan_form;
pub mod plan_source;
pub mod report_files;
pub mod resolver;
pub mod signals;
pub mod standalone;
pub mod stop;
pub mod summary;
pub mod target;
pub mod tls_files;
pub mod tokens;
pub mod worker;

/// Exit codes: public interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything that was asked holds.
    Passed = 0,
    /// A threshold, or the comparison with a baseline, failed.
    Failed = 1,
    /// Bad usage or a bad plan.
    Usage = 2,
    /// The run could not be carried out.
    Incomplete = 3,
    /// The measurement cannot support a verdict.
    Inconclusive = 4,
    /// A signal ended it.
    Interrupted = 130,
}
