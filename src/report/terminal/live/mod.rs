//! The live view of a run: a screen of lines, or one line.
//!
//! [`LiveView::draw`] is a function of what it shows and the size of the terminal. It never draws more lines or
//! columns than there are: blocks give way by their rank. What `fit` keeps to the last is how far the run is, how
//! much time is left, how the thresholds stand and whether the measurement can be trusted.

mod fit;
mod history;
mod trends;
mod words;

pub use self::history::History;
pub(crate) use self::words::stopping_line;
pub use self::words::{live_line, live_line_within};

use unicode_width::UnicodeWidthStr as _;

use self::fit::{Block, fit};
use self::trends::{NAME_COLUMNS, Trends};
use self::words::gates;
use super::bars::Glyphs;
use super::line::{Line, Style, shorten};
use super::page::Page;
use super::sections::{SCENARIO_COLUMNS, scenario_row, worker_columns};
use super::verdict;
use crate::report::figures::{InstrumentFigures, Outcomes, Threshold};
use crate::report::fleet::LIVE_COLUMNS;
use crate::report::format::{count, percent, whole_seconds};
use crate::report::headline::{Headline, Tone};
use crate::report::sanitize::one_line;
use crate::report::scenario_rows;
use crate::report::threshold::so_far;
use crate::run::{Fleet, Snapshot, State};
use crate::tally::RowCounter;
use crate::units::plural;

/// Columns of the longest progress bar.
const MOST_BAR_COLUMNS: usize = 60;
/// A shorter progress bar shows nothing.
const LEAST_BAR_COLUMNS: usize = 10;
/// Lines that reasons to doubt the measurement may take.
const MOST_TRUST_LINES: usize = 6;
/// Lines of a table that come before empty lines between blocks.
const GOOD_ROWS: usize = 8;
/// Columns that an expression of a threshold has at least.
const EXPRESSION_COLUMNS: usize = 26;
/// Lines that counts of requests, and those of errors, may take: the least, the usual and the most.
const COUNT_LINES: [usize; 3] = [1, 2, 4];

/// What the live view shows.
#[derive(Clone, Copy, Debug)]
pub struct LiveView<'a> {
    /// The run.
    pub snapshot: &'a Snapshot,
    /// What was seen of it in earlier frames.
    pub history: &'a History,
    /// The newest messages, the latest one last.
    pub messages: &'a [String],
    /// Whether a key ends the run.
    pub has_keys: bool,
    /// What bars are made of.
    pub glyphs: Glyphs,
}

/// What is drawn from in several blocks.
struct Picture<'a> {
    view: LiveView<'a>,
    instrument: InstrumentFigures,
    headline: Headline,
    thresholds: Vec<Threshold>,
    width: usize,
}

impl LiveView<'_> {
    /// The view in at most `height` lines of at most `width` columns.
    pub fn draw(&self, width: usize, height: usize) -> Vec<Line> {
        let instrument = self.snapshot.instrument();
        let headline = Headline::so_far(self.snapshot, &instrument);
        let thresholds = Threshold::all(self.snapshot);
        let picture = Picture { view: *self, instrument, headline, thresholds, width };
        let trends = Trends::of(self.snapshot, self.history, width, self.glyphs);
        let lines = fit(&picture.blocks(&trends, height), height);
        lines.into_iter().map(|line| line.cut(width)).collect()
    }
}

