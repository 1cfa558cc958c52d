//! Plans at the limits of what is accepted: one large body, many scenarios.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use loadtester::plan;
use loadtester::report::scenarios_csv;
use loadtester::roles::demo_target::DemoTarget;
use rustix::process::Signal;
use serde_json::Value;

use crate::instrument::child::{Ended, Job};
use crate::live;
use crate::run::{PROGRAM, RunDir, eventually, start};

/// Resident memory a run may take that sends one body of 4 MiB.
const MOST_WITH_A_LARGE_BODY: u64 = 30_000_000;

/// Resident memory of a run over 256 scenarios, with one thread and with sixteen.
const MOST_WITH_256_SCENARIOS: [(&str, u64); 2] = [("1", 40_000_000), ("16", 200_000_000)];
/// Resident memory of a run over 5,000 scenarios; with dense histograms it took gigabytes.
const MOST_WITH_MANY_SCENARIOS: u64 = 150_000_000;
/// Bytes of one scrape with the usual 100 rows, and of `/status`.
const MOST_PER_SCRAPE: usize = 1_000_000;
/// How long a plan of 5,000 scenarios may take to check, in a debug build on a busy machine.
const MOST_TO_CHECK: Duration = Duration::from_secs(10);

fn run(dir: &RunDir, args: &[&str]) -> Ended {
    let mut job = Job::new(PROGRAM, None, Duration::from_secs(60));
    job.args = args.iter().map(|arg| (*arg).to_owned()).collect();
    job.run(Path::new(&dir.file(""))).expect("the program starts")
}

#[test]
fn a_body_of_4_mib_costs_little_more_than_its_size() {
    let target = DemoTarget::start_program(Path::new(PROGRAM), None).unwrap();
    let dir = RunDir::new();
    let line = "      {\"name\": \"Jane Doe\", \"email\": \"jane@example.com\", \"token\": \"t0ken\"},\n";
    let body = line.repeat((4 << 20) / line.len());
    let plan = dir.write(
        "plan.yaml",
        format!(
            "base_url: http://{}\nscenarios:\n  - method: POST\n    path: /echo\n    body: |\n{body}",
            target.addr()
        ),
    );
    let common = ["--plan", &plan, "--threads", "1", "-c", "1", "-r", "4/s", "-d", "700ms", "--quiet"];
    let ended = run(&dir, &[&common[..], &["--listen", "127.0.0.1:0"]].concat());
    let peak = ended.peak_rss_bytes.expect("it runs long enough to be looked at");
    assert!(peak <= MOST_WITH_A_LARGE_BODY, "{peak} bytes resident: {}", ended.complaint());
    let checked = run(&dir, &[&common[..], &["--check"]].concat());
    assert!(checked.stdout.contains(" 3."), "{}", checked.stdout);
    assert!(checked.stdout.contains("\"token\": \"***\"") && !checked.stdout.contains("t0ken"));
}

#[test]
fn a_body_of_4_mib_is_accepted_however_it_is_indented() {
    let body = "      abcdefgh\n".repeat((4 << 20) / 9 + 1);
    let text = format!(
        "base_url: http://h\ndefaults: {{requests: 1}}\nscenarios:\n  - path: /\n    body: |\n{body}"
    );
    let plan = plan::parse(&text, "plan", &plan::Overrides::default(), &|_| None).unwrap();
    assert!(plan.scenarios[0].body.len() >= 4 << 20);
}

fn many_scenarios(base_url: &str, scenarios: usize, requests: usize) -> String {
    let each = |i| format!("  - name: 'Scenario {i}, \"quoted\"'\n    path: /healthz?i={i}\n");
    let scenarios: String = (0..scenarios).map(each).collect();
    format!(
        "base_url: {base_url}\ndefaults: {{concurrency: 8, requests: {requests}}}\nscenarios:\n{scenarios}"
    )
}

#[test]
fn memory_follows_what_is_counted_and_not_the_number_of_scenarios() {
    const REQUESTS: usize = 60_000;
    let target = DemoTarget::start_program(Path::new(PROGRAM), None).unwrap();
    let dir = RunDir::new();
    let text = many_scenarios(&format!("http://{}", target.addr()), 256, REQUESTS);
    let plan = dir.write("plan.yaml", text);
    for (threads, most) in MOST_WITH_256_SCENARIOS {
        let args = ["--plan", &plan, "--threads", threads, "-c", "32", "--no-pin", "--report", "-"];
        let ended = run(&dir, &[&args[..], &["--listen", "127.0.0.1:0"]].concat());
        let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        assert_eq!(report["totals"]["ok"], REQUESTS, "{}", ended.complaint());
        let peak = ended.peak_rss_bytes.expect("it runs long enough to be looked at");
        assert!(peak <= most, "{threads} threads: {peak} bytes resident");
    }
}

