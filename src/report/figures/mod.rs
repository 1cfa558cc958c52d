//! The figures of a run as named numbers, from which report.json and `/status` are written.
//!
//! Times are in seconds, rates per second, shares 0..=1. A figure that was not measured, or that the sample
//! does not support, is `None`.

mod baseline;
mod data;
pub mod targets;
mod latency;
pub mod scenario;
mod unsent;
mod wire;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

pub(crate) use self::baseline::BaselineFigures;
pub(crate) use self::data::DataFigures;
pub(crate) use self::latency::{Histograms, Latency};
pub(crate) use self::unsent::{dropped_because, resends, turned_away};
pub(crate) use self::wire::{Connections, explain, protocol_errors, tls_faults};
use super::format::seconds;
use crate::plan::Metric;
use crate::run::{Ending, Snapshot, State, TimelinePoint};
use crate::tally::{Counter, Merged, Outcome, Row, RowCounter, Timer};
use crate::verdict::threshold::{OFFERED_RATIO_TO_PASS, Outcome as Gate};

/// The verdict on this tool as a measuring device.
#[derive(Clone, Debug, PartialEq)]
pub struct InstrumentFigures {
    /// Whether there is no reason to doubt the measurement.
    pub trustworthy: bool,
    /// Each reason to doubt it, with its figure and a remedy.
    pub reasons: Vec<String>,
    /// The stable names of the reasons, in the same order.
    pub reason_names: Vec<&'static str>,
    /// Remarks for the reader that are no reason for doubt.
    pub notes: Vec<String>,
    /// Requests attempted (sent, or without a connection because the target gave none) divided by requests
    /// planned; `None` in the closed model.
    pub offered_ratio: Option<f64>,
}

/// How the run is judged, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It ran as planned, at least one request ended ok, every threshold holds, and it is no worse than the baseline.
    Passed,
    /// A threshold does not hold or a figure is worse than in the baseline, and the target is why; or no request
    /// ended ok.
    Failed,
    /// The asked load was not offered, so that the run shows nothing about the target, or a
    /// threshold could not be judged, or the instrument was at fault in a strict run.
    Inconclusive,
    /// It could not be carried out, or no connection was ever established.
    Incomplete,
    /// A signal stopped it.
    Interrupted,
}

impl Verdict {
    /// The verdict on a finished run.
    pub fn of(snapshot: &Snapshot, instrument: &InstrumentFigures) -> Self {
        let compared = || snapshot.comparison().map(|compared| compared.outcome);
        let gates = || Gate::over(snapshot.thresholds().into_iter().map(|t| t.outcome).chain(compared()));
        match snapshot.ending {
            // Nothing worked: no threshold turns that into a pass.
            Ending::Complete if !snapshot.ever_connected() => Self::Incomplete,
            Ending::Complete if snapshot.tally.counter(Counter::DataUnreadable) > 0 => Self::Inconclusive,
            Ending::Complete if snapshot.tally.completed() == 0 => Self::Failed,
            Ending::Complete => match gates() {
                Gate::Failed => Self::Failed,
                _ if instrument.offered_ratio.is_some_and(|r| r < OFFERED_RATIO_TO_PASS) => {
                    Self::Inconclusive
                }
                Gate::Inconclusive => Self::Inconclusive,
                _ if snapshot.is_out_of_data() => Self::Inconclusive,
                Gate::Passed if snapshot.run.strict && !instrument.trustworthy => Self::Inconclusive,
                Gate::Passed => Self::Passed,
            },
            Ending::Incomplete => Self::Incomplete,
            Ending::Failed => Self::Failed,
            Ending::Interrupted => Self::Interrupted,
        }
    }
}

/// Requests and bytes, over all scenarios or of one. At the end
/// `due = completed + failed + dropped + unfinished`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Totals {
    /// Requests whose due instant came.
    pub due: u64,
    /// Requests whose send call began.
    pub sent: u64,
    /// Exchanges that ended well; the same number as `ok`.
    pub completed: u64,
    /// Exchanges that ended well.
    pub(crate) ok: u64,
    /// Exchanges that ended otherwise.
    pub failed: u64,
    /// Due requests that were never sent: the backlog was full, or a worker had no lease.
    pub dropped: u64,
    /// Due requests that had not ended when the run did; 0 before.
    pub unfinished: u64,
    /// Request bytes.
    pub bytes_sent: u64,
    /// Response bytes.
    pub bytes_received: u64,
    /// Requests sent a second time because the connection they went out on brought no answer: the target closed
    /// it, or what it held had been sent before the request was; `None` for one scenario: they are counted with
    /// the connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retried: Option<u64>,
    /// Connections established; `None` for one scenario: scenarios share connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections_opened: Option<u64>,
}

