//! Thresholds held against hand-made snapshots: what passes, what fails, and what this run cannot tell.

use loadtester::plan::{self, Overrides, Threshold};
use loadtester::report::figures::{Threshold as Figure, Verdict};
use loadtester::report::terminal::{DEFAULT_WIDTH, live_line, summary};
use loadtester::report::{json, prometheus};
use loadtester::run::{RunInfo, Snapshot, State};
use loadtester::tally::{Counter, Outcome, RowCounter, RowTimer, StepId, Timer};
use loadtester::verdict::threshold::{Outcome as Gate, Watch};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn read(thresholds: &[&str]) -> Vec<Threshold> {
    let list: Vec<String> = thresholds.iter().map(|t| format!("  - {t}\n")).collect();
    let text = format!(
        "base_url: http://127.0.0.1:1\nload: {{requests: 1}}\nscenarios:\n- {{name: Get users, path: /}}\n\
         - {{name: other, path: /b}}\nthresholds:\n{}",
        list.concat()
    );
    plan::parse(&text, "plan.yaml", &Overrides::default(), &|_| None).expect("a plan").thresholds
}

/// Ten seconds of the open model at 100/s: `Get users` answers in 1 to 500 ms, `other` in half of that.
fn run(thresholds: &[&str]) -> Snapshot {
    let info = RunInfo {
        plan_name: None,
        plan_source: "plan.yaml".into(),
        plan_digest: "sha256:0".into(),
        plan_parts: loadtester::plan::PartDigests::default(),
        plan_text: None,
        load: "–".into(),
        model: "open",
        seed: 1,
        target: "http://127.0.0.1:1".into(),
        base_url: "http://127.0.0.1:8081/v1".into(),
        scenarios: vec![("Get users".into(), 1), ("other".into(), 1)],
        targets: Vec::new(),
        data: Vec::new(),
        requests: None,
        duration_ns: Some(10 * SECOND),
        warmup_ns: 0,
        target_rate: Some(100.0),
        pieces: Vec::new(),
        timestamps: "kernel",
        connections: 50,
        insecure: None,
        thresholds: read(thresholds),
        metrics_scenarios: 100,
        labels: Vec::new(),
        strict: false,
        baseline: None,
    };
    let mut s = Snapshot::new(info, 1, 0.0);
    (s.state, s.elapsed_ns, s.measured_ns) = (State::Finished, 10 * SECOND, 10 * SECOND);
    for i in 0..s.tally.rows().len() {
        let row = StepId::new(i);
        for n in 1..=500 {
            s.tally.record_row(row, RowTimer::ResponseOk, n * MS / (i as u64 + 1));
            s.tally.record_row(row, RowTimer::ServiceOk, n * MS / (i as u64 + 1));
            s.tally.record(Timer::SendDelay, 20_000);
            s.tally.record(Timer::Slip, 20_000);
        }
        s.tally.add_row(row, RowCounter::Due, 500);
        s.tally.add_row(row, RowCounter::Sent, 500);
        s.tally.add_row(row, Outcome::Ok, 500);
    }
    s
}

fn change(thresholds: &[&str], change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut snapshot = run(thresholds);
    change(&mut snapshot);
    snapshot
}

/// How the thresholds came out that [`run`] was given: a plan adds one on `answered_share`.
fn outcomes(snapshot: &Snapshot) -> Vec<Gate> {
    let both = snapshot.run.thresholds.iter().zip(snapshot.thresholds());
    both.filter(|(t, _)| t.expression != ADDED).map(|(_, t)| t.outcome).collect()
}

const ADDED: &str = "answered_share >= 99%";

fn reason(snapshot: &Snapshot) -> String {
    snapshot.thresholds()[0].reason.clone().unwrap_or_default()
}

fn verdict(snapshot: &Snapshot) -> Verdict {
    Verdict::of(snapshot, &snapshot.instrument())
}

use Gate::{Failed, Inconclusive, Passed};

#[test]
fn each_figure_is_held_against_its_limit() {
    let passed = [
        "p50 < 210ms",
        "p90 < 430ms",
        "max < 501ms",
        "mean < 190ms",
        "error_rate < 1%",
        "rate >= 99/s",
        "dropped == 0",
        "count >= 1000",
        "'Get users: p50 <= 280ms'",
        "'other: service p50 < 150ms'",
        "median < 210ms",
        "ok p90 < 430ms",
        "'other: rate > 49/s'",
        "p10 > 20ms",
        "answered_share >= 99.9%",
        "longest_gap < 10ms",
    ];
    assert_eq!(outcomes(&run(&passed)), vec![Passed; passed.len()]);
    let failed = [
        "p50 < 150ms",
        "max <= 499ms",
        "mean < 180ms",
        "rate > 101/s",
        "count < 1000",
        "'Get users: p50 < 220ms'",
        "'other: rate > 51/s'",
        "p10 > 60ms",
    ];
    assert_eq!(outcomes(&run(&failed)), vec![Failed; failed.len()]);
    assert_eq!((verdict(&run(&passed)), verdict(&run(&failed))), (Verdict::Passed, Verdict::Failed));
}

