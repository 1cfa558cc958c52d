//! Reads an earlier report.json, as far as it is compared. Its content is not trusted.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::Value;

use super::measurement::{Baseline, MeasuredGroup, Measurement, Window};
use super::plan_match::{EarlierPlan, EarlierScenario};
use super::shape;
use crate::plan::{MAX_SCENARIOS, quoted};
use crate::tally::Histogram;
use crate::verdict::threshold::OFFERED_RATIO_TO_PASS;

/// The largest earlier report that is read, in bytes.
pub(crate) const MAX_FILE_BYTES: u64 = 64 << 20;
/// The supported version of report.json.
const SCHEMA: u32 = 1;

#[derive(Deserialize)]
struct Version {
    schema: Option<Value>,
}

#[derive(Deserialize)]
struct Report {
    plan: Plan,
    started_at: Option<String>,
    measured_seconds: f64,
    verdict: String,
    #[serde(default)]
    totals: AllTotals,
    rate: Rate,
    scenarios: Vec<Scenario>,
    instrument: Instrument,
    timeline: Vec<Point>,
    histograms: Histograms,
}

#[derive(Deserialize)]
struct Plan {
    digest: String,
    #[serde(default = "first_form")]
    form: u32,
    #[serde(default)]
    model: String,
    base_url: Option<String>,
    load: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

/// The form of digests before reports said which one theirs have.
const fn first_form() -> u32 {
    1
}

#[derive(Deserialize)]
struct Rate {
    target: Option<f64>,
    achieved: Option<f64>,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    #[serde(default)]
    weight: u32,
    digest: Option<String>,
    totals: Totals,
    histograms: Histograms,
}

#[derive(Deserialize, Default)]
struct AllTotals {
    due: u64,
}

#[derive(Deserialize)]
struct Totals {
    completed: u64,
}

#[derive(Deserialize)]
struct Instrument {
    /// Null: nothing was measured.
    trustworthy: Option<bool>,
    timestamps: String,
    offered_ratio: Option<f64>,
}

#[derive(Deserialize)]
struct Point {
    t: f64,
    completed: u64,
    failed: u64,
    p50: Option<f64>,
    p90: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    mean: Option<f64>,
}

#[derive(Deserialize)]
struct Histograms {
    response_time: String,
}

/// Parses an earlier report.json.
///
/// # Errors
/// Why it cannot be compared with, and what to do.
pub fn read(text: &str) -> Result<Baseline, String> {
    const REMEDY: &str = "give a file that --report FILE.json wrote";
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("is larger than {}: {REMEDY}", crate::units::print_bytes(MAX_FILE_BYTES)));
    }
    let no_report = |why: String| format!("is not a report: {why}; {REMEDY}");
    match serde_json::from_str::<Version>(text).map_err(|e| no_report(why(text, &e)))?.schema {
        Some(schema) if schema == SCHEMA => {}
        Some(other) => {
            return Err(format!("has schema {other}, this version reads {SCHEMA}: measure it again"));
        }
        None => return Err(no_report("it has no `schema`".to_owned())),
    }
    let report: Report = serde_json::from_str(text).map_err(|e| no_report(why(text, &e)))?;
    if report.scenarios.len() > MAX_SCENARIOS {
        return Err(format!("has more than {MAX_SCENARIOS} scenarios: {REMEDY}"));
    }
    let seconds = report.measured_seconds;
    let mut scenarios = Vec::with_capacity(report.scenarios.len());
    let mut plan = EarlierPlan {
        digest: report.plan.digest,
        form: report.plan.form,
        model: report.plan.model,
        target_rate: report.rate.target,
        measured_seconds: report.measured_seconds,
        due: report.totals.due,
        base_url: report.plan.base_url,
        load: report.plan.load,
        settings: report.plan.settings,
        scenarios: Vec::with_capacity(report.scenarios.len()),
    };
    for scenario in report.scenarios {
        let response_time = histogram(&scenario.histograms)
            .map_err(|why| format!("the histogram of {} cannot be read: {why}", quoted(&scenario.name)))?;
        let rate = (seconds > 0.0).then(|| scenario.totals.completed as f64 / seconds);
        let Scenario { name, weight, digest, .. } = scenario;
        plan.scenarios.push(EarlierScenario { name: name.clone(), weight, digest });
        scenarios.push((name, MeasuredGroup { response_time, rate }));
    }
    let response_time =
        histogram(&report.histograms).map_err(|why| format!("its histogram cannot be read: {why}"))?;
    let total = MeasuredGroup { response_time, rate: report.rate.achieved };
    let ns = |seconds: Option<f64>| seconds.map(|s| s * 1e9);
    let whole = |p: &Point| is_whole(p.t, seconds);
    let windows = report.timeline.iter().filter(|p| whole(p)).map(|p| Window {
        ended: p.completed.saturating_add(p.failed),
        p50_ns: ns(p.p50),
        p90_ns: ns(p.p90),
        p95_ns: ns(p.p95),
        p99_ns: ns(p.p99),
        mean_ns: ns(p.mean),
    });
    let doubt = match report.verdict.as_str() {
        "interrupted" | "incomplete" => Some(format!("the baseline is of a run that was {}", report.verdict)),
        _ if report.instrument.trustworthy == Some(false) => {
            Some("the baseline was itself not trustworthy".to_owned())
        }
        _ => None,
    };
    Ok(Baseline {
        plan,
        started_at: report.started_at,
        timestamps: report.instrument.timestamps,
        doubt,
        offered: report.instrument.offered_ratio.is_none_or(|ratio| ratio >= OFFERED_RATIO_TO_PASS),
        measurement: Measurement { total, scenarios, windows: windows.collect() },
    })
}

