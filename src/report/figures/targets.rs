//! The figures of each target.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Latency, Outcomes, Totals, public_source};
use crate::report::availability::Availability;
use crate::report::format::{count, in_brackets};
use crate::run::{Snapshot, TargetInfo};
use crate::tally::{Histogram, Row, RowTime};
use crate::units::plural;

/// One target: the sum of the scenarios that send to it.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct TargetFigures<'a> {
    /// As the plan names it; null: the one of `base_url`.
    pub(crate) name: Option<&'a str>,
    /// Scheme, host, port and path prefix.
    pub(crate) url: String,
    /// The addresses that connections went to, as resolved before the run: its own or its proxy's. Empty on a coordinator,
    /// whose workers resolve for themselves.
    pub(crate) addresses: &'a [String],
    /// The proxy that it was reached through, without user and password; null: none.
    pub(crate) proxy: Option<&'a str>,
    /// The scenarios that send to it.
    pub(crate) scenarios: Vec<&'a str>,
    /// Its requests.
    pub(crate) totals: Totals,
    /// How its exchanges ended.
    pub(crate) outcomes: Outcomes,
    /// Time without an answer.
    availability: Availability,
    /// Due to last byte.
    pub(crate) response_time: Latency,
    /// Send to last byte.
    pub(crate) service_time: Latency,
}

impl<'a> TargetFigures<'a> {
    /// Those of each target of the run, that of `base_url` first.
    pub(crate) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let targets = snapshot.run.targets.iter().enumerate();
        targets.map(|(number, target)| Self::of(snapshot, number, target)).collect()
    }

    fn of(snapshot: &'a Snapshot, number: usize, target: &'a TargetInfo) -> Self {
        let rows: Vec<&Row> =
            target.scenarios.iter().filter_map(|scenario| snapshot.tally.rows().get(*scenario)).collect();
        let names = target.scenarios.iter().filter_map(|scenario| snapshot.run.scenarios.get(*scenario));
        Self {
            name: Some(target.name.as_str()).filter(|name| !name.is_empty()),
            url: public_source(&target.url),
            addresses: &target.addresses,
            proxy: target.proxy.as_deref(),
            scenarios: names.map(|(name, _)| name.as_str()).collect(),
            totals: Totals::of_rows(&rows, snapshot.state),
            outcomes: Outcomes::of(|outcome| rows.iter().map(|row| row.counter(outcome)).sum()),
            availability: Availability::of_target(snapshot, number),
            response_time: Latency::of(&times(&rows, RowTime::Response)),
            service_time: Latency::of(&times(&rows, RowTime::Service)),
        }
    }

    /// Name, URL, proxy and figures in words, item by item.
    pub(crate) fn words(&self) -> Vec<String> {
        let name = self.name.map_or(String::new(), |name| format!("{name}: "));
        let mut items = vec![format!("{name}{}{}", self.url, in_brackets(&self.url, self.addresses))];
        items.extend(self.proxy.map(|proxy| format!("through {proxy}")));
        items.push(format!("{} sent", plural(self.totals.sent, "request")));
        items.push(format!("{} failed", count(self.totals.failed)));
        items
    }
}

/// The times of these rows, whether or not their exchanges ended well.
fn times(rows: &[&Row], which: RowTime) -> Histogram {
    let timers = [true, false].map(|ok| which.timer(ok));
    Histogram::sum(rows.iter().flat_map(|row| timers.map(|timer| row.timer(timer))))
}
