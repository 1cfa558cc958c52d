//! The verdict in the summary: the headline, the reasons to doubt the measurement, and remarks.

use super::line::Style;
use super::page::Page;
use crate::report::figures::InstrumentFigures;
use crate::report::headline::{Headline, INSECURE, Tone};
use crate::report::hints;
use crate::report::sanitize::one_line;
use crate::run::Snapshot;

/// The verdict as a file's first lines: the headline, then why the measurement is in doubt.
pub(crate) fn first(page: &mut Page, snapshot: &Snapshot, instrument: &InstrumentFigures) {
    headline(page, snapshot, instrument, if instrument.trustworthy { "" } else { ":" });
    reasons(page, instrument);
    remarks(page, snapshot, instrument);
}

/// The verdict as a terminal's last lines: the headline is the very last one.
pub(crate) fn last(page: &mut Page, snapshot: &Snapshot, instrument: &InstrumentFigures) {
    page.blank();
    if !instrument.reasons.is_empty() {
        page.heading("reasons to doubt the measurement");
        reasons(page, instrument);
    }
    remarks(page, snapshot, instrument);
    page.blank();
    headline(page, snapshot, instrument, "");
}

/// The style of a headline's verdict.
pub(crate) const fn style(tone: Tone) -> Style {
    match tone {
        Tone::Good => Style::Good,
        Tone::Warn => Style::Warn,
        Tone::Bad => Style::Bad,
    }
}

fn headline(page: &mut Page, snapshot: &Snapshot, instrument: &InstrumentFigures, end: &str) {
    let headline = Headline::of(snapshot, instrument);
    let (joint, Headline { tone, word, but, trust }) = (headline.joint(), &headline);
    page.marked(style(*tone), word, Style::Strong, &format!("{joint}{but}; {trust}{end}"));
}

fn reasons(page: &mut Page, instrument: &InstrumentFigures) {
    instrument.reasons.iter().for_each(|reason| page.paragraph(2, &format!("- {}", one_line(reason))));
}

fn remarks(page: &mut Page, snapshot: &Snapshot, instrument: &InstrumentFigures) {
    if snapshot.run.insecure == Some(true) {
        let (word, rest) = INSECURE.split_at(INSECURE.find(':').unwrap_or(INSECURE.len()));
        page.marked(Style::Warn, word, Style::Plain, rest);
    }
    let notes = instrument.notes.iter().cloned().chain(hints::body_after_delayed_ack(snapshot));
    notes.for_each(|note| page.paragraph(0, &format!("note: {}", one_line(&note))));
}
