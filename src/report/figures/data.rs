//! How far the rows of data sets were used.

use schemars::JsonSchema;
use serde::Serialize;

use crate::report::format::count;
use crate::run::Snapshot;
use crate::tally::RowCounter;
use crate::units::plural;

/// A data set, and what became of its rows in the measured time.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct DataFigures<'a> {
    /// Its name in the plan.
    pub(crate) name: &'a str,
    /// How many rows it has.
    pub(crate) rows: u64,
    /// In which order they are taken: circular, once, shuffle or random.
    pub(crate) order: &'static str,
    /// How many requests were due that take a row.
    pub(crate) taken: u64,
    /// The same divided by the rows: how often all of them were gone through.
    pub(crate) laps: f64,
    /// Rows of requests that were never sent: nothing takes them afterwards.
    pub(crate) skipped: u64,
}

impl<'a> DataFigures<'a> {
    /// Those of each data set of the run.
    pub(crate) fn of(snapshot: &'a Snapshot) -> Vec<Self> {
        let sets = snapshot.run.data.iter();
        sets.map(|set| {
            let rows = set.scenarios.iter().filter_map(|scenario| snapshot.tally.rows().get(*scenario));
            let (due, sent) = rows.fold((0, 0), |(due, sent), row| {
                (due + row.counter(RowCounter::Due), sent + row.counter(RowCounter::Sent))
            });
            Self {
                name: &set.name,
                rows: set.rows,
                order: set.order,
                taken: due,
                laps: due as f64 / set.rows.max(1) as f64,
                skipped: due.saturating_sub(sent),
            }
        })
        .collect()
    }

    /// Rows and use in words, item by item.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut items = vec![
            format!("{}: {} {}", self.name, plural(self.rows, "row"), self.order),
            format!("{} taken ({:.2} of the rows)", count(self.taken), self.laps),
        ];
        if self.skipped > 0 {
            items.push(format!("{} of requests that were not sent", count(self.skipped)));
        }
        items
    }
}