#[test]
fn the_margin_is_the_distance_to_the_limit_in_limits() {
    let snapshot = run(&["max < 1s", "max < 250ms", "rate >= 50/s", "rate >= 200/s", "dropped == 0"]);
    let margins: Vec<Option<f64>> =
        Figure::all(&snapshot)[..5].iter().map(|t| t.margin.map(|m| (m * 100.0).round() / 100.0)).collect();
    assert_eq!(margins, [Some(0.5), Some(-1.0), Some(1.0), Some(-0.5), None]);
}

#[test]
fn a_share_that_the_sample_cannot_tell_is_inconclusive_and_says_what_would() {
    let few = |over: u64, of: u64| {
        change(&["p95 < 1s"], |s| {
            s.tally.clear();
            let row = s.tally.row_mut(StepId(0));
            (0..of).for_each(|i| row.record(RowTimer::ResponseOk, if i < over { 2 * SECOND } else { MS }));
            row.add(RowCounter::Due, of);
            row.add(RowCounter::Sent, of);
            row.add(Outcome::Ok, of);
        })
    };
    for (over, of, expected) in
        [(0, 58, Inconclusive), (0, 59, Passed), (2, 2, Failed), (1, 2, Inconclusive), (100, 100, Failed)]
    {
        assert_eq!(outcomes(&few(over, of)), [expected], "{over} of {of}");
        let figure = &Figure::all(&few(over, of))[0];
        assert_eq!((figure.over, figure.requests), (Some(over), Some(of)));
    }
    assert!(reason(&few(0, 58)).contains("59 such requests"), "{}", reason(&few(0, 58)));
    assert_eq!(verdict(&few(0, 58)), Verdict::Inconclusive);
}

#[test]
fn failed_dropped_and_unfinished_requests_are_over_every_limit_on_a_time() {
    let with = |change_row: &dyn Fn(&mut loadtester::tally::Row)| {
        change(&["p90 < 1s", "ok p90 < 1s", "failed p90 < 1s", "service p90 < 1s"], |s| {
            change_row(s.tally.row_mut(StepId(0)));
        })
    };
    let fast = with(&|row| {
        // The target's rate limiter answers at once.
        (0..300).for_each(|_| row.record(RowTimer::ResponseFailed, MS));
        row.add(RowCounter::Due, 300);
        row.add(RowCounter::Sent, 300);
        row.add(Outcome::UnexpectedStatus, 300);
    });
    assert_eq!(outcomes(&fast), [Failed, Passed, Passed, Failed]);
    let figure = &Figure::all(&fast)[0];
    assert_eq!((figure.over, figure.requests, figure.observed), (Some(300), Some(1_300), None));
    let mut unfinished = with(&|row| {
        row.add(RowCounter::Due, 300);
        row.add(RowCounter::Sent, 300);
    });
    unfinished.unfinished = 300;
    assert_eq!(outcomes(&unfinished), [Failed, Passed, Inconclusive, Failed]);
    let dropped = with(&|row| {
        row.add(RowCounter::Due, 300);
        row.add(RowCounter::Dropped, 300);
    });
    assert_eq!(outcomes(&dropped)[0], Failed, "the backlog was full because of the target");
}

#[test]
fn a_plan_with_thresholds_judges_time_without_an_answer() {
    let expressions =
        |thresholds: &[&str]| -> Vec<String> { read(thresholds).into_iter().map(|t| t.expression).collect() };
    assert_eq!(expressions(&["p50 < 1s"]), ["p50 < 1s", ADDED]);
    assert_eq!(expressions(&["answered_share >= 50%"]), ["answered_share >= 50%"]);
    assert_eq!(expressions(&["longest_gap < 2s"]), ["longest_gap < 2s"]);
}

#[test]
fn a_run_in_which_nothing_ended_passes_nothing() {
    let empty = change(&["p50 < 1s", "error_rate < 1%", "mean < 1s"], |s| {
        s.tally.clear();
    });
    assert_eq!(outcomes(&empty), [Inconclusive; 3]);
    assert!(Figure::all(&empty)[..3].iter().all(|t| t.observed.is_none() && t.reason.is_some()));
}

