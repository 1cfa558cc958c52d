//! Verdicts: whether a run can work ([`preflight`]), whether its measurement is trustworthy ([`instrument`]),
//! whether it met its limits ([`threshold`]), and whether it got worse than an earlier one ([`baseline`]).
//! Figures come in as values. Inspecting the machine and reading files are elsewhere. `docs/measurement.md`
//! explains the rules to users.

pub mod baseline;
pub(crate) mod binomial;
mod cause;
mod evidence;
mod figures;
pub(crate) mod fleet;
pub mod instrument;
pub(crate) mod outages;
mod over;
pub mod preflight;
mod reason;
pub mod rows;
pub mod threshold;
mod threads;

pub use threads::{Threads, threads_for};
