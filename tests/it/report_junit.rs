//! The JUnit report against the rules that its two usual schemas share: parsed, never searched as text.

use loadtester::report::figures::{Threshold, Verdict};
use loadtester::report::{InstrumentFigures, junit};
use loadtester::run::{Ending, Snapshot, State};
use loadtester::tally::Counter;
use proptest::prelude::*;
use roxmltree::{Document, Node};

use super::report::{
    any_snapshot, any_threshold, clean_closed_run, golden, nothing_measured, troubled_open_run, trusted,
};

/// Class, name, and the fault's element and message.
pub type Case = (String, String, Option<(String, String)>);

fn elements<'a>(node: Node<'a, 'a>) -> Vec<Node<'a, 'a>> {
    node.children().filter(Node::is_element).collect()
}

fn names(nodes: &[Node]) -> Vec<String> {
    nodes.iter().map(|n| n.tag_name().name().to_owned()).collect()
}

fn attributes(node: Node) -> Vec<String> {
    node.attributes().map(|a| a.name().to_owned()).collect()
}

/// Holds the rules on names, order, attributes and counts; answers the cases.
pub fn cases(xml: &str) -> Vec<Case> {
    let document = Document::parse(xml).unwrap_or_else(|e| panic!("{e}\n{xml}"));
    let root = document.root_element();
    assert_eq!((root.tag_name().name(), root.attributes().len()), ("testsuites", 0));
    let suites = elements(root);
    assert_eq!(names(&suites), ["testsuite"]);
    let suite = suites[0];
    for required in "id package name hostname timestamp tests failures errors skipped time".split(' ') {
        assert!(suite.has_attribute(required), "{required}");
    }
    assert_eq!(attributes(suite).len(), 10);
    let pattern = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$";
    assert!(regex_lite::Regex::new(pattern).unwrap().is_match(suite.attribute("timestamp").unwrap()));
    assert!(suite.attribute("time").unwrap().parse::<f64>().is_ok());
    let inner = elements(suite);
    let order = names(&inner);
    assert_eq!(
        (order[0].as_str(), &order[order.len() - 2..]),
        ("properties", &["system-out".to_owned(), "system-err".to_owned()][..])
    );
    for property in elements(inner[0]) {
        assert_eq!(
            (property.tag_name().name(), attributes(property)),
            ("property", vec!["name".to_owned(), "value".to_owned()])
        );
    }
    let found: Vec<_> = inner[1..inner.len() - 2].iter().map(|case| read_case(*case)).collect();
    let count = |fault: &str| found.iter().filter(|c| c.2.as_ref().is_some_and(|f| f.0 == fault)).count();
    let count_of = |name: &str| suite.attribute(name).unwrap().parse::<usize>().unwrap();
    assert_eq!(count_of("tests"), found.len());
    assert_eq!(
        [count_of("failures"), count_of("errors"), count_of("skipped")],
        ["failure", "error", "skipped"].map(count)
    );
    found
}

fn read_case(case: Node) -> Case {
    assert_eq!(case.tag_name().name(), "testcase");
    assert_eq!(attributes(case), ["classname", "name", "time"]);
    let faults = elements(case);
    assert!(faults.len() <= 1);
    let fault = faults.first().map(|fault| {
        let kind = fault.tag_name().name();
        assert!(["failure", "error", "skipped"].contains(&kind));
        assert!(kind == "skipped" || fault.attribute("type").is_some());
        (kind.to_owned(), fault.attribute("message").unwrap().to_owned())
    });
    (case.attribute("classname").unwrap().to_owned(), case.attribute("name").unwrap().to_owned(), fault)
}

fn report(
    snapshot: &Snapshot,
    instrument: &InstrumentFigures,
    thresholds: &[Threshold],
    strict: bool,
) -> Vec<Case> {
    cases(&junit::report(snapshot, instrument, thresholds, strict))
}

