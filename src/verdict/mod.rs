//! Judgements: whether a run can work ([`preflight`]), whether its measurement may be believed
//! ([`instrument`]), whether it kept to its limits ([`threshold`]) and to what it was ([`baseline`]). Figures come in as values;
//! machines are looked at and files read elsewhere.

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
pub mod threshold;
mod threads;

pub use threads::{Threads, threads_for};
