//! Roles: which threads and processes a job of the command line starts, and how they end.

pub mod abort;
pub mod baseline_file;
pub mod coordinator;
pub mod coordinator_service;
pub mod demo;
pub mod demo_target;
mod exit;
pub mod github;
pub mod live;
pub mod load_threads;
mod machine;
pub mod once;
pub mod place;
pub mod plan_form;
pub mod plan_source;
pub mod report_files;
pub mod resolver;
mod run_info;
pub mod signals;
pub mod standalone;
pub mod stop;
pub mod summary;
pub mod target;
mod timing;
pub mod tls_files;
pub mod tokens;
pub mod worker;

pub use exit::{Exit, Failure};
