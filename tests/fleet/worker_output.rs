//! What a worker says while it waits, works and ends.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::processes::{Log, RunDir};

#[test]
fn a_worker_says_that_it_reaches_no_coordinator_and_what_becomes_of_it() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{rate: 50/s, duration: 60s, concurrency: 5}", "fail");
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listen = port.local_addr().expect("it is bound").to_string();
    drop(port);
    let url = format!("http://{listen}");
    let mut worker = dir.worker("w0", &url, &["--threads", "1"]);
    let silent = dir.worker("w1", &url, &["--threads", "1", "--quiet"]);
    let away = worker.wait_for_output(&format!("cannot reach the coordinator at {url}: "));
    assert!(away.contains("refused") && away.ends_with("trying for another 15 min"), "{away}");
    let state = dir.path("state");
    let more = ["--state-dir", state.as_str(), "--listen", &listen];
    let (mut coordinator, _) = dir.coordinator(&plan, "2", &more);
    worker.wait_for_output(&format!("the coordinator at {url} is reached"));
    assert!(worker.wait_for_output("joined as worker ").contains(" of run "), "{}", worker.output());
    worker.wait_for_output("load begins");
    coordinator.wait_for_output("load begins");
    coordinator.signal(Signal::KILL);
    assert_eq!(coordinator.end(), None);
    let (mut coordinator, _) = {
        // Nobody answers until this line was written.
        let mark = format!("cannot reach the coordinator at {url}: ");
        crate::processes::eventually("the second line", || {
            (worker.output().matches(&mark).count() > 1).then_some(())
        });
        assert!(worker.output().contains("trying for another 2 min"), "{}", worker.output());
        dir.coordinator(&plan, "2", &more)
    };
    worker.wait_for_output(&format!("the coordinator at {url} is back"));
    coordinator.signal(Signal::INT);
    assert_eq!(coordinator.end(), Some(130), "{}", coordinator.output());
    assert_eq!(worker.end(), Some(0), "{}", worker.output());
    assert!(!silent.output().contains("fleet:"), "{}", silent.output());
}

/// Something that answers, but is no coordinator; and a name that nobody knows.
#[test]
fn a_worker_says_what_is_wrong_with_the_place_it_was_sent_to() {
    let (log, dir) = (Log::start(), RunDir::new());
    let worker = dir.worker("w0", &format!("http://{}", log.addr), &["--threads", "1"]);
    let why = worker
        .wait_for_output(&format!("cannot reach the coordinator at http://{}: its answer is ", log.addr));
    assert!(why.ends_with("; trying for another 15 min"), "{why}");
    let worker = dir.worker("w1", "http://nowhere.invalid:8080", &["--threads", "1"]);
    worker.wait_for_output("cannot reach the coordinator at http://nowhere.invalid:8080: ");
}

#[test]
fn a_worker_says_that_the_coordinator_has_all_of_it() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{requests: 20, concurrency: 2}", "fail");
    let (mut coordinator, url) = dir.coordinator(&plan, "1", &[]);
    let mut worker = dir.worker("w0", &url, &["--threads", "1"]);
    assert_eq!((coordinator.end(), worker.end()), (Some(0), Some(0)), "{}", worker.output());
    let output = worker.output();
    let marks = ["joined as worker 0 of run ", "load begins", "the coordinator has all"];
    let places = marks.map(|mark| output.find(mark));
    assert!(places.is_sorted() && places[0].is_some(), "{output}");
    assert!(!output.contains("cannot reach"), "{output}");
}
