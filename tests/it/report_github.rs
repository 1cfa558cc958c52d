//! What a GitHub Actions job gets: commands that cannot be broken out of, and a table that cannot either.

use loadtester::report::InstrumentFigures;
use loadtester::report::figures::Threshold;
use loadtester::report::github::{annotations, summary};
use loadtester::run::Ending;
use proptest::prelude::*;

use super::report::{any_snapshot, clean_closed_run, golden, troubled_open_run, trusted};

fn missed() -> Threshold {
    Threshold {
        expression: "p99 < 250ms".to_owned(),
        scenario: None,
        limit: 0.25,
        observed: Some(0.262),
        result: "failed",
        margin: Some(-0.012),
        over: None,
        requests: None,
        reason: None,
    }
}

#[test]
fn a_run_in_order_is_not_annotated() {
    assert_eq!(annotations(&clean_closed_run(), &trusted(), &[]), "");
}

#[test]
fn what_failed_is_an_error_and_each_doubt_a_warning() {
    let (snapshot, instrument) = troubled_open_run();
    let text = annotations(&snapshot, &instrument, &[missed()]);
    let levels: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!(levels, ["::error", "::error", "::warning", "::warning", "::warning"], "{text}");
    golden("annotations.txt", &text);
}

#[test]
fn a_load_that_was_not_offered_is_an_error() {
    let (mut snapshot, instrument) = troubled_open_run();
    snapshot.ending = Ending::Complete;
    assert!(annotations(&snapshot, &instrument, &[]).starts_with("::error title=loadtester::INCONCLUSIVE"));
}

#[test]
fn the_job_summary_is_a_table() {
    let (snapshot, instrument) = troubled_open_run();
    golden("job_summary.md", &summary(&snapshot, &instrument, &[missed()]));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_word_from_outside_starts_a_command_or_leaves_its_cell(
        mut snapshot in any_snapshot(),
        words in "[\\r\\n:%|<>`\\]\\[a\\x1b]{0,40}",
    ) {
        let instrument = InstrumentFigures { trustworthy: false, reasons: vec![words.clone()], ..trusted() };
        let threshold = Threshold { expression: words.clone(), reason: Some(words.clone()), ..missed() };
        snapshot.run.scenarios[0].0 = words;
        for line in annotations(&snapshot, &instrument, std::slice::from_ref(&threshold)).split(['\n', '\r']) {
            let ours = line.is_empty() || ["error", "warning"].iter().any(|l| line.starts_with(&format!("::{l} title=loadtester::")));
            prop_assert!(ours, "{}", line);
            let raw = line.replace("%25", "").replace("%0A", "");
            prop_assert!(!raw.contains('%'), "{}", line);
        }
        let text = summary(&snapshot, &instrument, &[threshold]);
        prop_assert!(!text.contains(['\r', '\x1b', '<', '`']));
        for row in text.lines().filter(|line| line.starts_with('|')) {
            prop_assert!([4, 8].contains(&row.matches('|').count()), "{}", row);
        }
    }
}

#[test]
fn a_job_is_told_of_a_run_that_did_not_begin() {
    let dir = crate::run::RunDir::new();
    let summary = dir.file("summary.md");
    let wrong = dir.write("wrong.yaml", "base_url: http://127.0.0.1:1\nload: {requests: 1}\nscenario: []\n");
    let down = dir.write(
        "down.yaml",
        "base_url: http://127.0.0.1:1\nload: {requests: 1}\nscenarios: [{path: /}]\nthresholds: [p99 < 1s]\n",
    );
    for (plan, code) in [(wrong, 2), (down, 3)] {
        let output = std::process::Command::new(crate::run::PROGRAM)
            .args([plan.as_str(), "--quiet", "--no-listen"])
            .envs([("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.as_str())])
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains("::error title=loadtester::INCOMPLETE: "), "{error}");
        assert!(std::fs::read_to_string(&summary).unwrap().contains("INCOMPLETE"), "the job's summary");
        std::fs::remove_file(&summary).unwrap();
    }
}
