//! Tests of the growing axis of elapsed time.

use super::*;
use crate::run::RunInfo;

fn end_of(duration_s: Option<u64>, measured_s: f64) -> f64 {
    let run = RunInfo {
        plan_name: None,
        plan_source: String::new(),
        plan_digest: String::new(),
        plan_parts: crate::plan::PartDigests::default(),
        plan_text: None,
        load: "–".into(),
        model: "closed",
        seed: 1,
        target: String::new(),
        base_url: "http://127.0.0.1:8081/v1".into(),
        scenarios: vec![("a".to_owned(), 1)],
        targets: Vec::new(),
        data: Vec::new(),
        requests: None,
        duration_ns: duration_s.map(|s| s * 1_000_000_000),
        warmup_ns: 0,
        target_rate: None,
        pieces: Vec::new(),
        timestamps: "kernel",
        connections: 1,
        insecure: None,
        thresholds: Vec::new(),
        metrics_scenarios: 100,
        labels: Vec::new(),
        strict: false,
        baseline: None,
    };
    let mut snapshot = Snapshot::new(run, 1, 0.0);
    snapshot.measured_ns = (measured_s * 1e9) as u64;
    axis_end_s(&snapshot)
}

#[test]
fn the_axis_shows_a_short_plan_whole_and_runs_ahead_of_a_long_one() {
    assert_eq!(end_of(Some(30), 1.0), 30.0);
    assert_eq!(end_of(Some(7_200), 1.0), 60.0);
    assert_eq!(end_of(Some(7_200), 61.0), 120.0);
    assert_eq!(end_of(Some(90), 61.0), 90.0);
    assert_eq!(end_of(None, 0.0), 10.0);
    assert_eq!(end_of(None, 10.5), 20.0);
    assert_eq!(end_of(None, 200_000.0), 200_000.0);
}
