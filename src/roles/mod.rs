//! Roles: the threads and processes that a command line starts, and how they end.

pub(crate) mod abort;
pub(crate) mod baseline_file;
pub mod coordinator;
pub(crate) mod coordinator_service;
mod data_file;
pub mod demo;
pub mod demo_target;
mod exit;
pub(crate) mod github;
pub(crate) mod live;
pub(crate) mod load_threads;
pub mod log;
mod machine;
pub(crate) mod once;
pub(crate) mod worker_identity;
pub(crate) mod plan_form;
pub(crate) mod plan_source;
pub(crate) mod report_files;
pub(crate) mod resolver;
mod run_info;
pub(crate) mod signals;
pub mod standalone;
pub(crate) mod stop;
mod summary;
pub mod target;
mod timing;
pub(crate) mod tls_files;
pub(crate) mod tokens;
mod tty;
pub(crate) mod variables;
pub mod worker;

pub use exit::{Exit, Failure};
pub use summary::fail_unread;
