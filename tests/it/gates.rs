//! The whole program against a server in the test: exit codes that a pipeline can trust.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A server that answers every request with what `answer` makes of its path, after `delay`.
fn server(delay: Duration, answer: fn(&str) -> String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test's process; each connection has a thread that ends with it.
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(connection.try_clone().unwrap());
                let mut writer = connection;
                loop {
                    let (mut path, mut line) = (None, String::new());
                    while !matches!(line.as_str(), "\r\n") {
                        line.clear();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
                    }
                    std::thread::sleep(delay);
                    if writer.write_all(answer(&path.unwrap_or_default()).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn with_length(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn users(path: &str) -> String {
    match path {
        "/chunked" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n".into()
        }
        "/large" => with_length("", &"x".repeat(300_000)),
        "/missing" => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
        "/html" => with_length("Content-Type: text/html\r\n", "<p>\u{1b}[2J no users"),
        _ => with_length("Content-Type: application/json\r\n", r#"[{"name": "John", "age": 42}]"#),
    }
}

struct ProgramResult {
    code: Option<i32>,
    page: String,
    errors: String,
    report: Value,
}

fn run(name: &str, target: SocketAddr, rest: &str, flags: &[&str]) -> ProgramResult {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let report = folder.join(format!("gates-{name}-{}.json", std::process::id()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtester"));
    command.args(["--plan", "-", "--no-listen", "--threads", "1", "--report"]).arg(&report).args(flags);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let plan = format!("base_url: http://{target}\n{rest}");
    child.stdin.take().unwrap().write_all(plan.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let _ = std::fs::remove_file(&report);
    ProgramResult {
        code: output.status.code(),
        page: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
        report: serde_json::from_str(&text).unwrap_or_default(),
    }
}

const LOAD: &str = "load: {requests: 200, concurrency: 4}\n";

#[test]
fn a_threshold_decides_the_exit_code() {
    let target = server(Duration::ZERO, users);
    for (threshold, code, verdict) in [
        ("error_rate < 5%", 0, "passed"),
        ("service max < 1us", 1, "failed"),
        ("p99 < 1h", 4, "inconclusive"), // 200 requests are too few
    ] {
        let ran =
            run("exit", target, &format!("{LOAD}scenarios: [{{path: /}}]\nthresholds: ['{threshold}']"), &[]);
        assert_eq!(
            (ran.code, &ran.report["verdict"]),
            (Some(code), &verdict.into()),
            "{}{}",
            ran.page,
            ran.errors
        );
        assert_eq!(ran.report["thresholds"][0]["result"], verdict);
        assert!(ran.page.starts_with(&verdict.to_uppercase()), "{}", ran.page);
    }
}

#[test]
fn a_run_in_which_no_request_ended_ok_fails_with_or_without_thresholds() {
    let target = server(Duration::ZERO, users);
    let junit =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("none-ok-{}.xml", std::process::id()));
    for thresholds in ["", "thresholds: ['error_rate <= 100%']\n"] {
        let rest = format!("{LOAD}{thresholds}scenarios: [{{path: /missing}}]");
        let ran = run("none-ok", target, &rest, &["--report", junit.to_str().unwrap()]);
        assert_eq!(
            (ran.code, &ran.report["verdict"]),
            (Some(1), &"failed".into()),
            "{}{}",
            ran.page,
            ran.errors
        );
        assert_eq!(ran.report["judged"], !thresholds.is_empty());
        let cases = crate::report_junit::cases(&std::fs::read_to_string(&junit).unwrap());
        assert!(cases.iter().any(|c| c.2.as_ref().is_some_and(|f| f.0 == "failure")), "{cases:?}");
    }
    std::fs::remove_file(&junit).unwrap();
}

#[test]
fn a_run_without_a_connection_or_with_a_bad_plan_is_one_error_in_junit() {
    // Nobody listens on a port whose listener is gone.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let junit = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("error-{}.xml", std::process::id()));
    for (plan, code) in [("scenarios: [{path: /}]", 3), ("scenarios: [{paht: /}]", 2)] {
        let ran = run("error", nobody, &format!("{LOAD}{plan}"), &["--report", junit.to_str().unwrap()]);
        assert_eq!(ran.code, Some(code), "{}{}", ran.page, ran.errors);
        let cases = crate::report_junit::cases(&std::fs::read_to_string(&junit).unwrap());
        let faults: Vec<_> = cases.iter().map(|c| c.2.as_ref().map(|f| f.0.as_str())).collect();
        assert_eq!(faults, [Some("error")]);
        std::fs::remove_file(&junit).unwrap();
    }
}

#[test]
fn a_failing_threshold_ends_the_run_early_when_the_plan_says_so() {
    let target = server(Duration::from_millis(5), users);
    let rest = "load: {duration: 60s, concurrency: 2}\nscenarios: [{path: /}]\n\
                thresholds: [{expression: mean < 1ms, abort_after: 1s}, p50 < 30s]";
    let begun = std::time::Instant::now();
    let ran = run("abort", target, rest, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.page, ran.errors);
    assert!(begun.elapsed() < Duration::from_secs(30), "it ran on for {:?}", begun.elapsed());
    assert_eq!(ran.report["verdict"], "failed");
    let thresholds = &ran.report["thresholds"];
    assert!(thresholds[0]["reason"].is_string(), "why the run ended early: {thresholds}");
    assert_eq!((&thresholds[0]["result"], &thresholds[1]["reason"]), (&"failed".into(), &Value::Null));
}

#[test]
fn every_kind_of_expectation_is_held_against_responses() {
    let target = server(Duration::ZERO, users);
    let holds = "{status: [200, 304], header: {content-type: application/json}, body_contains: [John, age], \
                 json: {/0/name: John, /0/age: 42}, body_bytes: {min: 10, max: 1KiB}}";
    let rest = format!(
        "{LOAD}scenarios:\n- {{path: /, expect: {holds}}}\n- {{path: /chunked, expect: {{body_contains: hello}}}}\n\
         - {{path: /missing, expect: {{status: 4xx}}}}\n- {{path: /large, expect: {{body_contains: xxx, body_bytes: 300000}}}}\n\
         - {{path: /html}}"
    );
    let ran = run("holds", target, &rest, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.page, ran.errors);
    assert_eq!(ran.report["outcomes"]["ok"], 200, "{}", ran.page);
    assert_eq!(ran.report["broken_expectations"].as_array().unwrap().len(), 0);
}

#[test]
fn a_broken_expectation_is_reported_with_the_response() {
    let target = server(Duration::ZERO, users);
    let broken = [
        (
            "/html",
            "header: {Content-Type: {contains: json}}",
            "expectation_failed",
            ["Content-Type", "`text/html`", "`json`"],
        ),
        ("/html", "body_contains: John", "expectation_failed", ["`John`", "", ""]),
        ("/html", "json: {/a: 1}", "expectation_failed", ["JSON", "", ""]),
        ("/", "json: {/0/name: Jane}", "expectation_failed", ["`/0/name`", "\"John\"", "`Jane`"]),
        ("/", "json: {/1: null}", "expectation_failed", ["`/1`", "null", ""]),
        ("/", "body_bytes: 5", "expectation_failed", ["29 bytes", " 5", ""]),
        (
            "/large",
            "{body_contains: y, max_body: 64KiB}",
            "body_too_large",
            ["293 KiB", "max_body", "64.0 KiB"],
        ),
        ("/missing", "status: 200", "unexpected_status", ["404", "", ""]),
        ("/", "status: 3xx", "unexpected_status", ["200", "", ""]),
    ];
    let scenarios: Vec<String> = broken
        .iter()
        .enumerate()
        .map(|(i, (path, expect, ..))| {
            let expect = if expect.starts_with('{') { (*expect).to_owned() } else { format!("{{{expect}}}") };
            format!("- {{name: s{i}, path: {path}, expect: {expect}}}\n")
        })
        .collect();
    let rest = format!("load: {{requests: 90, concurrency: 3}}\nscenarios:\n{}", scenarios.concat());
    let ran = run("broken", target, &rest, &[]);
    assert_eq!(ran.report["totals"]["failed"], 90, "{}{}", ran.page, ran.errors);
    let found = ran.report["broken_expectations"].as_array().unwrap();
    assert_eq!(found.len(), broken.len(), "{found:?}");
    for (i, (found, (_, _, outcome, words))) in found.iter().zip(broken).enumerate() {
        assert_eq!(found["outcome"], outcome, "s{i}");
        let what = found["what"].as_str().unwrap();
        assert!(words.iter().all(|word| what.contains(word)), "s{i}: no {words:?} in {what}");
        assert_eq!(ran.report["scenarios"][i]["outcomes"][outcome], 10);
    }
    assert_eq!(found[1]["excerpt"], "<p>\\u{1b}[2J no users");
    assert!(found[6]["excerpt"].as_str().unwrap().len() <= 204);
    assert!(!ran.page.contains('\u{1b}') && ran.page.contains("`John`"), "{}", ran.page);
}

#[test]
fn a_value_from_the_environment_is_expected_but_never_shown() {
    let target = server(Duration::ZERO, users);
    // PATH is set for every process, and no body contains it.
    let rest = format!("{LOAD}scenarios: [{{path: /, expect: {{body_contains: '${{PATH}}'}}}}]");
    let ran = run("secret", target, &rest, &[]);
    let what = ran.report["broken_expectations"][0]["what"].as_str().unwrap();
    assert!(what.contains("`${PATH}`"), "{what} {}", ran.errors);
    assert!(!ran.page.contains(&std::env::var("PATH").unwrap()));
}

/// A report to compare with, of `target` answering everything.
fn measured(name: &str, target: SocketAddr) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.json", std::process::id()));
    let ran = run(name, target, PLAN, &["--seed", "1"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.page, ran.errors);
    std::fs::write(&path, ran.report.to_string()).unwrap();
    path
}

const PLAN: &str = "load: {rate: 100/s, duration: 3s}\nscenarios: [{path: /}]";

#[test]
fn a_report_with_digests_of_an_earlier_form_is_compared_by_its_load_and_scenarios() {
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/reports/digest_form_1.json");
    let plan = "load: {rate: 20/s, duration: 3s}\nscenarios:\n  - {name: Get users, path: /v1/users, weight: 2}\n  \
                - {name: Create user, path: /v1/users, method: POST, body: '{}'}\n";
    let target = server(Duration::ZERO, users);
    let compared = run("old-form", target, plan, &["--baseline", old, "--max-regression", "9900%"]);
    assert_eq!(compared.code, Some(0), "{}{}", compared.page, compared.errors);
    let remark = compared.report["baseline"]["plan_remark"].as_str().unwrap();
    assert!(remark.contains("written by another version"), "{remark}");
    for (from, to, difference) in [
        ("weight: 2", "weight: 3", "scenario `Get users` has weight 2 in it, here 3"),
        ("20/s", "30/s", "its rate differs"),
        ("duration: 3s", "duration: 5s", "it measured for 3.0 s, this plan measures for 5.0 s"),
        ("Create user", "Make user", "it has a scenario `Create user`; it has no scenario `Make user`"),
        ("rate: 20/s", "concurrency: 2", "its load model is `open`"),
    ] {
        let refused = run("old-other", target, &plan.replace(from, to), &["--baseline", old]);
        assert_eq!(refused.code, Some(2), "{}{}", refused.page, refused.errors);
        assert!(refused.errors.contains(difference), "{difference}: {}", refused.errors);
    }
}

#[test]
fn a_slower_target_fails_against_its_baseline_and_another_plan_is_refused() {
    // Far enough apart for a busy machine, whose own windows lie far apart as well.
    let (quick, slow) = (Duration::from_millis(5), Duration::from_millis(100));
    let target = server(quick, users);
    let path = measured("quick", target);
    let file = path.to_str().unwrap();
    let other = server(slow, users);
    // Another address is the same plan, and said.
    let worse = run("worse", other, PLAN, &["--baseline", file]);
    assert_eq!(worse.code, Some(1), "{}{}", worse.page, worse.errors);
    assert_eq!(
        (&worse.report["verdict"], &worse.report["baseline"]["result"]),
        (&"failed".into(), &"failed".into())
    );
    // The same, when as much is allowed; and the other way round it is only better.
    let allowed = ["--baseline", file, "--max-regression", "9900%"];
    assert_eq!(run("allowed", other, PLAN, &allowed).code, Some(0));
    let remark = format!("the baseline is of `http://{target}`");
    assert_eq!(worse.report["baseline"]["plan_remark"], remark.as_str());
    assert!(worse.page.contains(&remark), "{}", worse.page);
    // Another path or rate is another plan, and the difference is named.
    let changes = [
        (
            PLAN.replace("path: /", "path: /other"),
            "it has a scenario `GET /`; it has no scenario `GET /other`",
        ),
        (PLAN.replace("100/s", "101/s"), "its load is open: 100/s for 3s;"),
        (
            PLAN.replace("path: /", "name: GET /, path: /other"),
            "scenario `GET /` sends or expects something else",
        ),
        (PLAN.replace("3s}", "3s, keep_alive: false}"), "its connections settings differ"),
    ];
    for (plan, difference) in changes {
        let refused = run("refused", other, &plan, &["--baseline", file]);
        assert_eq!(refused.code, Some(2), "{}{}", refused.page, refused.errors);
        assert!(refused.errors.contains(difference), "{difference}: {}", refused.errors);
        assert!(refused.errors.contains("--baseline-any-plan"), "{}", refused.errors);
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn what_is_no_report_is_refused_before_anything_is_sent() {
    let target = server(Duration::ZERO, users);
    let path =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("no-report-{}.json", std::process::id()));
    let good = r#"{"schema": 1, "plan": {"digest": "d"}, "measured_seconds": 1, "verdict": "passed", "rate": {},
        "scenarios": [], "timeline": [], "instrument": {"trustworthy": true, "timestamps": "kernel"},
        "histograms": {"response_time": "X"}}"#;
    for (text, named) in [
        ("", ""),
        ("{}", "`schema`"),
        (r#"{"schema": 2}"#, "schema 2"),
        (r#"{"schema": 1}"#, ""),
        (good, "base64"),
        (&good.replace("\"X\"", "\"AAAA\""), "HdrHistogram V2"),
    ] {
        std::fs::write(&path, text).unwrap();
        let ran = run("no-report", target, PLAN, &["--baseline", path.to_str().unwrap()]);
        assert_eq!(ran.code, Some(2), "{text}: {}", ran.errors);
        let file = path.to_str().unwrap();
        assert!(ran.errors.contains(file) && ran.errors.contains(named), "{text}: {}", ran.errors);
    }
    std::fs::remove_file(&path).unwrap();
    let missing = run("no-report", target, PLAN, &["--baseline", path.to_str().unwrap()]);
    assert!(missing.code == Some(2) && missing.errors.contains(path.to_str().unwrap()), "{}", missing.errors);
}
