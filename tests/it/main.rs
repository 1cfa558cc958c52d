//! The integration tests: one binary, a module per topic.

mod plans;
//! The integration tests: one binary, one module per topic.

mod cgroup;
mod instrument;
mod preflight;
//! The integration tests: one binary, one module per topic.

mod report;
//! The one integration binary; a module for each topic.

mod gate;
mod live;
mod metrics;
mod scrape;
mod status;
//! The integration tests: one binary, one module a topic.

mod house;
mod target;
