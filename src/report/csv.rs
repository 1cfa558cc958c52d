//! The timeline as CSV by RFC 4180: a header, then one record per window.
//!
//! Times are plain numbers in seconds; an empty field is a time that was not measured. Every field is a
//! number or a header name, so none needs quoting. Totals are in report.json.

use std::fmt::Write as _;

use super::figures::timeline;
use crate::run::Snapshot;

/// The header record.
pub const HEADER: [&str; 10] =
    ["t", "completed", "failed", "dropped", "p50", "p99", "slip_p99", "p90", "p95", "mean"];

/// The timeline; lines end in CR LF, as RFC 4180 requires.
pub fn text(snapshot: &Snapshot) -> String {
    let mut text = HEADER.join(",") + "\r\n";
    for point in timeline(snapshot) {
        let times = [point.p50, point.p99, point.slip_p99, point.p90, point.p95, point.mean].map(optional);
        let (t, completed, failed, dropped) = (point.t, point.completed, point.failed, point.dropped);
        write!(text, "{t},{completed},{failed},{dropped},{}\r\n", times.join(","))
            .expect("writing to memory does not fail");
    }
    text
}

fn optional(seconds: Option<f64>) -> String {
    seconds.map_or(String::new(), |s| s.to_string())
}
