//! Reports drawn from hand-made snapshots: whole pages against golden files, and rules that hold for
//! any snapshot. To accept a changed page: `UPDATE_GOLDEN=1 cargo test --test it`, then read the diff.

use loadtester::http1::ProtocolError;
use loadtester::report::figures::InstrumentFigures;
use loadtester::report::terminal::{DEFAULT_WIDTH, LEAST_WIDTH, live_line, summary};
use loadtester::report::{dashboard, github, html, json};
use loadtester::run::{Ending, FirstFailure, RunInfo, Snapshot, State, TimelinePoint};
use loadtester::schedule::Piece;
use loadtester::tally::{Close, Counter, Outcome, RowCounter, RowTimer, StepId, ThreadHealth, Timer};
use proptest::prelude::*;
use serde_json::Value;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

pub fn golden(file: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{file} differs; it would now be\n{text}\nand was\n{expected}");
}

pub fn run_info() -> RunInfo {
    RunInfo {
        plan_name: Some("Users, read and write".to_owned()),
        plan_source: "loadplan.yaml".to_owned(),
        plan_digest: "sha256:00ff".to_owned(),
        plan_parts: loadtester::plan::PartDigests {
            settings: ["load", "connections", "tls"].map(|part| (part, "0123456789abcdef".into())).into(),
            scenarios: vec!["fedcba9876543210".into(); 2],
        },
        plan_text: Some("base_url: http://127.0.0.1:8081/v1\nscenarios: [{path: /<a>}]\n".into()),
        load: "closed: 50 connections, each sends when its last request ended; ends after 30s".into(),
        model: "closed",
        seed: 7,
        target: "http://127.0.0.1:8081".to_owned(),
        base_url: "http://127.0.0.1:8081/v1".into(),
        targets: vec![loadtester::run::TargetInfo {
            name: String::new(),
            url: "http://127.0.0.1:8081/v1".into(),
            addresses: vec!["127.0.0.1:8081".into()],
            proxy: None,
            scenarios: vec![0, 1],
        }],
        scenarios: vec![("Get users".to_owned(), 2), ("Create user".to_owned(), 1)],
        data: Vec::new(),
        requests: None,
        duration_ns: Some(30 * SECOND),
        warmup_ns: 5 * SECOND,
        target_rate: None,
        pieces: Vec::new(),
        timestamps: "kernel",
        connections: 50,
        insecure: None,
        thresholds: Vec::new(),
        metrics_scenarios: 100,
        labels: Vec::new(),
        strict: false,
        baseline: None,
    }
}

pub fn trusted() -> InstrumentFigures {
    InstrumentFigures {
        trustworthy: true,
        reasons: Vec::new(),
        reason_names: Vec::new(),
        notes: Vec::new(),
        offered_ratio: None,
    }
}

/// `count` exchanges of one scenario that ended in `outcome`, spread from `from_ns` up by `step_ns`.
pub fn exchanges(
    snapshot: &mut Snapshot,
    scenario: usize,
    outcome: Outcome,
    count: u64,
    from_ns: u64,
    step_ns: u64,
) {
    let tally = &mut snapshot.tally;
    for i in 0..count {
        let service_ns = from_ns + i * step_ns;
        tally.record_row(StepId::new(scenario), RowTimer::ServiceOk, service_ns);
        tally.record_row(StepId::new(scenario), RowTimer::ResponseOk, service_ns + 2_000);
        tally.record(Timer::Slip, 1_000 + i % 50 * 100);
        tally.record(Timer::ReceiveDelay, 4_000 + i % 100 * 200);
    }
    let s = tally.row_mut(StepId::new(scenario));
    s.add(RowCounter::Due, count);
    s.add(RowCounter::Sent, count);
    s.add(outcome, count);
    s.add(RowCounter::BytesSent, count * 120);
    s.add(RowCounter::BytesReceived, count * 1_500);
    if outcome.is_ok() {
        tally.add(Counter::CompletedInTime, count);
        (0..count).for_each(|_| tally.count_status(StepId::new(scenario), 200));
    }
}

