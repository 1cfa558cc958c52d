//! The run as JUnit XML, for the test view of a CI system.
//!
//! One test suite: a test case for the run as a whole, one per threshold, one per scenario, with a baseline
//! one for the whole run and one per compared scenario, and one for the instrument. It agrees with the exit
//! code. With 0 there is no failure and no error. With 1 there are failures (a missed threshold, a figure
//! that is too much worse, no request that ended ok). With 2 and 3 there is one case, an error with the
//! message. With 4 the undecided cases are skipped as `inconclusive: …`. An unreliable instrument is skipped
//! with its reasons. Failed requests alone fail no case: without a threshold that counts them, their scenario's case is
//! skipped and says how many there were. The suite's `system-out` counts those of every scenario.
//!
//! Attributes and their order satisfy both common schemas (Ant's and Jenkins's), which is why the details are
//! in the suite's `system-out`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::figures::{InstrumentFigures, Threshold, Totals, Verdict};
use super::format::{count, percent};
use super::headline::Headline;
use super::json::rfc3339;
use super::sanitize::{self, one_line};
use super::{compared, terminal, threshold};
use crate::run::{Ending, Snapshot, State};
use crate::tally::{Outcome, Row};
use crate::verdict::baseline::Change;
use crate::verdict::threshold::{OFFERED_RATIO_TO_PASS, Outcome as Gate};

/// The result of a test case that did not pass.
enum Fault {
    Failure(String),
    Error(String),
    Skipped(String),
}

impl Fault {
    fn undecided(why: &str) -> Self {
        Self::Skipped(format!("inconclusive: {why}"))
    }
}

const CARRIED_OUT: &str = "carried out as planned";

struct Case {
    class: &'static str,
    name: String,
    fault: Option<Fault>,
}

/// The report; `strict`: an unreliable measurement makes its case inconclusive.
pub fn report(
    snapshot: &Snapshot,
    instrument: &InstrumentFigures,
    thresholds: &[Threshold],
    strict: bool,
) -> String {
    let mut cases = vec![run(snapshot, instrument)];
    // If the run could not be carried out, or failed before anything was measured, the first case says it
    // all.
    let failed = snapshot.error.is_some() && snapshot.measured_ns == 0;
    if !failed && Verdict::of(snapshot, instrument) != Verdict::Incomplete {
        cases.extend(thresholds.iter().map(judged));
        cases.extend(scenarios(snapshot, thresholds));
        cases.extend(compared_cases(snapshot));
        cases.push(own(instrument, strict));
    }
    let mut out = terminal::summary(snapshot, instrument, false, terminal::DEFAULT_WIDTH);
    out.extend(amiss_lines(snapshot));
    let started = rfc3339(snapshot.started_at);
    suite(&suite_name(snapshot), started, snapshot.measured_ns, &properties(snapshot), &cases, &out)
}

fn suite(
    name: &str,
    started: Option<String>,
    measured_ns: u64,
    properties: &[(String, String)],
    cases: &[Case],
    out: &str,
) -> String {
    let faults =
        |of: fn(&Fault) -> bool| cases.iter().filter_map(|c| c.fault.as_ref()).filter(|f| of(f)).count();
    let seconds = measured_ns as f64 / 1e9;
    let started = started.unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let mut line = |words: std::fmt::Arguments| {
        text.write_fmt(words).expect("writing to memory does not fail");
        text.push('\n');
    };
    line(format_args!(
        "  <testsuite id=\"0\" package=\"loadtester\" name=\"{}\" hostname=\"localhost\" timestamp=\"{}\" \
         tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{seconds:.3}\">",
        escape(name),
        started.split(['.', 'Z']).next().unwrap_or_default(),
        cases.len(),
        faults(|f| matches!(f, Fault::Failure(_))),
        faults(|f| matches!(f, Fault::Error(_))),
        faults(|f| matches!(f, Fault::Skipped(_))),
    ));
    line(format_args!("    <properties>"));
    for (name, value) in properties {
        line(format_args!("      <property name=\"{name}\" value=\"{}\"/>", escape(value)));
    }
    line(format_args!("    </properties>"));
    for case in cases {
        let class = format!("loadtester.{}", case.class);
        let start = format!("    <testcase classname=\"{class}\" name=\"{}\" time=\"0\"", escape(&case.name));
        match &case.fault {
            None => line(format_args!("{start}/>")),
            Some(fault) => line(format_args!("{start}>\n{}    </testcase>", element(fault))),
        }
    }
    line(format_args!("    <system-out>{}</system-out>", escape_lines(out)));
    line(format_args!("    <system-err></system-err>\n  </testsuite>\n</testsuites>"));
    text
}

