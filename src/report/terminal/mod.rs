//! Text for the terminal: the summary at the end, the live view, and the run in one line.
//!
//! The order of the summary follows a reader's questions: what was run, how much, how fast, what went wrong, how
//! large is the tool's own error. The verdict comes first in a file and last on a terminal, where the first lines
//! have scrolled away.

mod bars;
mod distribution;
mod gates;
mod line;
mod live;
mod page;
mod sections;
mod verdict;

pub use bars::Glyphs;
pub use line::Line;
pub(crate) use live::stopping_line;
pub use live::{History, LiveView, live_line, live_line_within};

use self::page::Page;
use super::figures::{InstrumentFigures, Totals};
use super::sanitize;
use crate::run::Snapshot;

/// Columns of a summary when the width is unknown.
pub const DEFAULT_WIDTH: usize = 100;
/// The narrowest summary in columns: below it tables would be unreadable, so the terminal wraps the lines.
pub const LEAST_WIDTH: usize = 40;
/// The widest summary in columns: longer lines are hard to read.
pub const MOST_WIDTH: usize = 200;

/// How a summary is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns; from [`LEAST_WIDTH`] to [`MOST_WIDTH`].
    pub width: usize,
    /// Whether there are color escape sequences.
    pub color: bool,
    /// What bars are made of.
    pub glyphs: Glyphs,
    /// Whether the verdict comes last.
    pub verdict_last: bool,
}

/// The summary of a finished run as a file has it, in lines of at most `width` columns, with color escape sequences
/// if `color`.
pub fn summary(snapshot: &Snapshot, instrument: &InstrumentFigures, color: bool, width: usize) -> String {
    let layout = Layout { width, color, glyphs: Glyphs::Blocks, verdict_last: false };
    summary_in(snapshot, instrument, layout)
}

/// The summary of a finished run. Each line ends with a line feed.
pub fn summary_in(snapshot: &Snapshot, instrument: &InstrumentFigures, layout: Layout) -> String {
    let mut page = Page::new(layout.width.clamp(LEAST_WIDTH, MOST_WIDTH));
    let gates = |page: &mut Page| {
        gates::thresholds(page, snapshot);
        gates::baseline(page, snapshot);
    };
    if !layout.verdict_last {
        verdict::first(&mut page, snapshot, instrument);
        gates(&mut page);
        page.blank();
    }
    body(&mut page, snapshot, instrument, layout.glyphs);
    if layout.verdict_last {
        gates(&mut page);
        verdict::last(&mut page, snapshot, instrument);
    }
    page.lines().iter().map(|line| line.print(layout.color) + "\n").collect()
}

fn body(page: &mut Page, snapshot: &Snapshot, instrument: &InstrumentFigures, glyphs: Glyphs) {
    let run = sanitize::run(&snapshot.run);
    let totals = Totals::of(snapshot);
    sections::load(page, snapshot, &run);
    sections::rate(page, snapshot, instrument);
    sections::requests(page, &totals);
    sections::availability(page, snapshot);
    page.blank();
    sections::latency(page, snapshot, &totals, glyphs);
    sections::scenarios(page, snapshot, &run);
    sections::failures(page, snapshot, &totals);
    sections::first_failures(page, snapshot, &run);
    gates::broken_expectations(page, snapshot);
    page.blank();
    sections::data(page, snapshot);
    sections::traffic(page, snapshot, &totals);
    sections::own_error(page, snapshot);
    if let Some(fleet) = &snapshot.fleet {
        page.blank();
        sections::fleet(page, fleet);
    }
}
