//! What a run shows and to whom: the report's keys, the status server under load, colors, silence.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use loadtester::roles::demo_target::DemoTarget;
use rustix::process::Signal;
use serde_json::Value;

use crate::live;
use crate::run::{PROGRAM, RunDir, eventually, run, run_plan, start, start_with};
use crate::script::{Script, Step, response, send};

fn answering() -> Script {
    Script::play([Step::Read, send(response("200 OK", "ok"))])
}

/// report.json as the contract fixes it; what is empty here may hold anything.
const CONTRACT: &str = r#"{
  "schema": 0, "tool": {"name": "", "version": ""},
  "plan": {"source": "", "digest": "", "model": "", "seed": 1},
  "started_at": "", "measured_seconds": 30.0, "verdict": "",
  "totals": {"due": 0, "sent": 0, "completed": 0, "ok": 0, "failed": 0, "dropped": 0, "unfinished": 0,
             "bytes_sent": 0, "bytes_received": 0, "connections_opened": 0},
  "rate": {"target": 0, "offered": 0, "achieved": 0},
  "response_time": {"count": 0, "min": 0, "mean": 0, "stddev": 0, "p50": 0, "p75": 0, "p90": 0, "p95": 0, "p99": 0,
                    "p99_9": 0, "p99_99": 0, "max": 0},
  "service_time": {"p99": 0}, "connect_time": {"p99": 0}, "tls_time": {"p99": 0}, "first_byte_time": {"p99": 0},
  "outcomes": {"ok": 0}, "status_codes": {"200": 0},
  "scenarios": [{"name": "", "weight": 2, "totals": {"due": 0}, "response_time": {"p99": 0},
                 "service_time": {"p99": 0}, "outcomes": {"ok": 0}, "status_codes": {"200": 0}}],
  "instrument": {"trustworthy": true, "reasons": [], "timestamps": "",
                 "slip": {"p99": 0}, "receive_delay": {"p99": 0}, "offered_ratio": 0,
                 "threads": [{"core": 0, "busy": 0}], "cpu_throttled_seconds": 0, "cpu_throttled_periods": 0},
  "thresholds": [],
  "timeline": [{"t": 1.0, "completed": 0, "failed": 0, "dropped": 0, "p50": 0, "p99": 0, "slip_p99": 0}],
  "histograms": {"response_time": ""}
}"#;