pub fn clean_closed_run() -> Snapshot {
    let mut s = Snapshot::new(run_info(), 2, 1_795_363_200.0);
    (s.state, s.elapsed_ns, s.measured_ns) = (State::Finished, 35 * SECOND, 30 * SECOND);
    exchanges(&mut s, 0, Outcome::Ok, 10_000, 2 * MS, 300);
    exchanges(&mut s, 1, Outcome::Ok, 5_000, 3 * MS, 1_000);
    s.tally.set(Counter::ConnectionsOpened, 50);
    (0..50).for_each(|i| s.tally.record(Timer::ConnectTime, 30_000 + i * 1_000));
    for (i, busy) in [0.41, 0.39].iter().enumerate() {
        s.threads[i] = ThreadHealth {
            core: Some(i),
            busy_ns: (30.0 * busy * 1e9) as u64,
            observed_ns: 30 * SECOND,
            ..ThreadHealth::default()
        };
    }
    s
}

#[test]
fn a_run_that_nothing_judged_is_headed_by_what_happened() {
    let mut s = clean_closed_run();
    let first_words = |s: &Snapshot| summary(s, &trusted(), false, DEFAULT_WIDTH);
    assert!(first_words(&s).starts_with("DONE: 15,000 requests in 30.0 s; "), "{}", first_words(&s));
    exchanges(&mut s, 0, Outcome::UnexpectedStatus, 120, MS, 100);
    let some_failed = "DONE: 15,120 requests in 30.0 s, 120 failed; ";
    assert!(first_words(&s).starts_with(some_failed), "{}", first_words(&s));
    let report: Value = serde_json::from_str(&json::report(&s, &trusted())).unwrap();
    assert_eq!((&report["verdict"], &report["judged"]), (&"passed".into(), &false.into()));
    s.run.thresholds = any_threshold();
    let report: Value = serde_json::from_str(&json::report(&s, &trusted())).unwrap();
    assert_eq!(report["judged"], true);
}

#[test]
fn a_failed_run_is_headed_by_its_commonest_failure_with_the_status() {
    let mut s = clean_closed_run();
    let plan =
        "base_url: http://h\nload: {requests: 1}\nscenarios: [{path: /}]\nthresholds: [error_rate < 1%]";
    s.run.thresholds =
        loadtester::plan::parse(plan, "plan.yaml", &Default::default(), &|_| None).unwrap().thresholds;
    exchanges(&mut s, 1, Outcome::UnexpectedStatus, 3_000, MS, 100);
    (0..2_000).for_each(|_| s.tally.count_status(StepId(1), 503));
    (0..1_000).for_each(|_| s.tally.count_status(StepId(1), 404));
    let first = |s: &Snapshot| summary(s, &trusted(), false, 200).lines().next().unwrap().to_owned();
    let expected = "FAILED: 1 of 2 thresholds does not hold (error_rate < 1%); \
                    all failures: unexpected_status 503 (3,000); ";
    assert!(first(&s).starts_with(expected), "{}", first(&s));
    exchanges(&mut s, 0, Outcome::Reset, 5, MS, 100);
    assert!(first(&s).contains("most failures: unexpected_status 503 (3,000 of 3,005)"), "{}", first(&s));
    // What decided a share of failures is their number.
    let page = summary(&s, &trusted(), false, 200);
    assert!(page.contains("of 18,005 requests failed") && !page.contains("took longer"), "{page}");
}

#[test]
fn an_interrupted_run_says_in_a_sentence_after_how_long() {
    let mut s = clean_closed_run();
    (s.ending, s.run.duration_ns, s.measured_ns) = (Ending::Interrupted, Some(30 * SECOND), 12 * SECOND);
    let first = |s: &Snapshot| summary(s, &trusted(), false, 200).lines().next().unwrap().to_owned();
    let expected =
        "INTERRUPTED: the run was stopped after 12.0 s of 30.0 s, and these are its figures until then; ";
    assert!(first(&s).starts_with(expected), "{}", first(&s));
    s.tally = Snapshot::new(run_info(), 1, 0.0).tally;
    let expected = "INTERRUPTED: the run was stopped after 12.0 s of 30.0 s, before any request ended; ";
    assert!(first(&s).starts_with(expected), "{}", first(&s));
}

