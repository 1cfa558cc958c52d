//! The input of every section of a page.

use crate::report::figures::{InstrumentFigures, Threshold, Totals};
use crate::report::sanitize;
use crate::run::{RunInfo, Snapshot};

/// The input of every section of a page.
pub(in crate::report) struct Source<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) instrument: &'a InstrumentFigures,
    pub(crate) thresholds: &'a [Threshold],
    /// The run's texts, sanitized.
    pub(crate) run: RunInfo,
    pub(crate) totals: Totals,
}

impl<'a> Source<'a> {
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        instrument: &'a InstrumentFigures,
        thresholds: &'a [Threshold],
    ) -> Self {
        let (run, totals) = (sanitize::run(&snapshot.run), Totals::of(snapshot));
        Self { snapshot, instrument, thresholds, run, totals }
    }
}
