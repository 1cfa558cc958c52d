//! Many workers at once.

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use loadtester::fleet::worker::Exit;
use loadtester::tally::{Merged, RowCounter, StepId};

use crate::harness::twice;
use crate::processes::{Log, RunDir};
use crate::simulated::{AssignedShard, Simulated, WorkerResult, full_window};

const WORKERS: u32 = 500;

#[test]
fn five_hundred_workers_that_join_within_a_second_are_all_taken_in() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, &format!("{{concurrency: {WORKERS}, duration: 1s}}"), "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, &WORKERS.to_string(), &[]);
    let addr = url.trim_start_matches("http://").parse().expect("an address");
    let part = AssignedShard::new(addr, 1, Merged::new(1));
    let together = Arc::new(Barrier::new(WORKERS as usize + 1));
    let start = |number| {
        let (part, together) = (part.clone(), together.clone());
        std::thread::spawn(move || {
            let worker = Simulated::new(part, number);
            together.wait();
            worker.run()
        })
    };
    let threads: Vec<_> = (0..WORKERS).map(start).collect();
    together.wait();
    let begun = Instant::now();
    let results: Vec<WorkerResult> = threads.into_iter().map(|t| t.join().expect("it ends well")).collect();
    let code = coordinator.end();
    for (number, worker) in results.iter().enumerate() {
        assert_eq!(worker.exit, Exit::Done(None), "worker {number}: {}", coordinator.output());
    }
    let last = results.iter().filter_map(|worker| worker.joined).max().expect("they have joined");
    let (took, in_vain) = (last - begun, results.iter().map(|worker| worker.in_vain).sum::<usize>());
    println!("all taken in after {took:?}; {in_vain} calls in vain");
    assert!(took < Duration::from_secs(20), "{took:?}");
    let report = dir.report();
    let rows = report["fleet"]["workers"].as_array().expect("rows");
    assert_eq!(rows.len(), WORKERS as usize, "{code:?}");
    let mut slots: Vec<u64> = rows.iter().filter_map(|row| row["slot"].as_u64()).collect();
    slots.sort_unstable();
    assert!(slots.into_iter().eq(0..u64::from(WORKERS)), "each has a place of its own");
    for row in rows {
        assert_eq!(row["state"], "done", "{row:#}");
    }
    assert_eq!(report["fleet"]["missing"], serde_json::json!([]));
}

/// All close a window at the same instant, with histograms filled from end to end.
#[test]
fn five_hundred_full_reports_at_once_are_merged_in_bounded_memory_and_nobody_is_lost() {
    // A worker that gets no turn for a lease is lost, which the rest of a busy machine may bring about.
    twice("five hundred reports", report_at_once);
}

fn report_at_once() {
    let (log, dir) = (Log::start(), RunDir::alone());
    let plan = dir.plan(log.addr, &format!("{{concurrency: {WORKERS}, duration: 1s}}"), "fail");
    let state = dir.path("state");
    let (mut coordinator, url) = dir.coordinator(&plan, &WORKERS.to_string(), &["--state-dir", &state]);
    let addr = url.trim_start_matches("http://").parse().expect("an address");
    let tally = full_window();
    let counted = tally.row(StepId(0)).counter(RowCounter::Due) * u64::from(WORKERS);
    let part = AssignedShard::new(addr, 1, tally);
    let start = |number| {
        let worker = Simulated::new(part.clone(), number);
        std::thread::spawn(move || worker.run())
    };
    let threads: Vec<_> = (0..WORKERS).map(start).collect();
    let mut peak_bytes = 0;
    while threads.iter().any(|thread| !thread.is_finished()) {
        peak_bytes = coordinator.peak_bytes().unwrap_or(0).max(peak_bytes);
        std::thread::sleep(Duration::from_millis(50));
    }
    for thread in threads {
        assert_eq!(thread.join().expect("it ends well").exit, Exit::Done(None), "{}", coordinator.output());
    }
    coordinator.end();
    let report = dir.report();
    assert_eq!(report["totals"]["completed"], counted, "{}", coordinator.output());
    assert_eq!(report["fleet"]["missing"], serde_json::json!([]));
    let each = part.written.len() / 1_000;
    println!("{} MB at most for {WORKERS} reports of {each} kB", peak_bytes / 1_000_000);
    // What the server holds for all clients together, as much on its way to the disk, and the snapshot.
    assert!((1 << 20..400 << 20).contains(&peak_bytes), "{peak_bytes} bytes");
}