#[test]
fn the_summary_lists_the_stages_of_a_plan_with_several() {
    let mut s = clean_closed_run();
    let piece = |from, to, seconds: u64| Piece { from, to, length_ns: seconds * SECOND };
    let stages = |s: &Snapshot| {
        let text = summary(s, &trusted(), false, 200);
        text.lines().find(|line| line.starts_with("stages ")).map(str::to_owned)
    };
    s.run.pieces = vec![piece(500.0, 500.0, 30)];
    assert_eq!(stages(&s), None, "the rate is the same all the time");
    s.run.pieces.push(piece(500.0, 1_000.0, 90));
    assert_eq!(stages(&s).unwrap(), "stages          500/s for 30s, 500/s to 1000/s for 1m30s");
}

#[test]
fn the_timeline_ends_with_the_run_unless_requests_end_later() {
    let mut s = clean_closed_run();
    s.measured_ns = 2 * SECOND;
    let point = |t: f64, completed| TimelinePoint { t, completed, ..TimelinePoint::default() };
    let rows = |s: &Snapshot| {
        let report: Value = serde_json::from_str(&json::report(s, &trusted())).unwrap();
        report["timeline"].as_array().unwrap().len()
    };
    s.timeline = vec![point(1.0, 0), point(2.0, 0), point(3.0, 0)];
    assert_eq!(rows(&s), 2, "seconds in which nothing ended are part of the run");
    s.timeline[2].completed = 3;
    assert_eq!(rows(&s), 3, "counts add up");
}

/// A threshold that everything keeps.
pub fn any_threshold() -> Vec<loadtester::plan::Threshold> {
    let plan =
        "base_url: http://h\nload: {requests: 1}\nscenarios: [{path: /}]\nthresholds: [error_rate < 90%]";
    loadtester::plan::parse(plan, "plan.yaml", &Default::default(), &|_| None).unwrap().thresholds
}

#[test]
fn a_run_in_which_nothing_worked_never_passes_whatever_its_thresholds_say() {
    let mut s = clean_closed_run();
    (s.tally, s.run.thresholds) = (Snapshot::new(run_info(), 1, 0.0).tally, any_threshold());
    let outcome = |s: &Snapshot| {
        let report: Value = serde_json::from_str(&json::report(s, &trusted())).unwrap();
        report["verdict"].as_str().unwrap().to_owned()
    };
    s.tally.add_row(StepId(0), RowCounter::Due, 9);
    s.tally.add_row(StepId(0), Outcome::ConnectRefused, 9);
    assert_eq!(outcome(&s), "incomplete", "no connection was ever established");
    s.tally.set(Counter::ConnectionsOpened, 1);
    assert_eq!(outcome(&s), "failed");
    s.run.thresholds.clear();
    assert_eq!(outcome(&s), "failed");
    exchanges(&mut s, 0, Outcome::Ok, 1, MS, 1);
    assert_eq!(outcome(&s), "passed");
}

/// A run in which all went well, but for a CPU quota that stopped its threads.
pub fn passed_in_doubt() -> Snapshot {
    let mut s = clean_closed_run();
    s.run.thresholds = any_threshold();
    (s.throttled_periods, s.throttled_ns) = (30, 2 * SECOND);
    s
}

#[test]
fn an_untrustworthy_run_that_passed_has_a_warning_everywhere() {
    let s = passed_in_doubt();
    let instrument = s.instrument();
    assert_eq!(instrument.reason_names, ["cpu_throttled"]);
    let text = summary(&s, &instrument, true, DEFAULT_WIDTH);
    let first = text.lines().next().unwrap();
    assert!(first.contains("PASSED, NOT TRUSTWORTHY"), "{first}");
    assert!(first.starts_with("\x1b[30;43mPASSED"), "in the color of a warning: {text}");
    assert!(text.lines().nth(1).unwrap().contains("CPU quota"), "{text}");
    let page = html::page(&s, &instrument, &[]);
    assert!(page.contains("<header class=\"warn\">"), "{page}");
    let live = dashboard::page(&s, &dashboard::PageFeatures::default());
    assert!(live.contains("<header class=\"warn\""), "{live}");
    assert!(github::summary(&s, &instrument, &[]).starts_with("### ⚠️"));
    let report: Value = serde_json::from_str(&json::report(&s, &instrument)).unwrap();
    assert_eq!(report["verdict"], "passed", "the contract's word, and its exit code");

    let running = Snapshot { state: State::Running, ..s };
    let undisturbed = Snapshot { throttled_periods: 0, throttled_ns: 0, ..running.clone() };
    assert_ne!(live_line(&running), live_line(&undisturbed), "the live line shows it too");
}

