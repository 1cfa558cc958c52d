//! Three workers with as many scenarios as a plan may hold.

use std::fs;

use loadtester::plan::MAX_SCENARIOS;

use crate::processes::{Log, RunDir};

const WORKERS: usize = 3;
const PER_SCENARIO: usize = 4;

#[test]
fn every_row_of_thousands_of_scenarios_is_counted_once() {
    let (dir, log) = (RunDir::new(), Log::start());
    let requests = MAX_SCENARIOS * PER_SCENARIO;
    let load = format!("{{requests: {requests}, concurrency: 30}}");
    let mut text = format!("base_url: http://{}\nload: {load}\nscenarios:\n", log.addr);
    (0..MAX_SCENARIOS).for_each(|i| text += &format!("  - {{name: s{i}, path: /}}\n"));
    let plan = dir.path("plan.yaml");
    fs::write(&plan, text).expect("disk space");
    let state = dir.path("state");
    let (mut coordinator, url) = dir.coordinator(&plan, &WORKERS.to_string(), &["--state-dir", &state]);
    let worker = |i| dir.worker(&format!("w{i}"), &url, &["--threads", "1"]);
    let mut workers: Vec<_> = (0..WORKERS).map(worker).collect();
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
    assert_eq!(log.arrivals().len(), requests);
    let report = dir.report();
    let rows = report["scenarios"].as_array().expect("rows");
    assert_eq!(rows.len(), MAX_SCENARIOS);
    for row in rows {
        let counts =
            [&row["totals"]["completed"], &row["response_time"]["count"], &row["status_codes"]["200"]];
        assert!(counts.iter().all(|n| n.as_u64() == Some(PER_SCENARIO as u64)), "{row}");
    }
}
