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
//! Everything that is tested from outside the crate, as one binary.

#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, reason = "the programs in benches/ use the rest")]
mod instrument;
