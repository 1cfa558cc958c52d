//! What a worker prints while it waits, works and ends.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::processes::{Log, RunDir, marks};

#[test]
fn a_worker_prints_that_the_coordinator_is_unreachable_and_back() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 50/s, duration: 60s, concurrency: 5}", "fail");
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = port.local_addr().expect("it is bound").to_string();
    drop(port);
    let url = format!("http://{listen}");
    let mut worker = dir.worker("w0", &url, &["--threads", "1"]);
    let silent = dir.worker("w1", &url, &["--threads", "1", "--quiet"]);
    let away = worker.wait_for_output(&marks::unreachable(&url));
    assert!(away.contains("15 min"), "{away}");
    let state = dir.path("state");
    let more = ["--state-dir", state.as_str(), "--listen", &listen];
    let (mut coordinator, _) = dir.coordinator(&plan, "2", &more);
    worker.wait_for_output(&marks::reached(&url));
    worker.wait_for_output(marks::JOINED);
    worker.wait_for_output(marks::LOAD_BEGINS);
    coordinator.wait_for_output(marks::LOAD_BEGINS);
    coordinator.signal(Signal::KILL);
    assert_eq!(coordinator.end(), None);
    let (mut coordinator, _) = {
        // Nobody answers until this line was written.
        let mark = marks::unreachable(&url);
        crate::processes::eventually("the second line", || {
            (worker.output().matches(&mark).count() > 1).then_some(())
        });
        worker.assert_output(&["2 min"]);
        dir.coordinator(&plan, "2", &more)
    };
    worker.wait_for_output(&marks::back(&url));
    coordinator.signal(Signal::INT);
    assert_eq!(coordinator.end(), Some(130), "{}", coordinator.output());
    assert_eq!(worker.end(), Some(0), "{}", worker.output());
    assert!(!silent.output().contains("fleet:"), "{}", silent.output());
}

/// Something that answers, but is no coordinator; and a name that nobody knows.
#[test]
fn a_worker_prints_why_an_address_is_no_coordinator() {
    let (log, dir) = (Log::start(), RunDir::new());
    let worker = dir.worker("w0", &format!("http://{}", log.addr), &["--threads", "1"]);
    let why = worker.wait_for_output(&marks::unreachable(&format!("http://{}", log.addr)));
    assert!(why.contains("15 min"), "{why}");
    let worker = dir.worker("w1", "http://nowhere.invalid:8080", &["--threads", "1"]);
    worker.wait_for_output(&marks::unreachable("http://nowhere.invalid:8080"));
}

#[test]
fn a_worker_prints_each_step_in_order() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{requests: 20, concurrency: 2}", "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, "1", &[]);
    let mut worker = dir.worker("w0", &url, &["--threads", "1"]);
    assert_eq!((coordinator.end(), worker.end()), (Some(0), Some(0)), "{}", worker.output());
    let output = worker.output();
    let marks = [marks::JOINED, marks::LOAD_BEGINS, marks::HAS_ALL];
    let places = marks.map(|mark| output.find(mark));
    assert!(places.is_sorted() && places[0].is_some(), "{output}");
    assert!(!output.contains(&marks::unreachable(&url)), "{output}");
}
