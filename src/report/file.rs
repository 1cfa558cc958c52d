//! The result of a run in each file format.

use super::figures::{self, InstrumentFigures};
use super::file_format::Format;
use super::{csv, hlog, html, json, junit, scenarios_csv};
use crate::run::Snapshot;

/// The text of a finished run's report in `format`.
pub(crate) fn file(
    format: Format,
    snapshot: &Snapshot,
    instrument: &InstrumentFigures,
    thresholds: &[figures::Threshold],
) -> String {
    match format {
        Format::Json => json::report(snapshot, instrument),
        Format::Html => html::page(snapshot, instrument, thresholds),
        Format::Junit => junit::report(snapshot, instrument, thresholds, snapshot.run.strict),
        Format::Csv => csv::text(snapshot),
        Format::ScenariosCsv => scenarios_csv::text(snapshot),
        Format::Hlog => hlog::text(snapshot),
    }
}