/// Every key of `contract` is in `report`.
fn check_keys(contract: &Value, report: &Value, path: &str) {
    match contract {
        Value::Object(keys) => {
            for (key, value) in keys {
                let found = report.get(key).unwrap_or_else(|| panic!("no key {path}.{key}"));
                check_keys(value, found, &format!("{path}.{key}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                let found = report.get(0).unwrap_or_else(|| panic!("{path} is empty"));
                check_keys(item, found, &format!("{path}[0]"));
            }
        }
        _ => {}
    }
}

/// In each distribution, figures rise from the smallest to the largest.
fn check_order(report: &Value, path: &str) {
    let Value::Object(keys) = report else { return };
    let names = ["min", "p50", "p75", "p90", "p95", "p99", "p99_9", "p99_99", "max"];
    if keys.contains_key("p99_99") && keys.contains_key("count") {
        let figures: Vec<f64> = names.iter().filter_map(|name| keys[*name].as_f64()).collect();
        assert!(figures.is_sorted(), "{path}: {report:#}");
    }
    for (key, value) in keys {
        check_order(value, &format!("{path}.{key}"));
    }
}

#[test]
fn the_report_has_every_key_of_the_contract() {
    let script = answering();
    for load in ["-c", "-r"] {
        let ended = run(&[&script.url(), load, "50", "-d", "300ms"]).lawful();
        check_keys(&serde_json::from_str(CONTRACT).unwrap(), &ended.report, "report");
        check_order(&ended.report, "report");
        assert!(ended.report["plan"]["digest"].as_str().unwrap().starts_with("sha256:"));
    }
}

#[test]
fn the_status_server_answers_while_every_thread_is_busy() {
    let target = DemoTarget::start_program(Path::new(PROGRAM), None).unwrap();
    let url = format!("http://{}/healthz", target.addr());
    let run = start(&[
        &url,
        "-c",
        "64",
        "-d",
        "3s",
        "--threads",
        "2",
        "--listen",
        "127.0.0.1:0",
        "--linger",
        "50s",
    ]);
    let line = run.await_stderr("dashboard at http://");
    let address = line.trim_end_matches('/').parse().unwrap();
    let (mut last, mut looks) = (Vec::new(), 0);
    eventually("the end of the run", || {
        let status: Value = serde_json::from_str(&live::get(address, "/status").1).unwrap();
        let (code, metrics) = live::get(address, "/metrics");
        assert_eq!((code, metrics.contains("loadtester_requests_total{")), (200, true));
        assert_eq!(live::get(address, "/healthz"), (200, "ok\n".to_owned()));
        let keys =
            ["due", "sent", "completed", "failed", "dropped", "unfinished", "bytes_sent", "bytes_received"];
        let totals: Vec<u64> = keys.iter().map(|key| status["totals"][key].as_u64().unwrap()).collect();
        assert!(last.iter().zip(&totals).all(|(before, now)| before <= now), "{last:?} then {totals:?}");
        (last, looks) = (totals, looks + 1);
        (status["state"] == "finished").then_some(())
    });
    run.signal(Signal::INT); // ends the lingering, and is no interruption of the run
    let ended = run.end().lawful();
    assert!(looks > 3, "{looks} looks");
    assert_eq!((ended.code, ended.number("totals.due")), (Some(0), last[0]), "{ended:?}");
}

#[test]
fn a_check_sends_nothing() {
    let script = answering();
    let plan = format!(
        "base_url: {}\ndefaults: {{ requests: 5 }}\nscenarios: [{{ name: Get users, path: /v1 }}]\n",
        script.url()
    );
    let ended = run_plan(&plan, &["--check"]);
    assert_eq!((ended.code, script.connections()), (Some(0), 0), "{ended:?}");
    assert!(ended.stdout.contains("Get users") && ended.stdout.contains("/v1"), "{ended:?}");
}

#[test]
fn a_plan_is_read_from_standard_input() {
    let (script, dir) = (answering(), RunDir::new());
    let plan = format!(
        "base_url: {}\ndefaults: {{ requests: 5 }}\nscenarios: [{{ name: a, path: / }}]\n",
        script.url()
    );
    let file = File::open(dir.write("plan.yaml", plan)).unwrap();
    let run = start_with(&["--plan", "-"], |command| {
        command.stdin(file);
    });
    let ended = run.end().lawful();
    assert_eq!((ended.code, script.requests(), ended.number("totals.ok")), (Some(0), 5, 5), "{ended:?}");
}

#[test]
fn the_schema_is_json() {
    let ended = run(&["--schema"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let schema: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(schema["properties"]["scenarios"].is_object());
}

#[test]
fn a_quiet_run_says_only_how_it_ended() {
    let script = answering();
    let ended = run(&[&script.url(), "-n", "5", "--quiet", "--listen", "127.0.0.1:0"]).lawful();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert!(ended.stdout.starts_with("DONE") && ended.stdout.contains("5 ok"), "{}", ended.stdout);
    assert_eq!(ended.number("totals.ok"), 5);
}

#[test]
fn a_report_on_standard_output_leaves_the_summary_to_standard_error_even_when_quiet() {
    let script = answering();
    let ended = run(&[&script.url(), "-n", "5", "--quiet", "--report", "-"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &report["totals"]["ok"]), (Some(0), &5.into()));
    assert!(ended.stderr.starts_with("DONE") && ended.stderr.contains("5 ok"), "{}", ended.stderr);
}

/// A pipe that nobody reads any more.
fn closed_pipe() -> OwnedFd {
    let (_reader, writer) = std::io::pipe().unwrap();
    writer.into()
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let script = answering();
    let url = script.url();
    let plan = format!("base_url: {url}\ndefaults: {{ requests: 5 }}\nscenarios: [{{ path: / }}]\n");
    let dir = RunDir::new();
    let plan = dir.write("plan.yaml", plan);
    let cases = [
        (&[&url, "-n", "5"][..], "summary: not written to standard output: "),
        (&[&url, "-n", "5", "--report", "-"], "--report -: not written: "),
        (&["--plan", &plan, "--check"], "--check: not written to standard output: "),
    ];
    for (args, message) in cases {
        let full = || File::options().write(true).open("/dev/full").unwrap().into();
        let ends: [(&dyn Fn() -> OwnedFd, &str); 2] =
            [(&full, "No space left on device"), (&closed_pipe, "Broken pipe")];
        for (stdout, why) in ends {
            let ended = start_with(args, |command| {
                command.stdout(stdout());
            });
            let ended = ended.end();
            let message = format!("loadtester: {message}{why}");
            assert_eq!(ended.code, Some(3), "{args:?}: {ended:?}");
            assert!(ended.stderr.contains(&message), "{args:?}: {message} is not in {ended:?}");
        }
    }
    let once =
        Command::new(PROGRAM).args(["--plan", &plan, "--once"]).stdout(closed_pipe()).output().unwrap();
    let stderr = String::from_utf8(once.stderr).unwrap();
    assert_eq!(once.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("--once: not written to standard output: Broken pipe"), "{stderr}");
    // Reports are written although the summary is not.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = start_with(&[&url, "-n", "5"], |command| {
        command.stdout(full);
    });
    assert_eq!(ended.end().number("totals.ok"), 5);
}

#[test]
fn away_from_a_terminal_there_are_only_plain_lines() {
    let script = answering();
    let ended = run(&[&script.url(), "-c", "2", "-d", "1s", "--listen", "127.0.0.1:0"]);
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.is_empty() && !text.contains(['\r', '\x1b']), "{text:?}");
    }
}

