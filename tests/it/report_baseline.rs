//! A comparison with an earlier run on every page that shows one.

use std::sync::Arc;

use loadtester::report::{github, html, json, junit, terminal};
use loadtester::run::{RunInfo, Snapshot, State, TimelinePoint};
use loadtester::tally::Outcome;
use loadtester::verdict::baseline::{BaselineRun, PlanMatch, read};

use super::report::{exchanges, run_info, trusted};
use super::report_junit::cases;

const MS: u64 = 1_000_000;

/// Ten windows in which "Get users" takes `ms` and "Create user" always the same.
fn measured(ms: u64) -> Snapshot {
    let mut s = Snapshot::new(run_info(), 1, 1_795_363_200.0);
    (s.state, s.elapsed_ns, s.measured_ns) = (State::Finished, 10_000 * MS, 10_000 * MS);
    exchanges(&mut s, 0, Outcome::Ok, 6_000, ms * MS, 100);
    exchanges(&mut s, 1, Outcome::Ok, 4_000, 3 * MS, 100);
    let point = |i: u64| TimelinePoint {
        t: i as f64,
        completed: 1_000 + i % 3,
        failed: 0,
        dropped: 0,
        p50_ns: Some(ms * MS + i % 4 * 10_000),
        p99_ns: Some(ms * MS + MS + i % 5 * 20_000),
        slip_p99_ns: None,
        ..TimelinePoint::default()
    };
    s.timeline = (1..=10).map(point).collect();
    s
}

/// `now`, held against a run of `before` milliseconds.
fn held_against(before: u64, now: u64, max_regression: f64, plan: PlanMatch) -> Snapshot {
    let baseline = read(&json::report(&measured(before), &trusted())).unwrap();
    let against = BaselineRun { source: "<old>.json".to_owned(), max_regression, plan, baseline };
    let snapshot = measured(now);
    let run = RunInfo { baseline: Some(Arc::new(against)), ..snapshot.run.clone() };
    Snapshot { run, ..snapshot }
}

#[test]
fn a_regression_is_named_with_its_figures_on_every_page() {
    let s = held_against(4, 6, 0.1, PlanMatch::Same);
    let summary = terminal::summary(&s, &trusted(), false, 100);
    assert!(
        summary.starts_with("FAILED") && summary.contains("<old>.json of 2026-11-22T16:00:00Z"),
        "{summary}"
    );
    let page = html::page(&s, &trusted(), &[]);
    for words in ["&lt;old&gt;.json", "result failed", "Get users"] {
        assert!(page.contains(words), "{words}");
    }
    let found = cases(&junit::report(&s, &trusted(), &[], false));
    let of_baseline: Vec<_> = found.iter().filter(|c| c.0 == "loadtester.baseline").collect();
    let names: Vec<&str> = of_baseline.iter().map(|c| c.1.as_str()).collect();
    assert_eq!(names, ["all", "Get users", "Create user"]);
    let (kind, message) = of_baseline[1].2.clone().unwrap();
    assert_eq!(kind, "failure");
    assert!(message.starts_with("p50 4.30 ms -> 6.30 ms (+46.4 %)"), "{message}");
    assert!(message.contains("10.0 %"), "{message}");
    assert_eq!(of_baseline[2].2, None, "what did not change passes");
    assert!(github::annotations(&s, &trusted(), &[]).starts_with("::error "));
    assert!(
        github::summary(&s, &trusted(), &[]).contains("| Get users | p50 | 4.30 ms | 6.30 ms | +46.4 % |")
    );
}

#[test]
fn no_difference_is_an_answer() {
    let s = held_against(4, 4, 0.1, PlanMatch::Other(vec!["its load differs".to_owned()]));
    let summary = terminal::summary(&s, &trusted(), false, 100);
    assert!(summary.starts_with("PASSED"), "{summary}");
    let page = html::page(&s, &trusted(), &[]);
    assert!(!page.contains("result failed"));
    // That the plans differ is on both pages.
    let same = held_against(4, 4, 0.1, PlanMatch::Same);
    assert_ne!(summary, terminal::summary(&same, &trusted(), false, 100));
    assert_ne!(page, html::page(&same, &trusted(), &[]));
    let found = cases(&junit::report(&s, &trusted(), &[], false));
    assert!(found.iter().filter(|c| c.0 == "loadtester.baseline").all(|c| c.2.is_none()), "{found:?}");
    assert!(github::annotations(&s, &trusted(), &[]).starts_with("::notice"));
}

#[test]
fn a_comparison_that_says_nothing_is_skipped_with_its_reason() {
    let mut s = held_against(4, 6, 0.1, PlanMatch::Same);
    s.timeline.truncate(1);
    let found = cases(&junit::report(&s, &trusted(), &[], false));
    let of_baseline: Vec<_> = found.iter().filter(|c| c.0 == "loadtester.baseline").collect();
    let (kind, message) = of_baseline[0].2.clone().unwrap();
    assert_eq!((kind.as_str(), of_baseline.len()), ("skipped", 1));
    let report: serde_json::Value = serde_json::from_str(&json::report(&s, &trusted())).unwrap();
    assert_eq!(report["baseline"]["result"], "inconclusive");
    let reason = report["baseline"]["reason"].as_str().unwrap();
    assert_eq!(message, format!("inconclusive: {reason}"));
}

/// A run of one scenario whose seconds lie far apart, `times` as slow as another.
fn restless(times: u64) -> Snapshot {
    let mut s = measured(4 * times);
    for (i, point) in s.timeline.iter_mut().enumerate() {
        let factor = if i % 2 == 0 { 1 } else { 9 };
        point.p99_ns = point.p99_ns.map(|ns| ns * factor);
    }
    s
}

