//! The instrument names its own faults, and never blames the target for what it did not do.
//!
//! Each case breaks one thing on purpose (a core is taken away, a quota set, the process stopped, ports
//! or descriptors run out) and reads what the program reports of it. Each stands beside an undisturbed
//! run of the same plan that is trustworthy, so that a tool that always cried wolf would fail as well.
//!
//! These tests disturb the machine they run on: they need root, iproute2, util-linux and a CPU
//! controller of control groups, fail where something of that is missing, and take turns.

mod clock;
mod cores;
#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the programs in benches/ use the rest")]
mod instrument;
mod memory;
mod readers;
mod resources;
mod rooms;
mod slow_target;
mod stage;
