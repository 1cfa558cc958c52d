//! Time without an answer, as figures and in words.

use schemars::JsonSchema;
use serde::Serialize;

use super::format::{percent, seconds, time};
use crate::run::Snapshot;
use crate::verdict::outages::Outages;

/// Gaps of this length, in nanoseconds, get a remark: users take them for an outage.
const WORTH_SAYING_NS: u64 = 1_000_000_000;

/// Time without an answer; of several targets, of the one that is worst off.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Availability {
    /// 1 − outages ÷ measured time. An outage is a gap longer than 1 s and longer than ten times the median response
    /// time of requests that ended well; `None`: nothing was measured.
    answered_share: Option<f64>,
    /// The longest stretch, in seconds, in which a request waited and no byte of an answer that ended well came.
    longest_gap: Option<f64>,
    /// When it began, in seconds of the measured time; `None`: there was none.
    longest_gap_at: Option<f64>,
}

impl Availability {
    /// That of the target that is worst off.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        Self::from_outages(snapshot.outages())
    }

    /// That of one target, by its number.
    pub(crate) fn of_target(snapshot: &Snapshot, target: usize) -> Self {
        Self::from_outages(snapshot.outages_of(target))
    }

    fn from_outages(outages: Option<Outages>) -> Self {
        let gap = outages.and_then(|outages| outages.longest_gap);
        Self {
            answered_share: outages.map(|outages| outages.answered_share),
            longest_gap: outages.map(|_| gap.map_or(0.0, |gap| seconds(gap.length_ns))),
            longest_gap_at: gap.map(|gap| seconds(gap.from_ns)),
        }
    }
}

/// `no answer for 3.00 s of 6.00 s`; `None`: no outage.
pub(crate) fn outage(snapshot: &Snapshot) -> Option<String> {
    let outages = snapshot.outages().filter(|outages| outages.outage_ns > 0)?;
    let from = match worst_target(snapshot, outages.answered_share) {
        Some(target) => format!(" from {target}"),
        None => String::new(),
    };
    Some(format!("no answer{from} for {} of {}", time(outages.outage_ns), time(snapshot.measured_ns)))
}

/// The name or the URL of the target that is worst off, where there are several.
fn worst_target(snapshot: &Snapshot, answered_share: f64) -> Option<String> {
    let targets = &snapshot.run.targets;
    let is_it = |(number, _): &(usize, _)| {
        snapshot.outages_of(*number).is_some_and(|outages| outages.answered_share <= answered_share)
    };
    let (_, worst) = targets.iter().enumerate().filter(|_| targets.len() > 1).find(is_it)?;
    Some(if worst.name.is_empty() { worst.url.clone() } else { worst.name.clone() })
}

/// The share of the time without an outage, and the longest gap; `None`: no time was measured.
pub(crate) fn share_and_gap(snapshot: &Snapshot) -> Option<(String, String)> {
    let Outages { answered_share, longest_gap, .. } = snapshot.outages()?;
    let gap = match longest_gap {
        None => "no gap".to_owned(),
        Some(gap) => format!("longest gap {}, at {}", time(gap.length_ns), time(gap.from_ns)),
    };
    Some((percent(answered_share), gap))
}

/// A caveat for a long gap in a closed run: few requests represent it.
pub(crate) fn remark(snapshot: &Snapshot) -> Option<String> {
    let gap = snapshot.outages()?.longest_gap.filter(|gap| gap.length_ns >= WORTH_SAYING_NS)?;
    let connections = u64::from(snapshot.run.connections);
    // A target that answers with errors is asked again and again.
    let failed: u64 = snapshot.tally.rows().iter().map(|row| row.failed()).sum();
    (snapshot.run.model == "closed" && failed <= connections).then(|| {
        let waiting = if connections == 1 {
            "the one connection waited and sent nothing, so a single request stands for it".to_owned()
        } else {
            format!("the {connections} connections waited and sent nothing, so at most {connections} requests stand for it")
        };
        format!(
            "in the gap of {} {waiting} in the percentiles: the open model (`rate`, -r) shows what users feel",
            time(gap.length_ns)
        )
    })
}