fn threshold(expression: &str, result: &'static str, figures: (f64, f64), reason: Option<&str>) -> Threshold {
    Threshold {
        expression: expression.to_owned(),
        scenario: None,
        limit: figures.0 + figures.1,
        observed: Some(figures.0),
        result,
        margin: Some(figures.1),
        over: None,
        requests: None,
        reason: reason.map(str::to_owned),
    }
}

#[test]
fn a_clean_run_has_a_case_for_itself_each_scenario_and_the_instrument_and_all_are_well() {
    let cases = report(&clean_closed_run(), &trusted(), &[], true);
    let names: Vec<&str> = cases.iter().map(|c| c.1.as_str()).collect();
    assert_eq!((names.len(), &names[1..3]), (4, &["Get users", "Create user"][..]));
    assert!(cases.iter().all(|c| c.2.is_none()), "{cases:?}");
}

#[test]
fn a_missed_threshold_is_a_failure_that_says_by_how_much() {
    let thresholds = [
        threshold("p99 < 250ms", "passed", (0.2, 0.05), None),
        threshold("Get \"users\" & <more>: p95 < 100ms", "failed", (0.112, -0.012), None),
        threshold(
            "p99.9 < 1s",
            "inconclusive",
            (1.01, -0.01),
            Some("our own slip could explain the difference"),
        ),
    ];
    let cases = report(&clean_closed_run(), &trusted(), &thresholds, false);
    assert_eq!((cases[1].1.as_str(), &cases[1].2), ("p99 < 250ms", &None));
    assert_eq!(cases[2].1, "Get \"users\" & <more>: p95 < 100ms");
    for (case, kind, words) in [
        (&cases[2], "failure", ["112 ms", "12.0 ms", ""]),
        (&cases[3], "skipped", ["1.01 s", "10.0 ms", "inconclusive: "]),
    ] {
        let (found, message) = case.2.clone().unwrap();
        assert_eq!(found, kind);
        assert!(words.iter().all(|word| message.contains(word)), "no {words:?} in {message}");
    }
}

#[test]
fn how_much_was_attempted_is_said_where_it_is_the_reason_and_nowhere_else() {
    let run_case = |ratio: f64, strict: bool| {
        let mut snapshot = clean_closed_run();
        snapshot.run.strict = strict;
        let doubted = InstrumentFigures { trustworthy: false, offered_ratio: Some(ratio), ..trusted() };
        report(&snapshot, &doubted, &[], strict).swap_remove(0).2.unwrap().1
    };
    assert_eq!(
        run_case(0.942, false),
        "inconclusive: the asked load was not offered: 94.2 % of the asked requests were attempted"
    );
    assert!(!run_case(1.0, true).contains("attempted"), "{}", run_case(1.0, true));
}

#[test]
fn failed_requests_alone_fail_no_case_and_are_counted_in_system_out() {
    let (mut snapshot, instrument) = troubled_open_run();
    (snapshot.ending, snapshot.run.target_rate) = (Ending::Complete, None);
    let instrument = InstrumentFigures { offered_ratio: None, ..instrument };
    let xml = junit::report(&snapshot, &instrument, &[], false);
    let found = cases(&xml);
    assert_eq!(found.len(), 5);
    assert!(found.iter().all(|c| c.2.as_ref().is_none_or(|(kind, _)| kind == "skipped")), "{found:?}");
    let document = Document::parse(&xml).unwrap();
    let out = document.descendants().find(|n| n.has_tag_name("system-out")).unwrap().text().unwrap();
    let counts = "303 of 453 did not end well (66.9 %): 300 unexpected_status";
    assert!(out.contains(counts), "{out}");
    // No green case hides them, unless a threshold counts them: then that decides.
    let case = |thresholds: &[Threshold]| {
        let cases = report(&snapshot, &instrument, thresholds, false);
        cases.into_iter().find(|c| c.0 == "loadtester.scenarios" && c.1 == "Create user").unwrap().2
    };
    let (kind, message) = case(&[]).unwrap();
    assert_eq!(kind, "skipped");
    assert!(
        message.starts_with("no threshold judges its failures: ") && message.contains(counts),
        "{message}"
    );
    let of = |expression: &str, scenario: Option<&str>| Threshold {
        scenario: scenario.map(str::to_owned),
        ..threshold(expression, "passed", (0.5, 0.4), None)
    };
    for judging in [of("error_rate < 90%", None), of("Create user: p50 < 1s", Some("Create user"))] {
        assert_eq!(case(&[judging]), None);
    }
    let beside = [
        of("ok p99 < 1s", None),
        of("rate > 1/s", None),
        of("mean < 1s", None),
        of("Other: error_rate < 90%", Some("Other")),
    ];
    assert_eq!(case(&beside).map(|fault| fault.0), Some("skipped".to_owned()));
}