#[test]
fn a_large_difference_that_is_not_significant_is_explained_everywhere_in_the_same_words() {
    let baseline = read(&json::report(&restless(1), &trusted())).unwrap();
    let against =
        BaselineRun { source: "old.json".to_owned(), max_regression: 0.1, plan: PlanMatch::Same, baseline };
    let now = restless(3);
    let run = RunInfo { baseline: Some(Arc::new(against)), ..now.run.clone() };
    let s = Snapshot { run, ..now };

    let report: serde_json::Value = serde_json::from_str(&json::report(&s, &trusted())).unwrap();
    let changes = report["baseline"]["changes"].as_array().unwrap();
    let p99 = changes.iter().find(|c| c["scenario"].is_null() && c["figure"] == "p99").unwrap();
    assert_eq!(p99["significant"], false);
    let sentence = p99["explanation"].as_str().unwrap();
    assert!(
        sentence.starts_with("with 10,000 requests then and 10,000 now, and p99 varying by "),
        "{sentence}"
    );
    let [change, detectable] = ["change", "detectable"].map(|key| p99[key].as_f64().unwrap());
    assert!(change > 1.0 && detectable > change, "{change} {detectable}");
    // What is significant needs no excuse: the median of steady seconds.
    let p50 = changes.iter().find(|c| c["scenario"].is_null() && c["figure"] == "p50").unwrap();
    assert_eq!((&p50["significant"], &p50["explanation"]), (&true.into(), &serde_json::Value::Null));

    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let summary = joined(&terminal::summary(&s, &trusted(), false, 100));
    assert!(summary.contains(&format!("p99: {sentence}")), "{summary}");
    let junit = joined(&junit::report(&s, &trusted(), &[], false));
    assert!(junit.contains(sentence), "{junit}");
    let page = html::page(&s, &trusted(), &[]);
    assert!(page.contains(sentence));
    assert!(github::summary(&s, &trusted(), &[]).contains("undecided: with 10,000 requests then"));
}

#[test]
fn what_is_worse_but_may_be_chance_is_undecided_everywhere_and_the_remedy_is_named() {
    // Seconds that lie far apart, and half as much again.
    let restless = |tenths: u64| {
        let mut s = measured(4);
        let mut all = Snapshot::new(run_info(), 1, 1_795_363_200.0);
        exchanges(&mut all, 0, Outcome::Ok, 6_000, tenths * MS * 4 / 10, tenths * 130);
        exchanges(&mut all, 1, Outcome::Ok, 4_000, 3 * MS, 100);
        s.tally = all.tally;
        for (i, point) in s.timeline.iter_mut().enumerate() {
            let ns = (tenths * MS * 4 / 10) * [6, 9, 14, 10, 7][i % 5] / 10;
            (point.p50_ns, point.p90_ns, point.p95_ns) = (Some(ns), Some(ns * 2), Some(ns * 3));
            (point.p99_ns, point.mean_ns) = (Some(ns * 4), Some(ns));
        }
        s
    };
    let baseline = read(&json::report(&restless(10), &trusted())).unwrap();
    let against =
        BaselineRun { source: "old.json".to_owned(), max_regression: 0.1, plan: PlanMatch::Same, baseline };
    let now = restless(13);
    let run = RunInfo { baseline: Some(Arc::new(against)), ..now.run.clone() };
    let s = Snapshot { run, ..now };

    let report: serde_json::Value = serde_json::from_str(&json::report(&s, &trusted())).unwrap();
    assert_eq!(
        (&report["baseline"]["result"], &report["verdict"]),
        (&"inconclusive".into(), &"inconclusive".into())
    );
    let reason = report["baseline"]["reason"].as_str().unwrap();
    assert!(reason.contains("is worse by more than 10.0 % (+"), "{reason}");
    assert!(reason.contains("but equal runs may differ by +"), "{reason}");
    assert!(reason.contains("measure for ") || reason.contains("longer runs would not help"), "{reason}");
    let changes = report["baseline"]["changes"].as_array().unwrap();
    let p95 = changes.iter().find(|c| c["scenario"].is_null() && c["figure"] == "p95").unwrap();
    assert_eq!(p95["spread_of"], serde_json::json!(["p95", "p95"]), "its own scatter");
    let explanation = p95["explanation"].as_str().unwrap();
    assert!(explanation.contains("p95 varying by") && !explanation.contains("p99"), "{explanation}");

    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let summary = joined(&terminal::summary(&s, &trusted(), false, 100));
    assert!(summary.contains(reason), "{summary}");
    let headline = summary.split(", which may be chance;").next().unwrap();
    assert!(
        headline.starts_with("INCONCLUSIVE: ") && headline.ends_with("worse than in the baseline"),
        "{headline}"
    );
    let found = cases(&junit::report(&s, &trusted(), &[], false));
    let (kind, message) = found.iter().find(|c| c.0 == "loadtester.baseline").unwrap().2.clone().unwrap();
    assert_eq!((kind.as_str(), message), ("skipped", format!("inconclusive: {reason}")));
}

#[test]
fn a_small_difference_needs_no_explanation() {
    let s = held_against(4, 4, 0.1, PlanMatch::Same);
    let summary = terminal::summary(&s, &trusted(), false, 100);
    assert!(summary.contains("not significant") && !summary.contains("from second to second"), "{summary}");
}