/// Why it cannot be read: which key is wrong, or where it is no JSON.
fn why(text: &str, error: &serde_json::Error) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(report) => {
            shape::fault(&report).unwrap_or_else(|| format!("line {} has what no report has", error.line()))
        }
        Err(e) if e.is_eof() => "its end is missing".to_owned(),
        Err(e) => format!("line {}, column {} is no JSON", e.line(), e.column()),
    }
}

/// Whether a window that ends at `t` lies completely in the measured time. Those of the drain and the partial
/// one at the end do not count.
pub(crate) fn is_whole(t: f64, measured_seconds: f64) -> bool {
    t <= measured_seconds + 1e-6
}

fn histogram(histograms: &Histograms) -> Result<Histogram, String> {
    let bytes = BASE64.decode(&histograms.response_time).map_err(|e| format!("not base64: {e}"))?;
    Histogram::from_v2_deflate(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_report_is_named_by_its_key_and_in_the_words_of_json() {
        let whole = r#"{"schema": 1, "plan": {"digest": "d"}, "measured_seconds": 1.0, "verdict": "passed",
            "rate": {"target": null, "achieved": 5.0}, "scenarios": [], "instrument": {"timestamps": "user"},
            "timeline": [{"t": 1.0, "completed": 5, "failed": 0}], "histograms": {"response_time": ""}}"#;
        for (from, to, expected) in [
            (r#""verdict": "passed","#, "", "it has no `verdict`, a report has a text there"),
            (
                r#""achieved": 5.0"#,
                r#""achieved": "5""#,
                "`rate.achieved` is a text, a report has a number there",
            ),
            (
                r#""failed": 0"#,
                r#""failed": -1"#,
                "`timeline[0].failed` is a number, a report has a whole number there",
            ),
            (
                r#""scenarios": []"#,
                r#""scenarios": [7]"#,
                "`scenarios[0]` is a whole number, a report has an object there",
            ),
            (r#"{"schema": 1, "#, r#"{"#, "it has no `schema`"),
            ("}]", "}", "line 3, column"),
            (whole, "[1]", "it is a list, a report is an object"),
            (whole, r#"{"schema": 1"#, "its end is missing"),
        ] {
            let message = read(&whole.replacen(from, to, 1)).unwrap_err();
            assert!(message.contains(expected), "{message}");
            assert!(message.ends_with("give a file that --report FILE.json wrote"), "{message}");
            let rust = ["f64", "u64", "struct", "sequence", "expected", "invalid type"];
            assert!(!rust.iter().any(|word| message.contains(word)), "{message}");
        }
    }
}
