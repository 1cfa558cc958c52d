//! The snapshot in Prometheus's text format, version 0.0.4.
//!
//! Base units (seconds, bytes, ratios), `_total` on counters, HELP and TYPE for each family. Counters and
//! buckets come from tallies that only grow within a run, so they never decrease. Scenarios beyond the first
//! [`RunInfo::metrics_scenarios`](crate::run::RunInfo) of the plan are one row, `_other`.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::scenario_rows::{self, OTHER};
use crate::http1::ProtocolError;
use crate::run::Snapshot;
use crate::tally::{Close, Counter, Histogram, Outcome, Row, RowCounter, RowTime, Timer, TlsFault};
use crate::verdict::instrument::Reason;
use crate::verdict::threshold::Outcome as Gate;

/// Upper bounds of the histograms' buckets, in nanoseconds and as `le` in seconds: 1, 2.5 and 5 per decade
/// from 10 µs on, then 60 s. They must ascend.
const BOUNDS: [(u64, &str); 21] = [
    (10_000, "0.00001"),
    (25_000, "0.000025"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
    (25_000_000_000, "25"),
    (60_000_000_000, "60"),
];

/// The body of `GET /metrics`.
pub fn text(snapshot: &Snapshot) -> String {
    let mut page = Page { text: String::new(), family: "" };
    requests(&mut page, snapshot);
    times(&mut page, snapshot);
    volumes(&mut page, snapshot);
    run(&mut page, snapshot);
    page.text
}

fn requests(page: &mut Page, snapshot: &Snapshot) {
    let others: Vec<&Row> = scenario_rows::others(snapshot).collect();
    page.family("loadtester_requests_total", "counter", "Ended exchanges by scenario and outcome.");
    let shown = |outcome: &Outcome, count: u64| count > 0 || outcome.is_ok();
    for own in scenario_rows::own(snapshot) {
        for outcome in Outcome::ALL.into_iter().filter(|outcome| shown(outcome, own.row.counter(*outcome))) {
            page.sample(&own.labels(Some(("outcome", outcome.name()))), own.row.counter(outcome));
        }
    }
    for outcome in Outcome::ALL.into_iter().filter(|_| !others.is_empty()) {
        let count = others.iter().map(|row| row.counter(outcome)).sum();
        if shown(&outcome, count) {
            page.sample(&[("scenario", OTHER), ("outcome", outcome.name())], count);
        }
    }
    page.family("loadtester_responses_total", "counter", "Complete responses by scenario and status code.");
    for own in scenario_rows::own(snapshot) {
        for (code, count) in own.row.status_codes() {
            let (code, mut labels) = (code.to_string(), own.labels(None));
            labels.push(("code", &code));
            page.sample(&labels, count);
        }
    }
    let mut codes: BTreeMap<u16, u64> = BTreeMap::new();
    for (code, count) in others.iter().flat_map(|row| row.status_codes()) {
        *codes.entry(code).or_default() += count;
    }
    for (code, count) in codes {
        page.sample(&[("scenario", OTHER), ("code", &code.to_string())], count);
    }
    let help = "Exchanges that ended as a protocol error, by what was wrong with the response.";
    page.family("loadtester_protocol_errors_total", "counter", help);
    for error in ProtocolError::ALL {
        let count = snapshot.tally.counter(error);
        page.sample(&[("reason", error.name())], count);
    }
    let help = "Redirects that were followed.";
    page.value("loadtester_redirects_total", "counter", help, snapshot.tally.counter(Counter::Redirects));
    let dropped = snapshot.tally.sum(RowCounter::Dropped);
    let help = "Requests that were due and never sent: the backlog was full, or a worker had no lease.";
    page.value("loadtester_dropped_total", "counter", help, dropped);
}

fn availability(page: &mut Page, snapshot: &Snapshot) {
    let Some(outages) = snapshot.outages() else { return };
    let help = "Share of the measured time outside of outages.";
    page.value("loadtester_answered_ratio", "gauge", help, outages.answered_share);
    let help = "The longest time in which a request waited and no byte of a good answer came.";
    let longest = outages.longest_gap.map_or(0.0, |gap| super::format::seconds(gap.length_ns));
    page.value("loadtester_longest_gap_seconds", "gauge", help, longest);
}

fn times(page: &mut Page, snapshot: &Snapshot) {
    let help = "From the instant a request was due to the last byte of its response.";
    page.family("loadtester_response_time_seconds", "histogram", help);
    row_times(page, snapshot, RowTime::Response);
    let help = "From the send of a request to the last byte of its response.";
    page.family("loadtester_service_time_seconds", "histogram", help);
    row_times(page, snapshot, RowTime::Service);
    let help = "From the instant a request was due to its send, the wait for a free connection included.";
    page.family("loadtester_slip_seconds", "histogram", help);
    page.histogram(&[], snapshot.tally.timer(Timer::Slip));
    let help = "From the last byte's arrival in the kernel to our reading it: this tool's own error.";
    page.family("loadtester_receive_delay_seconds", "histogram", help);
    page.histogram(&[], snapshot.tally.timer(Timer::ReceiveDelay));
}

/// A histogram per scenario with its own row, and one for all others.
fn row_times(page: &mut Page, snapshot: &Snapshot, time: RowTime) {
    for own in scenario_rows::own(snapshot) {
        page.histogram(&own.labels(None), &own.row.times(time));
    }
    let mut others = scenario_rows::others(snapshot).peekable();
    if others.peek().is_some() {
        let timers = [true, false].map(|ok| time.timer(ok));
        let all = others.flat_map(|row| timers.map(|timer| row.timer(timer)));
        page.histogram(&[("scenario", OTHER)], &Histogram::sum(all));
    }
}

fn volumes(page: &mut Page, snapshot: &Snapshot) {
    let (tally, threads) = (&snapshot.tally, &snapshot.threads);
    let in_flight: u64 = threads.iter().map(|t| t.in_flight).sum();
    page.value(
        "loadtester_in_flight",
        "gauge",
        "Requests given to a connection and not yet ended.",
        in_flight,
    );
    let connections: u64 = threads.iter().map(|t| t.connections).sum();
    page.value("loadtester_connections", "gauge", "Connections established now.", connections);
    let opened = tally.counter(Counter::ConnectionsOpened);
    page.value("loadtester_connections_opened_total", "counter", "Connections established so far.", opened);
    let help = "Connections established in the place of one that was closed.";
    page.value("loadtester_reconnects_total", "counter", help, tally.counter(Counter::Reconnects));
    page.family("loadtester_connections_closed_total", "counter", "Connections closed, by why.");
    for why in Close::ALL {
        page.sample(&[("reason", why.name())], tally.counter(why));
    }
    if snapshot.run.insecure.is_some() {
        let help = "TLS handshakes that succeeded so far, full or taking up an earlier session.";
        page.family("loadtester_tls_handshakes_total", "counter", help);
        page.sample(&[("kind", "full")], tally.counter(Counter::HandshakesFull));
        page.sample(&[("kind", "resumed")], tally.counter(Counter::HandshakesResumed));
        page.family(
            "loadtester_tls_failures_total",
            "counter",
            "Exchanges that ended in tls_failed, by why.",
        );
        for fault in TlsFault::ALL {
            page.sample(&[("reason", fault.name())], tally.counter(fault));
        }
    }
    let sent = tally.sum(RowCounter::BytesSent);
    page.value("loadtester_sent_bytes_total", "counter", "Request bytes handed to the kernel.", sent);
    let received = tally.sum(RowCounter::BytesReceived);
    page.value("loadtester_received_bytes_total", "counter", "Response bytes read.", received);
}

fn run(page: &mut Page, snapshot: &Snapshot) {
    // The closed model has no rate: omit the metric instead of exporting a zero.
    if let Some(rate) = snapshot.run.target_rate {
        let help = "Requests per second the plan asks for, mean over the measured time.";
        page.value("loadtester_target_rate", "gauge", help, rate);
    }
    let progress = snapshot.progress();
    page.value("loadtester_progress_ratio", "gauge", "Share of the run that is done, 0 to 1.", progress);
    let help = "Share of the measured time a load thread did not spend waiting, 0 to 1.";
    page.family("loadtester_thread_busy_ratio", "gauge", help);
    for (i, thread) in snapshot.threads.iter().enumerate() {
        page.sample(&[("thread", &i.to_string())], thread.busy_ratio());
    }
    let help = "Time for which the CPU quota of our cgroup held its threads back, in the measured time.";
    page.value(
        "loadtester_cpu_throttled_seconds_total",
        "counter",
        help,
        Seconds(snapshot.throttled_ns.into()),
    );
    let help = "Enforcement periods in which our cgroup was held back, in the measured time.";
    page.value("loadtester_cpu_throttled_periods_total", "counter", help, snapshot.throttled_periods);
    instrument(page, snapshot);
    availability(page, snapshot);
    thresholds(page, snapshot);
    if let Some(fleet) = &snapshot.fleet {
        page.family("loadtester_workers", "gauge", "Workers by state.");
        for (state, count) in fleet.by_state() {
            page.sample(&[("state", state)], count);
        }
    }
    if !snapshot.run.labels.is_empty() {
        let help = "What the plan's labels and --label say of the run; the value is always 1.";
        page.family("loadtester_run_info", "gauge", help);
        let labels: Vec<(&str, &str)> =
            snapshot.run.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        page.sample(&labels, 1);
    }
    page.family("loadtester_build_info", "gauge", "Which version this is; the value is always 1.");
    page.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
}

/// Every reason has a series from the beginning, so that alerts on it always have data.
fn instrument(page: &mut Page, snapshot: &Snapshot) {
    let judged = snapshot.judge();
    let help = "Whether this tool finds no reason to doubt the measurement so far: 1 or 0.";
    page.value("loadtester_trustworthy", "gauge", help, u8::from(judged.trustworthy));
    let help = "Whether this is a reason to doubt the measurement so far: 1 or 0.";
    page.family("loadtester_instrument_reason", "gauge", help);
    for name in Reason::NAMES {
        let given = judged.reasons.iter().any(|reason| reason.name() == name);
        page.sample(&[("reason", name)], u8::from(given));
    }
}

/// An inconclusive threshold has no sample.
fn thresholds(page: &mut Page, snapshot: &Snapshot) {
    if snapshot.run.thresholds.is_empty() {
        return;
    }
    page.family("loadtester_threshold_ok", "gauge", "Whether a threshold holds so far, 1 or 0.");
    let mut written: Vec<&str> = Vec::new();
    for (threshold, evaluation) in snapshot.run.thresholds.iter().zip(snapshot.thresholds()) {
        let expression = threshold.expression.as_str();
        // A plan may repeat a threshold, but a sample must be unique.
        if evaluation.outcome != Gate::Inconclusive && !written.contains(&expression) {
            written.push(expression);
            page.sample(&[("expression", expression)], u8::from(evaluation.outcome == Gate::Passed));
        }
    }
}

/// The text so far; samples belong to the last family.
struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        self.text += &format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, value);
    }

    /// A family with one sample.
    fn value(&mut self, name: &'static str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }

    /// Cumulative buckets, sum and count in one pass over the recorded times. As in percentiles, a recorded
    /// time counts below a bound if the highest value of its bucket does; the sum uses the bucket's middle.
    fn histogram(&mut self, labels: &[(&str, &str)], histogram: &Histogram) {
        let (mut below, mut sum_ns, mut count) = ([0; BOUNDS.len()], 0_u128, 0_u64);
        let mut slot = 0;
        for bucket in histogram.buckets() {
            while slot < BOUNDS.len() && bucket.highest_ns > BOUNDS[slot].0 {
                below[slot] = count;
                slot += 1;
            }
            count += bucket.count;
            sum_ns += u128::from(bucket.middle_ns) * u128::from(bucket.count);
        }
        below[slot..].fill(count);
        let mut labels = labels.to_vec();
        for ((_, le), below) in BOUNDS.iter().zip(below).chain([(&(u64::MAX, "+Inf"), count)]) {
            labels.push(("le", le));
            self.line("_bucket", &labels, below);
            labels.pop();
        }
        self.line("_sum", &labels, Seconds(sum_ns));
        self.line("_count", &labels, count);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text += self.family;
        self.text += suffix;
        for (i, (name, value)) in labels.iter().enumerate() {
            self.text += if i == 0 { "{" } else { "," };
            self.text += &format!("{name}=\"{}\"", escape(value));
        }
        self.text += if labels.is_empty() { "" } else { "}" };
        self.text += &format!(" {value}\n");
    }
}

