//! Everything that is tested from outside the crate: one binary, a module for each topic.
//! Beside it stands only tests/alloc.rs, which needs an allocator of its own.

mod architecture;
mod availability;
mod baseline;
mod cgroup;
mod dashboard;
mod docs;
mod endings;
mod examples;
mod command_line;
mod completions;
mod connecting;
mod data;
mod evidence;
mod failing;
mod fleet;
mod frontend;
mod gates;
#[path = "../harness/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "other suites use the rest")]
mod harness;
#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, reason = "the programs in benches/ use the rest")]
mod instrument;
mod json_schema;
mod keeper;
mod large_plans;
mod live;
mod metrics;
mod once;
mod output;
mod plan_faults;
mod plan_schema;
mod plans;
mod policy;
#[rustfmt::skip] // a row is a line
mod policy_rows;
mod preflight;
mod proxies;
mod reaching;
mod report;
mod run;
mod report_baseline;
mod report_files;
mod report_github;
mod report_html;
mod report_junit;
mod report_schema;
mod scrape;
mod script;
mod secure_target;
mod simulation;
mod standalone;
mod status;
mod target;
mod templates;
mod terminal;
mod thresholds;
mod tls;
mod tls_wire;
mod trust;
mod tty;
mod wire;
mod wire_places;
