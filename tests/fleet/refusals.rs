//! Calls and settings that a coordinator refuses.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use crate::processes::{Log, RunDir, exchange, post};

const WORK: &str = "a-token-for-workers-5f1c";
const OPERATE: &str = "a-token-for-operators-93d2";

#[test]
fn without_tokens_it_listens_on_loopback_only() {
    let dir = RunDir::new();
    let mut coordinator = dir.start("coordinator", &["--role", "coordinator", "--listen", "0.0.0.0:0"], &[]);
    assert_eq!(coordinator.end(), Some(2));
    coordinator.assert_output(&["LOADTESTER_TOKEN"]);
}

#[test]
fn a_taken_port_is_refused_and_listen_is_named() {
    let (taken, dir) = (TcpListener::bind("127.0.0.1:0").expect("a port"), RunDir::new());
    let address = taken.local_addr().expect("it has one").to_string();
    let mut coordinator = dir.start("coordinator", &["--role", "coordinator", "--listen", &address], &[]);
    assert_eq!(coordinator.end(), Some(2));
    coordinator.assert_output(&[&address, "--listen"]);
    let output = coordinator.output();
    assert!(!output.contains("--no-listen"), "{output}");
}

#[test]
fn an_operator_token_without_a_worker_token_is_refused() {
    let dir = RunDir::new();
    let args = ["--role", "coordinator", "--listen", "127.0.0.1:0"];
    let mut coordinator = dir.start("coordinator", &args, &[("LOADTESTER_OPERATOR_TOKEN", OPERATE)]);
    assert_eq!(coordinator.end(), Some(2));
    coordinator.assert_output(&["LOADTESTER_TOKEN"]);
}

#[test]
fn calls_without_the_right_token_or_host_are_refused_and_no_token_is_printed() {
    let (log, dir) = (Log::start(), RunDir::new());
    let plan = dir.plan(log.addr, "{requests: 50, concurrency: 5}", "fail");
    let tokens = [("LOADTESTER_TOKEN", WORK), ("LOADTESTER_OPERATOR_TOKEN", OPERATE)];
    let report = dir.path("report.json");
    let args = ["--role", "coordinator", "--plan", &plan, "--listen", "127.0.0.1:0", "--report", &report];
    let mut coordinator = dir.start("coordinator", &args, &tokens);
    let url = coordinator.url();
    let fields = "Host: 127.0.0.1\r\nLoadtester-Protocol: 2\r\n";
    let with = |more: &str| format!("{fields}{more}");
    let bearer = |token: &str| with(&format!("Authorization: Bearer {token}\r\n"));
    assert_eq!(post(&url, "/workers", fields, b"{}").0, 401);
    assert_eq!(post(&url, "/workers", &bearer("wrong"), b"{}").0, 401);
    let (status, refused) = post(&url, "/workers", &bearer(OPERATE), b"{}");
    let refused: Value = serde_json::from_str(&refused).expect("JSON");
    assert_eq!((status, &refused["error"]), (403, &"forbidden".into()), "{refused}");
    assert_eq!(post(&url, "/workers", &bearer(WORK), b"{}").0, 400);
    assert_eq!(post(&url, "/workers", &bearer(WORK).replace(": 2\r\n", ": 1\r\n"), b"{}").0, 426);
    assert_eq!(post(&url, "/workers", &bearer(WORK).replace("127.0.0.1", "evil.example"), b"{}").0, 421);
    let foreign = format!("{}Origin: http://evil.example\r\n", bearer(WORK));
    assert_eq!(post(&url, "/workers", &foreign, b"{}").0, 403);
    assert_eq!(post(&url, "/run/stop", &bearer(WORK), b"").0, 401);
    let foreign = format!("{}Origin: http://evil.example\r\n", bearer(OPERATE));
    assert_eq!(post(&url, "/run/stop", &foreign, b"").0, 403);
    // What is no report at all; damaged ones are refused in `calls`.
    for bytes in
        [&b"LTRP\0\x02\xff\xff\xff\xff{}"[..], &[0x1c, 0x84, 0x93, 0x14, 0xff, 0xff, 0xff, 0xff], b""]
    {
        assert_eq!(post(&url, "/workers/0/reports/1", &bearer(WORK), bytes).0, 400);
    }
    let get =
        |fields: &str| exchange(&url, format!("GET /api/v1/plan HTTP/1.1\r\n{fields}\r\n").as_bytes()).0;
    assert_eq!((get(fields), get(&bearer(WORK))), (401, 200));
    let mut wrong = dir.start(
        "wrong",
        &["--role", "worker", "--coordinator", &url, "--no-listen"],
        &[("LOADTESTER_TOKEN", "not-the-token-at-all")],
    );
    assert_eq!(wrong.end(), Some(2), "{}", wrong.output());
    let mut operator = dir.start(
        "operator",
        &["--role", "worker", "--coordinator", &url, "--no-listen"],
        &[("LOADTESTER_TOKEN", OPERATE)],
    );
    assert_eq!(operator.end(), Some(2), "{}", operator.output());
    // The worker prints what it was answered.
    operator.assert_output(&[refused["message"].as_str().expect("a sentence")]);
    let token_file = dir.path("token");
    fs::write(&token_file, format!("{WORK}\n")).expect("disk space");
    let mut elsewhere =
        dir.worker("elsewhere", &url, &["--token-file", &token_file, "--allow-target", "example.com"]);
    assert_eq!(elsewhere.end(), Some(3), "{}", elsewhere.output());
    elsewhere.assert_output(&["--allow-target"]);
    coordinator.end();
    assert_eq!(log.arrivals().len(), 0);
    for output in [coordinator.output(), wrong.output(), elsewhere.output()] {
        assert!(
            !output.contains(WORK) && !output.contains(OPERATE) && !output.contains("not-the-token-at-all"),
            "{output}"
        );
    }
}
