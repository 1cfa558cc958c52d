//! Text for the terminal: the summary at the end and one line during the run.
//!
//! The order follows a reader's questions: did it pass and can I trust it, what was run, how much, how fast,
//! what went wrong, how large is the tool's own error.

mod gates;
mod live;
mod page;
mod sections;

pub use live::live_line;
pub(crate) use live::stopping_line;

use self::page::{Page, Style};
use super::figures::{InstrumentFigures, Totals};
use super::headline::{Headline, INSECURE, Tone};
use super::sanitize::{self, one_line};
use crate::run::Snapshot;

/// Columns of a summary when the width is unknown.
pub const DEFAULT_WIDTH: usize = 100;
/// The narrowest summary in columns: below it tables would be unreadable, so the terminal wraps the lines.
pub const LEAST_WIDTH: usize = 80;

/// The summary of a finished run in lines of at most `width` columns (at least [`LEAST_WIDTH`]), with color
/// escape sequences if `color`.
pub fn summary(snapshot: &Snapshot, instrument: &InstrumentFigures, color: bool, width: usize) -> String {
    let mut page = Page::new(width.max(LEAST_WIDTH), color);
    let run = sanitize::run(&snapshot.run);
    let totals = Totals::of(snapshot);
    verdict(&mut page, snapshot, instrument);
    gates::thresholds(&mut page, snapshot);
    gates::baseline(&mut page, snapshot);
    page.blank();
    sections::load(&mut page, snapshot, &run);
    sections::rate(&mut page, snapshot, instrument);
    sections::requests(&mut page, &totals);
    sections::availability(&mut page, snapshot);
    page.blank();
    sections::latency(&mut page, snapshot, &totals);
    sections::scenarios(&mut page, snapshot, &run);
    sections::failures(&mut page, snapshot, &totals);
    sections::first_failures(&mut page, snapshot, &run);
    gates::broken_expectations(&mut page, snapshot);
    page.blank();
    sections::traffic(&mut page, snapshot, &totals);
    sections::own_error(&mut page, snapshot);
    let mut text = page.finish();
    if let Some(fleet) = &snapshot.fleet {
        text += "\n";
        fleet.lines().iter().for_each(|line| text += &format!("{line}\n"));
    }
    text
}

fn verdict(page: &mut Page, snapshot: &Snapshot, instrument: &InstrumentFigures) {
    let headline = Headline::of(snapshot, instrument);
    let style = match headline.tone {
        Tone::Good => Style::Good,
        Tone::Warn => Style::Warn,
        Tone::Bad => Style::Bad,
    };
    let (joint, Headline { word, but, trust, .. }) = (headline.joint(), &headline);
    let end = if instrument.trustworthy { "" } else { ":" };
    page.paragraph(style, 0, &format!("{word}{joint}{but}; {trust}{end}"));
    if !instrument.trustworthy {
        instrument.reasons.iter().for_each(|r| page.paragraph(Style::Warn, 2, &format!("- {}", one_line(r))));
    }
    if snapshot.run.insecure == Some(true) {
        page.paragraph(Style::Warn, 0, INSECURE);
    }
    instrument.notes.iter().for_each(|n| page.paragraph(Style::Plain, 0, &format!("note: {}", one_line(n))));
}
