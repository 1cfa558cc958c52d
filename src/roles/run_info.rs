//! The facts of a run that are known before it starts.

use crate::cli::{Options, Timestamps};
use crate::fleet::messages::Key;
use crate::plan::{Model, PartDigests, Plan, Target, secrets};
use crate::report::load_in_words;
use crate::run::{DEFAULT_METRICS_SCENARIOS, DataInfo, RunInfo, TargetInfo};

pub(super) fn run_info(plan: &Plan, options: &Options, seed: u64, connections: u32) -> RunInfo {
    let pieces = match &plan.load.model {
        Model::Closed { .. } => Vec::new(),
        Model::Open { pieces, .. } => pieces.clone(),
    };
    RunInfo {
        plan_name: plan.name.clone(),
        plan_source: plan.source.clone(),
        plan_digest: plan.digest.clone(),
        plan_parts: PartDigests::of(plan),
        plan_text: plan.text.clone(),
        load: load_in_words(&plan.load),
        model: plan.model_name(),
        seed,
        target: plan.main_target().origin(),
        base_url: base_url(plan),
        scenarios: plan.scenarios.iter().map(|s| (s.name.clone(), s.weight)).collect(),
        data: data(plan),
        requests: plan.load.requests,
        duration_ns: plan.load.duration_ns,
        warmup_ns: plan.load.warmup_ns,
        target_rate: target_rate(plan),
        pieces,
        timestamps: if options.timestamps == Timestamps::Kernel { "kernel" } else { "user" },
        connections,
        insecure: insecure(plan),
        targets: targets(plan),
        metrics_scenarios: options.metrics_scenarios.unwrap_or(DEFAULT_METRICS_SCENARIOS),
        thresholds: plan.thresholds.clone(),
        labels: plan.labels.clone(),
        strict: options.strict,
        baseline: None,
    }
}

/// Whether a target's certificate is not checked; `None`: no target is https.
fn insecure(plan: &Plan) -> Option<bool> {
    plan.targets.iter().filter_map(|target| target.tls.as_ref()).map(|tls| tls.insecure).reduce(|a, b| a || b)
}

fn targets(plan: &Plan) -> Vec<TargetInfo> {
    let scenarios = |number: usize| {
        let all = plan.scenarios.iter().enumerate();
        all.filter(move |(_, scenario)| scenario.target == number).map(|(i, _)| i).collect()
    };
    let info = |(number, target): (usize, &Target)| TargetInfo {
        name: target.name.clone(),
        url: url_of(plan, target),
        addresses: Vec::new(),
        proxy: target.proxy.as_ref().map(|proxy| format!("http://{}", proxy.authority)),
        scenarios: scenarios(number),
    };
    plan.targets.iter().enumerate().map(info).collect()
}

fn data(plan: &Plan) -> Vec<DataInfo> {
    let sets = plan.data.iter().enumerate();
    sets.map(|(i, set)| DataInfo {
        name: set.name.clone(),
        rows: set.rows,
        order: set.order.name(),
        scenarios: (0..plan.scenarios.len()).filter(|scenario| plan.takes_rows(*scenario, i)).collect(),
    })
    .collect()
}

/// The mean rate over the measured time in requests per second; `None` in the closed model.
pub(super) fn target_rate(plan: &Plan) -> Option<f64> {
    let Model::Open { pieces, .. } = &plan.load.model else { return None };
    let asked: f64 = pieces.iter().map(|p| p.arrivals()).sum();
    plan.load.duration_ns.map(|d| asked / (d as f64 / 1e9))
}

/// Where the plan's requests go, without secrets.
pub(super) fn base_url(plan: &Plan) -> String {
    url_of(plan, plan.main_target())
}

fn url_of(plan: &Plan, target: &Target) -> String {
    format!("{}{}", target.origin(), secrets::path(&plan.secrets.mask(&target.path_prefix)))
}

/// The seed of the run with this key.
pub(super) fn seed_of(run: Key) -> u64 {
    run.0 as u64 & ((1 << 53) - 1) // exact in JSON's numbers
}