#[test]
fn an_untrustworthy_strict_run_is_inconclusive_everywhere() {
    let mut s = passed_in_doubt();
    s.run.strict = true;
    let instrument = s.instrument();
    let text = summary(&s, &instrument, false, DEFAULT_WIDTH);
    assert!(text.starts_with("INCONCLUSIVE") && text.contains("--strict"), "{text}");
    let report: Value = serde_json::from_str(&json::report(&s, &instrument)).unwrap();
    assert_eq!(report["verdict"], "inconclusive");
    assert!(github::annotations(&s, &instrument, &[]).starts_with("::error title=loadtester::INCONCLUSIVE"));
}

fn troubled_timeline() -> Vec<TimelinePoint> {
    vec![
        TimelinePoint {
            t: 1.0,
            due: 363,
            sent: 362,
            completed: 340,
            failed: 20,
            dropped: 0,
            p50_ns: Some(11 * MS),
            p99_ns: None,
            service_p50_ns: Some(10 * MS),
            service_p99_ns: None,
            slip_p99_ns: Some(5_000),
            ..TimelinePoint::default()
        },
        TimelinePoint {
            t: 1.5,
            due: 124,
            sent: 4,
            completed: 0,
            failed: 3,
            dropped: 120,
            p50_ns: None,
            p99_ns: None,
            service_p50_ns: None,
            service_p99_ns: None,
            slip_p99_ns: None,
            ..TimelinePoint::default()
        },
    ]
}

pub fn troubled_open_run() -> (Snapshot, InstrumentFigures) {
    let run = RunInfo {
        model: "open",
        target_rate: Some(500.0),
        warmup_ns: 0,
        plan_name: None,
        plan_source: "https://joe:hunter2@plans.example/load.yaml?token=hunter2".to_owned(),
        scenarios: vec![
            (
                "Get users of the northern region whose names are long enough to be in anybody's way"
                    .to_owned(),
                2,
            ),
            ("Create user".to_owned(), 1),
            ("Delete\x1b[2Juser".to_owned(), 1),
        ],
        ..run_info()
    };
    let mut s = Snapshot::new(run, 1, 1_795_363_200.5);
    (s.state, s.ending) = (State::Finished, Ending::Interrupted);
    (s.elapsed_ns, s.measured_ns) = (12 * SECOND + 300 * MS, 12 * SECOND + 300 * MS);
    exchanges(&mut s, 0, Outcome::Ok, 4_000, MS, 5_000);
    exchanges(&mut s, 0, Outcome::Timeout, 12, 5 * SECOND, 1_000);
    exchanges(&mut s, 1, Outcome::Ok, 150, MS, 10_000);
    exchanges(&mut s, 1, Outcome::UnexpectedStatus, 300, 900_000, 100);
    exchanges(&mut s, 1, Outcome::Reset, 3, 900_000, 100);
    (0..300).for_each(|_| s.tally.count_status(StepId(1), 503));
    s.tally.add_row(StepId(0), RowCounter::Due, 127);
    s.tally.row_mut(StepId(0)).set(RowCounter::Dropped, 120);
    s.unfinished = 7;
    s.tally.set(Counter::ConnectionsOpened, 66);
    s.tally.set(Counter::ConnectFailures, 2);
    s.tally.set(Counter::Reconnects, 16);
    s.tally.set(Counter::Redirects, 3);
    s.tally.set(Close::Failure, 12);
    s.tally.set(Close::TargetIdle, 4);
    s.tally.set(ProtocolError::ConflictingLengths, 2);
    s.tally.set(ProtocolError::BadChunk, 1);
    s.tally.set(Counter::Retried, 1);
    s.tally.set(Counter::AbsurdStamps, 4);
    (s.throttled_ns, s.throttled_periods) = (120 * MS, 5);
    s.threads[0] =
        ThreadHealth { busy_ns: 12 * SECOND, observed_ns: s.measured_ns, ..ThreadHealth::default() };
    s.timeline = troubled_timeline();
    s.first_failures = vec![
        FirstFailure { scenario: 1, outcome: Outcome::UnexpectedStatus, t: 0.012, detail: "503".to_owned() },
        FirstFailure {
            scenario: 0,
            outcome: Outcome::Timeout,
            t: 5.25,
            detail: "nothing received\x07 in 5.00 s".to_owned(),
        },
    ];
    let reasons = vec![
        "only 97.1 % of the asked rate was offered: raise load.backlog or load.concurrency, or lower load.rate"
            .to_owned(),
        "thread 0 was busy 98 %: add --threads or lower the rate".to_owned(),
    ];
    let figures = InstrumentFigures {
        trustworthy: false,
        reasons,
        reason_names: vec!["load_not_offered", "thread_saturated"],
        notes: vec!["4 responses carried a kernel timestamp that cannot be true".to_owned()],
        offered_ratio: Some(0.971),
    };
    (s, figures)
}