impl Picture<'_> {
    /// All blocks, from the top.
    fn blocks<'a>(&'a self, trends: &'a Trends, height: usize) -> Vec<Block<'a>> {
        let snapshot = self.view.snapshot;
        let run = &snapshot.run;
        let plain = |rank, apart, lines: Vec<Line>, [least, good, most]: [usize; 3]| {
            let all = lines.len();
            let draw = move |n: usize| self.first(&lines, n);
            let lines = [least, all.min(good), all.min(most)];
            (all > 0).then(|| Block { rank, lines, apart, draw: Box::new(draw) })
        };
        let is_waiting = snapshot.fleet.as_ref().and_then(Fleet::waits_for);
        let awaited =
            is_waiting.map(|text| self.wrapped(|page| page.paragraph(0, &text))).unwrap_or_default();
        let measured = snapshot.measured_ns > 0;
        let drawn = trends.lines();
        let mut blocks = vec![
            plain(0, false, vec![self.status()], [1, 1, 1]),
            plain(3, true, awaited, [1, 4, 4]),
            plain(9, false, vec![Line::new(Style::Plain, one_line(&run.target))], [0, 1, 1]),
            (measured || snapshot.fleet.is_none()).then(|| Block {
                rank: 3,
                lines: [1, drawn, drawn],
                apart: true,
                draw: Box::new(move |lines| trends.draw(lines)),
            }),
            plain(6, true, self.wrapped(|page| page.field("requests", &self.requests())), COUNT_LINES),
        ];
        let errors = self.errors();
        if !errors.is_empty() {
            let lines = self.wrapped(|page| page.field("errors", &errors));
            blocks.push(plain(4, false, lines, COUNT_LINES));
        }
        blocks.push(self.scenarios());
        blocks.push(self.workers());
        blocks.push(self.gates(height));
        blocks.push(plain(2, self.thresholds.is_empty(), self.trust(), [1, 2, MOST_TRUST_LINES]));
        let messages = self.view.messages;
        blocks.push((!messages.is_empty()).then(|| Block {
            rank: 8,
            lines: [0, 1, messages.len()],
            apart: true,
            draw: Box::new(move |lines| {
                let newest = messages.len().saturating_sub(lines);
                messages[newest..].iter().map(|text| Line::new(Style::Plain, one_line(text))).collect()
            }),
        }));
        let keys = Line::new(Style::Plain, "q ends the run");
        blocks.push(self.view.has_keys.then(|| plain(5, true, vec![keys], [1, 1, 1])).flatten());
        blocks.into_iter().flatten().collect()
    }

    /// The first `n` of these lines. The last one says if there are more.
    fn first(&self, lines: &[Line], n: usize) -> Vec<Line> {
        let mut first: Vec<Line> = lines.iter().take(n).cloned().collect();
        if let Some(last) = first.pop_if(|_| n < lines.len()) {
            first.push(last.breaking_off(self.width));
        }
        first
    }

    /// What `write` puts on a page of this width.
    fn wrapped(&self, write: impl FnOnce(&mut Page)) -> Vec<Line> {
        let mut page = Page::with_labels(self.width, NAME_COLUMNS);
        write(&mut page);
        page.lines()
    }

    /// `RUNNING  41.0 %  ████░░░░  12 s of 30 s, 18 s left`.
    fn status(&self) -> Line {
        let snapshot = self.view.snapshot;
        let Headline { tone, word, .. } = &self.headline;
        let style = if *tone == Tone::Good { Style::Strong } else { verdict::style(*tone) };
        let mut line = Line::new(style, *word);
        if snapshot.state == State::Starting {
            return line;
        }
        let progress = snapshot.progress();
        line.push(Style::Plain, &format!("  {}  ", percent(progress)));
        let time = self.time();
        let free = self.width.saturating_sub(line.width() + time.chars().count() + 2);
        if free >= LEAST_BAR_COLUMNS {
            let bar = self.view.glyphs.progress(progress, free.min(MOST_BAR_COLUMNS));
            line.push(Style::Plain, &format!("{bar}  "));
        }
        line.push(Style::Strong, &time);
        line
    }

    /// How much time has gone by and how much is left.
    fn time(&self) -> String {
        let snapshot = self.view.snapshot;
        let run = &snapshot.run;
        let gone = whole_seconds(snapshot.elapsed_ns / 1_000_000_000 * 1_000_000_000);
        let gone = match run.duration_ns {
            Some(duration) => format!("{gone} of {}", whole_seconds(duration.saturating_add(run.warmup_ns))),
            None => gone,
        };
        let left = match snapshot.state {
            State::Starting => "not started".to_owned(),
            State::Draining | State::Finished => {
                let in_flight = snapshot.threads.iter().map(|thread| thread.in_flight).sum();
                format!("{} in flight", count(in_flight))
            }
            _ => snapshot
                .left_ns()
                .map_or("time left not known yet".to_owned(), |ns| format!("{} left", whole_seconds(ns))),
        };
        format!("{gone}, {left}")
    }

    fn requests(&self) -> Vec<String> {
        let snapshot = self.view.snapshot;
        let tally = &snapshot.tally;
        let in_flight: u64 = snapshot.threads.iter().map(|thread| thread.in_flight).sum();
        let mut items = vec![
            format!("{} due", count(tally.sum(RowCounter::Due))),
            format!("{} sent", count(tally.sum(RowCounter::Sent))),
            format!("{} ok", count(tally.completed())),
            format!("{} failed", count(tally.failed())),
        ];
        if let dropped @ 1.. = tally.sum(RowCounter::Dropped) {
            items.push(format!("{} dropped", count(dropped)));
        }
        items.push(format!("{} in flight", count(in_flight)));
        items
    }

    /// Failed and dropped requests by kind, the most frequent kind first.
    fn errors(&self) -> Vec<String> {
        let tally = &self.view.snapshot.tally;
        let kinds = Outcomes::over(tally).0.into_iter();
        let failed = kinds.filter(|(outcome, n)| !outcome.is_ok() && *n > 0).map(|(o, n)| (o.name(), n));
        let dropped = Some(("dropped", tally.sum(RowCounter::Dropped))).filter(|(_, n)| *n > 0);
        let mut kinds: Vec<(&str, u64)> = failed.chain(dropped).collect();
        kinds.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let due = tally.sum(RowCounter::Due).max(1);
        let item =
            |(name, n): &(&str, u64)| format!("{name} {} ({})", count(*n), percent(*n as f64 / due as f64));
        kinds.iter().map(item).collect()
    }

    fn scenarios(&self) -> Option<Block<'_>> {
        let snapshot = self.view.snapshot;
        let all = snapshot.run.scenarios.len();
        let draw = move |lines: usize| {
            // The heading takes a line, and so does the number of those left out.
            let most = if all < lines { all } else { lines.saturating_sub(2).max(1) };
            let chosen = scenario_rows::choose(snapshot, most);
            let row = |place: &usize| scenario_row(snapshot, &snapshot.run, *place);
            let rows: Vec<_> = chosen.shown.iter().map(row).collect();
            let mut table = self.wrapped(|page| page.table(&SCENARIO_COLUMNS, &rows));
            if let more @ 1.. = chosen.rest.len() {
                table.push(Line::new(Style::Plain, format!("and {} more", count(more as u64))));
            }
            table
        };
        (all > 1).then(|| Block {
            rank: 7,
            lines: [2, (all + 1).min(GOOD_ROWS), all + 1],
            apart: true,
            draw: Box::new(draw),
        })
    }

    fn workers(&self) -> Option<Block<'_>> {
        let fleet = self.view.snapshot.fleet.as_ref().filter(|fleet| !fleet.rows.is_empty())?;
        let all = fleet.rows.len();
        let draw = move |lines: usize| {
            let most = if all < lines { all } else { lines.saturating_sub(2).max(1) };
            let rows = fleet.live_rows(most);
            let mut table = self.wrapped(|page| page.table(&worker_columns(LIVE_COLUMNS), &rows));
            if let more @ 1.. = all - rows.len() {
                table.push(Line::new(Style::Plain, format!("and {} more", count(more as u64))));
            }
            table
        };
        Some(Block {
            rank: 6,
            lines: [2, (all + 1).min(GOOD_ROWS), all + 1],
            apart: true,
            draw: Box::new(draw),
        })
    }

    /// The thresholds: a row each, failing ones first; in one line how they stand.
    fn gates(&self, height: usize) -> Option<Block<'_>> {
        let all = self.thresholds.len();
        let is_measured = self.view.snapshot.tally.ended() > 0;
        let most = if is_measured { all.min((height / 4).max(3)) } else { 1 };
        let draw = move |lines: usize| {
            let summary = gates(self.view.snapshot).map(|text| Line::new(Style::Strong, text));
            match lines {
                _ if !is_measured => summary.into_iter().collect(),
                1 if all > 1 => self.summary_of_gates(summary.unwrap_or_default()),
                _ => self.rows_of_gates(lines),
            }
        };
        (all > 0).then(|| Block { rank: 1, lines: [1, most, most], apart: true, draw: Box::new(draw) })
    }

    /// `1 of 3 thresholds failing: p99 < 250ms`.
    fn summary_of_gates(&self, summary: Line) -> Vec<Line> {
        let failing = self.thresholds.iter().filter(|threshold| threshold.result == "failed");
        let names: Vec<String> = failing.map(|threshold| one_line(&threshold.expression)).collect();
        let style = if names.is_empty() { Style::Strong } else { Style::Bad };
        let mut line = Line::new(style, summary.text());
        if !names.is_empty() {
            line.push(Style::Plain, &format!(": {}", names.join(", ")));
        }
        vec![line]
    }

    fn rows_of_gates(&self, lines: usize) -> Vec<Line> {
        let mut sorted: Vec<&Threshold> = self.thresholds.iter().collect();
        let urgency = |threshold: &&Threshold| match threshold.result {
            "failed" => 0,
            "inconclusive" => 1,
            _ => 2,
        };
        sorted.sort_by_key(urgency);
        let shown = if sorted.len() > lines { lines.saturating_sub(1) } else { sorted.len() };
        let mut rows = self.table_of_gates(&sorted[..shown]);
        if let more @ 1.. = sorted.len() - shown {
            rows.push(Line::new(Style::Plain, format!("and {}", plural(more as u64, "more threshold"))));
        }
        rows
    }

    /// How each stands, its expression and its figure.
    fn table_of_gates(&self, thresholds: &[&Threshold]) -> Vec<Line> {
        let rows: Vec<_> = thresholds
            .iter()
            .map(|threshold| {
                let standing = match threshold.result {
                    "failed" => (Style::Bad, "failing"),
                    "inconclusive" => (Style::Warn, "undecided"),
                    _ => (Style::Good, "holds"),
                };
                (standing, one_line(&threshold.expression), so_far(threshold))
            })
            .collect();
        let standing_columns = "undecided".len();
        let widest =
            |cell: fn(&(_, String, String)) -> &String| rows.iter().map(|row| cell(row).width()).max();
        let figure_columns = widest(|row| &row.2).unwrap_or(0);
        // Without its limit an expression says little, so that a long figure gives way first.
        let room = self.width.saturating_sub(standing_columns + figure_columns + 4).max(EXPRESSION_COLUMNS);
        let columns = widest(|row| &row.1).unwrap_or(0).min(room);
        let line = |((style, word), expression, figure): &((Style, &str), String, String)| {
            let mut line = Line::new(*style, *word);
            let expression = shorten(expression, columns);
            let padding = " ".repeat(columns - expression.width());
            let gap = " ".repeat(standing_columns - word.len());
            line.push(Style::Plain, &format!("{gap}  {expression}{padding}  {figure}"));
            line
        };
        rows.iter().map(line).collect()
    }

    /// Whether the measurement can be trusted so far, and why not.
    fn trust(&self) -> Vec<Line> {
        let Headline { trust, .. } = &self.headline;
        let InstrumentFigures { trustworthy, reasons, .. } = &self.instrument;
        if *trustworthy || self.view.snapshot.tally.ended() == 0 {
            return self.wrapped(|page| page.paragraph(0, trust));
        }
        let reasons: Vec<String> = reasons.iter().map(|reason| one_line(reason)).collect();
        let why = format!(" so far: {}", reasons.join("; "));
        self.wrapped(|page| page.marked(Style::Warn, "NOT trustworthy", Style::Plain, &why))
    }
}