#[test]
fn five_thousand_scenarios_are_checked_quickly() {
    let begun = Instant::now();
    let text = many_scenarios("http://h", plan::MAX_SCENARIOS, 10_000);
    let thresholds: String =
        (0..1_000).map(|i| format!("  - 'Scenario {i}, \"quoted\": p99 < 1s'\n")).collect();
    let text = format!("{text}thresholds:\n{thresholds}");
    let plan = plan::parse(&text, "plan", &plan::Overrides::default(), &|_| None).unwrap();
    assert_eq!(
        (plan.scenarios.len(), plan.thresholds.len()),
        (plan::MAX_SCENARIOS, 1_001),
        "and one on answered_share"
    );
    // Each of them twice: as many faults.
    let faulty = text.replace("Scenario 1", "Scenario 2");
    assert!(plan::parse(&faulty, "plan", &plan::Overrides::default(), &|_| None).is_err());
    assert!(begun.elapsed() < MOST_TO_CHECK, "{:?}", begun.elapsed());
}

#[test]
fn every_report_of_5_000_scenarios_is_whole_and_scrapes_stay_small() {
    let target = DemoTarget::start_program(Path::new(PROGRAM), None).unwrap();
    let dir = RunDir::new();
    let (scenarios, requests) = (plan::MAX_SCENARIOS, 2 * plan::MAX_SCENARIOS);
    let text = many_scenarios(&format!("http://{}", target.addr()), scenarios, requests);
    let plan = dir.write("plan.yaml", text);
    let files =
        ["a.html", "a.xml", "a.csv", "a.scenarios.csv", "a.hlog", "a.json"].map(|name| dir.file(name));
    let mut args = vec!["--plan", &plan, "--threads", "1", "--listen", "127.0.0.1:0", "--linger", "60s"];
    files.iter().for_each(|file| args.extend(["--report", file]));
    let running = start(&args);
    let address = running.await_stderr("dashboard at http://");
    let address = address.trim_end_matches('/').parse().expect("an address");
    let status: Value = eventually("the end of the run", || {
        let status: Value = serde_json::from_str(&live::get(address, "/status").1).expect("JSON");
        (status["state"] == "finished").then_some(status)
    });
    assert_eq!(status["scenarios"].as_array().unwrap().len(), 100);
    assert_eq!(status["scenarios_left_out"], scenarios - 100);
    let metrics = live::get(address, "/metrics").1;
    assert!(metrics.len() < MOST_PER_SCRAPE, "{} bytes", metrics.len());
    let sample = |line: &str| metrics.lines().find_map(|l| l.strip_prefix(line)?.trim().parse::<u64>().ok());
    let others = sample("loadtester_requests_total{scenario=\"_other\",outcome=\"ok\"}");
    assert_eq!(others, Some(2 * (scenarios as u64 - 100)));
    assert_eq!(sample("loadtester_response_time_seconds_count{scenario=\"_other\"}"), others);
    for path in ["/", "/live/details"] {
        let page = live::get(address, path).1;
        assert!(page.contains("4,900") && page.len() < MOST_PER_SCRAPE, "{path}: {}", page.len());
    }
    let memory = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let peak =
        memory.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    assert!(peak.is_some_and(|kib: u64| kib * 1024 < MOST_WITH_MANY_SCENARIOS), "{peak:?} KiB");
    // Two: the first is for the run, the second for the lingering.
    running.signal(Signal::INT);
    let ended = running.end();
    assert!(ended.stdout.contains("4,980"), "{}", ended.stdout);
    reports(&files.map(|file| fs::read_to_string(file).expect("a report")), scenarios);
}

fn reports([html, junit, timeline, csv, hlog, json]: &[String; 6], scenarios: usize) {
    let json: Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(json["scenarios"].as_array().map(Vec::len), Some(scenarios));
    let records: Vec<&str> = csv.trim_end().split("\r\n").collect();
    assert_eq!(records.len(), scenarios + 1);
    assert_eq!(records[0], scenarios_csv::HEADER.join(","));
    assert!(
        records[scenarios].starts_with("\"Scenario 4999, \"\"quoted\"\"\",1,2,2,2,0,0,0,"),
        "{}",
        records[scenarios]
    );
    let cases = roxmltree::Document::parse(junit).expect("XML");
    let cases = cases.descendants().filter(|n| n.attribute("classname") == Some("loadtester.scenarios"));
    assert_eq!(cases.count(), scenarios);
    let (open, folded) = html.split_once("<summary>4,900 ").expect("a folded table");
    let rows = |part: &str| part.matches("<th scope=\"row\">Scenario ").count();
    assert_eq!((rows(open), rows(folded)), (100, scenarios - 100));
    assert!(html.contains("default-src 'none'") && !html.contains("<script"));
    assert!(timeline.starts_with("t,completed,") && hlog.starts_with('#'), "{timeline}");
}