pub fn nothing_measured() -> Snapshot {
    let mut s = Snapshot::new(run_info(), 2, 1_795_363_200.0);
    (s.state, s.ending, s.elapsed_ns) = (State::Finished, Ending::Incomplete, SECOND);
    s.tally.set(Counter::ConnectFailures, 3);
    s
}

#[test]
fn the_summary_of_a_clean_closed_run() {
    golden("clean_closed.txt", &summary(&clean_closed_run(), &trusted(), false, DEFAULT_WIDTH));
}

#[test]
fn the_summary_of_a_troubled_open_run() {
    let (snapshot, instrument) = troubled_open_run();
    let text = summary(&snapshot, &instrument, false, DEFAULT_WIDTH);
    assert!(!text.contains("hunter2") && !text.contains(['\x1b', '\x07']), "{text}");
    golden("troubled_open.txt", &text);
    golden("troubled_open_80.txt", &summary(&snapshot, &instrument, false, 80));
}

#[test]
fn attempted_requests_are_not_counted_as_sent() {
    let mut snapshot = clean_closed_run();
    (snapshot.run.model, snapshot.run.target_rate) = ("open", Some(100.0));
    snapshot.tally.add_row(StepId(0), Outcome::ConnectRefused, 300);
    let figures = InstrumentFigures { offered_ratio: Some(1.0), ..trusted() };
    let text = summary(&snapshot, &figures, false, DEFAULT_WIDTH);
    assert!(text.contains("(100 % ") && text.contains(" 300 "), "{text}");
}

#[test]
fn the_summary_of_a_run_that_measured_nothing() {
    golden("nothing_measured.txt", &summary(&nothing_measured(), &trusted(), false, DEFAULT_WIDTH));
}

#[test]
fn the_live_line_at_the_start_and_in_the_middle() {
    let (mut snapshot, _) = troubled_open_run();
    snapshot.state = State::Running;
    snapshot.threads[0].in_flight = 9;
    let lines = [live_line(&snapshot), live_line(&Snapshot::new(run_info(), 1, 0.0))];
    golden("live_line.txt", &format!("{}\n", lines.join("\n")));
}

/// The report without what is not this run's: our version, and encoded histograms, whose bytes depend
/// on the deflater.
fn lasting(report: &str) -> String {
    let report = report.replace(env!("CARGO_PKG_VERSION"), "…");
    let kept = report.lines().map(|line| match line.find("_time\": \"") {
        Some(key) => {
            format!("{}_time\": \"…\"{}\n", &line[..key], if line.ends_with(',') { "," } else { "" })
        }
        None => format!("{line}\n"),
    });
    kept.collect()
}

#[test]
fn a_run_that_was_stopped_is_not_done_and_asked_what_it_asked_until_then() {
    let (mut s, instrument) = troubled_open_run();
    let ramp = loadtester::schedule::Piece { from: 0.0, to: 900.0, length_ns: 30 * SECOND };
    (s.run.pieces, s.run.target_rate) = (vec![ramp], Some(450.0));
    let asked = |s: &Snapshot| {
        let report: Value = serde_json::from_str(&json::report(s, &instrument)).unwrap();
        report["rate"]["target"].as_f64().unwrap()
    };
    // The mean over the first 12.3 s of a ramp to 900/s in 30 s.
    assert!((asked(&s) - 184.5).abs() < 1e-6, "{}", asked(&s));
    let status: Value = serde_json::from_str(&json::status(&s, &instrument)).unwrap();
    assert!((status["progress"].as_f64().unwrap() - 0.41).abs() < 1e-6, "{}", status["progress"]);
    s.ending = Ending::Complete;
    assert_eq!(asked(&s), 450.0);
    s.aborted = Some(0);
    assert!((asked(&s) - 184.5).abs() < 1e-6);
}

