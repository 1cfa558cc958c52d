//! A run as JSON: report.json at the end, `/status` during the run.
//!
//! Keys and their order are a public interface: keys may be added, but none renamed or moved.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::availability::Availability;
use super::figures::scenario::Scenario;
use super::figures::targets::TargetFigures;
use super::figures::{
    BaselineFigures, BrokenExpectation, Connections, DataFigures, Histograms, Instrument, InstrumentFigures,
    Latency, Outcomes, Point, Rate, Threshold, Tls, Totals, Verdict, protocol_errors, public_source,
    status_codes, timeline,
};
use super::fleet::FleetFigures;
use super::format::seconds;
use super::scenario_rows;
use crate::plan::DIGEST_FORM;
use crate::run::Fleet;
use crate::run::Snapshot;
use crate::schedule::Piece;
use crate::tally::{Counter, RowTime, RowTimer, Timer};

/// The version of report.json's keys.
pub(crate) const SCHEMA: u32 = 1;

/// The result of a load test as loadtester's `--report FILE.json` writes it. Times are in seconds, rates per second,
/// shares 0 to 1; null is what was not measured or what the sample does not support. Keys may be added.
#[derive(JsonSchema, Serialize)]
#[schemars(title = "report.json")]
struct Report<'a> {
    /// Version of these keys.
    #[schemars(extend("const" = SCHEMA))]
    schema: u32,
    /// What measured.
    tool: Tool,
    /// What was asked.
    plan: Plan<'a>,
    /// What `labels` in the plan and --label say of the run.
    labels: BTreeMap<&'a str, &'a str>,
    /// Wall clock at the start, RFC 3339 in UTC.
    started_at: Option<String>,
    /// The measured time: the denominator of every rate.
    measured_seconds: f64,
    /// How the run is judged.
    verdict: Verdict,
    /// Why the run could not be carried out as planned, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// Whether the plan has thresholds or there is a baseline: without, a run that worked is `passed`.
    judged: bool,
    /// Requests and bytes over all scenarios.
    totals: Totals,
    /// Requests per second over all scenarios.
    rate: Rate,
    /// Due to last byte.
    response_time: Latency,
    /// Send to last byte.
    service_time: Latency,
    /// Connect call to established TCP connection.
    connect_time: Latency,
    /// Established TCP connection with a proxy to its response to CONNECT; no sample where nothing was tunneled.
    tunnel_time: Latency,
    /// Established TCP connection or tunnel to the end of the TLS handshake; no sample where there is no TLS.
    tls_time: Latency,
    /// Send to first byte.
    first_byte_time: Latency,
    /// Due to last byte, of requests that ended well.
    response_time_ok: Latency,
    /// Due to last byte, or to the deadline, of requests that failed with either.
    response_time_failed: Latency,
    /// TLS, where the target is https.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls>,
    /// Time without an answer.
    availability: Availability,
    /// Ended exchanges by outcome: ok, and every other that occurred.
    outcomes: Outcomes,
    /// Protocol errors by what was wrong, those that occurred.
    protocol_errors: BTreeMap<&'static str, u64>,
    /// Redirects that were followed.
    redirects: u64,
    /// What became of connections, those of the warm-up included.
    connections: Connections,
    /// Responses by status code.
    status_codes: BTreeMap<u16, u64>,
    /// One entry per scenario, in the plan's order.
    scenarios: Vec<Scenario<'a>>,
    /// One entry per target, that of `base_url` first.
    targets: Vec<TargetFigures<'a>>,
    /// The plan's data sets, by name.
    data: Vec<DataFigures<'a>>,
    /// The first responses of each kind that broke an expectation.
    broken_expectations: Vec<BrokenExpectation<'a>>,
    /// This tool as a measuring device.
    instrument: Instrument<'a>,
    /// The plan's thresholds and whether they held.
    thresholds: Vec<Threshold>,
    /// How the run stands to the baseline it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<BaselineFigures>,
    /// The workers, of a coordinator.
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<FleetFigures>,
    /// The measured time, window by window.
    timeline: Vec<Point>,
    /// Whole distributions over all scenarios.
    histograms: Histograms,
}

/// What measured.
#[derive(JsonSchema, Serialize)]
struct Tool {
    /// Its name.
    name: &'static str,
    /// Its version.
    version: &'static str,
}

/// What was asked.
#[derive(JsonSchema, Serialize)]
struct Plan<'a> {
    /// What it is called.
    name: Option<&'a str>,
    /// Where it came from, without what may be secret.
    source: String,
    /// `sha256:` and the digest of its meaning.
    digest: &'a str,
    /// The version of what is hashed for a digest: digests of two versions cannot be compared.
    form: u32,
    /// `closed`: the next request when the last one ended; `open`: by a schedule.
    #[schemars(extend("enum" = ["closed", "open"]))]
    model: &'static str,
    /// Seed of all randomness.
    seed: u64,
    /// Where its requests went: scheme, host, port and the path prefix.
    base_url: String,
    /// Its load in words.
    load: &'a str,
    /// The rate piece by piece; empty in the closed model.
    stages: Vec<Stage>,
    /// Its text with credentials masked; null where it was given by flags.
    text: Option<&'a str>,
    /// Digests of its settings: `load`, `connections`, `tls` and, if there are any, `targets` and `data`.
    settings: BTreeMap<&'static str, &'a str>,
}

