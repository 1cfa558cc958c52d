//! Everything that is tested from outside the crate: one binary, a module for each topic.

mod baseline;
mod cgroup;
mod gate;
mod gates;
mod house;
#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, reason = "the programs in benches/ use the rest")]
mod instrument;
mod live;
mod metrics;
mod plan_schema;
mod plans;
mod preflight;
mod report;
mod scrape;
mod simulation;
mod status;
mod target;
mod thresholds;
mod trust;
