//! Fleets that do not come together: the output names who is missing at once, and nobody waits for ever.

use serde_json::{Value, json};

use crate::processes::{Log, Process, RunDir, eventually, exchange, marks, post};

/// A worker that joins and is never heard again.
fn join_and_vanish(url: &str) {
    let join = json!({"key": format!("{:032x}", 7), "version": env!("CARGO_PKG_VERSION"), "host": "vanishes",
        "threads": 1});
    let fields = "Host: 127.0.0.1\r\nLoadtester-Protocol: 2\r\n";
    let (status, body) = post(url, "/workers", fields, join.to_string().as_bytes());
    assert_eq!(status, 200, "{body}");
}

fn page(url: &str, path: &str) -> String {
    let (status, body) = exchange(url, format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes());
    assert_eq!(status, 200, "{body}");
    body
}

/// Wait until the run waits for another in place of worker 0; what the status says of that.
fn wait_until_missing(url: &str) -> Value {
    eventually("worker 0 is missing", || {
        let status: Value = serde_json::from_str(&page(url, "/status")).expect("JSON");
        let waiting = &status["fleet"]["waiting"];
        (waiting["for"] == "workers" && waiting["missing"] == json!([0])).then(|| waiting.clone())
    })
}

/// Two are wanted; one gets ready and the other vanishes meanwhile.
fn one_of_two(dir: &RunDir, log: &Log, join_timeout: &str) -> (Process, String, Process) {
    let plan = dir.plan(log.addr, "{requests: 100, concurrency: 10}", "continue");
    let (coordinator, url) = dir.coordinator(&plan, "2", &["--join-timeout", join_timeout]);
    join_and_vanish(&url);
    let stays = dir.worker("stays", &url, &["--threads", "1"]);
    coordinator.wait_for_output(marks::ALL_HERE);
    wait_until_missing(&url);
    (coordinator, url, stays)
}

#[test]
fn a_worker_lost_before_the_start_is_named_and_can_be_replaced() {
    let (log, dir) = (Log::start(), RunDir::new());
    let (mut coordinator, url, mut stays) = one_of_two(&dir, &log, "60s");
    let waiting = wait_until_missing(&url);
    eventually("its name", || coordinator.output().contains("worker 0 (vanishes)").then_some(()));
    assert_eq!((&waiting["there"], &waiting["wanted"]), (&1.into(), &2.into()), "{waiting:#}");
    assert!((1.0..=60.0).contains(&waiting["seconds_left"].as_f64().expect("a time")), "{waiting}");
    assert!(page(&url, "/").contains("worker 0"), "the page names it");
    let mut comes = dir.worker("comes", &url, &["--threads", "1"]);
    let ends = [coordinator.end(), stays.end(), comes.end()];
    assert_eq!(ends, [Some(0); 3], "{}", coordinator.output());
    let report = dir.report();
    assert_eq!((&report["totals"]["ok"], log.arrivals().len()), (&100.into(), 100));
    assert_eq!(report["fleet"].get("waiting"), None, "it has begun");
    let states = report["fleet"]["workers"].as_array().expect("rows").iter().map(|row| row["state"].clone());
    assert_eq!(states.collect::<Vec<_>>(), ["replaced", "done", "done"], "nobody is missed");
}

#[test]
fn an_incomplete_fleet_is_given_up_after_the_join_timeout() {
    let (log, dir) = (Log::start(), RunDir::new());
    let (mut coordinator, _, mut stays) = one_of_two(&dir, &log, "4s");
    assert_eq!(coordinator.end(), Some(3), "{}", coordinator.output());
    assert_eq!(stays.end(), Some(0), "{}", stays.output());
    for process in [&coordinator, &stays] {
        process.assert_output(&["worker 0", "1 of 2"]);
    }
    assert!(log.arrivals().is_empty());
}

#[test]
fn an_extra_worker_joins_a_run_under_way_and_gets_a_share() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 200/s, duration: 12s, concurrency: 20}", "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, "1", &[]);
    let _first = dir.worker("w0", &url, &["--threads", "1"]);
    coordinator.wait_for_output(marks::LOAD_BEGINS);
    let _late = dir.worker("w1", &url, &["--threads", "1"]);
    coordinator.wait_for_output("worker 1 ");
    assert_eq!(coordinator.end(), Some(0), "{}", coordinator.output());
    let report = dir.report();
    let sent = |i: usize| report["fleet"]["workers"][i]["due"].as_u64().expect("a count");
    assert_eq!(sent(0) + sent(1), 2_400, "{report}");
    assert!(sent(0) > sent(1) && sent(1) > 0, "{} and {}", sent(0), sent(1));
}
