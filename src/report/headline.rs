//! The verdict in words: the first thing on every page.

use super::Snapshot;
use super::figures::{InstrumentFigures, Totals, Verdict};
use super::format::{count, percent};

/// How good the news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As hoped.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
}

/// What happened, and whether to believe it.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// How good the news is.
    pub tone: Tone,
    /// The verdict in one word, in capitals.
    pub word: &'static str,
    /// What has to be said with it; may be empty.
    pub but: String,
    /// Whether the measurement may be believed, as half a sentence.
    pub trust: &'static str,
}

impl Headline {
    /// What stands between the word and what has to be said with it.
    pub fn joint(&self) -> &'static str {
        match self.word {
            _ if self.but.is_empty() => "",
            "PASSED" => ", ",
            _ => ": ",
        }
    }

    /// Of a finished run.
    pub fn of(snapshot: &Snapshot, instrument: &InstrumentFigures) -> Self {
        let totals = Totals::of(snapshot);
        let amiss = totals.failed + totals.dropped + totals.unfinished;
        let (tone, word, but) = match Verdict::of(snapshot, instrument) {
            Verdict::Passed if totals.due == 0 => (Tone::Warn, "PASSED", String::new()),
            Verdict::Passed if amiss == 0 => (Tone::Good, "PASSED", String::new()),
            Verdict::Passed => (Tone::Warn, "PASSED", format!("with {}", what_is_amiss(&totals))),
            Verdict::Inconclusive => (Tone::Bad, "INCONCLUSIVE", "the asked load was not offered".to_owned()),
            Verdict::Incomplete => (Tone::Bad, "INCOMPLETE", "the run could not be carried out".to_owned()),
            Verdict::Interrupted => (Tone::Warn, "INTERRUPTED", "what was measured until then".to_owned()),
        };
        let trust = match instrument.trustworthy {
            _ if totals.ok + totals.failed == 0 => "nothing was measured",
            true => "the measurement is trustworthy",
            false => "the measurement is NOT trustworthy",
        };
        Self { tone, word, but, trust }
    }
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
