//! Judgements: whether a run can work ([`preflight`]), whether its measurement may be believed
//! ([`instrument`]), whether it kept to its limits ([`threshold`]) and to what it was ([`baseline`]). Figures come in as values;
//! machines are looked at and files read elsewhere.

pub mod baseline;
mod culprit;
mod describe;
pub mod fleet;
pub mod instrument;
pub mod preflight;
pub mod threshold;
mod threads;

pub use describe::describe;
pub use threads::{MAX_THREADS, PIN_FROM_CORES, Threads, threads_for};

/// `1 request`, `2 requests`, `1,500 requests`.
fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", crate::units::print_count(n), if n == 1 { "" } else { "s" })
}
