//! Processes killed and stopped in the middle of a run.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::processes::{Log, RunDir, ended, eventually, marks, now_ns};

const S: u64 = 1_000_000_000;
/// Two leases of five seconds, and the margin.
const TWO_LEASES: Duration = Duration::from_secs(11);

/// Two workers, the second of which is killed in the second or third second of the run.
fn kill_one_of_two(loss: &str, seconds: u64) -> (Option<i32>, Value, String, String) {
    let (log, dir) = (Log::start(), RunDir::new());
    let load = format!("{{rate: 400/s, duration: {seconds}s, concurrency: 20}}");
    let plan = dir.plan(log.addr, &load, loss);
    let (mut coordinator, url) = dir.coordinator(&plan, "2", &[]);
    let _kept = dir.worker("w0", &url, &["--threads", "1"]);
    let killed = dir.worker("w1", &url, &["--threads", "1"]);
    ended(&url, "", 800);
    killed.signal(Signal::KILL);
    let code = coordinator.end();
    let summary = std::fs::read_to_string(dir.path("coordinator.out")).expect("a summary");
    (code, dir.report(), coordinator.output(), summary)
}

/// Requests sent in each of the last seconds but the very last.
fn last_rates(report: &Value) -> Vec<u64> {
    let points = report["timeline"].as_array().expect("points");
    let whole = points.iter().filter(|p| p["t"].as_f64() <= report["measured_seconds"].as_f64());
    let sent: Vec<u64> = whole.map(|p| p["completed"].as_u64().expect("a count")).collect();
    sent[sent.len() - 4..sent.len() - 1].to_vec()
}

#[test]
fn a_lost_worker_fails_the_run_within_seconds_and_is_named() {
    let begun = Instant::now();
    let (code, report, printed, output) = kill_one_of_two("fail", 60);
    assert_eq!((code, &report["verdict"]), (Some(1), &"failed".into()), "{printed}");
    // Some ten until it is killed, and a lease and the last reports afterwards.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(report["fleet"]["stopped"].is_string(), "{report:#}");
    let lost: Vec<_> =
        report["fleet"]["workers"].as_array().unwrap().iter().filter(|w| w["state"] == "lost").collect();
    assert_eq!(lost.len(), 1);
    assert!(lost[0]["gone_from"].as_f64().is_some_and(|t| t > 1.0));
    // The remedy is about who was lost, not about threads that kept up.
    assert_eq!(report["instrument"]["reason_names"][0], "load_not_offered");
    assert!(output.contains("on_worker_loss") && !output.contains("--threads"), "{output}");
    let notes = report["instrument"]["notes"].to_string();
    let named = |row: &Value| {
        notes.contains(&format!("worker {} ({})", row["worker"], row["host"].as_str().unwrap_or("")))
    };
    let rows = report["fleet"]["workers"].as_array().unwrap();
    assert!(rows.iter().any(named), "the one with the largest delay is named: {notes}");
    // Half of the load was missing from then on, and no figure says otherwise.
    let offered = report["instrument"]["offered_ratio"].as_f64().expect("the open model");
    assert!((0.5..0.95).contains(&offered), "{offered}");
}

#[test]
fn without_a_lost_worker_the_rate_falls_or_returns_as_the_plan_says() {
    let continued = std::thread::spawn(|| kill_one_of_two("continue", 16));
    let (code, report, printed, _) = kill_one_of_two("redistribute", 20);
    assert!(last_rates(&report).iter().all(|n| *n > 350), "{report:#} {printed}");
    let gap = report["timeline"].as_array().unwrap().iter().filter(|p| p["completed"].as_u64() < Some(250));
    assert!(gap.count() >= 3, "the gap shows");
    // Not all that was asked was sent: that never passes in silence.
    assert_eq!(code, Some(4), "{printed}");
    let (code, report, printed, _) = continued.join().expect("it ends");
    assert!(last_rates(&report).iter().all(|n| (150..250).contains(n)), "{report:#}");
    assert_eq!(code, Some(4), "{printed}");
}

#[test]
fn a_worker_stopped_for_two_leases_sends_nothing_when_it_goes_on() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 500/s, duration: 60s, concurrency: 20}", "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, "1", &[]);
    let worker = dir.worker("w0", &url, &["--threads", "1"]);
    ended(&url, "", 500);
    worker.signal(Signal::STOP);
    let stopped_ns = now_ns();
    std::thread::sleep(TWO_LEASES);
    worker.signal(Signal::CONT);
    let continued_ns = now_ns();
    assert_eq!(coordinator.end(), Some(1), "{}", coordinator.output());
    let arrivals = log.arrivals();
    assert!(arrivals.len() > 300, "{}", arrivals.len());
    let late = arrivals.iter().filter(|at| **at > stopped_ns + S / 10).count();
    let after = arrivals.iter().filter(|at| **at >= continued_ns).count();
    assert_eq!((late, after), (0, 0), "requests without a lease");
}

