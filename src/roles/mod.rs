//! Room under construction.
pub mod plan_source;

pub mod live;
//! Roles: which threads and processes a job of the command line starts, and how they end.

pub mod demo_target;
pub mod target;
