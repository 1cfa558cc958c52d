//! A load thread of a worker fails, and the plan says what that means for the run.

use crate::processes::{Log, RunDir};

fn fleet(loss: &str) -> (Option<i32>, [Option<i32>; 2], serde_json::Value) {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 200/s, duration: 8s, concurrency: 20}", loss);
    let (mut coordinator, url) = dir.coordinator(&plan, "2", &[]);
    let args = ["--role", "worker", "--coordinator", &url, "--no-listen", "--threads", "1"];
    let mut fails = dir.start("fails", &args, &[("LOADTESTER_FAULT", "panic-0")]);
    let mut stays = dir.start("stays", &args, &[]);
    let workers = [fails.end(), stays.end()];
    (coordinator.end(), workers, dir.report())
}

#[test]
fn a_worker_whose_thread_panics_fails_the_run_and_the_thread_is_named() {
    let (code, workers, report) = fleet("fail");
    assert_eq!((code, workers), (Some(3), [Some(3), Some(0)]), "{report:#}");
    assert_eq!(report["verdict"], "incomplete", "{report:#}");
    assert!(report["error"].as_str().is_some_and(|error| error.contains("load-0")), "{report:#}");
    assert!(report["totals"]["ok"].as_u64().is_some_and(|ok| ok > 0), "{report:#}");
    assert!(report["measured_seconds"].as_f64().is_some_and(|seconds| seconds < 7.0), "{report:#}");
}

#[test]
fn where_the_plan_goes_on_after_a_loss_it_goes_on_after_a_thread_that_panicked() {
    let (code, workers, report) = fleet("continue");
    assert_eq!(workers, [Some(3), Some(0)], "{report:#}");
    assert_ne!(code, Some(3), "{report:#}");
    assert_eq!(report["measured_seconds"], 8.0, "{report:#}");
    let states = report["fleet"]["workers"].as_array().expect("rows").iter().map(|row| &row["state"]);
    assert_eq!(states.filter(|state| *state == "lost").count(), 1, "{report:#}");
}