#[test]
fn the_live_line_of_a_drain_shows_the_rate_of_the_run() {
    let (mut s, _) = troubled_open_run();
    (s.state, s.measured_ns) = (State::Draining, SECOND);
    assert!(live_line(&s).contains(" 360.0/s, "), "{}", live_line(&s));
}

#[test]
fn the_report_file_of_a_troubled_run() {
    let (snapshot, instrument) = troubled_open_run();
    let report = json::report(&snapshot, &instrument);
    assert!(!report.contains("hunter2"));
    golden("troubled_open.json", &lasting(&report));
    golden("status.json", &json::status(&clean_closed_run(), &trusted()));
}

/// Whether `value` has the key at a path of keys.
fn has(value: &Value, path: &str) -> bool {
    value.pointer(&format!("/{}", path.replace('.', "/"))).is_some()
}

const TOTALS: &str = "due sent completed ok failed dropped unfinished bytes_sent bytes_received";
const LATENCY: &str = "count min mean stddev p50 p75 p90 p95 p99 p99_9 p99_99 max";

fn check_keys(report: &Value, prefix: &str, keys: &str) {
    for key in keys.split_whitespace() {
        let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        assert!(has(report, &path), "{path} is missing");
    }
}

#[test]
fn every_key_of_the_contract_is_in_the_report_even_if_nothing_was_measured() {
    let (troubled, doubted) = troubled_open_run();
    let (mut empty, trusted) = (nothing_measured(), trusted());
    empty.timeline = vec![troubled.timeline[1]];
    for (snapshot, instrument) in [(&troubled, &doubted), (&empty, &trusted)] {
        let report: Value = serde_json::from_str(&json::report(snapshot, instrument)).unwrap();
        check_keys(&report, "", "schema started_at measured_seconds verdict judged thresholds status_codes");
        check_keys(&report, "tool", "name version");
        check_keys(&report, "plan", "source digest model seed");
        check_keys(&report, "totals", TOTALS);
        check_keys(&report, "totals", "connections_opened");
        check_keys(&report, "rate", "target offered achieved");
        for time in ["response_time", "service_time", "connect_time", "tls_time", "first_byte_time"] {
            check_keys(&report, time, LATENCY);
        }
        check_keys(&report, "outcomes", "ok");
        check_keys(&report, "scenarios.0", "name weight outcomes status_codes");
        check_keys(&report, "scenarios.0.totals", TOTALS);
        check_keys(&report, "scenarios.0.response_time", LATENCY);
        check_keys(&report, "scenarios.0.service_time", LATENCY);
        check_keys(&report, "instrument", "trustworthy reasons timestamps offered_ratio");
        check_keys(&report, "instrument", "cpu_throttled_seconds cpu_throttled_periods");
        check_keys(&report, "instrument.slip", LATENCY);
        check_keys(&report, "instrument.receive_delay", LATENCY);
        check_keys(&report, "instrument.threads.0", "core busy");
        check_keys(&report, "timeline.0", "t completed failed dropped p50 p99 slip_p99");
        check_keys(&report, "histograms", "response_time service_time");
        let status: Value = serde_json::from_str(&json::status(snapshot, instrument)).unwrap();
        check_keys(&status, "", "state elapsed progress totals rate response_time scenarios thresholds");
        check_keys(&status, "instrument", "trustworthy reasons");
    }
}

#[test]
fn totals_of_the_scenarios_add_up_to_those_of_the_run() {
    let (snapshot, instrument) = troubled_open_run();
    let report: Value = serde_json::from_str(&json::report(&snapshot, &instrument)).unwrap();
    for key in TOTALS.split_whitespace() {
        let sum: u64 =
            report["scenarios"].as_array().unwrap().iter().map(|s| s["totals"][key].as_u64().unwrap()).sum();
        assert_eq!(Some(sum), report["totals"][key].as_u64(), "{key}");
    }
    let of = |key: &str| report["totals"][key].as_u64().unwrap();
    assert_eq!(of("due"), of("completed") + of("failed") + of("dropped") + of("unfinished"));
}

