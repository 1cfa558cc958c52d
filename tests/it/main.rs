//! Everything that is tested from outside the crate: one binary, a module for each topic.

mod cgroup;
mod completions;
mod gate;
mod house;
#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, reason = "the programs in benches/ use the rest")]
mod instrument;
mod json_schema;
mod live;
mod metrics;
mod plan_schema;
mod plans;
mod preflight;
mod report;
mod report_files;
mod report_github;
mod report_html;
mod report_junit;
mod report_schema;
mod scrape;
mod simulation;
mod status;
mod target;
mod trust;
