//! The read-only data that all threads of a run share.

use super::encode::encode;
use crate::http1::Request;
use crate::plan::Plan;
use crate::schedule::Picker;

/// A checked plan with what is needed to run it.
#[derive(Debug)]
pub struct RunSpec {
    /// The checked plan.
    pub plan: Plan,
    /// Requests as bytes, indexed like the plan's scenarios.
    pub(crate) requests: Box<[Request]>,
    /// Chooses the scenario of the k-th request.
    pub picker: Picker,
    /// Seed of all randomness.
    pub(crate) seed: u64,
    /// Whether to capture the last response for display.
    pub(crate) capture_last: bool,
}

impl RunSpec {
    /// Encode `plan`'s requests and compute its sequence.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let requests = plan.scenarios.iter().map(|s| encode(&plan, s)).collect();
        let picker =
            Picker::new(&plan.weights(), seed).expect("a checked plan's weights have a short period");
        Self { plan, requests, picker, seed, capture_last: false }
    }
}