#[test]
fn a_threshold_passes_only_when_the_asked_load_was_offered() {
    let short = |missing: u64| {
        change(&["p50 < 1s", "error_rate < 1%", "p50 < 1ms"], |s| {
            s.tally.add_row(StepId(0), RowCounter::Due, missing);
            s.tally.add_row(StepId(0), RowCounter::Dropped, missing);
        })
    };
    assert_eq!(outcomes(&short(10)), [Passed, Passed, Failed]);
    assert_eq!(outcomes(&short(11)), [Inconclusive, Inconclusive, Failed]);
    assert!(reason(&short(250)).contains("80.0 %"), "{}", reason(&short(250)));
}

#[test]
fn a_time_over_its_limit_is_inconclusive_while_our_own_delay_may_explain_it() {
    let late = |thresholds: &[&str]| {
        change(thresholds, |s| {
            s.tally.timer_mut(Timer::SendDelay).clear();
            (0..1000).for_each(|_| s.tally.record(Timer::SendDelay, 60 * MS));
        })
    };
    let snapshot =
        late(&["p50 < 150ms", "p50 < 80ms", "service p50 < 150ms", "mean < 180ms", "mean < 100ms"]);
    assert_eq!(outcomes(&snapshot), [Inconclusive, Failed, Failed, Inconclusive, Failed]);
    // What holds with our delay in it holds without.
    assert_eq!(outcomes(&late(&["p50 < 500ms"])), [Passed]);
    // A lower limit is the other way round.
    assert_eq!(outcomes(&late(&["p50 > 150ms", "p50 > 80ms", "p50 > 1s"])), [Inconclusive, Passed, Failed]);
}

#[test]
fn time_without_the_processor_explains_no_more_than_its_length() {
    let throttled = change(&["max < 450ms", "max < 300ms", "service max < 450ms"], |s| {
        (s.throttled_ns, s.throttled_periods) = (100 * MS, 1);
    });
    assert_eq!(outcomes(&throttled), [Inconclusive, Failed, Inconclusive]);
}

#[test]
fn with_user_timestamps_a_busy_generator_proves_nothing_slow() {
    let busy = |busy_ns: u64| {
        change(&["service p50 < 100ms"], |s| {
            s.run.timestamps = "user";
            (s.threads[0].busy_ns, s.threads[0].observed_ns) = (busy_ns, 100);
        })
    };
    assert_eq!(outcomes(&busy(50)), [Failed]);
    assert_eq!(outcomes(&busy(99)), [Inconclusive]);
}

#[test]
fn a_rate_missed_because_of_the_generator_is_inconclusive_and_because_of_the_target_failed() {
    let missing = |dropped: u64| {
        change(&["rate >= 105/s", "count >= 1050", "rate >= 200/s"], |s| {
            s.tally.add_row(StepId(0), RowCounter::Due, 100);
            s.tally.add_row(StepId(0), RowCounter::Dropped, dropped);
        })
    };
    assert_eq!(outcomes(&missing(0)), [Inconclusive, Inconclusive, Failed]);
    assert!(reason(&missing(0)).contains("100"), "{}", reason(&missing(0)));
    assert_eq!(outcomes(&missing(100)), [Failed, Failed, Failed], "connections waited for the target");
    let closed = |busy_ns: u64| {
        change(&["rate >= 105/s"], |s| {
            s.run.model = "closed";
            s.tally.set(Counter::CompletedInTime, 1000);
            (s.threads[0].busy_ns, s.threads[0].observed_ns) = (busy_ns, 100);
        })
    };
    assert_eq!((outcomes(&closed(99)), outcomes(&closed(50))), (vec![Inconclusive], vec![Failed]));
}

#[test]
fn failures_of_this_machine_are_not_the_targets() {
    let failures = |outcome: Outcome| {
        change(&["error_rate < 1%"], |s| {
            s.tally.row_mut(StepId(0)).set(Outcome::Ok, 450);
            s.tally.row_mut(StepId(0)).set(outcome, 50);
        })
    };
    assert_eq!(outcomes(&failures(Outcome::Timeout)), [Failed]);
    assert_eq!(outcomes(&failures(Outcome::LocalError)), [Inconclusive]);
    let why = reason(&failures(Outcome::LocalError));
    assert!(why.contains("50 failures"), "{why}");
}

#[test]
fn dropped_requests_are_no_errors_and_fail_their_own_threshold() {
    let dropped = |late: bool| {
        change(&["error_rate == 0", "dropped == 0"], |s| {
            s.tally.add_row(StepId(0), RowCounter::Due, 5);
            s.tally.add_row(StepId(0), RowCounter::Dropped, 5);
            if late {
                (0..100).for_each(|_| s.tally.record(Timer::SendDelay, SECOND));
            }
        })
    };
    assert_eq!(outcomes(&dropped(false)), [Passed, Failed]);
    assert_eq!(outcomes(&dropped(true)), [Passed, Inconclusive]);
}