/// Any snapshot, absurd ones included. Its words have no N, so that a NaN can only be a figure.
pub fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let names = prop::collection::vec("[^N]{0,60}", 1..4);
    let sizes = prop::collection::vec(any::<u64>().prop_map(|n| n >> (n % 60)), 12);
    let times = prop::collection::vec(any::<u64>().prop_map(|n| n >> (n % 64)), 0..300);
    (names, sizes, times, any::<bool>(), "[^N]{0,200}").prop_map(|(names, sizes, times, open, detail)| {
        let run = RunInfo {
            scenarios: names.into_iter().map(|name| (name, sizes[0] as u32)).collect(),
            model: if open { "open" } else { "closed" },
            target_rate: open.then_some(sizes[1] as f64),
            requests: (sizes[2] % 2 == 0).then_some(sizes[2]),
            duration_ns: (sizes[2] % 3 == 0).then_some(sizes[3] >> 8),
            plan_source: detail.clone(),
            warmup_ns: sizes[4] >> 8,
            ..run_info()
        };
        let mut s = Snapshot::new(run, 1 + sizes[5] as usize % 12, sizes[5] as f64);
        (s.elapsed_ns, s.measured_ns, s.unfinished) = (sizes[6], sizes[7], sizes[8] >> 8);
        (s.throttled_ns, s.throttled_periods) = (sizes[9], sizes[9] % 2);
        s.state = [State::Starting, State::Running, State::Finished][sizes[9] as usize % 3];
        let tally = s.tally.row_mut(StepId(0));
        times.iter().for_each(|ns| tally.record(RowTimer::ResponseOk, *ns));
        times.iter().step_by(2).for_each(|ns| tally.record(RowTimer::ServiceOk, *ns / 2));
        tally.set(RowCounter::Sent, sizes[10] >> 8);
        tally.set(RowCounter::Dropped, sizes[11] >> 8);
        tally.set(Outcome::LocalError, sizes[0] >> 8);
        tally.set(Outcome::Ok, times.len() as u64);
        tally.count_status(200);
        times.iter().for_each(|ns| s.tally.record(Timer::Slip, *ns));
        let outcome = Outcome::ALL[sizes[1] as usize % Outcome::COUNT];
        s.first_failures = vec![FirstFailure { scenario: 0, outcome, t: sizes[2] as f64, detail }];
        s
    })
}

/// What is left of colored text when its escape sequences are taken out.
fn bare(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').expect("only colors").1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_line_is_too_long_no_figure_is_not_a_number_and_color_moves_nothing(
        snapshot in any_snapshot(), width in 0usize..160, trustworthy: bool, reason in "[^N]{0,300}"
    ) {
        use unicode_width::UnicodeWidthStr as _;
        let instrument = InstrumentFigures {
            trustworthy,
            reasons: vec![reason.clone()],
            reason_names: vec!["sent_late"],
            notes: vec![reason],
            offered_ratio: Some(f64::NAN),
        };
        let text = summary(&snapshot, &instrument, false, width);
        for line in text.lines() {
            prop_assert!(line.width() <= width.max(LEAST_WIDTH), "{width} < {}: {line}", line.width());
        }
        prop_assert!(!text.contains('\x1b'));
        prop_assert_eq!(&bare(&summary(&snapshot, &instrument, true, width)), &text);
        prop_assert!(live_line(&snapshot).lines().count() == 1);
        let _: Value = serde_json::from_str(&json::report(&snapshot, &instrument)).unwrap();
        let _: Value = serde_json::from_str(&json::status(&snapshot, &instrument)).unwrap();
        prop_assert!(!text.contains("NaN"), "{}", text);
    }
}

#[test]
fn a_result_that_violates_the_law_is_shown_and_not_trusted() {
    let mut snapshot = clean_closed_run();
    assert!(!snapshot.instrument().reason_names.contains(&"counts_do_not_add_up"));
    snapshot.unfinished += 1;
    let instrument = snapshot.instrument();
    assert!(instrument.reason_names.contains(&"counts_do_not_add_up") && !instrument.trustworthy);
    let report: Value = serde_json::from_str(&json::report(&snapshot, &instrument)).unwrap();
    assert_eq!(report["totals"]["unfinished"], 1);
}