/// The plan's name, so that results of one plan belong together wherever they were measured; without one, the
/// target.
fn suite_name(snapshot: &Snapshot) -> String {
    let run = sanitize::run(&snapshot.run);
    run.plan_name.unwrap_or(run.target)
}

fn element(fault: &Fault) -> String {
    match fault {
        Fault::Failure(why) => {
            format!("      <failure type=\"missed\" message=\"{0}\">{0}</failure>\n", escape(why))
        }
        Fault::Error(why) => {
            format!("      <error type=\"incomplete\" message=\"{0}\">{0}</error>\n", escape(why))
        }
        Fault::Skipped(why) => format!("      <skipped message=\"{}\"/>\n", escape(why)),
    }
}

fn properties(snapshot: &Snapshot) -> Vec<(String, String)> {
    let run = sanitize::run(&snapshot.run);
    let own = [
        ("plan", run.plan_source),
        ("target", run.target),
        ("digest", run.plan_digest),
        ("model", run.model.to_owned()),
        ("seed", run.seed.to_string()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    // Apart from the names above, which a label may have, too.
    own.chain(run.labels.into_iter().map(|(name, value)| (format!("label.{name}"), value))).collect()
}

/// The case for the run as a whole.
fn run(snapshot: &Snapshot, instrument: &InstrumentFigures) -> Case {
    let headline = Headline::of(snapshot, instrument);
    let why = format!("{}: {}", headline.word, headline.but);
    let fault = match Verdict::of(snapshot, instrument) {
        Verdict::Passed => None,
        Verdict::Incomplete | Verdict::Interrupted => Some(Fault::Error(why)),
        Verdict::Inconclusive => {
            let short = instrument.offered_ratio.filter(|ratio| *ratio < OFFERED_RATIO_TO_PASS);
            let short =
                short.map(|ratio| format!(": {} of the asked requests were attempted", percent(ratio)));
            Some(Fault::undecided(&format!("{}{}", headline.but, short.unwrap_or_default())))
        }
        // A failed threshold or baseline comparison has its own case.
        Verdict::Failed if snapshot.ending == Ending::Failed || snapshot.tally.completed() == 0 => {
            Some(Fault::Failure(why))
        }
        Verdict::Failed => None,
    };
    Case { class: "run", name: CARRIED_OUT.to_owned(), fault }
}

fn judged(t: &Threshold) -> Case {
    let why = threshold::account(t);
    let fault = match t.result {
        "passed" => None,
        "failed" => Some(Fault::Failure(why)),
        _ => Some(Fault::undecided(&why)),
    };
    Case { class: "thresholds", name: t.expression.clone(), fault }
}

/// A case per scenario. One with requests that did not end well is skipped with their counts, unless a threshold
/// judges them: then that has a case of its own.
fn scenarios(snapshot: &Snapshot, thresholds: &[Threshold]) -> Vec<Case> {
    let judges = |t: &&Threshold| threshold::judges_failures(&t.expression);
    let judging: Vec<&Threshold> = thresholds.iter().filter(judges).collect();
    let named = snapshot.run.scenarios.iter().zip(snapshot.tally.rows());
    named
        .map(|((name, _), row)| {
            let is_judged = judging.iter().any(|t| t.scenario.as_ref().is_none_or(|of| of == name));
            let why = amiss(row, snapshot.state).filter(|_| !is_judged);
            let fault = why.map(|why| Fault::Skipped(format!("no threshold judges its failures: {why}")));
            Case { class: "scenarios", name: name.clone(), fault }
        })
        .collect()
}

/// A line per scenario with requests that did not succeed.
fn amiss_lines(snapshot: &Snapshot) -> impl Iterator<Item = String> {
    let named = snapshot.run.scenarios.iter().zip(snapshot.tally.rows());
    named.filter_map(|((name, _), tally)| {
        amiss(tally, snapshot.state).map(|why| format!("\"{}\": {why}\n", one_line(name)))
    })
}

/// The baseline comparison of each scenario and of the whole run.
fn compared_cases(snapshot: &Snapshot) -> Vec<Case> {
    let (Some(against), Some(compared)) = (snapshot.run.baseline.as_deref(), snapshot.comparison()) else {
        return Vec::new();
    };
    let mut whose: Vec<(Option<&str>, Vec<&Change>)> = vec![(None, Vec::new())];
    let mut place_of: BTreeMap<Option<&str>, usize> = BTreeMap::from([(None, 0)]);
    for change in &compared.changes {
        let scenario = change.scenario.as_deref();
        let place = *place_of.entry(scenario).or_insert(whose.len());
        if place == whose.len() {
            whose.push((scenario, Vec::new()));
        }
        whose[place].1.push(change);
    }
    let allowed = format!("at most {} worse is allowed", percent(against.max_regression));
    let case = |(scenario, changes): (Option<&str>, Vec<&Change>)| {
        let worse =
            compared::regressions(against, changes).map(|regressions| format!("{regressions}; {allowed}"));
        // The case of the whole run represents the comparison.
        let undecided = compared.outcome == Gate::Inconclusive && (worse.is_some() || scenario.is_none());
        let reason = compared.reason.clone().filter(|_| undecided);
        let fault = match (worse, reason) {
            (worse, Some(reason)) => {
                Some(Fault::undecided(&worse.into_iter().chain([reason]).collect::<Vec<_>>().join("; ")))
            }
            (Some(worse), None) => Some(Fault::Failure(worse)),
            (None, None) => None,
        };
        Case { class: "baseline", name: scenario.unwrap_or("all").to_owned(), fault }
    };
    whose.into_iter().map(case).collect()
}

/// Requests that did not succeed, by outcome: `12 of 4,012 did not end well (0.30 %): 12 timeout (…)`.
fn amiss(tally: &Row, state: State) -> Option<String> {
    let totals = Totals::of_rows(&[tally], state);
    let mut kinds: Vec<String> = Vec::new();
    for outcome in Outcome::ALL.into_iter().filter(|o| !o.is_ok()) {
        let n = tally.counter(outcome);
        if n > 0 {
            kinds.push(format!("{} {} ({})", count(n), outcome.name(), outcome.explain()));
        }
    }
    for (n, kind) in [(totals.dropped, "dropped"), (totals.unfinished, "unfinished")] {
        if n > 0 {
            kinds.push(format!("{} {kind}", count(n)));
        }
    }
    let n = totals.failed + totals.dropped + totals.unfinished;
    let share = percent(n as f64 / totals.due.max(1) as f64);
    let start = format!("{} of {} did not end well ({share})", count(n), count(totals.due));
    (n > 0).then(|| format!("{start}: {}", kinds.join(", ")))
}

fn own(instrument: &InstrumentFigures, strict: bool) -> Case {
    let why = (!instrument.trustworthy).then(|| instrument.reasons.join("; "));
    let fault = why.map(|why| if strict { Fault::undecided(&why) } else { Fault::Skipped(why) });
    Case { class: "instrument", name: "the measurement is trustworthy".to_owned(), fault }
}

/// One line of text as XML character data, valid in attributes, too.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            c => escaped.push(c),
        }
    }
    escaped
}

fn escape_lines(text: &str) -> String {
    text.lines().map(|line| escape(line) + "\n").collect()
}
