//! Judgements: whether a run can work ([`preflight`]) and whether its measurement may be believed
//! ([`instrument`]). Figures come in as values; machines are looked at and files read elsewhere.

pub mod instrument;
pub mod preflight;

/// `1 request`, `2 requests`, `1,500 requests`.
fn plural(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", crate::units::print_count(n), if n == 1 { "" } else { "s" })
}
