//! Time without an answer, from real sockets to the report: a target that goes away, and one that freezes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use crate::run::run_plan;
use crate::script::response;

/// A target that answers each request at once, until it goes away, and not while it is frozen.
struct Target {
    addr: SocketAddr,
    gone: Arc<AtomicBool>,
    frozen: Arc<AtomicBool>,
}

impl Target {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let target = Self {
            addr: listener.local_addr().expect("it is bound"),
            gone: Arc::default(),
            frozen: Arc::default(),
        };
        let (gone, frozen) = (target.gone.clone(), target.frozen.clone());
        listener.set_nonblocking(true).expect("a valid option");
        std::thread::spawn(move || {
            // The listener goes with the target, so that later connections are refused.
            while !gone.load(SeqCst) {
                let Ok((mut socket, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                };
                let (gone, frozen) = (gone.clone(), frozen.clone());
                std::thread::spawn(move || {
                    socket.set_nonblocking(false).expect("a valid option");
                    let mut request = [0; 4096];
                    while let Ok(1..) = socket.read(&mut request) {
                        while frozen.load(SeqCst) && !gone.load(SeqCst) {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                        if gone.load(SeqCst)
                            || socket.write_all(response("200 OK", "hello").as_bytes()).is_err()
                        {
                            return;
                        }
                    }
                });
            }
        });
        target
    }

    /// Set `flag` after `from_ms`, and clear it at `to_ms`, since now.
    fn set(flag: &Arc<AtomicBool>, from_ms: u64, to_ms: u64) {
        let flag = flag.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(from_ms));
            flag.store(true, SeqCst);
            std::thread::sleep(Duration::from_millis(to_ms - from_ms));
            flag.store(false, SeqCst);
        });
    }
}

fn plan(target: &Target, load: &str, thresholds: &str) -> String {
    format!("base_url: http://{}\nload: {load}\nscenarios: [{{path: /}}]\n{thresholds}", target.addr)
}

#[test]
fn a_target_that_goes_away_leaves_a_hole_that_fails_the_run() {
    // At the same time: none of them asks for much.
    std::thread::scope(|scope| {
        for (load, threads) in [
            ("{concurrency: 20, duration: 3s, drain: 0s}", "1"),
            ("{concurrency: 20, duration: 3s, drain: 0s}", "2"),
            ("{rate: 300/s, duration: 3s, drain: 0s}", "1"),
            ("{rate: 20/s, duration: 3s, drain: 0s}", "2"),
        ] {
            scope.spawn(move || check_hole(load, threads));
        }
    });
}

/// The target goes away a second into a run of three.
fn check_hole(load: &str, threads: &str) {
    let target = Target::start();
    Target::set(&target.gone, 1_000, 60_000);
    let text = plan(&target, load, "thresholds: [error_rate < 100%]\n");
    let ended = run_plan(&text, &["--threads", threads]);
    let report = &ended.report;
    let gap = report["availability"]["longest_gap"].as_f64().expect("a time");
    let share = report["availability"]["answered_share"].as_f64().expect("a share");
    assert!((1.4..2.6).contains(&gap), "{load}, {threads} threads: {gap} s; {}", ended.stdout);
    assert!((share - (1.0 - gap / 3.0)).abs() < 0.1, "{load}: {share}, {gap} s");
    let added = report["thresholds"].as_array().expect("a list").last().expect("the added one");
    assert_eq!((&added["expression"], &added["result"]), (&"answered_share >= 99%".into(), &"failed".into()));
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
}

#[test]
fn a_frozen_target_is_one_long_gap_though_one_request_stands_for_it() {
    let target = Target::start();
    Target::set(&target.frozen, 600, 2_100);
    let text = plan(&target, "{concurrency: 1, duration: 3s}", "thresholds: [longest_gap < 1s, p50 < 1s]\n");
    let ended = run_plan(&text, &["--threads", "1"]);
    let gap = ended.report["availability"]["longest_gap"].as_f64().expect("a time");
    let at = ended.report["availability"]["longest_gap_at"].as_f64().expect("a time");
    assert!((1.2..1.9).contains(&gap) && at < 1.0, "{gap} s at {at} s");
    let results: Vec<_> = ended.report["thresholds"].as_array().expect("a list").iter().collect();
    assert_eq!(results.len(), 2, "a threshold of one's own replaces the added one");
    assert_eq!((&results[0]["result"], &results[1]["result"]), (&"failed".into(), &"passed".into()));
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
}

#[test]
fn a_slow_target_has_no_outage() {
    let target = Target::start();
    let text = plan(&target, "{rate: 5/s, duration: 2s}", "thresholds: [error_rate < 50%]\n");
    let ended = run_plan(&text, &[]);
    assert_eq!(ended.report["availability"]["answered_share"], 1.0, "{}", ended.stdout);
    assert!(ended.report["availability"]["longest_gap"].as_f64().expect("a time") < 0.5, "{}", ended.stdout);
}
