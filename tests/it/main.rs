//! Everything that is tested from outside the crate, as one binary.

#[path = "../../benches/instrument/mod.rs"]
#[allow(dead_code, reason = "the programs in benches/ use the rest")]
mod instrument;