/// A piece of the schedule: the rate moves in a straight line from `from` to `rate`.
#[derive(JsonSchema, Serialize)]
struct Stage {
    /// Its length.
    #[serde(rename = "for")]
    seconds: f64,
    /// The rate at its beginning, per second.
    from: f64,
    /// The rate at its end, per second.
    rate: f64,
}

impl Stage {
    fn of(piece: &Piece) -> Self {
        Self { seconds: seconds(piece.length_ns), from: piece.from, rate: piece.to }
    }
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
    availability: Availability,
    scenarios: Vec<Scenario<'a>>,
    /// Number of scenarios omitted; absent if zero.
    #[serde(skip_serializing_if = "is_zero")]
    scenarios_left_out: usize,
    instrument: Instrument<'a>,
    thresholds: Vec<Threshold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<FleetFigures>,
}

/// report.json of a finished run.
pub fn report(snapshot: &Snapshot, instrument: &InstrumentFigures) -> String {
    let (run, tally) = (&snapshot.run, &snapshot.tally);
    let response_time = tally.times(RowTime::Response);
    let service_time = tally.times(RowTime::Service);
    pretty(&Report {
        schema: SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") },
        plan: Plan {
            name: run.plan_name.as_deref(),
            source: public_source(&run.plan_source),
            digest: &run.plan_digest,
            form: DIGEST_FORM,
            model: run.model,
            seed: run.seed,
            base_url: public_source(&run.base_url),
            load: &run.load,
            stages: run.pieces.iter().map(Stage::of).collect(),
            text: run.plan_text.as_deref(),
            settings: run.plan_parts.settings.iter().map(|(name, digest)| (*name, digest.as_str())).collect(),
        },
        labels: run.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        started_at: rfc3339(snapshot.started_at),
        measured_seconds: seconds(snapshot.measured_ns),
        verdict: Verdict::of(snapshot, instrument),
        error: snapshot.error.as_deref(),
        judged: run.is_judged(),
        totals: Totals::of(snapshot),
        rate: Rate::of(snapshot),
        response_time: Latency::of(&response_time),
        service_time: Latency::of(&service_time),
        connect_time: Latency::of(tally.timer(Timer::ConnectTime)),
        tunnel_time: Latency::of(tally.timer(Timer::TunnelTime)),
        tls_time: Latency::of(tally.timer(Timer::TlsTime)),
        first_byte_time: Latency::of(tally.timer(Timer::FirstByteTime)),
        response_time_ok: Latency::of(&tally.over_rows(RowTimer::ResponseOk)),
        response_time_failed: Latency::of(&tally.over_rows(RowTimer::ResponseFailed)),
        tls: Tls::of(snapshot),
        availability: Availability::of(snapshot),
        outcomes: Outcomes::over(tally),
        protocol_errors: protocol_errors(tally),
        redirects: tally.counter(Counter::Redirects),
        connections: Connections::of(tally),
        status_codes: status_codes(tally),
        scenarios: Scenario::all(snapshot),
        targets: TargetFigures::all(snapshot),
        data: DataFigures::of(snapshot),
        broken_expectations: BrokenExpectation::all(snapshot),
        instrument: Instrument::of(snapshot, instrument),
        thresholds: Threshold::all(snapshot),
        baseline: BaselineFigures::of(snapshot),
        fleet: snapshot.fleet.as_ref().map(Fleet::figures),
        timeline: timeline(snapshot),
        histograms: Histograms::of(&response_time, &service_time),
    })
}

/// The body of `GET /status`: the figures so far.
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
        response_time: Latency::of(&snapshot.tally.times(RowTime::Response)),
        availability: Availability::of(snapshot),
        scenarios: Scenario::own(snapshot),
        scenarios_left_out: scenario_rows::others(snapshot).count(),
        instrument: Instrument::of(snapshot, instrument),
        thresholds: Threshold::all(snapshot),
        fleet: snapshot.fleet.as_ref().map(Fleet::figures),
    })
}

/// The JSON Schema (draft 2020-12) of [`report`].
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize().with_transform(RecursiveTransform(tidy));
    pretty(&settings.into_generator().into_root_schema_for::<Report>())
}

/// Remove Rust's number formats, and the line breaks of doc comments.
fn tidy(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("format");
    if let Some(serde_json::Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

const fn is_zero(n: &usize) -> bool {
    *n == 0
}

fn pretty(figures: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(figures).expect("plain structs with string keys");
    text.push('\n');
    text
}

/// Seconds since the Unix epoch as RFC 3339 in UTC, to the millisecond; `None` outside the supported years.
pub(super) fn rfc3339(epoch_seconds: f64) -> Option<String> {
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
