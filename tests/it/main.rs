//! The integration tests: one binary, a module per topic.

mod plans;
//! The integration tests: one binary, one module per topic.

mod cgroup;
mod instrument;
mod preflight;
//! The integration tests: one binary, one module per topic.

mod report;
