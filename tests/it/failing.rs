//! Runs that fail, before they begin or in their midst: what was measured is reported, and no report of an
//! earlier run stays in the place of this one's.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use rustix::process::Signal;
use serde_json::Value;

use crate::run::{PROGRAM, RunDir, run_plan, start_with};
use crate::script::{Script, Step, response, send};

/// What an earlier run has left.
const STALE: &str = "of an earlier run";

fn answering() -> Script {
    Script::play([Step::Read, send(response("200 OK", "ok"))])
}

#[test]
fn a_load_thread_that_fails_ends_the_run_and_what_was_measured_is_reported() {
    for (fault, load) in [("panic-1", "-c"), ("panic-0", "-r"), ("wait-1", "-c"), ("wait-1", "-r")] {
        let script = answering();
        let begun = Instant::now();
        let args = [&script.url(), load, "100", "-d", "50s", "--threads", "2"];
        let ended = start_with(&args, |command| {
            command.env("LOADTESTER_FAULT", fault);
        });
        let ended = ended.end().lawful();
        assert_eq!((ended.code, &ended.report["verdict"]), (Some(3), &"incomplete".into()), "{ended:?}");
        let thread = format!("load-{}", &fault[fault.len() - 1..]);
        let error = ended.report["error"].as_str().unwrap_or_default();
        assert!(error.contains(&thread), "{fault}: {error:?} names no {thread}");
        assert!(ended.stdout.contains(&thread) && ended.number("totals.completed") > 0, "{ended:?}");
        // The system's error, not a guess.
        assert!(fault.starts_with("panic") || error.contains("os error 22"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "it went on");
    }
}

/// Run the program with `args` and reports in place of an earlier run's, and `signal` it after a while; its exit
/// code and the reports.
fn replaced(args: &[&str], signal: Option<Signal>) -> (Option<i32>, Value, String) {
    let dir = RunDir::new();
    let reports = ["a.json", "a.xml", "a.html", "a.csv", "a.scenarios.csv", "a.hlog"];
    let paths = reports.map(|name| dir.write(name, STALE));
    let mut all = args.to_vec();
    paths[1..].iter().for_each(|path| all.extend(["--report", path]));
    let run = start_with(&all, |command| {
        command.args(["--report", &paths[0]]);
    });
    if let Some(signal) = signal {
        std::thread::sleep(Duration::from_millis(500));
        run.signal(signal);
    }
    let ended = run.end();
    for path in &paths {
        assert_ne!(fs::read_to_string(path).unwrap(), STALE, "{path} is of an earlier run: {ended:?}");
    }
    let text = fs::read_to_string(&paths[0]).unwrap();
    (ended.code, serde_json::from_str(&text).unwrap(), fs::read_to_string(&paths[1]).unwrap())
}

fn check_error(args: &[&str], signal: Option<Signal>, code: i32, verdict: &str) {
    let (exit, json, junit) = replaced(args, signal);
    assert_eq!((exit, &json["verdict"]), (Some(code), &verdict.into()), "{args:?}");
    assert!(json["error"].as_str().is_some_and(|error| !error.is_empty()), "{args:?}: {json:#}");
    assert_eq!(junit.matches("<error ").count(), 1, "{args:?}: {junit}");
}

#[test]
fn a_run_that_does_not_begin_says_why_in_every_report() {
    // Bound and not listening: the port is ours, and refuses.
    let closed = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&closed, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = SocketAddr::try_from(getsockname(&closed).unwrap()).unwrap();
    let url = format!("http://{address}/");
    let plain = Script::play([Step::Peek, send("HTTP/1.1 400 Bad Request\r\n\r\n"), Step::Close]);
    let dir = RunDir::new();
    let load = "load: {requests: 1}\nscenarios: [{name: a, path: /}]\nthresholds: [p99 < 1s]\n";
    let refused = dir.write("refused.yaml", format!("base_url: http://{address}\n{load}"));
    let no_tls = plain.url().replace("http:", "https:");
    let bad_plan = dir.write("bad.yaml", "base_url: ftp://x\n");
    check_error(&[&url, "-n", "10"], None, 3, "incomplete");
    check_error(&["--plan", &refused], None, 3, "incomplete");
    check_error(&[&no_tls, "-n", "10"], None, 3, "incomplete");
    check_error(&["http://nowhere.invalid/", "-n", "1"], None, 3, "incomplete");
    check_error(&["--plan", &bad_plan], None, 2, "incomplete");
    check_error(&[&url, "-n", "1", "--concurency", "3"], None, 2, "incomplete");
    check_error(&[&url, "-n", "1", "--slot", "3"], None, 2, "incomplete");
    let coordinator = ["--role", "coordinator", "--listen", "127.0.0.1:0", "--plan", &refused];
    check_error(&coordinator, Some(Signal::INT), 130, "interrupted");
    check_error(&[&coordinator[..], &["--join-timeout", "100ms"]].concat(), None, 3, "incomplete");
}

#[test]
fn an_interrupted_run_says_so_in_every_report() {
    let script = answering();
    check_error(&[&script.url(), "-c", "2", "-d", "50s"], Some(Signal::INT), 130, "interrupted");
}

#[test]
fn what_measures_nothing_touches_no_report() {
    let (dir, script) = (RunDir::new(), answering());
    let (report, url) = (dir.write("a.json", STALE), script.url());
    let plan = dir.write("bad.yaml", "base_url: ftp://x\n");
    let asked: [&[&str]; 6] = [
        &[&url, "-n", "1", "--check"],
        &["--plan", &plan, "--check"],
        &[&url, "--once"],
        &["--schema"],
        &["--check", "--once", "--nonsense"],
        &["--role", "target", "--nonsense"],
    ];
    for args in asked {
        Command::new(PROGRAM).args(args).args(["--report", &report]).output().unwrap();
        assert_eq!(fs::read_to_string(&report).unwrap(), STALE, "{args:?}");
    }
    // The same plan where a run was meant.
    let ended = run_plan("base_url: ftp://x\n", &[]);
    assert!(ended.code == Some(2) && ended.report["error"].is_string(), "{ended:?}");
}