#[test]
fn a_run_that_says_nothing_is_an_error_and_an_instrument_at_fault_is_skipped() {
    let (snapshot, instrument) = troubled_open_run();
    for strict in [false, true] {
        let cases = report(&snapshot, &instrument, &[], strict);
        golden(if strict { "junit_strict.txt" } else { "junit.txt" }, &format!("{cases:#?}\n"));
        let own = cases.last().unwrap().2.clone().unwrap();
        assert_eq!((own.0.as_str(), own.1.starts_with("inconclusive: ")), ("skipped", strict));
        assert!(own.1.contains(" 98 %") && own.1.contains("97.1 %"), "{}", own.1);
    }
    let incomplete = report(&nothing_measured(), &trusted(), &[], false);
    assert_eq!(incomplete.len(), 1);
    assert_eq!(incomplete[0].2.as_ref().unwrap().0, "error");
}

/// Failures, errors, and what was skipped as inconclusive.
fn faults(cases: &[Case]) -> [usize; 3] {
    let count = |is: &dyn Fn(&(String, String)) -> bool| {
        cases.iter().filter_map(|c| c.2.as_ref()).filter(|fault| is(fault)).count()
    };
    let undecided = |f: &(String, String)| f.0 == "skipped" && f.1.starts_with("inconclusive: ");
    [count(&|f| f.0 == "failure"), count(&|f| f.0 == "error"), count(&undecided)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_run_makes_a_well_formed_report(snapshot in any_snapshot(), words in "\\PC{0,40}|[<>&\"'\\]\\x00-\\x1f]{0,20}") {
        let thresholds = [threshold(&words, "failed", (1.0, -1.0), Some(&words))];
        cases(&junit::report(&snapshot, &snapshot.instrument(), &thresholds, false));
    }

    #[test]
    fn cases_agree_with_the_verdict_and_so_with_the_exit_code(
        snapshot in any_snapshot(), ending in 0..3, thresholds: bool, strict: bool, connected: bool, offered: bool
    ) {
        let mut snapshot = snapshot;
        snapshot.state = State::Finished;
        snapshot.ending = [Ending::Complete, Ending::Failed, Ending::Incomplete][ending as usize];
        snapshot.run.strict = strict;
        snapshot.run.thresholds = if thresholds { any_threshold() } else { Vec::new() };
        if connected {
            snapshot.tally.set(Counter::ConnectionsOpened, 1);
        }
        let mut instrument = snapshot.instrument();
        if offered {
            instrument.offered_ratio = None;
        }
        let found = report(&snapshot, &instrument, &Threshold::all(&snapshot), strict);
        let (found, verdict) = (faults(&found), Verdict::of(&snapshot, &instrument));
        let agree = match verdict {
            Verdict::Passed => found == [0, 0, 0],
            Verdict::Failed => found[0] > 0 && found[1] == 0,
            Verdict::Inconclusive => found[..2] == [0, 0] && found[2] > 0,
            Verdict::Incomplete => found == [0, 1, 0],
            Verdict::Interrupted => false,
        };
        prop_assert!(agree, "{:?} {:?}", verdict, found);
    }
}
