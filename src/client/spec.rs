//! What all threads of a run share, read-only.

use super::encode::encode;
use crate::http1::Request;
use crate::plan::Plan;
use crate::schedule::Picker;

/// A checked plan, ready to be carried out.
#[derive(Debug)]
pub struct RunSpec {
    /// The checked plan.
    pub plan: Plan,
    /// Requests as bytes, indexed like the plan's scenarios.
    pub(crate) requests: Box<[Request]>,
    /// Which scenario the k-th request is.
    pub picker: Picker,
    /// Seed of all randomness.
    pub(crate) seed: u64,
    /// Whether the last response is to be kept whole, to be shown.
    pub(crate) capture_last: bool,
}

impl RunSpec {
    /// Encode `plan`'s requests and lay out its sequence.
    pub fn new(plan: Plan, seed: u64) -> Self {
        let requests = plan.scenarios.iter().map(|s| encode(&plan, s)).collect();
        let picker =
            Picker::new(&plan.weights(), seed).expect("a checked plan's weights have a short period");
        Self { plan, requests, picker, seed, capture_last: false }
    }
}
