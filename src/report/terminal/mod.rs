//! What people read in the terminal: the summary in the end and one line while it runs.
//!
//! The order is that of the questions asked: did it pass and can it be believed, what was run, how
//! much, how fast, what went wrong, what is our own error. What stays out: drawing.

mod gates;
mod live;
mod page;
mod sections;

pub use live::live_line;

use self::page::{Ink, Page, harmless};
use super::figures::{InstrumentFigures, Totals, Verdict};
use super::format::{count, percent};
use super::{RunInfo, Snapshot};
use crate::verdict::threshold::{OFFERED_RATIO_TO_PASS, Outcome};

/// Columns of a summary when nobody knows better.
pub const DEFAULT_WIDTH: usize = 100;
/// The narrowest summary: below it tables would lose their meaning, so the terminal breaks the lines.
pub const LEAST_WIDTH: usize = 80;

/// The summary of a finished run in lines of at most `width` columns (at least [`LEAST_WIDTH`]), with
/// escape sequences for colour only when asked.
pub fn summary(snapshot: &Snapshot, instrument: &InstrumentFigures, colour: bool, width: usize) -> String {
    let mut page = Page::new(width.max(LEAST_WIDTH), colour);
    let run = shown(&snapshot.run);
    let totals = Totals::of(snapshot);
    verdict(&mut page, snapshot, instrument, &totals);
    gates::thresholds(&mut page, snapshot);
    gates::baseline(&mut page, snapshot);
    page.blank();
    sections::load(&mut page, snapshot, &run);
    sections::rate(&mut page, snapshot, instrument);
    sections::requests(&mut page, &totals);
    page.blank();
    sections::latency(&mut page, snapshot, &totals);
    sections::scenarios(&mut page, snapshot, &run);
    sections::failures(&mut page, snapshot, &totals);
    sections::first_failures(&mut page, snapshot, &run);
    gates::broken_expectations(&mut page, snapshot);
    page.blank();
    sections::traffic(&mut page, snapshot, &totals);
    sections::own_error(&mut page, snapshot);
    page.finish()
}

/// The run's words from outside, safe to show.
fn shown(run: &RunInfo) -> RunInfo {
    let scenarios = run.scenarios.iter().map(|(name, weight)| (harmless(name), *weight));
    RunInfo {
        plan_source: harmless(&super::figures::public_source(&run.plan_source)),
        target: harmless(&super::figures::public_source(&run.target)),
        scenarios: scenarios.collect(),
        ..run.clone()
    }
}

fn verdict(page: &mut Page, snapshot: &Snapshot, instrument: &InstrumentFigures, totals: &Totals) {
    let amiss = totals.failed + totals.dropped + totals.unfinished;
    let (ink, mut line) = match Verdict::of(snapshot, instrument) {
        Verdict::Passed if totals.due == 0 => (Ink::Warn, "PASSED".to_owned()),
        Verdict::Passed if amiss == 0 => (Ink::Good, "PASSED".to_owned()),
        Verdict::Passed => (Ink::Warn, format!("PASSED, with {}", what_is_amiss(totals))),
        Verdict::Failed => (Ink::Bad, format!("FAILED: {}", which_failed(snapshot))),
        Verdict::Inconclusive => {
            (Ink::Bad, format!("INCONCLUSIVE: {}", why_inconclusive(snapshot, instrument)))
        }
        Verdict::Incomplete => (Ink::Bad, "INCOMPLETE: the run could not be carried out".to_owned()),
        Verdict::Interrupted => (Ink::Warn, "INTERRUPTED: what was measured until then".to_owned()),
    };
    line += match instrument.trustworthy {
        _ if totals.ok + totals.failed == 0 => "; nothing was measured",
        true => "; the measurement is trustworthy",
        false => "; the measurement is NOT trustworthy:",
    };
    page.paragraph(ink, 0, &line);
    if !instrument.trustworthy {
        instrument.reasons.iter().for_each(|r| page.paragraph(Ink::Warn, 2, &format!("- {}", harmless(r))));
    }
}

fn which_failed(snapshot: &Snapshot) -> String {
    let stopped = if snapshot.aborted.is_some() { ", which stopped the run" } else { "" };
    let thresholds = gates::thresholds_that(snapshot, Outcome::Failed, "does not hold", "do not hold");
    let worse = snapshot.comparison().filter(|c| c.outcome == Outcome::Failed);
    let parts = [thresholds.map(|t| t + stopped), worse.map(|_| "worse than the baseline".to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn why_inconclusive(snapshot: &Snapshot, instrument: &InstrumentFigures) -> String {
    if instrument.offered_ratio.is_some_and(|ratio| ratio < OFFERED_RATIO_TO_PASS) {
        return "the asked load was not offered".to_owned();
    }
    let unknown = "could not be judged";
    gates::thresholds_that(snapshot, Outcome::Inconclusive, unknown, unknown)
        .unwrap_or_else(|| "the comparison with the baseline says nothing".to_owned())
}

fn what_is_amiss(totals: &Totals) -> String {
    let kinds = [(totals.failed, "failed"), (totals.dropped, "dropped"), (totals.unfinished, "unfinished")];
    let named: Vec<String> = kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, kind)| format!("{} {kind} ({})", count(*n), percent(*n as f64 / totals.due.max(1) as f64)))
        .collect();
    named.join(", ")
}
