//! All scenarios as CSV by RFC 4180: a header, then one record each, in the plan's order.
//!
//! Times are plain numbers in seconds; an empty field is a time that was not measured, or a percentile with
//! fewer than ten samples beyond it. `failures` lists the outcomes other than ok that occurred, like
//! `timeout=3 unexpected_status=1`.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::figures::Totals;
use super::sanitize::one_line;
use crate::run::Snapshot;
use crate::tally::{Histogram, Outcome, Row, RowTime, quantile};

/// The header record.
pub const HEADER: [&str; 21] = [
    "name",
    "weight",
    "due",
    "sent",
    "ok",
    "failed",
    "dropped",
    "unfinished",
    "bytes_sent",
    "bytes_received",
    "p50",
    "p90",
    "p95",
    "p99",
    "max",
    "service_p50",
    "service_p90",
    "service_p95",
    "service_p99",
    "service_max",
    "failures",
];
/// The percentiles of each time.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// The scenarios; lines end in CR LF, as RFC 4180 requires.
pub(crate) fn text(snapshot: &Snapshot) -> String {
    let mut text = HEADER.join(",") + "\r\n";
    for ((name, weight), row) in snapshot.run.scenarios.iter().zip(snapshot.tally.rows()) {
        let t = Totals::of_rows(&[row], snapshot.state);
        text += &field(&one_line(name));
        let counts = [t.due, t.sent, t.ok, t.failed, t.dropped, t.unfinished, t.bytes_sent, t.bytes_received];
        for count in [u64::from(*weight)].into_iter().chain(counts) {
            write!(text, ",{count}").expect("writing to memory does not fail");
        }
        for timer in [RowTime::Response, RowTime::Service] {
            times(&mut text, &row.times(timer));
        }
        text += ",";
        text += &failures(row);
        text += "\r\n";
    }
    text
}

fn times(text: &mut String, histogram: &Histogram) {
    let each = QUANTILES.into_iter().map(|q| quantile::percentile(histogram, q));
    for ns in each.chain([histogram.max()]) {
        text.push(',');
        if let Some(ns) = ns {
            write!(text, "{}", ns as f64 / 1e9).expect("writing to memory does not fail");
        }
    }
}

fn failures(row: &Row) -> String {
    let kinds = Outcome::ALL.into_iter().filter(|outcome| !outcome.is_ok());
    let failures = kinds.map(|outcome| (outcome.name(), row.counter(outcome))).filter(|(_, n)| *n > 0);
    failures.map(|(name, n)| format!("{name}={n}")).collect::<Vec<_>>().join(" ")
}

/// `text` as one field, quoted if it has a separator.
fn field(text: &str) -> Cow<'_, str> {
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{RunInfo, State};
    use crate::tally::RowTimer;
    use crate::tally::{RowCounter, StepId};

    #[test]
    fn each_scenario_is_a_record_with_as_many_fields_as_the_header() {
        let names = ["plain", "with, comma and \"quotes\""];
        let scenarios = names.iter().map(|name| ((*name).to_owned(), 3)).collect();
        let mut snapshot = Snapshot::new(RunInfo { scenarios, ..RunInfo::unknown() }, 1, 0.0);
        snapshot.state = State::Finished;
        let tally = &mut snapshot.tally;
        tally.add_row(StepId::new(0), RowCounter::Due, 5);
        tally.add_row(StepId::new(0), Outcome::Ok, 2);
        tally.add_row(StepId::new(0), Outcome::Timeout, 1);
        tally.record_row(StepId::new(0), RowTimer::ResponseOk, 64_000_000);
        let text = text(&snapshot);
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[1].split(',').count(), HEADER.len());
        assert!(lines[1].starts_with("plain,3,5,0,2,1,0,2,0,0,"), "{text}");
        assert!(lines[1].ends_with(",timeout=1"), "{text}");
        assert!(lines[2].starts_with("\"with, comma and \"\"quotes\"\"\",3,0,"), "{text}");
    }
}