impl Totals {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let tally = &snapshot.tally;
        Self {
            due: tally.sum(RowCounter::Due),
            sent: tally.sum(RowCounter::Sent),
            completed: tally.completed(),
            ok: tally.completed(),
            failed: tally.failed(),
            dropped: tally.sum(RowCounter::Dropped),
            unfinished: snapshot.unfinished,
            bytes_sent: tally.sum(RowCounter::BytesSent),
            bytes_received: tally.sum(RowCounter::BytesReceived),
            retried: Some(tally.counter(Counter::Retried)),
            connections_opened: Some(tally.counter(Counter::ConnectionsOpened)),
        }
    }

    /// The totals of some scenarios. `unfinished` follows from the other counts at the end of the run.
    pub(crate) fn of_rows(rows: &[&Row], state: State) -> Self {
        let sum = |count: &dyn Fn(&Row) -> u64| rows.iter().map(|row| count(row)).sum::<u64>();
        let counter = |counter: RowCounter| sum(&|row| row.counter(counter));
        let (due, completed) = (counter(RowCounter::Due), sum(&Row::completed));
        let open = due.saturating_sub(sum(&Row::ended) + counter(RowCounter::Dropped));
        Self {
            due,
            sent: counter(RowCounter::Sent),
            completed,
            ok: completed,
            failed: sum(&Row::failed),
            dropped: counter(RowCounter::Dropped),
            unfinished: if state == State::Finished { open } else { 0 },
            bytes_sent: counter(RowCounter::BytesSent),
            bytes_received: counter(RowCounter::BytesReceived),
            retried: None,
            connections_opened: None,
        }
    }
}

/// TLS handshakes that succeeded, and whom they believed.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Tls {
    /// Those in which the target showed its certificate.
    pub(crate) handshakes_full: u64,
    /// Those that took up an earlier session.
    pub(crate) handshakes_resumed: u64,
    /// Exchanges that ended in tls_failed, by why; those reasons that occurred.
    pub(crate) failures: BTreeMap<&'static str, u64>,
    /// Any certificate was accepted: whoever answered may have been somebody else.
    pub insecure: bool,
}

impl Tls {
    /// The TLS figures so far; `None`: no TLS.
    pub(crate) fn of(snapshot: &Snapshot) -> Option<Self> {
        let tally = &snapshot.tally;
        snapshot.run.insecure.map(|insecure| Self {
            handshakes_full: tally.counter(Counter::HandshakesFull),
            handshakes_resumed: tally.counter(Counter::HandshakesResumed),
            failures: tls_faults(tally),
            insecure,
        })
    }
}

/// Requests per second of the measured time.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Rate {
    /// What the plan asks, of a run that ended early until then; `None` in the closed model.
    pub(crate) target: Option<f64>,
    /// Sent; `None`: no time was measured.
    pub(crate) offered: Option<f64>,
    /// Ended well; in the closed model only while load was applied, so that the drain does not count.
    pub(crate) achieved: Option<f64>,
}

impl Rate {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let tally = &snapshot.tally;
        let closed = snapshot.run.model == "closed";
        let completed = if closed { tally.counter(Counter::CompletedInTime) } else { tally.completed() };
        Self {
            target: match snapshot.ended_early() {
                true => snapshot.run.rate_asked_until(snapshot.measured_ns),
                false => snapshot.run.target_rate,
            },
            offered: snapshot.per_second(tally.sum(RowCounter::Sent)),
            achieved: snapshot.per_second(completed),
        }
    }
}

impl Snapshot {
    /// `count` per second of the time it covers; `None`: no time was measured.
    pub(crate) fn per_second(&self, count: u64) -> Option<f64> {
        (self.measured_ns > 0).then(|| count as f64 / seconds(self.counted_ns()))
    }
}

/// Ended exchanges by outcome: ok, and every other that occurred.
#[derive(Clone, Debug, JsonSchema, PartialEq)]
#[schemars(transparent)]
pub(crate) struct Outcomes(#[schemars(with = "BTreeMap<String, u64>")] pub(crate) BTreeMap<Outcome, u64>);

impl Outcomes {
    /// From counts by outcome.
    pub(crate) fn of(counts: impl Fn(Outcome) -> u64) -> Self {
        let all = Outcome::ALL.into_iter().map(|outcome| (outcome, counts(outcome)));
        Self(all.filter(|(outcome, n)| outcome.is_ok() || *n > 0).collect())
    }

    pub(crate) fn over(tally: &Merged) -> Self {
        Self::of(|outcome| tally.sum(outcome))
    }
}

impl Serialize for Outcomes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(outcome, n)| (outcome.name(), n)))
    }
}

