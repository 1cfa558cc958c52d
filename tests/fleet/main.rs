//! A coordinator and its workers as processes of this machine, with workers and coordinator killed,
//! stopped and cut off in the middle: what the target saw is held against what the result says.

mod cuts;
mod calls;
mod data;
mod endings;
mod failing;
mod faults;
#[path = "../harness/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "other suites use the rest")]
mod harness;
#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, reason = "the programs in benches/ use the rest")]
mod instrument;
mod joins;
#[path = "../it/keeper.rs"]
mod keeper;
mod many;
mod refusals;
mod plan_origin;
mod secrets;
#[path = "../it/secure_target.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod secure_target;
#[path = "../../benches/fleet/simulated.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod simulated;
mod processes;
mod templates;
mod agreement;
mod availability;
mod waiting;
mod worker_output;