/// Nanoseconds, printed exactly as seconds: a float would round a long sum.
struct Seconds(u128);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// A label value: the format only escapes backslash, quote and line feed.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(page: &str) -> Vec<f64> {
        let value = |line: &str| line.rsplit_once(' ').expect("name and value").1.parse().expect("a number");
        page.lines().map(value).collect()
    }

    #[test]
    fn scenarios_of_a_named_target_have_its_label() {
        let target = |name: &str, scenario| crate::run::TargetInfo {
            name: name.to_owned(),
            url: String::new(),
            addresses: Vec::new(),
            proxy: None,
            scenarios: vec![scenario],
        };
        let run = crate::run::RunInfo {
            scenarios: vec![("a".to_owned(), 1), ("b".to_owned(), 1)],
            targets: vec![target("", 0), target("login", 1)],
            ..crate::run::RunInfo::unknown()
        };
        let page = text(&Snapshot::new(run, 1, 0.0));
        assert!(page.contains("loadtester_requests_total{scenario=\"a\",outcome=\"ok\"} 0\n"), "{page}");
        assert!(
            page.contains("loadtester_requests_total{scenario=\"b\",target=\"login\",outcome=\"ok\"} 0\n")
        );
        assert!(page.contains("loadtester_response_time_seconds_count{scenario=\"b\",target=\"login\"} 0\n"));
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(escape("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }

    #[test]
    fn seconds_are_exact() {
        assert_eq!(Seconds(1).to_string(), "0.000000001");
        assert_eq!(Seconds(12_345_678_901_234_567_890).to_string(), "12345678901.234567890");
    }

    proptest::proptest! {
        #[test]
        fn buckets_rise_to_the_count_and_the_sum_lies_within_the_resolution(
            times_ns in proptest::collection::vec(0..200_000_000_000_u64, 0..200),
        ) {
            let mut histogram = Histogram::new();
            times_ns.iter().for_each(|ns| histogram.record(*ns));
            let mut page = Page { text: String::new(), family: "x" };
            page.histogram(&[], &histogram);
            let values = samples(&page.text);
            let (buckets, sum, count) = (&values[..=BOUNDS.len()], values[BOUNDS.len() + 1], values[BOUNDS.len() + 2]);
            proptest::prop_assert!(buckets.is_sorted());
            proptest::prop_assert_eq!(buckets[BOUNDS.len()], count);
            proptest::prop_assert_eq!(count, times_ns.len() as f64);
            let exact = times_ns.iter().sum::<u64>() as f64 / 1e9;
            proptest::prop_assert!((sum - exact).abs() <= exact * 1e-3 + count * 64e-9);
            // Off by no more than the samples within a thousandth of the bound.
            for ((bound, _), below) in BOUNDS.iter().zip(buckets) {
                let exactly = |limit: u64| times_ns.iter().filter(|ns| **ns <= limit).count() as f64;
                proptest::prop_assert!(*below <= exactly(*bound) && *below >= exactly(bound - bound / 1_000 - 128));
            }
        }
    }
}
