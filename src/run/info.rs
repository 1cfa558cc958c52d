//! The facts of a run that are known before it starts.

use std::sync::Arc;

use crate::plan::{PartDigests, Threshold};
use crate::schedule::Piece;
use crate::verdict::baseline::BaselineRun;

/// Default of [`RunInfo::metrics_scenarios`].
pub(crate) const DEFAULT_METRICS_SCENARIOS: usize = 100;

/// The facts of a run that are known before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    /// The plan's name, if it has one.
    pub plan_name: Option<String>,
    /// The plan's file name or other source.
    pub plan_source: String,
    /// The plan's digest: `sha256:` and hex digits.
    pub plan_digest: String,
    /// The digests of the plan's parts.
    pub plan_parts: PartDigests,
    /// The plan's text, masked; `None`: it was given by flags.
    pub plan_text: Option<String>,
    /// The load in words, as `--check` describes it.
    pub load: String,
    /// `closed` or `open`.
    pub model: &'static str,
    /// Seed of all randomness.
    pub seed: u64,
    /// The target's origin, such as `http://host:port`.
    pub target: String,
    /// The same with the path prefix of `base_url`, without secrets.
    pub base_url: String,
    /// Name and weight per scenario, in the plan's order.
    pub scenarios: Vec<(String, u32)>,
    /// Where requests go: the target of `base_url`, then those with names.
    pub targets: Vec<TargetInfo>,
    /// The plan's data sets.
    pub data: Vec<DataInfo>,
    /// Number of requests to send, if the plan limits it.
    pub requests: Option<u64>,
    /// Length of the measured time in nanoseconds, if the plan limits it.
    pub duration_ns: Option<u64>,
    /// Length of the warm-up in nanoseconds, before measurement begins.
    pub warmup_ns: u64,
    /// Planned mean rate over the measured time in requests per second; `None` in the closed model.
    pub target_rate: Option<f64>,
    /// The planned rate over the measured time, piece by piece; empty in the closed model.
    pub pieces: Vec<Piece>,
    /// `kernel` or `user`: where receive times come from.
    pub timestamps: &'static str,
    /// Connections that the plan opens (the maximum, in the open model).
    pub connections: u32,
    /// Whether any certificate is accepted; `None`: no TLS.
    pub insecure: Option<bool>,
    /// Scenarios with their own rows in `/metrics` and `/status`: this many of the plan, from the first.
    pub metrics_scenarios: usize,
    /// The thresholds of the verdict.
    pub thresholds: Vec<Threshold>,
    /// What reports say of the run beside its figures, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Whether an unreliable measurement makes the verdict inconclusive.
    pub strict: bool,
    /// The earlier run to compare with.
    pub baseline: Option<Arc<BaselineRun>>,
}

/// A target of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetInfo {
    /// Its name in the plan; empty: that of `base_url`.
    pub name: String,
    /// Its origin and path prefix, without secrets.
    pub url: String,
    /// The addresses that connections go to, as resolved before the run: its own, or its proxy's. Empty: a coordinator
    /// leaves that to its workers.
    pub addresses: Vec<String>,
    /// The URL of its proxy, without user and password.
    pub proxy: Option<String>,
    /// The scenarios that send to it, by index.
    pub scenarios: Vec<usize>,
}

/// A data set of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataInfo {
    /// Its name in the plan.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
    /// In which order they are taken.
    pub order: &'static str,
    /// The scenarios that take one for each request, by index.
    pub scenarios: Vec<usize>,
}

impl RunInfo {
    /// Planned mean rate over the first `measured_ns` of the measured time; `None` in the closed model.
    pub(crate) fn rate_asked_until(&self, measured_ns: u64) -> Option<f64> {
        let (mut arrivals, mut left_ns) = (0.0, measured_ns);
        for piece in &self.pieces {
            arrivals += piece.until(left_ns).arrivals();
            left_ns = left_ns.saturating_sub(piece.length_ns);
        }
        let counted = measured_ns > 0 && !self.pieces.is_empty();
        if counted { Some(arrivals / (measured_ns as f64 / 1e9)) } else { self.target_rate }
    }

    /// The name of the target that the `i`-th scenario sends to; empty: that of `base_url`.
    pub(crate) fn target_of(&self, i: usize) -> &str {
        let named = self.targets.iter().skip(1);
        let target = named.into_iter().find(|target| target.scenarios.binary_search(&i).is_ok());
        target.map_or("", |target| &target.name)
    }

    /// Whether there is a threshold or a baseline that could fail.
    pub(crate) const fn is_judged(&self) -> bool {
        !self.thresholds.is_empty() || self.baseline.is_some()
    }

    /// The facts of a process that has no plan yet.
    pub(crate) fn unknown() -> Self {
        Self {
            plan_name: None,
            plan_source: "–".to_owned(),
            plan_digest: String::new(),
            plan_parts: PartDigests::default(),
            plan_text: None,
            load: "–".to_owned(),
            model: "open",
            seed: 0,
            target: "–".to_owned(),
            base_url: "–".to_owned(),
            scenarios: Vec::new(),
            targets: Vec::new(),
            data: Vec::new(),
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
            labels: Vec::new(),
            strict: false,
            baseline: None,
        }
    }
}
