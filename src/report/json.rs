//! The run as JSON: report.json when it is over, `/status` while it lasts.
//!
//! Keys and their order are public interface: more may be added, none renamed or moved.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::Snapshot;
use super::figures::{
    BaselineFigures, BrokenExpectation, Histograms, Instrument, InstrumentFigures, Latency, Outcomes, Point,
    Rate, Scenario, Threshold, Totals, Verdict, public_source, seconds, status_codes, timeline,
};
use crate::tally::Histogram;

/// The version of report.json's keys.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    schema: u32,
    tool: Tool,
    plan: Plan<'a>,
    started_at: Option<String>,
    measured_seconds: f64,
    verdict: Verdict,
    totals: Totals,
    rate: Rate,
    response_time: Latency,
    service_time: Latency,
    connect_time: Latency,
    tls_time: Latency,
    first_byte_time: Latency,
    outcomes: Outcomes,
    status_codes: BTreeMap<u16, u64>,
    scenarios: Vec<Scenario<'a>>,
    broken_expectations: Vec<BrokenExpectation<'a>>,
    instrument: Instrument<'a>,
    thresholds: Vec<Threshold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<BaselineFigures>,
    timeline: Vec<Point>,
    histograms: Histograms,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Plan<'a> {
    source: String,
    digest: &'a str,
    model: &'static str,
    seed: u64,
}

#[derive(Serialize)]
struct Status<'a> {
    state: &'static str,
    elapsed: f64,
    progress: f64,
    in_flight: u64,
    backlog: u64,
    connections: u64,
    totals: Totals,
    rate: Rate,
    response_time: Latency,
    scenarios: Vec<Scenario<'a>>,
    instrument: Instrument<'a>,
    thresholds: Vec<Threshold>,
}

/// report.json of a finished run, with what was judged of the instrument.
pub fn report(snapshot: &Snapshot, instrument: &InstrumentFigures) -> String {
    let (run, tally) = (&snapshot.run, &snapshot.tally);
    let response_time = tally.over_scenarios(|s| &s.response_time);
    let service_time = tally.over_scenarios(|s| &s.service_time);
    pretty(&Report {
        schema: SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        plan: Plan {
            source: public_source(&run.plan_source),
            digest: &run.plan_digest,
            model: run.model,
            seed: run.seed,
        },
        started_at: rfc3339(snapshot.started_at),
        measured_seconds: seconds(snapshot.measured_ns),
        verdict: Verdict::of(snapshot, instrument),
        totals: Totals::of(snapshot),
        rate: Rate::of(snapshot),
        response_time: Latency::of(&response_time),
        service_time: Latency::of(&service_time),
        connect_time: Latency::of(&tally.connect_time),
        tls_time: Latency::of(&Histogram::new()),
        first_byte_time: Latency::of(&tally.first_byte_time),
        outcomes: Outcomes::over(tally),
        status_codes: status_codes(tally),
        scenarios: Scenario::all(snapshot, true),
        broken_expectations: BrokenExpectation::all(snapshot),
        instrument: Instrument::of(snapshot, instrument),
        thresholds: Threshold::all(snapshot),
        baseline: BaselineFigures::of(snapshot),
        timeline: timeline(snapshot),
        histograms: Histograms::of(&response_time, &service_time),
    })
}

/// What `GET /status` answers: the figures so far.
pub fn status(snapshot: &Snapshot, instrument: &InstrumentFigures) -> String {
    pretty(&Status {
        state: snapshot.state.name(),
        elapsed: seconds(snapshot.elapsed_ns),
        progress: snapshot.progress(),
        in_flight: snapshot.threads.iter().map(|t| t.in_flight).sum(),
        backlog: snapshot.threads.iter().map(|t| t.backlog).sum(),
        connections: snapshot.threads.iter().map(|t| t.connections).sum(),
        totals: Totals::of(snapshot),
        rate: Rate::of(snapshot),
        response_time: Latency::of(&snapshot.tally.over_scenarios(|s| &s.response_time)),
        scenarios: Scenario::all(snapshot, false),
        instrument: Instrument::of(snapshot, instrument),
        thresholds: Threshold::all(snapshot),
    })
}

fn pretty(figures: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(figures).expect("plain structs with string keys");
    text.push('\n');
    text
}

/// Seconds since the Unix epoch as RFC 3339 in UTC, to the millisecond; `None` outside of years a
/// calendar can name.
fn rfc3339(epoch_seconds: f64) -> Option<String> {
    Timestamp::from_millisecond((epoch_seconds * 1e3).round() as i64).ok().map(|t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_written_in_rfc_3339() {
        assert_eq!(rfc3339(0.0).unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_795_363_200.25).unwrap(), "2026-11-22T16:00:00.25Z");
        assert_eq!(rfc3339(f64::INFINITY), None);
    }
}