/// Responses by status code, over all scenarios.
pub(crate) fn status_codes(tally: &Merged) -> BTreeMap<u16, u64> {
    let mut codes = BTreeMap::new();
    for (code, n) in tally.rows().iter().flat_map(Row::status_codes) {
        *codes.entry(code).or_default() += n;
    }
    codes
}

/// This tool as a measuring device.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Instrument<'a> {
    /// Whether there is no reason to doubt the measurement; null: nothing was measured, so there is nothing to
    /// doubt or to trust.
    pub trustworthy: Option<bool>,
    /// See [`InstrumentFigures::reasons`].
    pub reasons: &'a [String],
    /// See [`InstrumentFigures::reason_names`].
    pub(crate) reason_names: &'a [&'static str],
    /// See [`InstrumentFigures::notes`].
    pub notes: &'a [String],
    /// `kernel` or `user`: where receive times come from.
    #[schemars(extend("enum" = ["kernel", "user"]))]
    pub(crate) timestamps: &'static str,
    /// Due to the start of the send call.
    pub(crate) slip: Latency,
    /// The part of the slip that is our own: due and a connection free, until the send began.
    pub(crate) send_delay: Latency,
    /// Last byte in the kernel to our read of it.
    pub(crate) receive_delay: Latency,
    /// See [`InstrumentFigures::offered_ratio`].
    pub offered_ratio: Option<f64>,
    /// Receive timestamps that could not be true and fell back to user time.
    pub(crate) absurd_stamps: u64,
    /// Responses that ended at our own reading for want of a kernel timestamp.
    pub(crate) unstamped: u64,
    /// One entry per load thread.
    pub(crate) threads: Vec<Thread>,
    /// CPU throttling in the measured time.
    pub(crate) cpu_throttled_seconds: f64,
    /// Enforcement periods with throttling in the measured time.
    cpu_throttled_periods: u64,
}

/// One load thread.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Thread {
    /// The core it is pinned to; `None`: not pinned.
    pub(crate) core: Option<usize>,
    /// Share of the measured time not spent waiting.
    pub(crate) busy: f64,
}

impl<'a> Instrument<'a> {
    /// Combine the snapshot with the verdict on it.
    pub(crate) fn of(snapshot: &Snapshot, judged: &'a InstrumentFigures) -> Self {
        let threads = snapshot.threads.iter().map(|t| Thread { core: t.core, busy: t.busy_ratio() });
        Self {
            trustworthy: if !judged.trustworthy {
                Some(false)
            } else {
                (snapshot.tally.ended() > 0).then_some(true)
            },
            reasons: &judged.reasons,
            reason_names: &judged.reason_names,
            notes: &judged.notes,
            timestamps: snapshot.timestamps(),
            slip: Latency::of(snapshot.tally.timer(Timer::Slip)),
            send_delay: Latency::of(snapshot.tally.timer(Timer::SendDelay)),
            receive_delay: Latency::of(snapshot.tally.timer(Timer::ReceiveDelay)),
            offered_ratio: judged.offered_ratio.filter(|ratio| ratio.is_finite()),
            absurd_stamps: snapshot.tally.counter(Counter::AbsurdStamps),
            unstamped: snapshot.tally.counter(Counter::Unstamped),
            threads: threads.collect(),
            cpu_throttled_seconds: seconds(snapshot.throttled_ns),
            cpu_throttled_periods: snapshot.throttled_periods,
        }
    }
}

/// One threshold of the plan and whether it held.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Threshold {
    /// As the plan says it.
    pub expression: String,
    /// The scenario it is about; `None`: the whole run.
    pub scenario: Option<String>,
    /// Its limit, in the base unit: seconds, a share, requests per second, a count.
    pub limit: f64,
    /// What was measured, in the same unit; `None`: nothing was.
    pub observed: Option<f64>,
    /// How far on the right side of the limit that is, relative to the limit; negative: on the wrong one.
    pub margin: Option<f64>,
    /// Requests over the limit, where counts decide: slower, failed, dropped or unfinished ones.
    pub over: Option<u64>,
    /// Requests that were held against the limit, where counts decide.
    pub requests: Option<u64>,
    /// `passed`, `failed` or `inconclusive`.
    #[schemars(extend("enum" = ["passed", "failed", "inconclusive"]))]
    pub result: &'static str,
    /// Why it could not be judged, or failed against its figure.
    pub reason: Option<String>,
}

