//! What is known of a run before it starts.

use std::sync::Arc;

use crate::plan::Threshold;
use crate::schedule::Piece;
use crate::verdict::baseline::BaselineRun;

/// [`RunInfo::metrics_scenarios`] where nobody says otherwise.
pub(crate) const DEFAULT_METRICS_SCENARIOS: usize = 100;

/// What is known of a run before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    /// What the plan is called, if it has a name.
    pub plan_name: Option<String>,
    /// Where the plan came from.
    pub plan_source: String,
    /// The plan's digest.
    pub plan_digest: String,
    /// `closed` or `open`.
    pub model: &'static str,
    /// Seed of all randomness.
    pub seed: u64,
    /// Target as people write it, `http://host:port`.
    pub target: String,
    /// Name and weight per scenario, in the plan's order.
    pub scenarios: Vec<(String, u32)>,
    /// Requests this run is to send, when the plan says so.
    pub requests: Option<u64>,
    /// How long it is to measure, when the plan says so.
    pub duration_ns: Option<u64>,
    /// Warm-up before results start.
    pub warmup_ns: u64,
    /// Mean rate asked over the measured time in requests per second; `None` in the closed model.
    pub target_rate: Option<f64>,
    /// The rate asked over the measured time, piece by piece; empty in the closed model.
    pub pieces: Vec<Piece>,
    /// `kernel` or `user`: where receive times come from.
    pub timestamps: &'static str,
    /// Connections the plan asks for (the most, in the open model).
    pub connections: u32,
    /// Whether any certificate is accepted; `None`: no TLS is spoken.
    pub insecure: Option<bool>,
    /// Scenarios that have a row of their own in `/metrics` and `/status`: the first so many of the plan.
    pub metrics_scenarios: usize,
    /// What the run has to keep to.
    pub thresholds: Vec<Threshold>,
    /// A measurement that is not trustworthy supports no verdict.
    pub strict: bool,
    /// The earlier run it is held against.
    pub baseline: Option<Arc<BaselineRun>>,
}

impl RunInfo {
    /// Mean rate asked over the first `measured_ns` of the measured time; `None` in the closed model.
    pub(crate) fn rate_asked_until(&self, measured_ns: u64) -> Option<f64> {
        let (mut arrivals, mut left_ns) = (0.0, measured_ns);
        for piece in &self.pieces {
            arrivals += piece.until(left_ns).arrivals();
            left_ns = left_ns.saturating_sub(piece.length_ns);
        }
        let counted = measured_ns > 0 && !self.pieces.is_empty();
        if counted { Some(arrivals / (measured_ns as f64 / 1e9)) } else { self.target_rate }
    }

    /// Whether anything was asked that could fail.
    pub(crate) const fn is_judged(&self) -> bool {
        !self.thresholds.is_empty() || self.baseline.is_some()
    }

    /// Of a process that has no plan yet.
    pub(crate) fn unknown() -> Self {
        Self {
            plan_name: None,
            plan_source: "–".to_owned(),
            plan_digest: String::new(),
            model: "open",
            seed: 0,
            target: "–".to_owned(),
            scenarios: Vec::new(),
            requests: None,
            duration_ns: None,
            warmup_ns: 0,
            target_rate: None,
            pieces: Vec::new(),
            timestamps: "kernel",
            connections: 0,
            insecure: None,
            metrics_scenarios: DEFAULT_METRICS_SCENARIOS,
            thresholds: Vec::new(),
            strict: false,
            baseline: None,
        }
    }
}