/// Both ends of a terminal: the one a person sits at, and the one the program writes to.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let (name, settings, size) = (std::ptr::null_mut(), std::ptr::null(), std::ptr::null());
    // SAFETY: both descriptors are written to live variables; null asks for no name and for defaults.
    let result = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, name, settings, size) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: openpty has just opened both and nobody else knows them.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

/// What a run shows on a terminal.
fn shown(args: &[&str], no_color: Option<&str>) -> String {
    let script = answering();
    let (ours, theirs) = terminal();
    let url = script.url();
    let run = start_with(&[&[url.as_str(), "-n", "50"], args].concat(), |command| {
        command.stdout(theirs);
        no_color.map(|value| command.env("NO_COLOR", value));
    });
    assert_eq!(run.end().code, Some(0));
    let mut shown = Vec::new();
    // Ends with an error when the last writer is gone.
    let _ = File::from(ours).read_to_end(&mut shown);
    String::from_utf8(shown).unwrap()
}

#[test]
fn colors_are_for_terminals_and_those_who_want_them() {
    let colored = |args, no_color| {
        let text = shown(args, no_color);
        assert!(text.contains("DONE"), "{text:?}");
        text.contains('\x1b')
    };
    assert!(colored(&[], None));
    assert!(colored(&[], Some("")), "an empty NO_COLOR is none");
    assert!(!colored(&["--no-color"], None));
    assert!(!colored(&[], Some("1")));
}

#[test]
fn a_summary_that_is_a_json_message_has_no_color_and_annotations_are_lines_of_their_own() {
    let script = Script::play([Step::Read, send(response("500 Internal Server Error", ""))]);
    let (ours, theirs) = terminal();
    let url = script.url();
    let args = [url.as_str(), "-n", "5", "--log-format", "json", "--report", "-"];
    let run = start_with(&args, |command| {
        command.stderr(theirs).env("GITHUB_ACTIONS", "true").env_remove("GITHUB_STEP_SUMMARY");
    });
    let reader = std::thread::spawn(move || {
        let mut shown = Vec::new();
        // Ends with an error when the last writer is gone.
        let _ = File::from(ours).read_to_end(&mut shown);
        String::from_utf8(shown).unwrap()
    });
    assert_eq!(run.end().code, Some(1));
    let shown = reader.join().unwrap();
    let (annotations, messages): (Vec<&str>, Vec<&str>) =
        shown.lines().partition(|line| line.starts_with("::"));
    assert!(annotations.iter().any(|line| line.starts_with("::error ")), "{shown}");
    let messages: Vec<String> = messages
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .map(|entry| entry["message"].as_str().unwrap().to_owned())
        .collect();
    assert!(messages.iter().any(|message| message.contains("FAILED")), "{messages:?}");
    for message in messages {
        assert!(!message.contains('\x1b') && !message.contains("::error"), "{message:?}");
    }
}

/// Children of `pid` that run.
fn children(pid: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|child| state_and_parent(*child).is_some_and(|(_, parent)| parent == pid)).collect()
}

/// From /proc/PID/stat: the name in parentheses may hold anything, the state and the parent follow it.
pub fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// A dead child whose parent has not looked yet runs no more.
fn runs(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

#[test]
fn a_demo_leaves_no_process_behind_however_it_ends() {
    for signal in [None, Some(Signal::INT), Some(Signal::KILL)] {
        let run = start(&["--demo", "-d", if signal.is_some() { "50s" } else { "1s" }]);
        let pid = run.pid();
        let child = eventually("the demo's target", || children(pid).first().copied());
        if let Some(signal) = signal {
            std::thread::sleep(Duration::from_millis(500));
            run.signal(signal);
        }
        let ended = run.end();
        match signal {
            None => assert_eq!((ended.code, ended.number("totals.failed")), (Some(0), 0), "{ended:?}"),
            Some(Signal::KILL) => assert_eq!(ended.code, None),
            Some(_) => {
                assert_eq!(ended.code, Some(130), "{ended:?}");
                assert_eq!(ended.number("totals.failed"), 0, "the target outlives the drain: {ended:?}");
            }
        }
        eventually("the end of the demo's target", || (!runs(child)).then_some(()));
    }
}
