//! The figures of one scenario.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Histograms, Latency, Outcomes, Totals};
use crate::report::scenario_rows::{self, OwnRow};
use crate::run::Snapshot;
use crate::tally::{RowTime, RowTimer};

/// One scenario.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Scenario<'a> {
    /// As the plan names it.
    pub name: &'a str,
    /// The target it sends to, by name; left out: the one of `base_url`.
    #[serde(skip_serializing_if = "str::is_empty")]
    target: &'a str,
    /// As the plan weighs it.
    pub weight: u32,
    /// The digest of what it sends and expects; `None` where only summaries are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    /// Its requests.
    pub(crate) totals: Totals,
    /// Due to last byte.
    pub(crate) response_time: Latency,
    /// Send to last byte.
    pub(crate) service_time: Latency,
    /// Due to last byte, of requests that ended well.
    response_time_ok: Latency,
    /// Due to last byte, or to the deadline, of requests that failed with either.
    response_time_failed: Latency,
    /// How its exchanges ended.
    pub(crate) outcomes: Outcomes,
    /// Its responses.
    pub(crate) status_codes: BTreeMap<u16, u64>,
    /// Its whole distributions; `None` where only summaries are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) histograms: Option<Histograms>,
}

impl<'a> Scenario<'a> {
    /// All scenarios in the plan's order, with their distributions.
    pub(crate) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let named = snapshot.run.scenarios.iter().zip(snapshot.tally.rows());
        let digests = snapshot.run.plan_parts.scenarios.iter().map(|digest| Some(digest.as_str()));
        named
            .zip(digests.chain(std::iter::repeat(None)))
            .enumerate()
            .map(|(i, (((name, weight), row), digest))| Self {
                digest,
                ..Self::of(snapshot, &OwnRow::new(snapshot, i, name, *weight, row), true)
            })
            .collect()
    }

    /// The scenarios with their own rows in `/metrics`.
    pub(crate) fn own(snapshot: &'a Snapshot) -> Vec<Self> {
        let own = scenario_rows::own(snapshot);
        own.map(|row| Self::of(snapshot, &row, false)).collect()
    }

    fn of(snapshot: &Snapshot, own: &OwnRow<'a>, with_histograms: bool) -> Self {
        let tally = own.row;
        Self {
            name: own.name,
            target: own.target,
            weight: own.weight,
            digest: None,
            totals: Totals::of_rows(&[tally], snapshot.state),
            response_time: Latency::of(&tally.times(RowTime::Response)),
            service_time: Latency::of(&tally.times(RowTime::Service)),
            response_time_ok: Latency::of(tally.timer(RowTimer::ResponseOk)),
            response_time_failed: Latency::of(tally.timer(RowTimer::ResponseFailed)),
            outcomes: Outcomes::of(|outcome| tally.counter(outcome)),
            status_codes: tally.status_codes().collect(),
            histograms: with_histograms
                .then(|| Histograms::of(&tally.times(RowTime::Response), &tally.times(RowTime::Service))),
        }
    }
}
