//! Time without an answer over a fleet: a gap is one when no worker was answered.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use crate::processes::RunDir;

/// A target that answers each request at once, or when it is no longer frozen.
fn target(frozen: &Arc<AtomicBool>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let frozen = frozen.clone();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let frozen = frozen.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok(1..) = socket.read(&mut request) {
                    while frozen.load(SeqCst) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    if socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    addr
}

#[test]
fn a_gap_of_the_fleet_is_that_of_all_workers() {
    for load in ["{concurrency: 6, duration: 4s}", "{rate: 300/s, duration: 4s}"] {
        let (dir, frozen) = (RunDir::new(), Arc::new(AtomicBool::new(false)));
        let plan = dir.plan(target(&frozen), load, "fail");
        let (mut coordinator, url) = dir.coordinator(&plan, "3", &[]);
        let mut workers: Vec<_> =
            (0..3).map(|i| dir.worker(&format!("w{i}"), &url, &["--threads", "1"])).collect();
        workers[0].wait_for_output("load begins");
        std::thread::sleep(Duration::from_millis(1_000));
        frozen.store(true, SeqCst);
        std::thread::sleep(Duration::from_millis(1_500));
        frozen.store(false, SeqCst);
        let code = coordinator.end();
        workers.iter_mut().for_each(|worker| assert_eq!(worker.end(), Some(0), "{}", worker.output()));
        let report = dir.report();
        let gap = report["availability"]["longest_gap"].as_f64().expect("a time");
        let share = report["availability"]["answered_share"].as_f64().expect("a share");
        assert!((1.1..2.2).contains(&gap), "{load}: {gap} s; {}", coordinator.output());
        assert!((share - (1.0 - gap / 4.0)).abs() < 0.1, "{load}: {share}, {gap} s");
        assert!(matches!(code, Some(0 | 1 | 4)), "{code:?}: {}", coordinator.output());
    }
}