#[test]
fn one_failed_threshold_fails_the_run_whatever_the_others_say() {
    assert_eq!(Gate::over([Passed, Inconclusive, Failed, Passed]), Failed);
    assert_eq!(Gate::over([Passed, Inconclusive]), Inconclusive);
    assert_eq!(Gate::over([]), Passed);
    assert_eq!(verdict(&run(&["'other: p99 < 1s'", "p50 < 1ms"])), Verdict::Failed);
}

#[test]
fn a_threshold_that_fails_for_as_long_as_it_may_ends_the_run_and_a_break_starts_anew() {
    let snapshot = run(&["{expression: p50 < 1ms, abort_after: 2s}", "p50 < 2ms"]);
    let (thresholds, bad) = (&snapshot.run.thresholds, snapshot.thresholds());
    let mut good = bad.clone();
    good[0].outcome = Inconclusive;
    let mut watch = Watch::default();
    for (now, evaluations, expected) in [
        (1, &bad, None),
        (2, &bad, None),
        (3, &good, None),
        (4, &bad, None),
        (5, &bad, None),
        (6, &bad, Some(0)),
    ] {
        assert_eq!(watch.observe(now * SECOND, thresholds, evaluations), expected, "after {now} s");
    }
}

#[test]
fn an_aborted_run_has_failed_with_a_reason() {
    let aborted =
        change(&["p50 < 1ms", "{expression: p50 < 100ms, abort_after: 2s}"], |s| s.aborted = Some(1));
    let figures = Figure::all(&aborted);
    assert_eq!((figures[0].reason.clone(), figures[1].result), (None, "failed"));
    assert!(figures[1].reason.as_ref().is_some_and(|why| why.contains("2s")), "{:?}", figures[1].reason);
    assert_eq!(verdict(&aborted), Verdict::Failed);
    assert_eq!(
        verdict(&change(&["{expression: p50 < 1s, abort_after: 2s}"], |s| s.aborted = Some(0))),
        Verdict::Failed
    );
}

#[test]
fn pages_and_files_agree() {
    let snapshot = run(&["p50 < 1s", "p50 < 1ms", "'other: p99.9 < 1s'"]);
    let instrument = snapshot.instrument();
    let report: serde_json::Value = serde_json::from_str(&json::report(&snapshot, &instrument)).unwrap();
    let status: serde_json::Value = serde_json::from_str(&json::status(&snapshot, &instrument)).unwrap();
    assert_eq!(report["thresholds"], status["thresholds"]);
    assert_eq!(report["verdict"], "failed");
    let first = &report["thresholds"][0];
    assert_eq!((&first["expression"], &first["result"]), (&"p50 < 1s".into(), &"passed".into()));
    assert_eq!((&first["limit"], &first["reason"]), (&1.0.into(), &serde_json::Value::Null));
    assert!((first["observed"].as_f64().unwrap() - 0.167).abs() < 0.001, "{first}");
    assert_eq!(report["thresholds"][2]["result"], "inconclusive");
    assert_eq!(report["thresholds"][2]["scenario"], "other");
    let metrics = prometheus::text(&snapshot);
    assert!(metrics.contains("loadtester_threshold_ok{expression=\"p50 < 1s\"} 1\n"), "{metrics}");
    assert!(metrics.contains("loadtester_threshold_ok{expression=\"p50 < 1ms\"} 0\n"), "{metrics}");
    assert!(!metrics.contains("expression=\"other"), "one that cannot be judged has no sample");
    let page = summary(&snapshot, &instrument, false, DEFAULT_WIDTH);
    assert!(page.starts_with("FAILED") && page.lines().next().unwrap().contains("p50 < 1ms"), "{page}");
    assert!(live_line(&snapshot).contains("1 of 4"), "{}", live_line(&snapshot));
}

#[test]
fn faulty_thresholds_of_a_plan_have_their_places() {
    let text = "base_url: http://x\nload: {requests: 1}\nscenarios: [{path: /, name: Get users}]\nthresholds:\n\
                - p99 < 250\n- Get user: p99 < 1s\n- {expression: rate > 5, abort_after: 10}\n- {abort_after: 1s}\n\
                - p99 < ${LIMIT}\n- [p99]\n";
    let env = |name: &str| (name == "LIMIT").then(|| "s3cret".to_owned());
    let faults = plan::parse(text, "plan.yaml", &Overrides::default(), &env).unwrap_err().to_string();
    for part in [
        "5:3: thresholds[0]",
        "6:3: thresholds[1].Get user",
        "thresholds[2].expression: ",
        "thresholds[2].abort_after: ",
        "thresholds[3].expression: ",
        "`p99 < ${LIMIT}`",
        "thresholds[5]: ",
    ] {
        assert!(faults.contains(part), "{part}\nis not in\n{faults}");
    }
    assert!(!faults.contains("s3cret"), "{faults}");
}