impl Threshold {
    /// The plan's thresholds, in its order.
    pub fn all(snapshot: &Snapshot) -> Vec<Self> {
        let run = &snapshot.run;
        let both = run.thresholds.iter().zip(snapshot.thresholds());
        let figures = both.map(|(threshold, evaluation)| {
            let base = |value: f64| match threshold.metric {
                // Below a nanosecond, digits mean nothing.
                Metric::Time(..) | Metric::LongestGap => value.round() / 1e9,
                _ => value,
            };
            Self {
                expression: threshold.expression.clone(),
                scenario: threshold.scenario.and_then(|i| run.scenarios.get(i)).map(|(name, _)| name.clone()),
                limit: base(threshold.limit),
                observed: evaluation.observed.map(base),
                margin: evaluation.margin,
                over: evaluation.over.map(|(over, _)| over),
                requests: evaluation.over.map(|(_, of)| of),
                result: evaluation.outcome.name(),
                reason: evaluation.reason,
            }
        });
        figures.collect()
    }
}

/// The first response of its kind that broke an expectation of its scenario.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct BrokenExpectation<'a> {
    /// The scenario's name.
    pub(crate) scenario: &'a str,
    /// The key of the plan that was broken.
    pub(crate) expectation: &'static str,
    /// How such an exchange ends.
    pub(crate) outcome: &'static str,
    /// The response's status code.
    pub(crate) status: u16,
    /// What was expected and what came.
    pub(crate) what: &'a str,
    /// How the response's body begins; empty where no body was kept.
    pub(crate) excerpt: &'a str,
}

impl<'a> BrokenExpectation<'a> {
    /// All samples kept, by scenario, earliest first.
    pub(crate) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let mut failure_samples: Vec<_> = snapshot.tally.failure_samples().iter().collect();
        failure_samples.sort_by_key(|s| (s.step, s.at_ns));
        let named = failure_samples.into_iter().map(|s| Self {
            scenario: snapshot.run.scenarios.get(s.step.index()).map_or("?", |(name, _)| name),
            expectation: s.broken.name(),
            outcome: s.broken.outcome().name(),
            status: s.status,
            what: &s.what,
            excerpt: &s.excerpt,
        });
        named.collect()
    }
}

/// One window of the measured time; times in seconds.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Point {
    /// Its end, since the measured time began.
    pub(crate) t: f64,
    /// Exchanges that ended well in it.
    pub(crate) completed: u64,
    /// Exchanges that ended otherwise in it.
    pub(crate) failed: u64,
    /// Requests dropped in it.
    pub(crate) dropped: u64,
    /// Response time median.
    pub(crate) p50: Option<f64>,
    /// Response time 90th percentile.
    pub(crate) p90: Option<f64>,
    /// Response time 95th percentile.
    pub(crate) p95: Option<f64>,
    /// Response time 99th percentile.
    pub(crate) p99: Option<f64>,
    /// Response time mean.
    pub(crate) mean: Option<f64>,
    /// Slip 99th percentile.
    pub(crate) slip_p99: Option<f64>,
}

/// The length of a window, in seconds.
const WINDOW_S: f64 = 1.0;

/// The timeline in seconds, without windows after the measured time in which nothing ended.
pub(crate) fn timeline(snapshot: &Snapshot) -> Vec<Point> {
    let measured_s = seconds(snapshot.measured_ns);
    let is_over = |point: &TimelinePoint| point.t - WINDOW_S >= measured_s - 1e-6;
    let is_empty = |point: &TimelinePoint| point.due + point.completed + point.failed + point.dropped == 0;
    let shown = snapshot.timeline.iter().rposition(|point| !(is_over(point) && is_empty(point)));
    let figures = snapshot.timeline[..shown.map_or(0, |last| last + 1)].iter().map(|point| Point {
        t: point.t,
        completed: point.completed,
        failed: point.failed,
        dropped: point.dropped,
        p50: point.p50_ns.map(seconds),
        p90: point.p90_ns.map(seconds),
        p95: point.p95_ns.map(seconds),
        p99: point.p99_ns.map(seconds),
        mean: point.mean_ns.map(seconds),
        slip_p99: point.slip_p99_ns.map(seconds),
    });
    figures.collect()
}

/// The plan's source without possible secrets: a URL loses its user name, password, query and fragment.
pub(crate) fn public_source(source: &str) -> String {
    let Some((scheme, rest)) = source.split_once("://") else { return source.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_from_a_url_is_shown_without_what_may_be_secret() {
        let shown = public_source("https://joe:pw@plans.example:8443/a/b.yaml?token=s3cret#x");
        assert_eq!(shown, "https://plans.example:8443/a/b.yaml");
        assert_eq!(public_source("dir/loadplan.yaml"), "dir/loadplan.yaml");
        assert_eq!(public_source("http://h?t=1"), "http://h");
    }
}
