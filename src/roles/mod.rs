//! Roles: which threads and processes a job of the command line starts, and how they end.

pub mod demo_target;
pub mod live;
pub mod plan_source;
pub mod target;
