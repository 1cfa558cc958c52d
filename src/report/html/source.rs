//! What every section of a page is drawn from.

use crate::report::figures::{InstrumentFigures, Threshold, Totals};
use crate::report::sanitize;
use crate::run::{RunInfo, Snapshot};

/// What every section is drawn from.
pub(in crate::report) struct Source<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) instrument: &'a InstrumentFigures,
    pub(crate) thresholds: &'a [Threshold],
    /// The run's words, safe to show.
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