#[test]
fn a_coordinator_killed_and_restarted_with_its_journal_counts_every_request() {
    kill_and_restart(&[]);
}

/// In debug builds the journal is begun anew with each few reports, here and after the restart.
#[test]
fn one_that_is_killed_between_checkpoints_counts_every_request_as_well() {
    kill_and_restart(&[("LOADTESTER_CHECKPOINT_BYTES", "4000")]);
}

fn kill_and_restart(environment: &[(&str, &str)]) {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 400/s, duration: 10s, concurrency: 20}", "fail");
    let state = dir.path("state");
    let (coordinator, url) = dir.coordinator_in(environment, &plan, "2", &["--state-dir", &state]);
    let mut workers: Vec<_> =
        (0..2).map(|i| dir.worker(&format!("w{i}"), &url, &["--threads", "1"])).collect();
    ended(&url, "", 400);
    let begins_with_checkpoint = || {
        let journal = std::fs::read(format!("{state}/journal")).expect("a journal");
        String::from_utf8_lossy(&journal[..200]).contains("\"piece\"")
    };
    let wants_checkpoint = !environment.is_empty() && cfg!(debug_assertions);
    // It is written while the run goes on.
    eventually("the journal begins with a checkpoint", || {
        (begins_with_checkpoint() || !wants_checkpoint).then_some(())
    });
    coordinator.signal(Signal::KILL);
    drop(coordinator);
    assert_eq!(begins_with_checkpoint(), wants_checkpoint);
    let listen = url.trim_start_matches("http://");
    let again = ["--state-dir", &state, "--listen", listen];
    let (mut coordinator, _) = dir.coordinator_in(environment, &plan, "2", &again);
    let code = coordinator.end();
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
    let report = dir.report();
    let totals = &report["totals"];
    let count = |name: &str| totals[name].as_u64().expect("a count");
    assert_eq!(totals["sent"], log.arrivals().len(), "{report:#}");
    assert_eq!((count("due"), count("sent") + count("dropped")), (4_000, 4_000), "{report:#}");
    assert_eq!(report["fleet"]["missing"], serde_json::json!([]));
    // A machine that is slow to start a process may keep its workers without a lease for a while; they say so.
    let rows = report["fleet"]["workers"].as_array().expect("rows");
    let unleased: f64 = rows.iter().filter_map(|row| row["unleased_seconds"].as_f64()).sum();
    assert!(unleased > 0.0 || count("dropped") == 0, "{report:#}");
    assert!(count("dropped") as f64 <= unleased * 200.0 + 20.0, "{report:#}");
    // No threshold is there to be in doubt about: only what was not sent keeps the verdict back.
    let offered = count("sent") * 100 >= count("due") * 99;
    assert_eq!(code, Some(if offered { 0 } else { 4 }), "{report:#} {}", coordinator.output());
}

#[test]
fn without_a_coordinator_load_stops_within_a_lease() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 400/s, duration: 60s, concurrency: 20}", "fail");
    let (coordinator, url) = dir.coordinator(&plan, "1", &[]);
    let worker = dir.worker("w0", &url, &["--threads", "1"]);
    ended(&url, "", 400);
    coordinator.signal(Signal::KILL);
    let killed_ns = now_ns();
    worker.wait_for_output(marks::NOTHING_SENT);
    // Long enough that load which went on would show.
    std::thread::sleep(Duration::from_secs(1));
    let last = *log.arrivals().last().expect("load was applied");
    assert!(last > killed_ns, "it goes on while it has a lease");
    assert!(last < killed_ns + 6 * S, "{} s after", (last - killed_ns) as f64 / 1e9);
}

/// Four workers that send as fast as they can, on fewer cores than that: heartbeats and reports get through
/// for longer than a lease lasts.
#[test]
fn full_load_costs_no_worker_its_lease() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{concurrency: 256, duration: 9s}", "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, "4", &[]);
    let mut workers =
        ["w0", "w1", "w2", "w3"].map(|name| dir.worker(name, &url, &["--threads", "2", "--no-pin"]));
    let code = coordinator.end();
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {}", coordinator.output());
    workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
    let report = dir.report();
    for worker in report["fleet"]["workers"].as_array().expect("rows") {
        assert!(worker["state"] == "done" && worker["unleased_seconds"] == 0.0, "{worker:#}");
        assert!(worker["sent"].as_u64() > Some(1_000), "it is load: {worker:#}");
    }
    assert_eq!(report["totals"]["sent"].as_u64(), Some(log.arrivals().len() as u64));
}
