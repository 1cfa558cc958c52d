//! Plans that a worker brought: who carries them out, at whose word, and where they may lead.

use std::fs;
use std::os::unix::net::UnixListener;

use serde_json::Value;

use crate::harness::SocketDir;
use crate::processes::{Log, Process, RunDir, eventually, exchange, post};

const WORK: &str = "a-token-for-workers-5f1c";
const OPERATE: &str = "a-token-for-operators-93d2";

fn bare_coordinator(dir: &RunDir, more: &[&str], tokens: &[(&str, &str)]) -> (Process, String) {
    let report = dir.path("report.json");
    let args = ["--role", "coordinator", "--listen", "127.0.0.1:0", "--report", &report];
    let process = dir.start("coordinator", &[&args[..], more].concat(), tokens);
    let url = process.wait_for_output("coordinator at ");
    (process, url.split("/ ").next().expect("a URL").trim_end_matches('/').to_owned())
}

fn worker(dir: &RunDir, name: &str, url: &str, more: &[&str], tokens: &[(&str, &str)]) -> Process {
    let args = ["--role", "worker", "--coordinator", url, "--no-listen", "--threads", "1"];
    dir.start(name, &[&args[..], more].concat(), tokens)
}

fn status(url: &str, token: &str) -> Value {
    let request = format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n");
    serde_json::from_str(&exchange(url, request.as_bytes()).1).expect("JSON")
}

#[test]
fn a_worker_brings_the_plan_to_a_bare_coordinator_and_is_named() {
    for tokens in [&[][..], &[("LOADTESTER_TOKEN", WORK)]] {
        let (log, dir) = (Log::start(), RunDir::new());
        let plan = dir.plan(log.addr, "{requests: 20, concurrency: 2}", "fail");
        let (mut coordinator, url) = bare_coordinator(&dir, &[], tokens);
        let mut brings = worker(&dir, "brings", &url, &["--plan", &plan], tokens);
        coordinator.wait_for_output("the plan is from worker 0 (");
        assert_eq!((coordinator.end(), brings.end()), (Some(0), Some(0)), "{}", coordinator.output());
        assert_eq!(dir.report()["fleet"]["plan_from"], 0);
        assert_eq!(log.arrivals().len(), 20);
    }
}

#[test]
fn where_there_is_an_operator_a_plan_that_a_worker_brought_waits_for_their_word() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{requests: 20, concurrency: 2}", "fail");
    let work = [("LOADTESTER_TOKEN", WORK)];
    let tokens = [work[0], ("LOADTESTER_OPERATOR_TOKEN", OPERATE)];
    let (mut coordinator, url) = bare_coordinator(&dir, &[], &tokens);
    let mut brings = worker(&dir, "brings", &url, &["--plan", &plan], &work);
    let fleet = eventually("the operator's turn", || {
        let fleet = status(&url, OPERATE)["fleet"].clone();
        (fleet["waiting"]["for"] == "operator").then_some(fleet)
    });
    assert_eq!(fleet["plan_from"], 0, "{fleet:#}");
    let page = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {OPERATE}\r\n\r\n");
    assert!(exchange(&url, page.as_bytes()).1.contains("the plan is from worker 0"));
    let bearer = |token: &str| format!("Host: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n");
    assert_eq!(post(&url, "/run/start", &bearer(WORK), b"").0, 401);
    // Long enough for several heartbeats, each of which would be told of a start.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(status(&url, OPERATE)["fleet"]["waiting"]["for"], "operator", "nobody else starts it");
    let in_capitals = bearer(OPERATE).replace("Bearer", "BEARER");
    assert_eq!(post(&url, "/run/start", &in_capitals, b"").0, 202);
    assert_eq!((coordinator.end(), brings.end()), (Some(0), Some(0)), "{}", coordinator.output());
    assert_eq!(log.arrivals().len(), 20);
}

#[test]
fn a_plan_that_a_worker_did_not_bring_reaches_no_socket_unless_it_is_allowed() {
    for is_allowed in [false, true] {
        let (dir, sockets) = (RunDir::new(), SocketDir::new());
        let (socket, plan) = (sockets.path("s"), dir.path("plan.yaml"));
        let listener = UnixListener::bind(&socket).expect("a path that is short enough");
        listener.set_nonblocking(true).expect("it can be");
        let text = format!(
            "base_url: unix:{socket}\nload: {{requests: 1, concurrency: 1}}\nscenarios: [{{name: a, path: /, timeout: 1s}}]\n"
        );
        fs::write(&plan, text).expect("disk space");
        let (_coordinator, url) = dir.coordinator(&plan, "1", &[]);
        let allow = format!("unix:{socket}");
        let more: &[&str] = if is_allowed { &["--allow-target", &allow] } else { &[] };
        let mut honest = worker(&dir, "honest", &url, more, &[]);
        if is_allowed {
            eventually("a connection", || listener.accept().ok());
        } else {
            assert_eq!(honest.end(), Some(3), "{}", honest.output());
            assert!(honest.output().contains("--allow-target unix:"), "{}", honest.output());
            assert!(listener.accept().is_err(), "nobody came");
        }
    }
}

#[test]
fn a_worker_with_a_plan_of_its_own_runs_no_other() {
    let (log, other, dir) = (Log::start(), Log::start(), RunDir::new());
    let ours = dir.plan(log.addr, "{requests: 20, concurrency: 2}", "fail");
    let (_coordinator, url) = dir.coordinator(&ours, "2", &[]);
    let theirs =
        fs::read_to_string(&ours).expect("a plan").replace(&log.addr.to_string(), &other.addr.to_string());
    fs::write(dir.path("theirs.yaml"), theirs).expect("disk space");
    let mut brings = worker(&dir, "brings", &url, &["--plan", &dir.path("theirs.yaml")], &[]);
    assert_eq!(brings.end(), Some(2), "{}", brings.output());
    assert!(log.arrivals().is_empty() && other.arrivals().is_empty());
}
